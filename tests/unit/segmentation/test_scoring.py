"""Good segments score higher than bad ones."""

import numpy as np
import pytest

from prebrush.segmentation.scoring import score_segments
from scenes import ALL_SCENES, Scene, disc, paint


def auc(good: np.ndarray, bad: np.ndarray) -> float:
    """Probability that a good one scores over a bad one."""
    return float((good[:, None] > bad[None]).mean() + (good[:, None] == bad[None]).mean() / 2)


def displaced(truth: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """The shape of a true segment, put somewhere else."""
    shift = (int(rng.integers(truth.shape[0])), int(rng.integers(truth.shape[1])))
    return np.roll(truth == number, shift, axis=(0, 1)).astype(np.int32)


@pytest.mark.parametrize("scene", ALL_SCENES, ids=lambda scene: scene.name)
def test_true_objects_beat_displaced_ones(scene: Scene) -> None:
    rng = np.random.default_rng(0)
    count = int(scene.truth.max())
    good = score_segments(scene.truth, scene.image, count)
    bad = [score_segments(displaced(scene.truth, n, rng), scene.image, 1)[0] for n in range(1, count + 1) for _ in "ab"]
    assert auc(good, np.array(bad)) > 0.9


def test_contrast_edge_and_shape_each_count() -> None:
    truth = disc(60, 60, 30, 30, 15).astype(np.int32)
    clear = paint(truth, [(50, 50, 50), (200, 200, 200)])
    faint = paint(truth, [(50, 50, 50), (65, 65, 65)])
    blurred = np.asarray(clear * 0.5 + np.roll(clear, 8, axis=1) * 0.5, np.uint8)
    comb = truth.copy()
    comb[::3] = 0
    score = lambda label_map, image: float(score_segments(label_map, image, 1)[0])  # noqa: E731  a short name for one test
    assert score(truth, clear) > score(truth, faint)
    assert score(truth, clear) > score(truth, blurred)
    assert score(truth, clear) > score(comb, paint(comb, [(50, 50, 50), (200, 200, 200)]))


def test_values_stay_in_range() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        label_map = rng.integers(0, 5, (9, 11)).astype(np.int32)
        scores = score_segments(label_map, rng.integers(0, 256, (9, 11, 3), dtype=np.uint8), int(label_map.max()))
        assert ((scores >= 0) & (scores <= 1)).all()
    assert score_segments(np.ones((4, 4), np.int32), np.zeros((4, 4, 3), np.uint8), 1).tolist() == [0.0]
    assert score_segments(np.zeros((4, 4), np.int32), np.zeros((4, 4, 3), np.uint8), 0).shape == (0,)

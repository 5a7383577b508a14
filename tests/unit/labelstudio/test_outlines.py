import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage import color, data, filters, measure, segmentation

from prebrush.labelstudio.outlines import MAX_PARTS, MAX_POINTS, find_boxes, trace_outlines


def draw(outlines: list, shape: tuple[int, int]) -> np.ndarray:
    """Fill outlines: a pixel is inside if its centre is."""
    mask = np.zeros(shape, bool)
    for outline in outlines:
        mask |= measure.grid_points_in_poly(shape, outline[:, ::-1] - 0.5)
    return mask


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / (first | second).sum()


def fill_holes(mask: np.ndarray) -> np.ndarray:
    outside = measure.label(np.pad(~mask, 1, constant_values=True), connectivity=1)
    return (outside != outside[0, 0])[1:-1, 1:-1]


def disc(radius: float, height: int = 120, width: int = 160) -> np.ndarray:
    rows, columns = np.ogrid[:height, :width]
    return (rows - height / 2) ** 2 + (columns - width / 2) ** 2 <= radius**2


def bent_bar() -> np.ndarray:
    mask = np.zeros((120, 160), bool)
    mask[10:110, 20:35] = True
    mask[95:110, 20:150] = True
    return mask


SCENES = {f"disc of radius {radius}": disc(radius) for radius in (1, 2, 5, 12, 30, 55)} | {
    "one pixel": disc(0.1),
    "whole image": np.ones((120, 160), bool),
    "a row": np.eye(120, 160, dtype=bool)[[7]] | (np.arange(120) == 9)[:, np.newaxis],
    "bent bar": bent_bar(),
}


@pytest.mark.parametrize("mask", SCENES.values(), ids=SCENES)
def test_outlines_of_drawn_scenes_drawn_back(mask: np.ndarray) -> None:
    outlines = trace_outlines(mask)
    assert all(3 <= len(outline) <= 60 for outline in outlines)
    assert overlap(draw(outlines, mask.shape), mask) > 0.96


def segments_of_photos() -> dict[str, np.ndarray]:
    found = {}
    for name in ("coins", "astronaut", "coffee"):
        image = getattr(data, name)()
        gray = filters.gaussian(color.rgb2gray(image) if image.ndim == 3 else image, 1)
        bright = measure.label(gray > filters.threshold_otsu(gray))
        parts = segmentation.felzenszwalb(image, scale=300, min_size=200, channel_axis=2 if image.ndim == 3 else None)
        for method, labels in (("otsu", bright), ("felzenszwalb", parts + 1)):
            areas = np.bincount(labels.ravel())
            areas[0] = 0
            for place, number in enumerate(np.argsort(-areas)[:8]):
                found[f"{name} {method} {place}"] = labels == number
    return found


def test_outlines_of_photos_drawn_back() -> None:
    masks = segments_of_photos()
    overlaps = {}
    corners = {}
    for name, mask in masks.items():
        outlines = trace_outlines(mask)
        overlaps[name] = overlap(draw(outlines, mask.shape), mask)
        corners[name] = sum(map(len, outlines))
        assert all(len(outline) <= MAX_POINTS for outline in outlines)
    values = np.array(list(overlaps.values()))
    assert np.median(values) > 0.97, overlaps
    assert (values > 0.95).mean() > 0.9, overlaps
    assert values.min() > 0.85, overlaps
    assert np.median(list(corners.values())) < 100, corners


def test_parts_come_largest_first_without_specks() -> None:
    mask = np.zeros((100, 100), bool)
    mask[5:10, 5:10] = True
    mask[20:60, 20:60] = True
    mask[80:85, 50:90] = True
    mask[95, 95] = True
    mask[30:40, 30:40] = False
    outlines = trace_outlines(mask)
    assert [outline.min(axis=0).tolist() for outline in outlines] == [[20, 20], [50, 80]]
    corners = {(20, 20), (20, 60), (60, 20), (60, 60)}
    assert set(map(tuple, outlines[0].tolist())) == corners | {(30, 30), (30, 40), (40, 30), (40, 40)}
    (filled, _) = trace_outlines(mask, with_holes=False)
    assert set(map(tuple, filled.tolist())) == corners


def nonzero_winding(outline: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Fill as a browser's canvas does, which counts how often an outline goes around a point."""
    rows, columns = np.indices(shape) + 0.5
    turns = np.zeros(shape, int)
    for (x, y), (x_next, y_next) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        side = (x_next - x) * (rows - y) - (columns - x) * (y_next - y)
        turns += (y <= rows) & (y_next > rows) & (side > 0)
        turns -= (y > rows) & (y_next <= rows) & (side < 0)
    return turns != 0


def test_holes_are_reached_over_bridges_of_no_width() -> None:
    mask = disc(50)
    for row, column, radius in ((40, 60, 10), (60, 100, 5), (80, 80, 3), (75, 60, 1)):
        rows, columns = np.ogrid[:120, :160]
        mask[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = False
    (outline,) = trace_outlines(mask)
    for drawn in (draw([outline], mask.shape), nonzero_winding(outline, mask.shape)):
        assert not drawn[40, 60]
        assert not drawn[60, 100]
        assert not drawn[80, 80]
        # five pixels are a speck
        assert drawn[75, 60]
        assert overlap(drawn, mask) > 0.97
    (filled,) = trace_outlines(mask, with_holes=False)
    assert draw([filled], mask.shape)[40, 60]


def test_one_speck_alone_is_kept() -> None:
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    (outline,) = trace_outlines(mask)
    assert sorted(map(tuple, outline.tolist())) == [(4, 4), (4, 5), (5, 4), (5, 5)]


def test_the_number_of_parts_and_corners_is_bounded() -> None:
    rng = np.random.default_rng(0)
    assert len(trace_outlines(np.kron(rng.random((40, 40)) > 0.9, np.ones((6, 6))).astype(bool))) == MAX_PARTS
    ragged = rng.random((200, 200)) > 0.3
    for limit in (3, 10, MAX_POINTS):
        assert all(3 <= len(outline) <= limit for outline in trace_outlines(ragged, limit))


def test_an_empty_mask_has_no_outline() -> None:
    assert trace_outlines(np.zeros((5, 5), bool)) == []


@settings(max_examples=100, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_any_mask_is_enclosed_within_the_image(mask: np.ndarray) -> None:
    outlines = trace_outlines(mask)
    assert bool(outlines) == bool(mask.any())
    for outline in outlines:
        assert len(outline) >= 3
        assert (outline >= -1).all()
        assert (outline <= np.array(mask.shape[::-1]) + 1).all()


@settings(max_examples=100, deadline=None)
@given(arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 4)))
def test_boxes_agree_with_looking_at_each_number_alone(label_map: np.ndarray) -> None:
    boxes = find_boxes(label_map)
    assert len(boxes) == label_map.max() + 1
    for number, (top, left, bottom, right) in enumerate(boxes.tolist()):
        rows, columns = np.nonzero(label_map == number)
        if rows.size:
            assert (top, left, bottom, right) == (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        else:
            assert bottom == 0

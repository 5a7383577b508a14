"""Which superpixels a person means who has clicked: evidence, weighing, and the choice among cuts of several sizes.

Every mark changes superpixels one way only: a positive one adds the piece it lies in, a negative one takes it away.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import Mask
from prebrush.segmentation.kernels.region_paths import Floats, Ints, connected, distances
from prebrush.segmentation.kernels.sparse_cut import cut_graph
from prebrush.segmentation.prompt_image import Prepared
from prebrush.segmentation.prompt_weights import WEIGHTS, Weights
from prebrush.segmentation.superpixel_graph import FAR, FAR_HEIGHT, FAR_HIGHEST, measure_distances
from prebrush.segmentation.thresholds import find_threshold

NEAR_STEPS, NEAR_SHARE = 1.5, 0.12
"""The colours around a first click are learned within about so long a way, and so much of the image's diagonal."""
NEAR_STEPS_LATER, NEAR_SHARE_LATER = 1.0, 0.08
RARE_COLOR, RARE_TEXTURE = 1e-3, 5e-3
"""Added to shares before their logarithm is taken."""
SURE_COLOR, SURE_TEXTURE = 4.0, 3.0
SURE = 5.0
"""Margins above this count as this."""
CUT_WEIGHT, CUT_FALL = 2.0, 2.0
"""Price of a pixel of cut through a plain, and how it falls with the strength of the edge."""
TIE_FALL = 1.5
SIZES = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
"""What is added to all margins to get smaller and larger first answers."""
CHANGES = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0)
"""The same for what a later mark adds or takes away."""
SPECK = 0.03
"""Share of the image below which an answer is none if the click is on a ground."""
LEAST_STEP = 2.0
"""By how much the contours around things on a ground are more salient than those within it."""
LEVELS = 255 / FAR_HEIGHT
CERTAIN = 1e6
RIVAL_ALONG, RIVAL_AWAY = 8, 11
"""Columns of `change_evidence`: how much nearer the mark is than marks of the other sign."""


class Mark(NamedTuple):
    """One mark: a click, or all strokes of one sign.

    Attributes
    ----------
    sources : int64 (s,)
        Superpixels it lies in.
    rows, cols : float64 (k,)
        Where it is, at the size at which clicks are answered.
    positive : bool
    """

    sources: Ints
    rows: Floats
    cols: Floats
    positive: bool


class Choice(NamedTuple):
    """Which superpixels are the object so far.

    Attributes
    ----------
    chosen : bool (n,)
    margins : float64 (n,)
        By how much: log odds, above 0 object.
    """

    chosen: Mask
    margins: Floats


def choose(prepared: Prepared, mark: Mark, weights: Weights = WEIGHTS) -> Choice:
    """Choose what the first, positive mark means."""
    options = list(first_options(prepared, mark, weights))
    best = max(options, key=lambda option: float(option[1] @ weights.sizes))[0]
    # no cut holds a ground together: the evidence is against what is like the image's frame, and grain is full of edges
    speck = prepared.areas[best.chosen].sum() < SPECK * prepared.areas.sum()
    return (_ground_around(prepared, mark) if speck else None) or best


def _ground_around(prepared: Prepared, mark: Mark) -> Choice | None:
    """Choose a ground that runs to the frame, up to the contours of what lies on it; None where there is no such step.

    Contours that have survived merging by colour and texture; the edges of grain have not.
    """
    everywhere = np.ones(prepared.areas.size, np.bool_)
    highest = distances(prepared.graph, prepared.heights, mark.sources, everywhere, FAR_HEIGHT, highest=True)
    counts = np.bincount((highest * LEVELS).astype(np.int64), prepared.areas, 256).astype(np.int64)
    level = (find_threshold(counts, "otsu") + 1) / LEVELS
    ground = highest < level
    if ground.all() or not prepared.framed[ground].any():
        return None
    step = float(np.median(highest[~ground]) - np.median(highest[ground]))
    return Choice(ground, level - highest) if step > LEAST_STEP else None


def change(prepared: Prepared, choice: Choice, marks: Sequence[Mark], mark: Mark, weights: Weights = WEIGHTS) -> Choice:
    """Add or take away what a further mark means, and nothing else.

    Parameters
    ----------
    prepared : Prepared
    choice : Choice
    marks : sequence of Mark
        All before this one.
    mark : Mark
    weights : Weights
    """
    sizes = weights.added_sizes if mark.positive else weights.removed_sizes
    options = list(change_options(prepared, choice, marks, mark, weights))
    return max(options, key=lambda option: float(option[1] @ sizes))[0]


def first_options(prepared: Prepared, mark: Mark, weights: Weights) -> Iterator[tuple[Choice, Floats]]:
    """Cut the object out at several sizes; give each with what `choose` judges it by."""
    evidence = first_evidence(prepared, mark)
    certain = np.zeros(prepared.areas.size)
    certain[mark.sources] = CERTAIN
    everywhere = np.ones(certain.size, np.bool_)
    margins = evidence @ weights.first
    chosen = _piece(prepared, mark, _cut(prepared, margins, certain))
    margins = np.concatenate((evidence, context_evidence(prepared, margins, chosen)), axis=1) @ weights.second
    highest = distances(prepared.graph, prepared.strengths, mark.sources, everywhere, FAR_HIGHEST, highest=True)
    seen = set[bytes]()
    for size in SIZES:
        chosen = _fill(prepared, _piece(prepared, mark, _cut(prepared, margins + size, certain)), [])
        # all of the image is an answer only where nothing else is
        if chosen.tobytes() in seen or (chosen.all() and seen):
            continue
        seen.add(chosen.tobytes())
        judged = (1.0, size, size * size, *_contrast(prepared, chosen, everywhere, margins + size, highest))
        yield Choice(chosen, margins + size), np.array(judged)


def change_options(
    prepared: Prepared, choice: Choice, marks: Sequence[Mark], mark: Mark, weights: Weights
) -> Iterator[tuple[Choice, Floats]]:
    """Cut out what changes at several sizes; give each with what `change` judges it by."""
    sign = 1.0 if mark.positive else -1.0
    evidence, open_to = change_evidence(prepared, choice, marks, mark)
    margins = evidence @ (weights.added if mark.positive else weights.removed)
    certain = np.where(open_to, 0.0, CERTAIN)
    rivals = [other for other in marks if other.positive != mark.positive]
    if rivals:
        # what is nearer to a mark of the other sign, straight and along the way, is that one's
        certain[open_to & (evidence[:, RIVAL_ALONG] < 0) & (evidence[:, RIVAL_AWAY] < 0)] = -CERTAIN
    for rival in rivals:
        certain[rival.sources] = -CERTAIN
    certain[mark.sources] = CERTAIN
    highest = distances(prepared.graph, prepared.strengths, mark.sources, open_to, FAR_HIGHEST, highest=True)
    clearance = _clearance(prepared, open_to, mark)
    total = prepared.areas[open_to].sum()
    seen = set[bytes]()
    for size in CHANGES:
        piece = _piece(prepared, mark, _cut(prepared, margins + size, certain) & open_to)
        chosen = np.where(piece, mark.positive, choice.chosen)
        if mark.positive:
            chosen = _fill(prepared, chosen, rivals)
        if chosen.tobytes() in seen:
            continue
        seen.add(chosen.tobytes())
        area = prepared.areas[piece].sum()
        width = np.log(np.sqrt(area) / clearance)
        contrast = _contrast(prepared, piece, open_to, margins + size, highest)
        judged = (1.0, size, size * size, *contrast, width, width * width, area / total)
        changed = np.where(open_to, sign * np.clip(margins + size, -SURE, SURE), choice.margins)
        yield Choice(chosen, changed), np.array(judged)


def first_evidence(prepared: Prepared, mark: Mark) -> Floats:
    """Gather what speaks for each superpixel to belong to the first mark: float64 (n, 22)."""
    everywhere = np.ones(prepared.areas.size, np.bool_)
    along, highest, salience = _distances(prepared, mark.sources, everywhere)
    frame_along, frame_highest, frame_salience = prepared.from_frame
    diagonal = prepared.diagonal
    away = _away(prepared, mark) / diagonal
    inside = _model(prepared, np.exp(-along / NEAR_STEPS - (away / NEAR_SHARE) ** 2))
    outside = _model(prepared, prepared.framed / prepared.areas)
    like_color, like_texture = _likeness(prepared, inside, outside)
    gap_color, gap_texture = _gaps(prepared, inside)
    mean = prepared.means[mark.sources].mean(axis=0)
    ground = _groundness(prepared)
    on_ground = float(ground[mark.sources].mean())
    ones = np.ones(along.size)
    return np.stack(
        (
            ones, np.sqrt(along), highest, salience, away, away**2,
            _ratio(frame_along, along, 0.3), np.clip(frame_highest - highest, -3, 3),
            np.clip(frame_salience - salience, -5, 5),
            like_color, like_texture, gap_texture, gap_color,
            np.linalg.norm(prepared.means - mean, axis=1) / 100,
            ground, prepared.framed > 0, on_ground * ground, on_ground * np.sqrt(along), on_ground * like_color,
            np.log(prepared.ground + 0.05), ones * salience.mean(), ones * frame_along[mark.sources].mean(),
        ),
        axis=1,
    )  # fmt: skip


def context_evidence(prepared: Prepared, margins: Floats, chosen: Mask) -> Floats:
    """Gather what a first guess says about each superpixel: float64 (n, 5)."""
    odds = 1 / (1 + np.exp(-np.clip(margins, -30, 30)))
    likeness = _likeness(prepared, _model(prepared, odds * chosen), _model(prepared, (1 - odds) * ~chosen))
    level = np.log((odds + 1e-3) / (1 - odds + 1e-3))
    tie = prepared.lengths * np.exp(-TIE_FALL * prepared.strengths)
    one, other = prepared.ends.T
    count = margins.size
    around = np.bincount(one, tie * level[other], count) + np.bincount(other, tie * level[one], count)
    ties = np.bincount(one, tie, count) + np.bincount(other, tie, count)
    return np.stack((level, around / (ties + 1e-6), chosen, *likeness), axis=1)


def change_evidence(prepared: Prepared, choice: Choice, marks: Sequence[Mark], mark: Mark) -> tuple[Floats, Mask]:
    """Gather what speaks for each superpixel to change with a mark: float64 (n, 22), and which may: bool (n,)."""
    sign = 1.0 if mark.positive else -1.0
    open_to = choice.chosen != mark.positive
    open_to[mark.sources] = True
    along, highest, salience = _distances(prepared, mark.sources, open_to)
    rivals = [other for other in marks if other.positive != mark.positive]
    against = np.concatenate([rival.sources for rival in rivals]) if rivals else np.flatnonzero(prepared.framed)
    if not rivals and not mark.positive:
        against = against[:0]
    against = against[open_to[against] & ~np.isin(against, mark.sources)]
    rival_along, rival_highest, rival_salience = _distances(prepared, against, open_to)
    diagonal = prepared.diagonal
    away = _away(prepared, mark)
    rival_away = np.min([np.full(away.size, diagonal), *(_away(prepared, rival) for rival in rivals)], axis=0)
    clearance = _clearance(prepared, open_to, mark)
    near = np.exp(-along / NEAR_STEPS_LATER - (away / (NEAR_SHARE_LATER * diagonal)) ** 2)
    local = _model(prepared, near * open_to)
    other_side = _model(prepared, open_to * np.minimum(1, 1.02 - np.exp(-along / 3)))
    own_side = _model(prepared, ~open_to)
    gap_color, gap_texture = _gaps(prepared, local)
    level = sign * np.clip(choice.margins, -SURE, SURE)
    ground = _groundness(prepared)
    ones = np.ones(along.size)
    width = np.minimum(away / clearance, 6)
    evidence = np.stack(
        (
            ones, np.sqrt(along), highest, salience, width, width**2, away / diagonal, ones * clearance / diagonal,
            _ratio(rival_along, along, 0.3), np.clip(rival_highest - highest, -3, 3),
            np.clip(rival_salience - salience, -5, 5), _ratio(rival_away, away, 1.0),
            *_likeness(prepared, local, other_side), *_likeness(prepared, own_side, other_side),
            gap_texture, gap_color, _contact(prepared, ~open_to), level, ones * level[mark.sources].mean(),
            sign * ground,
        ),
        axis=1,
    )  # fmt: skip
    return evidence, open_to


def _groundness(prepared: Prepared) -> Floats:
    """How much each superpixel is like the frame's colours: 0 to 1."""
    return np.asarray(1 - np.exp(-(prepared.ground**2) / 2), np.float64)


def _distances(prepared: Prepared, sources: Ints, allowed: Mask) -> tuple[Floats, Floats, Floats]:
    if sources.size == 0:
        return tuple(np.full(allowed.size, far) for far in (FAR, FAR_HIGHEST, FAR_HEIGHT))  # type: ignore[return-value]  # three
    return measure_distances(prepared.graph, prepared.strengths, prepared.heights, sources, allowed)


def _away(prepared: Prepared, mark: Mark) -> Floats:
    """Distance in pixels of each superpixel's middle from the nearest of a mark's places."""
    down = prepared.rows[:, None] - mark.rows
    right = prepared.cols[:, None] - mark.cols
    return np.asarray(np.sqrt((down**2 + right**2).min(axis=1)), np.float64)


def _ratio(rival: Floats, own: Floats, slack: float) -> Floats:
    return (rival - own) / (rival + own + slack)


Model = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def _model(prepared: Prepared, weight: npt.NDArray[np.generic]) -> Model:
    """Average shares of colours and textures, with a weight for each superpixel's pixels."""
    pixels = (np.asarray(weight, np.float64) + 1e-9) * prepared.areas
    shares = (pixels / pixels.sum()).astype(np.float32)
    return shares @ prepared.colors, shares @ prepared.textures


def _likeness(prepared: Prepared, one: Model, other: Model) -> tuple[Floats, Floats]:
    """How much more likely each superpixel's colours and textures are under one model: mean log ratios."""
    color = prepared.colors @ np.log((one[0] + RARE_COLOR) / (other[0] + RARE_COLOR))
    texture = prepared.textures @ np.log((one[1] + RARE_TEXTURE) / (other[1] + RARE_TEXTURE))
    return np.clip(color, -SURE_COLOR, SURE_COLOR), np.clip(texture, -SURE_TEXTURE, SURE_TEXTURE)


def _gaps(prepared: Prepared, model: Model) -> tuple[Floats, Floats]:
    """Chi-squared distances of each superpixel's colours and textures from a model's."""
    gaps = []
    for shares, typical in ((prepared.colors, model[0]), (prepared.textures, model[1])):
        gaps.append(0.5 * ((shares - typical) ** 2 / (shares + typical + np.float32(1e-6))).sum(axis=1))
    return gaps[0], gaps[1]


def _contact(prepared: Prepared, side: Mask) -> Floats:
    """Share of each superpixel's boundary that it has in common with a set of them."""
    one, other = prepared.ends.T
    count = side.size
    common = np.bincount(one, prepared.lengths * side[other], count)
    common += np.bincount(other, prepared.lengths * side[one], count)
    return np.asarray(common / np.maximum(prepared.perimeters, 1), np.float64)


def _clearance(prepared: Prepared, open_to: Mask, mark: Mark) -> float:
    """How far the mark is from the edge of what may change, in pixels, at least 2."""
    rows, cols = mark.rows.astype(np.intp), mark.cols.astype(np.intp)
    framed = cv2.copyMakeBorder(
        open_to[prepared.superpixels].astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0
    )
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 3)
    return max(2.0, float(depth[rows + 1, cols + 1].max()))


def _cut(prepared: Prepared, margins: Floats, certain: Floats) -> Mask:
    """Cut the graph; a superpixel's margin counts as much as its diameter, as the cut does."""
    gain = np.where(certain != 0, certain, margins * np.sqrt(prepared.areas))
    weights = CUT_WEIGHT * prepared.lengths * np.exp(-CUT_FALL * prepared.strengths)
    return cut_graph(prepared.graph, weights, gain)


def _piece(prepared: Prepared, mark: Mark, chosen: Mask) -> Mask:
    return connected(prepared.graph, mark.sources, chosen)


def _fill(prepared: Prepared, chosen: Mask, rivals: Sequence[Mark]) -> Mask:
    """Fill holes that hold no negative mark, unless it is the ground that has them: all of the image's frame."""
    if chosen[prepared.framed > 0].all():
        return chosen
    sources = np.concatenate([np.flatnonzero(prepared.framed), *(rival.sources for rival in rivals)])
    return ~connected(prepared.graph, sources, ~chosen)


def _contrast(prepared: Prepared, piece: Mask, within: Mask, margins: Floats, highest: Floats) -> tuple[float, float]:
    """How much more salient a piece's outline is than the edges within it, and how sure the margins along it are."""
    one, other = prepared.ends.T
    crossing = (piece[one] != piece[other]) & within[one] & within[other]
    if not crossing.any():
        return 3.0 - float(highest[piece].max()), 2.0
    lengths = prepared.lengths[crossing]
    outline = float((lengths * prepared.heights[crossing]).sum() / lengths.sum())
    beside = np.zeros(piece.size, np.bool_)
    beside[one[crossing]] = beside[other[crossing]] = True
    return outline - float(highest[piece].max()), float(np.abs(margins[beside]).mean())

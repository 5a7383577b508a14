"""How well a label map agrees with the truth: every figure with its formula and source.

Figures are in [0, 1] and higher is better, but for the variation of information. Everything that counts pixels is read
off one sparse table of overlaps, so that the cost hardly depends on the number of segments. Nothing here knows files
or methods.
"""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask

Counts: TypeAlias = npt.NDArray[np.int64]
Shares: TypeAlias = npt.NDArray[np.float64]

DENSE_CELLS = 1 << 20
"""Up to this many pairs of numbers the overlaps are counted in a full table; above, by sorting."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """How many pixels each number of the truth shares with each number found; only pairs that share any.

    Attributes
    ----------
    truth, found : int64 (k,)
        The two numbers of each pair.
    shared : int64 (k,)
        Their common pixels.
    truth_areas, found_areas : int64 (n + 1,), (m + 1,)
        Pixels of each number, 0 included.
    """

    truth: Counts
    found: Counts
    shared: Counts
    truth_areas: Counts
    found_areas: Counts

    @property
    def pixels(self) -> int:
        """How many pixels were compared."""
        return int(self.shared.sum())

    def iou(self) -> Shares:
        """Return the intersection over union of each pair, float64 (k,)."""
        return self.shared / (self.truth_areas[self.truth] + self.found_areas[self.found] - self.shared)

    def best_iou(self, *, with_background: bool) -> Shares:
        """Return for each number of the truth its best overlap with one segment found.

        Parameters
        ----------
        with_background : bool
            Whether number 0 of what was found counts as a segment.

        Returns
        -------
        float64 (n + 1,)
            0 where nothing overlaps.
        """
        best = np.zeros(self.truth_areas.size)
        counted = np.ones(self.found.size, np.bool_) if with_background else self.found > 0
        np.maximum.at(best, self.truth[counted], self.iou()[counted])
        return best


def count_overlaps(truth: LabelMap, found: LabelMap) -> Overlaps:
    """Count the pixels that each pair of numbers shares.

    Parameters
    ----------
    truth : int32 (H, W)
        Numbers from 0; pixels below 0 are undecided and left out.
    found : int32 (H, W)
        Numbers from 0.

    Raises
    ------
    ValueError
        The shapes differ.

    Notes
    -----
    Cost: linear in pixels while there are up to a million pairs of numbers, else one sort.
    """
    if truth.shape != found.shape:
        raise ValueError(f"the truth is {truth.shape} and what was found {found.shape}: both must be of one shape")
    decided = truth >= 0
    rows = (truth if decided.all() else truth[decided]).ravel().astype(np.int64)
    cols = (found if decided.all() else found[decided]).ravel().astype(np.int64)
    n_rows, n_cols = int(rows.max(initial=0)) + 1, int(cols.max(initial=0)) + 1
    keys = rows * n_cols + cols
    if n_rows * n_cols <= DENSE_CELLS:
        table = np.bincount(keys, minlength=n_rows * n_cols)
        pairs = np.flatnonzero(table)
        shared = table[pairs]
    else:
        pairs, shared = np.unique(keys, return_counts=True)
    return Overlaps(
        truth=pairs // n_cols,
        found=pairs % n_cols,
        shared=shared.astype(np.int64),
        truth_areas=np.bincount(rows, minlength=n_rows),
        found_areas=np.bincount(cols, minlength=n_cols),
    )


def iou(truth: Mask, found: Mask) -> float:
    """Intersection over union of two masks: ``|A and B| / |A or B|``; 1 where both are empty.

    Source: P. Jaccard, Bulletin de la Societe Vaudoise des Sciences Naturelles 37, 1901.
    """
    union = np.count_nonzero(truth | found)
    return np.count_nonzero(truth & found) / union if union else 1.0


def dice(truth: Mask, found: Mask) -> float:
    """Twice the common pixels over the sum of both: ``2 |A and B| / (|A| + |B|)``; 1 where both are empty.

    Source: L. R. Dice, Ecology 26(3), 1945, doi:10.2307/1932409
    """
    total = np.count_nonzero(truth) + np.count_nonzero(found)
    return 2 * np.count_nonzero(truth & found) / total if total else 1.0


def covering(overlaps: Overlaps) -> float:
    """How well the best segment found covers each region of the truth, weighted by area.

    ``sum over regions R of |R| * max over segments S of IoU(R, S)``, divided by the pixels. Number 0 counts as one more
    region, on both sides. 1 where there are no pixels.

    Source: P. Arbelaez, M. Maire, C. Fowlkes, J. Malik, TPAMI 33(5), 2011, doi:10.1109/TPAMI.2010.161
    """
    best = overlaps.best_iou(with_background=True)
    return float(best @ overlaps.truth_areas) / overlaps.pixels if overlaps.pixels else 1.0


def rand_index(overlaps: Overlaps) -> float:
    """Share of pixel pairs that both maps treat alike: together in both, or apart in both.

    ``1 - (sum a_i^2 / 2 + sum b_j^2 / 2 - sum n_ij^2) / (N (N - 1) / 2)``, with areas a, b and common pixels n. 1 for a
    single pixel. The mean over several annotators is the probabilistic Rand index.

    Source: W. M. Rand, Journal of the American Statistical Association 66, 1971, doi:10.1080/01621459.1971.10482356
    """
    pixels = overlaps.pixels
    if pixels < 2:
        return 1.0
    together = [float((areas.astype(np.float64) ** 2).sum()) for areas in (overlaps.truth_areas, overlaps.found_areas)]
    in_both = float((overlaps.shared.astype(np.float64) ** 2).sum())
    return 1.0 - (sum(together) / 2 - in_both) / (pixels * (pixels - 1) / 2)


def variation_of_information(overlaps: Overlaps) -> float:
    """Bits that each map leaves unknown about the other, ``H(truth | found) + H(found | truth)``; 0 where they agree.

    ``-sum n_ij / N * (log2(n_ij / a_i) + log2(n_ij / b_j))``. Number 0 counts as one more region.

    Source: M. Meila, Journal of Multivariate Analysis 98(5), 2007, doi:10.1016/j.jmva.2006.11.013
    """
    if not overlaps.pixels:
        return 0.0
    shared = overlaps.shared
    unknown = np.log2(overlaps.truth_areas[overlaps.truth] / shared)
    unknown += np.log2(overlaps.found_areas[overlaps.found] / shared)
    return float(shared @ unknown) / overlaps.pixels


def average_precision(overlaps: Overlaps) -> float:
    """Instance average precision at an IoU of 0.5: ``TP / (TP + FP + FN)``; 1 where there is nothing on either side.

    A hit is a pair of true object and found segment with an IoU over 0.5, of which each has one at most. Number 0 is
    background on both sides.

    Source: the 2018 Data Science Bowl, J. C. Caicedo et al., Nature Methods 16, 2019, doi:10.1038/s41592-019-0612-7
    """
    objects = (overlaps.truth > 0) & (overlaps.found > 0)
    hits = np.count_nonzero(objects & (overlaps.iou() > 0.5))
    total = np.count_nonzero(overlaps.truth_areas[1:]) + np.count_nonzero(overlaps.found_areas[1:]) - hits
    return hits / total if total else 1.0


def best_overlap(overlaps: Overlaps) -> float:
    """Mean over the true objects of the IoU with the segment that fits best; 1 where there is no object.

    Says how good the best candidates are, however many others there are.

    Source: J. Uijlings, K. van de Sande, T. Gevers, A. Smeulders, IJCV 104, 2013, doi:10.1007/s11263-013-0620-5
    """
    present = overlaps.truth_areas[1:] > 0
    return float(overlaps.best_iou(with_background=False)[1:][present].mean()) if present.any() else 1.0


def joined_segments(overlaps: Overlaps, number: int) -> npt.NDArray[np.bool_]:
    """Choose the segments that somebody who wants one class of the truth would join: more than half lies in it.

    Returns
    -------
    bool (m + 1,)
        For each number found; never number 0.
    """
    of_class = (overlaps.truth == number) & (overlaps.found > 0)
    chosen = np.zeros(overlaps.found_areas.size, np.bool_)
    found = overlaps.found[of_class]
    chosen[found] = 2 * overlaps.shared[of_class] > overlaps.found_areas[found]
    return chosen


def boundary_f(truth: LabelMap, found: LabelMap, tolerance_px: float) -> float:
    """Agreement of the boundaries: the harmonic mean of precision and recall within a tolerance.

    Precision is the share of boundary pixels found that lie within the tolerance of a true one, recall the share of
    true ones near a found one. A boundary pixel differs from its right or its lower neighbour. 1 where neither map has
    a boundary, 0 where one alone has.

    Parameters
    ----------
    truth, found : int32 (H, W)
    tolerance_px : float
        Largest distance between pixels' centres that counts as agreeing.

    Notes
    -----
    Source: G. Csurka, D. Larlus, F. Perronnin, BMVC 2013, doi:10.5244/C.27.32. The BSDS benchmark matches boundary
    pixels one to one instead, which takes minutes an image and gives figures some hundredths lower.
    """
    return near_f1(boundary_of(truth), boundary_of(found), tolerance_px)


def boundary_of(label_map: npt.NDArray[np.int32] | Mask) -> Mask:
    """Mark the pixels that differ from their right or their lower neighbour: bool (H, W)."""
    boundary = np.zeros(label_map.shape, np.bool_)
    boundary[:, :-1] |= label_map[:, 1:] != label_map[:, :-1]
    boundary[:-1] |= label_map[1:] != label_map[:-1]
    return boundary


def near_f1(truth: Mask, found: Mask, tolerance_px: float) -> float:
    """F1 of two sets of pixels, with near misses forgiven: for thin structures such as cracks and vessels.

    Precision is the share of found pixels within the tolerance of a true one, recall the share of true pixels within it
    of a found one; F1 is ``2 P R / (P + R)``. 1 where both are empty, 0 where one alone is.

    Source: Q. Zou, Y. Cao, Q. Li, Q. Mao, S. Wang, Pattern Recognition Letters 33(3), 2012,
    doi:10.1016/j.patrec.2011.11.004 (with a tolerance of 2 px)
    """
    if not truth.any() or not found.any():
        return float(truth.any() == found.any())
    precision = float((_distance_to(truth)[found] <= tolerance_px).mean())
    recall = float((_distance_to(found)[truth] <= tolerance_px).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _distance_to(mask: Mask) -> npt.NDArray[np.float32]:
    """Distance of each pixel to the nearest one of a mask that is not empty."""
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)


@dataclass(frozen=True, slots=True)
class BestSetting:
    """A figure over a knob's values.

    Attributes
    ----------
    place : int
        Which setting is the best one for all images.
    ods : float
        Optimal data set scale: the mean over images at that one setting.
    ois : float
        Optimal image scale: the mean over images of each image's own best setting.
    """

    place: int
    ods: float
    ois: float


def best_setting(figures: Shares) -> BestSetting:
    """Find the best setting of a knob for a data set, and what choosing by image would add.

    Parameters
    ----------
    figures : float64 (images, settings)
        Higher is better; not empty.

    Notes
    -----
    Source: P. Arbelaez, M. Maire, C. Fowlkes, J. Malik, TPAMI 33(5), 2011, doi:10.1109/TPAMI.2010.161. Images count
    alike here; the benchmark's own program weights them by pixels and annotators.
    """
    means = figures.mean(axis=0)
    place = int(means.argmax())
    return BestSetting(place, float(means[place]), float(figures.max(axis=1).mean()))

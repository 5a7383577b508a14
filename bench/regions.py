"""Connected components, holes, specks and statistics of regions beside scikit-image's."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.measure import label, regionprops_table
from skimage.morphology import remove_small_holes, remove_small_objects

from bench.harness import Row, WrongResultError
from bench.images import mosaic, to_gray
from prebrush.datatypes import LabelMap, Mask, RGBImage
from prebrush.segmentation.kernels import components, region_stats, runs
from prebrush.segmentation.kernels.histogram import histogram
from prebrush.segmentation.multilevel import find_thresholds
from prebrush.segmentation.thresholds import find_threshold

SMALL = 200
"""Area of the largest holes that are filled and of the largest specks that are dropped, in pixels."""


def rows() -> Iterator[Row]:
    components.warm()
    region_stats.warm()
    for megapixels in (1, 4):
        image = mosaic(megapixels)
        gray = to_gray(image)
        mask = gray > find_threshold(histogram(gray), "otsu")
        # a frame of background: open bays at the border are no holes here, but are in scikit-image
        mask[0] = mask[-1] = mask[:, 0] = mask[:, -1] = False
        yield components_row(mask.astype(np.int32), f"{megapixels} MP mosaic, Otsu's mask")
        classes = np.searchsorted(find_thresholds(histogram(gray), 4)[0], gray).astype(np.int32) + 1
        yield components_row(classes, f"{megapixels} MP mosaic, 4 classes of multi_otsu")
        yield holes_row(mask, megapixels)
        yield specks_row(mask, megapixels)
        yield statistics_row(components.connected_components(classes)[0], image, megapixels)


def same(ours: npt.NDArray[Any], reference: npt.NDArray[Any]) -> None:
    if not np.array_equal(ours, reference):
        raise WrongResultError(f"{np.mean(ours != reference):.4%} of the pixels differ")


def components_row(label_map: LabelMap, name: str) -> Row:
    def check(ours: LabelMap, reference: LabelMap) -> str:
        same(ours, reference)
        return f"identical, {ours.max()} components"

    return Row(
        name="connected components",
        input=name,
        ours=lambda: components.connected_components(label_map)[0],
        reference=lambda: label(label_map, background=0, connectivity=2),
        check=check,
        least_ratio=5,
    )


def holes_row(mask: Mask, megapixels: int) -> Row:
    label_map = mask.astype(np.int32)

    def check(ours: LabelMap, reference: Mask) -> str:
        same(ours > 0, reference)
        return f"identical, {np.count_nonzero(reference) - np.count_nonzero(mask)} pixels filled"

    return Row(
        name="hole filling",
        input=f"{megapixels} MP mosaic, up to {SMALL} px²",
        ours=lambda: runs.fill_holes(label_map, SMALL),
        reference=lambda: remove_small_holes(mask, max_size=SMALL, connectivity=1),
        check=check,
        least_ratio=5,
    )


def specks_row(mask: Mask, megapixels: int) -> Row:
    label_map = mask.astype(np.int32)

    def check(ours: Mask, reference: Mask) -> str:
        same(ours, reference)
        return f"identical, {np.count_nonzero(mask) - np.count_nonzero(ours)} pixels dropped"

    return Row(
        name="speck removal",
        input=f"{megapixels} MP mosaic, up to {SMALL} px²",
        ours=lambda: components.connected_components(label_map, least_area=SMALL + 1)[0] > 0,
        reference=lambda: remove_small_objects(mask, max_size=SMALL, connectivity=2),
        check=check,
        least_ratio=5,
    )


def statistics_row(label_map: LabelMap, image: RGBImage, megapixels: int) -> Row:
    count = int(label_map.max())

    def check(ours: region_stats.RegionSums, reference: dict[str, npt.NDArray[Any]]) -> str:
        same(ours.area[1:], reference["area"])
        means = np.column_stack([reference[f"intensity_mean-{part}"] for part in range(3)])
        if not np.allclose(ours.color[1:] / ours.area[1:, None], means, rtol=1e-9):
            raise WrongResultError("the mean colours differ")
        return f"areas identical, mean colours to 9 digits, {count} regions; ours has boundaries too"

    return Row(
        name="region statistics",
        input=f"{megapixels} MP mosaic",
        ours=lambda: region_stats.region_sums(label_map, image, count),
        reference=lambda: regionprops_table(label_map, image, properties=("area", "intensity_mean")),
        check=check,
        least_ratio=5,
        rounds=1,
    )

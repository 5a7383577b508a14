"""Images with ground truth, from the folder that tests read too: ``PREBRUSH_SHARED_DATA``, or beside the clone."""

import os
from pathlib import Path

import cv2
import numpy as np

from prebrush.datatypes import LabelMap, RGBImage
from prebrush.evaluation.datasets import read_dataset

FOLDER = Path(os.environ.get("PREBRUSH_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


def read_group(name: str) -> list[tuple[RGBImage, tuple[LabelMap, ...]]]:
    """Read the images of one data set and their truths; none where the folder is not there."""
    if not (FOLDER / name).is_dir():
        return []
    items = [item for item in read_dataset(FOLDER) if item.group == name]
    return [(read_photo(item.image), item.read_truths()) for item in items]


def read_photo(path: Path) -> RGBImage:
    return np.ascontiguousarray(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB), np.uint8)

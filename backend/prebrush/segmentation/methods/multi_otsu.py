"""Multi-level Otsu: the cuts through one channel that make its classes as even as can be."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import GrayImage, LabelMap, Prompt, RGBImage
from prebrush.segmentation.color import CHANNELS, is_gray, to_gray
from prebrush.segmentation.filters import blur
from prebrush.segmentation.kernels.histogram import histogram
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.methods.threshold import AUTOMATIC_CHANNELS, channel_knob
from prebrush.segmentation.multilevel import find_thresholds


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    n_classes: int = param(3, low=2, high=8, help="How many classes; fewer are found where there are fewer levels.")
    channel: str = channel_knob()
    sigma: float = param(0.0, low=0, high=50, unit="px", help="Blur before the cuts; 0 is none.")


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Divide the levels of one channel into classes.

    The optimum is exact, in scikit-image's arithmetic: the same thresholds as its search through all combinations,
    which takes minutes for six classes. (It rounds to single precision and counts the lowest level one up; on a few
    images in a hundred that moves a threshold by a level.) The automatic channel is the one whose classes are farthest
    apart for their width.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
    prompt : Prompt
        Not used.

    Returns
    -------
    int32 (H, W)
        1..n from the darkest to the brightest class; every pixel belongs to one. A flat image is one class.

    Notes
    -----
    Cost: linear in pixels, a few milliseconds a megapixel and channel, whatever the number of classes. Fails under
    uneven light, and on a class much rarer than the others, which is counted to its neighbour.

    Sources: N. Otsu, IEEE Trans. SMC 9(1), 1979, doi:10.1109/TSMC.1979.4310076; P.-S. Liao, T.-S. Chen, P.-C. Chung,
    Journal of Information Science and Engineering 17(5), 2001, doi:10.6688/JISE.2001.17.5.1

    Examples
    --------
    >>> import numpy as np
    >>> image = np.array([[10, 12, 100, 101, 240, 250]], np.uint8)[..., None].repeat(3, axis=2)
    >>> segment(image, Params(n_classes=3), Prompt()).tolist()
    [[1, 1, 2, 2, 3, 3]]
    """
    del prompt
    names: tuple[str, ...] = (params.channel,)
    if params.channel == "auto":
        names = ("gray",) if is_gray(image) else AUTOMATIC_CHANNELS
    planes = [blur(CHANNELS[name](image), params.sigma) for name in names]
    found = [find_thresholds(histogram(plane), params.n_classes) for plane in planes]
    best = max(range(len(names)), key=lambda place: found[place][1])
    return _classes_by_brightness(planes[best], np.array(found[best][0], np.int64), to_gray(image))


def _classes_by_brightness(plane: GrayImage, thresholds: npt.NDArray[np.int64], gray: GrayImage) -> LabelMap:
    """Number the classes of a channel from 1 by how bright the image is in them; equal ones by the channel."""
    owner = np.searchsorted(thresholds, np.arange(256)).astype(np.uint8)
    count = int(thresholds.size) + 1
    class_of = np.asarray(cv2.LUT(plane, owner), np.uint8)
    joint = np.zeros((count, 256))
    for number in range(count):
        joint[number] = histogram(gray[class_of == number])
    brightness = joint @ np.arange(256) / np.maximum(joint.sum(axis=1), 1)
    ranks = np.empty(count, np.int32)
    ranks[np.argsort(brightness, kind="stable")] = np.arange(1, count + 1)
    label_map: LabelMap = ranks[class_of]
    return label_map


METHOD = Method(segment, Params, version=1, class_name="class-{}", uses=("threshold",))

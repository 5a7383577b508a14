"""What `grabcut` finds in boxes, remembered: each click after a box starts from the same cut."""

import hashlib
import threading
from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import Mask, Prompt, RGBImage
from prebrush.segmentation.markers import inside_boxes
from prebrush.segmentation.methods import grabcut

REMEMBERED = 32
"""Cuts that are kept, a bit a pixel: at most 4 MB of images of a megapixel."""

_cuts: OrderedDict[bytes, npt.NDArray[np.uint8]] = OrderedDict()
_lock = threading.Lock()


def cut_boxes(image: RGBImage, prompt: Prompt) -> Mask:
    """Cut out what is in boxes; all of them but the strokes where nothing is found.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB.
    prompt : Prompt
        Boxes, and strokes in them or none.

    Returns
    -------
    bool (H, W)
        A new array.
    """
    shape = image.shape[:2]
    key = _key(image, prompt)
    with _lock:
        packed = _cuts.get(key)
        if packed is not None:
            _cuts.move_to_end(key)
    if packed is not None:
        return np.unpackbits(packed, count=shape[0] * shape[1]).reshape(shape).view(np.bool_)
    drawn: Mask = grabcut.segment(image, grabcut.Params(), prompt) > 0
    if not drawn.any():
        inside = inside_boxes(prompt, *shape)
        drawn = inside if prompt.scribble is None else inside & (prompt.scribble >= 0)
    with _lock:
        _cuts[key] = np.packbits(drawn)
        while len(_cuts) > REMEMBERED:
            _cuts.popitem(last=False)
    return drawn


def _key(image: RGBImage, prompt: Prompt) -> bytes:
    """Digest all that the cut depends on."""
    digest = hashlib.blake2b(repr((image.shape, prompt.boxes, prompt.scribble is None)).encode())
    digest.update(np.ascontiguousarray(image).data)
    if prompt.scribble is not None:
        digest.update(np.ascontiguousarray(prompt.scribble).data)
    return digest.digest()

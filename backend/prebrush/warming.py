"""Compiling, or loading from disk, all that is compiled, before anybody waits for it."""

import logging
import threading

import numpy as np

from prebrush.errors import PrebrushError
from prebrush.labelstudio import outlines, passed_over, rle_kernels
from prebrush.segmentation import METHODS
from prebrush.segmentation.kernels import warm_all

log = logging.getLogger(__name__)

SLOW_S = 5.0
"""After so long it must be the first start on this machine; those who wait are told why."""


def warm_kernels() -> None:
    """Load every compiled kernel, compiling what is not in the cache on disk, so that no request waits for it.

    Methods that packages brought are run once on a small image of noise, as what they compile is not known here.
    """
    notice = threading.Timer(
        SLOW_S, log.warning, ["compiling the kernels takes about a minute, at the first start alone"]
    )
    notice.daemon = True
    notice.start()
    try:
        _warm()
    finally:
        notice.cancel()


def _warm() -> None:
    rle_kernels.warm()
    outlines.warm()
    passed_over.warm()
    warm_all()
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    for method in METHODS.values():
        if method.package:
            try:
                method.segment(noise, method.parse_params({}))
            except PrebrushError as error:
                log.warning("%s of the package %s fails on an image of noise: %s", method.name, method.package, error)

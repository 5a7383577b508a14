"""Compiling, or loading from disk, all that is compiled, before anybody waits for it."""

import logging
import sys
import threading

import numpy as np

from prebrush.errors import PrebrushError
from prebrush.labelstudio import outlines, passed_over, rle_kernels
from prebrush.segmentation import METHODS
from prebrush.segmentation.kernels import warm_all

log = logging.getLogger(__name__)

SLOW_S = 5.0
"""After so long it is most likely the first start on this machine."""
NOTICE = "compiling the kernels, which takes about a minute at the first start"


def warm_kernels(*, on_terminal: bool = False) -> None:
    """Load every compiled kernel, compiling what is not in the cache on disk, so that no request waits for it.

    Parameters
    ----------
    on_terminal : bool
        A person is waiting: after `SLOW_S` they are told why on stderr, and not in the log.
    """
    notice = threading.Timer(SLOW_S, _tell if on_terminal else log.info, [NOTICE])
    notice.daemon = True
    notice.start()
    try:
        _warm()
    finally:
        notice.cancel()


def _tell(text: str) -> None:
    sys.stderr.write(f"prebrush: {text}\n")


def _warm() -> None:
    """Load them; methods of packages run once on a small image of noise, as what they compile is not known."""
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

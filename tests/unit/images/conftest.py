"""A scene of which every turn is another picture, and a loader whose clock is set by hand."""

import numpy as np
import pytest

from image_files import HEIGHT, WIDTH, save
from prebrush.client import StudioClient
from prebrush.fetching import AllowList, Fetcher, FetchLimits
from prebrush.images import ImageLimits, ImageLoader


@pytest.fixture(scope="module")
def scene():
    """Four quarters of different colours and one dark corner: every turn of it is another picture."""
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:12, :20], pixels[:12, 20:] = (230, 40, 40), (40, 200, 60)
    pixels[12:, :20], pixels[12:, 20:] = (50, 60, 220), (240, 220, 60)
    pixels[:6, :8] = (10, 10, 10)
    return pixels


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.time = 1_800_000_000.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def loader(clock):
    client = StudioClient(Fetcher(FetchLimits(timeout_s=10), AllowList.parse("127.0.0.1")))
    return ImageLoader(client, ImageLimits(max_bytes=1 << 20), recheck_s=10, now=clock)


@pytest.fixture
def picture(scene):
    return save(scene, "PNG")

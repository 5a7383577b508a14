import base64
import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from prebrush.errors import InvalidBody
from prebrush.labelstudio.bitmask import decode_data_url, encode_data_url

MASKS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 20), st.integers(1, 20)))


def url_of(image: Image.Image, kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


@settings(deadline=None)
@given(MASKS)
def test_any_mask_survives_the_round_trip(mask):
    assert np.array_equal(decode_data_url(encode_data_url(mask), *mask.shape), mask)


def test_a_canvas_of_the_editor_is_read_by_its_alpha():
    alpha = np.array([[0, 127, 128, 255]], np.uint8)
    canvas = Image.fromarray(np.dstack([np.full((1, 4), 90, np.uint8)] * 3 + [alpha]))
    assert decode_data_url(url_of(canvas), 1, 4).tolist() == [[False, False, True, True]]


def bomb(width: int, height: int) -> str:
    """A header of a huge picture, and hardly any pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    header = chunk(b"IHDR", width.to_bytes(4) + height.to_bytes(4) + bytes([8, 6, 0, 0, 0]))
    png = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000)))
    return "data:image/png;base64," + base64.b64encode(png).decode()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (5, "PNG in a data URL"),
        ("", "PNG in a data URL"),
        ("data:image/jpeg;base64,xx", "PNG in a data URL"),
        ("data:image/png;base64,", "cannot be decoded"),
        ("data:image/png;base64,@@@", "cannot be decoded"),
        (url_of(Image.new("RGB", (3, 2)), "JPEG"), "cannot be decoded"),
        (url_of(Image.new("RGBA", (4, 4)))[:-30], "cannot be decoded"),
        (url_of(Image.new("RGBA", (3, 2))), "3x2 pixels on an image of 4x4"),
        (bomb(60_000, 60_000), "60000x60000 pixels on an image of 4x4"),
    ],
)
def test_what_is_no_bitmask_of_the_image_is_refused(url, message):
    with pytest.raises(InvalidBody, match=message):
        decode_data_url(url, 4, 4)

"""The brush codec against the official SDK's, and its JSON against msgspec's."""

import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import cv2
import msgspec
import numpy as np
from label_studio_sdk.converter import brush

from bench.harness import Row, WrongResultError
from bench.images import photograph, superpixels, to_gray
from prebrush.datatypes import GrayImage, LabelMap, Mask, RGBImage
from prebrush.labelstudio import rle

MEMORY_BAR = 5
"""How many times its output encoding a large label map may take, at its peak."""


def rows() -> Iterator[Row]:
    noise = np.random.default_rng(0).random((1000, 1000)) < 0.5
    yield encode_row("noise of 1 MP", noise)
    for name in ("astronaut", "coffee", "rocket"):
        mask = otsu_mask(name)
        source = f"Otsu mask of a 1 MP photo ({name}, mirrored)"
        yield encode_row(source, mask)
        stream = rle.encode_mask(mask)
        source += f", {stream.size} bytes"
        yield decode_row(
            "decode a mask, from an array", f"{source}; the SDK from a list, its faster way", stream, mask, 500
        )
        # Python takes most of the time to read the numbers of the list, which nobody can speed up from outside.
        yield decode_row("decode a mask, from a list", source, stream.tolist(), mask, 300)
    yield from label_map_rows()
    yield from large_rows()
    stream = rle.encode_mask(noise)
    yield Row(
        name="write a mask as JSON",
        input=f"noise of 1 MP, {stream.size} bytes; reference is msgspec on a list",
        ours=partial(rle.json_array, stream),
        reference=lambda: msgspec.json.encode(stream.tolist()),
        check=same_text,
        least_ratio=4,
    )


def encode_row(source: str, mask: Mask) -> Row:
    return Row(
        name="encode a mask",
        input=source,
        ours=partial(rle.encode_mask, mask),
        reference=partial(sdk_encode, mask.astype(np.uint8) * 255),
        check=lambda ours, reference: same_streams([ours], [reference]),
        least_ratio=40,
    )


def decode_row(name: str, source: str, stream: Any, mask: Mask, least_ratio: float) -> Row:
    return Row(
        name=name,
        input=source,
        ours=partial(rle.decode_mask, stream, *mask.shape),
        reference=partial(brush.decode_rle, list(map(int, stream))),
        check=same_mask,
        least_ratio=least_ratio,
        rounds=7,
    )


def label_map_rows() -> Iterator[Row]:
    """Measure the 100 masks of one map; the SDK gets them ready cut out, and only its encoding counts."""
    label_map = superpixels(photograph("coffee", 4), 100)
    source = "100 SLIC segments of a 4 MP photo (coffee, mirrored; SLIC at a fifth of the size)"
    masks = [(label_map == number).astype(np.uint8) * 255 for number in range(1, 101)]
    yield Row(
        name="encode a label map",
        input=source,
        ours=partial(rle.encode_label_map, label_map),
        reference=lambda: [sdk_encode(mask) for mask in masks],
        check=same_streams,
        least_ratio=200,
        rounds=3,
    )
    streams = rle.encode_label_map(label_map)
    yield Row(
        name="decode 100 masks",
        input=f"the same map, {sum(map(len, streams))} bytes; a mask of 4 MB each, whose filling bounds the ratio",
        ours=partial(
            last_decoded, partial(rle.decode_mask, height=label_map.shape[0], width=label_map.shape[1]), streams
        ),
        reference=partial(last_decoded, brush.decode_rle, [stream.tolist() for stream in streams]),
        check=same_mask,
        rounds=3,
    )


def large_rows() -> Iterator[Row]:
    """Measure 12 megapixels against the clock, and what they take in memory."""
    photo = photograph("astronaut", 12)
    maps = {
        "30 SLIC segments of a 12 MP photo (astronaut, mirrored; SLIC at a fifth of the size)": superpixels(photo, 30),
        "30 grey levels of a 12 MP photo (astronaut, mirrored), very ragged": gray_levels(photo, 30),
    }
    for source, label_map in maps.items():
        yield Row(
            name="encode a label map",
            input=source,
            ours=partial(rle.encode_label_map, label_map),
            check=partial(right_and_frugal, label_map),
            limit_ms=150,
        )


def otsu_mask(name: str) -> Mask:
    _, mask = cv2.threshold(to_gray(photograph(name, 1)), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return np.asarray(mask) > 0


def gray_levels(image: RGBImage, n_levels: int) -> LabelMap:
    """Number the pixels from 1 by brightness, in levels that hold about as many pixels each."""
    gray = to_gray(image)
    below = np.cumsum(np.bincount(gray.ravel(), minlength=256)) / gray.size
    levels = np.minimum((below * n_levels).astype(np.int32), n_levels - 1)
    return np.asarray(np.unique(levels, return_inverse=True)[1] + 1, np.int32)[gray]


def sdk_encode(mask: GrayImage) -> list[int]:
    stream: list[int] = brush.mask2rle(mask)  # type: ignore[no-untyped-call]  # the SDK has no types
    return stream


def last_decoded(decode: Callable[[Any], Any], streams: list[Any]) -> Any:
    """Decode one after the other, as a reader of many masks does, and keep the last."""
    for stream in streams:
        mask = decode(stream)
    return mask


def same_streams(ours: list[rle.Stream], reference: list[list[int]]) -> str:
    if [stream.tolist() for stream in ours] != reference:
        raise WrongResultError("the streams differ from the SDK's")
    return "bit-exact"


def same_mask(ours: Mask, reference: np.ndarray[Any, Any]) -> str:
    if not np.array_equal(ours.ravel(), reference[3::4] >= rle.ALPHA_THRESHOLD):
        raise WrongResultError("the mask differs from the SDK's alpha")
    return "same pixels"


def same_text(ours: bytes, reference: bytes) -> str:
    if ours != reference:
        raise WrongResultError("the text differs from msgspec's")
    return "same bytes"


def right_and_frugal(label_map: LabelMap, streams: list[rle.Stream], _: None) -> str:
    """Compare some of the streams with the SDK's, decode all, and look at the peak of memory."""
    for number in (1, len(streams)):
        same_streams([streams[number - 1]], [sdk_encode((label_map == number).astype(np.uint8) * 255)])
    for number, stream in enumerate(streams, start=1):
        if not np.array_equal(rle.decode_mask(stream, *label_map.shape), label_map == number):
            raise WrongResultError(f"segment {number} does not come back")
    tracemalloc.start()
    try:
        n_bytes = sum(stream.size for stream in rle.encode_label_map(label_map))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    times = peak / n_bytes
    text = f"{len(streams)} masks, {n_bytes / 1e6:.2f} MB, bit-exact; memory at its peak {times:.1f} times that"
    if times > MEMORY_BAR:
        raise WrongResultError(f"{text}, over {MEMORY_BAR}")
    return text

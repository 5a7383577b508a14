"""Where fuzzing starts from: recorded requests, small images of every kind, examples of everything else."""

import base64
import io
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

from fuzzing.targets import TARGETS
from prebrush.datatypes import Segments
from prebrush.labelstudio import rle
from prebrush.storage import pack_arrays, pack_segments

TESTS = Path(__file__).resolve().parents[1]
FOUND = Path(__file__).parent / "found"
"""Inputs that once broke something, as ``target/name``; each is tried for ever."""

CONFIGS = """
<View><Image name="i" value="$image"/><BrushLabels name="mask" toName="i"><Label value="A" alias="b"/>\
<Label value="C" predicted_values="foreground,cluster-1"/></BrushLabels></View>
<View><Image name="i" valueList="$pages"/><Brush name="m" toName="i" model_method="kmeans" model_n_clusters="4"/>\
<Labels name="l" toName="i" value="$labels"><Label value="x"/></Labels></View>
<View><Repeater on="$images" indexFlag="{{idx}}"><Image name="i_{{idx}}" value="$images[{{idx}}].u"/>\
<PolygonLabels name="p_{{idx}}" toName="i_{{idx}}" model_skip="true"/></Repeater></View>
<!DOCTYPE a [<!ENTITY b "cc">]><View>&b;</View>
<View></View>
"""
REFERENCES = (
    "/data/upload/1/0a-cat.png",
    "/data/local-files/?d=a%2Fb.png",
    "s3://bucket/key.png",
    "http://user:hush@127.0.0.1:80/..%2f?Signature=x#y",
    "http://[::ffff:7f00:1]:8080/a",
    "http://2130706433/",
    "https://localhost:8080/sub/data/upload/1/%2e%2e/x.png",
    "//host/x",
    "gopher://a/",
)
ENVIRONMENT = (
    "LABEL_STUDIO_URL=http://a\nPREBRUSH_SERVER_PORT=9\nBASIC_AUTH_USER=u\nBASIC_AUTH_PASS=p",
    'PREBRUSH_DEFAULT_METHOD=kmeans\nPREBRUSH_DEFAULT_PARAMS={"n_clusters": 4}\nPREBRUSH_IMAGES_TIMEOUT_S=1e3',
)
STORAGE_URLS = (
    "redis://me:hush-hush@h:1/0?socket_timeout=1",
    "rediss+sentinel://:hush-hush@a:1,b:2/main/0",
    "redis+cluster://a:1,b:2",
    "sqlite:///a/b.db",
    "folder/data",
)


def seeds_of(target: str) -> list[bytes]:
    """Return the inputs that fuzzing of a target starts from, and those that once broke it."""
    if target == "every":
        return [bytes([number]) + seed for number, name in enumerate(TARGETS) for seed in seeds_of(name)]
    found = [path.read_bytes() for path in sorted((FOUND / target).glob("*"))]
    return [*_seeds(target), *found, b""]


def _seeds(target: str) -> Iterator[bytes]:
    if target in ("predict", "setup", "webhook"):
        return _recorded(target)
    if target in TEXTS:
        return (text.encode() for text in TEXTS[target])
    return BINARIES[target]()


def _brushes() -> Iterator[bytes]:
    for mask in (np.indices((9, 7)).sum(0) % 3 > 0, np.zeros((9, 7), np.bool_)):
        yield bytes(mask.shape) + rle.encode_mask(mask).tobytes()


def _metadata() -> Iterator[bytes]:
    yield from images()
    yield b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


def _data_urls() -> Iterator[bytes]:
    yield b"data:,%00%ff"
    for body in images():
        yield b"data:image/png;base64," + base64.b64encode(body)


def _stored() -> Iterator[bytes]:
    label_map = np.repeat(np.arange(4, dtype=np.int32), 9).reshape(6, 6)
    yield pack_segments(Segments(label_map, np.array([0.5, 1, 0], np.float32), ("a", "b", "c")))
    yield pack_arrays([np.arange(9), np.eye(3, dtype=np.float32)])


def _tokens() -> Iterator[bytes]:
    claims = base64.urlsafe_b64encode(json.dumps({"token_type": "refresh", "exp": 9}).encode())
    yield b"eyJhbGciOiJIUzI1NiJ9." + claims.rstrip(b"=") + b".c2ln"
    yield b"0123456789" * 4


def _recorded(route: str) -> Iterator[bytes]:
    """Bodies of real requests, their masks cut short so that mutations hit something else as well."""
    for path in sorted((TESTS / "recorded").glob(f"{route}*.json")):
        body = json.loads(path.read_text())["request"].get("body")
        if body is not None:
            yield json.dumps(_shorten(body)).encode()


def _shorten(value: object) -> object:
    if isinstance(value, dict):
        return {name: _shorten(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shorten(inner) for inner in value[:24]]
    return value


def images() -> Iterator[bytes]:
    """Small images of every kind that is accepted, some with metadata."""
    scene = np.random.default_rng(1).integers(0, 255, (6, 8, 3), np.uint8)
    exif = PilImage.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"):
        for mode in ("RGB", "L", "P", "RGBA"):
            if kind == "JPEG" and mode not in ("RGB", "L"):
                continue
            out = io.BytesIO()
            more = {"exif": exif} if kind in ("JPEG", "PNG") else {}
            PilImage.fromarray(scene).convert(mode).save(out, kind, **more)
            yield out.getvalue()
    for array in (scene[..., 0].astype(np.uint16) * 200, scene[..., 0].astype(np.float32)):
        for compression in (None, "tiff_lzw", "tiff_adobe_deflate"):
            out = io.BytesIO()
            PilImage.fromarray(array).save(out, "TIFF", compression=compression)
            yield out.getvalue()
    # a canvas of 16 million squared in thirty bytes
    yield b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + b"\xff" * 6


TEXTS = {
    "label_config": CONFIGS.strip().splitlines(),
    "reference": REFERENCES,
    "environment": ENVIRONMENT,
    "storage_url": STORAGE_URLS,
    "configuration": (
        (TESTS.parent / "config.yaml").read_text(),
        "projects: {7: {method: kmeans, params: {n_clusters: 4}, regions: {max: 2}, labels: {rule: size}}}",
        "a: &a [*a]\nserver: {port: 1e999, threads: .nan, basic_auth_pass: x}",
    ),
}
BINARIES: dict[str, Callable[[], Iterator[bytes]]] = {
    "brush": _brushes,
    "image": images,
    "exif": _metadata,
    "data_url": _data_urls,
    "stored": _stored,
    "token": _tokens,
}

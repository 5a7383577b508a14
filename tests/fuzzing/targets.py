"""Every parser of prebrush as a function of bytes: it takes them, or refuses them in its own words."""

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from prebrush.client.locations import locate
from prebrush.client.studio import Credential, Studio
from prebrush.datatypes import Control, Label
from prebrush.errors import ConfigError, ImageError, ImageTooLarge, ImageUnreadable, RequestError, StudioError
from prebrush.fetching import join_url, parse_url, show_reference
from prebrush.images import ImageLimits, decode_image
from prebrush.images.data_urls import decode_data_url
from prebrush.images.exif import find_exif, read_display
from prebrush.labelstudio import rle
from prebrush.labelstudio.config import parse_label_config
from prebrush.labelstudio.drawn import find_touched
from prebrush.labelstudio.prompts import build_prompt, find_target
from prebrush.labelstudio.request import parse_object, parse_predict, parse_setup, parse_webhook
from prebrush.labelstudio.task_data import image_addresses, labels_of
from prebrush.planning import build_plan, check_choices
from prebrush.settings import Settings, describe_settings, load_settings
from prebrush.storage import open_storage, unpack_arrays, unpack_segments

HEIGHT, WIDTH = 40, 50
CONTROL = Control("mask", "image", "BrushLabels", "image", labels=(Label("Object"),))
LIMITS = ImageLimits(max_bytes=1 << 20, max_pixels=100_000)
STUDIO = Studio(url="http://studio:8080/sub", setup_host="http://localhost:8080")


def predict(data: bytes) -> None:
    """A request for predictions, with the marks of a person and what is drawn already."""
    with suppress(RequestError):
        request = parse_predict(data, max_tasks=10)
        assert len(request.tasks) <= 10
        with suppress(RequestError, ImageError):
            for control in parse_label_config(request.label_config).controls:
                for task in request.tasks:
                    assert all(isinstance(address, str) for address in image_addresses(control, task.data))
                    labels_of(control, task.data)
        if request.context is not None:
            find_target(request.context)
            prompt = build_prompt(request.context, HEIGHT, WIDTH)
            for row, col, _ in prompt.points:
                assert 0 <= row < HEIGHT
                assert 0 <= col < WIDTH
            for top, left, bottom, right in prompt.boxes:
                assert 0 <= top < bottom <= HEIGHT
                assert 0 <= left < right <= WIDTH
            if prompt:
                find_touched(request.body, prompt, CONTROL, ("Object",), None, (HEIGHT, WIDTH))


def setup(data: bytes) -> None:
    """What Label Studio tells of a project, up to the plan that is made of it."""
    with suppress(RequestError):
        request = parse_setup(data)
        plan = build_plan(
            parse_label_config(request.label_config), Settings(), request.project, dict(request.extra_params or {})
        )
        assert plan.model_version.startswith("prebrush")


def webhook(data: bytes) -> None:
    """An event."""
    with suppress(RequestError):
        assert isinstance(parse_webhook(data).action, str)
    with suppress(RequestError):
        assert isinstance(parse_object(data), dict)


def label_config(data: bytes) -> None:
    """A labeling config."""
    with suppress(RequestError):
        config = parse_label_config(data.decode("utf-8", "surrogateescape"))
        assert bool(config.controls) != bool(config.why_unserved())
        build_plan(config, Settings(), "1.1", {})


def brush(data: bytes) -> None:
    """A brush mask; what can be decoded is written and read again without loss."""
    with suppress(RequestError):
        mask = rle.decode_mask(np.frombuffer(data[2:], np.uint8), *data[:2].ljust(2, b"\1"))
        assert (rle.decode_mask(rle.encode_mask(mask), *mask.shape) == mask).all()


def image(data: bytes) -> None:
    """An image file."""
    with suppress(ImageTooLarge, ImageUnreadable):
        pixels = decode_image(data, LIMITS)
        assert pixels.dtype == np.uint8
        assert pixels.shape[2] == 3
        assert 0 < pixels.shape[0] * pixels.shape[1] <= LIMITS.max_pixels


def exif(data: bytes) -> None:
    """Orientation and size in the metadata of an image."""
    for block in (data, find_exif(data)):
        display = read_display(block, HEIGHT, WIDTH)
        assert 1 <= display.orientation <= 8


def data_url(data: bytes) -> None:
    """An image within its own address."""
    with suppress(ImageTooLarge, ImageUnreadable):
        assert len(decode_data_url(data.decode("utf-8", "surrogateescape"), 1000)) <= 1000


def reference(data: bytes) -> None:
    """The address of an image: what is asked for with credentials stays at Label Studio, below no other path."""
    text = data.decode("utf-8", "replace")
    assert show_reference(text).isprintable()
    with suppress(ImageError, StudioError):
        location = locate(text, 7, STUDIO)
        for url in location.urls:
            assert (str(url.origin) == "http://studio:8080") == location.on_studio
            assert str(url).isascii()
            assert str(url).isprintable()
            assert not location.on_studio or (
                "/../" not in url.path and not url.path.startswith(("/api/", "/sub/api/"))
            )
    with suppress(ImageError):
        join_url(parse_url("http://studio:8080/a/b"), text)


def configuration(data: bytes) -> None:
    """``config.yaml``."""
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file, suppress(ConfigError, RequestError):
        file.write(data)
        file.flush()
        settings = load_settings(Path(file.name), environ={})
        describe_settings(settings)
        check_choices(settings)


def environment(data: bytes) -> None:
    """Variables, one ``NAME=value`` a line."""
    lines = (line.partition("=") for line in data.decode("utf-8", "replace").splitlines())
    with suppress(ConfigError):
        load_settings(Path("/dev/null"), environ={name: value for name, _, value in lines})


def storage_url(data: bytes) -> None:
    """The address of the storage; a password in it is never repeated."""
    url = data.decode("utf-8", "replace")
    try:
        open_storage(url, max_bytes=1 << 20, ttl_s=1)
    except ConfigError as error:
        assert "hush-hush" not in str(error)  # noqa: PT017  that nothing is raised is fine too


def stored(data: bytes) -> None:
    """What comes back from the storage."""
    segments = unpack_segments(data, 10_000)
    assert segments is None or segments.label_map.size <= 10_000
    arrays = unpack_arrays(data, 2, 10_000)
    assert arrays is None or sum(array.nbytes for array in arrays) <= 10_000


def token(data: bytes) -> None:
    """A token of Label Studio; its form alone is looked at."""
    secret = data.decode("utf-8", "replace")
    credential = Credential.from_token("somewhere", secret)
    assert json.dumps(secret) not in repr(credential) or len(secret) < 20


TARGETS: dict[str, Callable[[bytes], None]] = {
    function.__name__: function
    for function in (
        predict,
        setup,
        webhook,
        label_config,
        brush,
        image,
        exif,
        data_url,
        reference,
        configuration,
        environment,
        storage_url,
        stored,
        token,
    )
}


def every(data: bytes) -> None:
    """All of them in one process: the first byte chooses."""
    if data:
        list(TARGETS.values())[data[0] % len(TARGETS)](data[1:])

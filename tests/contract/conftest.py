"""An app on its own storage, beside a stand-in for Label Studio that serves the images of the recorded requests."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from prebrush.settings import ImageSettings, ServerSettings, Settings, StorageSettings, StudioSettings
from prebrush.web import create_app

CONFIG = (
    '<View><Image name="image" value="$image"/><BrushLabels name="mask" toName="image">'
    '<Label value="Object"/></BrushLabels></View>'
)

RECORDED_IMAGES = ("688aa64b-photo.jpg", "2a026eb0-exif6.jpg", "8b0b8d49-alpha.png")
"""Uploads that the recorded requests name."""


def draw_discs(height: int = 120, width: int = 160) -> np.ndarray:
    """Draw two bright discs on dark ground: what every method must find."""
    image = np.full((height, width, 3), 25, np.uint8)
    cv2.circle(image, (width // 4, height // 3), height // 6, (230, 220, 60), -1)
    cv2.circle(image, (3 * width // 4, 2 * height // 3), height // 5, (90, 200, 240), -1)
    return image


def write_image(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels[..., ::-1])


@pytest.fixture
def studio(file_server):
    """A file server with an image at every address that the recorded requests name."""
    for name in RECORDED_IMAGES:
        write_image(file_server.folder / "data/upload/1" / name, draw_discs())
    return file_server


@pytest.fixture
def make_settings(tmp_path, file_server) -> Callable[..., Settings]:
    def make(**sections: dict) -> Settings:
        base = {
            "server": ServerSettings(jobs=2),
            "label_studio": StudioSettings(url=file_server.url),
            "images": ImageSettings(),
            "storage": StorageSettings(url=f"sqlite:///{tmp_path}/data"),
        }
        for name, values in sections.items():
            base[name] = dataclasses.replace(base[name], **values) if name in base else values
        return Settings(**base)

    return make


@pytest.fixture
def app(make_settings) -> Flask:
    return create_app(make_settings())


@pytest.fixture
def client(app) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def discs(file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    return draw_discs()

"""The playground: drop in a photo, choose a method, see its masks. No state, nothing from other hosts."""

import time
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request

from prebrush.datatypes import Segments
from prebrush.errors import InvalidBody
from prebrush.images import decode_image
from prebrush.labelstudio.request import parse_object
from prebrush.overlay import draw_overlay, encode_png
from prebrush.pictures import image_limits
from prebrush.predictor import Predictor
from prebrush.recipes import Recipe, build_recipe
from prebrush.segmentation import METHODS
from prebrush.segmentation.method import Knob
from prebrush.segmenter import explain
from prebrush.settings import Settings
from prebrush.version import __version__
from prebrush.web.room import Room

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def build_playground(settings: Settings, predictor: Predictor, room: Room) -> Blueprint:
    """Build the blueprint of the page and its calls."""
    playground = Blueprint(
        "playground", __name__, url_prefix="/playground", template_folder="templates", static_folder="static"
    )

    @playground.get("")
    def page() -> Response:
        response = Response(render_template("playground.html", version=__version__), mimetype="text/html")
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @playground.get("/methods")
    def list_methods() -> Response:
        methods = [
            {"name": name, "summary": method.summary, "knobs": [_describe(knob) for knob in method.knobs]}
            for name, method in METHODS.items()
        ]
        return jsonify(methods=methods, default=build_recipe(settings.default).method.name)

    @playground.post("/segment")
    def segment() -> Response:
        with room.enter():
            upload = request.files.get("image")
            if upload is None:
                raise InvalidBody("image: expected an image file in a multipart form")
            choice = parse_object(request.form.get("choice", "{}").encode())
            recipe = build_recipe(choice, below=settings.default)
            pixels = decode_image(upload.read(settings.images.max_bytes + 1), image_limits(settings))
            started = time.perf_counter()
            segments = predictor.segmenter.compute(pixels, recipe)
            seconds = time.perf_counter() - started
            return jsonify(_describe_segments(pixels, segments, seconds, recipe))

    return playground


def _describe(knob: Knob) -> dict[str, Any]:
    """Describe a knob as the page's form needs it."""
    return {
        "name": knob.name,
        "kind": knob.kind.__name__,
        "default": knob.default,
        "low": knob.low,
        "high": knob.high,
        "choices": knob.choices,
        "unit": knob.unit,
        "help": knob.help,
    }


def _describe_segments(pixels: Any, segments: Segments, seconds: float, recipe: Recipe) -> dict[str, Any]:
    height, width = segments.label_map.shape
    return {
        "overlay": encode_png(draw_overlay(pixels, segments.label_map), as_data_url=True),
        "method": recipe.method.name,
        "why": explain(pixels, recipe),
        "segments": len(segments),
        "milliseconds": round(seconds * 1000, 1),
        "height": height,
        "width": width,
    }

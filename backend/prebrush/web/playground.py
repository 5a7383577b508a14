"""The playground: photos in, every method's masks out, and the setting to take along. Nothing from other hosts."""

import cv2
from flask import Blueprint, Response, abort, jsonify, render_template, request

from prebrush.errors import InvalidBody
from prebrush.pictures import Picture, image_limits
from prebrush.predictor import Predictor
from prebrush.settings import Settings
from prebrush.version import __version__
from prebrush.web.failures import error_body
from prebrush.web.playground_form import describe_form
from prebrush.web.playground_images import KeptImages
from prebrush.web.playground_projects import ConnectedProjects, may_see_projects, parse_open, parse_save
from prebrush.web.playground_reuse import FoundBefore
from prebrush.web.playground_segments import answer, parse_ask
from prebrush.web.playground_turns import Turns
from prebrush.web.room import Room

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
SAMPLES = (("coffee", "Coffee"), ("cells", "Stained cells"), ("cat", "A cat"), ("retina", "Retina"))
"""Photos that come with the package, and their captions; where they are from is said beside them."""
MOST_ASK_BYTES = 1_000_000
"""Of a request other than a photo; a hundred marks and labels make some ten thousand."""
SHOWN_QUALITY = 92
"""Of the JPEG that stands in for a file the browser cannot show, as TIFF."""


def build_playground(settings: Settings, predictor: Predictor, room: Room) -> Blueprint:
    """Build the blueprint of the page and its calls."""
    playground = Blueprint(
        "playground", __name__, url_prefix="/playground", template_folder="templates", static_folder="static"
    )
    _harden(playground)
    kept = KeptImages(image_limits(settings))
    _add_page(playground, settings)
    _add_images(playground, kept, room)
    _add_segments(playground, settings, predictor, kept, room)
    _add_projects(playground, settings, ConnectedProjects(settings, predictor), kept, room)
    return playground


def _harden(playground: Blueprint) -> None:
    """Say to the browser what it must not do; what pages of other sites send is refused for all routes."""

    @playground.after_request
    def harden(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.endpoint != "playground.static":
            response.headers["Cache-Control"] = "no-store"
        return response


def _add_page(playground: Blueprint, settings: Settings) -> None:
    """Add the page and what its form is drawn from."""

    @playground.get("")
    def page() -> Response:
        response = Response(
            render_template("playground.html", version=__version__, samples=SAMPLES), mimetype="text/html"
        )
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @playground.get("/methods")
    def list_methods() -> Response:
        return jsonify(describe_form(settings.default))


def _add_images(playground: Blueprint, kept: KeptImages, room: Room) -> None:
    """Add the place where photos are sent once."""

    @playground.post("/images")
    def keep_image() -> Response:
        with room.enter():
            body = request.get_data(cache=False)
            if not body:
                raise InvalidBody("expected an image file as the whole body")
            return _describe_image(kept.decode(body))

    @playground.get("/images/<digest>")
    def show_image(digest: str) -> Response:
        with room.enter():
            pixels = cv2.cvtColor(kept.find(digest).pixels, cv2.COLOR_RGB2BGR)
            _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, SHOWN_QUALITY])
            return Response(encoded.tobytes(), mimetype="image/jpeg")


def _add_segments(
    playground: Blueprint, settings: Settings, predictor: Predictor, kept: KeptImages, room: Room
) -> None:
    """Add the call that every slider makes."""
    turns, found = Turns(), FoundBefore()

    @playground.post("/segment")
    def segment() -> Response:
        with room.enter():
            ask = parse_ask(_small_body())
            picture = kept.find(ask.image)
            with turns.take(ask.lane, ask.number) as is_wanted:
                if not is_wanted:
                    return error_body("superseded", "a newer request of the same place in the page came", 409)
                response = Response(answer(ask, picture, predictor.segmenter, found, settings.default))
            response.mimetype = "application/octet-stream"
            response.headers["Content-Encoding"] = "gzip"
            return response


def _add_projects(
    playground: Blueprint, settings: Settings, connected: ConnectedProjects, kept: KeptImages, room: Room
) -> None:
    """Add the calls about projects of Label Studio."""

    def check_allowed() -> None:
        if not may_see_projects(settings, request.host):
            abort(403, "projects are shown on the server's own machine, or where BASIC_AUTH_USER and _PASS are set")

    @playground.get("/projects")
    def list_projects() -> Response:
        # no error: a page without projects is a whole page
        return jsonify(projects=connected.names() if may_see_projects(settings, request.host) else [])

    @playground.get("/titles")
    def list_titles() -> Response:
        if not may_see_projects(settings, request.host):
            return jsonify(titles={})
        with room.enter():
            return jsonify(titles=connected.titles())

    @playground.get("/project")
    def describe_project() -> Response:
        check_allowed()
        with room.enter():
            return jsonify(connected.describe(request.args.get("project", "")))

    @playground.post("/task")
    def open_task() -> Response:
        check_allowed()
        with room.enter():
            wanted = parse_open(_small_body())
            return _describe_image(kept.keep(connected.open(wanted.project, wanted.task)))

    @playground.post("/save")
    def save_choice() -> Response:
        check_allowed()
        wanted = parse_save(_small_body())
        return jsonify(connected.save(wanted.project, wanted.choice))


def _describe_image(picture: Picture) -> Response:
    return jsonify(image=picture.digest, height=picture.height, width=picture.width)


def _small_body() -> bytes:
    if (request.content_length or 0) > MOST_ASK_BYTES:
        abort(413, f"the request has {request.content_length} bytes; at most {MOST_ASK_BYTES} are taken")
    return request.get_data(cache=False)

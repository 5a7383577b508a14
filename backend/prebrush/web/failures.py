"""From an error to an answer: the only table of statuses, and the one shape of an error's body."""

import logging
import re

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

from prebrush.errors import (
    Abandoned,
    ConfigError,
    Forbidden,
    ImageError,
    ImageForbidden,
    ImageNotFound,
    ImageTooLarge,
    ImageUnreachable,
    ImageUnreadable,
    NotAuthorized,
    Overloaded,
    PrebrushError,
    RequestError,
    SegmentationError,
    StorageError,
    StudioError,
)

logger = logging.getLogger(__name__)

STATUS: dict[type[PrebrushError], int] = {
    NotAuthorized: 401,
    Forbidden: 403,
    RequestError: 400,
    Overloaded: 503,
    # nobody reads it; the number that web servers' logs use
    Abandoned: 499,
    ImageNotFound: 404,
    ImageForbidden: 403,
    ImageTooLarge: 413,
    ImageUnreadable: 415,
    ImageUnreachable: 502,
    ImageError: 422,
    StudioError: 502,
    StorageError: 503,
    SegmentationError: 500,
    ConfigError: 500,
}
"""Status by class; a class that is not listed takes its nearest parent's."""

RETRY_AFTER_S = "10"
"""What a caller is told that came too early: by then most of what was waiting is done."""


def status_of(error: PrebrushError) -> int:
    """Return the HTTP status of an error."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def code_of(name: str) -> str:
    """Write a class name as an error code: ``InvalidParams`` -> ``invalid_params``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def error_body(code: str, detail: str, status: int) -> Response:
    """Build the one error answer: ``{"error": "invalid_params", "detail": "..."}``."""
    response = jsonify(error=code, detail=detail)
    response.status_code = status
    if status == 503:
        response.headers["Retry-After"] = RETRY_AFTER_S
    return response


def register_failures(app: Flask) -> None:
    """Answer every error of the app in the one shape, without traceback or path."""

    @app.errorhandler(PrebrushError)
    def own_error(error: PrebrushError) -> Response:
        status = status_of(error)
        logger.log(logging.ERROR if status == 500 else logging.WARNING, "%s: %s", code_of(type(error).__name__), error)
        response = error_body(code_of(type(error).__name__), str(error), status)
        if isinstance(error, NotAuthorized):
            response.headers["WWW-Authenticate"] = 'Basic realm="prebrush"'
        return response

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        response = error_body(error.name.lower().replace(" ", "_"), error.description or error.name, error.code or 500)
        for name, value in error.get_headers():
            if name.lower() in {"allow", "retry-after"}:
                response.headers[name] = value
        return response

    @app.errorhandler(MemoryError)
    def no_memory(_: MemoryError) -> Response:
        logger.error("overloaded: there was not the memory for a request; the server lives on")
        return error_body("overloaded", "there is not the memory for this now; ask again later, or for less", 503)

    @app.errorhandler(Exception)
    def foreign_error(error: Exception) -> Response:
        logger.error("internal error", exc_info=error)
        return error_body("internal_error", "an error inside prebrush; the server's log has the details", 500)

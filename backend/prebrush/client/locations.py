"""Which URL an image reference means. Knows addresses only; asks nobody."""

import base64
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from prebrush.client.studio import Studio
from prebrush.errors import ImageForbidden, ImageNotFound, ImageUnreachable
from prebrush.fetching import Url, parse_url, refuse_control_characters, show_reference

CLOUD_SCHEMES = ("s3", "gs", "azure-blob", "azure-spi")
"""Storages whose addresses only Label Studio can turn into bytes (the last one is its enterprise edition's)."""

ACCEPTED = f"http, https, data, {', '.join(CLOUD_SCHEMES)}, or a path of Label Studio that begins with /"

MOST_CHARACTERS = 16_384
"""Of a reference: twice what web servers take, and every step below goes through all of it."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_ROUTE = re.compile(
    r"/(?:data/upload/|data/local-files/|storage-data/uploaded/|(?:tasks|projects)/[0-9]+/(?:resolve|presign)/)"
)
"""The routes by which Label Studio hands out images; what stands before one of them is its sub-path."""
_UPLOAD = "/data/upload/"


@dataclass(frozen=True, slots=True)
class Location:
    """Where one image is.

    Attributes
    ----------
    urls : tuple of Url
        The address, and after it another to try where Label Studio finds nothing at the first.
    on_studio : bool
        It is at Label Studio's own origin and gets its credentials.
    immutable : bool
        What is there never changes: Label Studio gives every upload a name of its own.
    shown : str
        The reference, fit for a message.
    """

    urls: tuple[Url, ...]
    on_studio: bool
    immutable: bool
    shown: str


def locate(reference: str, task_id: int | str, studio: Studio) -> Location:
    """Find the URL that a task's image reference means.

    ======================================  ========================================================================
    reference                               meaning
    ======================================  ========================================================================
    ``/data/upload/...``, ``/data/...``     a path at Label Studio's origin
    ``s3://``, ``gs://``, ``azure-blob://``  ``<label studio>/tasks/<task id>/resolve/?fileuri=...``
    ``http(s)://`` at Label Studio          as it is, with credentials
    ``http(s)://`` at the host that         the same route at LABEL_STUDIO_URL, if that is set and the path is one of
    `/setup` told                           Label Studio's routes
    ``http(s)://`` elsewhere                as it is, without credentials
    ======================================  ========================================================================

    Under a sub-path, Label Studio's references contain it (``/sub/data/upload/...``), but tasks made before it was set
    do not, and Label Studio itself, asked behind its proxy, does not answer to it. So where sub-path and address
    disagree there are two candidates.

    Raises
    ------
    ImageForbidden
        A scheme or a path that is not for us to fetch.
    ImageNotFound
        The reference is no address.
    ImageUnreachable
        It is for Label Studio, and nobody told where that is.
    StudioError
        What was told as Label Studio's address is none.
    """
    reference = reference.strip()
    shown = show_reference(reference)
    if len(reference) > MOST_CHARACTERS:
        raise ImageNotFound(
            f"the task's image is {shown!r}, which has {len(reference)} characters; no address has over "
            f"{MOST_CHARACTERS}"
        )
    refuse_control_characters(reference)
    scheme = _SCHEME.match(reference)
    if scheme is not None:
        kind = scheme[1].lower()
        if kind in CLOUD_SCHEMES:
            return _locate_cloud(reference, task_id, studio)
        if kind in ("http", "https"):
            return _locate_absolute(reference, studio)
        raise ImageForbidden(f"{shown}: images are not fetched by {kind!r}; accepted are {ACCEPTED}")
    if reference[:2] in ("//", "/\\", "\\\\"):
        raise ImageForbidden(f"{shown} names a host without a scheme; write http:// or https://")
    if not reference.startswith("/"):
        raise ImageNotFound(f"the task's image is {shown!r}, which is no address; accepted are {ACCEPTED}")
    base = _base(studio, shown)
    # parsed at the true origin: whatever the path holds, it cannot change the host
    return _at_studio(parse_url(f"{base.origin}{reference}"), base, shown)


def _base(studio: Studio, shown: str) -> Url:
    base = studio.base
    if base is None:
        raise ImageUnreachable(
            f"{shown} is an image of Label Studio, whose address nobody told: set LABEL_STUDIO_URL, "
            "or save the connection in Label Studio's model settings again"
        )
    return base


def _locate_cloud(reference: str, task_id: int | str, studio: Studio) -> Location:
    shown = show_reference(reference)
    base = _base(studio, shown)
    if not str(task_id).isdecimal():
        raise ImageNotFound(
            f"{shown} can only be had for a task that Label Studio knows; {task_id!r} is no task number"
        )
    encoded = base64.urlsafe_b64encode(reference.encode()).decode("ascii")
    url = Url(base.origin, f"{base.path}/tasks/{task_id}/resolve/", f"fileuri={encoded}")
    return Location((url,), on_studio=True, immutable=False, shown=shown)


def _locate_absolute(reference: str, studio: Studio) -> Location:
    url = parse_url(reference)
    shown = show_reference(reference)
    base, told = studio.base, studio.setup_base
    if base is not None and url.origin == base.origin:
        return _at_studio(url, base, shown)
    # the host that Label Studio calls itself is often out of reach from here (http://localhost:8080 in a container)
    if base is not None and told is not None and url.origin == told.origin and _ROUTE.search(url.path):
        return _at_studio(Url(base.origin, url.path, url.query), base, shown)
    return Location((url,), on_studio=False, immutable=False, shown=shown)


def _at_studio(url: Url, base: Url, shown: str) -> Location:
    """Choose the paths to try at Label Studio's own origin."""
    _refuse_tricks(url, shown)
    route = _ROUTE.search(url.path)
    if route is not None:
        prefix, rest = url.path[: route.start()], url.path[route.start() :]
    else:
        is_below = url.path.startswith(f"{base.path}/")
        prefix, rest = (base.path, url.path[len(base.path) :]) if is_below else ("", url.path)
    if f"{rest}/".startswith("/api/"):
        # asking the API for a task can make Label Studio ask us for its prediction, and so on
        raise ImageForbidden(f"{shown} is Label Studio's API, not an image")
    paths = [base.path + rest, url.path] if base.path else [url.path, rest]
    if prefix == base.path:
        paths = [url.path]
    urls = tuple(Url(base.origin, path, url.query) for path in dict.fromkeys(paths))
    return Location(urls, on_studio=True, immutable=rest.startswith(_UPLOAD), shown=shown)


def _refuse_tricks(url: Url, shown: str) -> None:
    """Refuse a path that another reader may take for a different one.

    Our credentials open all that they open in Label Studio, so a reference must not lead to another place than it
    shows. Label Studio checks for itself as well; this is the second lock.
    """
    names = [value for _, value in parse_qsl(url.query)] if "/data/local-files/" in url.path else []
    for text in (url.path, *names):
        # twice, because a proxy before Label Studio may decode once more
        plain = unquote(unquote(text))
        segments = plain.replace("\\", "/").split("/")
        if ".." in segments or "." in segments or any(not c.isprintable() for c in plain):
            raise ImageForbidden(f"{shown} climbs out of its folder or holds unprintable characters")
    if "//" in url.path or "\\" in unquote(unquote(url.path)):
        raise ImageForbidden(f"{shown} holds an empty folder name or a backslash")

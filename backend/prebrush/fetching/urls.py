"""URLs read one way only: what is checked is, character for character, what is asked for.

Servers are broken into where two parsers read one URL differently, so this one is strict and small, and everything
behind it uses its result, never the text again.
"""

import re
import string
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from prebrush.errors import ImageForbidden

DEFAULT_PORTS = {"http": 80, "https": 443}
SHOWN_CHARACTERS = 200
"""Longest reference that a message quotes."""

_PARTS = re.compile(r"(?P<authority>[^/?#\\]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(?:\[(?P<literal>[0-9a-f:.]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]{0,5}))?")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,252})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Characters no address holds; the last are halves of a character, which JSON can carry and UTF-8 cannot."""
_SAFE_IN_PATH = "%/:@!$&'()*+,;=~-._"
_SAFE_IN_QUERY = _SAFE_IN_PATH + "?"
_SHOWN_PARAMETERS = frozenset({"d"})
"""Query parameters whose value a message may show: the path of a file under `/data/local-files/`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what credentials belong to."""

    scheme: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """Host and port as the ``Host`` header wants them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


@dataclass(frozen=True, slots=True)
class Url:
    """A checked http or https URL: ASCII, percent-encoded, no user information, no fragment."""

    origin: Origin
    path: str = "/"
    query: str = ""

    @property
    def target(self) -> str:
        """Path and query as the request line wants them."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"


def parse_url(text: str) -> Url:
    """Read an absolute http or https URL, refusing whatever could be read in two ways.

    Spaces and letters beyond ASCII are percent-encoded as a browser does; a fragment is dropped.

    Raises
    ------
    ImageForbidden
        Another scheme, user information, a backslash, a control character, or a host or port that is none.
    """
    text = text.strip(" \t\r\n\f")
    shown = show_reference(text)
    refuse_control_characters(text)
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in DEFAULT_PORTS:
        raise ImageForbidden(f"{shown} is not an http or https address")
    match = _PARTS.fullmatch(rest)
    if match is None or "\\" in match["path"]:
        raise ImageForbidden(f"{shown} holds a backslash; write / or %5C")
    if "@" in match["authority"]:
        raise ImageForbidden(
            f"{shown} holds a user name or password, which are not sent; remove what stands before the @"
        )
    origin = _parse_authority(scheme, match["authority"], shown)
    return Url(
        origin, quote(match["path"], safe=_SAFE_IN_PATH) or "/", quote(match["query"] or "", safe=_SAFE_IN_QUERY)
    )


def refuse_control_characters(text: str) -> None:
    """Refuse line ends and whatever else an address never holds.

    Raises
    ------
    ImageForbidden
        There is one.
    """
    if _CONTROL.search(text):
        raise ImageForbidden(f"{show_reference(text)} holds a control character")


def _parse_authority(scheme: str, authority: str, shown: str) -> Origin:
    try:
        # a name beyond ASCII is asked for in its encoded form; look-alike digits become digits and are judged as such
        ascii_authority = authority if authority.isascii() else authority.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ImageForbidden(f"{shown}: the host is not a host name") from error
    match = _AUTHORITY.fullmatch(ascii_authority.lower())
    if match is None:
        raise ImageForbidden(f"{shown}: {show_reference(authority)!r} is not a host and port")
    host = match["literal"] or match["name"].removesuffix(".")
    if not match["literal"] and not _NAME.fullmatch(host):
        raise ImageForbidden(f"{shown}: {show_reference(host)!r} is not a host name")
    port = int(match["port"]) if match["port"] else DEFAULT_PORTS[scheme]
    if not 0 < port < 65536:
        raise ImageForbidden(f"{shown}: {port} is not a port")
    return Origin(scheme, host, port)


def join_url(url: Url, location: str) -> Url:
    """Read the target of a redirect, which may be relative.

    Raises
    ------
    ImageForbidden
        As `parse_url`.
    """
    try:
        joined = urljoin(str(url), location.strip(" \t\r\n\f"))
    except ValueError as error:
        raise ImageForbidden(f"{show_reference(location)} is not an address to be sent on to") from error
    return parse_url(joined)


def show_reference(text: str) -> str:
    """Return a reference as a message or log may show it: no secret in it, one line, not long.

    Passwords before an @ and the values of the query (signatures live there) are masked.

    >>> show_reference("https://me:pw@example.org/cat.jpg?Signature=abc#x")
    'https://***@example.org/cat.jpg?Signature=***'
    """
    if text[:5].lower() == "data:":
        head = re.match(r"data:[\w/+.;=-]{0,60}", text, re.IGNORECASE)
        return f"{head[0] if head else 'data:'},... ({len(text)} characters)"
    text = text[: 4 * SHOWN_CHARACTERS]
    place, mark, query = text.partition("#")[0].partition("?")
    place = re.sub(r"//[^/]*@", "//***@", place)
    shown = place + mark + "&".join(_show_parameter(part) for part in query.split("&"))
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown)
    return shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "..."


def _show_parameter(part: str) -> str:
    name, equals, value = part.partition("=")
    if not equals:
        # a lone word in a query may itself be a token
        return part if len(part) < 8 and set(part) <= set(string.ascii_letters) else "***"
    return f"{name}={value if name in _SHOWN_PARAMETERS else '***'}"

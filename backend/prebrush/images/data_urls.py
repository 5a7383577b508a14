"""``data:`` URLs: an image written into its own address."""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from prebrush.errors import ImageTooLarge, ImageUnreadable
from prebrush.fetching import show_reference

_WHITESPACE = re.compile(rb"[\t\n\f\r ]+")


def is_data_url(reference: str) -> bool:
    """Tell whether a reference holds the image itself."""
    return reference.lstrip()[:5].lower() == "data:"


def decode_data_url(reference: str, max_bytes: int) -> bytes:
    """Return the bytes that a ``data:`` URL holds, base64 or percent-encoded.

    Base64 is read as browsers read it: white space and missing padding are forgiven.

    Raises
    ------
    ImageTooLarge
        Over `max_bytes`; told before decoding.
    ImageUnreadable
        It has no comma, no text that can be encoded, or is not base64 although it says so.
    """
    shown = show_reference(reference.strip())
    head, comma, data = reference.strip().partition(",")
    if not comma:
        raise ImageUnreadable(f"{shown} has no comma before its data")
    is_base64 = head.lower().replace(" ", "").endswith(";base64")
    # a percent sign needs three characters for a byte, base64 four for three
    least = len(data) // 4 if is_base64 else len(data) // 3
    if least > max_bytes:
        raise ImageTooLarge(f"{shown} is over {max_bytes} bytes (images.max_bytes)")
    try:
        body = unquote_to_bytes(data)
    except UnicodeEncodeError as error:
        raise ImageUnreadable(f"{shown} holds half of a character") from error
    if is_base64:
        packed = _WHITESPACE.sub(b"", body).rstrip(b"=")
        try:
            body = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ImageUnreadable(f"{shown} is not valid base64") from error
    if len(body) > max_bytes:
        raise ImageTooLarge(f"{shown} is over {max_bytes} bytes (images.max_bytes)")
    return body

"""Guarded HTTP: get a body from an address that somebody else wrote, without being led where nobody should go.

::

    fetcher = Fetcher(FetchLimits(timeout_s=30), AllowList.parse("minio, *.corp.example, 10.1.0.0/16"))
    fetched = fetcher.fetch(parse_url("https://example.org/cat.jpg"), max_bytes=2**28)
    fetched.status, fetched.body

A host is resolved once, every address it has is judged, and the connection goes to the judged address itself, so that
no second look-up can answer differently. Every redirect is judged anew, one time limit covers the whole errand, and
credentials never leave the origin they belong to. Not for talking to anything but HTTP, and not a cache.
"""

from prebrush.fetching.addresses import AllowList, Reach, reach_of
from prebrush.fetching.exchange import Fetched
from prebrush.fetching.fetcher import Fetcher, FetchLimits, Trusted, resolve_host
from prebrush.fetching.urls import Origin, Url, join_url, parse_url, refuse_control_characters, show_reference

__all__ = [
    "AllowList",
    "FetchLimits",
    "Fetched",
    "Fetcher",
    "Origin",
    "Reach",
    "Trusted",
    "Url",
    "join_url",
    "parse_url",
    "reach_of",
    "refuse_control_characters",
    "resolve_host",
    "show_reference",
]

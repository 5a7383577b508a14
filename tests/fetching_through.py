"""What tests of fetching share: one errand, and where it may go."""

from prebrush.fetching import AllowList, Trusted, parse_url

MEBIBYTE = 1 << 20

LOOPBACK = AllowList.parse("127.0.0.1")


def fetch(fetcher, url, **options):
    return fetcher.fetch(parse_url(url), **{"max_bytes": MEBIBYTE, **options})


def credentials_for(server):
    return Trusted(parse_url(server.origin).origin, {"Authorization": "Bearer secret"})

"""What tests of the client share."""

from prebrush.client import locate

UPLOAD = "/data/upload/1/0a1b2c3d-cat.png"


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.time = 1000.0

    def __call__(self):
        return self.time


def get(client, reference, studio, **options):
    return client.get(locate(reference, 7, studio), studio, **{"max_bytes": 1 << 20, **options})

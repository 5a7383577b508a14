"""Label Studio as this server reaches it: which URL an image reference means, and which credentials it takes.

::

    studio = Studio(url="http://label-studio:8080", api_key="...", setup_host=..., setup_token=...)
    client = StudioClient(fetcher)
    location = locate("/data/upload/1/cat.jpg", task_id=7, studio=studio)
    fetched = client.get(location, studio, max_bytes=2**28)
    client.whoami(studio)

A `Studio` is a plain value, made for each project from the settings and from what its `/setup` told; the client keeps
nothing but access tokens. Not for decoding: `prebrush.images` does that.
"""

from prebrush.client.api import StudioClient, WhoAmI
from prebrush.client.locations import CLOUD_SCHEMES, Location, locate
from prebrush.client.studio import Credential, CredentialKind, Studio

__all__ = ["CLOUD_SCHEMES", "Credential", "CredentialKind", "Location", "Studio", "StudioClient", "WhoAmI", "locate"]

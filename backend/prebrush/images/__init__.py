"""Image reference to pixels: located, fetched within limits, decoded upright as the browser shows it.

::

    loader = ImageLoader(StudioClient(fetcher), ImageLimits(max_bytes=..., max_pixels=...), recheck_s=10)
    key = loader.key(reference, task.id, studio)            # no I/O; where to keep the identity
    loaded = loader.load(reference, task.id, studio, known) # known: ImageIdentity kept under key, or None
    loaded.identity                                         # plain data: keep it under key if it is not `known`
    loaded.image                                            # Image, or None: unchanged since `known`

`load` with a known identity does the least that is needed: nothing at all while the identity is fresh, else a
conditional request, else a fetch, and it decodes only bytes it does not know. Call it again without `known` where
the pixels are needed all the same. Not a cache: whoever calls keeps identities and results.
"""

from prebrush.images.decoding import DECODING_VERSION, ImageLimits, decode_image
from prebrush.images.loading import ImageIdentity, ImageLoader, Loaded

__all__ = ["DECODING_VERSION", "ImageIdentity", "ImageLimits", "ImageLoader", "Loaded", "decode_image"]

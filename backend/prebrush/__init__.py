"""prebrush: pre-labels images for Label Studio with classical segmentation, on an ordinary CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prebrush.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from prebrush.datatypes import Prompt, Segments
    from prebrush.segmentation.cleanup import Cleanup

__all__ = ["__version__", "segment"]


def segment(
    image: npt.NDArray[np.uint8],
    method: str = "auto",
    *,
    prompt: Prompt | None = None,
    cleanup: Cleanup | Mapping[str, object] | None = None,
    working_pixels: int = 0,
    **knobs: object,
) -> Segments:
    """Segment an image in one line.

    Gives what the method itself finds, at full size: no cap on regions and no speck removal unless ``cleanup`` asks.

    Parameters
    ----------
    image : uint8 (H, W, 3) RGB or (H, W) gray
    method : str
        A name from `prebrush.segmentation.METHODS`.
    prompt : Prompt or None
        Marks, for methods that use them.
    cleanup : Cleanup, mapping or None
        What to do with the segments afterwards: a `prebrush.segmentation.cleanup.Cleanup`, or its knobs by name, such
        as ``{"min_area": 50}``.
    working_pixels : int
        Segment larger images at about this many pixels and bring the result back; 0 works at full size.
    **knobs : object
        The method's own parameters, such as ``scale=200``.

    Returns
    -------
    Segments
        ``label_map`` int32 (H, W), ``scores`` float32 (n,), ``classes``.

    Raises
    ------
    UnknownMethod, InvalidParams
        The message names the nearest name, or the knob with value and range.
    TypeError
        ``prompt`` or ``cleanup`` is something else.
    ValueError
        The image is empty, or not of these shapes and type.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((4, 4), 20, np.uint8)
    >>> image[1:3, 1:3] = 200
    >>> segment(image, method="threshold").label_map.max()
    np.int32(1)
    """
    # imported here, so that the codec and the version alone do not load OpenCV and numba
    from collections.abc import Mapping  # noqa: PLC0415
    from dataclasses import asdict  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    from prebrush.datatypes import Prompt  # noqa: PLC0415
    from prebrush.segmentation import get_method  # noqa: PLC0415
    from prebrush.segmentation.cleanup import Cleanup  # noqa: PLC0415
    from prebrush.segmentation.method import parse_knobs  # noqa: PLC0415
    from prebrush.segmentation.pipeline import run  # noqa: PLC0415

    found = get_method(method)
    params = found.parse_params(knobs)
    if not isinstance(prompt, Prompt | None):
        raise TypeError(f"prompt must be a prebrush.datatypes.Prompt, not {type(prompt).__name__}")
    if not isinstance(cleanup, Cleanup | Mapping | None):
        raise TypeError(f'cleanup must be knobs by name, such as {{"min_area": 50}}, not {type(cleanup).__name__}')
    if cleanup is not None:
        cleanup = parse_knobs(Cleanup, asdict(cleanup) if isinstance(cleanup, Cleanup) else cleanup, owner="cleanup")
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)) or 0 in pixels.shape:
        raise ValueError(f"image must be uint8 (H, W, 3) or (H, W) and not empty, not {pixels.dtype} {pixels.shape}")
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    pixels = np.ascontiguousarray(pixels).view()
    pixels.flags.writeable = False
    return run(pixels, found, params, cleanup, prompt, working_pixels=working_pixels)

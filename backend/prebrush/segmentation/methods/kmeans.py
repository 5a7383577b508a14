"""k-means: pixels of similar colour, wherever they are, make one cluster."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.segmentation.color import COLOR_SPACES, to_gray
from prebrush.segmentation.filters import blur
from prebrush.segmentation.kernels.absorbing import absorb
from prebrush.segmentation.kernels.clustering import assign_pixels, brightness_sums, cluster
from prebrush.segmentation.kernels.color_bins import color_bins
from prebrush.segmentation.kernels.settling import settle
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.number_of_clusters import count_clusters

SAMPLED_PIXELS = 20_000
"""With a spatial weight the centres are found on a grid of about this many pixels."""

SETTLED_SHARE, LEAST_SETTLED, FEW = 0.2, 0.005, 4
"""By how much the sum of squares may grow so that clusters hang together: the first for two clusters and half as much
for each one more, up to so many; the second for more. A few clusters are large regions, where neighbours tell more than
the last bit of colour; of more, each is a colour, to be kept as exact as it is found."""


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    n_clusters: int = param(
        4, low=0, high=32, help="How many clusters, 0 to choose; fewer are found where there are fewer colours."
    )
    color_space: str = param("lab", choices=tuple(COLOR_SPACES), help="Where distances of colours are measured.")
    spatial_weight: float = param(
        0.0, low=0, high=10, help="Weight of position: at 1 the image's longer side counts as much as black to white."
    )
    sigma: float = param(
        0.0, low=0, high=50, unit="px", help="Blur before; 0 is none, 1 to 2 gives fewer specks in natural scenes."
    )
    seed: int = param(0, low=0, high=2**31 - 1, help="Of the random starts; the same seed gives the same clusters.")


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Cluster the pixels by colour, and by position if that has a weight.

    Without a spatial weight the clusters are found on a histogram of the colours (64 steps a channel, each bin at its
    own mean colour), so that the cost hardly depends on the image. With one, they are found on a grid of pixels. Either
    way the best of eight k-means++ starts is taken to the end.

    Then pixels between two clusters, specks and bridges of mixed colours, join the one that more of their neighbours
    are in, the cheapest first, while the sum of squared distances grows by at most half a percent; by up to 5 % of
    four clusters, 10 % of three and 20 % of two, where whole pieces of mixed colours, of up to 1 % of the image, join
    the cluster around them as well. Small things of a clear colour stay. With a spatial weight this is left out:
    position does it.

    With ``n_clusters`` 0 the number is chosen by the colours alone, from 2 to 16: it is the one after which a further
    cluster gains little compared to the one before. 1 makes the whole image one cluster.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
        Useful on photographs: ``n_clusters`` 2 to 6, ``sigma`` 1.
    prompt : Prompt
        Not used.

    Returns
    -------
    int32 (H, W)
        1..n from the darkest to the brightest mean; every pixel belongs to a cluster.

    Notes
    -----
    Cost: linear in pixels, about 18 ms for the first megapixel and 14 ms for each one more, with four clusters or fewer
    8 ms more; choosing the number adds 5 to 30 ms, a blur 5 ms a megapixel. Fails where a thing shares its colours with
    what is around it.

    Sources: S. Lloyd, IEEE Trans. Information Theory 28(2), 1982, doi:10.1109/TIT.1982.1056489; D. Arthur,
    S. Vassilvitskii, SODA 2007 (the starts); C. A. Sugar, G. M. James, J. American Statistical Association 98(463),
    2003, doi:10.1198/016214503000000666 (the number).

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((2, 4, 3), 250, np.uint8)
    >>> image[:, 2:] = 10
    >>> segment(image, Params(n_clusters=2), Prompt()).tolist()
    [[2, 2, 1, 1], [2, 2, 1, 1]]
    """
    del prompt
    smooth = blur(image, params.sigma)
    colors, weights, places = color_bins(smooth)
    points = COLOR_SPACES[params.color_space](colors[None] / np.float32(255))[0]
    count = params.n_clusters or count_clusters(colors, weights, points, params.seed)
    if params.spatial_weight:
        return _by_brightness(_cluster_with_position(smooth, params, count), smooth)
    centers, _ = cluster(points, weights, count, params.seed)
    costs = sum((points[:, part, None] - centers[:, part]) ** 2 for part in range(3))
    if len(centers) < 2 or len(centers) > FEW:
        return _by_brightness(settle(smooth, places, weights, costs, LEAST_SETTLED), smooth)
    share = SETTLED_SHARE / 2 ** (len(centers) - 2)
    settled = settle(smooth, places, weights, costs, share)
    most = (1 + share) * float((weights * costs.min(axis=1)).sum(dtype=np.float64))
    return _by_brightness(absorb(smooth, places, costs, settled, most), smooth)


def _cluster_with_position(image: RGBImage, params: Params, n_clusters: int) -> npt.NDArray[np.uint8]:
    height, width = image.shape[:2]
    colors = COLOR_SPACES[params.color_space](image.astype(np.float32) / np.float32(255))
    # 100 is the distance of black and white in each of the colour spaces
    per_pixel = 100 * params.spatial_weight / max(height, width)
    step = max(1, round((height * width / SAMPLED_PIXELS) ** 0.5))
    rows, cols = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    if rows.size == 0:  # one side is shorter than half a step
        rows, cols = np.mgrid[0:height:step, 0:width:step]
    rows, cols = rows.ravel(), cols.ravel()
    position = np.stack((rows, cols), axis=1) * per_pixel
    points = np.concatenate((colors[rows, cols], position), axis=1).astype(np.float32)
    centers, _ = cluster(points, np.ones(len(points), np.float32), n_clusters, params.seed)
    return assign_pixels(colors, centers, per_pixel)


def _by_brightness(owner: npt.NDArray[np.uint8], image: RGBImage) -> LabelMap:
    """Number the clusters from 1, darkest first, leaving out empty ones."""
    sums, areas = brightness_sums(owner, to_gray(image), int(owner.max()) + 1).T
    brightness = sums / np.maximum(areas, 1)
    ranks = np.zeros(256, np.int32)
    order = [number for number in np.argsort(brightness, kind="stable") if areas[number]]
    ranks[order] = np.arange(1, len(order) + 1)
    return np.asarray(cv2.LUT(owner, ranks), np.int32)


METHOD = Method(segment, Params, version=4, class_name="cluster-{}")

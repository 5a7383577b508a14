"""How many clusters the colours of an image make. Not for finding the clusters: `kernels.clustering` does."""

import numpy as np
import numpy.typing as npt

from prebrush.segmentation.kernels.clustering import cluster

MOST_CLUSTERS = 16
"""More are not looked for: by then they are shades of the same thing."""
STEPS = 16
"""Of each colour channel: some hundred points do instead of thousands, which keeps the clusterings cheap."""
RESTARTS = 4
"""For each number, beside the start from one centre less."""
NOISE = 3.0
"""Colour distance, black to white being 100, below which splitting a cluster gains nothing: a little more than what the
eye can just tell apart (2.3). Without it, the fewer colours an image has, the more the few mixed ones between count."""


def count_clusters(
    colors: npt.NDArray[np.float32], weights: npt.NDArray[np.float32], points: npt.NDArray[np.float32], seed: int
) -> int:
    """Choose the number of clusters after which a further one gains least compared to the one before.

    That is where the reciprocal of the distortion jumps highest. Sugar and James take the power -p / 2 of it for
    clusters that spread in p directions; the colours of one thing spread along its light and a little across, so p is
    taken as 2.

    Parameters
    ----------
    colors : float32 (n, 3)
        Occupied bins of the colour histogram, RGB in 0..255.
    weights : float32 (n,)
        Pixels in each.
    points : float32 (n, 3)
        The same colours where distances are measured.
    seed : int
        Of the random starts.

    Returns
    -------
    int
        2..`MOST_CLUSTERS`, also where all pixels differ by no more than noise: a small thing on a plain ground looks
        the same in these sums. The clusters found are fewer where there are fewer colours.

    Notes
    -----
    Cost: 5 to 30 ms. Fails where one thing takes nearly all of the image, and on shading: a gradient is cut
    in two or three, and a sharp edge between far colours may count as one more.

    Source: C. A. Sugar, G. M. James, J. American Statistical Association 98(463), 2003,
    doi:10.1198/016214503000000666
    """
    gains = np.diff(1 / (distortions(colors, weights, points, seed) + NOISE**2))
    return int(gains.argmax()) + 2


def distortions(
    colors: npt.NDArray[np.float32], weights: npt.NDArray[np.float32], points: npt.NDArray[np.float32], seed: int
) -> npt.NDArray[np.float64]:
    """Find the mean squared distance to the nearest of 1, 2, ... `MOST_CLUSTERS` centres.

    Parameters
    ----------
    colors, weights, points, seed
        As in `count_clusters`.

    Returns
    -------
    float64 (MOST_CLUSTERS,)
        Never rising.
    """
    coarse, sizes, within = _gather(colors, weights, points)
    start, left = None, []
    for count in range(1, MOST_CLUSTERS + 1):
        centers, owner = cluster(coarse, sizes, count, seed, restarts=RESTARTS, start=start)
        squared = ((coarse - centers[owner]) ** 2).sum(axis=1)
        left.append(within + float(sizes @ squared))
        # the next one may start from these and the point that costs most
        start = np.vstack((centers, coarse[np.argmax(sizes * squared)]))
    # a worse start than for one centre less is no reason to call the further one harmful
    return np.asarray(np.minimum.accumulate(left) / weights.sum(dtype=np.float64), np.float64)


def _gather(
    colors: npt.NDArray[np.float32], weights: npt.NDArray[np.float32], points: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], float]:
    """Gather the points in `STEPS` a channel: their means and weights, and the sum of squares this leaves out."""
    steps = (colors * np.float32(STEPS / 256)).astype(np.int64)
    _, place = np.unique(steps @ np.array((STEPS**2, STEPS, 1)), return_inverse=True)
    sizes = np.bincount(place, weights)
    sums = np.stack([np.bincount(place, weights * points[:, part]) for part in range(3)], axis=1)
    means = sums / sizes[:, None]
    within = float(weights @ ((points - means[place]) ** 2).sum(axis=1))
    return means.astype(np.float32), sizes.astype(np.float32), within

"""How much each piece of evidence counts for `prompt`.

Rounded from logistic regressions on whether superpixels belong to the object, after clicks of a simulated person on
photographs and blood cells, and from linear ones on how good cuts of several sizes were.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Weights(NamedTuple):
    """Weights of the columns of evidence, in their order.

    Attributes
    ----------
    first : float64 (22,)
        Of `first_evidence`.
    second : float64 (27,)
        Of the same and `context_evidence`.
    sizes : float64 (5,)
        Of what a first answer is judged by: 1, what was added to its margins and the square of that, how much more
        salient its outline is than the edges within, and how sure the margins along the outline are.
    added, removed : float64 (22,)
        Of `change_evidence`, for positive and negative marks.
    added_sizes, removed_sizes : float64 (8,)
        Of what a change is judged by: the same five, the logarithm of the width of the piece by how far the mark is
        from what may not change and the square of that, and the piece's share of what may change.
    """

    first: Floats
    second: Floats
    sizes: Floats
    added: Floats
    removed: Floats
    added_sizes: Floats
    removed_sizes: Floats


# fmt: off
WEIGHTS = Weights(
    first=np.array((
        -4.13, -0.434, 0.126, -0.773, -3.31, -2.2, 0.751, 0.776, 0.268, 0.0908, 0.307, -0.551, -0.706, -0.292,
        -1.28, 0.791, 2.35, 0.427, 0.974, -0.000088, 1.1, 0.378,
    )),
    second=np.array((
        -0.316, -0.148, 0.3, -0.281, -1.77, -1.14, -0.0557, 0.312, 0.0771, -0.0736, -0.0636, -0.286, -0.378, 0.319,
        -0.651, 0.358, 0.556, 0.143, 0.0909, 0.137, 0.312, 0.098, 0.34, 0.5, 0.0543, 0.057, 0.299,
    )),
    sizes=np.array((
        0.113, 0.0588, -0.0217, 0.105, 0.054,
    )),
    added=np.array((
        -1.68, 0.405, 0.109, -0.22, -0.295, -0.017, -1.21, 3.19, -0.361, -0.124, 0.0902, 2.11, 0.199, 0.655, 0.187,
        0.43, 0.37, -0.728, 7.57, 0.413, -0.264, -1.2,
    )),
    removed=np.array((
        -1.53, 0.158, 0.236, -0.123, -0.0994, -0.00859, 0.0528, 18.0, 0.542, -0.107, 0.234, 2.2, 0.394, 0.299,
        0.184, -0.298, 1.11, 0.569, 2.21, 0.0392, -0.175, -0.277,
    )),
    added_sizes=np.array((
        0.0, 0.00669, -0.00345, 0.0216, 0.0159, 0.0325, -0.0134, 0.409,
    )),
    removed_sizes=np.array((
        0.0, -0.01, -0.0139, -0.000098, 0.0408, 0.0294, -0.0291, -0.0279,
    )),
)
# fmt: on

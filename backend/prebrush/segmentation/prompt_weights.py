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
        -8.07, -0.249, -0.0963, -0.588, -4.46, -2.98, 0.013, 0.109, 0.395, 0.034, 0.343, -0.415, -1.41, 0.192,
        -1.3, 0.739, 0.736, 0.68, 0.413, -0.0363, 1.48, 0.323,
    )),
    second=np.array((
        -0.491, -0.0895, 0.0504, -0.228, -1.99, -1.19, -0.473, 0.0405, 0.125, -0.0717, -0.0134, 0.196, -0.451,
        0.0542, -0.62, 0.384, -0.41, 0.315, -0.225, 0.136, 0.366, 0.0703, 0.417, 0.616, -0.0384, -0.13, 0.237,
    )),
    sizes=np.array((
        -0.0608, 0.0591, -0.015, 0.127, 0.06,
    )),
    added=np.array((
        -0.668, 0.0114, 0.655, -0.503, -0.31, -0.00633, -0.0732, 20.8, -0.486, 0.0986, 0.222, 1.99, 0.144, 0.378,
        0.242, 0.864, 0.653, -0.985, 7.13, 0.249, -0.153, -0.28,
    )),
    removed=np.array((
        0.209, 0.0452, 0.35, -0.337, -0.184, -0.0165, 4.46, 13.9, 0.497, -0.401, 0.425, 1.91, 0.295, 0.239, 0.268,
        -0.489, 1.13, 0.337, 1.83, 0.102, -0.249, -0.871,
    )),
    added_sizes=np.array((
        0.0, 0.00651, -0.00531, 0.0182, 0.0271, 0.0288, -0.0113, 0.274,
    )),
    removed_sizes=np.array((
        0.0, -0.0181, -0.0114, -0.00149, 0.0317, 0.0736, -0.0325, 0.0506,
    )),
)
# fmt: on

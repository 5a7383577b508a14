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
        -5.01, -0.338, 0.451, -0.936, -6.02, -2.73, 0.374, 1.19, 0.309, 0.00715, 0.321, -0.554, -1.31, 0.332,
        -2.56, 1.9, 2.87, 0.617, 0.911, 0.278, 1.43, 0.441,
    )),
    second=np.array((
        1.46, 0.00306, 0.322, -0.228, -2.47, -0.92, -0.117, 0.3, 0.0484, -0.017, -0.394, -0.424, -0.828, 0.819,
        -1.03, 0.448, 0.254, 0.095, -0.0656, 0.214, 0.0435, 0.0271, 0.348, 0.56, -0.0362, -0.0124, 0.675,
    )),
    sizes=np.array((
        0.119, 0.0485, -0.0183, 0.116, 0.0364,
    )),
    added=np.array((
        -1.26, 0.757, 0.389, -0.4, -0.481, -0.0011, -2.47, 2.0, -0.53, -0.323, 0.235, 2.42, 0.286, 0.825, 0.261,
        0.533, 0.56, -1.23, 6.81, 0.397, -0.347, -1.56,
    )),
    removed=np.array((
        -1.13, 0.154, 0.595, -0.363, -0.37, -0.00667, 2.6, 6.33, 0.215, -0.479, 0.352, 2.73, 0.479, 0.36, 0.0478,
        -0.687, 2.47, 0.576, 2.71, 0.0481, -0.223, -1.06,
    )),
    added_sizes=np.array((
        0.0, 0.00631, -0.00535, 0.00874, 0.032, 0.0306, -0.0112, 0.469,
    )),
    removed_sizes=np.array((
        0.0, -0.0169, -0.019, 0.0369, 0.0428, 0.139, -0.0293, -0.431,
    )),
)
# fmt: on

"""Connected pieces of a label map, numbering, and areas."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap
from prebrush.segmentation.kernels.compiled import as_input, compiled


# graph_merging.py has the same few lines: numba's cache does not notice a change in another module's kernel
@compiled
def _find(parent: npt.NDArray[np.int32], node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@compiled
def _join(parent: npt.NDArray[np.int32], one: int, other: int) -> int:
    one = _find(parent, one)
    other = _find(parent, other)
    if one < other:
        parent[other] = one
        return one
    parent[one] = other
    return other


# one long loop: handing the arrays to a function for each pixel, compiled or inlined by numba, takes ten times as long
@compiled
def _components(  # noqa: C901, PLR0912  see above
    label_map: npt.NDArray[np.int32], with_background: bool, diagonal: bool
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Number provisionally, then resolve. Returns the pieces (H, W), and the old number of each piece."""
    height, width = label_map.shape
    pieces = np.zeros((height, width), np.int32)
    parent = np.empty(height * width + 1, np.int32)  # never touched beyond the numbers taken
    count = 0
    for row in range(height):
        for col in range(width):
            label = label_map[row, col]
            if label == 0 and not with_background:
                continue
            piece = 0
            if col > 0 and label_map[row, col - 1] == label:
                piece = pieces[row, col - 1]
            if row > 0 and label_map[row - 1, col] == label:
                near = pieces[row - 1, col]
                if piece == 0:
                    piece = near
                elif piece != near:
                    piece = _join(parent, piece, near)
            elif row > 0 and diagonal:
                # where the pixel above is of the segment, it already links these two
                if col > 0 and label_map[row - 1, col - 1] == label:
                    near = pieces[row - 1, col - 1]
                    if piece == 0:
                        piece = near
                    elif piece != near:
                        piece = _join(parent, piece, near)
                if col + 1 < width and label_map[row - 1, col + 1] == label:
                    near = pieces[row - 1, col + 1]
                    if piece == 0:
                        piece = near
                    elif piece != near:
                        piece = _join(parent, piece, near)
            if piece == 0:
                count += 1
                piece = count
                parent[piece] = piece
            pieces[row, col] = piece
    final = np.zeros(count + 1, np.int32)
    total = 0
    for piece in range(1, count + 1):
        root = _find(parent, piece)
        if root == piece:
            total += 1
            final[piece] = total
        else:
            final[piece] = final[root]
    origin = np.zeros(total + 1, np.int32)
    for row in range(height):
        for col in range(width):
            number = final[pieces[row, col]]
            pieces[row, col] = number
            origin[number] = label_map[row, col]
    return pieces, origin


def connected_components(
    label_map: LabelMap, *, with_background: bool = False, diagonal: bool = True
) -> tuple[LabelMap, npt.NDArray[np.int32]]:
    """Split every segment into its connected pieces.

    Parameters
    ----------
    label_map : int32 (H, W)
    with_background : bool
        Whether pixels of number 0 make pieces as well; else they stay 0.
    diagonal : bool
        Whether pixels that touch by a corner are connected.

    Returns
    -------
    pieces : int32 (H, W)
        1..m in scan order of their first pixels.
    origin : int32 (m + 1,)
        The number each piece had in ``label_map``; the first entry stands for what stayed 0.
    """
    pieces, origin = _components(as_input(label_map), with_background, diagonal)
    if not with_background:
        origin[0] = 0
    return pieces, origin


@compiled
def _areas(label_map: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int64]:
    areas = np.zeros(count + 1, np.int64)
    for label in label_map.flat:
        areas[label] += 1
    return areas


def areas_of(label_map: LabelMap, count: int) -> npt.NDArray[np.int64]:
    """Count the pixels of each number.

    Parameters
    ----------
    label_map : int32 (H, W)
        Numbers 0..count.
    count : int

    Returns
    -------
    int64 (count + 1,)
    """
    areas: npt.NDArray[np.int64] = _areas(as_input(label_map), count)
    return areas


@compiled
def _replace(label_map: npt.NDArray[np.int32], numbers: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    replaced = np.empty_like(label_map)
    height, width = label_map.shape
    for row in range(height):
        for col in range(width):
            replaced[row, col] = numbers[label_map[row, col]]
    return replaced


def replace_numbers(label_map: LabelMap, numbers: npt.NDArray[np.int32]) -> LabelMap:
    """Give every pixel the new number of its old one.

    Parameters
    ----------
    label_map : int32 (H, W)
        Numbers 0..n.
    numbers : int32 (n + 1,)

    Returns
    -------
    int32 (H, W)
    """
    replaced: LabelMap = _replace(as_input(label_map), as_input(numbers.astype(np.int32)))
    return replaced


def warm() -> None:
    """Compile on a tiny input."""
    label_map = np.array([[1, 0, 1], [1, 0, 2]], np.int32)
    connected_components(label_map)
    areas_of(label_map, 2)
    replace_numbers(label_map, np.arange(3, dtype=np.int32))

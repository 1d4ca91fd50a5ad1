"""Questions about many ranges of one array at once: where a window begins, its greatest, its kinds.

Every function takes the ranges as arrays of their first and past-the-last place and costs a few
passes over ranges and array together, however long the ranges are.
"""

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]


def starts_after(values: Whole, first: Whole, end: Whole, bound: Whole) -> Whole:
    """Return per range the first place whose value is above a bound, `end` if there is none.

    Shapes: values (n,), which do not fall inside any range; first, end, bound (ranges,).
    """
    low, high = first.copy(), end.copy()
    while (open_ := low < high).any():
        middle = (low + high) // 2
        is_above = values[np.where(open_, middle, 0)] > bound
        high = np.where(open_ & is_above, middle, high)
        low = np.where(open_ & ~is_above, middle + 1, low)
    return low


def greatest(values: Whole, first: Whole, end: Whole) -> Whole:
    """Return the greatest value of each range; of an empty range any number.

    Shapes: values (n,), first and end (ranges,).
    Source: sparse table; two overlapping stretches of a power of two cover any range.
    """
    if not len(values):
        return np.zeros(len(first), dtype=np.int64)
    found = np.zeros(len(first), dtype=np.int64)
    lengths = end - first
    table, width = values, 1
    while len(table):
        here = (lengths >= width) & (lengths < 2 * width)
        left, right = first[here], end[here] - width
        found[here] = np.maximum(table[left], table[right])
        table = np.maximum(table[:-width], table[width:]) if len(table) > width else table[:0]
        width *= 2
    return found


def different(values: Whole, first: Whole, end: Whole) -> Whole:
    """Return how many different values each range has.

    A value is counted where it comes first in the range: where its last place before lies outside.

    Shapes: values (n,), first and end (ranges,).
    """
    order = np.argsort(values, kind="stable")
    before = np.full(len(values), -1, dtype=np.int64)
    is_same = values[order[1:]] == values[order[:-1]]
    before[order[1:][is_same]] = order[:-1][is_same]
    return below(before + 1, first, end, first + 1)


def below(values: Whole, first: Whole, end: Whole, bound: Whole) -> Whole:
    """Return how many values of each range are below its bound; all are at least 0.

    Shapes: values (n,), first, end and bound (ranges,).
    Source: wavelet matrix (Claude, Navarro, Ordonez 2015), one pass a bit.
    """
    low, high = first.copy(), np.maximum(first, end)
    found = np.zeros(len(first), dtype=np.int64)
    top = int(max(values.max(initial=0), bound.max(initial=0)))
    for bit in reversed(range(top.bit_length())):
        is_one = (values >> bit) & 1 == 1
        zeros = np.concatenate([[0], np.cumsum(~is_one)])
        low_zeros, high_zeros = zeros[low], zeros[high]
        goes_right = (bound >> bit) & 1 == 1
        found += np.where(goes_right, high_zeros - low_zeros, 0)
        low = np.where(goes_right, zeros[-1] + low - low_zeros, low_zeros)
        high = np.where(goes_right, zeros[-1] + high - high_zeros, high_zeros)
        values = np.concatenate([values[~is_one], values[is_one]])
    return found


def running_greatest(values: Whole, groups: Whole) -> Whole:
    """Return for each place the greatest value so far in its group.

    Shapes: values and groups (n,); a group's places lie side by side.
    """
    found, step = values.copy(), 1
    while step < len(found):
        is_same = groups[step:] == groups[:-step]
        found[step:] = np.where(is_same, np.maximum(found[step:], found[:-step]), found[step:])
        step *= 2
    return found

"""Values of whole columns, each with whether it is known; beyond 64 bits and by zero it is not.

The array twin of `expression.computed`. Integers wrap around silently in numpy, so a result is
looked at again wherever the bounds of a block do not rule that out.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fenqi.core.risk.policy.expression import LEAST, MOST, PPM_OF_ONE, Sum

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Column(NamedTuple):
    """Values and which of them are known; `known` None is all of them.

    Shapes: values (rows,), known (rows,) or None. Unknown values are 0.
    """

    values: Whole
    known: Flags | None


def computed(sign: Sum, left: Column, right: Column) -> Column:
    """Return two columns made into one."""
    known = _both(left.known, right.known)
    a, b = left.values, right.values
    match sign:
        case Sum.LEAST:
            return Column(np.minimum(a, b), known)
        case Sum.MOST:
            return Column(np.maximum(a, b), known)
        case Sum.PLUS | Sum.MINUS:
            return _sum(a, b, known, is_minus=sign is Sum.MINUS)
        case Sum.TIMES:
            return _times(a, b, known)
        case Sum.DIVIDED:
            return _divided(a, b, known)
        case Sum.PART:
            product = _times(a, b, known)
            return _divided(product.values, np.full_like(a, PPM_OF_ONE), product.known)
        case Sum.SHARE:
            product = _times(a, np.full_like(a, PPM_OF_ONE), known)
            return _divided(product.values, b, product.known)


def _both(left: Flags | None, right: Flags | None) -> Flags | None:
    if left is None:
        return right
    return left if right is None else left & right


def _without(known: Flags | None, wrong: Flags, values: Whole) -> Column:
    """Return a column of which the wrong places are unknown."""
    if not wrong.any():
        return Column(values, known)
    right = ~wrong if known is None else known & ~wrong
    return Column(np.where(right, values, 0), right)


def _bounds(values: Whole) -> tuple[int, int]:
    return (int(values.min()), int(values.max())) if values.size else (0, 0)


def _sum(a: Whole, b: Whole, known: Flags | None, *, is_minus: bool) -> Column:
    (low_a, high_a), (low_b, high_b) = _bounds(a), _bounds(b)
    result = a - b if is_minus else a + b
    low, high = (low_a - high_b, high_a - low_b) if is_minus else (low_a + low_b, high_a + high_b)
    if low >= LEAST and high <= MOST:
        return Column(result, known)
    # The sign of a sum that left 64 bits is neither that of the one nor of the other.
    wrong = (((a ^ b) & (a ^ result)) if is_minus else ((a ^ result) & (b ^ result))) < 0
    return _without(known, wrong, result)


def _times(a: Whole, b: Whole, known: Flags | None) -> Column:
    products = [one * other for one in _bounds(a) for other in _bounds(b)]
    result = a * b
    if min(products) >= LEAST and max(products) <= MOST:
        return Column(result, known)
    # What divides back to the other factor did not leave 64 bits; only -1 times the least fools it.
    is_fooled = (a == -1) & (b == LEAST)
    divisor = np.where((a == 0) | (a == -1), 1, a)
    wrong = (a != 0) & (a != -1) & (result // divisor != b)
    return _without(known, wrong | is_fooled, result)


def _divided(a: Whole, b: Whole, known: Flags | None) -> Column:
    """Divide and round down; by zero, and the least by -1, it is unknown."""
    wrong = (b == 0) | ((b == -1) & (a == LEAST))
    result = a // np.where(wrong, 1, b)
    return _without(known, wrong, result)

"""What the array twins share: their types, the refusal of a wrong shape, and exact division."""

from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from fenqi.core.errors import Invalid
from fenqi.core.values.rate import PPM, Rounding, apply_ppm

Minor = NDArray[np.int64]  # amounts in minor units
Days = NDArray[np.datetime64]  # of type datetime64[D], NaT where there is no day
Flags = NDArray[np.bool_]

PRODUCT_MAX = 2**62  # of two integers multiplied in 64 bits
MINOR_MAX = 2**63 - 1
DAY = "datetime64[D]"


class ShapeInvalid(Invalid):
    """An array is not of the shape or type a function asks for."""

    code = "shape-invalid"


class AmountsOutOfRange(Invalid):
    """An amount below zero, or one too large for 64-bit integers and their sums."""

    code = "amounts-out-of-range"


def require(name: str, array: NDArray[np.generic], dtype: str, shape: tuple[int, ...]) -> None:
    """Refuse an array of another type or shape; -1 in `shape` is any length.

    Errors: ShapeInvalid.
    """
    is_alike = len(shape) == array.ndim and all(
        wanted in {-1, length} for wanted, length in zip(shape, array.shape, strict=True)
    )
    if not is_alike or array.dtype != np.dtype(dtype):
        raise ShapeInvalid(
            array=name,
            wants=f"{dtype} {shape}",
            dtype=str(array.dtype),
            shape=array.shape,
        )


def shares(amount_minor: Minor, ppm: int, rounding: Rounding) -> Minor:
    """Return parts per million of amounts; twin of `apply_ppm`.

    Units: minor units in and out. Shapes: (n,) -> (n,). Errors: ShapeInvalid.
    """
    require("amount_minor", amount_minor, "int64", (-1,))
    is_small = np.abs(amount_minor) <= PRODUCT_MAX // max(ppm, 1)
    found = divided(np.where(is_small, amount_minor, 0) * ppm, PPM, rounding)
    for place in np.flatnonzero(~is_small):
        found[place] = apply_ppm(int(amount_minor[place]), ppm, rounding=rounding)
    return found


def divided(numerator: Minor, denominator: int, rounding: Rounding) -> Minor:
    """Return the quotient rounded to integers; twin of `divide`. Shapes: any, kept."""
    is_up: Flags
    quotient: Minor = numerator // denominator
    rest: Minor = numerator - quotient * denominator
    match rounding:
        case Rounding.DOWN:
            return quotient
        case Rounding.UP:
            is_up = rest > 0
        case Rounding.HALF_UP:
            is_up = rest >= denominator - rest
        case Rounding.HALF_EVEN:
            is_odd_tie = (rest == denominator - rest) & (quotient % 2 == 1)
            is_up = (rest > denominator - rest) | is_odd_tie
        case _:
            assert_never(rounding)
    return quotient + is_up.astype(np.int64)

"""Chance that depends on names only: the same seed and names always draw the same.

Because a draw is named by what it is for (a person, an invoice, a month) and not by when it is
asked, adding a person or asking in another order changes nobody else's draws.
"""

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256
from itertools import accumulate
from random import Random


def pick(weights: Sequence[int], *names: object) -> int:
    """Return the index of one of the integer `weights`, drawn in proportion, named by `names`.

    Integers keep the draw exact, so it is the same on any machine.
    """
    bounds = list(accumulate(weights))
    draw = _number(names) % bounds[-1]  # 256 bits: the bias of the remainder is below 2**-190
    return bisect_right(bounds, draw)


def stream(*names: object) -> Random:
    """Return a fresh stream of random numbers that belongs to `names`."""
    return Random(_number(names))  # noqa: S311 - a repeatable simulation, nothing is kept secret


def _number(names: tuple[object, ...]) -> int:
    # repr keeps ("a", "b") and ("ab",) and the number 1 and the text "1" apart.
    return int.from_bytes(sha256(repr(names).encode()).digest())

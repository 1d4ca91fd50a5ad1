"""The kinds a part of a condition can be of, how numbers are written in them, and the known words.

A kind's value is what a person reads of it.
"""

from enum import StrEnum

from fenqi.core.risk.input import Unit
from fenqi.core.risk.policy.expression import Sum

SECONDS_PER_DAY = 86_400


class Kind(StrEnum):
    """What a part of a condition is: a value of some unit, a plain number, a word, or a truth."""

    FLAG = "a flag (yes or no)"
    CHOICE = "a choice"
    COUNT = "a count"
    MINOR = "an amount in minor units"
    PPM = "a share in ppm"
    DAYS = "days"
    SECONDS = "seconds"
    POINTS = "points"
    NUMBER = "a plain number"
    TIME = "a time"  # written; becomes days or seconds by what it meets
    WORD = "a word"
    TRUTH = "a condition"


NUMERIC = frozenset(
    {
        Kind.COUNT,
        Kind.MINOR,
        Kind.PPM,
        Kind.DAYS,
        Kind.SECONDS,
        Kind.POINTS,
        Kind.NUMBER,
        Kind.TIME,
    }
)
LITERALS: dict[str, tuple[Kind, int]] = {  # the word after a number, and how many of the kind it is
    "%": (Kind.PPM, 10_000),
    "ppm": (Kind.PPM, 1),
    "minor": (Kind.MINOR, 1),
    "point": (Kind.POINTS, 1),
    "points": (Kind.POINTS, 1),
    "second": (Kind.TIME, 1),
    "seconds": (Kind.TIME, 1),
    "minute": (Kind.TIME, 60),
    "minutes": (Kind.TIME, 60),
    "hour": (Kind.TIME, 3_600),
    "hours": (Kind.TIME, 3_600),
    "day": (Kind.TIME, SECONDS_PER_DAY),
    "days": (Kind.TIME, SECONDS_PER_DAY),
    "week": (Kind.TIME, 7 * SECONDS_PER_DAY),
    "weeks": (Kind.TIME, 7 * SECONDS_PER_DAY),
}
CALLS = frozenset({Sum.LEAST.value, Sum.MOST.value, Sum.PART.value, Sum.SHARE.value})
RESERVED = frozenset({"and", "or", "not", "between", "in", "is", "known", "unknown"})
ANY = ("any", "-")  # of a cell: the column does not matter
YES, NO = ("yes",), ("no",)


def kind_of(unit: Unit) -> Kind:
    """Return what an input of a unit is."""
    return Kind[unit.name]

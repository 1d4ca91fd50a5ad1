"""What a decision may look at: named inputs, each with its unit and the purposes it may serve.

A value is always an integer, or None when it is unknown: a flag is 0 or 1, a choice is its place in
the list of choices. "Unknown" is no number and never harms a customer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Value = int | None  # None is unknown


class Unit(StrEnum):
    """What an input counts; only equal units are added or compared."""

    FLAG = "flag"
    CHOICE = "choice"
    COUNT = "count"
    MINOR = "minor"  # minor units of the account's currency
    PPM = "ppm"
    DAYS = "days"
    SECONDS = "seconds"
    POINTS = "points"


class Purpose(StrEnum):
    """What an input may be used for (P7); a pack can forbid one."""

    CREDIT = "credit"
    FRAUD = "fraud"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Input:
    """One thing a decision may look at.

    `choices` are the words of a choice in the order of their numbers, empty for other units. What
    is weak says more of a place than of a person (an address many share): alone it never does more
    than ask for a check or hold new purchases for hours (P6).
    """

    name: str
    unit: Unit
    purposes: frozenset[Purpose]
    choices: tuple[str, ...] = ()
    title: Mapping[str, str] = field(default_factory=dict)  # by language, "zh" and "en"
    is_weak: bool = False


Vocabulary = Mapping[str, Input]  # by name

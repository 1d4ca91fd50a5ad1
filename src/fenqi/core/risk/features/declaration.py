"""What a feature is: whose facts, which of them, over what window, gathered how.

A stream picks facts by kind and by conditions on what they say; a feature gathers one stream over
a window that reaches back from the moment of the decision, half open: (t - window, t]. The moment
of a fact is the server's, and within an account it never goes back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fenqi.core.risk.input import Input, Vocabulary

MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_DAY = 86_400 * MICROSECONDS_PER_SECOND
PPM = 1_000_000
# What is measured against other facts may be larger than they are by far, as refunds of what was
# bought before the window; no share is beyond these, which columns of 64 bits can hold.
SHARE_MAX = (1 << 63) - 1
SHARE_MIN = -(1 << 63)
HOUR = "hour"  # a field every fact has: the hour of its moment in the zone of the account's book


class Key(StrEnum):
    """Whose facts are gathered.

    Facts of an identifier are counted over all accounts at the moment one of them is stored, and
    the count is written into that fact; a feature of the account is the highest of them.
    """

    ACCOUNT = "account"
    IP = "ip"
    DEVICE = "device"
    CARD = "card"
    PHONE = "phone"
    ADDRESS = "address"


class Aggregate(StrEnum):
    """How the facts of a window become one number."""

    COUNT = "count"
    SUM = "sum"
    DISTINCT = "distinct"
    # Of the part in the whole, in ppm, dropped to the whole number below, SHARE_MIN to SHARE_MAX:
    # a share is of facts that are all in the whole, a ratio of any.
    SHARE = "share"
    RATIO = "ratio"
    LAST = "last"
    MIN = "min"
    MAX = "max"
    DAYS_SINCE_LAST = "days-since-last"  # whole days that have passed
    DAYS_SINCE_FIRST = "days-since-first"


@dataclass(frozen=True, slots=True)
class Condition:
    """What a field must say: one of some values, a number of a range, or nothing at all.

    Units: those of the field; the range is half open.
    """

    field: str
    values: tuple[int | str, ...] = ()
    least: int | None = None
    below: int | None = None
    is_absent: bool = False

    def implies(self, other: "Condition") -> bool:
        """Return whether every value that meets this condition meets another of the same field."""
        if other.is_absent or self.is_absent:
            return other.is_absent and self.is_absent
        if other.values:
            return bool(self.values) and set(self.values) <= set(other.values)
        if self.values:
            return all(isinstance(one, int) and other.spans(one) for one in self.values)
        is_above = other.least is None or (self.least is not None and self.least >= other.least)
        is_below = other.below is None or (self.below is not None and self.below <= other.below)
        return is_above and is_below

    def spans(self, number: int) -> bool:
        """Return whether a number lies in the range asked for."""
        is_above = self.least is None or number >= self.least
        return is_above and (self.below is None or number < self.below)


@dataclass(frozen=True, slots=True)
class Stream:
    """Facts of some kinds that meet all conditions.

    With `after` only those that came within a time after a fact of another stream, the latest
    before them counts.

    Units: `within` in microseconds.
    """

    name: str
    kinds: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    after: str | None = None
    within: int = 0

    def is_within(self, whole: "Stream") -> bool:
        """Return whether its own words say that each of its facts is one of another stream."""
        if whole.after is not None and (self.after != whole.after or self.within > whole.within):
            return False
        return set(self.kinds) <= set(whole.kinds) and all(
            any(one.field == asked.field and one.implies(asked) for one in self.conditions)
            for asked in whole.conditions
        )


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature.

    `part` is the stream whose share in `stream`, or ratio to it, is told. `known_by` are kinds of
    facts of which the account must have had one, ever: without, the source was never connected and
    the feature is unknown; empty if the facts are our own.

    Units: `window` in microseconds, None reaches back to the first fact; `cap` is where the count
    over an identifier's accounts ends.
    """

    input: Input
    key: Key
    stream: str
    aggregate: Aggregate
    window: int | None
    field: str | None = None
    part: str | None = None
    known_by: tuple[str, ...] = ()
    cap: int = 0

    @property
    def name(self) -> str:
        """Its name as an input."""
        return self.input.name


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Everything a decision may look at, as one file declares it.

    `given` are handed in by the flow that asks; `features` come from facts. `text` is the file.
    """

    name: str
    version: int
    given: tuple[Input, ...]
    streams: Mapping[str, Stream]
    features: tuple[Feature, ...]
    text: str = field(repr=False, default="")

    @property
    def vocabulary(self) -> Vocabulary:
        """Return all inputs by name, the given ones first."""
        inputs = [*self.given, *(one.input for one in self.features)]
        return {one.name: one for one in inputs}

    @property
    def kinds(self) -> frozenset[str]:
        """Return the kinds of facts that any feature looks at."""
        known_by = {kind for one in self.features for kind in one.known_by}
        return frozenset(known_by.union(*(one.kinds for one in self.streams.values())))

    @property
    def measures(self) -> tuple[Feature, ...]:
        """Return the features that are counted over accounts when a fact is stored."""
        return tuple(one for one in self.features if one.key is not Key.ACCOUNT)

    @property
    def over_identifiers(self) -> frozenset[str]:
        """Return the names of what is counted over the accounts of an identifier, or gathers it."""
        counted = {one.name for one in self.measures}
        return frozenset(counted | {one.name for one in self.features if one.field in counted})

    def feature(self, name: str) -> Feature:
        """Return a feature by its name. Errors: KeyError."""
        return next(one for one in self.features if one.name == name)

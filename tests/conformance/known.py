"""What a harness knows of its input: names and values. Whatever else is there is named."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

SHOWN = 80  # characters of a value that makes no sense
MONEY = re.compile(r"-?\d{1,15}(\.\d{1,4})?")
NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?")

Check = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class Each:
    """A list whose members all have a shape; with `names`, they differ in that field."""

    shape: "Shape"
    differ_in: str | None = None

    def faults(self, given: object, what: str) -> Iterator[str]:
        """Yield what is wrong, by its place."""
        if not isinstance(given, list):
            yield f"{what}: is no list"
            return
        for number, one in enumerate(given, start=1):
            yield from self.shape.faults(one, f"{what} {number}")
        if self.differ_in:
            named = [str(one.get(self.differ_in)) for one in given if isinstance(one, dict)]
            if len(set(named)) < len(named):
                yield f"{what}: two of one {self.differ_in}"


@dataclass(frozen=True, slots=True)
class Shape:
    """Fields that must be there, and fields that may be there or be null."""

    must: Mapping[str, "Check | Shape | Each"]
    may: Mapping[str, "Check | Shape | Each"] = field(default_factory=dict)

    def faults(self, given: object, what: str) -> Iterator[str]:
        """Yield what is wrong: a field that is missing, unknown, or of unknown value."""
        if not isinstance(given, Mapping):
            yield f"{what}: is no object"
            return
        for name in self.must:
            if name not in given:
                yield f"{what}: has no {name}"
        for name, value in given.items():
            check = self.must.get(name) or self.may.get(name)
            if check is None:
                yield f"{what}: unknown {name}"
            elif value is None and name in self.may:
                continue
            elif isinstance(check, Shape | Each):
                yield from check.faults(value, f"{what} {name}")
            elif not check(value):
                yield f"{what}: unknown value of {name}: {value!r:.{SHOWN}}"


def one_of(*known: object) -> Check:
    """Return a check for a few values, by type and value."""
    return lambda value: any(type(value) is type(one) and value == one for one in known)


def optional(check: Check) -> Check:
    """Return a check that takes null as well."""
    return lambda value: value is None or check(value)


def all_of(check: Check) -> Check:
    """Return a check for a list whose members all pass."""
    return lambda value: isinstance(value, list) and all(check(one) for one in value)


def whole(least: int, most: int) -> Check:
    """Return a check for a whole number between two, both included."""
    return lambda value: type(value) is int and least <= value <= most


def permutation_of(*names: str) -> Check:
    """Return a check for a list of exactly these names, in any order."""
    return lambda value: (
        isinstance(value, list)
        and all(isinstance(one, str) for one in value)
        and sorted(value) == sorted(names)
    )


def is_text(value: object) -> bool:
    """Return whether a value is text that says something."""
    return isinstance(value, str) and value != ""


def is_flag(value: object) -> bool:
    """Return whether a value is true or false."""
    return isinstance(value, bool)


def is_day(value: object) -> bool:
    """Return whether a value is a day."""
    return isinstance(value, date)


def is_money(value: object) -> bool:
    """Return whether a value is an amount as it is printed."""
    return isinstance(value, str) and MONEY.fullmatch(value) is not None


def is_number(value: object) -> bool:
    """Return whether a value is a plain number that is not negative, printed or not."""
    printed = str(value) if type(value) in (int, Decimal) else value
    return isinstance(printed, str) and NUMBER.fullmatch(printed) is not None


def is_any(value: object) -> bool:
    """Return true: what is only told of a case, or compared as it stands."""
    return value is not None

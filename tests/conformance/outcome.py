"""What came of a set of published cases: its plain line, what failed, whether that is enough."""

from collections.abc import Sequence
from dataclasses import dataclass

EVERY = 100  # percent: the bar of a set that must agree whole


@dataclass(frozen=True, slots=True)
class Outcome:
    """A set: how many cases it has, how many failed, and what is to be said of those.

    `bar` is the share that must agree in percent; without one the set is only reported. A set
    without a case reaches nothing, unless it is one that may be empty.
    """

    name: str
    count: int
    failed: int = 0
    details: Sequence[str] = ()
    bar: int = 0
    may_be_empty: bool = False

    @property
    def passed(self) -> int:
        """How many cases have no fault."""
        return self.count - self.failed

    @property
    def is_enough(self) -> bool:
        """Whether the set has cases and reaches its bar."""
        if not self.count:
            return self.may_be_empty
        return self.passed * EVERY >= self.count * self.bar

    @property
    def line(self) -> str:
        """The plain line of the set."""
        return f"tier {self.name}: passed {self.passed} of {self.count}"

    @property
    def explanation(self) -> Sequence[str]:
        """What is said of the set before its line."""
        if not self.count and not self.may_be_empty:
            return (*self.details, f"  empty {self.name}: there is no case")
        return self.details


def outcome_of(
    name: str, faults: Sequence[tuple[str, str | None]], *, bar: int = 0, may_be_empty: bool = False
) -> Outcome:
    """Return the outcome of cases, each with its name and its first fault or none."""
    failed = [(case, fault) for case, fault in faults if fault is not None]
    details = [f"  failed {name} {case}: {fault}" for case, fault in failed]
    return Outcome(name, len(faults), len(failed), details, bar, may_be_empty)

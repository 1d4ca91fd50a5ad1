"""A policy as checked values: lines (rules and rows of tables), thresholds, reasons, examples.

A rule and a row of a table are both a line: a condition with what follows from it. Lines are
numbered through, rules first, in the order of the file; decisions name them by these numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from fenqi.core.risk.decision import HARMFUL, LADDER, DecisionKind, Effect
from fenqi.core.risk.input import Input, Purpose, Value
from fenqi.core.risk.policy.expression import (
    Any,
    Computed,
    Named,
    Not,
    Number,
    Term,
    Truth,
    both,
    walk,
)
from fenqi.core.values.place import Place, key_place

APPROVE = "approve"  # the outcome when no effect follows
REASONS_MAX = 4  # P3
STRENGTH: dict[Effect, int] = {effect: place for place, effect in enumerate(LADDER, start=1)}
# In which order reasons are told: of what harms first, so that it is never without one (P3).
WEIGHT: dict[Effect, int] = {
    effect: place for place, effect in enumerate(sorted(LADDER, key=HARMFUL.__contains__), start=1)
}


class Parameter(NamedTuple):
    """What an effect is given with; of several the strongest counts, the highest or the lowest."""

    name: str
    least: int
    most: int
    is_highest_strongest: bool


PARAMETERS: dict[Effect, Parameter] = {
    Effect.COOLER_MENU: Parameter("counts_max", 1, 60, is_highest_strongest=False),
    Effect.SMALLER_LIMIT: Parameter("limit_ppm", 0, 999_999, is_highest_strongest=False),
    Effect.DEARER_PRICE: Parameter("rise_ppm", 1, 1_000_000, is_highest_strongest=True),
    Effect.REVIEW: Parameter("priority", 1, 3, is_highest_strongest=False),  # 1 is most urgent
    Effect.HOLD: Parameter("hours", 1, 72, is_highest_strongest=True),
    Effect.FREEZE: Parameter("days", 1, 30, is_highest_strongest=True),
}


class Act(NamedTuple):
    """An effect with its parameter, 0 where it has none.

    Units: counts_max instalments; limit_ppm the share of the limit left for new purchases; rise_ppm
    of the price; priority 1 to 3; hold in hours; freeze in days.
    """

    effect: Effect
    amount: int = 0

    @property
    def word(self) -> str:
        """The effect as decisions keep it, such as hold:24."""
        return f"{self.effect.value}:{self.amount}" if self.effect in PARAMETERS else self.effect


class Offer(NamedTuple):
    """Plans on the menu: a product in some numbers of instalments.

    Units: `price_ppm` of the product's own price, 1_000_000 the price as listed, never above.
    """

    product: str
    counts: tuple[int, ...]
    price_ppm: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """A condition and what follows from it.

    `when` is the own condition; a line does not count while one of the lines `suppressed_by`
    holds. `text` is the condition as the file has it.
    """

    number: int
    name: str  # of a row: table.row
    purpose: Purpose
    when: Truth
    text: str
    acts: tuple[Act, ...] = ()
    points: int = 0
    reason: str | None = None
    offers: tuple[Offer, ...] = ()
    suppressed_by: tuple[int, ...] = ()

    @property
    def part(self) -> str:
        """How it is called among the parts of its policy."""
        return f"row {self.name}" if "." in self.name else f"rule {self.name}"

    @property
    def is_harmful(self) -> bool:
        """Whether the line itself leads to an effect that harms."""
        return any(act.effect in HARMFUL for act in self.acts)

    @property
    def strength(self) -> int:
        """The place of its strongest effect on the ladder, 0 for none."""
        return max((STRENGTH[act.effect] for act in self.acts), default=0)

    @property
    def weight(self) -> int:
        """How early its reason is told, 0 for none."""
        return max((WEIGHT[act.effect] for act in self.acts), default=0)


@dataclass(frozen=True, slots=True)
class Table:
    """Lines that belong together. With `is_first` only the first row that holds counts.

    If a row before it is unknown, nobody can say which row is the first: then row `if_unknown`
    counts, or none. `named` are the inputs its columns name, those too that no cell asks about.
    """

    name: str
    is_first: bool
    lines: tuple[int, ...]
    if_unknown: int | None = None
    named: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Threshold:
    """What follows from a sum of points; every threshold that is reached counts."""

    at_least: int
    acts: tuple[Act, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """Inputs and what must be decided for them; an input that is not given is unknown."""

    says: str
    given: Mapping[str, Value]
    outcome: str
    reasons: tuple[str, ...] | None = None
    hits: tuple[str, ...] | None = None  # names of the lines, in their order
    effects: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of one policy. Equal texts over equal inputs decide equally, everywhere.

    `inputs` are those it looks at, in the order its compiled form takes their values.
    """

    name: str
    version: int
    kind: DecisionKind
    owner: str
    author: str
    purpose: Purpose
    valid_from: date
    valid_until: date | None
    inputs: tuple[Input, ...]
    lines: tuple[Line, ...]
    tables: tuple[Table, ...]
    thresholds: tuple[Threshold, ...]
    reasons: Mapping[str, Mapping[str, str]]  # code -> language -> what the customer is told
    examples: tuple[Example, ...]
    text: str
    file: str = ""
    currency: str | None = None  # of the amounts it names, None if it names none by currency
    # Where parts stand in the text: rule NAME, row TABLE.NAME, example PLACE ... -> possible keys.
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    def place(self, part: str, name: str) -> Place:
        """Return where a field of a part stands in the text; the part where it lacks the field."""
        known = self.keys.get(part, ())
        places = (key_place(self.text, f"{key}.{name}" if key else name) for key in known)
        return next((place for place in places if place), Place())

    def condition(self, line: Line) -> Truth:
        """Return when a line counts: its condition holds and nothing that suppresses it does."""
        return suppressed(line.when, tuple(self.lines[one] for one in line.suppressed_by), self)

    def row(self, given: Mapping[str, Value]) -> tuple[Value, ...]:
        """Return the values of named inputs in the order of `inputs`; who is absent is unknown."""
        return tuple(given.get(one.name) for one in self.inputs)

    def is_foreign(self, currency: str) -> bool:
        """Whether its amounts are in another currency: what it compares would mean nothing."""
        return self.currency is not None and self.currency != currency

    @property
    def terms(self) -> frozenset[Term]:
        """The values its conditions look at, computed ones and their parts."""
        nodes = (node for line in self.lines for node in walk(line.when))
        return frozenset(node for node in nodes if isinstance(node, Named | Number | Computed))

    @property
    def in_tables(self) -> frozenset[int]:
        """The numbers of the lines that are rows of first-hit tables."""
        return frozenset(one for table in self.tables if table.is_first for one in table.lines)


class Verdict(NamedTuple):
    """What a policy decides about one row of inputs.

    `outcome` is the strongest effect or approve; `effects` each effect once, strongest first, with
    its strongest parameter; `reasons` at most four codes of lines that led to the effects, those
    of harm first; `points` the sum of the lines that were hit; `hits` and `unknown` numbers of
    lines, in the order in which their reasons are told; `offers` the menu, if there is one.
    """

    outcome: str
    effects: tuple[Act, ...]
    reasons: tuple[str, ...]
    points: int
    hits: tuple[int, ...]
    unknown: tuple[int, ...]
    offers: tuple[Offer, ...]


def suppressed(when: Truth, by: tuple[Line, ...], policy: Policy) -> Truth:
    """Return a condition that holds only where none of the lines `by` counts."""
    if not by:
        return when
    others = tuple(policy.condition(one) for one in by)
    return both(when, Not(others[0] if len(others) == 1 else Any(others)))

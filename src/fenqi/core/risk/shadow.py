"""A challenger policy beside the live one: what it would have decided, and where the two part.

A challenger is asked about the inputs a live decision kept, and the features its events come to;
what nobody can tell any more is unknown to it, which harms nobody. It decides nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.policy import Policy, Verdict
from fenqi.core.risk.purchase import Moved
from fenqi.core.risk.rulebook import Rulebook


class Challenged(NamedTuple):
    """What a challenger says of one live decision; `unrecorded` inputs are not to be had."""

    verdict: Verdict
    unrecorded: int


def challenge(challenger: Rulebook, given: Mapping[str, Value]) -> Challenged:
    """Return what a challenger decides about the inputs of a live decision, by name."""
    policy = challenger.policy
    unrecorded = sum(one.name not in given for one in policy.inputs)
    return Challenged(challenger.decide(policy.row(given)), unrecorded)


class Pair(NamedTuple):
    """Decisions of which both sides said the same things, and how many there were.

    `moved` are the plans their policies offer differently.
    """

    live_rules: frozenset[str]
    live_outcome: str
    rules: frozenset[str]
    outcome: str
    decisions: int
    moved: tuple[Moved, ...] = ()


@dataclass(slots=True)
class RuleCount:
    """How often a rule of one name was hit: by both, or by one side only."""

    both: int = 0
    live_only: int = 0
    challenger_only: int = 0
    in_live: bool = False
    in_challenger: bool = False


@dataclass(slots=True)
class Comparison:
    """Where two policies part: outcomes live by challenger, the hits of each rule, the menus.

    `menus` counts decisions with another menu, `plans` how often a plan is offered otherwise.
    """

    decisions: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    rules: dict[str, RuleCount] = field(default_factory=dict)
    menus: int = 0
    plans: Counter[Moved] = field(default_factory=Counter)

    @property
    def differing(self) -> int:
        """How many decisions would have come out differently."""
        return sum(count for (live, other), count in self.outcomes.items() if live != other)


def compare(
    pairs: Iterable[Pair], live_rules: Iterable[str], challenger_rules: Iterable[str]
) -> Comparison:
    """Return where live decisions and a challenger part."""
    found = Comparison()
    for name in live_rules:
        found.rules.setdefault(name, RuleCount()).in_live = True
    for name in challenger_rules:
        found.rules.setdefault(name, RuleCount()).in_challenger = True
    for pair in pairs:
        found.decisions += pair.decisions
        found.outcomes[pair.live_outcome, pair.outcome] += pair.decisions
        found.menus += pair.decisions if pair.moved else 0
        for one in pair.moved:
            found.plans[one] += pair.decisions
        for name in pair.live_rules | pair.rules:
            rule = found.rules.setdefault(name, RuleCount())
            if name in pair.live_rules and name in pair.rules:
                rule.both += pair.decisions
            elif name in pair.live_rules:
                rule.live_only += pair.decisions
            else:
                rule.challenger_only += pair.decisions
    return found


def names_of(policy: Policy, hits: Sequence[int]) -> frozenset[str]:
    """Return the names of the lines that were hit."""
    return frozenset(policy.lines[number].name for number in hits)

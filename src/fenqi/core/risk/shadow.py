"""A challenger policy beside the live one: what it would have decided, and where the two part.

A challenger is asked about the inputs a live decision kept, and the features its events come to;
what nobody can tell any more is unknown to it, which harms nobody. It decides nothing. What stood
beside the live policy stands beside the challenger too: law and means of an application, what holds
for every purchase, what was not carried out. So a policy that challenges itself parts from nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fenqi.core.risk import application
from fenqi.core.risk.breaker import held_in, outcome_of, soften
from fenqi.core.risk.consequence import outcome_reasons
from fenqi.core.risk.decision import Effect
from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.policy import APPROVE, Policy
from fenqi.core.risk.purchase import Moved
from fenqi.core.risk.rulebook import Rulebook

STARTER = "starter"  # the judge of what holds for every purchase, whatever a policy says


class Live(NamedTuple):
    """A live decision: its outcome, its effects as it keeps them, what it was made by."""

    outcome: str
    effects: Sequence[str]
    content: Mapping[str, Any]


class Challenged(NamedTuple):
    """What a challenger says of one live decision; `unrecorded` inputs are not to be had."""

    outcome: str
    effects: tuple[str, ...]
    reasons: tuple[str, ...]
    points: int
    hits: tuple[int, ...]
    unknown: tuple[int, ...]
    unrecorded: int


def challenge(challenger: Rulebook, given: Mapping[str, Value], live: Live) -> Challenged:
    """Return what a challenger decides about the inputs of a live decision, by name.

    Errors: ScorecardInvalid if the card of an application was changed.
    """
    policy, held = challenger.policy, held_in(live.effects)
    given = _in_words_of(policy, given, live.content.get("choices", {}))
    verdict = challenger.decide(policy.row(given))
    unrecorded = sum(one.name not in given for one in policy.inputs)
    judge = live.content.get("judge")
    if judge == application.JUDGE:
        made = application.rule_by(live.content, given, application.opinion_of(challenger), held)
        said = (made.outcome, made.effects, made.reasons, verdict.points, made.hits)
        return Challenged(*said, verdict.unknown, unrecorded)
    effects = soften([act.word for act in verdict.effects], held)
    outcome = outcome_of(effects, otherwise=APPROVE)
    reasons = outcome_reasons(policy, verdict, outcome, held)
    if judge == STARTER and live.outcome == Effect.DECLINE.value:
        outcome = live.outcome  # for the reasons of the house, unless the policy has its own
    said = (outcome, effects, reasons, verdict.points, verdict.hits)
    return Challenged(*said, verdict.unknown, unrecorded)


def _in_words_of(
    policy: Policy, given: Mapping[str, Value], choices: Mapping[str, Sequence[str]]
) -> Mapping[str, Value]:
    """Return inputs of which a choice is the place of the same word among a policy's choices.

    `choices` are those the inputs were kept by; a word that the policy does not know is unknown.
    """
    changed: dict[str, Value] = {}
    for one in policy.inputs:
        words, value = choices.get(one.name), given.get(one.name)
        if words is not None and value is not None and tuple(words) != one.choices:
            word = words[value]
            changed[one.name] = one.choices.index(word) if word in one.choices else None
    return {**given, **changed} if changed else given


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

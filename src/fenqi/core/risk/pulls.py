"""What a policy's verdict wants of a limit or a price, line by line.

The verdict says how far the value may be harmed at most: by the strongest parameter of its effect.
That is shared by the lines that led to it, and a line that looks at the score shares on, by the
points each characteristic lost. Lines with points below zero speak for the customer. What harms is
never more than the verdict says, and nothing if the effect is not in it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from fenqi.core.risk.change import (
    PARTS_MAX,
    SCORE,
    ChangeInvalid,
    ChangeTerms,
    Pull,
    Subject,
    apportion,
    by_points,
)
from fenqi.core.risk.decision import Effect
from fenqi.core.risk.policy.expression import names
from fenqi.core.risk.policy.policy import Line, Policy, Verdict
from fenqi.core.values.rate import PPM

HARMS = {Subject.LIMIT: Effect.SMALLER_LIMIT, Subject.PRICE: Effect.DEARER_PRICE}
SCORE_INPUT = "score_points"


@dataclass(frozen=True, slots=True)
class Lost:
    """What a score lost: points per characteristic, and the code told of each."""

    points: Mapping[str, int]
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Wants:
    """What a verdict wants: pulls, the names of lines nobody could tell of, and the most harm.

    Units: pulls and `harm_ppm_max` in ppm of the base.
    """

    pulls: tuple[Pull, ...]
    unknown: frozenset[str]
    harm_ppm_max: int


def wants(
    policy: Policy,
    verdict: Verdict,
    terms: ChangeTerms,
    *,
    lost: Lost | None = None,
    stands: Collection[str] = (),
) -> Wants:
    """Return what a verdict of a limit or price policy wants; `stands` names the parts there are.

    Errors: ChangeInvalid if more lines want something than a value has parts.
    """
    harm_ppm = _harm_ppm(verdict, terms.subject)
    hit = [policy.lines[number] for number in verdict.hits]
    pulls = [
        *_harmful(hit, harm_ppm, terms.subject, lost),
        *(_for(line, terms) for line in hit if line.points < 0 and terms.ppm_per_point),
    ]
    if len(pulls) > PARTS_MAX:
        raise ChangeInvalid(names=[pull.name for pull in pulls], most=PARTS_MAX)
    return Wants(tuple(pulls), _unknown(policy, verdict, stands), harm_ppm)


def _harm_ppm(verdict: Verdict, subject: Subject) -> int:
    """Return the share of the base that the verdict takes off a limit or adds to a price."""
    effect = HARMS[subject]
    amounts = [act.amount for act in verdict.effects if act.effect is effect]
    if not amounts:
        return 0
    return PPM - amounts[0] if subject is Subject.LIMIT else amounts[0]


def _harmful(hit: Sequence[Line], harm_ppm: int, subject: Subject, lost: Lost | None) -> list[Pull]:
    """Return the shares of the lines that led to the harm; those with points if points did."""
    if not harm_ppm:
        return []
    weights = [(line, _weight(line, subject)) for line in hit]
    if not any(weight for _, weight in weights):
        weights = [(line, max(0, line.points)) for line in hit]
    led = [(line, weight) for line, weight in weights if weight]
    shares = apportion(harm_ppm, [weight for _, weight in led])
    pulls: list[Pull] = []
    for (line, _), share in zip(led, shares, strict=True):
        pull = Pull(line.name, subject.harm * share, line.reason)
        is_split = lost is not None and _looks_at_score(line)
        pulls += by_points(pull, lost.points, lost.reasons) if lost and is_split else [pull]
    return _merged(pulls)


def _merged(pulls: Sequence[Pull]) -> list[Pull]:
    """Return each name once: two lines may look at the score."""
    merged: dict[str, Pull] = {}
    for pull in pulls:
        other = merged.get(pull.name)
        ppm = pull.ppm + (other.ppm if other else 0)
        merged[pull.name] = Pull(pull.name, ppm, other.reason if other else pull.reason)
    return [pull for pull in merged.values() if pull.ppm]


def _weight(line: Line, subject: Subject) -> int:
    amounts = [act.amount for act in line.acts if act.effect is HARMS[subject]]
    if not amounts:
        return 0
    return PPM - amounts[0] if subject is Subject.LIMIT else amounts[0]


def _for(line: Line, terms: ChangeTerms) -> Pull:
    """Return what speaks for the customer: points below zero, each worth its share."""
    return Pull(f"for:{line.name}", terms.subject.harm * line.points * terms.ppm_per_point)


def _unknown(policy: Policy, verdict: Verdict, stands: Collection[str]) -> frozenset[str]:
    """Return the names whose parts stay as they are: of unknown lines, and of an unknown score."""
    unknown: set[str] = set()
    for number in verdict.unknown:
        line = policy.lines[number]
        unknown |= {line.name, f"for:{line.name}"}
        if _looks_at_score(line):
            unknown |= {name for name in stands if name.startswith(f"{SCORE}:")}
    return frozenset(unknown)


def _looks_at_score(line: Line) -> bool:
    return SCORE_INPUT in names(line.when)

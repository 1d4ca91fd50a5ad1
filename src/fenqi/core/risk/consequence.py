"""What asks for an effect of a verdict: its reasons, how strong its evidence is, its cause's name.

An effect is told with the reasons of the lines that asked for it and with no others (P3): that a
customer was late before is no reason to decline where it only made the menu cooler. A cause is
named by the reason of the line that asks, not by where it was seen, so that one finding does its
harm once whether a login or a purchase met it.
"""

from collections.abc import Collection, Sequence
from enum import IntEnum
from typing import NamedTuple

from fenqi.core.risk.decision import HARMFUL, LADDER, Effect
from fenqi.core.risk.policy.expression import names
from fenqi.core.risk.policy.policy import (
    APPROVE,
    REASONS_MAX,
    Act,
    Line,
    Offer,
    Policy,
    Verdict,
)
from fenqi.core.risk.purchase import Plan
from fenqi.core.risk.response import Strength

UNTOLD = "check-asked"  # the reason of a response whose line names none


class Telling(IntEnum):
    """Which reasons a decision keeps; a record says which, so that old ones are made again."""

    ALL = 1  # of every effect of its verdict, as it was before
    OUTCOME = 2  # of its outcome alone; of an application, of one effect after the other
    # Also of the rows its menu is from, where the outcome stops nothing; of an application, the
    # first of each effect before the second of any.
    FULL = 3


# Outcomes beside which a purchase goes on, by one plan or another of its menu.
GOES_ON = frozenset({APPROVE, Effect.NUDGE, Effect.RELIEF, Effect.COOLER_MENU, Effect.REVIEW})


def reasons_of(policy: Policy, said: Verdict, effect: Effect) -> tuple[str, ...]:
    """Return at most four codes of the lines that ask for an effect, each once."""
    codes = [one.reason for one in _asking(policy, said, effect) if one.reason is not None]
    return tuple(dict.fromkeys(codes))[:REASONS_MAX]


def outcome_reasons(
    policy: Policy,
    said: Verdict,
    outcome: str,
    held: Collection[Effect] = (),
    telling: Telling = Telling.FULL,
) -> tuple[str, ...]:
    """Return the reasons a decision keeps of the outcome a verdict came to.

    `held` is what was held back of it; `telling`, of OUTCOME or FULL, whether the rows its menu is
    from are told besides.
    """
    told: tuple[str, ...] = ()
    if outcome != APPROVE:
        effect = Effect(outcome)
        if held and all(act.effect is not effect for act in said.effects):
            effect = max(held, key=LADDER.index)  # a review stands in its place
        told = reasons_of(policy, said, effect)
    if telling is not Telling.FULL or outcome not in GOES_ON:
        return told
    return tuple(dict.fromkeys([*told, *menu_reasons(policy, said)]))[:REASONS_MAX]


def menu_reasons(policy: Policy, said: Verdict) -> tuple[str, ...]:
    """Return why a menu is as it is: the codes of the rows it is from, each once."""
    lines = [policy.lines[one] for one in said.hits]
    codes = [one.reason for one in lines if one.offers and one.reason is not None]
    return tuple(dict.fromkeys(codes))[:REASONS_MAX]


def left_out_reasons(policy: Policy, said: Verdict, plan: Plan) -> tuple[str, ...]:
    """Return why the rows of a menu leave out a plan, none where no other line offers it.

    To offer it is to offer it at that price, or below.
    """
    hits = frozenset(said.hits)
    others = [one for one in policy.lines if one.offers and one.number not in hits]
    if not any(_offers(one.offers, plan) for one in others):
        return ()
    return menu_reasons(policy, said)


def _offers(offers: Sequence[Offer], plan: Plan) -> bool:
    product, count, price = plan
    return any(
        one.product == product and count in one.counts and one.price_ppm <= price for one in offers
    )


def asked_as(said: Verdict, acts: Collection[Act], effect: Effect) -> Effect:
    """Return what was asked for where an effect is carried out: itself, or what it stands for.

    A review nobody asked for stands for the harm that was held back, a nudge for help that there
    is none of.
    """
    asked = {act.effect for act in said.effects}
    if effect in asked:
        return effect
    held = (asked & HARMFUL) - {act.effect for act in acts}
    if effect is Effect.REVIEW and held:
        return max(held, key=LADDER.index)
    return Effect.RELIEF if effect is Effect.NUDGE else effect


def cause_of(policy: Policy, said: Verdict, effect: Effect) -> str:
    """Return the cause an effect is remembered by."""
    return f"policy/{(reasons_of(policy, said, effect) or (UNTOLD,))[0]}"


class Cause(NamedTuple):
    """What an effect is remembered by; shared if it looks at what several accounts share."""

    name: str
    is_shared: bool = False


def cause_of_line(line: Line, shared: Collection[str]) -> Cause:
    """Return the cause that what a line alone asks for is remembered by.

    `shared` names the features over identifiers.
    """
    return Cause(f"policy/{line.reason or UNTOLD}", not names(line.when).isdisjoint(shared))


def causes_of(
    policy: Policy, said: Verdict, effect: Effect, shared: Collection[str]
) -> list[Cause]:
    """Return the causes of an effect, one for each line; of a sum of points one, the customer's."""
    lines = asking(policy, said, effect)
    if not lines:
        return [Cause(cause_of(policy, said, effect))]
    return [cause_of_line(line, shared) for line in lines]


def shared_causes(policy: Policy, said: Verdict, shared: Collection[str]) -> set[str]:
    """Return the causes of a verdict's lines that look at whom an identifier is shared with."""
    hit = (policy.lines[one] for one in said.hits)
    found = (cause_of_line(line, shared) for line in hit if line.reason)
    return {cause.name for cause in found if cause.is_shared}


def asking(policy: Policy, said: Verdict, effect: Effect) -> list[Line]:
    """Return the lines that ask for an effect themselves, none if only their points do."""
    lines = [policy.lines[one] for one in said.hits]
    return [one for one in lines if any(act.effect is effect for act in one.acts)]


def strength_of(policy: Policy, said: Verdict, effect: Effect) -> Strength:
    """Return how much the evidence for an effect says: weak if only weak lines ask for it.

    A line is weak if what it looks at says more of a place than of a person (P6).
    """
    weak = {one.name for one in policy.inputs if one.is_weak}
    asking = _asking(policy, said, effect)
    is_weak = bool(asking) and all(weak & names(one.when) for one in asking)
    return Strength.WEAK if is_weak else Strength.STRONG


def _asking(policy: Policy, said: Verdict, effect: Effect) -> Sequence[Line]:
    """Return the lines that ask for an effect, those that say most first.

    If only the sum of points asks for it, those are the lines with points for it.
    """
    lines = [policy.lines[one] for one in said.hits]
    own = [one for one in lines if any(act.effect is effect for act in one.acts)]
    if own or all(act.effect is not effect for act in said.effects):
        return own
    return sorted((one for one in lines if one.points > 0), key=lambda one: -one.points)

"""What asks for an effect of a verdict: how strong its evidence is, and what its cause is called.

A cause is named by the reason of the line that asks, not by where it was seen, so that one finding
does its harm once whether a login or a purchase met it.
"""

from collections.abc import Sequence

from fenqi.core.risk.decision import Effect
from fenqi.core.risk.policy.expression import names
from fenqi.core.risk.policy.policy import Line, Policy, Verdict
from fenqi.core.risk.response import Strength

UNTOLD = "check-asked"  # the reason of a response whose line names none


def cause_of(policy: Policy, said: Verdict, effect: Effect) -> str:
    """Return the cause an effect is remembered by."""
    told = [one.reason for one in _asking(policy, said, effect) if one.reason is not None]
    return f"policy/{(told or said.reasons or (UNTOLD,))[0]}"


def cause_of_line(line: Line) -> str:
    """Return the cause that what a line alone asks for is remembered by."""
    return f"policy/{line.reason or UNTOLD}"


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
    """Return the lines that ask for an effect; those with points if only their sum asks for it."""
    lines = [policy.lines[one] for one in said.hits]
    own = [one for one in lines if any(act.effect is effect for act in one.acts)]
    return own or [one for one in lines if one.points > 0]

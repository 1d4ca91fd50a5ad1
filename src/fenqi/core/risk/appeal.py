"""An appeal: somebody contests a decision about them, and a person who did not make it looks again.

Only what was told as harm, or kept somebody from what they wanted, can be contested; once, and
within the days of the pack. What is found is an answer to reasons: those that were refuted, or
those that stand.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from enum import StrEnum

from fenqi.core.account import Reason
from fenqi.core.errors import Conflict, Invalid
from fenqi.core.risk.change import Change, Standing, Subject
from fenqi.core.risk.policy.policy import APPROVE, REASONS_MAX
from fenqi.core.risk.response import ProtectionKind

# What stops a purchase for a reason that holds whatever a policy says, and ends with that reason.
STOPPED_BY = {
    Reason.PURCHASES_HELD.value: ProtectionKind.HOLD,
    Reason.ACCOUNT_FROZEN.value: ProtectionKind.FREEZE,
    Reason.CHECK_ASKED.value: ProtectionKind.STEP_UP,
    Reason.LIMIT_EXCEEDED.value: ProtectionKind.SMALLER_LIMIT,
}


class Answer(StrEnum):
    """How an appeal ends."""

    UPHELD = "upheld"  # the decision was wrong, and what it did is undone
    NOT_UPHELD = "not-upheld"  # it stands


class NothingToContest(Conflict):
    """The decision took nothing from whom it is about."""

    code = "nothing-to-contest"


class AppealTooLate(Conflict):
    """The days in which the decision could be contested are over."""

    code = "appeal-too-late"


class AppealReasonUnknown(Invalid):
    """An answer names a reason the decision was not made for, or names none."""

    code = "appeal-reason-unknown"


def took_something(outcome: str, reasons: Collection[str]) -> bool:
    """Whether a decision took something from whom it is about: harm, or a plan of the menu."""
    return outcome != APPROVE or bool(reasons)


def contestable_until(
    outcome: str, reasons: Collection[str], decided_on: date, *, days: int
) -> date | None:
    """Return the last day on which a decision may be contested, None if it took nothing."""
    return decided_on + timedelta(days=days) if took_something(outcome, reasons) else None


def check_may_contest(
    outcome: str, reasons: Collection[str], decided_on: date, on: date, *, days: int
) -> None:
    """Refuse an appeal against a decision that took nothing, or that is too old.

    Errors: NothingToContest, AppealTooLate.
    """
    last_on = contestable_until(outcome, reasons, decided_on, days=days)
    if last_on is None:
        raise NothingToContest(outcome=outcome)
    if on > last_on:
        raise AppealTooLate(decided_on=decided_on, last_on=last_on)


def stopping(reasons: Collection[str]) -> frozenset[ProtectionKind]:
    """Return the kinds of protections for which a purchase was stopped, by its reasons."""
    return frozenset(STOPPED_BY[one] for one in reasons if one in STOPPED_BY)


def answered(named: Sequence[str], told: Sequence[str]) -> tuple[str, ...]:
    """Return the reasons an answer is about: those named of the decision's, all if none is named.

    Errors: AppealReasonUnknown.
    """
    given = tuple(dict.fromkeys(named or told))[:REASONS_MAX]
    strange = next((one for one in given if one not in told), None)
    if strange is not None or not given:
        raise AppealReasonUnknown(reason=strange or "", known=", ".join(told))
    return given


def restored(
    subject: Subject, standing: Standing, parts: Mapping[str, int], levels: Sequence[int] = ()
) -> Change | None:
    """Return the change that takes back what an earlier one did, None if nothing of it stands.

    Of each part that harmed, as much comes back as still stands on the value; what other decisions
    did meanwhile stays. A price may only take `levels`: it falls to the nearest at or below.

    Units: those of the subject.
    """
    back: dict[str, int] = {}
    for name, part in parts.items():
        here = standing.parts.get(name, 0)
        if part * subject.harm > 0 and here * subject.harm > 0:
            back[name] = -min(abs(part), abs(here)) * subject.harm
    old = standing.value
    new = old + sum(back.values())
    if levels and back:
        level = max((one for one in levels if one <= new), default=min(levels))
        first = next(iter(back))
        back[first] += level - new
        new = level
    if (new - old) * subject.harm >= 0:
        return None
    left = {name: standing.parts.get(name, 0) + part for name, part in back.items()}
    after = {name: part for name, part in ({**standing.parts, **left}).items() if part}
    return Change(
        subject=subject,
        old=old,
        new=new,
        wanted=new,
        parts={name: part for name, part in back.items() if part},
        standing=replace(standing, parts=dict(sorted(after.items()))),
        reasons=(),
        bounds=(),
        turns=0,
    )

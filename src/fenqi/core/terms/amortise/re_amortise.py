"""Re-amortisation: what is past due is spread over the rows to come, whose days stay.

Source: README of the published vectors, "Re-amortise".
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from fenqi.core.terms.amortise.deferral import take_deferral_back
from fenqi.core.terms.amortise.leftover import cover_outstanding, place_leftover
from fenqi.core.terms.amortise.level import set_level_instalments, smooth
from fenqi.core.terms.amortise.model import Model, Overdue
from fenqi.core.terms.amortise.period import Period
from fenqi.core.terms.amortise.rounding import rounded


def re_amortise(model: Model, on: date) -> None:
    """Let past rows keep what was paid, and level the later ones over all that is outstanding."""
    lift_grace(model)
    model.settle()
    overdue = open_overdue(model, on)
    take_deferral_back(model, on)
    forget_overdue(model, overdue)
    leave_past(model, on)
    related = [period for period in model.periods if period.due_on > on]
    _level(model, related, on)


def re_amortise_interest_equally(model: Model, on: date) -> None:
    """Do the same, but share the unpaid interest of past rows out in equal parts."""
    lift_grace(model)
    model.settle()
    overdue = open_overdue(model, on)
    take_deferral_back(model, on)
    past = [period for period in model.periods if period.due_on <= on and not period.is_paid]
    later = [period for period in model.periods if period.due_on > on]
    unpaid = sum(period.due_interest_minor - period.paid_interest_minor for period in past)
    unpaid += past[-1].carried_on_minor if past else 0  # ran in them and found no room
    forget_overdue(model, overdue)
    for period in past:
        move_interest_on(period)
    model.refresh_factors(model.first_due_from(on))
    _share_out(model, unpaid, later)
    _level(model, later, on)


def lift_grace(model: Model) -> None:
    """End the grace of the first rows: another agreement has replaced it."""
    model.is_grace_lifted = True
    for period in model.periods:
        period.is_principal_grace = False


def leave_past(model: Model, on: date) -> None:
    """Let rows begun by a day and not paid ask for no more than was paid.

    The running row, which will be levelled again, keeps what was credited to it. The principal of
    the others stays in the balance.
    """
    for period in _left(model, on):
        if period.due_on > on:
            period.ask(max(0, period.paid_minor - period.credited_minor))
        else:
            close_with_what_was_paid(period)


def _left(model: Model, on: date) -> list[Period]:
    return [one for one in model.periods if one.starts_on <= on and not one.is_paid]


def close_with_what_was_paid(period: Period) -> None:
    """Let a row ask for what was paid, no more; what was credited to it goes elsewhere."""
    period.instalment_minor = period.paid_minor
    credited = sum(segment.credited_interest_minor for segment in period.segments)
    period.moved_away_minor = period.credited_principal_minor + max(0, credited)
    period.is_stale = True


def open_overdue(model: Model, on: date) -> list[Overdue]:
    """Return principal that is overdue and open on a day, and the day up to which it was counted.

    Where it bears interest the balance was corrected for it up to that day (`correct_overdue`).
    Else it was out of the balance all the time, which is the same as counted back to its due day.
    """
    until = model.overdue_on or min(on, model.periods[-1].due_on)
    rows = [row for row in model.periods[: model.first_due_from(until)] if not row.is_early_holder]
    return [Overdue(until, row.open_principal_minor, row.due_on) for row in rows]


def forget_overdue(model: Model, overdue: Sequence[Overdue]) -> None:
    """Take back what balances differ by because of overdue principal that no row will ask for.

    Left in the balance without a correction it bears interest all the time; where the terms say
    none on what is past due, taking the same back keeps it out from its due day to this one. What
    was repaid lowered the balance on its own day, and goes on doing so. It is noted, so that the
    rows to come are levelled over all that is outstanding, whether it bore interest or not.
    """
    for one in overdue:
        if one.amount_minor:
            model.correct_for_overdue(one.due_on, -one.amount_minor)
            model.correct_for_overdue(one.on, one.amount_minor)


def move_interest_on(period: Period) -> None:
    """Let a row ask for what was paid; all its other interest is asked for elsewhere."""
    close_with_what_was_paid(period)
    period.fixed_interest_minor = period.deferred_minor = 0
    period.is_moved_on = True


def _share_out(model: Model, unpaid_minor: int, later: Sequence[Period]) -> None:
    """Let the rows to come that are not paid ask for interest in equal parts, each rounded.

    If all are paid ahead, the last one asks for it.
    """
    if not later or not unpaid_minor:
        return
    rows = [period for period in later if not period.is_paid]
    if not rows:
        rows = [later[-1]]
        rows[0].ask(rows[0].instalment_minor + unpaid_minor)
    share = rounded(model.math.divide(Decimal(unpaid_minor), Decimal(len(rows))))
    for period in rows:
        period.fixed_interest_minor += share
        period.is_stale = True


def _level(model: Model, related: Sequence[Period], on: date) -> None:
    set_level_instalments(model, related)
    place_leftover(model, on)
    smooth(model, related)
    cover_outstanding(model, on)

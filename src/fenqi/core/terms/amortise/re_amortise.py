"""Re-amortisation: what is past due is spread over the rows to come, whose days stay.

Source: README of the published vectors, "Re-amortise".
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from fenqi.core.terms.amortise.leftover import cover_outstanding, place_leftover
from fenqi.core.terms.amortise.level import set_level_instalments, smooth
from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.amortise.period import Period
from fenqi.core.terms.amortise.rounding import rounded


def re_amortise(model: Model, on: date) -> None:
    """Let past rows keep what was paid, and level the later ones over all that is outstanding."""
    lift_grace(model)
    model.settle()
    leave_past(model, on)
    related = [period for period in model.periods if period.due_on > on]
    _level(model, related, on)


def re_amortise_interest_equally(model: Model, on: date) -> None:
    """Do the same, but share the unpaid interest of past rows out in equal parts."""
    lift_grace(model)
    model.settle()
    past = [period for period in model.periods if period.due_on <= on and not period.is_paid]
    later = [period for period in model.periods if period.due_on > on]
    unpaid = sum(period.due_interest_minor - period.paid_interest_minor for period in past)
    _restart_balances(model, on)
    for period in past:
        if period.paid_principal_minor > 0:
            period.own()
            period.segments[-1].corrected_minor -= period.paid_principal_minor
        close_with_what_was_paid(period)
        period.is_moved_on = True
    model.refresh_factors(model.first_due_from(on))
    if unpaid > 0 and later:
        share = rounded(model.math.divide(Decimal(unpaid), Decimal(len(later))))
        for period in later:
            period.fixed_interest_minor += share
            period.is_stale = True
    _level(model, later, on)


def lift_grace(model: Model) -> None:
    """End the grace of the first rows: another agreement has replaced it."""
    model.is_grace_lifted = True
    for period in model.periods:
        period.is_principal_grace = False


def leave_past(model: Model, on: date) -> None:
    """Let rows begun by a day and not paid ask for no more than was paid.

    The running row, which will be levelled again, keeps what was credited to it. The principal of
    the others stays in the balance anyway, so a correction made because it was overdue is taken
    back.
    """
    for period in model.periods:
        if period.starts_on > on or period.is_paid:
            continue
        period.own()
        for segment in period.segments:
            if segment.ends_on == on:
                segment.corrected_minor = 0
        if period.segments[-1].corrected_minor:
            period.segments[-1].corrected_minor -= period.open_principal_minor
        if period.due_on > on:
            period.ask(max(0, period.paid_minor - period.credited_minor))
        else:
            close_with_what_was_paid(period)
    model.overdue.clear()


def close_with_what_was_paid(period: Period) -> None:
    """Let a row ask for what was paid, no more; what was credited to it goes elsewhere."""
    period.instalment_minor = period.paid_minor
    credited = sum(segment.credited_interest_minor for segment in period.segments)
    period.moved_away_minor = period.credited_principal_minor + max(0, credited)
    period.is_stale = True


def _restart_balances(model: Model, on: date) -> None:
    """Take all corrections back, then let what paid rows repaid leave at their ends."""
    model.overdue.clear()
    for period in model.periods:
        period.own()
        for segment in period.segments:
            segment.corrected_minor = 0
        period.is_stale = True
        if period.is_paid and period.due_on <= on:
            period.segments[-1].corrected_minor -= period.paid_principal_minor


def _level(model: Model, related: Sequence[Period], on: date) -> None:
    set_level_instalments(model, related)
    place_leftover(model, on)
    smooth(model, related)
    cover_outstanding(model, on)

"""Re-ageing: unpaid rows end, and new ones from another day take what is outstanding.

Either interest runs on and the new rows are level instalments, or principal and interest are
settled and shared out in equal parts and no further interest runs.

Source: README of the published vectors, "Re-age".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from fenqi.core.terms.amortise.as_of import Outstanding, outstanding_as_of
from fenqi.core.terms.amortise.dates import later, spans
from fenqi.core.terms.amortise.events import credit, disburse, repeat_pauses
from fenqi.core.terms.amortise.leftover import leave_room, place_leftover
from fenqi.core.terms.amortise.level import smooth
from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.amortise.period import Period, Segment
from fenqi.core.terms.amortise.re_amortise import (
    forget_overdue,
    leave_past,
    lift_grace,
    move_interest_on,
    open_overdue,
)
from fenqi.core.terms.amortise.rounding import capped
from fenqi.core.terms.amortise.settings import Accrual, Interval, Settings, Unit
from fenqi.core.values.rate import Rounding, divide


@dataclass(frozen=True, slots=True)
class NewRows:
    """The rows a re-age makes: how many, the first due day, and how far apart."""

    count: int
    first_due_on: date
    interval: Interval


def re_age(model: Model, on: date, new: NewRows) -> None:
    """End the plan's rows on a day and level what is outstanding over new ones; interest runs on.

    Errors: DueDatesInvalid.
    """
    lift_grace(model)
    model.settle()
    principal = model.totals().open_principal_minor
    starts_with_plan = new.first_due_on == model.periods[0].starts_on
    start = new.first_due_on
    if not starts_with_plan:
        start = later(new.first_due_on, -new.interval.every, new.interval.unit)
    rows = _rows_of_their_own(model, start, new, principal)
    _forget_put_back(model, on)
    forget_overdue(model, open_overdue(model, on))
    paid = _end_on(model, on)
    leave_past(model, on)
    _merge_empty_stubs(model)
    if any(paid):
        _hold_early_payments(model, *paid)
    for number, (span, amount) in enumerate(rows):
        if starts_with_plan and number == 0:
            period = model.periods[0]
            period.stretch(period.starts_on, span[1])
            period.is_early_holder = False
        else:
            period = Period.between(model.periods[-1].due_on if number == 0 else span[0], span[1])
            if period.starts_on != span[0] or new.interval != model.settings.interval:
                period.segments = _by_intervals(model.settings, period)
            model.periods.append(period)
        period.instalment_minor = period.signed_minor = amount + period.paid_minor
        model.refresh_factor(period)
    place_leftover(model, on)
    if not principal:
        leave_room(model, model.periods[-1])  # for the interest that alone is owed
    smooth(model, _re_aged(model, on, new.first_due_on))
    repeat_pauses(model, on)


def _by_intervals(settings: Settings, period: Period) -> list[Segment]:
    """Return the days of a new row that is not as long as the plan's interval.

    Where interest counts by whole periods, whatever their days, such a row bears what its parts of
    them do; they are counted back from its due day.
    """
    interval = settings.interval
    if settings.accrual is not Accrual.PER_PERIOD or interval.unit is Unit.DAYS:
        return period.segments
    parts: list[Segment] = []
    begins = due_on = period.due_on
    while begins > period.starts_on:
        ends = begins
        begins = later(due_on, -interval.every * (len(parts) + 1), interval.unit)
        parts.append(Segment(max(begins, period.starts_on), ends, (begins, ends)))
    return parts[::-1] or period.segments


def _forget_put_back(model: Model, on: date) -> None:
    """Let what a day's chargebacks put back beyond what was repaid on it bear no interest.

    Source: published life LoanReAging-Part2#C4356: the 0.58 of 17.01 that had been interest.
    """
    place = model.find(on)
    if place is None:
        return
    of_day = [one for one in model.periods[place].segments if one.ends_on == on]
    overdue = sum(one.amount_minor for one in model.overdue if one.on == on)
    put_back = sum(one.corrected_minor for one in of_day) - overdue
    if put_back > 0:
        model.change_balance(on, corrected_minor=-put_back)


def equal_parts(total_minor: int, count: int) -> tuple[int, ...]:
    """Return equal parts of an amount, each rounded HALF_EVEN, the last one with the difference.

    None is more than the ones before it have left.
    """
    if total_minor <= 0:
        return (0,) * count
    part = divide(total_minor, count, rounding=Rounding.HALF_EVEN)
    return capped(total_minor, [part] * count)


def settled_for_equal_parts(model: Model, on: date, *, with_future_interest: bool) -> Outstanding:
    """Return what equal parts are made of: interest to the day, or to the end of the plan."""
    return outstanding_as_of(model, model.periods[-1].due_on if with_future_interest else on)


def re_age_in_equal_parts(
    model: Model,
    on: date,
    new: NewRows,
    *,
    with_future_interest: bool,
    charges_minor: Sequence[int] = (),
) -> None:
    """End the plan's rows on a day and share what is outstanding out in equal parts.

    `charges_minor` are charges shared out elsewhere, one sum a row: all parts of a row together are
    an equal part of the whole, so the principal's part gives way.
    """
    settled = settled_for_equal_parts(model, on, with_future_interest=with_future_interest)
    ended_on = model.periods[-1].due_on
    paid = _end_on(model, on)
    for period in model.periods:
        _drop_open_credited_interest(period)
        move_interest_on(period)
    if ended_on >= on:
        _hold_early_payments(model, *paid)
        model.periods[-1].is_re_aged = True
    _merge_empty_stubs(model)
    interests = equal_parts(settled.interest_minor, new.count)
    charges = tuple(charges_minor) or (0,) * new.count
    total = settled.principal_minor + settled.interest_minor + sum(charges)
    principal = equal_parts(total, new.count)[0] - interests[0] - charges[0]
    parts = capped(settled.principal_minor, [principal] * new.count)
    for number, part in enumerate(parts):
        due_on = later(new.first_due_on, new.interval.every * number, new.interval.unit)
        period = Period.between(model.periods[-1].due_on, due_on)
        period.fixed_interest_minor = interests[number]
        period.instalment_minor = period.signed_minor = part + interests[number]
        period.is_re_aged = True
        model.periods.append(period)
    model.interest_ends_on = min(on, ended_on)
    model.refresh_factors()
    place_leftover(model, on)


def _rows_of_their_own(
    model: Model, start: date, new: NewRows, principal_minor: int
) -> list[tuple[tuple[date, date], int]]:
    """Return the days and instalments of a plan of the new rows alone."""
    settings = replace(
        model.settings, interval=new.interval, multiple=0, accrual=Accrual.DAILY, count=0
    )
    first_due_on = None if start == new.first_due_on else new.first_due_on
    days = spans(start, new.interval, new.count, first_due_on=first_due_on)
    own = Model(settings, days)
    disburse(own, start, principal_minor)
    return [
        ((row.starts_on, row.due_on), row.principal_minor + row.interest_minor)
        for row in own.rows()
    ]


def _end_on(model: Model, on: date) -> tuple[int, int]:
    """Let the running period end on a day and remove the later ones.

    What was credited to removed periods stays as a credit on the day. Return the principal and the
    interest paid for the running and the removed ones.
    """
    touched = [period for period in model.periods if period.due_on >= on]
    principal = sum(period.paid_principal_minor for period in touched)
    interest = sum(period.paid_interest_minor for period in touched)
    place = model.find(on)
    removed = [] if place is None else model.periods[place + 1 :]
    credited = sum(period.credited_principal_minor for period in removed)
    if credited:  # it is in the balance already, and is credited anew
        model.change_balance(on, corrected_minor=-credited)
    if place is not None:
        period = model.periods[place]
        period.is_early_holder = True
        # What was agreed for removed rows is carried on, as what ran in this one is.
        period.fixed_interest_minor += sum(one.fixed_interest_minor for one in removed)
        period.is_stale = True
        if period.due_on != on:
            period.own()
            period.segments = [s for s in period.segments if s.starts_on <= on]
            period.due_on = period.segments[-1].ends_on = on
            model.refresh_factor(period)
        del model.periods[place + 1 :]
    credit(model, on, principal_minor=credited)
    return principal, interest


def _hold_early_payments(model: Model, principal_minor: int, interest_minor: int) -> None:
    """Let the last row ask for what was paid for it and for the rows removed behind it."""
    holder = model.periods[-1]
    holder.paid_principal_minor, holder.paid_interest_minor = principal_minor, interest_minor
    holder.instalment_minor = holder.paid_minor
    holder.is_early_holder = True
    model.refresh_factor(holder)


def _drop_open_credited_interest(period: Period) -> None:
    credited = max(0, sum(segment.credited_interest_minor for segment in period.segments))
    period.own()
    period.segments[-1].credited_interest_minor -= min(period.open_interest_minor, credited)
    period.is_stale = True


def _merge_empty_stubs(model: Model) -> None:
    """Join neighbouring rows that ask for nothing and only held the place of a re-age."""
    model.settle()
    merged: list[Period] = []
    for period in model.periods:
        if merged and _are_empty_stubs(merged[-1], period):
            _join(merged[-1], period)
            model.refresh_factor(merged[-1])
        else:
            merged.append(period)
    model.periods[:] = merged


def _join(stub: Period, following: Period) -> None:
    """Let a stub take the days of the one behind it, and what changed the balance in them."""
    stub.due_on = following.due_on
    stub.own()
    stub.segments += [one.copy() for one in following.segments]
    stub.moved_away_minor += following.moved_away_minor


def _are_empty_stubs(*both: Period) -> bool:
    """Return whether rows ask for nothing, and what runs in them is asked for at one place."""
    return len({period.is_moved_on for period in both}) == 1 and all(
        period.is_early_holder
        and period.instalment_minor == 0
        and period.due_principal_minor + period.due_interest_minor == 0
        and period.fixed_interest_minor == 0
        for period in both
    )


def _re_aged(model: Model, on: date, first_due_on: date) -> list[Period]:
    """Return the new rows, but one that asks for what was paid on the first day as well."""
    return [
        period
        for period in model.periods
        if not period.paid_minor
        and (
            period.starts_on >= first_due_on
            or (period.starts_on == on and period.due_on == first_due_on)
        )
    ]

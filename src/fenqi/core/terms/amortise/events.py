"""What can happen to a plan, as changes of its model.

Each event changes facts, lets the balances follow, and lets the last open period take what is left
over. A day outside the periods changes nothing.

Source: README of the published vectors, "Later disbursement" to "Rate change / reschedule".
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from fenqi.core.errors import Invalid
from fenqi.core.terms.amortise.dates import Span, spans
from fenqi.core.terms.amortise.deferral import defer_run_interest, take_deferral_back
from fenqi.core.terms.amortise.leftover import place_leftover
from fenqi.core.terms.amortise.level import relevel
from fenqi.core.terms.amortise.model import ONE_DAY, Model, pause_days
from fenqi.core.terms.amortise.period import Period
from fenqi.core.terms.amortise.settings import Accrual, Method


class RowUnknown(Invalid):
    """A plan has no such row."""

    code = "row-unknown"


def disburse(model: Model, on: date, amount_minor: int) -> None:
    """Lend an amount on a day; the instalments of the periods that fall due later follow.

    If interest counts by whole periods, the amount counts from the start of its period. If a
    drawdown has its own full term, it brings as many instalments as the plan began with.
    """
    on = _effective_day(model, on)
    if model.settings.count:
        _disburse_full_term(model, on, amount_minor)
        return
    model.disbursements.append((on, amount_minor))
    if model.settings.method is Method.FLAT:
        _mark_all_stale(model)
    place = model.change_balance(on, disbursed_minor=amount_minor)
    if place is not None:
        relevel(model, next_due(model, place, on), is_fresh=False)


def _disburse_full_term(model: Model, on: date, amount_minor: int) -> None:
    """Lend an amount over a full term of its own, begun with the period it falls in.

    Its rows are those of the plan to come, whatever re-ages made of them; others follow at the end.
    """
    count, days = model.settings.count, [(one.starts_on, one.due_on) for one in model.periods]
    first = next((place for place, (_, due_on) in enumerate(days) if due_on > on), len(days))
    days += _following(model, max(0, first + count - len(days)))
    own = Model(replace(model.settings, count=0), days[first : first + count])
    own.rates, own.interest_ends_on = list(model.rates), model.interest_ends_on
    disburse(own, on, amount_minor)
    take_deferral_back(model, on)  # rows that are open again ask for what ran in them
    model.disbursements.append((on, amount_minor))
    model.change_balance(on, disbursed_minor=amount_minor)
    model.periods += [Period.between(*span) for span in days[len(model.periods) :]]
    for period, row in zip(model.periods[first:], own.rows(), strict=False):
        period.instalment_minor += row.principal_minor + row.interest_minor
        period.signed_minor = period.instalment_minor
        model.refresh_factor(period)
    place_leftover(model, on)
    repeat_pauses(model, on)


def _following(model: Model, count: int) -> list[Span]:
    """Return the days of rows that follow the last one.

    They are counted from the plan's start, unless that does not meet its last due day any more.
    """
    begin, last_due_on = model.periods[0].starts_on, model.periods[-1].due_on
    counted = spans(begin, model.settings.interval, len(model.periods) + count)
    later = [span for span in counted if span[0] >= last_due_on][:count]
    if len(later) == count and (not count or later[0][0] == last_due_on):
        return later
    return list(spans(last_due_on, model.settings.interval, count))


def change_rate(model: Model, on: date, rate: Decimal) -> None:
    """Let another yearly rate hold from a day on; later instalments are computed anew.

    Where all interest was settled and shared out, no rate matters any more.
    """
    since = on - ONE_DAY  # a day's interest is that of the night before it
    if model.interest_ends_on is not None and since >= model.interest_ends_on:
        return
    model.add_rate(since, rate)
    place = model.change_balance(since)
    if place is not None:
        relevel(model, next_due(model, place, since), is_fresh=True)
    elif since < model.periods[0].starts_on:
        relevel(model, 0, is_fresh=True)


def pause(model: Model, first: date, last: date) -> None:
    """Let no interest run from one day to another, both included; the instalment stays."""
    model.pauses.append((first, last))
    touched = [period for period in model.periods if pause_days(period, first, last)]
    if touched:
        since = touched[0].starts_on
        model.refresh_factors(model.first_due_from(since))
        place_leftover(model, since)


def repeat_pauses(model: Model, on: date) -> None:
    """Let pauses agreed before reach into rows made on a day; their instalments stay."""
    pauses = [one for one in model.pauses if one[1] > on]
    if pauses:
        rows = model.periods[model.first_due_from(on) :]
        for period in rows:
            for first, last in pauses:
                pause_days(period, first, last)
            model.refresh_factor(period)
        place_leftover(model, on)


def correct_balance(model: Model, on: date, amount_minor: int) -> None:
    """Let the balance that bears interest differ from a day on."""
    place = model.change_balance(on, corrected_minor=amount_minor)
    if place is not None:
        place_leftover(model, on)


def pay_interest(model: Model, row: int, on: date, amount_minor: int) -> bool:
    """Take interest paid for a row, never more than all that is due; return whether more changed.

    Errors: RowUnknown.
    """
    require_row(model, row)
    period = model.periods[row]
    if amount_minor == 0:
        return False
    model.settle()
    is_deferred = any(one.deferred_minor for one in model.periods if one is not period)
    if not is_deferred and period is _overdue_before_paid(model, on):
        defer_run_interest(model, period, on)
        model.settle()
    before, open_minor = period.outcome, period.open_interest_minor
    if amount_minor > open_minor:
        # What ran here can be paid even where principal paid ahead has left it no room.
        ran = period.run_interest_minor - period.paid_interest_minor
        amount_minor = min(amount_minor, max(ran, model.totals().open_interest_minor))
    period.paid_interest_minor += amount_minor
    if amount_minor <= open_minor and _is_within(model, period):
        model.note_paid(interest_minor=amount_minor)
        return False
    period.is_stale = True
    if not _leaves_all(model, row, before):
        if period.paid_minor > period.asked_minor:  # no row asks for less than was paid
            period.ask(period.instalment_minor + period.paid_minor - period.asked_minor)
        place_leftover(model, on)
    return True


def pay_principal(model: Model, row: int, on: date, amount_minor: int) -> bool:
    """Take principal paid for a row; it lowers the balance from that day, or from the due day.

    A row paid ahead of its period is closed with what was paid, if that is its instalment or more;
    interest set by agreement stays open.
    Return whether more than what was paid has changed.

    Errors: RowUnknown.
    """
    require_row(model, row)
    period = model.periods[row]
    if amount_minor == 0:
        return False
    model.settle()
    if amount_minor <= period.open_principal_minor and is_expected(model, row, on):
        take_expected(model, row, principal_minor=amount_minor)
        return False
    totals, before = model.totals(), period.outcome
    paid = amount_minor
    if totals.paid_principal_minor + amount_minor > totals.lent_minor:
        paid = totals.lent_minor - totals.paid_principal_minor
    period.paid_principal_minor += paid
    period.is_stale = True
    since = min(period.due_on, on)
    place = model.change_balance(since, corrected_minor=-amount_minor)
    if place == row and _leaves_all(model, row, before):
        return True
    place_leftover(model, on)
    has_others = sum(not other.is_paid for other in model.periods) > 1
    signed = period.signed_minor + period.credited_minor
    least = max(period.paid_minor, period.fixed_least_minor)
    is_closed_ahead = on < period.starts_on and least == signed
    if has_others and (period.paid_minor > period.asked_minor or is_closed_ahead):
        period.ask(least - period.credited_minor)
        place_leftover(model, on)
    return True


def is_expected(model: Model, row: int, on: date) -> bool:
    """Return whether whatever is paid on a day of what a row asks for leaves all else as it was.

    What fell due was expected to be paid on its due day, so the row hands on what it did before and
    nothing has to be derived anew. Only a last row, a day cut there, or a row that asks for more
    than its instalment or than what is out change more than that.
    """
    period, last = model.periods[row], model.periods[-1]
    if on < period.due_on or period is last or last.is_paid or period.is_stale:
        return False
    principal, totals = period.due_principal_minor, model.totals()
    if principal + period.due_interest_minor > period.asked_minor:
        return False
    if totals.paid_principal_minor + principal - period.paid_principal_minor > totals.lent_minor:
        return False
    ends = [segment.ends_on for segment in period.segments]
    is_last_to_end = ends[-1:] == [period.due_on] and period.due_on not in ends[:-1]
    before = model.periods[row - 1].due_on if row else period.starts_on
    return is_last_to_end and max(before, period.starts_on) < period.due_on


def take_expected(
    model: Model, row: int, *, principal_minor: int = 0, interest_minor: int = 0
) -> None:
    """Take what was expected to be paid for a row; see `is_expected`."""
    period = model.periods[row]
    period.paid_interest_minor += interest_minor
    if principal_minor:
        period.own()
        period.paid_principal_minor += principal_minor
        period.segments[-1].corrected_minor -= principal_minor
    model.note_paid(principal_minor=principal_minor, interest_minor=interest_minor)


def _is_within(model: Model, period: Period) -> bool:
    """Return whether no more is paid than asked, and the last row is open to take a leftover."""
    return period.paid_minor <= period.asked_minor and not model.periods[-1].is_paid


def _leaves_all(model: Model, row: int, before: tuple[int, ...]) -> bool:
    """Return whether a payment of what a row asks for left all else as it was.

    Then no leftover moves, unless it could fall due in a row after the last open one.
    """
    model.settle_between(row, row)
    period = model.periods[row]
    return period.outcome == before and _is_within(model, period)


def credit(model: Model, on: date, *, principal_minor: int = 0, interest_minor: int = 0) -> None:
    """Put amounts back into the period that runs on a day, on top of its instalment."""
    place = model.change_balance(on, corrected_minor=principal_minor)
    if place is None:
        return
    period = _running(model, on)
    period.own()
    segment = next((s for s in reversed(period.segments) if s.starts_on == on), None)
    if segment is not None:
        segment.credited_principal_minor += principal_minor
        segment.credited_interest_minor += interest_minor
        period.is_stale = True
    model.refresh_factor(model.periods[place])
    place_leftover(model, on)


def next_due(model: Model, place: int, on: date) -> int:
    """Return the first row that a change on a day touches: none that falls due on it but the last.

    A re-age makes rows of no length, so more than one can fall due on a day.
    """
    while model.periods[place].due_on == on and place + 1 < len(model.periods):
        place += 1
    return place


def _effective_day(model: Model, on: date) -> date:
    settings = model.settings
    if settings.accrual is Accrual.PER_PERIOD and not settings.is_partial_period_exact:
        for period in model.periods:
            if period.due_on > on:
                return period.starts_on
    return on


def _mark_all_stale(model: Model) -> None:
    for period in model.periods:
        period.is_stale = True


def _running(model: Model, on: date) -> Period:
    """Return the period that runs on a day: from its start, without its due day but the last."""
    for period in model.periods[:-1]:
        if period.starts_on <= on < period.due_on:
            return period
    return model.periods[-1]


def _overdue_before_paid(model: Model, on: date) -> Period | None:
    """Return the last open period if it is overdue while a later one is paid."""
    for period in reversed(model.periods):
        if not period.is_paid:
            is_last = period is model.periods[-1]
            return None if is_last or on < period.due_on else period
    return None


def require_row(model: Model, row: int) -> None:
    """Refuse a row the plan does not have. Errors: RowUnknown."""
    if not 0 <= row < len(model.periods):
        raise RowUnknown(row=row, rows=len(model.periods))

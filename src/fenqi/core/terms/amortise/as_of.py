"""The model up to a day: what a row asks for, what all of it comes to, what is overdue.

Interest is owed only up to the day of a payment, and overdue principal goes on bearing it. Every
question works on a copy; `correct_overdue` alone changes the model, as time itself does.

Source: README of the published vectors, "Interest recalculation".
"""

from dataclasses import dataclass
from datetime import date

from fenqi.core.terms.amortise.deferral import stop_interest
from fenqi.core.terms.amortise.events import require_row
from fenqi.core.terms.amortise.leftover import place_leftover
from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.amortise.period import Period, Segment
from fenqi.core.terms.amortise.settings import PayOffInterest, Rest


@dataclass(frozen=True, slots=True)
class RowDue:
    """What a row asks for if it is paid on a day. Units: minor units, paid parts included."""

    instalment_minor: int
    principal_minor: int
    interest_minor: int


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What ends the plan on a day. Units: minor units."""

    principal_minor: int
    interest_minor: int


def due_as_of(model: Model, row: int, on: date, *, by_bucket: bool = False) -> RowDue:
    """Return what a row asks for if it is paid on a day: interest to the day, the rest principal.

    A row that has not begun asks for its whole instalment as principal. With `by_bucket`, for
    payments that go through all rows component by component, no row asks for more than is left.

    Errors: RowUnknown.
    """
    require_row(model, row)
    model.settle()
    if model.totals().open_principal_minor <= 0:
        now = model.periods[row]  # no more interest runs: it asks for what ran
        return RowDue(now.instalment_minor, now.due_principal_minor, now.due_interest_minor)
    until = up_to(model, on)
    period = until.periods[row]
    has_others = any(not other.is_paid for other in until.periods if other is not period)
    if has_others and on <= period.starts_on:
        _ask_ahead(until, period, model.periods[row].instalment_minor)
    until.settle()
    principal, interest = period.due_principal_minor, period.due_interest_minor
    if by_bucket:
        if has_others:
            # Interest set by agreement is asked for whatever the day: it keeps its room.
            room = period.asked_minor - max(0, period.fixed_interest_minor)
            principal = max(period.paid_principal_minor, room)
        totals = until.totals()
        principal = min(principal, totals.open_principal_minor + period.paid_principal_minor)
        interest = min(interest, totals.open_interest_minor + period.paid_interest_minor)
    return RowDue(period.instalment_minor, principal, interest)


def outstanding_as_of(model: Model, on: date) -> Outstanding:
    """Return what ends the plan on a day: the principal out, and interest to the day.

    Where no principal is out no more interest runs, and what rows ask for is what ran.
    """
    model.settle()
    now = model.totals()
    if now.open_principal_minor <= 0:
        return Outstanding(0, now.open_interest_minor)
    until = model.copy()
    stop_interest(until, on)
    place_leftover(until, on)
    totals = until.totals()
    return Outstanding(totals.open_principal_minor, totals.open_interest_minor)


def run_interest_as_of(model: Model, row: int, on: date, *, with_credited: bool = True) -> int:
    """Return the interest that ran in a row by a day, due or not.

    Errors: RowUnknown.
    """
    require_row(model, row)
    period = up_to(model, on).periods[row]
    credited = sum(segment.credited_interest_minor for segment in period.segments)
    return period.run_interest_minor - (0 if with_credited else max(0, credited))


def open_interest_as_of(model: Model, on: date) -> int:
    """Return the unpaid interest of all rows begun before a day, to that day."""
    until = up_to(model, on)
    return sum(period.open_interest_minor for period in until.periods if period.starts_on < on)


def has_overdue(model: Model, on: date) -> bool:
    """Return whether principal is overdue on a day, so that `correct_overdue` changes balances."""
    model.settle()
    return any(
        period.due_principal_minor > period.paid_principal_minor and not period.is_early_holder
        for period in model.periods[: model.first_due_from(on)]
    )


def correct_overdue(
    model: Model, on: date, *, is_pay_off: bool = False, is_withdrawal: bool = False
) -> bool:
    """Let principal overdue on a day bear interest up to it; return whether anything changed.

    Overdue principal of each row is added from the start of the next row, or from the day up to
    which it was added before, and taken out again on the day itself: from then on the schedule
    assumes payment. A product whose rest is the repayment period takes it out on the due day, but
    for a withdrawal, which owes interest to its own day whatever the product says.
    """
    model.settle()
    on = min(on, model.periods[-1].due_on)
    begun = model.periods[: model.first_due_from(on)]
    late = [period for period in begun if not period.is_early_holder]
    if not late:
        return False
    bears_to_due_day = not is_withdrawal and _bears_to_due_day(model, is_pay_off=is_pay_off)
    place = model.find(on)
    running = model.periods[-1 if place is None else place]
    has_changed = False
    if not [one for one in late if one.due_principal_minor > one.paid_principal_minor]:
        if running.starts_on < on:
            model.overdue_on = running.due_on if bears_to_due_day else on
        return False
    touched = _last_touched(model)
    overdue = together = 0
    for period in late:
        if overdue:
            has_changed |= _carry_overdue(
                model, period, on, overdue, together, touched, bears_to_due_day=bears_to_due_day
            )
        if period.is_stale:
            model.settle(through=model.periods.index(period))
        overdue = period.open_principal_minor
        together += overdue
    has_changed |= _carry_overdue(
        model, running, on, overdue, together, touched, bears_to_due_day=bears_to_due_day
    )
    if together > 0 and (model.overdue_on is None or model.overdue_on < on):
        model.overdue_on = on
    return has_changed


def up_to(model: Model, on: date) -> Model:
    """Return a copy in which no day after `on` exists, and the last open row takes the rest."""
    running = model.find(on)
    until = model.copy()
    if on < until.periods[0].starts_on:
        for period in until.periods:
            _clear(period)
    elif on < until.periods[-1].due_on:
        for number, period in enumerate(until.periods):
            if period.due_on <= on:
                continue
            if number == running:
                _end_segments(period, on, is_first=running == 0)
                until.refresh_factor(period)
            elif running is not None and number == running + 1 and _has_credit(period.segments[:1]):
                period.own()
                first = period.segments[0]
                first.ends_on = first.starts_on  # keeps what was credited on the day itself
                del period.segments[1:]
                until.refresh_factor(period)
            else:
                _clear(period)
        place_leftover(until, on)
    until.settle()
    return until


def _ask_ahead(until: Model, period: Period, instalment_minor: int) -> None:
    """Let a row that has not begun ask for its signed instalment, or for what is left in all.

    One that is paid in part may have been left more than was signed; it asks for its instalment as
    it stands. One that alone is open asks for what is left already.
    """
    amount = period.signed_minor
    if period.paid_minor:
        amount = max(amount, instalment_minor)
    period.ask(amount)
    until.settle()
    outstanding = until.totals().open_principal_minor
    period.ask(amount - max(0, period.open_principal_minor - outstanding))


def _carry_overdue(
    model: Model,
    period: Period,
    on: date,
    overdue: int,
    together: int,
    touched: int,
    *,
    bears_to_due_day: bool,
) -> bool:
    if on == model.overdue_on:
        return False
    since = period.starts_on
    if model.overdue_on is not None and since <= model.overdue_on:
        since = model.overdue_on
    corrected_on = since if model.correct_for_overdue(since, overdue) else None
    if corrected_on is not None and not _is_all_to_come(model, period, touched):
        place_leftover(model, corrected_on)
    is_running = period.starts_on < on <= period.due_on
    if is_running:
        until = period.due_on if bears_to_due_day else on
        corrected_on = until if model.correct_for_overdue(until, -together) else corrected_on
        model.overdue_on = until
    runs_before_last = on <= model.periods[-1].starts_on
    is_on_the_way = not is_running and runs_before_last and _is_all_to_come(model, period, touched)
    if corrected_on is not None and is_on_the_way:
        model.settle(through=model.periods.index(period))  # the next overdue row moves the leftover
    elif corrected_on is not None:
        place_leftover(model, corrected_on)
    return True


def _is_all_to_come(model: Model, running: Period, touched: int) -> bool:
    """Return whether rows follow and nothing was paid for or credited to any of them.

    Then the last one takes the leftover, so only where it ends up counts and not its way there.
    """
    place = model.first_due_from(running.due_on)
    return place + 1 < len(model.periods) and touched <= place


def _last_touched(model: Model) -> int:
    """Return the last row that something was paid for or credited to; -1 if there is none."""
    for place in range(len(model.periods) - 1, -1, -1):
        period = model.periods[place]
        if period.paid_minor or period.credited_minor or period.fixed_interest_minor:
            return place
    return -1


def _bears_to_due_day(model: Model, *, is_pay_off: bool) -> bool:
    """Return whether overdue principal bears interest to the end of the running period.

    Where rest and pay-off rule disagree, the pay-off rule decides, for pay-offs only if the rest is
    daily.
    """
    to_rest = model.settings.pay_off_interest is PayOffInterest.TO_REST
    return to_rest and (is_pay_off or model.settings.rest is Rest.PER_PERIOD)


def _end_segments(period: Period, on: date, *, is_first: bool) -> None:
    """Let a period's segments end on a day; what was credited on it stays."""
    period.own()
    places = [
        place
        for place, segment in enumerate(period.segments)
        if segment.starts_on < on <= segment.ends_on
        or (is_first and place == 0 and segment.starts_on == on)
    ]
    if not places:
        return
    last = period.segments[places[-1]]
    last.ends_on = on
    for following in period.segments[places[-1] + 1 : places[-1] + 2]:
        last.credited_principal_minor += following.credited_principal_minor
        last.credited_interest_minor += following.credited_interest_minor
    del period.segments[places[-1] + 1 :]
    period.is_stale = True


def _clear(period: Period) -> None:
    period.segments = []
    period.is_stale = True


def _has_credit(segments: list[Segment]) -> bool:
    return any(s.credited_principal_minor > 0 or s.credited_interest_minor > 0 for s in segments)

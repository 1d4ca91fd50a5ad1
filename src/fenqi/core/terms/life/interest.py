"""Where a life and the interest model meet: rows follow the model, payments tell it.

Where interest is counted again by the day, every payment goes through the model; otherwise it only
lays out what is lent.
Source: the vectors' README, sections "Later disbursement" and "Interest recalculation".
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date

from fenqi.core.terms.amortise import events
from fenqi.core.terms.amortise.as_of import (
    correct_overdue,
    due_as_of,
    has_overdue,
)
from fenqi.core.terms.amortise.leftover import ask_unasked
from fenqi.core.terms.amortise.model import DUE_ON, Model
from fenqi.core.terms.amortise.period import Period
from fenqi.core.terms.amortise.rounding import capped
from fenqi.core.terms.amortise.settings import PayOffInterest, Rest
from fenqi.core.terms.life.charge import CHARGED, pull_into
from fenqi.core.terms.life.pay import pay_row
from fenqi.core.terms.life.rules import Processing, Timing
from fenqi.core.terms.life.state import (
    BESIDE_SCHEDULE,
    IN_SCHEDULE,
    NOTHING,
    Row,
    RowKind,
    Transaction,
)
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component
from fenqi.core.values.rate import Rounding, divide

PRINCIPAL, INTEREST, FEE, PENALTY = (
    Component.PRINCIPAL,
    Component.INTEREST,
    Component.FEE,
    Component.PENALTY,
)
TO_REST = PayOffInterest.TO_REST  # named once: every receipt asks
IN_ADVANCE = Timing.IN_ADVANCE


def due_interest_by(walk: Walk, on: date) -> int:
    """Return the interest that all rows ask for if they are paid on a day."""
    model = walk.the_model
    places = range(len(model.periods))
    return sum(due_as_of(model, place, on).interest_minor for place in places)


def lend(walk: Walk, on: date, amount_minor: int) -> None:
    """Amortise an amount lent on a day over the rows still to come."""
    if not amount_minor:
        return
    model = walk.the_model
    regular = [row for row in walk.rows if row.kind in IN_SCHEDULE]
    if on > model.periods[-1].due_on or not walk.is_in_model:
        later = [row for row in regular if row.due_on > on]
        lay_equally(walk, later or [walk.extra_row(on, starts_on=on)], amount_minor)
        return
    principal = sum(row.due[PRINCIPAL] for row in walk.rows) + amount_minor
    events.disburse(model, on, amount_minor)
    _follow(walk, on, since=on)
    if not walk.recalculates:
        keep_principal(walk, principal, on)
    elif walk.terms.interest.count:
        follow_model(walk, on)  # earlier rows too: what a drawdown opens asks for what ran there


def _follow(walk: Walk, on: date, *, since: date) -> None:
    """Let the rows due on a day or later ask for what the model says."""
    by_days = {(row.starts_on, row.due_on): row for row in walk.rows if row.kind in IN_SCHEDULE}
    last_due_on = max(row.due_on for row in walk.rows if row.kind in IN_SCHEDULE)
    walk.the_model.settle()
    for period in walk.the_model.periods:
        row = by_days.get((period.starts_on, period.due_on))
        if row is None and period.due_on >= since:
            row = walk.add_row(RowKind.INSTALMENT, starts_on=period.starts_on, due_on=period.due_on)
        if row is not None and row.due_on >= since:
            ask(walk, row, period)
            row.meet(on)
    if walk.the_model.periods[-1].due_on > last_due_on:
        pull_into(walk, walk.the_model.periods[-1].due_on)


def ask(walk: Walk, row: Row, period: Period) -> None:
    """Let a row ask for what a period does, and at least for what is paid of it.

    A model that is not told of payments knows of no chargeback either; that comes on top.
    """
    due, credited = row.due, NOTHING if walk.recalculates else row.credited
    principal = period.due_principal_minor + credited[PRINCIPAL]
    interest = period.due_interest_minor + credited[INTEREST]
    due[PRINCIPAL] = max(principal, due[PRINCIPAL] - row.open(PRINCIPAL))
    due[INTEREST] = max(interest, due[INTEREST] - row.open(INTEREST))


def follow_model(walk: Walk, on: date | None) -> None:
    """Let rows ask for what the model says anew; `on` is the day that meets one, if any."""
    news = walk.the_model.news()
    if not news:
        return
    by_days = {(period.starts_on, period.due_on): period for period in news}
    for place in range(bisect_left(walk.rows, news[0].due_on, key=DUE_ON), len(walk.rows)):
        row = walk.rows[place]
        if row.due_on > news[-1].due_on:
            break
        if row.kind in BESIDE_SCHEDULE:
            continue
        period = by_days.get((row.starts_on, row.due_on))
        if period is not None:
            row.due[PRINCIPAL] = period.due_principal_minor
            row.due[INTEREST] = period.due_interest_minor
            if on is not None:
                row.credited[PRINCIPAL] = period.credited_principal_minor
                row.credited[INTEREST] = period.credited_interest_minor
                row.meet(on)


def count_to(walk: Walk, on: date) -> None:
    """Let overdue principal bear interest up to a day."""
    if not _bears_on_past_due(walk):
        return
    if correct_overdue(
        walk.the_model, on, is_pay_off=walk.is_pay_off, is_withdrawal=walk.is_withdrawal
    ):
        follow_model(walk, None)


def counts_overdue(walk: Walk, on: date) -> bool:
    """Return whether counting to a day would change what rows ask for."""
    return _bears_on_past_due(walk) and has_overdue(walk.the_model, on)


def _bears_on_past_due(walk: Walk) -> bool:
    return walk.recalculates and walk.terms.rules.charges_interest_on_past_due


def end_of_rest(walk: Walk, on: date) -> date:
    """Return the day up to which a pay-off on a day bears interest, by the product's rule.

    A pay-off to the rest bears it to the end of the running period.
    """
    if not owes_to_rest(walk):
        return on
    model = walk.the_model
    place = model.find(on)
    is_running = place is not None and model.periods[place].starts_on < on
    return model.periods[place].due_on if place is not None and is_running else on


def owes_to_rest(walk: Walk) -> bool:
    """Return whether pay-offs bear interest to the end of the running period.

    A withdrawal never does: who withdraws owes interest for the days they had the money.
    """
    return walk.terms.interest.pay_off_interest is TO_REST and not walk.is_withdrawal


def pay(
    walk: Walk,
    transaction: Transaction,
    timing: Timing,
    row: Row,
    components: Sequence[Component],
    amount_minor: int,
) -> int:
    """Pay components of a row in their order and tell the model; return what was taken.

    A payment that was expected is taken in one go; else each component may change what the next one
    asks for.
    """
    if not walk.recalculates:
        return pay_row(walk, transaction, row, components, amount_minor)
    model, left = walk.the_model, amount_minor
    place = _place_in(model, row)
    if place is not None and timing is not IN_ADVANCE:
        is_alike = _is_alike(row, model.periods[place])
        if is_alike and events.is_expected(model, place, transaction.on):
            return _pay_expected(walk, transaction, row, place, components, amount_minor)
    for component in components:
        if timing is not IN_ADVANCE and not row.open(component):
            continue
        if component in CHARGED:
            left -= pay_row(walk, transaction, row, (component,), left)
        elif place is None:
            walk.untouched.add(row.key)
            left -= pay_row(walk, transaction, row, (component,), left)
        else:
            left -= _pay_by_model(walk, transaction, timing, row, place, component, left)
    return amount_minor - left


def _place_in(model: Model, row: Row) -> int | None:
    """Return the period that a row follows, if it follows one."""
    if row.kind in BESIDE_SCHEDULE:
        return None
    return model.index_of(row.starts_on, row.due_on)


def _is_alike(row: Row, period: Period) -> bool:
    """Return whether a row asks for what its period does, and of that no more is open."""
    return (
        row.paid[PRINCIPAL] == period.paid_principal_minor
        and row.paid[INTEREST] == period.paid_interest_minor
        and _is_in_step(row, period)
    )


def _pay_expected(
    walk: Walk,
    transaction: Transaction,
    row: Row,
    place: int,
    components: Sequence[Component],
    amount_minor: int,
) -> int:
    """Pay a row whose payment was expected: in one go, since no other row follows from it."""
    model, paid = walk.the_model, row.paid
    principal, interest = paid[PRINCIPAL], paid[INTEREST]
    taken = pay_row(walk, transaction, row, components, amount_minor)
    events.take_expected(
        model,
        place,
        principal_minor=paid[PRINCIPAL] - principal,
        interest_minor=paid[INTEREST] - interest,
    )
    if model.has_news:
        follow_model(walk, transaction.on)
    return taken


def _pay_by_model(
    walk: Walk,
    transaction: Transaction,
    timing: Timing,
    row: Row,
    place: int,
    component: Component,
    amount_minor: int,
) -> int:
    """Pay principal or interest of a row that follows a period.

    Before its due day a row asks for interest to the day only, and for the rest as principal.
    """
    model, on = walk.the_model, _interest_day(walk, row, transaction.on)
    if timing is IN_ADVANCE:
        _ask_to_day(walk, model, place, row, component, on)
        model.tell(place)  # what the row was asked for to the day is not its due
    taken = pay_row(walk, transaction, row, (component,), amount_minor)
    if not taken and timing is not IN_ADVANCE:
        return 0
    if component is PRINCIPAL:
        has_moved = events.pay_principal(model, place, on, taken)
    else:
        has_moved = events.pay_interest(model, place, on, taken)
    if has_moved or model.has_news or not _is_in_step(row, model.periods[place]):
        follow_model(walk, transaction.on)
    return taken


def pay_unasked(walk: Walk, transaction: Transaction, amount_minor: int) -> int:
    """Pay interest that ran and that no row has room for, where a receipt has closed all rows.

    Return what was taken.
    """
    model = walk.the_model
    place, asked = ask_unasked(model, amount_minor)
    if not asked:
        return 0
    follow_model(walk, transaction.on)
    period = model.periods[place]
    days = (period.starts_on, period.due_on)
    rows = (row for row in reversed(walk.rows) if row.kind in IN_SCHEDULE)
    row = next(row for row in rows if (row.starts_on, row.due_on) == days)
    taken = pay_row(walk, transaction, row, (INTEREST,), asked)
    events.pay_interest(model, place, _interest_day(walk, row, transaction.on), taken)
    follow_model(walk, transaction.on)
    return taken


def _is_in_step(row: Row, period: Period) -> bool:
    """Return whether a row asks for what its period does."""
    return (
        row.due[PRINCIPAL] == period.due_principal_minor
        and row.due[INTEREST] == period.due_interest_minor
        and row.credited[PRINCIPAL] == period.credited_principal_minor
        and row.credited[INTEREST] == period.credited_interest_minor
    )


def _ask_to_day(
    walk: Walk, model: Model, place: int, row: Row, component: Component, on: date
) -> None:
    by_bucket = walk.terms.rules.processing is Processing.VERTICAL
    asked = due_as_of(model, place, on, by_bucket=by_bucket)
    if not asked.interest_minor and not asked.principal_minor:
        walk.untouched.add(row.key)
    if component is INTEREST:
        row.due[INTEREST] = asked.interest_minor
    elif component is PRINCIPAL:
        row.due[PRINCIPAL] = asked.principal_minor


def _interest_day(walk: Walk, row: Row, on: date) -> date:
    """Return the day up to which a payment of a row owes interest, and on which it counts.

    What ends the plan counts from the end of the rest, whichever row it pays first. Where rest and
    pay-off rule disagree, a pay-off goes by the pay-off rule.
    """
    if not owes_to_rest(walk):
        return on
    has_begun = row.starts_on < on
    is_per_period = walk.terms.interest.rest is Rest.PER_PERIOD
    return end_of_rest(walk, on) if walk.is_pay_off or (is_per_period and has_begun) else on


def lay_equally(walk: Walk, rows: list[Row], amount_minor: int) -> None:
    """Add an amount to the principal of rows in equal parts.

    Each new principal is rounded to the product's multiple; the last row takes the remainder.
    """
    part = divide(amount_minor, len(rows), rounding=Rounding.HALF_EVEN)
    befores = [row.due[PRINCIPAL] for row in rows]
    more = [to_multiple(one + part, walk.terms.multiple_minor) - one for one in befores]
    for row, added in zip(rows, capped(amount_minor, more), strict=True):
        row.due[PRINCIPAL] += added
        row.met_on = None if row.is_open else row.met_on


def keep_principal(walk: Walk, principal_minor: int, on: date) -> None:
    """Let all rows together ask for an amount of principal: the last open ones give way."""
    excess = sum(row.due[PRINCIPAL] for row in walk.rows) - principal_minor
    rows = [row for row in walk.rows if row.kind is not RowKind.EXTRA and row.met_on is None]
    for row in reversed(rows):
        given_up = min(excess, row.open(PRINCIPAL))
        row.due[PRINCIPAL] -= given_up
        excess -= given_up
        row.meet(on)


def to_multiple(amount: int, multiple: int) -> int:
    """Return an amount rounded half-even to a multiple of minor units."""
    return divide(amount, multiple, rounding=Rounding.HALF_EVEN) * multiple

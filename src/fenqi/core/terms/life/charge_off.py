"""Charge-off, write-off and termination: how a life ends when the claim is not paid.

A charge-off changes the lender's books only, unless the product says that no interest runs after it
or that everything falls due that day; a termination always makes everything fall due.
Source: the vectors' README, section "Charge-off".
"""

from datetime import date

from fenqi.core.terms.amortise.as_of import run_interest_as_of
from fenqi.core.terms.life.charge import CHARGED
from fenqi.core.terms.life.interest import INTEREST, PRINCIPAL, keep_principal
from fenqi.core.terms.life.operations import ChargeOff, Receipt, Terminate, WriteOff
from fenqi.core.terms.life.rules import ChargeOffBehaviour, Timing
from fenqi.core.terms.life.state import Effect, Kind, Row, RowKind
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component
from fenqi.core.values.rate import Rounding, divide


def charge_off(walk: Walk, operation: ChargeOff) -> None:
    """Give the claim up in the accounts: the transaction holds everything still open."""
    behaviour = walk.terms.rules.charge_off
    if walk.open_minor and behaviour is ChargeOffBehaviour.ZERO_INTEREST:
        _stop_interest(walk, operation.on)
    _end(walk, operation, Kind.CHARGE_OFF, behaviour)
    walk.is_charged_off = walk.transactions[-1].kind is Kind.CHARGE_OFF


def terminate(walk: Walk, operation: Terminate) -> None:
    """Call the contract: everything falls due that day."""
    _end(walk, operation, Kind.TERMINATION, ChargeOffBehaviour.ACCELERATE)
    walk.is_terminated = walk.transactions[-1].kind is Kind.TERMINATION


def write_off(walk: Walk, operation: WriteOff) -> None:
    """Write everything open off, row by row; the plan ends."""
    transaction = walk.begin(operation, Kind.WRITE_OFF, walk.open_minor)
    for row in walk.rows:
        if not row.is_open:
            continue
        for component in Component:
            given_up = row.open(component)
            row.written_off[component] += given_up
            transaction.parts[component] += given_up
            walk.line(transaction, row, Effect.WRITTEN_OFF)[component] += given_up
        row.meet(operation.on)
    walk.is_written_off = True


def _end(
    walk: Walk, operation: ChargeOff | Terminate, kind: Kind, behaviour: ChargeOffBehaviour
) -> None:
    if walk.open_minor and behaviour is ChargeOffBehaviour.ACCELERATE:
        _accelerate(walk, operation.on)
    if walk.open_minor:
        walk.earned_at_end = (operation.on, _earned(walk, operation.on, behaviour))
    transaction = walk.begin(operation, kind, walk.open_minor)
    for component in Component:
        transaction.parts[component] = sum(row.open(component) for row in walk.rows)
    if not any(transaction.parts):
        walk.transactions.pop()


def _earned(walk: Walk, on: date, behaviour: ChargeOffBehaviour) -> int:
    """Return the interest earned by the day a plan ends."""
    earned = 0
    for row in walk.rows:
        if row.kind is RowKind.EXTRA:
            continue
        if row.due_on <= on:
            earned += row.due[INTEREST] - row.credited[INTEREST]
        elif row.starts_on <= on:
            earned += _earned_in(walk, row, on, behaviour)
    return earned


def _earned_in(walk: Walk, row: Row, on: date, behaviour: ChargeOffBehaviour) -> int:
    if walk.recalculates:
        return _run_interest(walk, row, on)
    if behaviour is ChargeOffBehaviour.REGULAR:
        return _prorated(row, on)
    return row.open(INTEREST)


def _run_interest(walk: Walk, row: Row, on: date) -> int:
    place = walk.the_model.index_of(row.starts_on, row.due_on)
    return 0 if place is None else run_interest_as_of(walk.the_model, place, on)


def _prorated(row: Row, on: date) -> int:
    """Return a row's open interest by the days gone of its period."""
    days = (row.due_on - row.starts_on).days
    gone = (on - row.starts_on).days
    return divide(row.open(INTEREST) * gone, days, rounding=Rounding.HALF_EVEN)


def _stop_interest(walk: Walk, on: date) -> None:
    """Let no interest run after a day; instalments stay, the last ones shrink."""
    principal = sum(row.due[PRINCIPAL] for row in walk.rows)
    for row in walk.rows:
        if row.starts_on <= on < row.due_on and row.kind is not RowKind.DOWN_PAYMENT:
            interest = _run_interest(walk, row, on) if walk.recalculates else _prorated(row, on)
            if row.open(INTEREST) > 0 or (walk.recalculates and interest > 0):
                _set_interest(row, interest)
    for row in walk.rows:
        is_kept = row.kind is RowKind.RE_AGED and walk.is_settled
        if row.starts_on > on and row.met_on is None and not is_kept:
            open_minor = max(0, row.open(INTEREST))
            _set_interest(row, row.due[INTEREST] - open_minor)
    keep_principal(walk, principal, on)


def _set_interest(row: Row, interest: int) -> None:
    """Let a row ask for less interest and that much more principal."""
    row.due[PRINCIPAL] += row.due[INTEREST] - interest
    row.due[INTEREST] = interest


def _accelerate(walk: Walk, on: date) -> None:
    """Let the running row take everything that falls due later, and fall due on the day.

    What was paid for later rows counts as paid for it. Later charges keep a row of their own, due
    when the last of them is.
    """
    row = next((row for row in walk.rows if row.starts_on < on <= row.due_on), None)
    maturity = walk.rows[-1].due_on
    if row is None or on >= maturity:
        return
    if row.is_open or row.kind is RowKind.RE_AGED:
        row.due[INTEREST] = _interest_if_ended(walk, row, on)
    row.due_on = on
    later = [other for other in walk.rows if other.due_on > on]
    _take_interest_first(walk, row, later)
    charges = [sum(other.due[component] for other in later) for component in CHARGED]
    paid_charges = [sum(other.paid[component] for other in later) for component in CHARGED]
    for other in later:
        row.due[PRINCIPAL] += other.due[PRINCIPAL]
        row.credited[PRINCIPAL] += other.credited[PRINCIPAL]
        row.paid[PRINCIPAL] += other.paid[PRINCIPAL]
        row.paid[INTEREST] += other.paid[INTEREST]
        row.due[INTEREST] += other.paid[INTEREST]
        row.in_advance_minor += other.in_advance_minor
    walk.rows = [other for other in walk.rows if other not in later]
    row.met_on = None if row.is_open else row.met_on
    if any(charges):
        due_on = max(one.due_on for one in walk.charges.values())
        extra = walk.add_row(RowKind.EXTRA, starts_on=on, due_on=due_on)
        for component, due, paid in zip(CHARGED, charges, paid_charges, strict=True):
            extra.due[component], extra.paid[component] = due, paid
        gone = {other.key for other in later}
        for one in walk.charges.values():
            if one.row_key in gone:
                one.row_key = extra.key


def _take_interest_first(walk: Walk, row: Row, later: list[Row]) -> None:
    """Let early payments of later rows pay the running row's interest by their day first.

    That is how they would have been allocated had the plan ended with this row.
    """
    keys = {(other.key, Effect.PAID): other for other in later}
    for transaction in walk.transactions:
        if not (transaction.is_receipt and walk.recalculates):
            continue
        order = walk.terms.rules.allocation(Receipt(transaction.kind.value)).order
        if order.index((Timing.IN_ADVANCE, INTEREST)) > order.index((Timing.IN_ADVANCE, PRINCIPAL)):
            continue
        for key, gone in keys.items():
            line = transaction.lines.get(key)
            if line is None:
                continue
            owed = _run_interest(walk, row, transaction.on) - row.paid[INTEREST]
            moved = max(0, min(owed, line[PRINCIPAL], row.open(INTEREST)))
            if moved:
                walk.touch(transaction)
            for parts in (transaction.parts, line, gone.paid):
                parts[PRINCIPAL] -= moved
            transaction.parts[INTEREST] += moved
            row.paid[INTEREST] += moved


def _interest_if_ended(walk: Walk, row: Row, on: date) -> int:
    """Return a row's interest if the plan ends on a day.

    Interest that a re-age has settled for later rows stays owed.
    """
    if not walk.recalculates:
        return row.due[INTEREST] - row.open(INTEREST) + _prorated(row, on)
    settled = sum(
        period.fixed_interest_minor
        for period in walk.the_model.periods
        if period.starts_on >= on and period.is_re_aged
    )
    return _run_interest(walk, row, on) + settled

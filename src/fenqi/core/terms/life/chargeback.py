"""Chargeback: a receipt is taken back, so what it paid is owed again.

By default as principal of the first instalment due after the day; with a credit allocation the
split of the original is put back in the product's order, limited to what the original paid less
earlier chargebacks of it. After the last due day an extra row takes it.
Source: the vectors' README, section "Chargeback".
"""

from fenqi.core.terms.amortise import events
from fenqi.core.terms.life.interest import FEE, INTEREST, PENALTY, PRINCIPAL, follow_model
from fenqi.core.terms.life.operations import Chargeback, RefundCredit
from fenqi.core.terms.life.pay import pay_row
from fenqi.core.terms.life.receive import allocate_overpayment
from fenqi.core.terms.life.state import Kind, Parts, Row, RowKind, Transaction, no_parts
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component


def charge_back(walk: Walk, operation: Chargeback) -> None:
    """Put a receipt's payment back on the schedule."""
    transaction = walk.begin(operation, Kind.CHARGEBACK, operation.amount_minor)
    order = walk.terms.rules.credit_allocation
    if order is None and not walk.terms.rules.recalculates:
        _credit_principal(walk, transaction)
        return
    split = [operation.amount_minor, 0, 0, 0] if order is None else _split(walk, operation, order)
    transaction.parts[:] = split
    if walk.recalculates:
        _credit_by_model(walk, transaction, split)
    else:
        _put_back(_row_to_credit(walk, transaction), split)
    allocate_overpayment(walk, transaction)


def refund_credit(walk: Walk, operation: RefundCredit) -> None:
    """Pay an overpayment out; what exceeds it is owed again as principal."""
    _credit_principal(walk, walk.begin(operation, Kind.CREDIT_REFUND, operation.amount_minor))


def _split(walk: Walk, operation: Chargeback, order: tuple[Component, ...]) -> Parts:
    """Return what is put back: what the original paid, less its earlier chargebacks."""
    original = walk.find(operation.of, Kind(operation.of_receipt.value))
    earlier = walk.chargebacks.setdefault((original.number, original.kind), [])
    left = original.parts[:]
    for split in earlier:
        for component in Component:
            left[component] -= split[component]
    earlier.append(split_back(left, operation.amount_minor, order))
    return earlier[-1]


def split_back(original: Parts, amount_minor: int, order: tuple[Component, ...]) -> Parts:
    """Return an amount split in an order, each part at most what the original had."""
    split = no_parts()
    for component in order:
        split[component] = max(0, min(amount_minor, original[component]))
        amount_minor -= split[component]
    return split


def _credit_by_model(walk: Walk, transaction: Transaction, split: Parts) -> None:
    """Put a split back: principal and interest by the model, charges on the running row."""
    on, model = transaction.on, walk.the_model
    maturity = model.periods[-1].due_on
    if on > maturity:
        _put_back(walk.extra_row(on), split)
        return
    if split[PRINCIPAL]:
        events.credit(model, on, principal_minor=split[PRINCIPAL])
    if split[INTEREST]:
        events.credit(model, on, interest_minor=split[INTEREST])
    follow_model(walk, on)
    rows = [row for row in walk.rows if row.kind is not RowKind.DOWN_PAYMENT]
    running = (row for row in rows if row.starts_on <= on < row.due_on or row.due_on == maturity)
    _put_back(next(running, rows[-1]), [0, 0, split[FEE], split[PENALTY]])


def _credit_principal(walk: Walk, transaction: Transaction) -> None:
    """Take an amount out of the overpayment first; put the whole on the schedule if that fails.

    The part the overpayment covers is paid on the row at once.
    """
    amount = transaction.amount_minor
    covered = min(walk.overpaid_minor, amount)
    walk.overpaid_minor -= covered
    transaction.overpaid_minor = covered
    if covered < amount:
        row = _row_to_credit(walk, transaction)
        is_in_model = walk.recalculates and row.kind is not RowKind.EXTRA
        place = walk.the_model.index_of(row.starts_on, row.due_on) if is_in_model else None
        if place is not None:
            events.credit(walk.the_model, transaction.on, principal_minor=amount)
            if covered:
                events.pay_principal(walk.the_model, place, transaction.on, covered)
            follow_model(walk, transaction.on)
        else:
            _put_back(row, [amount, 0, 0, 0])
        if covered:
            pay_row(walk, transaction, row, (PRINCIPAL,), covered)
    transaction.parts[:] = [amount - covered, 0, 0, 0]


def _row_to_credit(walk: Walk, transaction: Transaction) -> Row:
    """Return the first row due after the day, the last on its due day, or the extra row."""
    rows = [row for row in walk.rows if row.kind is not RowKind.DOWN_PAYMENT]
    for row in rows:
        if row.kind is RowKind.EXTRA:
            row.due_on = max(row.due_on, transaction.on)
            return row
        if row.due_on > transaction.on:
            return row
    return rows[-1] if rows[-1].due_on == transaction.on else walk.extra_row(transaction.on)


def _put_back(row: Row, parts: Parts) -> None:
    for component in Component:
        row.due[component] += parts[component]
        row.credited[component] += parts[component]
    row.met_on = None if row.is_open else row.met_on

"""Re-ageing: what is unpaid moves to new instalments from a start day.

Old rows keep only what was paid. What was paid for rows due on the day of the re-age or later is
gathered in one row due that day; those rows are gone.
Source: the vectors' README, section "Re-age".
"""

from datetime import date

from fenqi.core.terms.amortise.dates import later
from fenqi.core.terms.life.charge import row_of_day
from fenqi.core.terms.life.interest import PRINCIPAL, to_multiple
from fenqi.core.terms.life.operations import ReAge
from fenqi.core.terms.life.state import Kind, Row, RowKind, Transaction
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component
from fenqi.core.values.rate import Rounding, divide

CHARGED = (Component.FEE, Component.PENALTY)
IN_SCHEDULE = (RowKind.INSTALMENT, RowKind.RE_AGED)


def re_age(walk: Walk, operation: ReAge) -> None:
    """Lay what is unpaid over new rows."""
    transaction = walk.begin(operation, Kind.RE_AGE, 0)
    transaction.on = operation.counts_from
    if walk.recalculates:
        raise NotImplementedError
    _re_age_plainly(walk, operation, transaction)
    walk.is_rearranged = True


def _re_age_plainly(walk: Walk, operation: ReAge, transaction: Transaction) -> None:
    """Move the unpaid principal alone, in equal parts; charges stay with their due days."""
    on = transaction.on
    moved = lift(walk, (PRINCIPAL,), on)[PRINCIPAL]
    transaction.amount_minor = transaction.parts[PRINCIPAL] = moved
    if not moved:
        transaction.is_reversed = True
        return
    ahead = [row for row in walk.rows if row.kind in IN_SCHEDULE and row.due_on >= on]
    charged = {component: sum(row.open(component) for row in ahead) for component in CHARGED}
    maturity = max(row.due_on for row in walk.rows if row.kind in IN_SCHEDULE)
    starts_on = _first_start(walk, operation)
    walk.rows = [row for row in walk.rows if row not in ahead]
    if on <= maturity:
        gather_paid(walk, ahead, starts_on=starts_on, on=on)
        starts_on = on
    new = _new_rows(walk, operation, starts_on)
    part = divide(moved, operation.count, rounding=Rounding.HALF_EVEN)
    part = to_multiple(part, walk.terms.multiple_minor)
    for row in new:
        row.due[PRINCIPAL] += part
    new[-1].due[PRINCIPAL] += moved - part * operation.count
    _lay_charges(walk, charged, new[0])
    for row in walk.rows:
        row.meet(on)
    chain(walk)


def lift(walk: Walk, components: tuple[Component, ...], on: date) -> list[int]:
    """Take what is open of some components off all rows and return it."""
    lifted = [0] * len(Component)
    for row in walk.rows:
        for component in components:
            open_minor = max(0, row.open(component))
            row.due[component] -= open_minor
            lifted[component] += open_minor
        row.meet(on)
    return lifted


def gather_paid(walk: Walk, ahead: list[Row], *, starts_on: date, on: date) -> Row:
    """Return a row due on a day that holds what was paid for rows that are gone."""
    row = walk.add_row(RowKind.RE_AGED, starts_on=starts_on, due_on=on)
    for gone in ahead:
        for component in Component:
            row.due[component] += gone.paid[component] + gone.waived[component]
            row.paid[component] += gone.paid[component]
            row.waived[component] += gone.waived[component]
            row.credited[component] += gone.credited[component]
        row.in_advance_minor += gone.in_advance_minor
        row.late_minor += gone.late_minor
    row.meet(on)
    return row


def _first_start(walk: Walk, operation: ReAge) -> date:
    """Return where the first new row begins: the last due day before the start day."""
    rows = [row for row in walk.rows if row.kind is not RowKind.DOWN_PAYMENT]
    before = [row.due_on for row in rows if row.due_on < operation.starts_on]
    before = [due_on for due_on in before if due_on < operation.counts_from] or before
    return max(before, default=min(row.starts_on for row in rows))


def _new_rows(walk: Walk, operation: ReAge, starts_on: date) -> list[Row]:
    """Return the new rows; an extra row that falls due before one of them becomes that one.

    One that fell due before the start day is past and stays where it is.
    """
    for row in walk.rows:
        if row.kind is RowKind.EXTRA and row.due_on < operation.starts_on:
            row.kind = RowKind.RE_AGED
    rows: list[Row] = []
    due_on = operation.starts_on
    for _ in range(operation.count):
        extra = next((row for row in walk.rows if row.kind is RowKind.EXTRA), None)
        if extra is not None and extra.due_on <= due_on:
            extra.kind, extra.starts_on, extra.due_on = RowKind.RE_AGED, starts_on, due_on
            rows.append(extra)
        else:
            rows.append(walk.add_row(RowKind.RE_AGED, starts_on=starts_on, due_on=due_on))
        starts_on, due_on = due_on, later(due_on, operation.every, operation.unit)
    walk.sort_rows()
    return rows


def _lay_charges(walk: Walk, charged: dict[Component, int], first: Row) -> None:
    """Lay unpaid charges of rows that are gone on the rows whose periods hold their due days."""
    for charge in walk.charges.values():
        left = min(charge.open_minor, charged[charge.component])
        if left:
            row = row_of_day(walk, charge) or walk.rows[-1]
            row.due[charge.component] += left
            charged[charge.component] -= left
    for component, left in charged.items():
        first.due[component] += left


def chain(walk: Walk) -> None:
    """Let each row begin where the one before it ends."""
    previous = None
    for row in walk.rows:
        if previous is not None and row.kind is not RowKind.DOWN_PAYMENT:
            row.starts_on = previous
        previous = row.due_on

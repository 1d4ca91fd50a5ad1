"""Charges: a fee or penalty falls on the instalment whose period holds its due day.

The first day of the first period belongs to it; every other period begins after its start day and
includes its due day. A due day after the last instalment makes an extra row at the end.
Source: the vectors' README, section "Allocation".
"""

from collections.abc import Collection, Sequence
from datetime import date

from fenqi.core.terms.life.operations import AddCharge, Operation, WaiveCharge
from fenqi.core.terms.life.state import ChargeState, Effect, Kind, Row, RowKind
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component
from fenqi.core.values.rate import Rounding, divide

HUNDRED = 100
CHARGED = (Component.FEE, Component.PENALTY)


def add_charge(walk: Walk, operation: AddCharge) -> None:
    """Lay a charge on the row of its due day."""
    row = row_of_day(walk, operation.due_on) or walk.extra_row(operation.due_on)
    charge = ChargeState(
        number=operation.number,
        name=operation.name,
        is_penalty=operation.is_penalty,
        due_on=operation.due_on,
        amount_minor=_amount(walk, operation),
        row_key=row.key,
    )
    walk.charges[charge.number] = charge
    row.due[charge.component] += charge.amount_minor
    if charge.amount_minor:
        row.met_on = None


def lay_charge(walk: Walk, operation: Operation, name: str, row: Row, amount_minor: int) -> None:
    """Lay a fee that an operation brings with it on a row; none if it is free."""
    if not amount_minor:
        return
    walk.charges[operation.number] = ChargeState(
        number=operation.number,
        name=name,
        is_penalty=False,
        due_on=row.due_on,
        amount_minor=amount_minor,
        row_key=row.key,
    )
    row.due[Component.FEE] += amount_minor
    row.met_on = None


def open_of_charges(walk: Walk, row: Row, component: Component) -> int:
    """Return what is open of a row's own charges."""
    return sum(
        one.open_minor for one in _charges_of(walk, row, component) if one.row_key == row.key
    )


def _amount(walk: Walk, operation: AddCharge) -> int:
    """Return the amount, or the percent of all principal and interest asked for."""
    if operation.percent is None:
        return operation.amount_minor or 0
    base = sum(row.due[Component.PRINCIPAL] + row.due[Component.INTEREST] for row in walk.rows)
    numerator, denominator = operation.percent.as_integer_ratio()
    return divide(base * numerator, denominator * HUNDRED, rounding=Rounding.HALF_EVEN)


def waive_charge(walk: Walk, operation: WaiveCharge) -> None:
    """Let the customer off what is unpaid of a charge.

    A payment found later may have left the request that made it nothing to charge for.
    """
    charge = walk.charges.get(operation.charge)
    if charge is None:
        return
    waived = charge.open_minor
    charge.waived_minor += waived
    transaction = walk.begin(operation, Kind.CHARGE_WAIVER, waived)
    row = next((row for row in walk.rows if row.key == charge.row_key), None)
    if row is not None:
        row.relieved[charge.component] += waived
        walk.line(transaction, row, Effect.RELIEVED)[charge.component] += waived
        row.met_on = None if row.is_open else operation.on


def row_of_day(walk: Walk, due_on: date) -> Row | None:
    """Return the row whose period holds a day."""
    rows = [row for row in walk.rows if row.kind is not RowKind.DOWN_PAYMENT]
    for row in sorted(rows, key=lambda row: row.kind is RowKind.EXTRA):
        is_after_start = due_on > row.starts_on or (row is rows[0] and due_on == row.starts_on)
        if is_after_start and due_on <= row.due_on:
            return row
    return None


def lay_again(walk: Walk, gone: Collection[Row]) -> None:
    """Lay the unpaid part of charges whose rows are gone on the rows of their due days.

    What was credited back without being a charge stays with the last of the rows.
    """
    keys = {row.key for row in gone}
    left = {component: sum(row.open(component) for row in gone) for component in CHARGED}
    for charge in walk.charges.values():
        if charge.row_key in keys:
            row = row_of_day(walk, charge.due_on) or walk.rows[-1]
            # No more than the rows asked for: a re-age may have laid it out on others.
            moved = min(charge.open_minor, left[charge.component])
            row.due[charge.component] += moved
            left[charge.component] -= moved
            charge.row_key = row.key
    for component, amount in left.items():
        walk.rows[-1].due[component] += max(0, amount)


def pull_into(walk: Walk, due_on: date) -> None:
    """Let charges on extra rows join instalments that now reach their due days."""
    for extra in [row for row in walk.rows if row.kind is RowKind.EXTRA]:
        for charge in walk.charges.values():
            row = row_of_day(walk, charge.due_on)
            if charge.row_key == extra.key and charge.due_on <= due_on and row is not None:
                # No more than is open here: a re-age may have laid it out on other rows.
                moved = min(charge.open_minor, extra.open(charge.component))
                extra.due[charge.component] -= moved
                row.due[charge.component] += moved
                charge.row_key = row.key
        extra.starts_on = max(extra.starts_on, due_on)
        if not any(extra.due):
            walk.rows.remove(extra)
    walk.sort_rows()


def pay_charges(walk: Walk, row: Row, component: Component, amount_minor: int) -> None:
    """Note on the charges of a row what was paid of them, the earliest due first."""
    for charge in _charges_of(walk, row, component):
        taken = min(amount_minor, charge.open_minor)
        charge.paid_minor += taken
        amount_minor -= taken


def unpay_charges(walk: Walk, row: Row, component: Component, amount_minor: int) -> None:
    """Note on the charges of a row what was given back of them, the latest due first."""
    for charge in _latest_first(_charges_of(walk, row, component), row):
        given = min(amount_minor, charge.paid_minor)
        charge.paid_minor -= given
        amount_minor -= given


def note_relief(walk: Walk, row: Row, before: Row) -> None:
    """Note on the charges of a row what was relieved of it, and what came free of their payment."""
    fee = Component.FEE
    relieved = row.relieved[fee] - before.relieved[fee]
    if relieved and walk.charges:
        unpay_charges(walk, row, fee, before.paid[fee] - row.paid[fee])
        _waive_charges(walk, row, fee, relieved)


def _waive_charges(walk: Walk, row: Row, component: Component, amount_minor: int) -> None:
    """Note on the charges of a row what was waived of them, the latest due first.

    What the schedule itself asks for in fees is waived before them.
    """
    charges = _charges_of(walk, row, component)
    own = [one for one in charges if one.row_key == row.key]
    scheduled = row.due[component] - sum(one.amount_minor for one in own)
    before = row.relieved[component] - amount_minor - sum(one.waived_minor for one in own)
    amount_minor -= min(amount_minor, max(0, scheduled - before))
    for charge in _latest_first(charges, row):
        waived = min(amount_minor, charge.open_minor)
        charge.waived_minor += waived
        amount_minor -= waived


def _charges_of(walk: Walk, row: Row, component: Component) -> list[ChargeState]:
    """Return the charges of a row's component, the earliest due first.

    Equal shares of a re-age belong to no single row, so all of the component's charges follow.
    """
    if component not in CHARGED or not walk.charges:
        return []
    charges = [one for one in walk.charges.values() if one.component is component]
    return sorted(charges, key=lambda one: (one.row_key != row.key, one.due_on))


def _latest_first(charges: Sequence[ChargeState], row: Row) -> list[ChargeState]:
    """Return charges in the reverse order, but those of a row before those of others."""
    return sorted(reversed(charges), key=lambda one: one.row_key != row.key)

"""Charges: a fee or penalty falls on the instalment whose period holds its due day.

The first day of the first period belongs to it; every other period begins after its start day and
includes its due day. A due day after the last instalment makes an extra row at the end.
Source: the vectors' README, section "Allocation".
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from fenqi.core.terms.life.operations import AddCharge, WaiveCharge
from fenqi.core.terms.life.state import ChargeState, Kind, Row, RowKind
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component


def add_charge(walk: Walk, operation: AddCharge) -> None:
    """Lay a charge on its row, and let money that was paid beyond the debt pay it."""
    charge = ChargeState(
        number=operation.number,
        name=operation.name,
        is_penalty=operation.is_penalty,
        due_on=operation.due_on,
        amount_minor=_amount(walk, operation),
    )
    walk.charges[charge.number] = charge
    row = row_of_day(walk, charge) or _extra_row(walk, charge)
    row.due[charge.component] += charge.amount_minor
    if charge.amount_minor:
        row.met_on = None


def _amount(walk: Walk, operation: AddCharge) -> int:
    """Return the amount, or the percent of all principal and interest asked for."""
    if operation.percent is None:
        return operation.amount_minor or 0
    base = sum(row.due[Component.PRINCIPAL] + row.due[Component.INTEREST] for row in walk.rows)
    share = Decimal(base) * operation.percent / 100
    return int(share.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def waive_charge(walk: Walk, operation: WaiveCharge) -> None:
    """Let the customer off what is unpaid of a charge."""
    charge = walk.charges[operation.charge]
    waived = charge.open_minor
    charge.waived_minor += waived
    transaction = walk.begin(operation, Kind.CHARGE_WAIVER, waived)
    transaction.parts[charge.component] += waived
    row = row_of_day(walk, charge)
    if row is not None:
        row.waived[charge.component] += waived
        walk.line(transaction, row)[charge.component] += waived
        row.met_on = None if row.is_open else operation.on


def row_of_day(walk: Walk, charge: ChargeState) -> Row | None:
    """Return the row whose period holds the charge's due day."""
    for row, is_due in _periods(walk.rows, charge):
        if is_due:
            return row
    return None


def _periods(rows: Sequence[Row], charge: ChargeState) -> list[tuple[Row, bool]]:
    normal = [row for row in rows if row.kind is not RowKind.DOWN_PAYMENT]
    return [(row, is_in_period(row, charge, is_first=row is normal[0])) for row in normal]


def is_in_period(row: Row, charge: ChargeState, *, is_first: bool) -> bool:
    """Return whether a charge's due day lies in a row's period."""
    is_after_start = charge.due_on > row.starts_on or (is_first and charge.due_on == row.starts_on)
    return is_after_start and charge.due_on <= row.due_on


def _extra_row(walk: Walk, charge: ChargeState) -> Row:
    """Return the extra row at the end, made or stretched to the charge's due day."""
    last = walk.rows[-1]
    if last.kind is RowKind.EXTRA:
        last.due_on = max(last.due_on, charge.due_on)
        return last
    return walk.add_row(RowKind.EXTRA, starts_on=last.due_on, due_on=charge.due_on)


def pay_charges(walk: Walk, row: Row, component: Component, amount_minor: int) -> None:
    """Note on the charges of a row what was paid of them, the earliest due first."""
    for charge in _charges_of(walk, row, component):
        taken = min(amount_minor, charge.open_minor)
        charge.paid_minor += taken
        amount_minor -= taken


def unpay_charges(walk: Walk, row: Row, component: Component, amount_minor: int) -> None:
    """Note on the charges of a row what was given back of them, the latest due first."""
    for charge in reversed(_charges_of(walk, row, component)):
        given = min(amount_minor, charge.paid_minor)
        charge.paid_minor -= given
        amount_minor -= given


def _charges_of(walk: Walk, row: Row, component: Component) -> list[ChargeState]:
    """Return the charges of a row's component, the earliest due first."""
    if component not in (Component.FEE, Component.PENALTY):
        return []
    first = next((one for one in walk.rows if one.kind is not RowKind.DOWN_PAYMENT), None)
    of_row = [
        charge
        for charge in walk.charges.values()
        if charge.component is component and is_in_period(row, charge, is_first=row is first)
    ]
    return sorted(of_row, key=lambda charge: charge.due_on)

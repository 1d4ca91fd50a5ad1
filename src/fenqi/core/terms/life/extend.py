"""Extension: what is to come is laid over more instalments; what is overdue stays due.

Where interest follows the balance day by day, the instalments are computed anew and the longer time
bears interest; otherwise what is open is shared out equally, and the plan costs what was agreed and
what was disclosed for the extension.
Source: docs/reference/customer.md.
"""

from collections.abc import Sequence
from datetime import date

from fenqi.core.terms.allowances import ExtensionRule
from fenqi.core.terms.life.charge import lay_charge, open_of_charges, pull_into, unpay_charges
from fenqi.core.terms.life.interest import FEE, INTEREST, PRINCIPAL
from fenqi.core.terms.life.operations import AddPeriods, Extend
from fenqi.core.terms.life.receive import allocate_receipt, exceed
from fenqi.core.terms.life.redate import rows_from, rows_to_come
from fenqi.core.terms.life.reschedule import add_periods, days_after
from fenqi.core.terms.life.state import IN_SCHEDULE, Effect, Kind, Row, RowKind, Transaction
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component
from fenqi.core.values.money import OddUnits, split
from fenqi.core.values.rate import Rounding, apply_ppm


def extend(walk: Walk, operation: Extend) -> None:
    """Lay what is to come over more instalments; where nothing is, nothing happens."""
    rows = open_to_come(walk, operation.on)
    if not rows:
        return
    rule = walk.terms.rules.allowances.extension
    cost = 0
    if rule is not None:
        cost = min(operation.cost_minor, extension_cost_minor(rows, operation.count, rule))
    if walk.recalculates:
        add_periods(
            walk,
            AddPeriods(
                number=operation.number,
                on=operation.on,
                booked_on=operation.booked_on,
                count=operation.count,
            ),
            due_on=days_after(walk, operation.count) if walk.re_aged is None else None,
        )
    else:
        _lay_over_more(walk, operation)
    last = [row for row in walk.rows if row.kind in IN_SCHEDULE][-1]
    lay_charge(walk, operation, "extension", last, cost)


def open_to_come(walk: Walk, on: date) -> list[Row]:
    """Return the open rows of the schedule that fall due on a day or later."""
    return [row for row in rows_to_come(walk, on) if row.is_open]


def extension_cost_minor(rows: Sequence[Row], count: int, rule: ExtensionRule) -> int:
    """Return what further instalments cost: for each a share of the principal to come.

    Units: minor units; a fraction is dropped.
    """
    principal = sum(row.open(PRINCIPAL) for row in rows)
    return apply_ppm(principal, rule.cost_ppm_per_period * count, rounding=Rounding.DOWN)


def _lay_over_more(walk: Walk, operation: Extend) -> None:
    """Share out what rows ask for over them and new ones in equal parts.

    What was paid ahead of any of them comes free first and then pays the new ones by the rule of
    receipts: so nobody who paid early owes more, sooner or on more days, than who paid later. Odd
    units go one each to the last; charges stay where they are.
    """
    walk.is_rearranged = True
    rows = _laid_anew(walk, operation.on)
    freed = _free(walk, operation, rows)
    moved = {part: sum(_schedule_open(walk, row, part) for row in rows) for part in COMPONENTS}
    for row in rows:
        for part in COMPONENTS:
            row.due[part] -= _schedule_open(walk, row, part)
    starts_on = [row for row in walk.rows if row.kind in IN_SCHEDULE][-1].due_on
    for due_on in days_after(walk, operation.count):
        rows.append(walk.add_row(RowKind.INSTALMENT, starts_on=starts_on, due_on=due_on))
        pull_into(walk, due_on)
        starts_on = due_on
    for part, total in moved.items():
        multiple = walk.terms.multiple_minor if part is PRINCIPAL else 1
        shares = split(total // multiple, len(rows), odd_units=OddUnits.EARLIEST)
        for row, share in zip(reversed(rows), shares, strict=True):
            row.due[part] += share * multiple
        rows[-1].due[part] += total % multiple
    for row in rows:
        row.meet(operation.on)
    if freed is not None:
        exceed(walk, freed, allocate_receipt(walk, freed, -sum(freed.parts)))


def _laid_anew(walk: Walk, on: date) -> list[Row]:
    """Return the rows to come that are open, or would be if nothing had been paid for them.

    What another plan took over, or nobody asks for any more, stays as it is.
    """
    rows = rows_from(walk, on)
    return [
        row
        for row in rows
        if row.is_open or (any(row.paid) and not any(row.moved) and not any(row.written_off))
    ]


def _free(walk: Walk, operation: Extend, rows: Sequence[Row]) -> Transaction | None:
    """Take back what was paid for rows; return the transaction that did, if anything was."""
    if not any(any(row.paid) for row in rows):
        return None
    transaction = walk.begin(operation, Kind.EXTENSION, 0)
    for row in rows:
        for component, paid in enumerate(row.paid):
            if paid:
                walk.line(transaction, row, Effect.PAID)[component] -= paid
                transaction.parts[component] -= paid
                row.paid[component] = 0
                unpay_charges(walk, row, Component(component), paid)
        row.in_advance_minor = row.late_minor = 0
    return transaction


COMPONENTS = (PRINCIPAL, INTEREST, FEE)


def _schedule_open(walk: Walk, row: Row, component: Component) -> int:
    """Return what is open of a row without the charges on it."""
    return max(0, row.open(component) - open_of_charges(walk, row, component))

"""Re-ageing: what is unpaid moves to new instalments from a start day.

Old rows keep only what was paid. What was paid for rows due on the day of the re-age or later is
gathered in one row due that day; those rows are gone.
Source: the vectors' README, section "Re-age".
"""

from datetime import date
from itertools import chain

from fenqi.core.terms.amortise import events
from fenqi.core.terms.amortise import re_age as model_rules
from fenqi.core.terms.amortise.as_of import open_interest_as_of, outstanding_as_of
from fenqi.core.terms.amortise.dates import later
from fenqi.core.terms.amortise.rounding import capped
from fenqi.core.terms.amortise.settings import Interval
from fenqi.core.terms.life.charge import CHARGED, lay_again
from fenqi.core.terms.life.interest import INTEREST, PRINCIPAL, to_multiple
from fenqi.core.terms.life.operations import ReAge, ReAgeInterest
from fenqi.core.terms.life.state import IN_SCHEDULE, Kind, Row, RowKind, Transaction
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component
from fenqi.core.values.rate import Rounding, divide

OTHERS = (INTEREST, *CHARGED)


def re_age(walk: Walk, operation: ReAge) -> None:
    """Lay what is unpaid over new rows; where nothing is, nothing happens."""
    transaction = walk.begin(operation, Kind.RE_AGE, 0)
    transaction.on = operation.counts_from
    if not walk.recalculates:
        _re_age_plainly(walk, operation, transaction)
    elif operation.interest is ReAgeInterest.DEFAULT:
        _re_age_by_model(walk, operation, transaction)
    else:
        _re_age_in_equal_parts(walk, operation, transaction)
    transaction.amount_minor = sum(transaction.parts)
    if not transaction.amount_minor:
        walk.transactions.remove(transaction)
    walk.is_rearranged = True
    walk.re_aged = operation


def _re_age_by_model(walk: Walk, operation: ReAge, transaction: Transaction) -> None:
    """Let interest run on: unpaid interest goes into the first new row, charges by due day."""
    on, model = transaction.on, walk.the_model
    transaction.parts[INTEREST] = open_interest_as_of(model, on)
    model.settle()
    transaction.parts[PRINCIPAL] = model.totals().open_principal_minor
    ahead = _ahead(walk, on)
    model_rules.re_age(model, on, new_rows(operation))
    for pause in walk.pauses:  # one that lasts runs on in the new rows
        if pause.through >= on:
            events.pause(model, max(pause.on, on), pause.through)
    _rebuild(walk, ahead, on)
    lay_again(walk, ahead)
    walk.chain()


def _re_age_in_equal_parts(walk: Walk, operation: ReAge, transaction: Transaction) -> None:
    """Share principal, interest and charges due so far out equally; no further interest runs."""
    on, model = transaction.on, walk.the_model
    is_full = operation.interest is ReAgeInterest.EQUAL_FULL
    settled = model_rules.settled_for_equal_parts(model, on, with_future_interest=is_full)
    ahead = _ahead(walk, on)
    charged = [0] * len(Component)
    for row in walk.rows:
        if row.kind is not RowKind.DOWN_PAYMENT:
            for component in CHARGED:
                charged[component] += row.open(component)
                row.due[component] -= row.open(component)
    transaction.parts[:] = [settled.principal_minor, settled.interest_minor, *charged[2:]]
    shares = {part: model_rules.equal_parts(charged[part], operation.count) for part in CHARGED}
    model_rules.re_age_in_equal_parts(
        model,
        on,
        new_rows(operation),
        with_future_interest=is_full,
        charges_minor=[sum(both) for both in zip(*shares.values(), strict=True)],
    )
    _rebuild(walk, ahead, on)
    new = [row for row in walk.rows if row.kind is RowKind.RE_AGED][-operation.count :]
    walk.rows = [row for row in walk.rows if not _is_empty_extra(row)]
    for number, row in enumerate(new):
        for component, parts in shares.items():
            row.due[component] += parts[number]
    for row in walk.rows:
        row.meet(on)
    walk.chain()


def _is_empty_extra(row: Row) -> bool:
    return row.kind is RowKind.EXTRA and not any(row.due)


def new_rows(operation: ReAge) -> model_rules.NewRows:
    """Return the rows a re-age asks for, in the words of the interest model."""
    interval = Interval(operation.every, operation.unit)
    return model_rules.NewRows(operation.count, operation.starts_on, interval)


def _rebuild(walk: Walk, ahead: list[Row], on: date) -> None:
    """Let the rows be those of the model again: past ones keep what was paid, new ones follow."""
    model = walk.the_model
    model.settle()
    walk.rows = [row for row in walk.rows if row not in ahead]
    past = [row for row in walk.rows if row.kind in IN_SCHEDULE]
    by_days: dict[date, list[Row]] = {}  # an empty row can fall due on the day of the one before
    for row in past:
        by_days.setdefault(row.due_on, []).append(row)
    held = [row for row in ahead if any(row.paid) or any(row.relieved) or any(row.moved)]
    for period in model.periods:
        of_day = by_days.get(period.due_on)
        if of_day:
            row = of_day.pop(0)
        else:  # the first new one holds what was paid for rows that are gone
            row = gather_paid(walk, held, starts_on=period.starts_on, on=period.due_on)
            held = []
        row.starts_on = period.starts_on
        row.due[PRINCIPAL], row.due[INTEREST] = (
            period.due_principal_minor,
            period.due_interest_minor,
        )
        row.credited[PRINCIPAL] = period.credited_principal_minor
        row.meet(on)
    for row in chain.from_iterable(by_days.values()):
        if not any(row.due) and not any(row.paid):
            walk.rows.remove(row)


def _ahead(walk: Walk, on: date) -> list[Row]:
    return [row for row in walk.rows if row.kind in IN_SCHEDULE and row.due_on >= on]


def _re_age_plainly(walk: Walk, operation: ReAge, transaction: Transaction) -> None:
    """Move the unpaid principal in equal parts; interest and charges too if that was agreed.

    Charges that are not shared out stay with their due days.
    """
    on = transaction.on
    is_shared = walk.bears_interest and operation.interest is not ReAgeInterest.DEFAULT
    maturity = max(row.due_on for row in walk.rows if row.kind in IN_SCHEDULE)
    moved = lift(walk, (PRINCIPAL, INTEREST, *CHARGED) if is_shared else (PRINCIPAL,), on)
    if operation.interest is ReAgeInterest.EQUAL_PAYABLE and is_shared:
        moved[INTEREST] = outstanding_as_of(walk.the_model, on).interest_minor
    transaction.parts[:] = moved
    if not any(moved):
        return
    ahead = _ahead(walk, on)
    starts_on = _first_start(walk, operation)
    walk.rows = [row for row in walk.rows if row not in ahead]
    if on <= maturity:
        gather_paid(walk, ahead, starts_on=starts_on, on=on)
        starts_on = on
    new = _new_rows(walk, operation, starts_on)
    _lay_equally(walk, new, moved)
    if not is_shared:
        lay_again(walk, ahead)
    for row in walk.rows:
        row.meet(on)
    walk.chain()


def _lay_equally(walk: Walk, rows: list[Row], moved: list[int]) -> None:
    """Lay amounts on rows in equal parts; the whole part is rounded, principal gives way."""
    count = len(rows)
    part = to_multiple(
        divide(sum(moved), count, rounding=Rounding.HALF_EVEN), walk.terms.multiple_minor
    )
    for component in Component:
        parts = list(model_rules.equal_parts(moved[component], count))
        if component is PRINCIPAL:
            rest = sum(model_rules.equal_parts(moved[other], count)[0] for other in OTHERS)
            parts = list(capped(moved[component], [part - rest] * count))
        for row, amount in zip(rows, parts, strict=True):
            row.due[component] += amount


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
            row.due[component] += gone.paid[component] + gone.relieved[component]
            row.due[component] += gone.moved[component]
            row.moved[component] += gone.moved[component]
            row.paid[component] += gone.paid[component]
            row.relieved[component] += gone.relieved[component]
            row.credited[component] += gone.credited[component]
        row.in_advance_minor += gone.in_advance_minor
        row.late_minor += gone.late_minor
    row.meet(on)
    return row


def _first_start(walk: Walk, operation: ReAge) -> date:
    """Return where the first new row begins: the last due day that is past and stays."""
    rows = [row for row in walk.rows if row.kind is not RowKind.DOWN_PAYMENT]
    stays = [row for row in rows if row.kind is RowKind.EXTRA or row.due_on < operation.counts_from]
    before = [row.due_on for row in stays if row.due_on < operation.starts_on]
    return max(before, default=min(row.starts_on for row in rows))


def _new_rows(walk: Walk, operation: ReAge, starts_on: date) -> list[Row]:
    """Return the new rows; an extra row that falls due before one of them becomes that one.

    One that fell due before the start day is past and stays where it is.
    """
    for row in walk.rows:
        if row.kind is RowKind.EXTRA and row.due_on < operation.starts_on:
            row.kind = RowKind.RE_AGED
    rows: list[Row] = []
    for number in range(operation.count):
        due_on = later(operation.starts_on, operation.every * number, operation.unit)
        extra = next((row for row in walk.rows if row.kind is RowKind.EXTRA), None)
        if extra is not None and extra.due_on <= due_on:
            extra.kind, extra.starts_on, extra.due_on = RowKind.RE_AGED, starts_on, due_on
            rows.append(extra)
        else:
            rows.append(walk.add_row(RowKind.RE_AGED, starts_on=starts_on, due_on=due_on))
        starts_on = due_on
    walk.sort_rows()
    return rows

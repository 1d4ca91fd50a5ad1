"""How what we computed is held against what was published, cell by cell; the first difference."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from conformance.life_charges import CHARGES
from conformance.life_player import Player
from conformance.life_words import SCHEDULE, TRANSACTION
from fenqi.core.terms.life.state import ChargeState, Kind, Row, Status, Transaction
from fenqi.core.terms.life.view import View
from fenqi.core.terms.product import Component
from fenqi.core.values.money import Currency, decimal_text

Cell = str | date | int | bool | None
Cells = Sequence[Cell]

ACCRUALS = (Kind.ACCRUAL, Kind.ACCRUAL_ADJUSTMENT)
TYPES = {
    Kind.DISBURSEMENT: "Disbursement",
    Kind.REPAYMENT: "Repayment",
    Kind.DOWN_PAYMENT: "Down Payment",
    Kind.MERCHANT_REFUND: "Merchant Issued Refund",
    Kind.PAYOUT_REFUND: "Payout Refund",
    Kind.GOODWILL: "Goodwill Credit",
    Kind.INTEREST_WAIVER: "Interest Payment Waiver",
    Kind.INTEREST_REFUND: "Interest Refund",
    Kind.CHARGE_ADJUSTMENT: "Charge Adjustment",
    Kind.CHARGE_WAIVER: "Waive loan charges",
    Kind.CHARGEBACK: "Chargeback",
    Kind.CREDIT_REFUND: "Credit Balance Refund",
    Kind.CASH_REFUND: "Refund",
    Kind.RE_AGE: "Re-age",
    Kind.RE_AMORTISE: "Re-amortize",
    Kind.CHARGE_OFF: "Charge-off",
    Kind.WRITE_OFF: "Close (as written-off)",
    Kind.TERMINATION: "Contract Termination",
    Kind.ACCRUAL: "Accrual",
    Kind.ACCRUAL_ADJUSTMENT: "Accrual Adjustment",
    Kind.ACCRUAL_ACTIVITY: "Accrual Activity",
}
STATUSES = {
    "APPROVED": Status.APPROVED,
    "ACTIVE": Status.ACTIVE,
    "CLOSED_OBLIGATIONS_MET": Status.CLOSED,
    "CLOSED (OBLIGATIONS MET)": Status.CLOSED,
    "OVERPAID": Status.OVERPAID,
    "CLOSED_WRITTEN_OFF": Status.WRITTEN_OFF,
}
# Rows whose place in a list says nothing: the platform derives them, or makes them of the whole
# debt. Of 1,973 published lists that agree with ours row by row, 81 have such rows elsewhere than
# their day and order would put them; all other rows stand in that order.
PLACELESS = {TYPES[kind] for kind in (*ACCRUALS, Kind.ACCRUAL_ACTIVITY, Kind.RE_AGE)}
COMPONENTS = {
    "principal": Component.PRINCIPAL,
    "interest": Component.INTEREST,
    "fees": Component.FEE,
    "penalties": Component.PENALTY,
}
REPORTED = ("journal", "delinquency")  # have no bar: `life_reported.py` compares them
CHARGE = (
    *("name", "is_penalty", "due_at", "due_as_of", "calculation"),
    *("due", "paid", "waived", "outstanding"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What we computed: a view on a business date, in a currency's digits."""

    view: View
    today: date
    digits: int
    is_lent: bool

    def money(self, minor: int) -> str:
        """Return minor units as the figures are printed."""
        return decimal_text(minor, Currency("XXX", self.digits))


def seen_by(player: Player) -> Seen:
    """Return what a player sees today."""
    return Seen(player.view(), player.today, player.digits, player.is_lent)


def differences(player: Player, expect: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs after a step, the plainest first."""
    wanted = {
        what: figure
        for what, figure in expect.items()
        if what not in REPORTED and figure is not None  # null: not asserted
    }
    if not wanted:
        return
    seen = seen_by(player)
    for what, figure in wanted.items():
        yield from COMPARE[what](figure, seen)


def _schedule(wanted: Sequence[Cells], seen: Seen) -> Iterator[str]:
    """Hold the rows against each other, each kind of row in its order, and the days in theirs.

    A disbursement and an instalment of one day are published in both orders.
    """
    ours = schedule_cells(seen)
    for is_lent, what in ((True, "disbursements"), (False, "rows")):
        wants = [(nr, row) for nr, row in enumerate(wanted, start=1) if (row[0] is None) is is_lent]
        gots = [row for row in ours if (row[0] is None) is is_lent]
        if len(gots) != len(wants):
            yield f"schedule: wanted {len(wants)} {what}, got {len(gots)}"
            return
        for (number, want), got in zip(wants, gots, strict=True):
            for name, one, other in _differing(SCHEDULE, want, got):
                yield f"schedule row {number} {name}: wanted {one}, got {other}"
    for number, (want, got) in enumerate(zip(wanted, ours, strict=True), start=1):
        if want[2] != got[2]:
            yield f"schedule row {number} order: wanted {want[2]}, got {got[2]}"


def _differing(names: Sequence[str], want: Cells, got: Cells) -> list[tuple[str, Cell, Cell]]:
    """Return the cells that differ: name, wanted, got. A blank says nothing, but that of a day."""
    return [
        (name, one, other)
        for name, one, other in zip(names, want, got, strict=True)
        if one != other and (one is not None or name == "paid_date")
    ]


def schedule_cells(seen: Seen) -> list[Cells]:
    """Return our schedule with the disbursements between the rows, as it is printed."""
    lent = [one for one in seen.view.transactions if one.kind is Kind.DISBURSEMENT]
    lent = [one for one in lent if not one.is_reversed]
    cells: list[Cells] = []
    balance = 0
    for number, row in enumerate(seen.view.rows, start=1):
        while lent and _is_before(lent[0], row):
            one = lent.pop(0)
            balance += one.amount_minor
            cells.append(_lent_cells(one, seen))
        balance += row.credited[Component.PRINCIPAL] - row.due[Component.PRINCIPAL]
        cells.append(_row_cells(number, row, balance, seen))
    for one in lent:
        cells.append(_lent_cells(one, seen))
    return cells


def _lent_cells(one: Transaction, seen: Seen) -> Cells:
    """Return the row of a disbursement: nothing is due by it."""
    nil = seen.money(0)
    lent = seen.money(one.amount_minor)
    return [None, None, one.on, None, lent, None, None, nil, None, nil, nil, None, None, nil]


def _is_before(one: Transaction, row: Row) -> bool:
    """Return whether a disbursement is printed before a row; a down payment follows its own."""
    return one.on < row.due_on or (one.on == row.due_on and row.starts_on == row.due_on)


def _row_cells(number: int, row: Row, balance: int, seen: Seen) -> Cells:
    return [
        number,
        (row.due_on - row.starts_on).days,
        row.due_on,
        row.met_on,
        seen.money(max(0, balance)),
        *(seen.money(row.due[component]) for component in COMPONENTS.values()),
        seen.money(sum(row.due)),
        seen.money(sum(row.paid)),
        seen.money(row.in_advance_minor),
        seen.money(row.late_minor),
        seen.money(row.open_minor),
    ]


def _totals(wanted: Mapping[str, str | None], seen: Seen) -> Iterator[str]:
    rows = seen.view.rows
    ours = {name: sum(row.due[at] for row in rows) for name, at in COMPONENTS.items()}
    ours["due"] = sum(sum(row.due) for row in rows)
    ours["paid"] = sum(sum(row.paid) for row in rows)
    ours["in_advance"] = sum(row.in_advance_minor for row in rows)
    ours["late"] = sum(row.late_minor for row in rows)
    ours["outstanding"] = seen.view.open_minor
    for name, figure in wanted.items():
        if figure is not None and figure != seen.money(ours[name]):
            yield f"totals {name}: wanted {figure}, got {seen.money(ours[name])}"


def _transactions(wanted: Sequence[Cells], seen: Seen, *, accruals: bool = True) -> Iterator[str]:
    """Hold the lists against each other, and the order of what has a place in it."""
    ours = [
        transaction_cells(one, seen)
        for one in seen.view.transactions
        if accruals or one.kind not in ACCRUALS
    ]
    left = list(ours)
    for number, want in enumerate(wanted, start=1):
        match = next((got for got in left if not _differing(TRANSACTION, want, got)), None)
        if match is not None:
            left.remove(match)
            continue
        near = [got for got in left if got[:2] == list(want[:2])] or left
        if not near:
            yield f"transactions: wanted {_text(want)}, got none"
            return
        nearest = min(near, key=lambda got, want=want: len(_differing(TRANSACTION, want, got)))
        for name, one, other in _differing(TRANSACTION, want, nearest):
            yield f"transaction {number} {want[0]} {want[1]} {name}: wanted {one}, got {other}"
    if left:
        yield f"transactions: not wanted {_text(left[0])}"
    placed = [[row for row in rows if row[1] not in PLACELESS] for rows in (wanted, ours)]
    for want, got in zip(*placed, strict=False):
        if _differing(TRANSACTION, want, got):
            yield f"transactions order: wanted {_text(want)}, got {_text(got)}"


def _text(cells: Cells) -> str:
    return " ".join("-" if cell is None else str(cell) for cell in cells)


def transaction_cells(one: Transaction, seen: Seen) -> Cells:
    """Return a transaction as it is printed."""
    return [
        one.on,
        TYPES[one.kind],
        seen.money(one.amount_minor),
        *(seen.money(one.parts[component]) for component in COMPONENTS.values()),
        seen.money(one.balance_minor),
        one.is_reversed,
        one.is_replayed,
    ]


def _without_accruals(wanted: Sequence[Cells], seen: Seen) -> Iterator[str]:
    yield from _transactions(wanted, seen, accruals=False)


def _charges(wanted: Sequence[Mapping[str, Any]], seen: Seen) -> Iterator[str]:
    """Hold the charges against each other; they are a set."""
    left = [charge_cells(one, seen) for one in seen.view.charges]
    for number, want in enumerate(wanted, start=1):
        if not left:
            yield f"charges: wanted {len(wanted)}, got {number - 1}"
            return
        cells = [want.get(name) for name in CHARGE]
        nearest = min(left, key=lambda got, cells=cells: len(_differing(CHARGE, cells, got)))
        left.remove(nearest)
        for name, one, other in _differing(CHARGE, cells, nearest):
            yield f"charge {number} {name}: wanted {one}, got {other}"
    if left:
        yield f"charges: not wanted {_text(left[0])}"


def charge_cells(one: ChargeState, seen: Seen) -> Cells:
    """Return a charge as it is printed."""
    words = CHARGES[one.name]
    return [
        words.name,
        one.is_penalty,
        words.due_at,
        one.due_on,
        words.calculation,
        seen.money(one.amount_minor),
        seen.money(one.paid_minor),
        seen.money(one.waived_minor),
        seen.money(one.open_minor),
    ]


def _status(wanted: str, seen: Seen) -> Iterator[str]:
    status = seen.view.status if seen.is_lent else Status.APPROVED
    if STATUSES.get(wanted.upper()) != status:
        yield f"status: wanted {wanted}, got {status}"


def _outstanding(wanted: str, seen: Seen) -> Iterator[str]:
    if wanted != seen.money(seen.view.open_minor):
        yield f"outstanding: wanted {wanted}, got {seen.money(seen.view.open_minor)}"


def _overpaid(wanted: str, seen: Seen) -> Iterator[str]:
    if wanted != seen.money(seen.view.overpaid_minor):
        yield f"overpaid: wanted {wanted}, got {seen.money(seen.view.overpaid_minor)}"


def _overdue(wanted: str, seen: Seen) -> Iterator[str]:
    overdue = sum(row.open_minor for row in seen.view.rows if row.due_on < seen.today)
    if wanted != seen.money(overdue):
        yield f"total_overdue: wanted {wanted}, got {seen.money(overdue)}"


def _met(wanted: bool, seen: Seen) -> Iterator[str]:
    is_met = not seen.view.open_minor
    if wanted != is_met:
        yield f"all_obligations_met: wanted {wanted}, got {is_met}"


def _maturity(wanted: date, seen: Seen) -> Iterator[str]:
    ours = seen.view.rows[-1].due_on if seen.view.rows else None
    if wanted != ours:
        yield f"actual_maturity: wanted {wanted}, got {ours}"


COMPARE: dict[str, Callable[[Any, Seen], Iterator[str]]] = {
    "schedule": _schedule,
    "totals": _totals,
    "transactions": _transactions,
    "transactions_without_accruals": _without_accruals,
    "charges": _charges,
    "status": _status,
    "outstanding": _outstanding,
    "overpaid": _overpaid,
    "total_overdue": _overdue,
    "all_obligations_met": _met,
    "actual_maturity": _maturity,
}

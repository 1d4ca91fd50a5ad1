"""The order in which operations count, and which transactions a replay has changed.

Source: the vectors' README, section "Allocation".
"""

from collections.abc import Iterable, Mapping
from datetime import date

from fenqi.core.terms.life.operations import (
    AddCharge,
    AddPeriods,
    ChangeRate,
    MoveDueDay,
    Operation,
    PauseInterest,
    ReAge,
    WaiveCharge,
)
from fenqi.core.terms.life.state import Name, Transaction

Key = tuple[date, date, int, int]
BEFORE_ALL = 0  # such changes of terms count before what happens on their day


def order_of(operation: Operation, charges: Mapping[int, Operation]) -> Key:
    """Return where an operation counts: by effective day, day of recording, number.

    A charge counts from the day it was added, or its due day if that is earlier, and its waiver
    with it; a re-age from its day or its start day. A change of terms counts first on its day; one
    agreed ahead stands from its agreement, since whoever pays in between pays what it asks for.
    """
    match operation:
        case AddCharge() | ReAge():
            return (operation.counts_from, operation.booked_on, operation.number, 0)
        case WaiveCharge():
            return (*order_of(charges[operation.charge], charges)[:3], operation.number)
        case ChangeRate() | MoveDueDay() | AddPeriods() | PauseInterest():
            if operation.booked_on < operation.on:
                return (operation.booked_on, operation.booked_on, operation.number, 0)
            return (operation.on, operation.on, BEFORE_ALL, 0)
        case _:
            return (operation.on, operation.booked_on, operation.number, 0)


def changed(before: Iterable[Transaction], after: Iterable[Transaction]) -> set[Name]:
    """Return the transactions that a replay has changed.

    One whose amounts changed is booked anew, and so are the later ones of its day, to keep their
    order.
    """
    amounts = {one.name: _amounts(one) for one in before}
    names: set[Name] = set()
    days: set[date] = set()
    for one in after:
        if one.name in amounts and (one.on in days or amounts[one.name] != _amounts(one)):
            names.add(one.name)
            days.add(one.on)
    return names


def _amounts(transaction: Transaction) -> tuple[int, ...]:
    return (transaction.amount_minor, *transaction.parts, transaction.overpaid_minor)

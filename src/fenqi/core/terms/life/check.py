"""Whether an operation makes sense for a plan as it stands; asked once, when it is recorded.

A replay asks no more: an operation that made sense and that a later one has overtaken (a moved due
day that a backdated re-age took away) does what is left for it to do.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from fenqi.core.terms.life.operations import (
    AddCharge,
    AddPeriods,
    ChangeRate,
    Chargeback,
    ChargeOff,
    Disburse,
    MoveDueDay,
    NightlyRun,
    Operation,
    PauseInterest,
    ReAge,
    ReAgeInterest,
    ReAmortise,
    Receive,
    RefundCash,
    RefundCredit,
    Terminate,
    Undo,
    WaiveCharge,
)
from fenqi.core.terms.life.refusal import OperationSenseless, OperationUntimely
from fenqi.core.terms.life.state import IN_SCHEDULE, Kind
from fenqi.core.terms.life.walk import Walk

COUNT_MAX = 1_200  # instalments that one operation may add
AMOUNT_MINOR_MAX = 10**15  # sums of many plans still fit a 64-bit integer
AMENDING = (Disburse, AddCharge, MoveDueDay, AddPeriods, PauseInterest, ReAge, ReAmortise)
REARRANGING = (AddPeriods, ReAge, ReAmortise, MoveDueDay, PauseInterest)
LENGTHENING = (AddPeriods, ReAge, ReAmortise)
BEFORE_LENDING = (Disburse, Undo, AddPeriods, ChangeRate, MoveDueDay)
AHEAD = (ChangeRate, MoveDueDay, AddPeriods, PauseInterest, AddCharge, NightlyRun)


def check(walk: Walk, operation: Operation, recorded: Sequence[Operation]) -> None:
    """Refuse an operation that makes no sense.

    Errors: OperationSenseless, OperationUntimely.
    """
    if operation.number != len(recorded) + 1:
        _refuse(operation, "out of number", next=len(recorded) + 1)
    _check_amount(operation)
    _check_days(walk, operation)
    if walk.is_written_off and isinstance(operation, AMENDING):
        _not_now(operation, "the plan was written off")
    if isinstance(operation, REARRANGING) and walk.is_called:
        _not_now(operation, "everything has fallen due")
    if isinstance(operation, LENGTHENING) and walk.is_closed:
        _not_now(operation, "nothing is open")
    if isinstance(operation, Undo):
        _check_undo(operation, recorded)
    elif isinstance(operation, Chargeback):
        _check_chargeback(walk, operation, recorded)
    elif type(operation) in CHECKS:
        CHECKS[type(operation)](walk, operation)


def _check_amount(operation: Operation) -> None:
    amount = getattr(operation, "amount_minor", None)
    if amount is None:
        if isinstance(operation, AddCharge) and (
            operation.percent is None or operation.percent < 0
        ):
            _refuse(operation, "a charge is an amount or a percentage")
        return
    if type(amount) is not int or not 0 <= amount <= AMOUNT_MINOR_MAX:
        _refuse(operation, "amount out of range", amount=amount, most=AMOUNT_MINOR_MAX)


def _check_days(walk: Walk, operation: Operation) -> None:
    """A thing happens after the first disbursement and not after the day it is recorded."""
    if not isinstance(operation, AHEAD) and operation.on > operation.booked_on:
        _refuse(operation, "dated ahead", on=operation.on, booked_on=operation.booked_on)
    if isinstance(operation, BEFORE_LENDING):
        return
    if walk.began_on is None:
        _not_now(operation, "nothing was lent yet")
    if operation.on < walk.began_on and not isinstance(
        operation, AddCharge | PauseInterest | NightlyRun
    ):
        _refuse(operation, "before anything was lent", on=operation.on, lent_on=walk.began_on)


def _check_undo(undo: Undo, recorded: Sequence[Operation]) -> None:
    target = recorded[undo.of - 1] if 1 <= undo.of <= len(recorded) else None
    if target is None or isinstance(target, Undo | NightlyRun):
        _refuse(undo, "nothing to undo", of=undo.of)
    earlier = [one for one in recorded if isinstance(one, Undo) and one.of == undo.of]
    if any(one.of_receipt in (None, undo.of_receipt) for one in earlier):
        _not_now(undo, "undone already", of=undo.of)
    undone = {one.of for one in recorded if isinstance(one, Undo) and one.of_receipt is None}
    for one in recorded:
        if one.number not in undone and _stands_on(one, undo):
            _not_now(undo, "a later operation stands on it", of=undo.of, later=one.number)


def _stands_on(operation: Operation, undo: Undo) -> bool:
    """Return whether an operation makes no sense without what is undone."""
    if isinstance(operation, Chargeback):
        return operation.of == undo.of and undo.of_receipt in (None, operation.of_receipt)
    return isinstance(operation, WaiveCharge | Receive) and operation.charge == undo.of


def _check_chargeback(walk: Walk, operation: Chargeback, recorded: Sequence[Operation]) -> None:
    receipt = (operation.of, Kind(operation.of_receipt.value))
    original = next((one for one in walk.transactions if one.name == receipt), None)
    if original is None:
        _refuse(operation, "no such receipt", of=operation.of)
    earlier = sum(
        one.amount_minor
        for one in recorded
        if isinstance(one, Chargeback) and one.of == operation.of
    )
    if operation.amount_minor > original.amount_minor - earlier:
        left = original.amount_minor - earlier
        _not_now(operation, "more than is left of the receipt", left=left)


def _check_credit_refund(walk: Walk, operation: RefundCredit) -> None:
    if operation.amount_minor > walk.overpaid_minor:
        _not_now(operation, "more than was overpaid", overpaid=walk.overpaid_minor)


def _check_cash_refund(walk: Walk, operation: RefundCash) -> None:
    paid = sum(sum(row.paid) for row in walk.rows) + walk.overpaid_minor
    if operation.amount_minor > paid:
        _not_now(operation, "more than was paid", paid=paid)


def _check_waiver(walk: Walk, operation: WaiveCharge) -> None:
    if operation.charge not in walk.charges:
        _refuse(operation, "no such charge", charge=operation.charge)


def _check_pause(_: Walk, operation: PauseInterest) -> None:
    if operation.through < operation.on:
        _refuse(operation, "ends before it begins", through=operation.through)


def _check_count(_: Walk, operation: AddPeriods | ReAge) -> None:
    if not 1 <= operation.count <= COUNT_MAX:
        _refuse(operation, "count out of range", count=operation.count, most=COUNT_MAX)


def _check_added(walk: Walk, operation: AddPeriods) -> None:
    """Periods are added to a plan that still runs; later only a re-age can help."""
    _check_count(walk, operation)
    last_due_on = max((row.due_on for row in walk.rows if row.kind in IN_SCHEDULE), default=None)
    if last_due_on is not None and operation.on > last_due_on:
        _not_now(operation, "the last instalment is past due", last_due_on=last_due_on)


def _check_re_age(walk: Walk, operation: ReAge) -> None:
    """Equal parts begin after the first day; only where interest runs on can they replace it."""
    _check_count(walk, operation)
    begins_with_plan = walk.began_on is not None and operation.starts_on <= walk.began_on
    if begins_with_plan and operation.interest is not ReAgeInterest.DEFAULT:
        _refuse(operation, "new rows from the first day", lent_on=walk.began_on)


def _check_charge_off(walk: Walk, operation: ChargeOff | Terminate) -> None:
    if walk.is_charged_off or walk.is_terminated:
        _not_now(operation, "charged off or called already")


def _check_rate(_: Walk, operation: ChangeRate) -> None:
    if operation.rate < 0:
        _refuse(operation, "rate below zero", rate=operation.rate)


def _check_adjustment(walk: Walk, operation: Receive) -> None:
    if operation.charge is None:
        return
    charge = walk.charges.get(operation.charge)
    if charge is None:
        _refuse(operation, "no such charge", charge=operation.charge)
    elif operation.amount_minor > charge.amount_minor:
        _not_now(operation, "more than the charge", charge=charge.amount_minor)


def _check_move(walk: Walk, operation: MoveDueDay) -> None:
    rows = [row for row in walk.rows if row.kind in IN_SCHEDULE]
    if not rows:
        _not_now(operation, "nothing was lent yet")
    row = next((row for row in rows if row.due_on == operation.on), None)
    if row is None:
        _refuse(operation, "nothing falls due on that day", on=operation.on)
    elif row.met_on is not None:
        _not_now(operation, "that instalment is met", met_on=row.met_on)
    elif operation.to <= row.starts_on:
        _refuse(operation, "before the instalment begins", to=operation.to)


def _refuse(operation: Operation, reason: str, **fields: object) -> NoReturn:
    raise OperationSenseless(operation=operation.number, reason=reason, **fields)


def _not_now(operation: Operation, reason: str, **fields: object) -> NoReturn:
    raise OperationUntimely(operation=operation.number, reason=reason, **fields)


# Each check takes the operation of its own type, which the table's one type cannot say.
CHECKS: dict[type[Operation], Callable[[Walk, Any], None]] = {
    Receive: _check_adjustment,
    RefundCredit: _check_credit_refund,
    RefundCash: _check_cash_refund,
    WaiveCharge: _check_waiver,
    MoveDueDay: _check_move,
    PauseInterest: _check_pause,
    AddPeriods: _check_added,
    ReAge: _check_re_age,
    ChargeOff: _check_charge_off,
    Terminate: _check_charge_off,
    ChangeRate: _check_rate,
}

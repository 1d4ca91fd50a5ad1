"""Whether an operation makes sense for a plan as it stands; asked once, when it is recorded.

A replay asks no more: an operation that made sense and that a later one has overtaken (a moved due
day that a backdated re-age took away) does what is left for it to do.
"""

from collections.abc import Callable, Sequence
from typing import Any

from fenqi.core.terms.life.form import check_form
from fenqi.core.terms.life.may_ask import MAY_ASK
from fenqi.core.terms.life.operations import (
    AddCharge,
    AddPeriods,
    BillInstalment,
    ChangeDueDay,
    ChangeRate,
    Chargeback,
    ChargeOff,
    Defer,
    Disburse,
    Extend,
    MoveDueDay,
    NightlyRun,
    Operation,
    PauseInterest,
    ReAge,
    ReAgeInterest,
    ReAmortise,
    Receipt,
    Receive,
    RefundCash,
    RefundCredit,
    Suspend,
    Terminate,
    Undo,
    WaiveCharge,
    WriteOff,
)
from fenqi.core.terms.life.refusal import not_now, refuse
from fenqi.core.terms.life.rules import Refund
from fenqi.core.terms.life.state import IN_SCHEDULE, KIND_OF, Kind, Name
from fenqi.core.terms.life.walk import Walk

REARRANGING = (
    AddPeriods,
    BillInstalment,
    ChangeDueDay,
    Defer,
    Extend,
    MoveDueDay,
    PauseInterest,
    ReAge,
    ReAmortise,
    Suspend,
)
AMENDING = (Disburse, AddCharge, *REARRANGING)
ROWS_MAX = 1_200  # of one plan
OPERATIONS_MAX = 20_000  # of one plan
DERIVED = (Receipt.INTEREST_REFUND,)
REFUNDS = (Receipt.MERCHANT_REFUND, Receipt.PAYOUT_REFUND)
LENGTHENING = (AddPeriods, ReAge, ReAmortise)
BEFORE_LENDING = (Disburse, Undo, AddPeriods, ChangeRate, MoveDueDay)
AHEAD = (ChangeRate, MoveDueDay, AddPeriods, PauseInterest, AddCharge, NightlyRun)


def check(walk: Walk, operation: Operation, recorded: Sequence[Operation]) -> None:
    """Refuse an operation that makes no sense.

    Errors: OperationSenseless, OperationUntimely.
    """
    check_form(operation)
    if operation.number != len(recorded) + 1:
        refuse(operation, "out of number", next=len(recorded) + 1)
    if operation.number > OPERATIONS_MAX:
        not_now(operation, "too many operations", most=OPERATIONS_MAX)
    _check_days(walk, operation)
    if isinstance(operation, AMENDING):
        _check_may_amend(walk, operation)
    if isinstance(operation, Undo):
        _check_undo(walk, operation, recorded)
    elif isinstance(operation, Chargeback):
        _check_chargeback(walk, operation, recorded)
    elif isinstance(operation, NightlyRun):
        _check_night(operation, recorded)
    elif type(operation) in CHECKS:
        CHECKS[type(operation)](walk, operation)


def _check_may_amend(walk: Walk, operation: Operation) -> None:
    """What a plan asks for is changed while it runs and asks for something."""
    if walk.is_written_off:
        not_now(operation, "the plan was written off")
    if walk.is_called and isinstance(operation, REARRANGING):
        not_now(operation, "everything has fallen due")
    if walk.is_closed and isinstance(operation, LENGTHENING):
        not_now(operation, "nothing is open")


def _check_days(walk: Walk, operation: Operation) -> None:
    """A thing happens after the first disbursement and not after the day it is recorded."""
    if not isinstance(operation, AHEAD) and operation.on > operation.booked_on:
        refuse(operation, "dated ahead", on=operation.on, booked_on=operation.booked_on)
    if isinstance(operation, BEFORE_LENDING):
        return
    if walk.began_on is None:
        not_now(operation, "nothing was lent yet")
    if operation.on < walk.began_on and not isinstance(
        operation, AddCharge | PauseInterest | NightlyRun
    ):
        refuse(operation, "before anything was lent", on=operation.on, lent_on=walk.began_on)


def _check_undo(walk: Walk, undo: Undo, recorded: Sequence[Operation]) -> None:
    target = recorded[undo.of - 1] if 1 <= undo.of <= len(recorded) else None
    if target is None or isinstance(target, Undo | NightlyRun):
        refuse(undo, "nothing to undo", of=undo.of)
    if undo.of_receipt is not None:
        name = (undo.of, Kind(undo.of_receipt.value))
        if all(one.name != name for one in walk.transactions):
            refuse(undo, "no such receipt", of=undo.of, receipt=undo.of_receipt)
    earlier = [one for one in recorded if isinstance(one, Undo) and one.of == undo.of]
    if any(one.of_receipt in (None, undo.of_receipt) for one in earlier):
        not_now(undo, "undone already", of=undo.of)
    undone = {one.of for one in recorded if isinstance(one, Undo) and one.of_receipt is None}
    for one in recorded:
        if one.number not in undone and _stands_on(one, undo):
            not_now(undo, "a later operation stands on it", of=undo.of, later=one.number)


def _stands_on(operation: Operation, undo: Undo) -> bool:
    """Return whether an operation makes no sense without what is undone."""
    if isinstance(operation, Chargeback):
        return operation.of == undo.of and undo.of_receipt in (None, operation.of_receipt)
    return isinstance(operation, WaiveCharge | Receive) and operation.charge == undo.of


def _check_night(run: NightlyRun, recorded: Sequence[Operation]) -> None:
    """Nights are run in their order; one may be run again."""
    last = next((one.on for one in reversed(recorded) if isinstance(one, NightlyRun)), run.on)
    if run.on < last:
        not_now(run, "a later night was run", on=run.on, last=last)


def _check_chargeback(walk: Walk, operation: Chargeback, recorded: Sequence[Operation]) -> None:
    receipt = _receipt(operation)
    original = next((one for one in walk.transactions if one.name == receipt), None)
    if original is None:
        refuse(operation, "no such receipt", of=operation.of)
    if operation.on < original.on:
        refuse(operation, "before the receipt", on=operation.on, received_on=original.on)
    undone = {one.of for one in recorded if isinstance(one, Undo)}
    earlier = sum(
        one.amount_minor
        for one in recorded
        if isinstance(one, Chargeback) and one.number not in undone and _receipt(one) == receipt
    )
    if operation.amount_minor > original.amount_minor - earlier:
        left = original.amount_minor - earlier
        not_now(operation, "more than is left of the receipt", left=left)


def _receipt(operation: Chargeback) -> Name:
    return (operation.of, Kind(operation.of_receipt.value))


def _check_goes_out_last(walk: Walk, operation: RefundCredit | RefundCash) -> None:
    """Money goes back out of what has come in by its day."""
    last = max((one.on for one in walk.transactions if one.is_receipt), default=operation.on)
    if operation.on < last:
        not_now(operation, "before the last receipt", on=operation.on, received_on=last)


def _check_credit_refund(walk: Walk, operation: RefundCredit) -> None:
    if operation.amount_minor > walk.overpaid_minor:
        not_now(operation, "more than was overpaid", overpaid=walk.overpaid_minor)
    _check_goes_out_last(walk, operation)


def _check_cash_refund(walk: Walk, operation: RefundCash) -> None:
    paid = sum(sum(row.paid) for row in walk.rows) + walk.overpaid_minor
    if operation.amount_minor > paid:
        not_now(operation, "more than was paid", paid=paid)
    _check_goes_out_last(walk, operation)


def _check_waiver(walk: Walk, operation: WaiveCharge) -> None:
    if operation.charge not in walk.charges:
        refuse(operation, "no such charge", charge=operation.charge)
    if not walk.charges[operation.charge].open_minor:
        not_now(operation, "nothing of it is open", charge=operation.charge)


def _check_pause(_: Walk, operation: PauseInterest) -> None:
    if operation.through < operation.on:
        refuse(operation, "ends before it begins", through=operation.through)


def _check_count(walk: Walk, operation: AddPeriods | ReAge) -> None:
    if not 1 <= operation.count <= ROWS_MAX:
        refuse(operation, "count out of range", count=operation.count, most=ROWS_MAX)
    if len(walk.rows) + operation.count > ROWS_MAX:
        not_now(operation, "too many rows", rows=len(walk.rows), most=ROWS_MAX)


def _check_added(walk: Walk, operation: AddPeriods) -> None:
    """Periods are added to a plan that still runs; later only a re-age can help."""
    _check_count(walk, operation)
    last_due_on = max((row.due_on for row in walk.rows if row.kind in IN_SCHEDULE), default=None)
    if last_due_on is not None and operation.on > last_due_on:
        not_now(operation, "the last instalment is past due", last_due_on=last_due_on)


def _check_re_age(walk: Walk, operation: ReAge) -> None:
    """Equal parts begin after the first day; only where interest runs on can they replace it."""
    _check_count(walk, operation)
    begins_with_plan = walk.began_on is not None and operation.starts_on <= walk.began_on
    if begins_with_plan and operation.interest is not ReAgeInterest.DEFAULT:
        refuse(operation, "new rows from the first day", lent_on=walk.began_on)
    paid_out = (one for one in walk.transactions if one.kind is Kind.CREDIT_REFUND)
    owed = next((one for one in paid_out if one.overpaid_minor < one.amount_minor), None)
    if walk.recalculates and owed is not None:
        amounts = {"paid_out": owed.amount_minor, "overpaid": owed.overpaid_minor}
        not_now(operation, "more was paid out than was overpaid", of=owed.number, **amounts)


def _check_charge_off(walk: Walk, operation: ChargeOff | Terminate) -> None:
    if walk.is_charged_off or walk.is_terminated:
        not_now(operation, "charged off or called already")


def _check_receipt(walk: Walk, operation: Receive) -> None:
    if operation.receipt in DERIVED:
        refuse(operation, "follows from a refund only", receipt=operation.receipt)
    if (operation.charge is None) != (operation.receipt is not Receipt.CHARGE_ADJUSTMENT):
        refuse(operation, "an adjustment names its charge", receipt=operation.receipt)
    if operation.charge is not None:
        _check_adjustment(walk, operation, operation.charge)
    if operation.receipt in REFUNDS and walk.terms.rules.refund is Refund.PAYS:
        _check_refund(walk, operation)


def _check_refund(walk: Walk, operation: Receive) -> None:
    """No more of a purchase can be returned than was lent for it.

    Where refunds are taken out as never lent, that rule itself knows what is left.
    """
    refunds = {KIND_OF[one] for one in REFUNDS}
    earlier = sum(one.amount_minor for one in walk.transactions if one.kind in refunds)
    if earlier + operation.amount_minor > walk.lent_minor:
        left = walk.lent_minor - earlier
        not_now(operation, "refund above what was lent", amount=operation.amount_minor, left=left)


def _check_adjustment(walk: Walk, operation: Receive, number: int) -> None:
    charge = walk.charges.get(number)
    if charge is None:
        refuse(operation, "no such charge", charge=number)
    if operation.amount_minor > charge.amount_minor:
        not_now(operation, "more than the charge", charge=charge.amount_minor)


def _check_write_off(walk: Walk, operation: WriteOff) -> None:
    """A plan ends once, and nothing is lent on it afterwards."""
    if walk.is_written_off:
        not_now(operation, "written off already")
    lent = (one for one in walk.done if isinstance(one, Disburse) and one.on > operation.on)
    later = next(lent, None)
    if later is not None:
        not_now(operation, "a later operation stands on it", later=later.number)


def _check_lent(walk: Walk, operation: Disburse) -> None:
    """Nothing is lent before it was asked for."""
    if operation.on < walk.terms.submitted_on:
        refuse(operation, "before it was submitted", submitted_on=walk.terms.submitted_on)
    if len(walk.rows) >= ROWS_MAX:
        not_now(operation, "too many rows", rows=len(walk.rows), most=ROWS_MAX)


def _check_move(walk: Walk, operation: MoveDueDay) -> None:
    rows = [row for row in walk.rows if row.kind in IN_SCHEDULE]
    if not rows:
        not_now(operation, "nothing was lent yet")
    row = next((row for row in rows if row.due_on == operation.on), None)
    if row is None:
        refuse(operation, "nothing falls due on that day", on=operation.on)
    elif row.met_on is not None:
        not_now(operation, "that instalment is met", met_on=row.met_on)
    elif operation.to <= row.starts_on:
        refuse(operation, "before the instalment begins", to=operation.to)


# Each check takes the operation of its own type, which the table's one type cannot say.
CHECKS: dict[type[Operation], Callable[[Walk, Any], None]] = {
    **MAY_ASK,
    Disburse: _check_lent,
    Receive: _check_receipt,
    WriteOff: _check_write_off,
    RefundCredit: _check_credit_refund,
    RefundCash: _check_cash_refund,
    WaiveCharge: _check_waiver,
    MoveDueDay: _check_move,
    PauseInterest: _check_pause,
    AddPeriods: _check_added,
    ReAge: _check_re_age,
    ChargeOff: _check_charge_off,
    Terminate: _check_charge_off,
}

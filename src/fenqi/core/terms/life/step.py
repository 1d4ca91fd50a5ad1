"""One step of a walk: which rule an operation goes to."""

from collections.abc import Callable, Collection, Sequence
from datetime import date
from typing import Any

from fenqi.core.terms.life.bill_instalment import bill_instalment
from fenqi.core.terms.life.charge import add_charge, waive_charge
from fenqi.core.terms.life.charge_off import charge_off, terminate, write_off
from fenqi.core.terms.life.chargeback import charge_back, refund_credit
from fenqi.core.terms.life.disburse import disburse, lay_out
from fenqi.core.terms.life.extend import extend
from fenqi.core.terms.life.interest import count_to
from fenqi.core.terms.life.interest_refund import (
    as_never_lent,
    gives_interest_back,
    refund_interest,
)
from fenqi.core.terms.life.late import ONE_DAY, charge_late
from fenqi.core.terms.life.never_lent import take_out
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
    Operation,
    PauseInterest,
    ReAge,
    ReAmortise,
    Receipt,
    Receive,
    RefundCash,
    RefundCredit,
    Settle,
    Suspend,
    Terminate,
    WaiveCharge,
    WriteOff,
)
from fenqi.core.terms.life.re_age import re_age
from fenqi.core.terms.life.re_amortise import re_amortise
from fenqi.core.terms.life.receive import consume_overpayment, receive
from fenqi.core.terms.life.redate import change_due_day, defer
from fenqi.core.terms.life.refund import refund_cash
from fenqi.core.terms.life.refusal import OperationSenseless
from fenqi.core.terms.life.reschedule import (
    add_periods,
    change_rate,
    move_due_day,
    pause_interest,
)
from fenqi.core.terms.life.rest import note_pay_off
from fenqi.core.terms.life.rules import Refund
from fenqi.core.terms.life.settle import note_settlement, settle_early
from fenqi.core.terms.life.state import Name
from fenqi.core.terms.life.suspend import suspend
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.life.walk import Walk

TERM_CHANGES = (ChangeRate, MoveDueDay, AddPeriods, PauseInterest)
COUNTS_NOTHING = (AddCharge, WaiveCharge, *TERM_CHANGES)  # interest is not counted up to these


def walk_through(
    terms: LifeTerms,
    operations: Sequence[Operation],
    *,
    undone: frozenset[Name] = frozenset(),
    excused: Collection[date] = frozenset(),
) -> Walk:
    """Walk from the beginning through operations in the order in which they count.

    A plan that will ever bear interest is one from its start.

    Errors: OperationSenseless, OperationUntimely.
    """
    bears_interest = terms.bears_interest or any(
        one.rate for one in operations if isinstance(one, ChangeRate)
    )
    walk = Walk(terms, undone, bears_interest=bears_interest, excused=excused)
    for operation in operations:
        step(walk, operation)
    walk.touched = set()
    return walk


def step(walk: Walk, operation: Operation) -> None:
    """Apply one operation to a walk; a change of terms waits for the first disbursement.

    Errors: OperationSenseless if nothing was lent yet, or the operation's own rule refuses it.
    """
    if walk.rows:
        _count(walk, operation)
    elif isinstance(operation, Disburse):
        lay_out(walk, operation)
        while walk.waiting:
            step(walk, walk.waiting.pop(0))
    elif isinstance(operation, TERM_CHANGES):
        walk.waiting.append(operation)
        return
    else:
        raise OperationSenseless(reason="nothing was lent yet", operation=operation.number)
    RULES[type(operation)](walk, operation)
    walk.done.append(operation)
    if isinstance(operation, Receive) and gives_interest_back(walk, operation):
        refund_interest(walk, operation, _without_refunds(walk, operation.on))


def _count(walk: Walk, operation: Operation) -> None:
    """Count late charges and interest up to an operation.

    A thing counts before its own day is charged as late, but a write-off belongs to its day's end.
    """
    is_at_end = isinstance(operation, WriteOff)
    charge_late(walk, operation.on if is_at_end else operation.on - ONE_DAY)
    if isinstance(operation, COUNTS_NOTHING):
        return
    walk.is_pay_off = walk.is_withdrawal = False
    if isinstance(operation, Settle):
        note_settlement(walk, operation)
    elif isinstance(operation, Receive):
        note_pay_off(walk, operation.on, operation.amount_minor)
    count_to(walk, operation.counts_from if isinstance(operation, ReAge) else operation.on)


def _without_refunds(walk: Walk, on: date) -> Walk:
    """Return the life as if refunded amounts had never been lent, counted to a day."""
    twin = Walk(walk.terms, walk.undone, bears_interest=walk.bears_interest, excused=walk.excused)
    twin.is_simulated = True
    for operation in as_never_lent(walk):
        step(twin, operation)
    count_to(twin, on)
    return twin


def _receive(walk: Walk, operation: Receive) -> None:
    is_refund = operation.receipt is Receipt.MERCHANT_REFUND
    if is_refund and walk.terms.rules.refund is Refund.NEVER_LENT:
        take_out(walk, operation)
    else:
        receive(walk, operation)


def _charge(walk: Walk, operation: AddCharge) -> None:
    add_charge(walk, operation)
    consume_overpayment(walk, walk.charges[operation.number])


# Each rule takes the operation of its own type, which the table's one type cannot say.
RULES: dict[type[Operation], Callable[[Walk, Any], object]] = {
    Disburse: disburse,
    Receive: _receive,
    Settle: settle_early,
    BillInstalment: bill_instalment,
    Defer: defer,
    ChangeDueDay: change_due_day,
    Suspend: suspend,
    Extend: extend,
    AddCharge: _charge,
    WaiveCharge: waive_charge,
    Chargeback: charge_back,
    RefundCredit: refund_credit,
    RefundCash: refund_cash,
    ReAge: re_age,
    ReAmortise: re_amortise,
    ChargeOff: charge_off,
    Terminate: terminate,
    WriteOff: write_off,
    ChangeRate: change_rate,
    MoveDueDay: move_due_day,
    AddPeriods: add_periods,
    PauseInterest: pause_interest,
}

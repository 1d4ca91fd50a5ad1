"""One step of a walk: which rule an operation goes to."""

from collections.abc import Callable
from datetime import date
from typing import Any

from fenqi.core.terms.life.charge import add_charge, waive_charge
from fenqi.core.terms.life.charge_off import charge_off, terminate, write_off
from fenqi.core.terms.life.chargeback import charge_back, refund_credit
from fenqi.core.terms.life.disburse import disburse, lay_out
from fenqi.core.terms.life.interest import count_to, note_pay_off
from fenqi.core.terms.life.interest_refund import (
    as_never_lent,
    gives_interest_back,
    refund_interest,
)
from fenqi.core.terms.life.operations import (
    AddCharge,
    AddPeriods,
    ChangeRate,
    Chargeback,
    ChargeOff,
    Disburse,
    MoveDueDay,
    Operation,
    PauseInterest,
    ReAge,
    ReAmortise,
    Receive,
    RefundCash,
    RefundCredit,
    Terminate,
    WaiveCharge,
    WriteOff,
)
from fenqi.core.terms.life.re_age import re_age
from fenqi.core.terms.life.re_amortise import re_amortise
from fenqi.core.terms.life.receive import consume_overpayment, receive
from fenqi.core.terms.life.refund import refund_cash
from fenqi.core.terms.life.refusal import OperationSenseless
from fenqi.core.terms.life.reschedule import (
    add_periods,
    change_rate,
    move_due_day,
    pause_interest,
)
from fenqi.core.terms.life.walk import Walk

TermChange = ChangeRate | MoveDueDay | AddPeriods | PauseInterest
# These do not look at what is overdue on their day.
UNCOUNTED = (AddCharge, WaiveCharge, ChangeRate, MoveDueDay, AddPeriods, PauseInterest)


def step(walk: Walk, operation: Operation) -> None:
    """Apply one operation to a walk; a change of terms waits for the first disbursement.

    Errors: OperationSenseless if nothing was lent yet, or the operation's own rule refuses it.
    """
    if not walk.rows and isinstance(operation, TermChange):
        walk.waiting.append(operation)
        return
    if not walk.rows and not isinstance(operation, Disburse):
        raise OperationSenseless(reason="nothing was lent yet", operation=operation.number)
    if not walk.rows and isinstance(operation, Disburse):
        lay_out(walk, operation)
        while walk.waiting:
            step(walk, walk.waiting.pop(0))
    elif not isinstance(operation, UNCOUNTED):
        if isinstance(operation, Receive):
            note_pay_off(walk, operation.on, operation.amount_minor)
        count_to(walk, operation.counts_from if isinstance(operation, ReAge) else operation.on)
    RULES[type(operation)](walk, operation)
    walk.done.append(operation)
    if isinstance(operation, Receive) and gives_interest_back(walk, operation):
        refund_interest(walk, operation, _without_refunds(walk, operation.on))


def _without_refunds(walk: Walk, on: date) -> Walk:
    """Return the life as if refunded amounts had never been lent, counted to a day."""
    twin = Walk(walk.terms, walk.undone, bears_interest=walk.bears_interest)
    twin.is_simulated = True
    for operation in as_never_lent(walk):
        step(twin, operation)
    count_to(twin, on)
    return twin


def _charge(walk: Walk, operation: AddCharge) -> None:
    add_charge(walk, operation)
    consume_overpayment(walk, walk.charges[operation.number])


# Each rule takes the operation of its own type, which the table's one type cannot say.
RULES: dict[type[Operation], Callable[[Walk, Any], object]] = {
    Disburse: disburse,
    Receive: receive,
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

"""The replay of a stored plan: what was signed and what happened, in the words of the one engine.

`terms.life` computes every balance; here a signed purchase becomes terms of a life and a stored
operation one of a life's operations, and nothing else. A backdated payment is a replay of the
longer list, and a flow books only the difference between two replays.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import assert_never

from fenqi.core.terms.allowances import Allowances
from fenqi.core.terms.amortise.settings import Interval, Settings, Unit
from fenqi.core.terms.life.late import charge_late
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    BillInstalment,
    ChangeDueDay,
    Defer,
    Disburse,
    Extend,
    Receipt,
    Receive,
    Settle,
    Suspend,
    WriteOff,
)
from fenqi.core.terms.life.operations import Operation as LifeOperation
from fenqi.core.terms.life.refusal import OperationSenseless, OperationUntimely
from fenqi.core.terms.life.rules import (
    Allocation,
    Excess,
    Future,
    GivenUp,
    LifeRules,
    Processing,
    Refund,
    SettlementRule,
    Timing,
)
from fenqi.core.terms.life.settle import ending_minor, waivers_on
from fenqi.core.terms.life.step import step
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.life.view import View, view_of
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.operation import (
    DERIVED,
    Bill,
    Contested,
    Deferral,
    DueDay,
    Extension,
    Operation,
    OperationKind,
    Parameters,
)
from fenqi.core.terms.product import Product
from fenqi.core.terms.schedule import Terms
from fenqi.core.values.rate import PPM

MONTHLY = Interval(1, Unit.MONTHS)
PRODUCTS_KEPT = 1_000  # versions whose rules are remembered


def replay(
    terms: Terms,
    operations: Sequence[Operation],
    *,
    charged_through: date,
    excused: Collection[date] = frozenset(),
) -> View:
    """Return the plan after `operations`, late charges counted through a day.

    Operations count in the order of (effective day, number); derived ones in the list are ignored,
    for they follow from the others.

    Errors: OperationSenseless, OperationUntimely.
    Source: docs/adr/0016-replay-every-plan-in-one-engine.md.
    """
    walk = _walk(terms, operations, charged_through, excused)
    return view_of(walk, walk.transactions)


def life_of(
    terms: Terms,
    operations: Sequence[Operation],
    *,
    allowances: Allowances | None = None,
    excused: Collection[date] = frozenset(),
) -> Life:
    """Return a stored plan as a life, of which more may be asked and previewed.

    Its operations are numbered anew, without the derived ones. `allowances` are what the pack
    and the product offer together; without them, the product's.

    Errors: OperationSenseless, OperationUntimely.
    """
    of_life = life_terms(terms)
    if allowances is not None:
        of_life = replace(of_life, rules=replace(of_life.rules, allowances=allowances))
    happened = [one for one in operations if one.kind not in DERIVED]
    numbered = [replace(one, number=place) for place, one in enumerate(happened, start=1)]
    return Life.resumed(of_life, [life_operation(one) for one in numbered], excused=excused)


def settle_quote(
    terms: Terms,
    operations: Sequence[Operation],
    on: date,
    *,
    excused: Collection[date] = frozenset(),
) -> int:
    """Return what the customer pays to end the plan on the day `on`; `Settle` books the same.

    Units: minor units of the plan's currency.
    Errors: OperationSenseless if `on` precedes the start.
    """
    if on < terms.starts_on:
        raise OperationSenseless(reason="settled before it began", on=on, starts_on=terms.starts_on)
    so_far = [one for one in operations if one.effective_on <= on]
    walk = _walk(terms, so_far, on - timedelta(days=1), excused)
    return ending_minor(walk, on, waivers_on(walk, on))


def _walk(
    terms: Terms, operations: Iterable[Operation], charged_through: date, excused: Collection[date]
) -> Walk:
    happened = [one for one in operations if one.kind not in DERIVED]
    happened.sort(key=lambda one: (one.effective_on, one.number))
    walk = Walk(life_terms(terms), excused=excused)
    for one in happened:
        operation = life_operation(one)
        step(walk, operation)
        if isinstance(operation, Settle) and walk.claim_minor:
            raise OperationUntimely(
                operation=one.number,
                reason="a settlement pays the whole quote",
                amount=one.amount_minor,
                left=walk.claim_minor,
            )
    if not walk.rows:
        raise OperationSenseless(reason="nothing was lent yet")
    charge_late(walk, charged_through)
    return walk


def life_terms(terms: Terms) -> LifeTerms:
    """Return what was signed as the terms of a life."""
    rules, interest = _of_product(terms.product)
    return LifeTerms(
        rules=rules,
        interest=interest,
        count=terms.count,
        submitted_on=terms.starts_on,
        signed=terms,
    )


@lru_cache(PRODUCTS_KEPT)
def _of_product(product: Product) -> tuple[LifeRules, Settings]:
    """Return the rules that a product's plans live by, and its interest.

    Money goes to the oldest instalment first and fills it in the product's order; what is
    beyond all of them belongs to the account.
    """
    order = tuple((timing, component) for timing in Timing for component in product.allocation)
    rules = LifeRules(
        processing=Processing.HORIZONTAL,
        allocations={},
        default_allocation=Allocation(order, Future.NEXT),
        accrues=False,  # the ledger recognises income at month end, from the instalments
        settlement=SettlementRule(product.settlement, holds_days=product.quote_days),
        allowances=product.allowances,
        late=product.late,
        refund=Refund.NEVER_LENT,
        given_up=GivenUp.LIVES_ON,
        excess=Excess.OF_ACCOUNT,
    )
    return rules, Settings(MONTHLY, Decimal(product.interest_ppm_per_year) / PPM)


def life_operation(stored: Operation) -> LifeOperation:
    """Return a stored primary operation as one of a life. Errors: OperationSenseless."""
    number, on, booked_on = stored.number, stored.effective_on, stored.booked_on
    amount = stored.amount_minor
    if amount < 0:
        raise OperationSenseless(operation=number, reason="below zero", amount=amount)
    match stored.kind:
        case OperationKind.REPAY:
            return _receipt(stored, Receipt.REPAYMENT)
        case OperationKind.REFUND:
            return _receipt(stored, Receipt.MERCHANT_REFUND)
        case OperationKind.SETTLE:
            return Settle(number=number, on=on, booked_on=booked_on, amount_minor=amount)
        case OperationKind.WITHDRAW:
            return Settle(
                number=number, on=on, booked_on=booked_on, amount_minor=amount, is_withdrawal=True
            )
        case OperationKind.WRITE_OFF:
            return WriteOff(number=number, on=on, booked_on=booked_on)
        case OperationKind.DISBURSE:
            return Disburse(number=number, on=on, booked_on=booked_on, amount_minor=amount)
        case (
            OperationKind.DEFER
            | OperationKind.CHANGE_DUE_DAY
            | OperationKind.EXTEND
            | OperationKind.BILL_INSTALMENT
            | OperationKind.CONTEST
        ):
            return _requested(stored)
        case OperationKind.LATE_CHARGE:
            raise OperationSenseless(operation=number, reason="derived, not replayed")
        case _:
            assert_never(stored.kind)


def _requested(stored: Operation) -> LifeOperation:
    """Return what a customer asked for, with what it was asked with."""
    number, on, booked_on = stored.number, stored.effective_on, stored.booked_on
    amount = stored.amount_minor
    match stored.parameters:
        case Deferral(due_on, days):
            return Defer(
                number=number,
                on=on,
                booked_on=booked_on,
                due_on=due_on,
                days=days,
                cost_minor=amount,
            )
        case DueDay(day):
            return ChangeDueDay(number=number, on=on, booked_on=booked_on, day=day)
        case Extension(count, reviewed_by):
            return Extend(
                number=number,
                on=on,
                booked_on=booked_on,
                count=count,
                reviewed_by=reviewed_by,
                cost_minor=amount,
            )
        case Bill(through):
            return BillInstalment(
                number=number, on=on, booked_on=booked_on, through=through, amount_minor=amount
            )
        case Contested(days):
            return Suspend(number=number, on=on, booked_on=booked_on, days=days)
        case None:
            raise OperationSenseless(
                operation=number, reason="nothing says what was asked for", kind=stored.kind.value
            )
        case _:
            assert_never(stored.parameters)


Stored = tuple[OperationKind, int, Parameters | None]  # kind, amount in minor units, parameters


def stored_form(operation: LifeOperation) -> Stored:
    """Return how a request is stored; `life_operation` reads it back.

    Errors: OperationSenseless for what no customer asks for.
    """
    match operation:
        case Defer(due_on=due_on, days=days, cost_minor=cost):
            return OperationKind.DEFER, cost, Deferral(due_on, days)
        case ChangeDueDay(day=day):
            return OperationKind.CHANGE_DUE_DAY, 0, DueDay(day)
        case Extend(count=count, reviewed_by=reviewed_by, cost_minor=cost):
            return OperationKind.EXTEND, cost, Extension(count, reviewed_by)
        case BillInstalment(through=through, amount_minor=amount):
            return OperationKind.BILL_INSTALMENT, amount, Bill(through)
        case Settle(amount_minor=amount, is_withdrawal=is_withdrawal):
            kind = OperationKind.WITHDRAW if is_withdrawal else OperationKind.SETTLE
            return kind, amount, None
        case Receive(receipt=Receipt.MERCHANT_REFUND, amount_minor=amount):
            return OperationKind.REFUND, amount, None
        case _:
            raise OperationSenseless(operation=operation.number, reason="no request")


def _receipt(stored: Operation, receipt: Receipt) -> Receive:
    return Receive(
        number=stored.number,
        on=stored.effective_on,
        booked_on=stored.booked_on,
        receipt=receipt,
        amount_minor=stored.amount_minor,
    )

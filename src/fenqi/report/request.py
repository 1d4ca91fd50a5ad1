"""A stored plan before and after what a customer may ask for, exactly as the flow would book it.

Whether it may be asked for is decided by what the flow asks (`store.requests`, `store.splits`,
`flows.settle`, `flows.refund`), and the plan is replayed with the operation that would be appended,
late charges counted as far as the flow counts them. Nothing is written.
"""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from fenqi.core.terms.life import customer
from fenqi.core.terms.life.view import View, moved_back
from fenqi.core.terms.operation import OperationKind
from fenqi.core.terms.replay import Stored, replay, stored_form
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.core.values.money import Currency, currency
from fenqi.flows.settle import quote_of
from fenqi.report.language import Speech
from fenqi.report.preview import (
    Heading,
    Part,
    PreviewUnclear,
    Wish,
    check_single,
    header_of,
    operation_of,
    parts_of,
    sums_of,
    table_of,
)
from fenqi.report.quote import product_words
from fenqi.store import accounts, bills, orders, plans
from fenqi.store.accounts import Account
from fenqi.store.bills import Taken
from fenqi.store.ground import Ground
from fenqi.store.orders import OrderMissing
from fenqi.store.plans import PlanHasNoOrder, PlanRecord
from fenqi.store.pool import Session
from fenqi.store.requests import weigh
from fenqi.store.returns import shares_of
from fenqi.store.splits import Splits, Wanted

A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Changed:
    """One plan that a request changes. `plan_id` is None of the plan that would begin."""

    plan_id: PlanId | None
    product: str
    product_version: int
    price_ppm: int  # of the product's own price
    before: tuple[Part, ...]
    after: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request would make of an account's plans.

    Units: minor units. `cost_minor` is what the customer pays more in all, below zero what is
    saved; `to_pay_minor` what ends the plan at once, where that is asked for; `moved_minor` what
    another plan takes over; `credit_minor` becomes the customer's credit, `returned_minor` goes
    back to the customer, `released_minor` of a hold is free again.
    """

    request: str
    account_id: AccountId
    currency: str
    on: date
    cost_minor: int
    plans: tuple[Changed, ...]
    to_pay_minor: int | None = None
    moved_minor: int = 0
    credit_minor: int = 0
    returned_minor: int = 0
    released_minor: int = 0


@dataclass(frozen=True, slots=True)
class Bill:
    """A statement that shall become a plan."""

    statement: int
    product: str
    count: int


def preview(
    ground: Ground,
    account_id: AccountId,
    *,
    plan_id: PlanId | None = None,
    wish: Wish | None = None,
    bill: Bill | None = None,
) -> Answer:
    """Return what a request on a stored plan, or of a statement, would do; nothing is booked.

    Errors: AccountMissing, PlanMissing, PreviewUnclear, and those by which the flow refuses.
    """
    with ground.store.transaction() as session:
        account = accounts.find(accounts.lock(session, {account_id}), account_id)
        if bill is not None:
            return _split(ground, session, account, bill)
        if plan_id is None or wish is None:
            raise PreviewUnclear()
        check_single(wish)
        key = (account_id, plan_id)
        record = plans.find(plans.load(session, {key}, ground.catalogue), key)
        if wish.refund_minor is not None:
            return _refund(ground, session, account, record, wish)
        return _request(session, account, record, wish)


def today(ground: Ground, account_id: AccountId) -> date:
    """Return the day a request counts if it is made now. Errors: AccountMissing."""
    with ground.store.transaction() as session:
        account = accounts.find(accounts.lock(session, {account_id}), account_id)
        return account.book.day_of(ground.clock.now())


def open_day(ground: Ground, account_id: AccountId) -> date:
    """Return the open day of an account's book, whatever the clock says. Errors: AccountMissing."""
    with ground.store.transaction() as session:
        account = accounts.find(accounts.lock(session, {account_id}), account_id)
        return account.book.business_date


def unit_of(ground: Ground, account_id: AccountId) -> Currency:
    """Return the currency of an account. Errors: AccountMissing."""
    with ground.store.transaction() as session:
        account = accounts.find(accounts.lock(session, {account_id}), account_id)
        return currency(account.currency)


def askable(ground: Ground, account_id: AccountId) -> tuple[list[PlanId], int]:
    """Return an account's running plans, the newest first, and its latest statement's number.

    Errors: AccountMissing.
    """
    with ground.store.transaction() as session:
        account = accounts.find(accounts.lock(session, {account_id}), account_id)
        return plans.running(session, account_id), account.statement_count


@dataclass(frozen=True, slots=True)
class _Try:
    """A plan before an operation and after it, late charges counted through the day before."""

    record: PlanRecord
    before: View
    after: View

    def changed(self) -> Changed:
        product = self.record.terms.product
        return Changed(
            self.record.plan_id,
            product.product_id,
            product.version,
            product.price_ppm,
            parts_of(self.before),
            parts_of(self.after),
        )

    @property
    def cost_minor(self) -> int:
        return _asked(self.after) - _asked(self.before)


def _try(account: Account, record: PlanRecord, stored: Stored, on: date) -> _Try:
    kind, amount, parameters = stored
    operations = record.following(
        [(kind, amount)],
        effective_on=on,
        booked_on=account.book.business_date,
        parameters=parameters,
    )
    charged_through = on - A_DAY
    before, after = record.tried([], charged_through), record.tried(operations, charged_through)
    return _Try(record, before, after)


def _asked(plan: View) -> int:
    """Return what is asked for in all; what another plan took over is asked for there."""
    return sum(sum(row.due) - sum(row.relieved) for row in plan.rows)


def _request(session: Session, account: Account, record: PlanRecord, wish: Wish) -> Answer:
    """Return what a request about one plan does."""
    on = max(wish.on, record.terms.starts_on)
    life = record.life()
    wish = dataclasses.replace(wish, on=on)
    to_pay = None
    if wish.settles or wish.cancels:
        if wish.cancels:
            customer.cancellation(life, on)  # refuses any other day
        to_pay = quote_of(record, on)
        stored: Stored = (OperationKind.SETTLE, to_pay, None)
    else:
        operation = operation_of(life, wish)
        stored = weigh(session, record, life, operation, on).stored
        if wish.withdraws:
            to_pay = stored[1]
    tried = _try(account, record, stored, on)
    return Answer(
        request=stored[0].value,
        account_id=account.account_id,
        currency=account.currency,
        on=on,
        cost_minor=tried.cost_minor,
        plans=(tried.changed(),),
        to_pay_minor=to_pay,
        credit_minor=tried.after.excess_minor - tried.before.excess_minor,
    )


def _split(ground: Ground, session: Session, account: Account, bill: Bill) -> Answer:
    """Return what becomes of a statement."""
    wanted = Wanted(bill.statement, bill.product, bill.count, ground.clock.now())
    splits = Splits(session, {(account.account_id, bill.statement)}, ground.catalogue)
    split = splits.split(account, wanted)
    terms = split.terms
    tries = [
        _try(account, record, stored_form(part), terms.starts_on) for record, part in split.parts
    ]
    lent = bills.lent(terms, account.book.business_date)
    begun = replay(terms, [lent], charged_through=terms.starts_on)
    of = terms.product
    new = Changed(None, of.product_id, of.version, of.price_ppm, (), parts_of(begun))
    return Answer(
        request=OperationKind.BILL_INSTALMENT.value,
        account_id=account.account_id,
        currency=account.currency,
        on=terms.starts_on,
        cost_minor=sum(one.cost_minor for one in tries) + _asked(begun) - terms.principal_minor,
        plans=(*(one.changed() for one in tries), new),
        moved_minor=terms.principal_minor,
    )


def _refund(
    ground: Ground, session: Session, account: Account, record: PlanRecord, wish: Wish
) -> Answer:
    """Return what taking goods back does to all plans that it reaches."""
    order_id = plans.order_of(session, record.key)
    if order_id is None:
        raise PlanHasNoOrder(plan=record.plan_id)
    key = (account.account_id, order_id)
    order = orders.lock(session, {key}).get(key)
    if order is None:
        raise OrderMissing(order=order_id)
    records = plans.of_orders(session, {key}, ground.catalogue)[key]
    taken = bills.taken_over(session, records, ground.catalogue)
    released, shares = shares_of(order, records, wish.refund_minor or 0)
    tries = [
        tried for one, share in shares for tried in _reached(account, one, share, wish.on, taken)
    ]
    return Answer(
        request=OperationKind.REFUND.value,
        account_id=account.account_id,
        currency=account.currency,
        on=wish.on,
        cost_minor=sum(one.cost_minor for one in tries),
        plans=tuple(one.changed() for one in tries),
        credit_minor=sum(one.after.excess_minor - one.before.excess_minor for one in tries),
        returned_minor=sum(one.after.returned_minor - one.before.returned_minor for one in tries),
        released_minor=released,
    )


def _reached(
    account: Account, record: PlanRecord, amount_minor: int, on: date, taken: Taken
) -> Iterator[_Try]:
    """Yield a plan that is refunded, and each plan that took over what this reaches."""
    number = len(record.operations) + 1
    on = max(on, record.terms.starts_on)
    tried = _try(account, record, (OperationKind.REFUND, amount_minor, None), on)
    yield tried
    for bill, moved in moved_back(tried.after, number).items():
        other = taken[record.account_id, record.plan_id, bill]
        yield from _reached(account, other, moved, on, taken)


def to_json(answer: Answer) -> str:
    """Return the plans as JSON: days as ISO dates, amounts as integers of the minor unit."""
    return json.dumps(dataclasses.asdict(answer), default=str, ensure_ascii=False, indent=2)


def show(answer: Answer, console: Console, speech: Speech) -> None:
    """Print each plan before and after, and what the request costs."""
    _ = speech.gettext
    unit = currency(answer.currency)
    first = answer.plans[0] if answer.plans else None
    of = _("a hold")
    if first:
        of = product_words(first.product, first.product_version, first.price_ppm, speech)
    console.print()
    heading = Heading(answer.request, of, answer.on, answer.cost_minor)
    console.print(Padding(header_of(heading, unit, speech), (0, 1)))
    for changed in answer.plans:
        if len(answer.plans) > 1:
            said = (
                _("plan %(plan)s, %(product)s") if changed.plan_id else _("new plan, %(product)s")
            )
            named = said % {"plan": changed.plan_id, "product": changed.product}
            console.print(Padding(Text(named, "dim"), (1, 2, 0, 2)))
        console.print(table_of(changed.before, changed.after, unit, speech))
    console.print(Padding(_sums(answer, unit, speech), (0, 2)))
    console.print()


def _sums(answer: Answer, unit: Currency, speech: Speech) -> Text:
    _ = speech.gettext
    lines = (
        (_("to pay now %(amount)s"), answer.to_pay_minor),
        (_("becomes a plan of its own %(amount)s"), answer.moved_minor or None),
        (_("becomes credit %(amount)s"), answer.credit_minor or None),
        (_("goes back %(amount)s"), answer.returned_minor or None),
        (_("of the limit is free again %(amount)s"), answer.released_minor or None),
    )
    return sums_of(lines, unit)

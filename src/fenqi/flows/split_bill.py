"""What a statement asks for becomes a plan of its own (bill instalment); no money moves.

The plans that the statement names give over exactly what falls due through its last day, and the
new plan lends that, under the terms of the product that was chosen. What a product does not offer
to give over stays where it is. What was paid since the statement was cut is not asked for any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import ClassVar

from fenqi.core.errors import Conflict, FenqiError
from fenqi.core.servicing.statement import due_days
from fenqi.core.terms.allowances import BillInstalmentRule
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.operations import BillInstalment
from fenqi.core.terms.life.preview import preview
from fenqi.core.terms.pack import allowances, check_amount
from fenqi.core.terms.replay import life_of, stored_form
from fenqi.core.terms.schedule import Frame, Terms
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.store import accounts, plans, statements
from fenqi.store.accounts import Account
from fenqi.store.bills import Bills, taking_over
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanKey, PlanRecord
from fenqi.store.statements import Named, StatementMissing

ANY_PART = BillInstalmentRule(least_minor=1)  # the least is asked of the whole bill


class StatementPast(Conflict):
    """Only the latest statement can become a plan."""

    code = "statement-past"


class BillTooSmall(Conflict):
    """What could become a plan is less than the products ask for."""

    code = "bill-too-small"


class BillDiffers(Conflict):
    """What the statement still asks for is not what the customer was shown."""

    code = "bill-differs"


class SplitBill(Command, frozen=True, kw_only=True):
    """Turn a statement into a plan; `amount_minor` is what the customer was shown of it."""

    kind: ClassVar[str] = "split-bill"
    account_id: AccountId
    statement: int
    product: str
    count: int
    amount_minor: int
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class BillSplit:
    """The plan that begins, and what it asks for.

    Units: minor units. Shapes: a due day, as ISO text, for each amount.
    """

    plan_id: str
    amount_minor: int
    due_on: list[str]
    open_minor: list[int]


@dataclass(frozen=True, slots=True)
class _Bill:
    """A statement that may become a plan: who gives over what, and the plan's terms."""

    parts: list[tuple[PlanRecord, BillInstalment]]
    terms: Terms


def split_bill(ground: Ground, commands: Sequence[SplitBill]) -> list[BillSplit | FenqiError]:
    """Turn each command's statement into a plan."""
    booking = Booking(ground)
    bills = Bills(booking)
    with ground.store.transaction() as session:
        locked = accounts.lock(session, {command.account_id for command in commands})
        inbox: Inbox[SplitBill, BillSplit] = Inbox(session, commands, BillSplit)
        fresh = list(inbox.fresh())
        named = statements.named(session, {(one.account_id, one.statement) for _, one in fresh})
        keys = {(key[0], plan) for key, one in named.items() for plan in one.plan_ids}
        found = plans.load(session, keys, ground.catalogue)
        for place, command in fresh:
            try:
                account = accounts.find(locked, command.account_id)
                statement = named.get((command.account_id, command.statement))
                bill = _bill(ground, account, statement, found, command)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            answer = _book(ground, bills, booking, account, bill, command)
            inbox.answer(place, account.account_id, answer)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _bill(
    ground: Ground,
    account: Account,
    statement: Named | None,
    found: dict[PlanKey, PlanRecord],
    command: SplitBill,
) -> _Bill:
    """Return what would be booked.

    Errors: StatementMissing, StatementPast, BillTooSmall, BillDiffers, OperationUntimely,
    ProductMissing, CountNotOffered, CapBroken.
    """
    if statement is None:
        raise StatementMissing(account=command.account_id, statement=command.statement)
    if command.statement != account.statement_count:
        raise StatementPast(statement=command.statement, latest=account.statement_count)
    on = account.book.day_of_lending(command.asked_at)
    records = [found[account.account_id, plan] for plan in statement.plan_ids]
    parts = [
        (record, part)
        for record in records
        if (part := _part(record, on, statement.through)) is not None
    ]
    _check_amount(parts, command)
    frame = Frame(
        product=ground.catalogue.product(command.product),
        count=command.count,
        starts_on=on,
        due_on=due_days(account.cycle, account.book.business_date, command.count),
    )
    pack = ground.catalogue.packs[account.book.pack, account.book.pack_version]
    check_amount(frame, command.amount_minor, pack)
    return _Bill(parts, frame.terms(command.amount_minor))


def _part(record: PlanRecord, on: date, through: date) -> BillInstalment | None:
    """Return what a plan gives over, or None where it has nothing to give or does not offer it.

    Errors: OperationUntimely where something is overdue.
    """
    offered = allowances(record.terms.product, record.pack)
    if offered.bill_instalment is None or on < record.terms.starts_on:
        return None
    life = life_of(
        record.terms,
        record.operations,
        allowances=replace(offered, bill_instalment=ANY_PART),
        excused=record.excused,
    )
    part = customer.bill_instalment(life, on, through=through)
    if not part.amount_minor:
        return None
    preview(life, part)
    return part


def _check_amount(parts: Sequence[tuple[PlanRecord, BillInstalment]], command: SplitBill) -> None:
    amount = sum(part.amount_minor for _, part in parts)
    rules = [record.terms.product.allowances.bill_instalment for record, _ in parts]
    least = max((rule.least_minor for rule in rules if rule is not None), default=1)
    if amount < least:
        raise BillTooSmall(statement=command.statement, amount_minor=amount, least_minor=least)
    if amount != command.amount_minor:
        raise BillDiffers(
            statement=command.statement, shown_minor=command.amount_minor, asked_minor=amount
        )


def _book(
    ground: Ground,
    bills: Bills,
    booking: Booking,
    account: Account,
    bill: _Bill,
    command: SplitBill,
) -> BillSplit:
    plan_id = PlanId(ground.ids.new())
    on = bill.terms.starts_on
    happening = booking.event(
        account,
        "bill-split",
        payload={
            "plan_id": plan_id,
            "statement": command.statement,
            "amount_minor": command.amount_minor,
            "product": command.product,
            "count": command.count,
            "parents": [record.plan_id for record, _ in bill.parts],
        },
        occurred_at=command.asked_at,
        effective_on=on,
        actor=command.actor,
        command_key=command.key,
        topic="customer",
    )
    parts = []
    for record, part in bill.parts:
        kind, amount, parameters = stored_form(part)
        number = len(record.operations) + 1
        booking.change(
            happening,
            record,
            (kind, amount),
            parameters=parameters,
            charged_through=on - timedelta(days=1),
        )
        parts.append((record, number, amount))
    pack = ground.catalogue.packs[account.book.pack, account.book.pack_version]
    parent = bill.parts[0][0].plan_id
    begun = taking_over(account, plan_id, bill.terms, pack, parent)
    bills.begin(happening, begun, parts)
    rows = begun.projection().rows
    return BillSplit(
        str(plan_id),
        command.amount_minor,
        [row.due_on.isoformat() for row in rows],
        [row.open_minor for row in rows],
    )

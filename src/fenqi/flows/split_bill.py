"""What a statement asks for becomes a plan of its own (bill instalment); no money moves.

What may be asked for and what it comes to is `store.splits`, which shows it as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from fenqi.core.errors import Conflict, FenqiError
from fenqi.core.terms.replay import stored_form
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.store import accounts
from fenqi.store.accounts import Account
from fenqi.store.bills import Bills, taking_over
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.splits import Split, Splits, Wanted


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

    @property
    def wanted(self) -> Wanted:
        """What is asked for, without what was shown of it."""
        return Wanted(self.statement, self.product, self.count, self.asked_at)


@dataclass(frozen=True, slots=True)
class BillSplit:
    """The plan that begins, and what it asks for.

    Units: minor units. Shapes: a due day, as ISO text, for each amount.
    """

    plan_id: str
    amount_minor: int
    due_on: list[str]
    open_minor: list[int]


def split_bill(ground: Ground, commands: Sequence[SplitBill]) -> list[BillSplit | FenqiError]:
    """Turn each command's statement into a plan."""
    booking = Booking(ground)
    bills = Bills(booking)
    with ground.store.transaction() as session:
        locked = accounts.lock(session, {command.account_id for command in commands})
        inbox: Inbox[SplitBill, BillSplit] = Inbox(session, commands, BillSplit)
        fresh = list(inbox.fresh())
        keys = {(one.account_id, one.statement) for _, one in fresh}
        splits = Splits(session, keys, ground.catalogue)
        for place, command in fresh:
            try:
                account = accounts.find(locked, command.account_id)
                split = splits.split(account, command.wanted)
                _check_shown(split, command)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            answer = _book(ground, bills, booking, account, split, command)
            splits.history.note(
                account.account_id,
                PlanId(UUID(answer.plan_id)),
                [record.plan_id for record, _ in split.parts],
                split.terms.starts_on,
            )
            inbox.answer(place, account.account_id, answer)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _check_shown(split: Split, command: SplitBill) -> None:
    amount = split.terms.principal_minor
    if amount != command.amount_minor:
        raise BillDiffers(
            statement=command.statement, shown_minor=command.amount_minor, asked_minor=amount
        )


def _book(
    ground: Ground,
    bills: Bills,
    booking: Booking,
    account: Account,
    split: Split,
    command: SplitBill,
) -> BillSplit:
    plan_id = PlanId(ground.ids.new())
    on = split.terms.starts_on
    happening = booking.event(
        account,
        "bill-split",
        payload={
            "plan_id": plan_id,
            "statement": command.statement,
            "amount_minor": command.amount_minor,
            "product": command.product,
            "count": command.count,
            "parents": [record.plan_id for record, _ in split.parts],
        },
        occurred_at=command.asked_at,
        effective_on=on,
        actor=command.actor,
        command_key=command.key,
        topic="customer",
    )
    parts = []
    for record, part in split.parts:
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
    parent = split.parts[0][0].plan_id
    begun = taking_over(account, plan_id, split.terms, pack, parent)
    bills.begin(happening, begun, parts)
    rows = begun.projection().rows
    return BillSplit(
        str(plan_id),
        command.amount_minor,
        [row.due_on.isoformat() for row in rows],
        [row.open_minor for row in rows],
    )

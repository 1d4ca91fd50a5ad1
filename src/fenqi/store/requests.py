"""What customers ask of one plan, a batch at a time: `defer`, `change_due_day`, `extend` share it.

The request is previewed on the plan as it stands, by the function that says what is shown to the
customer; what is booked is the operation that was previewed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

from fenqi.core.errors import Conflict, FenqiError
from fenqi.core.terms.cap import check_changed
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import Operation, Settle
from fenqi.core.terms.life.preview import Preview, preview
from fenqi.core.terms.replay import Stored, stored_form
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.store import accounts, plans
from fenqi.store.accounts import Account
from fenqi.store.booking import COST_LINES, Booking, Happening
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanContested, PlanRecord
from fenqi.store.pool import Session


class CostNotAgreed(Conflict):
    """The plan's cost table does not name what the request would cost (M7)."""

    code = "cost-not-agreed"


class PlanRequest(Command, frozen=True, kw_only=True):
    """A request of a customer about one of their plans."""

    account_id: AccountId
    plan_id: PlanId
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Granted:
    """What is still to come after a request, as the preview showed it.

    Units: minor units of the plan's currency. Shapes: a due day, as ISO text, for each amount.
    """

    cost_minor: int  # what the customer pays more in all
    due_on: list[str]
    open_minor: list[int]


AnyRequest = TypeVar("AnyRequest", bound=PlanRequest)
Ask = Callable[[Life, AnyRequest, date], Operation]  # the plan, what is asked, the day it counts
Tell = Callable[[Booking, Account, AnyRequest, "Change"], Happening]  # books the event


@dataclass(frozen=True, slots=True)
class Change:
    """A request that may be granted: how it is stored, the day it counts, what it makes of it."""

    stored: Stored
    on: date
    shown: Preview

    def tell(
        self, booking: Booking, account: Account, request: PlanRequest, kind: str, **said: object
    ) -> Happening:
        """Book the event of a request; `said` is what it says besides the plan and the cost."""
        told = {"plan_id": request.plan_id, "cost_minor": self.shown.cost_minor}
        return booking.event(
            account,
            kind,
            payload=told | said,
            occurred_at=request.asked_at,
            effective_on=self.on,
            actor=request.actor,
            command_key=request.key,
            topic="customer",
        )


def grant(
    ground: Ground, commands: Sequence[AnyRequest], ask: Ask[AnyRequest], tell: Tell[AnyRequest]
) -> list[Granted | FenqiError]:
    """Grant or refuse each request of the batch, in order."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        locked = accounts.lock(session, {command.account_id for command in commands})
        inbox: Inbox[AnyRequest, Granted] = Inbox(session, commands, Granted)
        keys = {(command.account_id, command.plan_id) for command in commands}
        found = plans.load(session, keys, ground.catalogue)
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                record = plans.find(found, (command.account_id, command.plan_id))
                on = max(account.book.day_of(command.asked_at), record.terms.starts_on)
                life = record.life()
                change = weigh(session, record, life, ask(life, command, on), on)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            kind, amount, parameters = change.stored
            booking.change(
                tell(booking, account, command, change),
                record,
                (kind, amount),
                parameters=parameters,
                charged_through=change.on - timedelta(days=1),
            )
            inbox.answer(place, account.account_id, _granted(change.shown))
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def weigh(
    session: Session, record: PlanRecord, life: Life, operation: Operation, on: date
) -> Change:
    """Return what a request would do to a plan, of which `life` is the life.

    Errors: PlanContested, OperationSenseless, OperationUntimely, CapBroken, CostNotAgreed.
    """
    if record.contested_on is not None and not isinstance(operation, Settle):
        raise PlanContested(plan=record.plan_id, since=record.contested_on)
    change = Change(stored_form(operation), on, preview(life, operation))
    kind, amount, _ = change.stored
    line = COST_LINES.get(kind)
    if amount and line is not None:
        check_changed(record.terms, change.shown.after, record.pack)
        _check_named(session, record, line, amount)
    return change


NAMED = """
SELECT 1 FROM cost_table_lines WHERE cost_table = %(cost_table)s AND cost_line = %(cost_line)s
"""


def _check_named(session: Session, record: PlanRecord, line: str, amount_minor: int) -> None:
    if not session.rows(NAMED, {"cost_table": record.cost_table, "cost_line": line}):
        raise CostNotAgreed(plan=record.plan_id, cost_line=line, cost_minor=amount_minor)


def _granted(shown: Preview) -> Granted:
    to_come = [row for row in shown.after.rows if row.open_minor]
    return Granted(
        shown.cost_minor,
        [row.due_on.isoformat() for row in to_come],
        [row.open_minor for row in to_come],
    )

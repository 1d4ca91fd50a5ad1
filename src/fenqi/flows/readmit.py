"""A person lets a parked application be tried again, once what went wrong is mended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fenqi.core.errors import FenqiError
from fenqi.core.values.ids import AccountId
from fenqi.store import applications, books
from fenqi.store.accounts import applicant
from fenqi.store.applications import ApplicationState
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground


class Readmit(Command, frozen=True, kw_only=True):
    """Try a parked application again. Its scope is the account it may open; `actor` looked."""

    kind: ClassVar[str] = "readmit"
    account_id: AccountId


@dataclass(frozen=True, slots=True)
class Readmitted:
    """How the application stands now: it waits for its turn again."""

    state: str


def readmit(ground: Ground, commands: Sequence[Readmit]) -> list[Readmitted | FenqiError]:
    """Let each parked application of the batch wait for its turn again."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        known = applications.lock(session, {one.account_id for one in commands})
        held = books.hold(session, {one.book_id for one in known.values()})
        inbox: Inbox[Readmit, Readmitted] = Inbox(session, commands, Readmitted)
        for place, command in inbox.fresh():
            try:
                one = applications.find(known, command.account_id)
                one.expect(ApplicationState.RECEIVED)
                account = applicant(one.account_id, held[one.book_id], one.event_count)
                one.event_count += 1
                applications.retried(session, one)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            booking.event(
                account,
                "application-readmitted",
                payload={},
                actor=command.actor,
                command_key=command.key,
            )
            inbox.answer(place, one.account_id, Readmitted(one.state.value))
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()

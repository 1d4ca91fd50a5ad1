"""A customer passed the check that was asked for: who signs in answered with a second factor.

Passing it answers every cause that asked; they ask again only for facts that come later. It ends,
too, a hold that only a crowded address placed, unless the rule of the crowds says otherwise: no
other hold, and no freeze.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fenqi.core.errors import Conflict, FenqiError
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.responses import Responses


class NoCheckAsked(Conflict):
    """No check is asked for of this account, or its time is over; nor can one end a hold of it."""

    code = "no-check-asked"


class Verify(Command, frozen=True, kw_only=True):
    """The door has checked a second factor, or a person has met the customer (`actor`)."""

    kind: ClassVar[str] = "verify"
    account_id: AccountId


@dataclass(frozen=True, slots=True)
class Verified:
    """The account whose next purchase is not stopped by the check or a weak hold any more."""

    account_id: str


def verify(ground: Ground, commands: Sequence[Verify]) -> list[Verified | FenqiError]:
    """Let each check of the batch be passed."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        locked = accounts.lock(session, {one.account_id for one in commands})
        inbox: Inbox[Verify, Verified] = Inbox(session, commands, Verified)
        responses = Responses(ground, booking, session)
        responses.know(list(locked))
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                passed = responses.stepped_up(account, actor=command.actor)
                if ground.crowd.check_ends_hold:
                    passed += responses.let_go(account, actor=command.actor)
                if not passed:
                    raise NoCheckAsked(account=command.account_id)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            inbox.answer(place, command.account_id, Verified(str(command.account_id)))
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()

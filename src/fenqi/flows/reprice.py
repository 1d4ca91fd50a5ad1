"""The price of accounts is looked at again: what plans later purchases are offered.

A rise is told with its reasons and can be contested; a fall holds at once. Signed plans keep the
product and price they were signed for, for life (P8).
"""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from fenqi.core.account import AccountStatus
from fenqi.core.errors import Conflict, FenqiError
from fenqi.core.risk.breaker import HELD_BACK
from fenqi.core.risk.change import Direction, Subject
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts
from fenqi.store.accounts import Account
from fenqi.store.assessments import Assessment, Assessor
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground


class PriceNotOpen(Conflict):
    """A price is looked at of open accounts only, and once in a batch."""

    code = "price-not-open"


class Reprice(Command, frozen=True, kw_only=True):
    """Look at an account's price again."""

    kind: ClassVar[str] = "reprice"
    account_id: AccountId


class Repriced(msgspec.Struct, frozen=True):
    """What became of a price: kept, raised or lowered. Units: ppm a year."""

    outcome: str
    decision_id: str
    old_ppm: int
    new_ppm: int
    grade: int
    parts: dict[str, int]
    reasons: list[str]
    bounds: list[str]


def reprice(ground: Ground, commands: Sequence[Reprice]) -> list[Repriced | FenqiError]:
    """Look at the price of each command's account."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        locked = accounts.lock(session, {command.account_id for command in commands})
        inbox: Inbox[Reprice, Repriced] = Inbox(session, commands, Repriced)
        assessor = Assessor(ground, session, booking, Subject.PRICE)
        chosen: dict[AccountId, tuple[int, Reprice]] = {}
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                if account.status is AccountStatus.CLOSED or command.account_id in chosen:
                    raise PriceNotOpen(account=command.account_id, status=account.status.value)
                chosen[command.account_id] = (place, command)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
        for made in assessor.assess({one: locked[one] for one in chosen}):
            place, command = chosen[made.account.account_id]
            if made.change.direction is not None and not made.held:
                assessor.changes.make(
                    made.account,
                    made.change,
                    decision_id=made.decision_id,
                    actor=command.actor,
                    command_key=command.key,
                )
            inbox.answer(place, made.account.account_id, _told(made.account, made))
        assessor.changes.write(session)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _told(account: Account, made: Assessment) -> Repriced:
    change = made.change
    is_kept = change.direction is None or bool(made.held)
    went = "raised" if change.direction is Direction.HARSHER else "lowered"
    return Repriced(
        outcome="kept" if is_kept else went,
        decision_id=str(made.decision_id),
        old_ppm=change.old,
        new_ppm=change.old if is_kept else change.new,
        grade=account.price_grade,
        parts={} if is_kept else dict(change.parts),
        reasons=list(made.reasons if is_kept else change.reasons),
        bounds=[bound.value for bound in change.bounds] + [HELD_BACK] * bool(made.held),
    )

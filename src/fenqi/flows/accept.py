"""The customer answers an offer of a higher limit: only then is it one.

An offer is for the limit it was made on. If that is another one by now, the offer's last day is
over, or the account is overdue or frozen, it is gone; a new one may come.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from fenqi.core.account import AccountStatus
from fenqi.core.errors import FenqiError
from fenqi.core.risk.change import Bound, Change, Subject, agreed
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, changes
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.changes import Changes, Offer, OfferGone, OfferMissing
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground


class Accept(Command, frozen=True, kw_only=True):
    """Answer an offer; with `accepts` the limit is raised."""

    kind: ClassVar[str] = "accept"
    account_id: AccountId
    offer_id: UUID
    accepts: bool = True


class Accepted(msgspec.Struct, frozen=True):
    """The limit after the answer, in minor units, and what became of the offer."""

    state: str
    limit_minor: int


def accept(ground: Ground, commands: Sequence[Accept]) -> list[Accepted | FenqiError]:
    """Answer each command's offer."""
    booking = Booking(ground)
    made = Changes(booking, ground.catalogue.conduct())
    with ground.store.transaction() as session:
        locked = accounts.lock(session, {command.account_id for command in commands})
        inbox: Inbox[Accept, Accepted] = Inbox(session, commands, Accepted)
        found = dict(changes.offers(session, locked, [command.offer_id for command in commands]))
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                offer = _standing_offer(account, found, command, booking.now)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            del found[offer.account_id, offer.offer_id]  # answered once, also within the batch
            inbox.answer(place, account.account_id, _answer(booking, made, account, offer, command))
        made.write(session)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _standing_offer(
    account: Account,
    found: Mapping[tuple[AccountId, UUID], Offer],
    command: Accept,
    now: datetime,
) -> Offer:
    """Return the offer if it can still be answered: no raise while something is overdue or frozen.

    Errors: OfferMissing, OfferGone.
    """
    offer = found.get((command.account_id, command.offer_id))
    if offer is None:
        raise OfferMissing(offer=command.offer_id)
    standing = account.standing_at(now)
    is_sound = standing.status is AccountStatus.OPEN and standing.overdue_days == 0
    if offer.state != "open":
        raise OfferGone(offer=command.offer_id, state=offer.state)
    if offer.last_on < account.book.business_date:
        raise OfferGone(offer=command.offer_id, last_on=offer.last_on)
    if command.accepts and not is_sound:
        how = {"status": standing.status.value, "overdue_days": standing.overdue_days}
        raise OfferGone(offer=command.offer_id, **how)
    if offer.old_minor != account.limit_minor:
        raise OfferGone(offer=command.offer_id)
    return offer


def _answer(
    booking: Booking, made: Changes, account: Account, offer: Offer, command: Accept
) -> Accepted:
    if not command.accepts:
        made.answer(account.account_id, offer.offer_id, "declined")
        booking.event(
            account,
            "limit-offer-declined",
            payload={"offer_id": offer.offer_id, "new_minor": offer.new_minor},
            actor=command.actor,
            command_key=command.key,
        )
        return Accepted("declined", account.limit_minor)
    change = Change(
        subject=Subject.LIMIT,
        old=offer.old_minor,
        new=offer.new_minor,
        wanted=offer.wanted_minor,
        parts=offer.parts,
        standing=agreed(offer.standing, Subject.LIMIT),
        reasons=(),
        bounds=tuple(Bound(one) for one in offer.bounds),
        turns=0,
    )
    made.answer(account.account_id, offer.offer_id, "accepted")
    made.make(
        account,
        change,
        decision_id=offer.decision_id,
        offer_id=offer.offer_id,
        actor=command.actor,
        command_key=command.key,
    )
    return Accepted("accepted", account.limit_minor)

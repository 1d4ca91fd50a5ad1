"""Limits and prices that change, caps that are met: for tests to begin with."""

from collections.abc import Sequence
from uuid import UUID

from make_book import World

from fenqi.core.risk.breaker import Caps
from fenqi.core.risk.change import Change, Pull, Subject, propose
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, changes
from fenqi.store.booking import Booking
from fenqi.store.breaker import Decider, Restraint
from fenqi.store.cases import Docket
from fenqi.store.changes import Changes


def move(
    world: World,
    account: AccountId,
    pulls: Sequence[Pull],
    subject: Subject = Subject.LIMIT,
) -> Change:
    """Propose and book what `pulls` want; a raise of a limit is offered."""
    conduct = world.ground.catalogue.conduct()
    booking = Booking(world.ground)
    made = Changes(booking, conduct)
    with world.store.transaction() as session:
        locked = accounts.lock(session, {account})
        on = locked[account].book.business_date
        history = changes.histories(session, locked, subject, on=on, conduct=conduct)[account]
        change = propose(
            history.standing, pulls, past=history.past, on=on, terms=conduct.terms(subject)
        )
        if change.is_offer:
            made.offer(locked[account], change, world.ground.ids.new())
        elif change.direction is not None:
            made.make(locked[account], change)
        made.write(session)
        booking.write(session)
    return change


def offer_of(world: World, account: AccountId) -> UUID:
    """Return the open offer of an account."""
    with world.store.transaction() as session:
        (offer,) = changes.offers(session, [account]).values()
    return offer.offer_id


def trip(world: World, account: AccountId, kind: DecisionKind, name: str, version: int) -> None:
    """Meet a cap of one with two wishes."""
    booking = Booking(world.ground)
    with world.store.transaction() as session:
        docket = Docket(world.ground, session, booking.now)
        booking.others.append(docket)
        book = accounts.lock(session, {account})[account].book
        restraint = Restraint(
            *(session, booking, [book], kind),
            caps={Effect.SMALLER_LIMIT: Caps(1, 1)},
            ids=world.ground.ids,
            docket=docket,
        )
        restraint.hold_back(book, Decider(kind, name, version), [(Effect.SMALLER_LIMIT,)] * 2)
        booking.write(session)

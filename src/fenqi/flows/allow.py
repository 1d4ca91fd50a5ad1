"""A place that many honest people share is written down, or taken off the list again.

There a crowd is looked at by a person and holds nobody (P6). The list only spares people, so one
person's word is enough; it says whose, why and until when, in the house's events of every book.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from fenqi.core.risk.crowd import PlaceKind
from fenqi.core.risk.identity import Sealer
from fenqi.core.risk.place import Range, check_last, check_note, check_person
from fenqi.store import accounts, books, places
from fenqi.store.booking import Booking
from fenqi.store.ground import Ground
from fenqi.store.places import Place, PlaceKnown, PlaceRemoved, day_of
from fenqi.store.pool import Session


@dataclass(frozen=True, slots=True)
class Sharing:
    """What is said of a place: which addresses, what it is, why it is believed, until when."""

    addresses: str  # one, or a range
    kind: PlaceKind
    note: str
    last_on: date | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """A place, and whether this call wrote it down."""

    place: Place
    is_new: bool


def add_place(ground: Ground, sharing: Sharing, sealer: Sealer, *, by: str) -> Added:
    """Write a place down; said again, it is the one there is already.

    Errors: PlaceInvalid, PlaceKnown if it is there in other words.
    """
    person, note = check_person(by), check_note(sharing.note)
    found = Range.read(sharing.addresses)
    now = ground.clock.now()
    check_last(sharing.last_on, day_of(now))
    seals = list(found.seals(sealer))
    place = Place(
        place_id=ground.ids.new(),
        kind=sharing.kind,
        note=note,
        range_hash=found.seal(sealer),
        ip_version=found.network.version,
        prefix_bits=found.network.prefixlen,
        address_count=len(seals),
        last_on=sharing.last_on,
        case_id=None,
        added_by=person,
        added_at=now,
    )
    with ground.store.transaction() as session:
        places.lock_adding(session)
        there = places.same(session, place.range_hash, now)
        if there is not None:
            _check_same(there, place)
            return Added(there, is_new=False)
        for rows in places.adding(place, seals):
            rows.send(session)
        _note(ground, session, "place-added", place, person)
    return Added(place, is_new=True)


def remove_place(ground: Ground, place_id: UUID, *, by: str) -> Place:
    """Let a place count no more.

    Errors: PlaceMissing, PlaceRemoved, PlaceInvalid.
    """
    person = check_person(by)
    with ground.store.transaction() as session:
        place = places.lock(session, place_id)
        if place.removed_at is not None:
            raise PlaceRemoved(place=place_id, by=place.removed_by)
        places.remove(session, place_id, by=person, now=ground.clock.now())
        _note(ground, session, "place-removed", place, person)
    return place


def _check_same(there: Place, place: Place) -> None:
    """Refuse to say of a place in force what it is not. Errors: PlaceKnown."""
    if (there.kind, there.last_on) != (place.kind, place.last_on):
        raise PlaceKnown(place=there.place_id, kind=there.kind.value)


def _note(ground: Ground, session: Session, kind: str, place: Place, by: str) -> None:
    """Write into the house's own events of every book who did what."""
    booking = Booking(ground)
    known = [books.read(session, one) for one in books.names(session)]
    houses = accounts.lock(session, [one.house_account_id for one in known])
    for book in known:
        booking.event(houses[book.house_account_id], kind, payload=_said(place), actor=by)
    booking.write(session)


def _said(place: Place) -> dict[str, object]:
    """Return what an auditor reads of a place; no address, since that may be somebody's."""
    return {
        "place_id": place.place_id,
        "kind": place.kind.value,
        "note": place.note,
        "ip_version": place.ip_version,
        "prefix_bits": place.prefix_bits,
        "last_on": place.last_on,
    }

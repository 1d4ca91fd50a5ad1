"""The circuit breaker's counts: kept in the database, so that all programs share one cap.

Who wants a harmful effect locks its row until his transaction ends and counts after that, so that
programs count one after another; what is rolled back was never counted. Rows are locked after
accounts and books, in a fixed order. A kind whose breaker is open is decided by the last good
version of its policy until a named person resets it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fenqi.core.errors import Invalid, Missing
from fenqi.core.ports import IdSource
from fenqi.core.risk.breaker import (
    Admission,
    Caps,
    Taken,
    Window,
    admit,
    begins,
    harms_of,
    held_back,
    minute_of,
)
from fenqi.core.risk.case import PRIORITIES, CaseKind
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.store import accounts
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.books import Book
from fenqi.store.cases import Docket
from fenqi.store.pool import Session

TRIPS_MAX = 1000


class TripMissing(Missing):
    """No breaker of this kind and effect is open."""

    code = "trip-missing"


class PersonNeeded(Invalid):
    """A reset needs the name of the person who looked, and what he found."""

    code = "person-needed"


@dataclass(frozen=True, slots=True)
class Decider:
    """What wants to harm: the kind of decision and the policy's version."""

    kind: DecisionKind
    policy: str
    policy_version: int


LOCK = """
INSERT INTO breakers (book_id, kind, effect, last_wanted_at)
SELECT %(book_id)s, %(kind)s, effect, %(now)s FROM UNNEST(%(effects)s::text[]) AS wanted (effect)
ORDER BY effect
ON CONFLICT (book_id, kind, effect) DO UPDATE SET last_wanted_at = EXCLUDED.last_wanted_at
"""
TAKEN = """
SELECT effect, COALESCE(SUM(taken) FILTER (WHERE minute >= %(hour)s), 0)::integer,
    SUM(taken)::integer
FROM breaker_minutes
WHERE book_id = %(book_id)s AND kind = %(kind)s AND effect = ANY(%(effects)s)
    AND minute >= %(day)s
GROUP BY effect
"""
TAKE = """
INSERT INTO breaker_minutes (book_id, kind, effect, minute, taken)
SELECT %(book_id)s, %(kind)s, effect, %(minute)s, taken
FROM UNNEST(%(effects)s::text[], %(counts)s::integer[]) AS wanted (effect, taken)
ON CONFLICT (book_id, kind, effect, minute)
    DO UPDATE SET taken = breaker_minutes.taken + EXCLUDED.taken
"""
OPEN = """
SELECT effect FROM breaker_trips
WHERE book_id = %(book_id)s AND kind = %(kind)s AND reset_at IS NULL
"""
TRIP = """
INSERT INTO breaker_trips
    (trip_id, book_id, kind, effect, span, cap, policy, policy_version, event_number, tripped_at)
VALUES
    (%(trip_id)s, %(book_id)s, %(kind)s, %(effect)s, %(span)s, %(cap)s, %(policy)s,
     %(policy_version)s, %(event_number)s, %(now)s)
"""


def restrain(
    session: Session,
    booking: Booking,
    book: Book,
    decider: Decider,
    effects: Sequence[Sequence[Effect]],
    *,
    caps: Mapping[Effect, Caps],
    ids: IdSource,
    docket: Docket,
) -> list[frozenset[Effect]]:
    """Return what each decision of a batch may not do, in their order, and count what it may.

    What finds no room is for a person to review (`soften`); then the breaker opens: an event on
    the book's house account says so, the outbox calls a person, and a case is opened in `docket`.
    The accounts and books of the batch are locked already. A batch that harms nobody asks nothing.
    """
    wanted = harms_of(effects)
    if not wanted:
        return [frozenset()] * len(effects)
    asked = {
        "book_id": book.book_id,
        "kind": decider.kind.value,
        "effects": sorted(effect.value for effect in wanted),
        "now": booking.now,
        "minute": minute_of(booking.now),
        "hour": begins(Window.HOUR, booking.now),
        "day": begins(Window.DAY, booking.now),
    }
    session.run(LOCK, asked)
    taken = {Effect(effect): Taken(hour, day) for effect, hour, day in session.rows(TAKEN, asked)}
    admissions = {
        effect: admit(count, taken.get(effect, Taken()), caps[effect])
        for effect, count in wanted.items()
    }
    allowed = {effect: admission.allowed for effect, admission in admissions.items()}
    counted = {effect.value: count for effect, count in allowed.items() if count}
    if counted:
        counts = {"effects": list(counted), "counts": list(counted.values())}
        session.run(TAKE, asked | counts)
    if allowed != wanted:
        _trip(session, booking, book, decider, admissions, caps, ids, docket, asked)
    return held_back(effects, allowed)


def _trip(
    session: Session,
    booking: Booking,
    book: Book,
    decider: Decider,
    admissions: Mapping[Effect, Admission],
    caps: Mapping[Effect, Caps],
    ids: IdSource,
    docket: Docket,
    asked: dict[str, Any],
) -> None:
    """Open the breakers whose caps were met, if they are not open already."""
    known = {effect for (effect,) in session.rows(OPEN, asked)}
    met = {
        effect: admission.tripped
        for effect, admission in admissions.items()
        if admission.tripped is not None and effect.value not in known
    }
    if not met:
        return
    house = _house(session, book)
    for effect, span in met.items():
        cap = caps[effect].of(span)
        told = {
            "kind": decider.kind.value,
            "effect": effect.value,
            "span": span.value,
            "cap": cap,
            "policy": decider.policy,
            "policy_version": decider.policy_version,
        }
        happening = booking.event(house, "breaker-tripped", payload=told, topic="operations")
        trip = told | {"trip_id": ids.new(), "event_number": happening.number}
        session.run(TRIP, asked | trip)
        docket.open(
            [house.account_id],
            book_id=book.book_id,
            kind=CaseKind.INVESTIGATION,
            cause=f"breaker/{book.book_id}/{decider.kind.value}/{effect.value}",
            subject=f"breaker-{effect.value}",
            priority=PRIORITIES[0],
            evidence=told,
        )


def _house(session: Session, book: Book) -> Account:
    """Lock the house account: last of all locks, and nobody who holds it waits for a customer's."""
    house = book.house_account_id
    return accounts.find(accounts.lock(session, {house}), house)


@dataclass(frozen=True, slots=True)
class Trip:
    """A cap that was met. `reset_by` is None while it is open."""

    trip_id: UUID
    book_id: str
    kind: str
    effect: str
    span: str
    cap: int
    policy: str
    policy_version: int
    tripped_at: datetime
    reset_at: datetime | None
    reset_by: str | None
    finding: str | None


TRIPS = """
SELECT trip_id, book_id, kind, effect, span, cap, policy, policy_version, tripped_at, reset_at,
    reset_by, finding
FROM breaker_trips WHERE book_id = %(book_id)s AND (reset_at IS NULL OR NOT %(only_open)s)
ORDER BY tripped_at DESC, effect LIMIT %(most)s
"""


def trips(session: Session, book_id: str, *, only_open: bool) -> list[Trip]:
    """Return the caps that were met in a book, the latest first."""
    asked = {"book_id": book_id, "only_open": only_open, "most": TRIPS_MAX}
    return [Trip(*row) for row in session.rows(TRIPS, asked)]


RESET = """
UPDATE breaker_trips SET reset_at = %(now)s, reset_by = %(by)s, finding = %(finding)s
WHERE book_id = %(book_id)s AND kind = %(kind)s AND reset_at IS NULL
RETURNING effect, policy, policy_version
"""


def reset(
    session: Session, booking: Booking, house: Account, kind: DecisionKind, *, by: str, finding: str
) -> int:
    """Close the open breakers of a kind in the book of a locked house account; return how many.

    An event says who did it and why.

    Errors: PersonNeeded, TripMissing.
    """
    if not by.strip() or not finding.strip():
        raise PersonNeeded(by=by, finding=finding)
    asked = {
        "book_id": house.book.book_id,
        "kind": kind.value,
        "now": booking.now,
        "by": by.strip(),
        "finding": finding.strip(),
    }
    closed = session.rows(RESET, asked)
    if not closed:
        raise TripMissing(book=house.book.book_id, kind=kind.value)
    for effect, policy, version in closed:
        told = {
            "kind": kind.value,
            "effect": effect,
            "policy": policy,
            "policy_version": version,
            "finding": asked["finding"],
        }
        booking.event(house, "breaker-reset", payload=told, actor=by.strip(), topic="operations")
    return len(closed)

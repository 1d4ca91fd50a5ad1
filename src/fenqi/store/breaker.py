"""The circuit breaker's counts: kept in the database, so that all programs share one cap.

The first decision of a batch that wants harm locks the rows of all effects of its kind in all books
of the batch at once, in a fixed order, and counts after that: so programs count one after another
and never wait for each other in a ring. What is rolled back was never counted. Rows are locked
after accounts, books and cases; the house accounts last of all. A kind whose breaker is open is
decided by the last good version of its policy until a named person resets it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fenqi.core.errors import Invalid, Missing
from fenqi.core.ports import IdSource
from fenqi.core.risk.breaker import (
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
from fenqi.core.risk.decision import HARMFUL, DecisionKind, Effect
from fenqi.core.values.ids import AccountId
from fenqi.core.values.name import is_name
from fenqi.store import accounts
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.books import Book
from fenqi.store.cases import BREAKER, Docket
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Sheet, Upsert

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
SELECT book_id, %(kind)s, effect, %(now)s
FROM UNNEST(%(books)s::text[]) AS own (book_id)
CROSS JOIN UNNEST(%(effects)s::text[]) AS wanted (effect)
ORDER BY book_id, effect
ON CONFLICT (book_id, kind, effect) DO UPDATE SET last_wanted_at = EXCLUDED.last_wanted_at
"""
TAKEN = """
SELECT book_id, effect, COALESCE(SUM(taken) FILTER (WHERE minute >= %(hour)s), 0)::integer,
    SUM(taken)::integer
FROM breaker_minutes
WHERE book_id = ANY(%(books)s) AND kind = %(kind)s AND minute >= %(day)s
GROUP BY book_id, effect
"""
DECIDED = """
SELECT book_id, COALESCE(SUM(decided) FILTER (WHERE minute >= %(hour)s), 0)::integer,
    SUM(decided)::integer
FROM decision_minutes
WHERE book_id = ANY(%(books)s) AND kind = %(kind)s AND minute >= %(day)s
GROUP BY book_id
"""
MINUTES = Upsert(
    "breaker_minutes",
    "book_id word, kind word, effect word, minute timestamptz, taken integer",
    keys="book_id, kind, effect, minute",
    adds=True,
)
OPEN = """
SELECT book_id, effect, policy, policy_version FROM breaker_trips
WHERE book_id = ANY(%(books)s) AND kind = %(kind)s AND reset_at IS NULL
"""
TRIP = """
INSERT INTO breaker_trips
    (trip_id, book_id, kind, effect, span, cap, policy, policy_version, event_number, tripped_at)
VALUES
    (%(trip_id)s, %(book_id)s, %(kind)s, %(effect)s, %(span)s, %(cap)s, %(policy)s,
     %(policy_version)s, %(event_number)s, %(now)s)
"""


class Restraint:
    """What the decisions of one batch and kind may still do under the caps; made once a batch.

    The accounts and books of the batch are locked already. A batch that harms nobody asks nothing.
    """

    def __init__(
        self,
        session: Session,
        booking: Booking,
        books: Iterable[Book],
        kind: DecisionKind,
        *,
        caps: Mapping[Effect, Caps],
        ids: IdSource,
        docket: Docket,
    ) -> None:
        self._session, self._booking, self._ids = session, booking, ids
        self._books = {one.book_id: one for one in books}
        self._kind, self._caps, self._docket = kind, caps, docket
        self._is_begun = False
        self._taken: dict[tuple[str, Effect], Taken] = {}
        self._decided: dict[str, Taken] = {}
        self._added: Counter[tuple[str, Effect]] = Counter()
        self._open: set[tuple[str, str, str, int]] = set()
        self._houses: dict[AccountId, Account] = {}
        booking.others.append(self)

    def hold_back(
        self, book: Book, decider: Decider, effects: Sequence[Sequence[Effect]], *, decided: int = 0
    ) -> list[frozenset[Effect]]:
        """Return what each of some decisions may not do, in their order, and count what it may.

        `decided` is how many decisions of the batch are not stored yet, harmful or not. What finds
        no room is for a person to review (`soften`); then the breaker opens: an event on the book's
        house account says so, the outbox calls a person, and a case is opened.
        """
        wanted = harms_of(effects)
        if not wanted:
            return [frozenset()] * len(effects)
        self._begin()
        name = book.book_id
        made = self._decided.get(name, Taken()).plus(decided)
        allowed: dict[Effect, int] = {}
        met: dict[Effect, tuple[Window, int]] = {}
        for effect, count in wanted.items():
            taken = self._taken.get((name, effect), Taken())
            admission = admit(count, taken, self._caps[effect], made)
            allowed[effect] = admission.allowed
            self._taken[name, effect] = taken.plus(admission.allowed)
            self._added[name, effect] += admission.allowed
            if admission.tripped is not None:
                cap = self._caps[effect].of(admission.tripped, made.of(admission.tripped))
                met[effect] = (admission.tripped, cap)
        self._trip(book, decider, met)
        return held_back(effects, allowed)

    def fill(self, sheet: Sheet) -> None:
        """Put what the batch took on its sheet."""
        rows, minute = Rows(MINUTES), minute_of(self._booking.now)
        for (book_id, effect), count in self._added.items():
            if count:
                rows.add(book_id, self._kind.value, effect.value, minute, count)
        sheet.add(rows)

    def _begin(self) -> None:
        """Lock the rows of the kind and read what was taken, once."""
        if self._is_begun:
            return
        self._is_begun = True
        now = self._booking.now
        asked = {
            "books": sorted(self._books),
            "kind": self._kind.value,
            "effects": sorted(effect.value for effect in HARMFUL),
            "now": now,
            "hour": begins(Window.HOUR, now),
            "day": begins(Window.DAY, now),
        }
        session = self._session
        session.run(LOCK, asked)
        with session.pipeline():
            taken, decided = session.ask(TAKEN, asked), session.ask(DECIDED, asked)
            trips = session.ask(OPEN, asked)
        self._taken = {(book, Effect(one)): Taken(*counts) for book, one, *counts in taken()}
        self._decided = {book: Taken(*counts) for book, *counts in decided()}
        self._open = {(book, effect, policy, number) for book, effect, policy, number in trips()}

    def _trip(self, book: Book, decider: Decider, met: Mapping[Effect, tuple[Window, int]]) -> None:
        """Open the breakers whose caps were met, if they are not open for this version already."""
        for effect, (span, cap) in met.items():
            name = (book.book_id, effect.value, decider.policy, decider.policy_version)
            if name in self._open:
                continue
            self._find_cases()
            self._open.add(name)
            house = self._house(book)
            told = {
                "kind": decider.kind.value,
                "effect": effect.value,
                "span": span.value,
                "cap": cap,
                "policy": decider.policy,
                "policy_version": decider.policy_version,
            }
            happening = self._booking.event(
                house, "breaker-tripped", payload=told, topic="operations"
            )
            trip = told | {
                "trip_id": self._ids.new(),
                "book_id": book.book_id,
                "event_number": happening.number,
                "now": self._booking.now,
            }
            self._session.run(TRIP, trip)
            self._docket.open(
                [house.account_id],
                book_id=book.book_id,
                kind=CaseKind.INVESTIGATION,
                cause=self._cause(book.book_id, effect),
                subject=f"breaker-{effect.value}",
                priority=PRIORITIES[0],
                evidence=told,
            )

    def _find_cases(self) -> None:
        """Lock the cases of all breakers of the batch's books: after all others, in one order."""
        if not self._houses:
            self._docket.know(
                {self._cause(one, effect) for one in self._books for effect in HARMFUL}
            )

    def _cause(self, book_id: str, effect: Effect) -> str:
        return f"{BREAKER}/{book_id}/{self._kind.value}/{effect.value}"

    def _house(self, book: Book) -> Account:
        """Return a book's house account; those of all books of the batch are locked at once.

        Last of all locks, and nobody who holds one waits for a customer's. One value for the whole
        batch, so that each event gets a number of its own.
        """
        if not self._houses:
            houses = {one.house_account_id for one in self._books.values()}
            self._houses = accounts.lock(self._session, houses)
        return self._houses[book.house_account_id]


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
    if not is_name(by) or not finding.strip() or not finding.isprintable():
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

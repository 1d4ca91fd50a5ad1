"""Places that many honest people share: as somebody wrote them down, or as a crowd there showed.

One meaning for every decision: an address is allowed in a book if it lies in a place that is in
force, or if the crowd rule of that book lately took it for a place and nobody denied it.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from fenqi.core.errors import Conflict, Missing
from fenqi.core.risk.crowd import CrowdRule, PlaceKind
from fenqi.store.columns import pack
from fenqi.store.links import asking_found_places
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Table

LISTED_MAX = 1_000
LOCK = 0x6665_6E71_6970  # whoever adds a place: two who add the same range wait for each other


class PlaceMissing(Missing):
    """No such place."""

    code = "place-missing"


class PlaceKnown(Conflict):
    """The range is a place already, of another kind or until another day."""

    code = "place-known"


class PlaceRemoved(Conflict):
    """The place was removed already; what was found then stands."""

    code = "place-removed"


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses that many are known to share, by whose word, until when.

    Of one that a case remembered only the seal of its address is known: no version, no bits.
    """

    place_id: UUID
    kind: PlaceKind
    note: str
    range_hash: bytes
    ip_version: int | None
    prefix_bits: int | None
    address_count: int
    last_on: date | None
    case_id: UUID | None
    added_by: str
    added_at: datetime
    removed_by: str | None = None
    removed_at: datetime | None = None

    def is_in_force(self, now: datetime) -> bool:
        """Whether it counts at an instant."""
        return self.removed_at is None and (self.last_on is None or self.last_on >= day_of(now))


def day_of(now: datetime) -> date:
    """Return the day by which places end: no book's, since a place belongs to none."""
    return now.astimezone(UTC).date()


PLACES = Table(
    "places",
    "place_id uuid, kind word, note text, range_hash bytea, ip_version smallint?,"
    "prefix_bits smallint?, address_count integer, last_on date?, case_id uuid?, added_by word,"
    "added_at timestamptz",
)
PLACE_ADDRESSES = Table("place_addresses", "identifier_hash bytea, place_id uuid")


def adding(place: Place, addresses: Sequence[bytes]) -> tuple[Rows, Rows]:
    """Return the rows of a place and of its addresses, to be sent in this order."""
    rows, own = Rows(PLACES), Rows(PLACE_ADDRESSES)
    rows.add(
        place.place_id,
        place.kind.value,
        place.note,
        place.range_hash,
        place.ip_version,
        place.prefix_bits,
        place.address_count,
        place.last_on,
        place.case_id,
        place.added_by,
        place.added_at,
    )
    own.extend(len(addresses), list(addresses), place.place_id)
    return rows, own


COLUMNS = """place_id, kind, note, range_hash, ip_version, prefix_bits, address_count, last_on,
    case_id, added_by, added_at, removed_by, removed_at"""
IN_FORCE = "removed_at IS NULL AND (last_on IS NULL OR last_on >= %(today)s)"
LOCK_ADDING = "SELECT pg_advisory_xact_lock(%(lock)s)"
SAME = f"""
SELECT {COLUMNS} FROM places WHERE range_hash = %(range_hash)s AND {IN_FORCE}
ORDER BY added_at DESC, place_id LIMIT 1
"""  # noqa: S608 - constants only
LOCK_ONE = f"""
SELECT {COLUMNS} FROM places WHERE place_id = %(place_id)s FOR NO KEY UPDATE
"""  # noqa: S608 - constants only
REMOVE = """
UPDATE places SET removed_by = %(by)s, removed_at = %(now)s WHERE place_id = %(place_id)s
"""
LISTED = f"""
SELECT {COLUMNS} FROM places
WHERE (%(all)s OR {IN_FORCE}) AND (%(address)s::bytea IS NULL OR place_id IN (
    SELECT place_id FROM place_addresses WHERE identifier_hash = %(address)s
))
ORDER BY added_at DESC, place_id LIMIT %(most)s
"""  # noqa: S608 - constants only
# Of several that hold an address the one written down last.
KIND = f"""
SELECT kind FROM places JOIN place_addresses USING (place_id)
WHERE identifier_hash = %(address)s AND {IN_FORCE}
ORDER BY added_at DESC, place_id LIMIT 1
"""  # noqa: S608 - constants only
KNOWN = f"""
SELECT DISTINCT identifier_hash FROM place_addresses JOIN places USING (place_id)
WHERE identifier_hash = ANY(%(addresses)s::bytea[]) AND {IN_FORCE} LIMIT %(most)s
"""  # noqa: S608 - constants only


def lock_adding(session: Session) -> None:
    """Keep others from adding a place until this transaction ends."""
    session.run(LOCK_ADDING, {"lock": LOCK})


def same(session: Session, range_hash: bytes, now: datetime) -> Place | None:
    """Return the place in force of the very same range, if there is one."""
    rows = session.rows(SAME, {"range_hash": range_hash, "today": day_of(now)})
    return _place(rows[0]) if rows else None


def lock(session: Session, place_id: UUID) -> Place:
    """Return a place, locked. Errors: PlaceMissing."""
    rows = session.rows(LOCK_ONE, {"place_id": place_id})
    if not rows:
        raise PlaceMissing(place=place_id)
    return _place(rows[0])


def remove(session: Session, place_id: UUID, *, by: str, now: datetime) -> None:
    """Let a locked place count no more."""
    session.run(REMOVE, {"place_id": place_id, "by": by, "now": now})


def listed(
    session: Session, now: datetime, *, with_over: bool, address: bytes | None = None
) -> list[Place]:
    """Return places, the latest first: those in force, or all; those that hold an address."""
    asked = {"all": with_over, "address": address, "today": day_of(now), "most": LISTED_MAX}
    return [_place(row) for row in session.rows(LISTED, asked)]


def asking_kind(session: Session, address: bytes, now: datetime) -> Callable[[], str | None]:
    """Ask what kind of place an address lies in, None if nobody wrote that down."""
    rows = session.ask(KIND, {"address": address, "today": day_of(now)})
    return lambda: next((kind for (kind,) in rows()), None)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which of some addresses many honest people share: in every book, and in single ones."""

    known: frozenset[bytes]
    found: frozenset[tuple[str, bytes]]

    def has(self, book_id: str, address: bytes) -> bool:
        """Whether an address is one of these in a book."""
        return address in self.known or (book_id, address) in self.found


def asking_allowed(
    session: Session,
    book_ids: Collection[str],
    addresses: Iterable[bytes],
    now: datetime,
    rule: CrowdRule,
) -> Callable[[], Allowed]:
    """Ask which of some addresses are allowed in some books; in a pipeline it is one round trip."""
    every = sorted(set(addresses))
    asked = {"addresses": pack("bytea", every), "today": day_of(now), "most": len(every)}
    known = session.ask(KNOWN, asked)
    found = asking_found_places(session, book_ids, every, now, rule)
    return lambda: Allowed(frozenset(bytes(one) for (one,) in known()), frozenset(found()))


def _place(row: tuple[Any, ...]) -> Place:
    place_id, kind, note, range_hash, *rest = row
    return Place(place_id, PlaceKind(kind), note, bytes(range_hash), *rest)

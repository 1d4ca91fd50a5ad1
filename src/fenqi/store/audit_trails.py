"""Where a trail that was written down is not what the account's events come to.

A trail is believed by every decision about its account, so it is made again from the events, up to
the one it was written with, and compared cell by cell. Trails of other features than those in force
are read by nobody and are passed over.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from fenqi.core.risk.features.trail import Cell, Keeper, Trail
from fenqi.core.values.ids import AccountId
from fenqi.store.audit import Difference, Range
from fenqi.store.features import shipped
from fenqi.store.pool import Session
from fenqi.store.trails import Lacking, features_id, fold_events, unpacked

AT_ONCE = 200  # trails made again at once; each is as large as its longest window is busy
WHAT = "trails of features"

SIZE = """
SELECT COUNT(*) FROM trails AS t JOIN accounts AS a USING (account_id)
WHERE a.book_id = %(book_id)s AND t.features_id = %(features_id)s
"""


def size(session: Session, book_id: str) -> int:
    """Return how many trails of the features in force a book has."""
    asked = {"book_id": book_id, "features_id": features_id(shipped())}
    (count,) = session.rows(SIZE, asked)[0]
    return int(count)


TRAILS_OF = """
SELECT t.account_id FROM trails AS t JOIN accounts AS a USING (account_id)
WHERE t.account_id BETWEEN %(first)s AND %(last)s AND a.book_id = %(book_id)s
    AND t.features_id = %(features_id)s
ORDER BY t.account_id
"""


def trails_of(session: Session, accounts: Range) -> list[AccountId]:
    """Return which of these accounts have a trail."""
    asked = {
        "book_id": accounts.book_id,
        "first": accounts.first,
        "last": accounts.last,
        "features_id": features_id(shipped()),
    }
    return [AccountId(one) for (one,) in session.rows(TRAILS_OF, asked)]


# As plans are drawn: another sample each business date, the same all day.
SAMPLE = """
SELECT t.account_id
FROM trails AS t JOIN accounts AS a USING (account_id) JOIN books AS b USING (book_id)
WHERE b.book_id = %(book_id)s AND t.features_id = %(features_id)s
ORDER BY md5(t.account_id::text || b.business_date::text), t.account_id LIMIT %(sample)s
"""


def sample_trails(session: Session, book_id: str, sample: int) -> list[AccountId]:
    """Return that many accounts of a book that have a trail, drawn without a pattern."""
    asked = {"book_id": book_id, "features_id": features_id(shipped()), "sample": sample}
    return [AccountId(one) for (one,) in session.rows(SAMPLE, asked)]


@dataclass(slots=True)
class _Written:
    """A trail as it is stored, and the same begun anew."""

    account_id: AccountId
    number: int
    events: int
    packed: bytes
    anew: Trail


WRITTEN = """
SELECT t.account_id, t.number, a.event_count, t.packed, b.zone
FROM UNNEST(%(accounts)s::uuid[]) AS asked (account_id)
JOIN trails AS t USING (account_id) JOIN accounts AS a USING (account_id)
JOIN books AS b USING (book_id)
WHERE t.features_id = %(features_id)s
ORDER BY t.account_id
"""


def compare(session: Session, accounts: Sequence[UUID]) -> Iterator[Difference]:
    """Yield where the trails of at most `AT_ONCE` accounts are not what their events come to."""
    keeper = Keeper(shipped())
    asked = {"accounts": list(accounts), "features_id": features_id(shipped())}
    found = [
        _Written(AccountId(account), number, events, packed, keeper.begin(zone))
        for account, number, events, packed, zone in session.rows(WRITTEN, asked)
    ]
    fold_events(session, keeper, [Lacking(one.account_id, one.anew, one.number) for one in found])
    for one in found:
        differs = _first(keeper, one)
        if differs is not None:
            yield Difference(WHAT, one.account_id, None, *differs)


def _first(keeper: Keeper, written: _Written) -> tuple[str, str] | None:
    """Return the first part that differs, as the events have it and as it is stored."""
    if written.number > written.events:
        return f"at most {written.events} events", f"{written.number} events"
    anew = written.anew
    whole = f"a trail of {keeper.width} parts after {written.number} events"
    try:
        stored = unpacked(keeper, anew.zone, written.packed)
    except msgspec.MsgspecError:
        return whole, "bytes that cannot be read"
    if not written.packed or len(stored.cells) != keeper.width:
        return whole, f"a trail of {len(stored.cells) if written.packed else 0} parts"
    for what, expected, found in (
        ("the moment of the latest fact", anew.at, stored.at),
        ("kinds of facts seen", anew.seen, stored.seen),
    ):
        if expected != found:
            return f"{what}: {expected}", f"{what}: {found}"
    if anew.address != stored.address:  # a seal is compared, not told
        return "the latest address", "another address"
    for cell, (expected, found) in enumerate(zip(anew.cells, stored.cells, strict=True)):
        if _plain(expected) != _plain(found):
            part, told = keeper.part(cell), _told(_plain(expected), _plain(found))
            return f"{part}: {told[0]}", f"{part}: {told[1]}"
    return None


def _plain(cell: Cell) -> Cell:
    """Return what a cell holds in its order, which different values have too."""
    return [*cell.items()] if isinstance(cell, dict) else cell


def _told(expected: Cell, found: Cell) -> tuple[str, str]:
    """Return two values of a cell that differ, in few words; of lists the first entry that does.

    Different values are seals of identities or words of others: they are counted, not told.
    """
    if not isinstance(expected, list) or not isinstance(found, list):
        return _short(expected), _short(found)
    for place, (one, other) in enumerate(zip(expected, found, strict=False), start=1):
        if one != other:
            return (
                f"entry {place} of {len(expected)} is {_entry(one)}",
                f"entry {place} of {len(found)} is {_other(one, other)}",
            )
    return f"{len(expected)} entries", f"{len(found)} entries"


def _entry(one: Cell) -> str:
    return f"a value at {one[1]}" if isinstance(one, tuple) else str(one)


def _other(one: Cell, other: Cell) -> str:
    if isinstance(one, tuple) and isinstance(other, tuple) and one[1] == other[1]:
        return f"another value at {other[1]}"
    return _entry(other)


def _short(cell: Cell) -> str:
    if isinstance(cell, list):
        return f"{len(cell)} entries"
    return "nothing" if cell is None else str(cell)

"""Who pays differently is asked about: after receipts and failed payments, and once a day.

First what happened is read, from where the last round stopped; then each book whose day moved on is
gone through for those of whom the policy may say something else today. Page by page, each its own
transaction. A round that dies is begun again from the cursor before it: what it decided is passed
over, because the decisions themselves say what they knew.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.paying import turning_days
from fenqi.core.servicing.ageing import due_days_turning
from fenqi.flows.heed import Heeded, heed
from fenqi.store import books, paying
from fenqi.store.books import Book
from fenqi.store.deciding import Deciding
from fenqi.store.duties import Cursor
from fenqi.store.ground import Ground
from fenqi.store.paying import NOBODY, Mark, Signal
from fenqi.store.pool import AlreadyThere, TryAgain
from fenqi.worker.beat import Beat, still
from fenqi.worker.fault import AWAY

LOG = logging.getLogger(__name__)

PAGE_SIGNALS = 200  # read and locked at a time, for some tenths of a second: purchases wait for it
PAGES_MAX = 50  # of one round
TRIES_MAX = 3  # of a page that met another program at the same row
RACES = (AlreadyThere, TryAgain)
MISSED_DAYS_MAX = 31  # of a book's days nobody looked on; older ones are left to what happens


@dataclass(slots=True)
class _Round:
    """What a round may still do, and what it did."""

    ground: Ground
    beat: Beat
    pages: int = PAGES_MAX
    decided: int = 0

    def take(self, signals: Sequence[Signal]) -> None:
        """Answer a page of signals."""
        if signals:
            self.pages -= 1
            made = _page(self.ground, signals, self.beat)
            self.decided += sum(one.outcome is not None for one in made)


def heed_on(ground: Ground, cursor: Cursor, *, beat: Beat = still) -> tuple[int, Cursor, bool]:
    """Answer the next signals that customers pay differently, some pages of them.

    Returns how many decisions were made, the cursor for the next call, and whether nothing waits.
    The cursor knows how far the events were read, each book's last whole day and, of the book under
    way, its day and the last account.

    Errors: those of the policy, and of a database that is away.
    """
    now = _Round(ground, beat)
    mark, is_read = _follow(now, _mark(cursor))
    done: dict[str, str] = dict(cursor.get("done", {}))
    under_way: dict[str, str] = dict(cursor.get("under_way", {}))
    is_whole = is_read
    if is_read:
        under_way, is_whole = _look(now, done, under_way)
    after = {
        "transaction": mark.transaction,
        "account": str(mark.account_id),
        "number": mark.number,
    }
    found: dict[str, object] = {"read": after, "done": done}
    if under_way:
        found["under_way"] = under_way
    return now.decided, found, is_whole


def _mark(cursor: Cursor) -> Mark:
    read = cursor.get("read")
    return Mark(read["transaction"], UUID(read["account"]), read["number"]) if read else Mark()


def _follow(now: _Round, mark: Mark) -> tuple[Mark, bool]:
    """Answer what happened after a mark; return how far, and whether that was all."""
    while now.pages:
        with now.ground.store.transaction() as session:
            signals, further, is_last = paying.changed(session, mark, PAGE_SIGNALS)
        now.take(signals)
        mark = further
        if is_last:
            return mark, True
    return mark, False


def _look(
    now: _Round, done: dict[str, str], under_way: dict[str, str]
) -> tuple[dict[str, str], bool]:
    """Go through the books whose day moved on; return where it stopped, and whether all is done.

    `done` is brought up to date.
    """
    with now.ground.store.transaction() as session:
        known = {name: books.read(session, name) for name in books.names(session)}
    for book_id, book in sorted(known.items()):
        day = str(book.business_date)
        is_begun = (under_way.get("book"), under_way.get("day")) == (book_id, day)
        if not is_begun and done.get(book_id, "") >= day:
            continue
        due_days = _due_days(now.ground, book, done.get(book_id))
        after = UUID(under_way["after"]) if is_begun else NOBODY
        while True:
            if not now.pages:
                return {"book": book_id, "day": day, "after": str(after)}, False
            with now.ground.store.transaction() as session:
                at = now.ground.clock.now()
                signals = paying.looked_at(
                    session, book, due_days, after=after, now=at, most=PAGE_SIGNALS
                )
            now.take(signals)
            if len(signals) < PAGE_SIGNALS:
                break
            after = signals[-1].account_id
        done[book_id], under_way = day, {}
    return {}, True


def _due_days(ground: Ground, book: Book, last: str | None) -> list[date]:
    """Return the due days whose debts a condition may see differently since the last look."""
    with ground.store.transaction() as session:
        policy = Deciding(session, DecisionKind.REPAYMENT).of(book).policy
    turns, today = turning_days(policy), book.business_date
    begun = today - timedelta(days=1) if last is None else date.fromisoformat(last)
    count = min((today - begun).days, MISSED_DAYS_MAX)
    days = [today - timedelta(days=back) for back in range(count)]
    found = {
        due for on in days for turn in turns for due in due_days_turning(turn, on, book.excused)
    }
    return sorted(found)


def _page(ground: Ground, signals: Sequence[Signal], beat: Beat, tries: int = 1) -> list[Heeded]:
    """Answer signals together; one that falls over is left, the others are answered.

    Errors: those of a database that is away.
    """
    beat()
    try:
        return heed(ground, signals)
    except AWAY:
        raise
    except Exception as fault:
        if isinstance(fault, RACES) and tries < TRIES_MAX:
            return _page(ground, signals, beat, tries + 1)
        if len(signals) == 1:
            LOG.exception("the account %s could not be asked about", signals[0].account_id)
            return []
    half = len(signals) // 2
    return [one for part in (signals[:half], signals[half:]) for one in _page(ground, part, beat)]

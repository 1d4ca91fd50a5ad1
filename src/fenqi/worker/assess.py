"""All open accounts of a book are looked at again: their limits, or their prices.

Page by page, each its own transaction; an account counts once a day, so a run that was cut off goes
on where it stopped when it is begun again. As a duty of the worker it goes on by a cursor, a few
pages at a time, and begins with a book again after some of the book's days.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from uuid import UUID

from fenqi.core.errors import FenqiError
from fenqi.core.risk.change import Subject
from fenqi.core.values.ids import AccountId
from fenqi.flows.assess import Assess, assess
from fenqi.flows.reprice import Reprice, reprice
from fenqi.store import assessments, books
from fenqi.store.duties import Cursor
from fenqi.store.ground import Ground
from fenqi.worker.beat import Beat, still
from fenqi.worker.fault import AWAY

LOG = logging.getLogger(__name__)

FAILED = "failed"  # what an account counts as that fell over
PAGES_MAX = 20  # of one round
PAGE_ACCOUNTS = 500  # locked at a time: purchases of others go on


def assess_book(
    ground: Ground,
    book_id: str,
    subject: Subject,
    *,
    on_page: Callable[[int], None] | None = None,
) -> Counter[str]:
    """Look at every open account of a book today; return how many were kept, cut, offered ...

    An account that could not be looked at counts under the code of its refusal.

    Errors: BookMissing; those of the policy.
    """
    with ground.store.transaction() as session:
        day = books.read(session, book_id).business_date
    found: Counter[str] = Counter()
    after = UUID(int=0)
    while True:
        page = _next(ground, book_id, after)
        if not page:
            return found
        found.update(_page(ground, page, subject, f"assess/{subject}/{day}"))
        after = page[-1]
        if on_page is not None:
            on_page(len(page))


def assess_on(
    ground: Ground, subject: Subject, cursor: Cursor, *, days: int, beat: Beat = still
) -> tuple[int, Cursor, bool]:
    """Look at the next accounts of the books whose turn it is.

    Returns how many, the cursor for the next call, and whether no book waits any more. The cursor
    knows each book's last whole day and, of the book under way, its day and the last account.

    Errors: those of the policy. What was looked at before stays; it counts once a day anyway.
    """
    done: dict[str, str] = dict(cursor.get("done", {}))
    under_way: dict[str, str] = dict(cursor.get("under_way", {}))
    looked, pages = 0, 0
    with ground.store.transaction() as session:
        days_of = {name: books.read(session, name).business_date for name in books.names(session)}
    for book_id, day in sorted(days_of.items()):
        is_begun = (under_way.get("book"), under_way.get("day")) == (book_id, str(day))
        if not is_begun and not _is_turn(done.get(book_id), day, days):
            continue
        after = UUID(under_way["after"]) if is_begun else UUID(int=0)
        while page := _next(ground, book_id, after):
            if pages == PAGES_MAX:
                at = {"book": book_id, "day": str(day), "after": str(after)}
                return looked, {"done": done, "under_way": at}, False
            looked += len(_page(ground, page, subject, f"assess/{subject}/{day}", beat))
            after, pages = page[-1], pages + 1
        done[book_id], under_way = str(day), {}
    return looked, {"done": done}, True


def _is_turn(last: str | None, day: date, days: int) -> bool:
    return last is None or date.fromisoformat(last) + timedelta(days=days) <= day


def _next(ground: Ground, book_id: str, after: UUID) -> list[AccountId]:
    with ground.store.transaction() as session:
        return assessments.open_accounts(session, book_id, after=after, most=PAGE_ACCOUNTS)


def _page(
    ground: Ground, page: Sequence[AccountId], subject: Subject, key: str, beat: Beat = still
) -> list[str]:
    """Return what became of each account; one that falls over is left, the others go on.

    Errors: those of a database that is away.
    """
    beat()
    try:
        return _together(ground, page, subject, key)
    except AWAY:
        raise
    except Exception:
        if len(page) == 1:
            LOG.exception("the account %s could not be assessed", page[0])
            return [FAILED]
    half = len(page) // 2
    halves = (page[:half], page[half:])
    return [one for each in halves for one in _page(ground, each, subject, key, beat)]


def _together(ground: Ground, page: Sequence[AccountId], subject: Subject, key: str) -> list[str]:
    answers: Sequence[object]
    if subject is Subject.LIMIT:
        limits = [Assess(scope_id=str(one), key=key, account_id=one) for one in page]
        answers = assess(ground, limits)
    else:
        prices = [Reprice(scope_id=str(one), key=key, account_id=one) for one in page]
        answers = reprice(ground, prices)
    return [
        one.code if isinstance(one, FenqiError) else str(getattr(one, "outcome", ""))
        for one in answers
    ]

"""All open accounts of a book are looked at again: their limits, or their prices.

Page by page, each its own transaction; an account counts once a day, so a run that was cut off goes
on where it stopped when it is begun again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from uuid import UUID

from fenqi.core.errors import FenqiError
from fenqi.core.risk.change import Subject
from fenqi.core.values.ids import AccountId
from fenqi.flows.assess import Assess, assess
from fenqi.flows.reprice import Reprice, reprice
from fenqi.store import assessments, books
from fenqi.store.ground import Ground

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
        with ground.store.transaction() as session:
            page = assessments.open_accounts(session, book_id, after=after, most=PAGE_ACCOUNTS)
        if not page:
            return found
        found.update(_page(ground, page, subject, f"assess/{subject}/{day}"))
        after = page[-1]
        if on_page is not None:
            on_page(len(page))


def _page(ground: Ground, page: Sequence[AccountId], subject: Subject, key: str) -> list[str]:
    """Return what became of each account."""
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

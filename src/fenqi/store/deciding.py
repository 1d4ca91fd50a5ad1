"""Which rulebook decides about a kind in a book: the live one, or the last good version before it.

The one place that says so, for every kind. A version is out of use in a book while a breaker it met
is open there, until a person resets it or another version is adopted, and on the days before its
`valid_from` and after its `valid_until`, and in a book of another currency than its amounts are in.
Then decides the latest version before it that is in use; without one, what is shipped, where the
time has run out or the currency is another, and the live one under its caps, where a breaker is
open: what is shipped is nobody's last good version.
"""

from typing import NamedTuple

from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.rulebook import Rulebook
from fenqi.store import policies
from fenqi.store.books import Book
from fenqi.store.pool import Session

OPEN_MAX = 10_000  # breakers open at a time; beyond that many nothing is decided as it should be
OPEN = """
SELECT book_id, policy, policy_version FROM breaker_trips
WHERE kind = %(kind)s AND reset_at IS NULL LIMIT %(most)s
"""


class Chosen(NamedTuple):
    """What decides in a book, what is live, and why the live one does not decide if it does not."""

    rulebook: Rulebook
    live: Rulebook
    is_tripped: bool
    is_over: bool
    is_foreign: bool


class Deciding:
    """What decides about one kind in one transaction; made inside a pipeline it costs no trip."""

    def __init__(self, session: Session, kind: DecisionKind) -> None:
        self._session, self._kind = session, kind
        self._live = policies.asking(session, kind)
        self._open = session.ask(OPEN, {"kind": kind.value, "most": OPEN_MAX})
        self._tripped: frozenset[tuple[str, str, int]] = frozenset()
        self._found: Rulebook | None = None
        self._chosen: dict[str, Chosen] = {}

    def of(self, book: Book) -> Rulebook:
        """Return what decides in a book. Errors: PolicyMissing, RulebookAltered."""
        return self.chosen(book).rulebook

    def chosen(self, book: Book) -> Chosen:
        """Return what decides in a book, and why. Errors: PolicyMissing, RulebookAltered."""
        found = self._chosen.get(book.book_id)
        if found is None:
            found = self._chosen[book.book_id] = self._choose(book)
        return found

    def _choose(self, book: Book) -> Chosen:
        if self._found is None:
            self._found = self._live()
            self._tripped = frozenset(
                (name, policy, version) for name, policy, version in self._open()
            )
        live = self._found
        is_tripped = self._is_tripped(live, book)
        is_over = policies.is_over(live.policy, book.business_date)
        is_foreign = live.policy.is_foreign(book.currency)
        chosen = live
        if is_tripped or is_over or is_foreign:
            chosen = self._before(live, book, is_unfit=is_over or is_foreign)
        return Chosen(chosen, live, is_tripped, is_over, is_foreign)

    def _before(self, live: Rulebook, book: Book, *, is_unfit: bool) -> Rulebook:
        """Return what decides in place of a live version that cannot."""
        for one in policies.earlier(self._session, self._kind):
            if not (
                self._is_tripped(one, book)
                or policies.is_over(one.policy, book.business_date)
                or one.policy.is_foreign(book.currency)
            ):
                return one
        return policies.shipped(self._kind) if is_unfit else live

    def _is_tripped(self, version: Rulebook, book: Book) -> bool:
        return (book.book_id, version.name, version.version) in self._tripped

"""Which rulebook decides about a kind in a book: the live one, or the last good version before it.

The one place that says so, for every kind. A version is out of use in a book while a breaker it met
is open there, until a person resets it or another version is adopted, and on the days before its
`valid_from` and after its `valid_until`. Then decides the latest version before it that is in use;
without one, what is shipped, where the time has run out, and the live one under its caps, where a
breaker is open: what is shipped is nobody's last good version.
"""

from datetime import date
from typing import NamedTuple

from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.rulebook import Rulebook
from fenqi.store import policies
from fenqi.store.pool import Session

# Of every book its day, and the versions whose breakers are open there.
BOOKS = """
SELECT b.book_id, b.business_date, t.policy, t.policy_version
FROM books AS b LEFT JOIN breaker_trips AS t
    ON t.book_id = b.book_id AND t.kind = %(kind)s AND t.reset_at IS NULL
"""


class Chosen(NamedTuple):
    """What decides in a book, what is live, and why the live one does not decide if it does not."""

    rulebook: Rulebook
    live: Rulebook
    is_tripped: bool
    is_over: bool


class Deciding:
    """What decides about one kind in one transaction; made inside a pipeline it costs no trip."""

    def __init__(self, session: Session, kind: DecisionKind) -> None:
        self._session, self._kind = session, kind
        self._live = policies.asking(session, kind)
        self._asked = session.ask(BOOKS, {"kind": kind.value})
        self._days: dict[str, date] = {}
        self._tripped: set[tuple[str, str, int]] = set()
        self._found: Rulebook | None = None
        self._chosen: dict[str, Chosen] = {}

    def of(self, book_id: str) -> Rulebook:
        """Return what decides in a book. Errors: PolicyMissing, RulebookAltered."""
        return self.chosen(book_id).rulebook

    def chosen(self, book_id: str) -> Chosen:
        """Return what decides in a book, and why. Errors: PolicyMissing, RulebookAltered."""
        found = self._chosen.get(book_id)
        if found is None:
            found = self._chosen[book_id] = self._choose(book_id)
        return found

    def _choose(self, book_id: str) -> Chosen:
        if self._found is None:
            self._found = self._live()
            for book, day, policy, version in self._asked():
                self._days[book] = day
                if policy is not None:
                    self._tripped.add((book, policy, version))
        live = self._found
        is_tripped, is_over = self._is_tripped(live, book_id), self._is_over(live, book_id)
        chosen = live
        if is_tripped or is_over:
            chosen = self._before(live, book_id, is_over=is_over)
        return Chosen(chosen, live, is_tripped, is_over)

    def _before(self, live: Rulebook, book_id: str, *, is_over: bool) -> Rulebook:
        """Return what decides in place of a live version that cannot."""
        for one in policies.earlier(self._session, self._kind):
            if not self._is_tripped(one, book_id) and not self._is_over(one, book_id):
                return one
        return policies.shipped(self._kind) if is_over else live

    def _is_tripped(self, book: Rulebook, book_id: str) -> bool:
        return (book_id, book.name, book.version) in self._tripped

    def _is_over(self, book: Rulebook, book_id: str) -> bool:
        day = self._days.get(book_id)
        return day is not None and policies.is_over(book.policy, day)

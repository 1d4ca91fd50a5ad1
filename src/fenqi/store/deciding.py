"""Which rulebook decides about a kind in a book: the live one, or the last good version before it.

A breaker that is open for the live version takes it out of use until a person resets it or another
version is adopted; what decided before it decides meanwhile. Where nothing did, the live one goes
on under its caps.
"""

from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.rulebook import Rulebook
from fenqi.store import policies
from fenqi.store.pool import Session

TRIPPED = """
SELECT book_id, policy, policy_version FROM breaker_trips
WHERE kind = %(kind)s AND reset_at IS NULL
"""


class Deciding:
    """What decides about one kind in one transaction; made inside a pipeline it costs no trip."""

    def __init__(self, session: Session, kind: DecisionKind) -> None:
        self._session, self._kind = session, kind
        self._live = policies.asking(session, kind)
        self._tripped = session.ask(TRIPPED, {"kind": kind.value})
        self._found: tuple[Rulebook, frozenset[str]] | None = None
        self._before: Rulebook | None = None

    def of(self, book_id: str) -> Rulebook:
        """Return what decides in a book. Errors: PolicyMissing, RulebookAltered."""
        if self._found is None:
            live = self._live()
            known = (live.name, live.version)
            tripped = frozenset(
                book for book, policy, version in self._tripped() if (policy, version) == known
            )
            self._found = (live, tripped)
        live, tripped = self._found
        if book_id not in tripped:
            return live
        if self._before is None:
            self._before = policies.before(self._session, self._kind) or live
        return self._before

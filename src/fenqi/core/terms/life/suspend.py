"""A plan that was contested goes on with the days given: nothing counts for the time it was open.

What was owed on the first of these days, and all that follows, falls due as many days later; none
of them counts as late. So as many days are left, or overdue, afterwards as when it was contested.
Source: docs/adr/0020-carry-requests-to-the-ledger.md.
"""

from datetime import timedelta

from fenqi.core.terms.life.operations import Suspend
from fenqi.core.terms.life.redate import redate
from fenqi.core.terms.life.state import IN_SCHEDULE
from fenqi.core.terms.life.walk import Walk


def suspend(walk: Walk, operation: Suspend) -> None:
    """Give the days back. Where nothing is open there is nothing to give."""
    given = [operation.on + timedelta(days=place) for place in range(operation.days)]
    walk.excused = frozenset(walk.excused).union(given)
    rows = [row for row in walk.rows if row.kind in IN_SCHEDULE]
    first = next((place for place, row in enumerate(rows) if row.open_minor), len(rows))
    later = timedelta(days=operation.days)
    if rows[first:]:
        redate(walk, rows[first:], [row.due_on + later for row in rows[first:]])

"""Close step: the groups that strong identifiers tie together are made anew.

By day links are only added, and a union-find never forgets; at night what is too old, and
identifiers that became hubs, are left out, and each account's group is written down. A group as
large as a ring is looked at by a person; nobody is held for it.
"""

from collections.abc import Sequence

from fenqi.core.risk.case import CaseKind
from fenqi.core.risk.response import DAY
from fenqi.core.values.ids import AccountId
from fenqi.store import books, closes, groups
from fenqi.store.booking import Booking
from fenqi.store.closes import Task
from fenqi.store.ground import Ground
from fenqi.store.responses import Responses

GROUP_PRIORITY = 2
NAMED_MAX = 500  # accounts named in a case


def link(ground: Ground, task: Task) -> int:
    """Make the groups of a book's accounts anew; return how many there are."""
    booking, rule = Booking(ground), ground.crowd
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        found = groups.make(session, task.book_id, task.day, rule.links)
        docket = Responses(ground, booking, session).docket
        large = [group for group in found if len(group) >= rule.size_min]
        docket.know([_cause(group) for group in large])
        for group in large:
            docket.open(
                group[:NAMED_MAX],
                book_id=task.book_id,
                kind=CaseKind.INVESTIGATION,
                cause=_cause(group),
                subject="linked-group",
                priority=GROUP_PRIORITY,
                evidence={"size": len(group), "accounts": group[:NAMED_MAX]},
                pause=rule.place_pause_days * DAY,
                is_repeated=False,
            )
        booking.write(session)
        closes.finish(session, task, len(found), booking.now)
    return len(found)


def _cause(group: Sequence[AccountId]) -> str:
    return f"group/{group[0]}"

"""Every running challenger is asked about the live decisions it has not seen, page by page."""

from uuid import UUID

from fenqi.flows.shadow import PAGE_DECISIONS, shadow
from fenqi.store import shadows
from fenqi.store.ground import Ground
from fenqi.worker.beat import Beat, still
from fenqi.worker.fault import AWAY

PAGES_MAX = 10_000  # of one challenger in one call
ROUND_PAGES_MAX = 20  # of one challenger in one round of the worker


def follow(ground: Ground) -> int:
    """Bring every challenger up to now; return how many decisions were judged."""
    return follow_on(ground, pages_max=PAGES_MAX)[0]


def follow_on(
    ground: Ground, *, pages_max: int = ROUND_PAGES_MAX, beat: Beat = still
) -> tuple[int, bool]:
    """Let every challenger judge some pages; return how many decisions, and whether all were.

    Errors: the first of those that stopped a challenger, the others went on; those of a database
    that is away, at once.
    """
    with ground.store.transaction() as session:
        running = shadows.running(session)
    judged, is_whole, faults = 0, True, []
    for challenger_id in running:
        try:
            found, is_done = _follow_one(ground, challenger_id, pages_max, beat)
        except AWAY:
            raise
        except Exception as fault:  # the others are asked all the same
            faults.append(fault)
            continue
        judged += found
        is_whole = is_whole and is_done
    if faults:
        raise faults[0]
    return judged, is_whole


def _follow_one(
    ground: Ground, challenger_id: UUID, pages_max: int, beat: Beat
) -> tuple[int, bool]:
    judged = 0
    for _ in range(pages_max):
        page = shadow(ground, challenger_id)
        judged += page
        beat()
        if page < PAGE_DECISIONS:
            return judged, True
    return judged, False

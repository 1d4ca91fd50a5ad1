"""Every running challenger is asked about the live decisions it has not seen, page by page."""

from fenqi.flows.shadow import PAGE_DECISIONS, shadow
from fenqi.store import shadows
from fenqi.store.ground import Ground

PAGES_MAX = 10_000  # of one challenger in one call


def follow(ground: Ground) -> int:
    """Bring every challenger up to now; return how many decisions were judged."""
    with ground.store.transaction() as session:
        running = shadows.running(session)
    judged = 0
    for challenger_id in running:
        for _ in range(PAGES_MAX):
            page = shadow(ground, challenger_id)
            judged += page
            if page < PAGE_DECISIONS:
                break
    return judged

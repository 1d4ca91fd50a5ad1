"""Challengers are asked about live decisions, outside the hot path: nothing is decided by it.

A page of decisions after the challenger's watermark is judged in one transaction, which moves the
watermark too; a crash in it repeats nothing and loses nothing.
"""

from datetime import datetime
from uuid import UUID

from fenqi.core.risk.rulebook import Rulebook, restored
from fenqi.core.risk.shadow import challenge
from fenqi.store import shadows
from fenqi.store.ground import Ground
from fenqi.store.rows import Rows, Sheet, array_text

PAGE_DECISIONS = 1000


def begin(ground: Ground, rulebook: Rulebook, *, by: str, days: int) -> tuple[UUID, datetime]:
    """Begin to judge a policy beside the live one; return its id and last instant.

    Errors: ShadowInvalid, ChallengerRuns.
    """
    challenger_id = ground.ids.new()
    with ground.store.transaction() as session:
        ends_at = shadows.start(
            session, rulebook, challenger_id, by=by, days=days, now=ground.clock.now()
        )
    return challenger_id, ends_at


def stop(ground: Ground, challenger_id: UUID, *, by: str) -> None:
    """Stop a challenger before its end. Errors: ShadowInvalid, ChallengerMissing."""
    with ground.store.transaction() as session:
        shadows.stop(session, challenger_id, by=by, now=ground.clock.now())


def shadow(ground: Ground, challenger_id: UUID) -> int:
    """Judge a page of decisions that a challenger has not seen; return how many.

    None if another program is at it, fewer than `PAGE_DECISIONS` if those were the last.
    """
    now = ground.clock.now()
    with ground.store.transaction() as session:
        challenger = shadows.claim(session, challenger_id)
        if challenger is None:
            return 0
        book = restored(challenger.content)
        found = shadows.unjudged(session, challenger, PAGE_DECISIONS)
        wanted = {one.name for one in book.policy.inputs}
        told = shadows.given(session, book.kind, wanted, found)
        rows = Rows(shadows.VERDICTS)
        for one, given in zip(found, told, strict=True):
            said = challenge(book, given, one.live)
            rows.add(
                one.account_id,
                challenger_id,
                one.decision_id,
                said.outcome,
                array_text(said.effects),
                array_text(said.reasons),
                said.points,
                array_text(said.hits),
                array_text(said.unknown),
                said.unrecorded,
                one.decided_at,
                now,
            )
        Sheet([rows]).send(session)
        # With nothing left, all that was decided until now was seen.
        is_whole = len(found) < PAGE_DECISIONS
        shadows.seen(session, challenger_id, now if is_whole else found[-1].decided_at)
    return len(found)

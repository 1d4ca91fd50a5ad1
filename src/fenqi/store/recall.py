"""What decisions would have known: features nobody recorded then, computed from the events now.

A decision saw its account's events up to a number, at a moment; both are kept with it. So a feature
that its policy did not look at is computed again from the events up to that number, over columns
(`core/risk/features/history`), and is what the trail would have said then, to the last unit. A fact
that was corrected later is what it was to the decision.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import numpy as np

from fenqi.core.risk import crowd
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.features.declaration import FeatureSet
from fenqi.core.risk.features.history import Asks, Fact, Found, History, compute
from fenqi.core.risk.features.moment import moment_of
from fenqi.core.risk.policy.handed_in import is_handed_in
from fenqi.store.columns import pack
from fenqi.store.features import shipped
from fenqi.store.pool import Session
from fenqi.store.trails import DECODE, EVENTS_MAX, MISSING

FACTS_MAX = 200_000  # events of some accounts in memory at once, unless one alone has more
EVENTS_OF_ONE_MAX = 1_000_000  # whoever has more is not looked at again

ZONES = """
SELECT a.account_id, b.zone FROM accounts AS a JOIN books AS b USING (book_id)
WHERE a.account_id = ANY(%(accounts)s::uuid[])
"""
CORRECTED_BY = """
SELECT DISTINCT account_id, corrected_by FROM corrections
WHERE account_id = ANY(%(accounts)s::uuid[]) ORDER BY account_id, corrected_by
"""

Life = tuple[UUID, int]  # an account, and how many corrections of its facts were known


class Moment(NamedTuple):
    """Where a decision stood: its account, the last event it saw, and when it was made."""

    account_id: UUID
    as_of_number: int | None  # None was not kept
    decided_at: datetime

    @property
    def is_known(self) -> bool:
        """Whether its events can be read again."""
        return self.as_of_number is not None and self.as_of_number <= EVENTS_OF_ONE_MAX


def told_of(kind: DecisionKind, content: Mapping[str, object], names: Iterable[str]) -> list[str]:
    """Return which inputs can be computed again for the decisions of one rulebook.

    Whoever applied had no facts, and a crowd is judged by other things than an account's facts.
    """
    if content.get("judge") == crowd.JUDGE or kind is DecisionKind.APPLICATION:
        return []
    features = {one.name for one in shipped().features}
    return [one for one in names if one in features and is_handed_in(kind, one)]


def recall(session: Session, names: Sequence[str], moments: Sequence[Moment]) -> Found:
    """Return features as the trails of the accounts would have told them then.

    Every moment is one that `is_known`, of an account that exists.

    Shapes: (moments, names).
    """
    asked = {"accounts": pack("uuid", [*{one.account_id for one in moments}])}
    zones = dict(session.rows(ZONES, asked))
    corrected_by = defaultdict[UUID, list[int]](list)
    for account, number in session.rows(CORRECTED_BY, asked):
        corrected_by[account].append(number)
    lives = [
        (one.account_id, bisect_right(corrected_by[one.account_id], one.as_of_number or 0))
        for one in moments
    ]
    lasts: dict[Life, int] = {}
    for life, one in zip(lives, moments, strict=True):
        lasts[life] = max(one.as_of_number or 0, lasts.get(life, 0))
    shape = (len(moments), len(names))
    found = Found(np.zeros(shape, np.int64), np.zeros(shape, np.bool_))
    for some in _parts(lasts):
        place_of = {life: place for place, life in enumerate(some)}
        facts = _facts(session, shipped(), some, [lasts[one] for one in some])
        history = History(shipped(), facts, [zones[account] for account, _ in some])
        where = [place for place, life in enumerate(lives) if life in place_of]
        mine = [moments[place] for place in where]
        asks = Asks(
            np.array([place_of[lives[place]] for place in where], np.int64),
            np.array([one.as_of_number for one in mine], np.int64),
            np.array([moment_of(one.decided_at) for one in mine], np.int64),
        )
        part = compute(history, names, asks)
        found.values[where], found.known[where] = part.values, part.known
    return found


def _parts(lasts: Mapping[Life, int]) -> Iterator[list[Life]]:
    """Yield accounts together whose events fit into memory at once."""
    some: list[Life] = []
    events = 0
    for life, last in sorted(lasts.items()):
        if some and events + last > FACTS_MAX:
            yield some
            some, events = [], 0
        some.append(life)
        events += last
    if some:
        yield some


def _facts(
    session: Session, features: FeatureSet, lives: Sequence[Life], lasts: Sequence[int]
) -> Iterator[Fact]:
    """Yield the events up to the last of each account that features look at, by its place."""
    numbers = [0] * len(lives)
    asked = {
        "accounts": pack("uuid", [account for account, _ in lives]),
        "lasts": pack("bigint", list(lasts)),
        "known": pack("bigint", list(lasts)),
        "kinds": pack("text", sorted(features.kinds)),
        "most": EVENTS_MAX,
    }
    while True:
        rows = session.rows(MISSING, asked | {"numbers": pack("bigint", numbers)})
        for place, number, kind, moment, payload in rows:
            if payload is not None:  # else it had proved not to count
                yield Fact(place - 1, number, kind, moment, DECODE(payload))
        if len(rows) < EVENTS_MAX:
            return
        last_place, last_number = rows[-1][0] - 1, rows[-1][1]
        numbers[:last_place] = lasts[:last_place]
        numbers[last_place] = last_number

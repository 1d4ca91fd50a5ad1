"""Challenger policies and what they said of live decisions, read after a watermark.

A decision that commits late is not passed over: what is read begins a while before the watermark,
and what was judged already is left out. No transaction stays open for so long.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from fenqi.core.errors import Conflict, Invalid, Missing
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.input import Value
from fenqi.core.risk.rulebook import Rulebook
from fenqi.core.risk.shadow import Live
from fenqi.core.values.ids import AccountId
from fenqi.core.values.name import NAME_CHARS_MAX, is_name
from fenqi.core.values.phrase import Phrase
from fenqi.store.decisions import RULEBOOKS
from fenqi.store.pool import IDLE_SECONDS_MAX, Session
from fenqi.store.recall import Moment, recall, told_of
from fenqi.store.rows import Rows, Sheet, Table

OVERLAP = timedelta(seconds=2 * IDLE_SECONDS_MAX)
DAYS_MAX = 365
EXAMPLES_MAX = 100
COMBINATIONS_MAX = 100_000

VERDICTS = Table(
    "shadow_verdicts",
    "account_id uuid, challenger_id uuid, decision_id uuid, outcome word, effects word>text[],"
    "reasons word>text[], points integer, hits word>smallint[], unknown word>smallint[],"
    "unrecorded smallint, decided_at timestamptz, judged_at timestamptz",
)


class ChallengerMissing(Missing):
    """No such challenger, or it has been stopped."""

    code = "challenger-missing"


class ChallengerRuns(Conflict):
    """The same version of the policy runs as a challenger already."""

    code = "challenger-runs"


class ShadowInvalid(Invalid):
    """A challenger without a person's name, or for too short or long a time."""

    code = "shadow-invalid"


@dataclass(frozen=True, slots=True)
class Challenger:
    """A policy that is judged beside the live one until its end."""

    challenger_id: UUID
    kind: str
    name: str
    version: int
    started_by: str
    started_at: datetime
    ends_at: datetime
    stopped_at: datetime | None
    stopped_by: str | None
    seen_through: datetime
    rulebook_id: UUID
    content: dict[str, Any]


RUNNING_LIKE = """
SELECT 1 FROM challengers
WHERE kind = %(kind)s AND name = %(name)s AND version = %(version)s AND stopped_at IS NULL
"""
START = """
INSERT INTO challengers
    (challenger_id, kind, name, version, rulebook_id, started_by, started_at, ends_at, seen_through)
VALUES
    (%(challenger_id)s, %(kind)s, %(name)s, %(version)s, %(rulebook_id)s, %(by)s, %(now)s,
     %(ends_at)s, %(now)s)
"""


def start(
    session: Session, rulebook: Rulebook, challenger_id: UUID, *, by: str, days: int, now: datetime
) -> datetime:
    """Begin to judge a policy beside the live one; return its last instant.

    Errors: ShadowInvalid, ChallengerRuns.
    """
    _check_name(by)
    if not 1 <= days <= DAYS_MAX:
        raise ShadowInvalid(days=days, days_max=DAYS_MAX)
    asked = {
        "challenger_id": challenger_id,
        "kind": rulebook.kind.value,
        "name": rulebook.name,
        "version": rulebook.version,
        "rulebook_id": rulebook.rulebook_id,
        "by": by.strip(),
        "now": now,
        "ends_at": now + timedelta(days=days),
    }
    if session.rows(RUNNING_LIKE, asked):
        raise ChallengerRuns(name=rulebook.name, version=rulebook.version)
    rows = Rows(RULEBOOKS)
    rows.add(
        rulebook.rulebook_id,
        rulebook.kind.value,
        rulebook.name,
        rulebook.version,
        rulebook.text,
    )
    Sheet([rows]).send(session)
    session.run(START, asked)
    return now + timedelta(days=days)


COLUMNS = """
SELECT c.challenger_id, c.kind, c.name, c.version, c.started_by, c.started_at, c.ends_at,
    c.stopped_at, c.stopped_by, c.seen_through, c.rulebook_id, r.content
FROM challengers AS c JOIN rulebooks AS r USING (rulebook_id)
"""
ALL = COLUMNS + "ORDER BY c.started_at DESC, c.challenger_id LIMIT 100"
ONE = COLUMNS + "WHERE c.challenger_id = %(challenger_id)s"
# One program at a time follows a challenger; another takes the next.
CLAIM = COLUMNS + (
    "WHERE c.challenger_id = %(challenger_id)s AND c.stopped_at IS NULL FOR UPDATE OF c SKIP LOCKED"
)
RUNNING = """
SELECT challenger_id FROM challengers
WHERE stopped_at IS NULL AND seen_through < ends_at + %(overlap)s
ORDER BY started_at, challenger_id LIMIT 100
"""


def every(session: Session) -> list[Challenger]:
    """Return the latest challengers, those that run and those that ended."""
    return [Challenger(*row) for row in session.rows(ALL)]


def find(session: Session, challenger_id: UUID) -> Challenger:
    """Return a challenger. Errors: ChallengerMissing."""
    rows = session.rows(ONE, {"challenger_id": challenger_id})
    if not rows:
        raise ChallengerMissing(challenger=challenger_id)
    return Challenger(*rows[0])


def running(session: Session) -> list[UUID]:
    """Return the challengers that have decisions to look at until their end."""
    return [row[0] for row in session.rows(RUNNING, {"overlap": OVERLAP})]


def claim(session: Session, challenger_id: UUID) -> Challenger | None:
    """Return a running challenger, locked; None if another program follows it at the moment."""
    rows = session.rows(CLAIM, {"challenger_id": challenger_id})
    return Challenger(*rows[0]) if rows else None


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A live decision a challenger has not looked at; its inputs are named by its rulebook."""

    account_id: AccountId
    decision_id: UUID
    decided_at: datetime
    inputs: Sequence[Value]
    as_of_number: int | None
    live: Live

    @property
    def named(self) -> dict[str, Value]:
        """Return its inputs by name."""
        return dict(zip(self.live.content["inputs"], self.inputs, strict=True))

    @property
    def moment(self) -> Moment:
        """Where it stood."""
        return Moment(self.account_id, self.as_of_number, self.decided_at)


# Decisions lie in the order of time, so a range of it finds them.
UNJUDGED = """
SELECT d.account_id, d.decision_id, d.decided_at, d.inputs, d.as_of_number, d.outcome, d.effects,
    d.rulebook_id
FROM decisions AS d JOIN rulebooks AS r USING (rulebook_id)
WHERE d.decided_at >= %(since)s AND d.decided_at < %(until)s AND d.kind = %(kind)s
    AND r.content ->> 'judge' IS DISTINCT FROM 'crowd'  -- no policy decides about crowds
    AND NOT EXISTS (
        SELECT 1 FROM shadow_verdicts AS v
        WHERE v.account_id = d.account_id AND v.challenger_id = %(challenger_id)s
            AND v.decision_id = d.decision_id
    )
ORDER BY d.decided_at, d.decision_id LIMIT %(most)s
"""


def unjudged(session: Session, challenger: Challenger, most: int) -> list[Unjudged]:
    """Return the oldest live decisions a challenger has not looked at."""
    asked = {
        "challenger_id": challenger.challenger_id,
        "kind": challenger.kind,
        "since": max(challenger.started_at, challenger.seen_through - OVERLAP),
        "until": challenger.ends_at,
        "most": most,
    }
    rows = session.rows(UNJUDGED, asked)
    known = contents(session, sorted({row[-1] for row in rows}))
    return [
        Unjudged(
            account_id=AccountId(row[0]),
            decision_id=row[1],
            decided_at=row[2],
            inputs=row[3],
            as_of_number=row[4],
            live=Live(row[5], row[6], known[row[7]]),
        )
        for row in rows
    ]


def given(
    session: Session, kind: DecisionKind, wanted: Collection[str], found: Sequence[Unjudged]
) -> list[dict[str, Value]]:
    """Return the inputs of live decisions by name, with the features a challenger wants besides.

    Those are computed from the events a decision had seen; what cannot be is not among them.
    """
    told = [one.named for one in found]
    by_missing: dict[tuple[str, ...], list[int]] = {}
    for place, one in enumerate(found):
        missing = tuple(sorted(set(wanted) - told[place].keys()))
        features = told_of(kind, {}, missing)  # no decision about a crowd is among them
        if features and one.moment.is_known:
            by_missing.setdefault(tuple(features), []).append(place)
    for names, places in by_missing.items():
        computed = recall(session, names, [found[place].moment for place in places])
        values, known = computed.values.tolist(), computed.known.tolist()
        for place, row, is_known in zip(places, values, known, strict=True):
            filled = zip(names, row, is_known, strict=True)
            told[place] |= {name: value if has else None for name, value, has in filled}
    return told


SEEN = """
UPDATE challengers SET seen_through = GREATEST(seen_through, %(through)s)
WHERE challenger_id = %(challenger_id)s
"""


def seen(session: Session, challenger_id: UUID, through: datetime) -> None:
    """Move a challenger's watermark forward."""
    session.run(SEEN, {"challenger_id": challenger_id, "through": through})


STOP = """
UPDATE challengers SET stopped_at = %(now)s, stopped_by = %(by)s
WHERE challenger_id = %(challenger_id)s AND stopped_at IS NULL
"""


def stop(session: Session, challenger_id: UUID, *, by: str, now: datetime) -> None:
    """Stop a challenger; what it said stays. Errors: ShadowInvalid, ChallengerMissing."""
    _check_name(by)
    asked = {"challenger_id": challenger_id, "by": by.strip(), "now": now}
    if not session.run(STOP, asked):
        raise ChallengerMissing(challenger=challenger_id)


@dataclass(frozen=True, slots=True)
class Combination:
    """Decisions in which both sides hit the same lines, with their number."""

    live_rulebook: UUID
    live_outcome: str
    live_hits: tuple[int, ...]
    outcome: str
    hits: tuple[int, ...]
    count: int


COMBINED = """
SELECT d.rulebook_id, d.outcome, d.hits, v.outcome, v.hits, COUNT(*)::integer
FROM shadow_verdicts AS v JOIN decisions AS d USING (account_id, decision_id)
WHERE v.challenger_id = %(challenger_id)s
GROUP BY d.rulebook_id, d.outcome, d.hits, v.outcome, v.hits
ORDER BY COUNT(*) DESC LIMIT %(most)s
"""


def combinations(session: Session, challenger_id: UUID) -> list[Combination]:
    """Return what live decisions and a challenger said, alike ones together."""
    asked = {"challenger_id": challenger_id, "most": COMBINATIONS_MAX}
    return [
        Combination(row[0], row[1], tuple(row[2]), row[3], tuple(row[4]), row[5])
        for row in session.rows(COMBINED, asked)
    ]


CONTENTS = "SELECT rulebook_id, content FROM rulebooks WHERE rulebook_id = ANY(%(rulebooks)s)"


def contents(session: Session, rulebooks: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the contents of rulebooks."""
    rows = session.rows(CONTENTS, {"rulebooks": list(rulebooks)})
    return dict(rows)


EXAMPLES = """
SELECT v.decision_id, d.outcome, v.outcome, d.reasons, v.reasons, d.decided_at
FROM shadow_verdicts AS v JOIN decisions AS d USING (account_id, decision_id)
WHERE v.challenger_id = %(challenger_id)s AND v.outcome <> d.outcome
ORDER BY d.decided_at DESC, v.decision_id LIMIT %(most)s
"""
MISSED = """
SELECT d.rulebook_id, v.unrecorded, COUNT(*)::integer
FROM shadow_verdicts AS v JOIN decisions AS d USING (account_id, decision_id)
WHERE v.challenger_id = %(challenger_id)s
GROUP BY d.rulebook_id, v.unrecorded ORDER BY d.rulebook_id, v.unrecorded LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Example:
    """A decision that would have come out differently."""

    decision_id: UUID
    live_outcome: str
    outcome: str
    live_reasons: tuple[str, ...]
    reasons: tuple[str, ...]
    decided_at: datetime


def examples(session: Session, challenger_id: UUID, most: int) -> list[Example]:
    """Return the latest decisions that would have come out differently."""
    asked = {"challenger_id": challenger_id, "most": min(most, EXAMPLES_MAX)}
    return [
        Example(row[0], row[1], row[2], tuple(row[3]), tuple(row[4]), row[5])
        for row in session.rows(EXAMPLES, asked)
    ]


class Missed(NamedTuple):
    """Decisions by one rulebook of which a challenger did not know as many of its inputs."""

    rulebook_id: UUID
    unknown: int
    decisions: int


def missed(session: Session, challenger_id: UUID) -> list[Missed]:
    """Return of how many decisions how many inputs of a challenger were not to be had."""
    asked = {"challenger_id": challenger_id, "most": COMBINATIONS_MAX}
    return [Missed(*row) for row in session.rows(MISSED, asked)]


def _check_name(by: str) -> None:
    """Refuse what is no person's name. Errors: ShadowInvalid."""
    if not is_name(by):
        expected = Phrase("the name of a person, 1 to {most} characters", most=NAME_CHARS_MAX)
        raise ShadowInvalid(by=by, expected=expected)

"""Appeals against decisions: one for each decision, ended by a person who did not make it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from fenqi.core.errors import Conflict, Missing
from fenqi.core.risk.appeal import Answer
from fenqi.core.risk.case import MACHINES
from fenqi.core.risk.change import Subject
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.response import ProtectionKind
from fenqi.core.values.ids import AccountId
from fenqi.store.objections import Objections, Row
from fenqi.store.pool import Session
from fenqi.store.rows import Change, Rows, Table, array_text

PEOPLE_MAX = 10_000
APPEALS = Table(
    "appeals",
    "account_id uuid, appeal_id uuid, decision_id uuid, kind word, case_id uuid, opened_on date,"
    "due_on date",
)
CHANGES = Change(
    "appeals",
    keys="account_id uuid, appeal_id uuid",
    columns="outcome word, reasons word>text[], closed_on date, closed_by word",
)


class AppealMissing(Missing):
    """No such appeal."""

    code = "appeal-missing"


class AppealMade(Conflict):
    """The decision was contested already: it is looked at, or what was found stands."""

    code = "appeal-made"


class AppealEnded(Conflict):
    """The appeal was decided; what was found stands."""

    code = "appeal-ended"


@dataclass(frozen=True, slots=True)
class Appeal:
    """One appeal. What ended it is None while it is open."""

    account_id: AccountId
    appeal_id: UUID
    decision_id: UUID
    kind: DecisionKind
    case_id: UUID
    opened_on: date
    due_on: date
    outcome: Answer | None = None
    reasons: tuple[str, ...] = ()
    closed_on: date | None = None
    closed_by: str | None = None

    def check_open(self) -> None:
        """Errors: AppealEnded."""
        if self.outcome is not None:
            raise AppealEnded(appeal=self.appeal_id, outcome=self.outcome.value)


COLUMNS = """account_id, appeal_id, decision_id, kind, case_id, opened_on, due_on, outcome,
    reasons, closed_on, closed_by"""
ONE = f"""
SELECT {COLUMNS} FROM appeals WHERE appeal_id = %(appeal)s LIMIT 1
"""  # noqa: S608 - constants only


def read(session: Session, appeal_id: UUID) -> Appeal:
    """Return one appeal. Errors: AppealMissing."""
    rows = session.rows(ONE, {"appeal": appeal_id})
    if not rows:
        raise AppealMissing(appeal=appeal_id)
    return _appeal(rows[0])


OF_DECISIONS = f"""
SELECT {COLUMNS} FROM appeals
JOIN UNNEST(%(accounts)s::uuid[], %(decisions)s::uuid[]) AS asked (account_id, decision_id)
    USING (account_id, decision_id)
"""  # noqa: S608 - constants only


def of_decisions(session: Session, keys: Collection[tuple[AccountId, UUID]]) -> dict[UUID, Appeal]:
    """Return the appeals against some decisions, by decision."""
    asked = {"accounts": [one for one, _ in keys], "decisions": [one for _, one in keys]}
    return {row[2]: _appeal(row) for row in session.rows(OF_DECISIONS, asked)}


@dataclass(frozen=True, slots=True)
class Contested:
    """The decision an appeal is about, as it was told.

    One that does not stand any more, of an application decided again or signed, is not contested.
    """

    decision_id: UUID
    account_id: AccountId
    kind: DecisionKind
    outcome: str
    reasons: tuple[str, ...]
    effects: tuple[str, ...]
    decided_on: date
    stands: bool = True

    @property
    def subject(self) -> Subject | None:
        """What it changed, if it is about a limit or a price."""
        return Subject(self.kind.value) if self.kind.value in set(Subject) else None


# What a change was told with stands on the change: the parts of a limit have reasons of their own.
# What a person decided of an application in review stands on the application, and is contested from
# the day it was told.
CONTESTED = """
SELECT d.decision_id, d.account_id, d.kind,
    CASE WHEN p.state = 'declined' THEN 'decline' ELSE d.outcome END,
    CASE WHEN p.state = 'declined' THEN p.reasons
        WHEN cardinality(c.reasons) > 0 THEN c.reasons ELSE d.reasons END,
    d.effects, COALESCE(said.booked_on, d.booked_on), d.kind <> 'application' OR said.stands
FROM decisions AS d
LEFT JOIN applications AS p ON p.account_id = d.account_id AND p.decision_id = d.decision_id
LEFT JOIN changes AS c ON c.account_id = d.account_id AND c.decision_id = d.decision_id
    AND c.direction = 'harsher'
LEFT JOIN LATERAL (
    SELECT TRUE AS stands, MAX(e.booked_on) AS booked_on FROM events AS e
    WHERE e.account_id = p.account_id AND e.kind = 'application-declined'
) AS said ON p.state = 'declined'
WHERE d.decision_id = ANY(%(decisions)s::uuid[])
"""


def contested(session: Session, decisions: Collection[UUID]) -> dict[UUID, Contested]:
    """Return what is told of some decisions, by their ids."""
    found = {}
    asked = {"decisions": list(decisions)}
    for decision_id, account_id, kind, outcome, reasons, effects, on, stands in (
        session.rows(CONTESTED, asked) if decisions else ()
    ):
        who, told = AccountId(account_id), (tuple(reasons), tuple(effects))
        found[decision_id] = Contested(
            decision_id, who, DecisionKind(kind), outcome, *told, on, stands=bool(stands)
        )
    return found


# Also whoever worked on the case of what the decision placed, or on the one that case went on in,
# and whoever placed what a purchase was stopped for.
TOOK_PART = """
WITH placed AS (
    SELECT case_id, placed_by, seconded_by FROM protections
    WHERE account_id = %(account)s
        AND (decision_id = %(decision)s OR ended_at IS NULL AND kind = ANY(%(kinds)s::text[]))
), direct AS (
    SELECT c.case_id FROM cases AS c JOIN case_accounts AS a USING (case_id)
    WHERE a.account_id = %(account)s AND c.decision_id = %(decision)s AND c.kind <> 'appeal'
    UNION SELECT case_id FROM placed WHERE case_id IS NOT NULL
), every AS (
    SELECT case_id FROM direct
    UNION SELECT c.joined_case_id FROM cases AS c JOIN direct USING (case_id)
    WHERE c.joined_case_id IS NOT NULL
)
SELECT e.author FROM case_entries AS e JOIN every USING (case_id)
UNION SELECT e.text FROM case_entries AS e JOIN every USING (case_id) WHERE e.kind = 'assigned'
UNION SELECT actor FROM changes WHERE account_id = %(account)s AND decision_id = %(decision)s
UNION SELECT unnest(ARRAY[placed_by, seconded_by]) FROM placed
UNION SELECT decided_by FROM applications
WHERE account_id = %(account)s AND decision_id = %(decision)s
LIMIT %(most)s
"""


def took_part(
    session: Session,
    account_id: AccountId,
    decision_id: UUID,
    kinds: Collection[ProtectionKind] = (),
) -> set[str]:
    """Return the people who took part in a decision, or in what led to it or followed from it.

    `kinds` are those of the running protections that it was made for.
    """
    asked = {
        "account": account_id,
        "decision": decision_id,
        "kinds": [one.value for one in kinds],
        "most": PEOPLE_MAX,
    }
    return {one for (one,) in session.rows(TOOK_PART, asked) if one is not None} - MACHINES


def begun(opened: Collection[Appeal]) -> Rows:
    """Return the rows of appeals that begin."""
    rows = Rows(APPEALS)
    for one in opened:
        rows.add(
            *(one.account_id, one.appeal_id, one.decision_id, one.kind.value, one.case_id),
            *(one.opened_on, one.due_on),
        )
    return rows


def ended(
    appeal: Appeal, outcome: Answer, reasons: Collection[str], on: date, by: str, rows: Rows
) -> None:
    """Put the end of an appeal among rows of `CHANGES`."""
    told = array_text(reasons)
    rows.add(appeal.account_id, appeal.appeal_id, outcome.value, told, on, by)


def _appeal(row: Row) -> Appeal:
    account, appeal, decision, kind, case, opened_on, due_on, outcome, reasons, *end = row
    found = Answer(outcome) if outcome else None
    return Appeal(
        *(account, appeal, decision, DecisionKind(kind), case, opened_on, due_on, found),
        *(tuple(reasons), *end),
    )


KEPT = Objections("appeals", "appeal_id", COLUMNS, first="due_on", read=_appeal)

"""Appeals against decisions: one for each decision, ended by a person who did not make it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from fenqi.core.errors import Conflict, Missing
from fenqi.core.risk.appeal import Answer
from fenqi.core.risk.case import SYSTEM
from fenqi.core.risk.change import Subject
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.values.ids import AccountId
from fenqi.store.pool import Session
from fenqi.store.rows import Change, Rows, Table, array_text

LISTED_MAX = 200
PEOPLE_MAX = 10_000
MACHINES = frozenset({SYSTEM, "worker", "customer"})
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
LOCK = f"""
SELECT {COLUMNS} FROM appeals
JOIN UNNEST(%(accounts)s::uuid[], %(appeals)s::uuid[]) AS asked (account_id, appeal_id)
    USING (account_id, appeal_id)
ORDER BY account_id, appeal_id FOR NO KEY UPDATE OF appeals
"""  # noqa: S608 - constants only


def lock(
    session: Session, keys: Collection[tuple[AccountId, UUID]]
) -> dict[tuple[AccountId, UUID], Appeal]:
    """Return the appeals that exist, locked; whom they are about is locked already."""
    asked = {"accounts": [one for one, _ in keys], "appeals": [one for _, one in keys]}
    return {(row[0], row[1]): _appeal(row) for row in session.rows(LOCK, asked)}


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


LISTED = f"""
SELECT {COLUMNS} FROM appeals
WHERE (outcome IS NULL OR %(all)s)
    AND (%(account)s::uuid IS NULL OR account_id = %(account)s)
ORDER BY due_on, appeal_id LIMIT %(most)s
"""  # noqa: S608 - constants only


def listed(
    session: Session, *, account_id: UUID | None, with_ended: bool, most: int = LISTED_MAX
) -> list[Appeal]:
    """Return appeals, those first that are to be answered first."""
    asked = {"account": account_id, "all": with_ended, "most": most}
    return [_appeal(row) for row in session.rows(LISTED, asked)]


@dataclass(frozen=True, slots=True)
class Contested:
    """The decision an appeal is about, as it was told."""

    decision_id: UUID
    account_id: AccountId
    kind: DecisionKind
    outcome: str
    reasons: tuple[str, ...]
    effects: tuple[str, ...]
    decided_on: date

    @property
    def subject(self) -> Subject | None:
        """What it changed, if it is about a limit or a price."""
        return Subject(self.kind.value) if self.kind.value in set(Subject) else None


# What a change was told with stands on the change: the parts of a limit have reasons of their own.
# What a person decided of an application in review stands on the application.
CONTESTED = """
SELECT d.decision_id, d.account_id, d.kind,
    CASE WHEN p.state = 'declined' THEN 'decline' ELSE d.outcome END,
    CASE WHEN p.state = 'declined' THEN p.reasons
        WHEN cardinality(c.reasons) > 0 THEN c.reasons ELSE d.reasons END,
    d.effects, d.booked_on
FROM decisions AS d
LEFT JOIN applications AS p ON p.account_id = d.account_id AND p.decision_id = d.decision_id
LEFT JOIN changes AS c ON c.account_id = d.account_id AND c.decision_id = d.decision_id
    AND c.direction = 'harsher'
WHERE d.decision_id = ANY(%(decisions)s::uuid[])
"""


def contested(session: Session, decisions: Collection[UUID]) -> dict[UUID, Contested]:
    """Return what is told of some decisions, by their ids."""
    found = {}
    for row in session.rows(CONTESTED, {"decisions": list(decisions)}):
        who, kind = AccountId(row[1]), DecisionKind(row[2])
        told, effects = tuple(row[4]), tuple(row[5])
        found[row[0]] = Contested(row[0], who, kind, row[3], told, effects, row[6])
    return found


TOOK_PART = """
SELECT e.author FROM case_entries AS e JOIN cases AS c USING (case_id)
JOIN case_accounts AS a USING (case_id)
WHERE a.account_id = %(account)s AND c.decision_id = %(decision)s AND c.kind <> 'appeal'
UNION SELECT actor FROM changes WHERE account_id = %(account)s AND decision_id = %(decision)s
UNION SELECT unnest(ARRAY[placed_by, seconded_by]) FROM protections
WHERE account_id = %(account)s AND decision_id = %(decision)s
UNION SELECT decided_by FROM applications
WHERE account_id = %(account)s AND decision_id = %(decision)s
LIMIT %(most)s
"""


def took_part(session: Session, account_id: AccountId, decision_id: UUID) -> set[str]:
    """Return the people who took part in a decision or in what followed from it."""
    asked = {"account": account_id, "decision": decision_id, "most": PEOPLE_MAX}
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


def _appeal(row: tuple[Any, ...]) -> Appeal:
    account, appeal, decision, kind, case, opened_on, due_on, outcome, reasons, *end = row
    found = Answer(outcome) if outcome else None
    return Appeal(
        *(account, appeal, decision, DecisionKind(kind), case, opened_on, due_on, found),
        *(tuple(reasons), *end),
    )

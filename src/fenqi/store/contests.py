"""Contests of plans: one open at a time per plan, ended by a person."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from fenqi.core.errors import Conflict, Missing
from fenqi.core.servicing.contest import Finding, Ground
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.store.objections import Objections, Row
from fenqi.store.plans import PlanKey
from fenqi.store.rows import Change, Rows, Table

CONTESTS = Table(
    "contests",
    "account_id uuid, contest_id uuid, plan_id uuid, case_id uuid, ground word, opened_on date",
)
CHANGES = Change(
    "contests",
    keys="account_id uuid, contest_id uuid",
    columns="outcome word, closed_on date, closed_by word",
)


class ContestMissing(Missing):
    """No such contest."""

    code = "contest-missing"


class ContestEnded(Conflict):
    """The contest was decided; what was found stands."""

    code = "contest-ended"


@dataclass(frozen=True, slots=True)
class Contest:
    """One contest of a plan. What ended it is None while it is open."""

    account_id: AccountId
    contest_id: UUID
    plan_id: PlanId
    case_id: UUID
    ground: Ground
    opened_on: date
    outcome: Finding | None = None
    closed_on: date | None = None
    closed_by: str | None = None

    @property
    def plan_key(self) -> PlanKey:
        """The key of the plan that is contested."""
        return (self.account_id, self.plan_id)

    def check_open(self) -> None:
        """Errors: ContestEnded."""
        if self.outcome is not None:
            raise ContestEnded(contest=self.contest_id, outcome=self.outcome.value)


COLUMNS = """account_id, contest_id, plan_id, case_id, ground, opened_on, outcome, closed_on,
    closed_by"""


def begun(opened: Collection[Contest]) -> Rows:
    """Return the rows of contests that begin."""
    rows = Rows(CONTESTS)
    for one in opened:
        rows.add(
            one.account_id,
            one.contest_id,
            one.plan_id,
            one.case_id,
            one.ground.value,
            one.opened_on,
        )
    return rows


def ended(contest: Contest, outcome: Finding, on: date, by: str, rows: Rows) -> None:
    """Put the end of a contest among rows of `CHANGES`."""
    rows.add(contest.account_id, contest.contest_id, outcome.value, on, by)


def _contest(row: Row) -> Contest:
    account, contest, plan, case, ground, opened_on, outcome, *end = row
    found = Finding(outcome) if outcome else None
    return Contest(account, contest, plan, case, Ground(ground), opened_on, found, *end)


KEPT = Objections("contests", "contest_id", COLUMNS, first="opened_on", read=_contest)

"""Bills that became plans: which plan took over how much of which, and how such a plan begins.

No money moves and nobody is lent anything anew: what the parents give over is the principal of the
new plan, and in the ledger it passes through one account that stands at zero.
"""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import numpy as np

from fenqi.core.account import POLICY
from fenqi.core.errors import ensure
from fenqi.core.terms.cost import digest
from fenqi.core.terms.life.state import Status
from fenqi.core.terms.operation import Operation, OperationKind
from fenqi.core.terms.pack import Pack
from fenqi.core.terms.product import Component
from fenqi.core.terms.schedule import Terms, schedule, signed_cost
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.store import plans
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking, Happening
from fenqi.store.catalogue import Catalogue
from fenqi.store.lending import COST_COMPONENT, COST_LINE
from fenqi.store.plans import PlanKey, PlanRecord
from fenqi.store.pool import Session
from fenqi.store.rows import Ragged, Rows, Sheet, Table

PLANS = Table(
    "plans",
    "account_id uuid, plan_id uuid, parent_plan_id uuid, product word, product_version integer,"
    "pack word, pack_version integer, policy word, policy_version integer,"
    "agreement_version integer, cost_table uuid, shown_sha256 text, count smallint,"
    "principal_minor bigint, cost_minor bigint, cost_line word, starts_on date, due_on date[],"
    "signed_principal_minor bigint[], signed_interest_minor bigint[], signed_fee_minor bigint[],"
    "version integer, operation_count integer, state word, principal_open_minor bigint,"
    "oldest_due_on date, unbilled_due_on date, charged_through date, recognised_through date,"
    "is_earning boolean",
)
PARTS = Table(
    "bill_parts",
    "account_id uuid, parent_plan_id uuid, operation_number integer, plan_id uuid,"
    "amount_minor bigint",
)
DEPTH_MAX = 100  # how often what was taken over may have been taken over again

Part = tuple[PlanRecord, int, int]  # the parent, its operation, the amount it gave over


class Bills:
    """The plans of one batch that take over what statements asked for."""

    def __init__(self, booking: Booking) -> None:
        self._booking = booking
        self._begun: list[PlanRecord] = []
        self._parts: list[tuple[object, ...]] = []
        booking.others.append(self)

    def begin(self, happening: Happening, record: PlanRecord, parts: Collection[Part]) -> None:
        """Book a plan that lends what the parts give over."""
        self._booking.begin(happening, record)
        self._begun.append(record)
        for parent, number, amount in parts:
            self._parts.append((*parent.key, number, record.plan_id, amount))

    def fill(self, sheet: Sheet) -> None:
        """Put the plans and their parts on a sheet."""
        begun, parts = Rows(PLANS), Rows(PARTS)
        for record in self._begun:
            begun.extend(1, *_columns(record))
        for part in self._parts:
            parts.add(*part)
        sheet.add(begun)
        sheet.add(parts)


def taking_over(
    account: Account, plan_id: PlanId, terms: Terms, pack: Pack, parent_plan_id: PlanId
) -> PlanRecord:
    """Return a plan that is about to take over what others owe, with its first operation.

    Errors: Broken if the account has no agreement; only the house has none.
    """
    ensure(account.cost_table is not None, "an-account-has-a-cost-table")
    return PlanRecord(
        account_id=account.account_id,
        plan_id=plan_id,
        merchant_id=None,
        parent_plan_id=parent_plan_id,
        agreement_version=account.agreement_version,
        cost_table=account.cost_table,  # type: ignore[arg-type] # looked at above
        pack=pack,
        terms=terms,
        operations=[lent(terms, account.book.business_date)],
        charged_through=terms.starts_on,
        recognised_through=terms.starts_on,
        version=1,
        state=Status.ACTIVE,
        bucket=0,
        billed_count=0,
        principal_open_minor=0,  # until it is booked
        oldest_due_on=None,
        unbilled_due_on=None,
        is_rearranged=False,
        excused=account.excused,
    )


def lent(terms: Terms, booked_on: date) -> Operation:
    """Return the first operation of a plan that takes over what others owe."""
    kind = OperationKind.DISBURSE
    return Operation(1, kind, terms.starts_on, booked_on, terms.principal_minor)


def _columns(record: PlanRecord) -> tuple[Any, ...]:
    """Return the columns of a plan that begins, in the order of PLANS; arrays of one row."""
    terms, cost = record.terms, signed_cost(record.terms)
    dues, kind = schedule(terms), terms.product.kind
    amounts = [
        [due.amounts[component] for due in dues]
        if component is Component.PRINCIPAL or component is COST_COMPONENT[kind]
        else []
        for component in (Component.PRINCIPAL, Component.INTEREST, Component.FEE)
    ]
    return (
        [record.account_id],
        [record.plan_id],
        [record.parent_plan_id],
        terms.product.product_id,
        terms.product.version,
        record.pack.pack_id,
        record.pack.version,
        *POLICY,
        record.agreement_version,
        [record.cost_table],
        digest(terms),
        terms.count,
        terms.principal_minor,
        cost,
        COST_LINE[kind],
        [terms.starts_on],
        _one_row(np.array(terms.due_on, dtype="datetime64[D]")),
        *(_one_row(np.array(one, dtype=np.int64)) for one in amounts),
        record.version,
        len(record.operations),
        record.state.value,
        record.principal_open_minor,
        [record.oldest_due_on],
        [record.unbilled_due_on],
        [record.charged_through],
        [record.recognised_through],
        cost > 0,
    )


def _one_row(elements: Any) -> Ragged:
    return Ragged(elements, np.array([len(elements)]))


TAKEN = """
WITH RECURSIVE taken (account_id, parent_plan_id, operation_number, plan_id, depth) AS (
    SELECT b.account_id, b.parent_plan_id, b.operation_number, b.plan_id, 1
    FROM UNNEST(%(accounts)s::uuid[], %(plans)s::uuid[]) AS asked (account_id, plan_id)
    JOIN bill_parts AS b
        ON b.account_id = asked.account_id AND b.parent_plan_id = asked.plan_id
    UNION
    SELECT b.account_id, b.parent_plan_id, b.operation_number, b.plan_id, t.depth + 1
    FROM taken AS t
    JOIN bill_parts AS b ON b.account_id = t.account_id AND b.parent_plan_id = t.plan_id
    WHERE t.depth < %(most)s
)
SELECT DISTINCT account_id, parent_plan_id, operation_number, plan_id FROM taken
ORDER BY account_id, parent_plan_id, operation_number
"""

HISTORY = """
SELECT b.account_id, b.plan_id, b.parent_plan_id, p.starts_on
FROM bill_parts AS b JOIN plans AS p ON p.account_id = b.account_id AND p.plan_id = b.plan_id
WHERE b.account_id = ANY(%(accounts)s)
ORDER BY b.account_id, b.plan_id, b.parent_plan_id
"""


class History:
    """Which statements of some accounts became plans already, and what these had taken over."""

    def __init__(self, rows: Collection[tuple[AccountId, PlanId, PlanId, date]]) -> None:
        self._began: dict[PlanKey, date] = {}
        self._parents: dict[PlanKey, set[PlanId]] = {}
        for account, plan, parent, began_on in rows:
            self.note(account, plan, [parent], began_on)

    def note(
        self, account: AccountId, plan: PlanId, parents: Collection[PlanId], began_on: date
    ) -> None:
        """Learn of a statement that became a plan."""
        self._began[account, plan] = began_on
        self._parents.setdefault((account, plan), set()).update(parents)

    def since(self, account: AccountId, day: date) -> list[date]:
        """Return the days after a day on which statements of an account became plans."""
        days = [on for (owner, _), on in self._began.items() if owner == account and on > day]
        return sorted(days)

    def moved(self, account: AccountId, plan: PlanId) -> int:
        """Return how often what a plan asks for was moved already; 0 of a purchase."""
        times, plans = 0, {plan}
        while plans := {
            parent for one in plans for parent in self._parents.get((account, one), ())
        }:
            times += 1
            ensure(times <= DEPTH_MAX, "no-plan-takes-over-itself", plan=plan)
        return times


def history(session: Session, account_ids: Collection[AccountId]) -> History:
    """Return what became plans of the statements of some accounts."""
    rows = session.rows(HISTORY, {"accounts": list(account_ids)})
    return History([(row[0], row[1], row[2], row[3]) for row in rows])


Taken = dict[tuple[AccountId, PlanId, int], PlanRecord]  # by the parent and its operation


def taken_over(session: Session, parents: Sequence[PlanRecord], catalogue: Catalogue) -> Taken:
    """Return the plans that took debts of these over, and those that took over theirs."""
    gave = [one.key for one in parents if _gave_over(one)]
    if not gave:
        return {}
    asked = {
        "accounts": [account for account, _ in gave],
        "plans": [plan for _, plan in gave],
        "most": DEPTH_MAX,
    }
    rows = session.rows(TAKEN, asked)
    keys: set[PlanKey] = {(row[0], row[3]) for row in rows}
    records = plans.load(session, keys, catalogue)
    return {(row[0], row[1], row[2]): records[row[0], row[3]] for row in rows}


def _gave_over(record: PlanRecord) -> bool:
    return any(one.kind is OperationKind.BILL_INSTALMENT for one in record.operations)

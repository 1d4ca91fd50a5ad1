"""Plans with their operations: what a flow replays."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from msgspec import convert

from fenqi.core.errors import Conflict, Missing
from fenqi.core.ledger import Account, Postings, postings
from fenqi.core.servicing.allocation import Debt
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.state import Status
from fenqi.core.terms.life.view import View
from fenqi.core.terms.operation import PARAMETERS, Operation, OperationKind, Parameters
from fenqi.core.terms.pack import Pack, allowances
from fenqi.core.terms.replay import life_of, replay
from fenqi.core.terms.schedule import Terms
from fenqi.core.values.ids import AccountId, MerchantId, OrderId, PlanId
from fenqi.store.catalogue import Catalogue
from fenqi.store.pool import Session

PlanKey = tuple[AccountId, PlanId]
NEVER = date(9999, 12, 31)  # what is contested is claimed on no day
PAGE = 500  # plans loaded at once when walking a whole book


def keys_of(rows: Sequence[tuple[object, ...]]) -> list[PlanKey]:
    """Return the first two columns of rows, account and plan, as keys."""
    return [(AccountId(row[0]), PlanId(row[1])) for row in rows]  # type: ignore[arg-type] # uuids


class PlanMissing(Missing):
    """No such plan of this account."""

    code = "plan-missing"


class PlanHasNoOrder(Conflict):
    """The plan took over a statement; goods go back to the purchases that the statement named."""

    code = "plan-has-no-order"


class PlanContested(Conflict):
    """The plan is contested: nothing of it is claimed, so nothing of it can be put off."""

    code = "plan-contested"


@dataclass(slots=True)
class PlanRecord:
    """A stored plan: what was signed, what happened, and the projection's columns.

    A batch changes it in memory through `booking.Booking.change`; `version` counts the projections
    written.
    """

    account_id: AccountId
    plan_id: PlanId
    merchant_id: MerchantId | None  # none if it took over what statements asked for
    parent_plan_id: PlanId | None  # of which it took over the first part
    agreement_version: int
    cost_table: UUID
    pack: Pack
    terms: Terms
    operations: list[Operation]
    charged_through: date
    recognised_through: date
    version: int
    state: Status
    bucket: int
    billed_count: int
    principal_open_minor: int
    oldest_due_on: date | None
    unbilled_due_on: date | None
    is_rearranged: bool  # rows were added or fall due on other days than signed
    excused: Collection[date]
    contested_on: date | None = None  # since when, while it is; nothing is claimed meanwhile
    _projection: View | None = field(default=None, repr=False)

    @property
    def key(self) -> PlanKey:
        """The plan's primary key."""
        return (self.account_id, self.plan_id)

    def projection(self) -> View:
        """Return the plan's state after its operations; kept until they change."""
        if self._projection is None:
            self._projection = replay(
                self.terms,
                self.operations,
                charged_through=self.charged_through,
                excused=self.excused,
            )
        return self._projection

    def postings(self) -> Postings:
        """Return everything the plan has posted so far."""
        return postings(
            self.terms, self.projection(), self.recognised_through, lent_from=self.lent_from
        )

    @property
    def lent_from(self) -> Account:
        """The account its principal was lent from: a merchant's, or what other plans gave over."""
        is_bill = self.parent_plan_id is not None
        return Account.BILL_INSTALMENT if is_bill else Account.MERCHANT_PAYABLE

    def life(self) -> Life:
        """Return the plan as a life, of which a customer may ask more."""
        return life_of(
            self.terms,
            self.operations,
            allowances=allowances(self.terms.product, self.pack),
            excused=self.excused,
        )

    def claimed_since(self) -> date | None:
        """Return the due day of the oldest claim; a day that never comes while it is contested."""
        oldest = self.projection().oldest_claim_due_on
        return oldest if oldest is None or self.contested_on is None else NEVER

    def debts(self) -> list[Debt]:
        """Return what the plan claims, oldest first; while it is contested, nothing."""
        if self.contested_on is not None:
            return []
        return [
            Debt(
                plan_id=self.plan_id,
                due_on=part.due_on,
                claim_minor=part.claim_minor,
                is_written_off=self.state is Status.WRITTEN_OFF,
            )
            for part in self.projection().rows
            if part.claim_minor
        ]

    def first_unbilled(self) -> date | None:
        """Return the due day of the first open instalment that no statement has named yet."""
        if self.state is not Status.ACTIVE or self.contested_on is not None:
            return None
        unbilled = self.projection().rows[self.billed_count :]
        return next((part.due_on for part in unbilled if part.open_minor), None)

    def note_rearranged(self) -> None:
        """Note whether rows are no longer those that were signed; that stays so for good."""
        if not self.is_rearranged:
            days = tuple(part.due_on for part in self.projection().rows)
            self.is_rearranged = days != self.terms.due_on

    def following(
        self,
        asked: Sequence[tuple[OperationKind, int]],
        *,
        effective_on: date,
        booked_on: date,
        parameters: Parameters | None = None,
    ) -> list[Operation]:
        """Return operations, (kind, amount) each, as they would be appended."""
        # Money that was on its way before the plan began counts from the plan's first day.
        on = max(effective_on, self.terms.starts_on)
        return [
            Operation(len(self.operations) + place, kind, on, booked_on, amount, parameters)
            for place, (kind, amount) in enumerate(asked, start=1)
        ]

    def tried(self, operations: Sequence[Operation], charged_through: date) -> View:
        """Return the state after more operations; nothing is changed."""
        return replay(
            self.terms,
            [*self.operations, *operations],
            charged_through=max(self.charged_through, charged_through),
            excused=self.excused,
        )

    def extend(self, operations: Collection[Operation], charged_through: date) -> View:
        """Append operations, count late charges at least through a day, and replay."""
        self.operations.extend(operations)
        self.charged_through = max(self.charged_through, charged_through)
        self._projection = None
        return self.projection()


LOAD = """
SELECT p.account_id, p.plan_id, p.merchant_id, p.agreement_version, p.product, p.product_version,
    p.count, p.principal_minor, p.starts_on, p.due_on, p.charged_through, p.recognised_through,
    p.version, p.state, p.bucket, p.billed_count, p.principal_open_minor, p.oldest_due_on,
    p.unbilled_due_on, p.pack, p.pack_version, p.cost_table, p.parent_plan_id, p.is_rearranged,
    ARRAY(SELECT DISTINCT x.day FROM excused_days AS x WHERE x.book_id = a.book_id LIMIT 10000)
        || COALESCE(a.excused_on, '{}'),
    c.opened_on, b.business_date, p.price_ppm
FROM UNNEST(%(accounts)s::uuid[], %(plans)s::uuid[]) AS asked (account_id, plan_id)
JOIN plans AS p USING (account_id, plan_id)
JOIN accounts AS a USING (account_id)
JOIN books AS b ON b.book_id = a.book_id
LEFT JOIN contests AS c
    ON c.account_id = p.account_id AND c.plan_id = p.plan_id AND c.outcome IS NULL
ORDER BY p.account_id, p.plan_id
"""
LOAD_OPERATIONS = """
SELECT o.account_id, o.plan_id, o.number, o.kind, o.effective_on, o.booked_on, o.amount_minor,
    NULLIF(o.parameters, '{}')
FROM UNNEST(%(accounts)s::uuid[], %(plans)s::uuid[]) AS asked (account_id, plan_id)
JOIN operations AS o USING (account_id, plan_id)
ORDER BY o.account_id, o.plan_id, o.number
"""


def open_days(contested_on: date | None, through: date) -> frozenset[date]:
    """Return the days of a contest that is open; none of them counts against the customer."""
    if contested_on is None:
        return frozenset()
    count = (through - contested_on).days + 1
    return frozenset(contested_on + timedelta(days=place) for place in range(count))


def find(loaded: Mapping[PlanKey, PlanRecord], key: PlanKey) -> PlanRecord:
    """Return one of the plans that were loaded. Errors: PlanMissing."""
    record = loaded.get(key)
    if record is None:
        raise PlanMissing(plan=key[1])
    return record


def load(
    session: Session, keys: Collection[PlanKey], catalogue: Catalogue
) -> dict[PlanKey, PlanRecord]:
    """Return the plans that exist, with all their operations."""
    if not keys:
        return {}
    asked = {"accounts": [account for account, _ in keys], "plans": [plan for _, plan in keys]}
    operations: dict[PlanKey, list[Operation]] = {}
    for account, plan, *columns in session.rows(LOAD_OPERATIONS, asked):
        operations.setdefault((account, plan), []).append(_operation(*columns))
    records = {}
    for row in session.rows(LOAD, asked):
        key: PlanKey = (row[0], row[1])
        terms = Terms(
            product=catalogue.products[row[4], row[5]].at(row[27]),
            count=row[6],
            principal_minor=row[7],
            starts_on=row[8],
            due_on=tuple(row[9]),
        )
        records[key] = PlanRecord(
            account_id=row[0],
            plan_id=row[1],
            merchant_id=row[2],
            parent_plan_id=row[22],
            is_rearranged=row[23],
            agreement_version=row[3],
            cost_table=row[21],
            pack=catalogue.packs[row[19], row[20]],
            terms=terms,
            operations=operations.get(key, []),
            charged_through=row[10],
            recognised_through=row[11],
            version=row[12],
            state=Status(row[13]),
            bucket=row[14],
            billed_count=row[15],
            principal_open_minor=row[16],
            oldest_due_on=row[17],
            unbilled_due_on=row[18],
            excused=frozenset(row[24]) | open_days(row[25], row[26]),
            contested_on=row[25],
        )
    return records


def _operation(
    number: int, kind: str, effective_on: date, booked_on: date, amount_minor: int, asked: Any
) -> Operation:
    """Return a stored operation, with what it was asked with."""
    of_kind = OperationKind(kind)
    parameters = None if asked is None else convert(asked, PARAMETERS[of_kind])
    return Operation(number, of_kind, effective_on, booked_on, amount_minor, parameters)


OWING = """
SELECT account_id, plan_id FROM plans
WHERE account_id = ANY(%(accounts)s) AND oldest_due_on IS NOT NULL
ORDER BY account_id, plan_id
"""


def owing(
    session: Session, account_ids: Collection[AccountId], catalogue: Catalogue
) -> dict[AccountId, list[PlanRecord]]:
    """Return, per account, the plans on which something is owed or claimed."""
    keys = [(row[0], row[1]) for row in session.rows(OWING, {"accounts": sorted(account_ids)})]
    found: dict[AccountId, list[PlanRecord]] = {}
    for record in load(session, keys, catalogue).values():
        found.setdefault(record.account_id, []).append(record)
    return found


OF_ORDERS = """
SELECT account_id, plan_id, order_id FROM plans
JOIN UNNEST(%(accounts)s::uuid[], %(orders)s::uuid[]) AS asked (account_id, order_id)
    USING (account_id, order_id)
ORDER BY account_id, plan_id
"""


def of_orders(
    session: Session, orders: Collection[tuple[AccountId, UUID]], catalogue: Catalogue
) -> dict[tuple[AccountId, UUID], list[PlanRecord]]:
    """Return the plans that orders became, oldest first."""
    asked = {"accounts": [one for one, _ in orders], "orders": [one for _, one in orders]}
    rows = session.rows(OF_ORDERS, asked)
    records = load(session, [(row[0], row[1]) for row in rows], catalogue)
    found: dict[tuple[AccountId, UUID], list[PlanRecord]] = {}
    for account, plan, order in rows:
        found.setdefault((account, order), []).append(records[account, plan])
    return found


RUNNING = """
SELECT plan_id FROM plans WHERE account_id = %(account)s AND state = 'active'
ORDER BY plan_id DESC LIMIT %(most)s
"""


def running(session: Session, account_id: AccountId) -> list[PlanId]:
    """Return an account's running plans, the newest first."""
    rows = session.rows(RUNNING, {"account": account_id, "most": PAGE})
    return [PlanId(row[0]) for row in rows]


ORDER_OF = """
SELECT order_id FROM plans WHERE account_id = %(account)s AND plan_id = %(plan)s
"""


def order_of(session: Session, key: PlanKey) -> OrderId | None:
    """Return the order a plan began with; None if it took over a statement, or is not there."""
    rows = session.rows(ORDER_OF, {"account": key[0], "plan": key[1]})
    return rows[0][0] if rows else None


WALK = """
SELECT p.account_id, p.plan_id FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE a.book_id = %(book_id)s AND (p.account_id, p.plan_id) > (%(account)s, %(plan)s)
ORDER BY p.account_id, p.plan_id LIMIT %(page)s
"""
NIL = UUID(int=0)


def walk(session: Session, book_id: str, catalogue: Catalogue) -> Iterator[list[PlanRecord]]:
    """Yield all plans of a book in pages, in key order, with flat memory."""
    account, plan = NIL, NIL
    while True:
        asked = {"book_id": book_id, "account": account, "plan": plan, "page": PAGE}
        keys = [(AccountId(row[0]), PlanId(row[1])) for row in session.rows(WALK, asked)]
        if not keys:
            return
        yield list(load(session, keys, catalogue).values())
        account, plan = keys[-1]

"""Projections: what the replay made of plans, as rows of plans, instalments and allocations.

A new plan is inserted with all its instalments; of a changed one only what differs from before is
written, and the lines of an operation are rewritten when a backdated one changed what it did.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from fenqi.core.ledger import unearned_minor
from fenqi.core.terms.cost import CostKind
from fenqi.core.terms.product import Component, ScheduleKind
from fenqi.core.terms.replay import COST, Instalment, Line, Projection
from fenqi.store.plans import PlanKey, PlanRecord
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Table, array_text

PLANS = Table(
    "plans",
    "account_id uuid, plan_id uuid, order_id uuid, merchant_id uuid, product text,"
    "product_version integer, pack text, pack_version integer, policy text,"
    "policy_version integer, agreement_version integer, shown_sha256 text, count smallint,"
    "principal_minor bigint, cost_minor bigint, cost_line text, starts_on date, due_on text>date[],"
    "version integer, operation_count integer, state text, billed_count smallint, bucket smallint,"
    "principal_open_minor bigint, oldest_due_on date, unbilled_due_on date, charged_through date,"
    "recognised_through date, is_earning boolean",
)
PARTS = ("due", "paid", "relieved", "written_off")
INSTALMENT_AMOUNTS = tuple(
    f"{component.name.lower()}_{part}_minor" for part in PARTS for component in Component
)
INSTALMENTS = Table(
    "instalments",
    "account_id uuid, plan_id uuid, number smallint, starts_on date, due_on date,"
    "open_minor bigint, recovered_minor bigint,"
    + ",".join(f"{name} bigint" for name in INSTALMENT_AMOUNTS),
)
ALLOCATIONS = Table(
    "allocations",
    "account_id uuid, plan_id uuid, operation_number integer, line smallint,"
    "instalment_number smallint, effect text, principal_minor bigint, interest_minor bigint,"
    "fee_minor bigint, penalty_minor bigint",
)

UPDATE_PLANS = """
UPDATE plans AS p SET version = v, operation_count = o, state = s, billed_count = b, bucket = k,
    principal_open_minor = m, oldest_due_on = d, unbilled_due_on = u, charged_through = c,
    recognised_through = r, is_earning = e
FROM UNNEST(%(accounts)s::uuid[], %(plans)s::uuid[], %(versions)s::integer[],
    %(operations)s::integer[], %(states)s::text[], %(billed)s::smallint[], %(buckets)s::smallint[],
    %(principal)s::bigint[], %(oldest)s::date[], %(unbilled)s::date[], %(charged)s::date[],
    %(recognised)s::date[], %(earning)s::boolean[])
    AS t (a, i, v, o, s, b, k, m, d, u, c, r, e)
WHERE p.account_id = t.a AND p.plan_id = t.i
"""
UPDATE_INSTALMENTS = (
    "UPDATE instalments AS i SET open_minor = t.open_minor, recovered_minor = t.recovered_minor, "  # noqa: S608 - constants only
    + ", ".join(f"{name} = t.{name}" for name in INSTALMENT_AMOUNTS)
    + " FROM UNNEST(%(account_id)s::uuid[], %(plan_id)s::uuid[], %(number)s::smallint[], "
    + "%(open_minor)s::bigint[], %(recovered_minor)s::bigint[], "
    + ", ".join(f"%({name})s::bigint[]" for name in INSTALMENT_AMOUNTS)
    + ") AS t (account_id, plan_id, number, open_minor, recovered_minor, "
    + ", ".join(INSTALMENT_AMOUNTS)
    + ") WHERE i.account_id = t.account_id AND i.plan_id = t.plan_id AND i.number = t.number"
)
DROP_ALLOCATIONS = """
DELETE FROM allocations AS l
USING UNNEST(%(accounts)s::uuid[], %(plans)s::uuid[], %(operations)s::integer[]) AS t (a, p, o)
WHERE l.account_id = t.a AND l.plan_id = t.p AND l.operation_number = t.o
"""


PLAN_COLUMNS = (
    "versions",
    "operations",
    "states",
    "billed",
    "buckets",
    "principal",
    "oldest",
    "unbilled",
    "charged",
    "recognised",
    "earning",
)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a new plan pins besides its terms."""

    order_id: UUID
    policy: tuple[str, int]
    shown_sha256: str


COST_LINE = {
    ScheduleKind.FREE: None,
    ScheduleKind.FLAT_FEE: CostKind.FLAT_FEE.value,
    ScheduleKind.ANNUITY: CostKind.INTEREST.value,
}

AllocationRow = tuple[int, str, int, int, int, int]  # instalment, effect, principal .. penalty


class Projections:
    """The plans one batch begins or changes, with what they were before."""

    def __init__(self) -> None:
        self._new: dict[PlanKey, tuple[PlanRecord, Signed]] = {}
        self._changed: dict[PlanKey, tuple[PlanRecord, Projection]] = {}

    def begin(self, record: PlanRecord, signed: Signed) -> None:
        """Take up a plan that begins in this batch."""
        self._new[record.key] = (record, signed)

    def change(self, record: PlanRecord) -> None:
        """Take up a plan about to change; its state now is what differences are seen against."""
        if record.key not in self._new:
            self._changed.setdefault(record.key, (record, record.projection()))

    def insert_plans(self, session: Session) -> None:
        """Send the new plans."""
        rows = Rows(PLANS)
        for record, signed in self._new.values():
            terms, product = record.terms, record.terms.product
            projection = record.projection()
            cost = sum(projection.total("due", component) for component in COST)
            rows.add(
                record.account_id,
                record.plan_id,
                signed.order_id,
                record.merchant_id,
                product.product_id,
                product.version,
                record.pack.pack_id,
                record.pack.version,
                *signed.policy,
                record.agreement_version,
                signed.shown_sha256,
                terms.count,
                terms.principal_minor,
                cost,
                COST_LINE[product.kind],
                terms.starts_on,
                array_text(terms.due_on),
                *_plan_columns(record),
            )
        rows.insert(session)

    def update_plans(self, session: Session) -> None:
        """Send the changed plans' columns."""
        records = [record for record, _ in self._changed.values()]
        if not records:
            return
        for record in records:
            record.version += 1
        columns = list(zip(*(_plan_columns(one) for one in records), strict=True))
        session.run(
            UPDATE_PLANS,
            {
                "accounts": [one.account_id for one in records],
                "plans": [one.plan_id for one in records],
                **{name: list(column) for name, column in zip(PLAN_COLUMNS, columns, strict=True)},
            },
        )

    def write(self, session: Session) -> None:
        """Send new and changed instalments and lines; their operations are there already."""
        new, changed = Rows(INSTALMENTS), _Updates()
        dropped, allocations = _Dropped(), Rows(ALLOCATIONS)
        for key, (record, _) in self._new.items():
            for part in record.projection().instalments:
                new.add(*key, part.number, part.starts_on, part.due_on, *_part_columns(part))
            _add_allocations(allocations, record, _by_operation(record.projection().lines))
        for key, (record, before) in self._changed.items():
            after = record.projection()
            for old, part in zip(before.instalments, after.instalments, strict=True):
                if _part_columns(old) != _part_columns(part):
                    changed.add(key, part)
            old_lines, lines = _by_operation(before.lines), _by_operation(after.lines)
            differ = {
                number: lines.get(number, [])
                for number in old_lines.keys() | lines.keys()
                if old_lines.get(number) != lines.get(number)
            }
            dropped.add(key, [number for number in sorted(differ) if number in old_lines])
            _add_allocations(allocations, record, differ)
        new.insert(session)
        changed.send(session)
        dropped.send(session)
        allocations.insert(session)


class _Updates:
    """Changed instalments as columns."""

    def __init__(self) -> None:
        self._rows: list[tuple[object, ...]] = []

    def add(self, key: PlanKey, part: Instalment) -> None:
        self._rows.append((*key, part.number, *_part_columns(part)))

    def send(self, session: Session) -> None:
        if self._rows:
            names = ("account_id", "plan_id", "number", "open_minor", "recovered_minor")
            columns = [list(column) for column in zip(*self._rows, strict=True)]
            session.run(
                UPDATE_INSTALMENTS,
                dict(zip((*names, *INSTALMENT_AMOUNTS), columns, strict=True)),
            )


class _Dropped:
    """Operations whose allocation lines a replay changed."""

    def __init__(self) -> None:
        self._rows: list[tuple[object, ...]] = []

    def add(self, key: PlanKey, numbers: Iterable[int]) -> None:
        self._rows.extend((*key, number) for number in numbers)

    def send(self, session: Session) -> None:
        if self._rows:
            accounts, plans, operations = (list(one) for one in zip(*self._rows, strict=True))
            session.run(
                DROP_ALLOCATIONS,
                {"accounts": accounts, "plans": plans, "operations": operations},
            )


def _plan_columns(record: PlanRecord) -> tuple[object, ...]:
    """Return the projection's columns of a plan, in the order of PLANS."""
    left = unearned_minor(record.terms, record.projection(), record.recognised_through)
    return (
        record.version,
        len(record.operations),
        record.state.value,
        record.billed_count,
        record.bucket,
        record.principal_open_minor,
        record.oldest_due_on,
        record.unbilled_due_on,
        record.charged_through,
        record.recognised_through,
        left > 0,
    )


def _part_columns(part: Instalment) -> tuple[int, ...]:
    return (
        part.open_minor,
        part.recovered_minor,
        *part.due,
        *part.paid,
        *part.relieved,
        *part.written_off,
    )


def allocation_rows(lines: Iterable[Line]) -> list[AllocationRow]:
    """Return an operation's lines as stored: (instalment, effect, principal .. penalty)."""
    rows: list[AllocationRow] = []
    for line in lines:
        effects = (
            ("paid", line.paid),
            ("relieved", line.relieved),
            ("written-off", line.written_off),
            ("recovered", (line.recovered_minor, 0, 0, 0)),
        )
        rows.extend(
            (line.instalment, effect, *amounts) for effect, amounts in effects if any(amounts)
        )
    return rows


def _by_operation(lines: Iterable[Line]) -> dict[int, list[AllocationRow]]:
    grouped: dict[int, list[Line]] = {}
    for line in lines:
        grouped.setdefault(line.operation, []).append(line)
    return {number: allocation_rows(group) for number, group in grouped.items()}


def _add_allocations(
    rows: Rows,
    record: PlanRecord,
    by_operation: Mapping[int, list[AllocationRow]],
) -> None:
    for number in sorted(by_operation):
        for place, line in enumerate(by_operation[number], start=1):
            rows.add(record.account_id, record.plan_id, number, place, *line)

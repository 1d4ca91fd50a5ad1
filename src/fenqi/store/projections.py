"""Projections: what the replay made of plans, as rows of plans, instalments and allocations.

Of a changed plan only what differs from before is written, and the lines of an operation are
rewritten when a backdated one changed what it did. How a plan begins is in `lending`.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from fenqi.core.ledger import unearned_minor
from fenqi.core.terms.life.state import Row, Transaction
from fenqi.core.terms.life.view import View
from fenqi.core.terms.product import Component
from fenqi.store.plans import PlanKey, PlanRecord
from fenqi.store.pool import Session
from fenqi.store.rows import Change, Rows, Sheet, Table, Upsert

PARTS = ("due", "paid", "relieved", "written_off", "moved")
INSTALMENT_AMOUNTS = tuple(
    f"{component.name.lower()}_{part}_minor" for part in PARTS for component in Component
)
PLAN_STATES = Change(
    "plans",
    keys="account_id uuid, plan_id uuid",
    columns="version integer, operation_count integer, state word, billed_count smallint,"
    "bucket smallint, principal_open_minor bigint, oldest_due_on date?, unbilled_due_on date?,"
    "charged_through date, recognised_through date, is_earning boolean, is_rearranged boolean",
)
# An instalment to which nothing happened has no row; what was signed stands on its plan.
INSTALMENT_STATES = Upsert(
    "changed_instalments",
    "account_id uuid, plan_id uuid, number smallint, starts_on date, due_on date,"
    "open_minor bigint, recovered_minor bigint,"
    + ",".join(f"{name} bigint" for name in INSTALMENT_AMOUNTS),
    keys="account_id, plan_id, number",
)
ALLOCATIONS = Table(
    "allocations",
    "account_id uuid, plan_id uuid, operation_number integer, line smallint,"
    "instalment_number smallint, effect word, principal_minor bigint, interest_minor bigint,"
    "fee_minor bigint, penalty_minor bigint",
)

DROP_ALLOCATIONS = """
DELETE FROM allocations AS l
USING UNNEST(%(accounts)s::uuid[], %(plans)s::uuid[], %(operations)s::integer[]) AS t (a, p, o)
WHERE l.account_id = t.a AND l.plan_id = t.p AND l.operation_number = t.o
"""

AllocationRow = tuple[int, str, int, int, int, int]  # instalment, effect, principal .. penalty


class Projections:
    """The plans one batch changes, with what they were before."""

    def __init__(self) -> None:
        self._changed: dict[PlanKey, tuple[PlanRecord, View]] = {}

    def change(self, record: PlanRecord) -> None:
        """Take up a plan about to change; its state now is what differences are seen against."""
        self._changed.setdefault(record.key, (record, record.projection()))

    def fill(self, sheet: Sheet, session: Session) -> None:
        """Put the plans' columns on a sheet, and what differs of their instalments and lines.

        Lines that a replay changed are dropped at once: what replaces them has the same keys.
        """
        states, instalments = Rows(PLAN_STATES), Rows(INSTALMENT_STATES)
        dropped, allocations = _Dropped(), Rows(ALLOCATIONS)
        for key, (record, before) in self._changed.items():
            record.version += 1
            states.add(*key, *_plan_columns(record))
            after = record.projection()
            for number, columns in _differing(before, after):
                instalments.add(*key, number, *columns)
            old_lines, lines = allocation_rows(before), allocation_rows(after)
            differ = {
                number: lines.get(number, [])
                for number in old_lines.keys() | lines.keys()
                if old_lines.get(number) != lines.get(number)
            }
            dropped.add(key, [number for number in sorted(differ) if number in old_lines])
            _add_allocations(allocations, record, differ)
        dropped.send(session)
        for rows in (states, instalments, allocations):
            sheet.add(rows)


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
    """Return the projection's columns of a plan, in the order of PLAN_STATES."""
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
        record.is_rearranged,
    )


PartColumns = tuple[date | int, ...]


def _differing(before: View, after: View) -> Iterator[tuple[int, PartColumns]]:
    """Yield the rows that are new or not as they were, by number.

    A row that a backdated payment took away asks for nothing from then on; a statement may have
    named it.
    """
    were = {part.key: part for part in before.rows}
    for part in after.rows:
        old, columns = were.pop(part.key, None), part_columns(part)
        if old is None or part_columns(old) != columns:
            yield part.key, columns
    for gone in were.values():
        yield gone.key, part_columns(Row(gone.key, gone.kind, gone.starts_on, gone.due_on))


def part_columns(part: Row) -> PartColumns:
    """Return a row as it is stored, after its number."""
    return (
        part.starts_on,
        part.due_on,
        part.open_minor,
        part.recovered_minor,
        *part.due,
        *part.paid,
        *part.relieved,
        *part.written_off,
        *part.moved,
    )


def allocation_rows(plan: View) -> dict[int, list[AllocationRow]]:
    """Return by operation what it did, as stored: (instalment, effect, principal .. penalty)."""
    return {
        transaction.number: rows
        for transaction in plan.transactions
        if (rows := _lines(transaction))
    }


def _lines(transaction: Transaction) -> list[AllocationRow]:
    return [
        (instalment, effect.value, principal, interest, fee, penalty)
        for (instalment, effect), (principal, interest, fee, penalty) in transaction.lines.items()
        if principal or interest or fee or penalty
    ]


def _add_allocations(
    rows: Rows,
    record: PlanRecord,
    by_operation: Mapping[int, list[AllocationRow]],
) -> None:
    for number in sorted(by_operation):
        for place, line in enumerate(by_operation[number], start=1):
            rows.add(record.account_id, record.plan_id, number, place, *line)

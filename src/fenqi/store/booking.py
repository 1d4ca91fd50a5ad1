"""Booking: everything one batch writes, gathered as columns and sent in one round trip.

A flow says what happened (`event`), what it did to plans (`change`) and to money outside plans
(`transfer`); the booking numbers events, books the difference between a plan's postings before and
after, keeps the accounts' sums in step, and in `write` sends all rows in the order in which rows
are locked: accounts, plans, ledger.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from fenqi.core.ledger import Transfer, difference, unearned_minor
from fenqi.core.servicing.ageing import bucket_of, days_past_due
from fenqi.core.terms.operation import DERIVED, Operation, OperationKind
from fenqi.core.terms.product import Component, ScheduleKind
from fenqi.core.terms.replay import Instalment, Line, PlanState, Projection
from fenqi.core.values.ids import AccountId, MerchantId, PlanId
from fenqi.store.accounts import Account
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanKey, PlanRecord
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Table, array_text

EVENT_VERSION = 1

EVENTS = Table(
    "events",
    "account_id uuid, number bigint, schema_version smallint, kind text, command_key text,"
    "cause_number bigint, actor text, occurred_at timestamptz, recorded_at timestamptz,"
    "booked_on date, effective_on date, payload jsonb",
)
OUTBOX = Table("outbox", "account_id uuid, event_number bigint, topic text, not_before timestamptz")
TRANSFERS = Table(
    "transfers",
    "account_id uuid, event_number bigint, line smallint, booked_on date, effective_on date,"
    "debit text, credit text, amount_minor bigint, currency text, plan_id uuid,"
    "merchant_id uuid, channel text",
)
PLANS = Table(
    "plans",
    "account_id uuid, plan_id uuid, order_id uuid, merchant_id uuid, product text,"
    "product_version integer, pack text, pack_version integer, policy text,"
    "policy_version integer, agreement_version integer, shown_sha256 text, count smallint,"
    "principal_minor bigint, cost_minor bigint, starts_on date, due_on text>date[],"
    "version integer, operation_count integer, state text, billed_count smallint, bucket smallint,"
    "principal_open_minor bigint, oldest_due_on date, unbilled_due_on date, charged_through date,"
    "recognised_through date, is_earning boolean",
)
OPERATIONS = Table(
    "operations",
    "account_id uuid, plan_id uuid, number integer, kind text, is_derived boolean,"
    "effective_on date, booked_on date, amount_minor bigint, cause_number bigint,"
    "agreement_version integer, cost_line text",
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
CROSSINGS = Table(
    "crossings",
    "account_id uuid, plan_id uuid, event_number bigint, booked_on date, from_bucket smallint,"
    "to_bucket smallint, principal_open_minor bigint",
)

UPDATE_ACCOUNTS = """
UPDATE accounts AS a SET event_count = n, statement_count = s, principal_open_minor = p,
    held_minor = h, credit_minor = c, refunds_payable_minor = r, status = t
FROM UNNEST(%(ids)s::uuid[], %(events)s::bigint[], %(statements)s::integer[],
    %(principal)s::bigint[], %(held)s::bigint[], %(credit)s::bigint[], %(refunds)s::bigint[],
    %(statuses)s::text[]) AS u (i, n, s, p, h, c, r, t)
WHERE a.account_id = u.i
"""
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

COST_LINE = {
    ScheduleKind.FREE: None,
    ScheduleKind.FLAT_FEE: "flat-fee",
    ScheduleKind.ANNUITY: "interest",
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One event being booked: whose, its number, and the days it belongs to."""

    account: Account
    number: int
    booked_on: date
    effective_on: date


@dataclass(frozen=True, slots=True)
class Signed:
    """What a new plan pins besides its terms."""

    order_id: object
    policy: tuple[str, int]
    shown_sha256: str


@dataclass(slots=True)
class _Crossing:
    """How one event moved a plan between buckets, from the first to the last it passed."""

    record: PlanRecord
    happening: Happening
    from_bucket: int
    to_bucket: int = 0
    principal_open_minor: int = 0


class Booking:
    """One batch's rows. Build it, say what happened, `write` it once."""

    def __init__(self, ground: Ground) -> None:
        self.now: datetime = ground.clock.now()
        self._accounts: dict[AccountId, Account] = {}
        self._changed: dict[PlanKey, tuple[PlanRecord, Projection]] = {}
        self._new: dict[PlanKey, tuple[PlanRecord, Signed]] = {}
        self._lines: dict[tuple[AccountId, int], int] = {}  # transfer lines per event so far
        self.before_plans: list[Rows] = []  # the flow's own tables that plans refer to
        self.after_plans: list[Rows] = []  # those that refer to plans
        self.after_projections: list[Rows] = []  # and those that refer to instalments
        self._events = Rows(EVENTS)
        self._outbox = Rows(OUTBOX)
        self._transfers = Rows(TRANSFERS)
        self._operations = Rows(OPERATIONS)
        # Per plan and event: the bucket before and after; one event may pass through several.
        self._crossings: dict[tuple[PlanKey, int], _Crossing] = {}

    def event(
        self,
        account: Account,
        kind: str,
        *,
        payload: Mapping[str, object],
        occurred_at: datetime | None = None,
        effective_on: date | None = None,
        actor: str = "system",
        command_key: str | None = None,
        topic: str | None = None,
    ) -> Happening:
        """Append an event to an account; with a topic it is also put into the outbox."""
        account.event_count += 1
        self._accounts[account.account_id] = account
        booked_on = account.book.business_date
        effective_on = effective_on or booked_on
        self._events.add(
            account.account_id,
            account.event_count,
            EVENT_VERSION,
            kind,
            command_key,
            None,
            actor,
            occurred_at or self.now,
            self.now,
            booked_on,
            effective_on,
            json.dumps(payload, default=str),
        )
        if topic:
            self._outbox.add(account.account_id, account.event_count, topic, self.now)
        return Happening(account, account.event_count, booked_on, effective_on)

    def transfer(
        self,
        happening: Happening,
        transfer: Transfer,
        *,
        plan_id: PlanId | None = None,
        merchant_id: MerchantId | None = None,
        channel: str | None = None,
    ) -> None:
        """Book one ledger line under an event."""
        account = happening.account
        key = (account.account_id, happening.number)
        self._lines[key] = self._lines.get(key, 0) + 1
        self._transfers.add(
            account.account_id,
            happening.number,
            self._lines[key],
            happening.booked_on,
            happening.effective_on,
            transfer.debit.value,
            transfer.credit.value,
            transfer.amount_minor,
            account.currency,
            plan_id,
            merchant_id,
            channel,
        )

    def begin(self, happening: Happening, record: PlanRecord, signed: Signed) -> None:
        """Book a plan that begins with this event: its record has no operation yet."""
        terms = record.terms
        disburse = Operation(
            1,
            OperationKind.DISBURSE,
            happening.effective_on,
            happening.booked_on,
            terms.principal_minor,
        )
        self._new[record.key] = (record, signed)
        self._append(happening, record, disburse)
        record.extend([disburse], record.charged_through)
        self._settle_record(happening, record)
        for transfer in difference({}, record.postings()):
            self.transfer(
                happening, transfer, plan_id=record.plan_id, merchant_id=record.merchant_id
            )

    def change(
        self,
        happening: Happening,
        record: PlanRecord,
        *operations: tuple[OperationKind, int],
        charged_through: date | None = None,
        recognised_through: date | None = None,
    ) -> Projection:
        """Append operations to a plan, replay it, and book the difference; return the new state.

        `charged_through` and `recognised_through` move the late charge and the income forward.
        """
        before = record.projection()
        posted = record.postings()
        self._changed.setdefault(record.key, (record, before))
        # Money that was on its way before the plan began counts from the plan's first day.
        effective_on = max(happening.effective_on, record.terms.starts_on)
        added = [
            Operation(
                len(record.operations) + place,
                kind,
                effective_on,
                happening.booked_on,
                amount,
            )
            for place, (kind, amount) in enumerate(operations, start=1)
        ]
        for operation in added:
            self._append(happening, record, operation)
        record.recognised_through = max(
            record.recognised_through, recognised_through or record.recognised_through
        )
        after = record.extend(added, charged_through or record.charged_through)
        charge = after.total("due", Component.PENALTY) - before.total("due", Component.PENALTY)
        if charge:
            late = Operation(
                len(record.operations) + 1,
                OperationKind.LATE_CHARGE,
                min(record.charged_through, happening.booked_on),
                happening.booked_on,
                charge,
            )
            self._append(happening, record, late)
            record.operations.append(late)
        account = happening.account
        account.credit_minor += after.excess_minor - before.excess_minor
        account.refunds_payable_minor += after.returned_minor - before.returned_minor
        self._settle_record(happening, record)
        for transfer in difference(posted, record.postings()):
            self.transfer(
                happening, transfer, plan_id=record.plan_id, merchant_id=record.merchant_id
            )
        return after

    def bill(self, account: Account, record: PlanRecord, through: date) -> None:
        """Mark a plan's instalments due by `through` as billed."""
        self._accounts[account.account_id] = account
        self._changed.setdefault(record.key, (record, record.projection()))
        record.billed_count = sum(due_on <= through for due_on in record.terms.due_on)
        record.unbilled_due_on = _unbilled(record)

    def age(self, happening: Happening, record: PlanRecord, bucket: int) -> None:
        """Record that a plan crossed into a bucket."""
        crossing = self._crossings.setdefault(
            (record.key, happening.number), _Crossing(record, happening, record.bucket)
        )
        crossing.to_bucket = bucket
        crossing.principal_open_minor = record.principal_open_minor
        self._changed.setdefault(record.key, (record, record.projection()))
        record.bucket = bucket

    def touch(self, account: Account) -> None:
        """Write an account's sums back though no event of its own was booked."""
        self._accounts[account.account_id] = account

    def _append(self, happening: Happening, record: PlanRecord, operation: Operation) -> None:
        line = None
        if operation.kind is OperationKind.LATE_CHARGE:
            line = "late-charge"
        elif operation.kind is OperationKind.DISBURSE:
            line = COST_LINE[record.terms.product.kind]
        self._operations.add(
            record.account_id,
            record.plan_id,
            operation.number,
            operation.kind.value,
            operation.kind in DERIVED,
            operation.effective_on,
            operation.booked_on,
            operation.amount_minor,
            happening.number,
            record.agreement_version if line else None,
            line,
        )

    def _settle_record(self, happening: Happening, record: PlanRecord) -> None:
        """Bring the plan's columns and the account's sums in step with its projection."""
        after = record.projection()
        principal = after.open_of(Component.PRINCIPAL)
        happening.account.principal_open_minor += principal - record.principal_open_minor
        record.principal_open_minor = principal
        record.state = after.state
        record.oldest_due_on = after.oldest_claim_due_on
        record.unbilled_due_on = _unbilled(record)
        book = happening.account.book
        days = days_past_due(record.oldest_due_on, book.business_date, book.excused)
        bucket = bucket_of(days, record.pack.bucket_bounds)
        if bucket != record.bucket:
            self.age(happening, record, bucket)

    def write(self, session: Session) -> None:
        """Send every row."""
        with session.pipeline():
            self._events.insert(session)
            self._update_accounts(session)
            for rows in self.before_plans:
                rows.insert(session)
            self._insert_plans(session)
            for rows in self.after_plans:
                rows.insert(session)
            self._update_plans(session)
            self._operations.insert(session)
            self._write_projections(session)
            for rows in self.after_projections:
                rows.insert(session)
            self._insert_crossings(session)
            self._transfers.insert(session)
            self._outbox.insert(session)

    def _update_accounts(self, session: Session) -> None:
        accounts = list(self._accounts.values())
        if not accounts:
            return
        session.run(
            UPDATE_ACCOUNTS,
            {
                "ids": [one.account_id for one in accounts],
                "events": [one.event_count for one in accounts],
                "statements": [one.statement_count for one in accounts],
                "principal": [one.principal_open_minor for one in accounts],
                "held": [one.held_minor for one in accounts],
                "credit": [one.credit_minor for one in accounts],
                "refunds": [one.refunds_payable_minor for one in accounts],
                "statuses": [one.status.value for one in accounts],
            },
        )

    def _insert_plans(self, session: Session) -> None:
        rows = Rows(PLANS)
        for record, signed in self._new.values():
            terms, product = record.terms, record.terms.product
            projection = record.projection()
            cost = sum(projection.total("due", one) for one in (Component.INTEREST, Component.FEE))
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
                terms.starts_on,
                array_text(terms.due_on),
                *_plan_columns(record),
            )
        rows.insert(session)

    def _update_plans(self, session: Session) -> None:
        records = [one for key, (one, _) in self._changed.items() if key not in self._new]
        if not records:
            return
        for record in records:
            record.version += 1
        columns = list(zip(*(_plan_columns(one) for one in records), strict=True))
        names = ("versions", "operations", "states", "billed", "buckets", "principal", "oldest")
        names += ("unbilled", "charged", "recognised", "earning")
        session.run(
            UPDATE_PLANS,
            {
                "accounts": [one.account_id for one in records],
                "plans": [one.plan_id for one in records],
                **{name: list(column) for name, column in zip(names, columns, strict=True)},
            },
        )

    def _insert_crossings(self, session: Session) -> None:
        rows = Rows(CROSSINGS)
        for crossing in self._crossings.values():
            if crossing.from_bucket != crossing.to_bucket:
                rows.add(
                    *crossing.record.key,
                    crossing.happening.number,
                    crossing.happening.booked_on,
                    crossing.from_bucket,
                    crossing.to_bucket,
                    crossing.principal_open_minor,
                )
        rows.insert(session)

    def _write_projections(self, session: Session) -> None:
        new, changed = Rows(INSTALMENTS), _Updates()
        dropped, allocations = _Dropped(), Rows(ALLOCATIONS)
        for key, (record, _) in self._new.items():
            for part in record.projection().instalments:
                new.add(*key, part.number, part.starts_on, part.due_on, *_part_columns(part))
            _add_allocations(allocations, record, _by_operation(record.projection().lines))
        for key, (record, before) in self._changed.items():
            if key in self._new:
                continue
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


def _unbilled(record: PlanRecord) -> date | None:
    """Return the due day of the first open instalment that no statement has named yet."""
    if record.state is not PlanState.ACTIVE:
        return None
    return next(
        (
            part.due_on
            for part in record.projection().instalments[record.billed_count :]
            if part.open_minor
        ),
        None,
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


def allocation_rows(lines: Iterable[Line]) -> list[tuple[int, str, int, int, int, int]]:
    """Return an operation's lines as stored: (instalment, effect, principal .. penalty)."""
    rows = []
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


def _by_operation(lines: Iterable[Line]) -> dict[int, list[tuple[int, str, int, int, int, int]]]:
    grouped: dict[int, list[Line]] = {}
    for line in lines:
        grouped.setdefault(line.operation, []).append(line)
    return {number: allocation_rows(group) for number, group in grouped.items()}


def _add_allocations(
    rows: Rows,
    record: PlanRecord,
    by_operation: Mapping[int, list[tuple[int, str, int, int, int, int]]],
) -> None:
    for number in sorted(by_operation):
        for place, line in enumerate(by_operation[number], start=1):
            rows.add(record.account_id, record.plan_id, number, place, *line)

"""Booking: everything one batch writes, gathered as columns and sent as one statement.

A flow says what happened (`event`), what it did to plans (`change`) and to money outside plans
(`transfer`); the booking numbers events, books the difference between a plan's postings before and
after, keeps the accounts' sums in step, and in `write` sends all rows; the accounts are locked
already, and with them all that they own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import msgspec

from fenqi.core.ledger import Transfer, difference
from fenqi.core.risk.features.moment import moment_of
from fenqi.core.servicing.ageing import bucket_of, days_past_due
from fenqi.core.terms.cost import CostKind
from fenqi.core.terms.life.view import View
from fenqi.core.terms.operation import DERIVED, Operation, OperationKind, Parameters
from fenqi.core.terms.product import Component
from fenqi.core.values.ids import AccountId, MerchantId, PlanId
from fenqi.store.accounts import Account
from fenqi.store.columns import pack
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanKey, PlanRecord
from fenqi.store.pool import Session
from fenqi.store.projections import Projections
from fenqi.store.rows import Change, Filling, Rows, Sheet, Table
from fenqi.store.trails import Followed

EVENT_VERSION = 1
ENCODE = msgspec.json.Encoder().encode
COST_LINES = {  # what an operation of a kind may add to the cost of a plan
    OperationKind.LATE_CHARGE: CostKind.LATE_CHARGE.value,
    OperationKind.DEFER: CostKind.DEFERRAL_FEE.value,
    OperationKind.EXTEND: CostKind.EXTENSION_FEE.value,
}

EVENTS = Table(
    "events",
    "account_id uuid, number bigint, schema_version smallint, kind word, command_key text,"
    "actor word, occurred_at timestamptz, recorded_at timestamptz, booked_on date?,"
    "effective_on date?, payload jsonb",
)
OUTBOX = Table("outbox", "account_id uuid, event_number bigint, topic word, not_before timestamptz")
# What one of several readers of an event is told in its place.
OUTBOX_APART = Table(
    "outbox",
    "account_id uuid, event_number bigint, topic word, not_before timestamptz, told jsonb",
)
TRANSFERS = Table(
    "transfers",
    "account_id uuid, event_number bigint, line smallint, booked_on date, effective_on date,"
    "debit word, credit word, amount_minor bigint, currency word, plan_id uuid?,"
    "merchant_id uuid?, channel word",
)
OPERATIONS = Table(
    "operations",
    "account_id uuid, plan_id uuid, number integer, kind word, is_derived boolean,"
    "effective_on date, booked_on date, amount_minor bigint, parameters word>jsonb,"
    "cause_number bigint, agreement_version integer?, cost_table uuid?, cost_line word",
)
NO_PARAMETERS = "{}"
CROSSINGS = Table(
    "crossings",
    "account_id uuid, plan_id uuid, event_number bigint, booked_on date, from_bucket smallint,"
    "to_bucket smallint, principal_open_minor bigint",
)

ACCOUNTS = Change(
    "accounts",
    keys="account_id uuid",
    columns="event_count bigint, statement_count integer?, principal_open_minor bigint,"
    "held_minor bigint?, credit_minor bigint?, refunds_payable_minor bigint?,"
    "oldest_due_on date?, status word",
)


# A batch knows the plans it changed but not the account's others.
OLDEST_DUE = """
UPDATE accounts AS a SET oldest_due_on = p.oldest_due_on
FROM (
    SELECT k.account_id, MIN(p.oldest_due_on) AS oldest_due_on
    FROM UNNEST(%(accounts)s::uuid[]) AS k (account_id) LEFT JOIN plans AS p USING (account_id)
    GROUP BY k.account_id
) AS p
WHERE a.account_id = p.account_id AND a.oldest_due_on IS DISTINCT FROM p.oldest_due_on
"""


class Happening(NamedTuple):
    """One event being booked: whose, its number, and the days it belongs to."""

    account: Account
    number: int
    booked_on: date
    effective_on: date


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
        self._accounts: dict[int, Account] = {}  # those touched, by identity
        self._owing: dict[int, Account] = {}  # those of plans whose oldest due day moved
        self._projections = Projections()
        self._lines: dict[tuple[AccountId, int], int] = {}  # transfer lines per event so far
        self.others: list[Filling | Rows] = []  # the flow's own rows
        self.followed: Followed | None = None  # the trails that learn of its events
        self._events: list[tuple[object, ...]] = []  # columns of EVENTS that differ
        self._outbox: list[tuple[object, ...]] = []
        self.transfers = Rows(TRANSFERS)
        self.operations = Rows(OPERATIONS)
        # Per plan and event: the bucket before and after; one event may pass through several.
        self._crossings: dict[tuple[PlanKey, int], _Crossing] = {}

    def event(
        self,
        account: Account,
        kind: str,
        *,
        payload: Mapping[str, object] | str,
        occurred_at: datetime | None = None,
        effective_on: date | None = None,
        actor: str = "system",
        command_key: str | None = None,
        topic: str | None = None,
    ) -> Happening:
        """Append an event to an account; with a topic it is also put into the outbox.

        A payload is what JSON says of a mapping, or is JSON already.
        """
        account.event_count += 1
        self.touch(account)
        booked_on = account.book.business_date
        effective_on = effective_on or booked_on
        text = payload if isinstance(payload, str) else ENCODE(payload)
        self._events.append(
            (
                account.raw,
                account.event_count,
                kind,
                command_key,
                actor,
                occurred_at or self.now,
                booked_on,
                effective_on,
                text,
            )
        )
        if self.followed is not None:
            moment = moment_of(self.now)
            self.followed.note(account, kind=kind, moment=moment, payload=text)
        if topic:
            self._outbox.append((account.raw, account.event_count, topic))
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
        self.transfers.add(
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

    def change(
        self,
        happening: Happening,
        record: PlanRecord,
        *operations: tuple[OperationKind, int],
        parameters: Parameters | None = None,
        charged_through: date | None = None,
        recognised_through: date | None = None,
    ) -> View:
        """Append operations to a plan, replay it, and book the difference; return the new state.

        `parameters` are what the operation was asked with, where its kind has any;
        `charged_through` and `recognised_through` move the late charge and the income forward.
        """
        before = record.projection()
        posted = record.postings()
        self._projections.change(record)
        added = record.following(
            operations,
            effective_on=happening.effective_on,
            booked_on=happening.booked_on,
            parameters=parameters,
        )
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

    def begin(self, happening: Happening, record: PlanRecord) -> None:
        """Book a plan that begins by itself, with its first operation and what it posts."""
        for operation in record.operations:
            self._append(happening, record, operation)
        self._settle_record(happening, record)
        for transfer in difference({}, record.postings()):
            self.transfer(
                happening, transfer, plan_id=record.plan_id, merchant_id=record.merchant_id
            )

    def bill(self, account: Account, record: PlanRecord, through: date) -> None:
        """Mark a plan's instalments due by `through` as billed."""
        self.touch(account)
        self._projections.change(record)
        record.billed_count = sum(part.due_on <= through for part in record.projection().rows)
        record.unbilled_due_on = record.first_unbilled()

    def age(self, happening: Happening, record: PlanRecord, bucket: int) -> None:
        """Record that a plan crossed into a bucket."""
        crossing = self._crossings.setdefault(
            (record.key, happening.number), _Crossing(record, happening, record.bucket)
        )
        crossing.to_bucket = bucket
        crossing.principal_open_minor = record.principal_open_minor
        self._projections.change(record)
        record.bucket = bucket

    def touch(self, account: Account) -> None:
        """Write an account's sums back; an event of its own does that already."""
        self._accounts[id(account)] = account

    def _append(self, happening: Happening, record: PlanRecord, operation: Operation) -> None:
        line = COST_LINES.get(operation.kind) if operation.amount_minor else None
        self.operations.add(
            record.account_id,
            record.plan_id,
            operation.number,
            operation.kind.value,
            operation.kind in DERIVED,
            operation.effective_on,
            operation.booked_on,
            operation.amount_minor,
            NO_PARAMETERS
            if operation.parameters is None
            else ENCODE(operation.parameters).decode(),
            happening.number,
            record.agreement_version if line else None,
            record.cost_table if line else None,
            line,
        )

    def _settle_record(self, happening: Happening, record: PlanRecord) -> None:
        """Bring the plan's columns and the account's sums in step with its projection."""
        after = record.projection()
        principal = after.open_of(Component.PRINCIPAL)
        happening.account.principal_open_minor += principal - record.principal_open_minor
        record.principal_open_minor = principal
        record.state = after.status
        if record.oldest_due_on != (since := record.claimed_since()):
            record.oldest_due_on = since
            self._owing[id(happening.account)] = happening.account
        record.unbilled_due_on = record.first_unbilled()
        record.note_rearranged()
        on = happening.account.book.business_date
        days = days_past_due(record.oldest_due_on, on, record.excused)
        bucket = bucket_of(days, record.pack.bucket_bounds)
        if bucket != record.bucket:
            self.age(happening, record, bucket)

    def write(self, session: Session, *rows: Rows) -> None:
        """Send everything, with more rows that belong to the batch."""
        sheet = Sheet()
        with session.pipeline():
            self._fill_events(sheet)
            for other in self.others:
                if isinstance(other, Rows):
                    sheet.add(other)
                else:
                    other.fill(sheet)
            if self.followed is not None:
                self.followed.fill(sheet)
            self._projections.fill(sheet, session)
            for own in (self.operations, self._crossed(), self.transfers, *rows, self._changed()):
                sheet.add(own)
            sheet.send(session)
            # Each of them knows this booking. Untied they go with the batch, and need not wait for
            # the collector of garbage, which would walk through the rows of fifty batches.
            self.others.clear()
            if self._owing:
                session.run(
                    OLDEST_DUE,
                    {"accounts": pack("uuid", [one.raw for one in self._owing.values()])},
                )

    def _fill_events(self, sheet: Sheet) -> None:
        events, outbox = Rows(EVENTS), Rows(OUTBOX)
        if self._events:
            columns = list(zip(*self._events, strict=True))
            events.extend(
                len(self._events),
                *columns[:2],
                EVENT_VERSION,
                *columns[2:6],
                self.now,
                *columns[6:],
            )
        if self._outbox:
            outbox.extend(len(self._outbox), *zip(*self._outbox, strict=True), self.now)
        sheet.add(events)
        sheet.add(outbox)

    def _changed(self) -> Rows:
        """Return the sums of the accounts that changed."""
        rows = Rows(ACCOUNTS)
        for one in self._accounts.values():
            rows.add(
                one.raw,
                one.event_count,
                one.statement_count,
                one.principal_open_minor,
                one.held_minor,
                one.credit_minor,
                one.refunds_payable_minor,
                one.oldest_due_on,
                one.status.value,
            )
        return rows

    def _crossed(self) -> Rows:
        """Return the buckets that plans crossed into."""
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
        return rows

"""Excused days of single accounts: kept, carried to their plans, and to what was held against them.

`accounts.excused_on` has the days that count now, so that whoever locks an account knows them
without another query; `excuses` says why, row by row. When days come or go, the account's plans are
replayed with them and the difference is booked, so a late charge of an excused day is taken back by
an operation of its own; facts that no longer count are corrected (`store/corrections.py`).

Source: docs/adr/0033-excuse-days.md.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from fenqi.core.servicing.ageing import bucket_of, days_past_due
from fenqi.core.servicing.excuse import A_DAY, ExcuseCause, Owed, Span
from fenqi.core.terms.life.state import Status
from fenqi.core.terms.pack import Pack
from fenqi.core.values.ids import AccountId
from fenqi.store import corrections, plans
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking, Happening
from fenqi.store.columns import pack
from fenqi.store.corrections import Seen, wrong_facts
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanRecord, open_days
from fenqi.store.pool import Session
from fenqi.store.restitution import Restitution
from fenqi.store.rows import Change, Rows, Sheet, Table

EXCUSES_MAX = 100_000  # rows of the accounts of one batch
DAYS_MAX = 3_650  # of one account

EXCUSES = Table(
    "excuses",
    "account_id uuid, excuse_id uuid, cause word, source_id uuid?, channel word, from_on date,"
    "through_on date, begun_number bigint",
)
VOIDED = Change("excuses", keys="account_id uuid, excuse_id uuid", columns="void_number bigint")

OF_ACCOUNTS = """
SELECT account_id, excuse_id, cause, source_id, channel, from_on, through_on
FROM excuses WHERE account_id = ANY(%(accounts)s) AND void_number IS NULL
ORDER BY account_id, from_on, excuse_id LIMIT %(most)s
"""
KEEP_DAYS = """
UPDATE accounts SET excused_on = %(days)s::date[] WHERE account_id = %(account)s
"""


@dataclass(frozen=True, slots=True)
class Excuse:
    """Some days of one account, and why they are excused."""

    account_id: AccountId
    excuse_id: UUID
    cause: ExcuseCause
    source_id: UUID | None  # the incident
    channel: str | None
    span: Span


class Excuses:
    """The excused days of the accounts of one batch, which has them locked."""

    def __init__(self, ground: Ground, booking: Booking, session: Session) -> None:
        self._ground, self._booking, self._session = ground, booking, session
        self._known: dict[AccountId, list[Excuse]] = {}
        self._new: dict[UUID, tuple[Excuse, int]] = {}
        self._void: dict[UUID, tuple[AccountId, int]] = {}
        self._before: dict[AccountId, frozenset[date]] = {}  # days excused before they changed
        self._restitution = Restitution(ground, booking, session)
        booking.others.append(self)

    def know(self, accounts: Iterable[Account]) -> None:
        """Read the excuses of those accounts that have any."""
        ids = [one.account_id for one in accounts if one.account_id not in self._known]
        self._known |= {one: [] for one in ids}
        asked = {"accounts": pack("uuid", ids), "most": EXCUSES_MAX}
        for row in self._session.rows(OF_ACCOUNTS, asked) if ids else ():
            account_id, excuse_id, cause, source_id, channel, *span = row
            self._known[account_id].append(
                Excuse(account_id, excuse_id, ExcuseCause(cause), source_id, channel, Span(*span))
            )

    def of(self, account: Account, cause: ExcuseCause) -> list[Excuse]:
        """Return what is not void of one cause. Errors: KeyError unless the account is known."""
        return [one for one in self._known[account.account_id] if one.cause is cause]

    def of_source(self, account: Account, source_id: UUID) -> list[Excuse]:
        """Return what is not void of an incident. Errors: KeyError unless the account is known."""
        return [one for one in self._known[account.account_id] if one.source_id == source_id]

    def pack_of(self, account: Account) -> Pack:
        """Return the pack of an account's book."""
        return self._ground.catalogue.packs[account.book.pack, account.book.pack_version]

    def begin(
        self,
        account: Account,
        happening: Happening,
        cause: ExcuseCause,
        spans: Iterable[Span],
        *,
        source_id: UUID | None = None,
        channel: str | None = None,
    ) -> None:
        """Excuse days of a known account from now on; `carry` tells its plans."""
        for span in spans:
            excuse_id = self._ground.ids.new()
            one = Excuse(account.account_id, excuse_id, cause, source_id, channel, span)
            self._known[account.account_id].append(one)
            self._new[excuse_id] = (one, happening.number)
        self._keep(account)

    def end(self, account: Account, happening: Happening, excuses: Collection[Excuse]) -> None:
        """Let excuses of a known account be void; `carry` tells its plans."""
        ended = {one.excuse_id for one in excuses}
        kept = [one for one in self._known[account.account_id] if one.excuse_id not in ended]
        self._known[account.account_id] = kept
        for excuse_id in ended:
            if self._new.pop(excuse_id, None) is None:
                self._void[excuse_id] = (account.account_id, happening.number)
        self._keep(account)

    def back(self, account: Account, happening: Happening, channel: str | None, on: date) -> None:
        """Let what excuses a known account for a channel that failed end with a day it worked on.

        A failure told without its channel ends with any that works.
        """
        late = [
            one
            for one in self.of(account, ExcuseCause.CHANNEL)
            if one.channel in (None, channel) and one.span.from_on <= on < one.span.through_on
        ]
        if not late:
            return
        self.end(account, happening, late)
        for one in late:
            span = Span(one.span.from_on, on)
            self.begin(account, happening, ExcuseCause.CHANNEL, [span], channel=one.channel)

    def _keep(self, account: Account) -> None:
        """Bring the days of the account's own row in step with its excuses."""
        self._before.setdefault(account.account_id, account.excused)
        spans = [one.span for one in self._known[account.account_id]]
        days = sorted({day for span in spans for day in span.days})[-DAYS_MAX:]
        account.excused_on = days or None
        entry = {"account": account.account_id, "days": account.excused_on}
        self._session.run(KEEP_DAYS, entry)

    def carry(self, account: Account, happening: Happening, records: Iterable[PlanRecord]) -> None:
        """Replay plans with the days that are excused now, and book what differs.

        `records` are the plans that may differ, as they were read before the days changed. A plan
        that turns out late is told as at the close, so that it counts as a time of being late.
        """
        on = account.book.business_date
        before = self._before.pop(account.account_id, account.excused)
        for record in records:
            excused = account.excused | open_days(record.contested_on, on)
            if record.excused == excused:
                continue
            is_past = any(row.due_on < on for row in record.projection().rows)
            record.excused = excused
            if not is_past:
                continue
            turned = self._turned(account, happening, record)
            self._booking.change(turned, record)
        self.review(account, happening, records, before=before, after=account.excused)

    def review(
        self,
        account: Account,
        happening: Happening,
        records: Iterable[PlanRecord],
        *,
        before: frozenset[date],
        after: frozenset[date],
    ) -> None:
        """Correct what was told of days that do not count, and give back what was cut for it.

        `records` are the account's plans as they are now; `before` and `after` the days excused.
        """
        today = account.book.business_date
        more = [day for day in after - before if day <= today]
        if not more:
            return
        since = min(more)
        while since - A_DAY in after:  # what was late from an excused day on may vanish as a whole
            since -= A_DAY
        cured = {one.plan_id for one in records if not one.bucket}
        seen = Seen(before, after, since, cured, happening.effective_on)
        facts = wrong_facts(self._session, account, seen)
        if facts:
            told = {"numbers": sorted(facts), "cause_number": happening.number}
            by = self._booking.event(account, corrections.KIND, payload=told)
            corrections.correct(self._session, account.account_id, by.number, facts)
        self._restitution.give_back(account, since=since, before=before, after=after)

    def _turned(self, account: Account, happening: Happening, record: PlanRecord) -> Happening:
        """Return the event a plan is replayed under: a crossing's own if it becomes late by it."""
        on = account.book.business_date
        days = days_past_due(record.oldest_due_on, on, record.excused)
        bucket = bucket_of(days, record.pack.bucket_bounds)
        if bucket <= record.bucket:
            return happening
        return self._booking.event(
            account,
            "bucket-crossed",
            payload={
                "plan_id": record.plan_id,
                "from": record.bucket,
                "to": bucket,
                "due_on": record.oldest_due_on,
                "overdue_days": days,
            },
        )

    def fill(self, sheet: Sheet) -> None:
        """Put the rows on a batch's sheet."""
        begun, ended = Rows(EXCUSES), Rows(VOIDED)
        for one, number in self._new.values():
            begun.add(
                one.account_id,
                one.excuse_id,
                one.cause.value,
                one.source_id,
                one.channel,
                *one.span,
                number,
            )
        for excuse_id, (account_id, number) in self._void.items():
            ended.add(account_id, excuse_id, number)
        sheet.add(begun)
        sheet.add(ended)


# What days from `since` on may change: what is owed, and what something was booked on since.
TOUCHED = """
SELECT p.account_id, p.plan_id FROM plans AS p
JOIN UNNEST(%(accounts)s::uuid[], %(since)s::date[]) AS k (account_id, since) USING (account_id)
WHERE p.oldest_due_on IS NOT NULL OR EXISTS (
    SELECT 1 FROM operations AS o
    WHERE o.account_id = p.account_id AND o.plan_id = p.plan_id AND o.booked_on >= k.since
)
ORDER BY p.account_id, p.plan_id
"""


def touched(
    session: Session, since: Mapping[AccountId, date], ground: Ground
) -> dict[AccountId, list[PlanRecord]]:
    """Return, per locked account, the plans that its days since one may change."""
    if not since:
        return {}
    asked = {"accounts": list(since), "since": list(since.values())}
    keys = plans.keys_of(session.rows(TOUCHED, asked))
    found: dict[AccountId, list[PlanRecord]] = {one: [] for one in since}
    for record in plans.load(session, keys, ground.catalogue).values():
        found[record.account_id].append(record)
    return found


def owed_by(records: Iterable[PlanRecord]) -> list[Owed]:
    """Return what plans ask for by due day, without what being late costs or is contested."""
    return [
        Owed(row.due_on, row.contract_open_minor)
        for record in records
        if record.contested_on is None and record.state is Status.ACTIVE
        for row in record.projection().rows
        if row.contract_open_minor
    ]


def merged(first: Sequence[PlanRecord], more: Sequence[PlanRecord]) -> list[PlanRecord]:
    """Return plans once each; those a batch has in hand already stay the ones it works on."""
    known = {one.plan_id for one in first}
    return [*first, *(one for one in more if one.plan_id not in known)]

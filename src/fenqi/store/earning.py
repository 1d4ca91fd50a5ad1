"""Income recognised set-wise: for accounts on which everything is in time.

A month's end touches nearly every plan of a book. The instalments of a page of accounts are read as
columns, what time has earned is computed by the core (`batch.earned`), and
what the plans post is written as columns. Accounts with an overdue plan are given back, to be
replayed one by one: what they owe may have moved.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from fenqi.core.ledger import INCOME, Account
from fenqi.core.terms.batch.arrays import Minor
from fenqi.core.terms.batch.settlement import earned
from fenqi.core.terms.product import Component
from fenqi.store.booking import EVENT_VERSION
from fenqi.store.closes import Page
from fenqi.store.columns import Ids, unpack
from fenqi.store.lending import LENDING_LINES
from fenqi.store.plans import PlanKey, keys_of
from fenqi.store.pool import Session
from fenqi.store.rows import Change, Rows, Table

EVENTS = Table(
    "events",
    "account_id uuid, number bigint, schema_version smallint, kind word, actor word,"
    "occurred_at timestamptz?, recorded_at timestamptz?, booked_on date, effective_on date,"
    "payload jsonb",
)
PLANS = Change(
    "plans",
    keys="account_id uuid, plan_id uuid",
    columns="version integer, recognised_through date, is_earning boolean",
)
ACCOUNTS = Change("accounts", keys="account_id uuid", columns="event_count bigint")
EARNED = (Component.FEE, Component.INTEREST)  # in the order of the accounts they are income of


@dataclass(frozen=True, slots=True)
class Month:
    """The month that ends on `day`; plans owing since `non_accrual` or longer earn nothing."""

    day: date
    non_accrual: date
    currency: str
    now: datetime

    def asked(self, page: Page) -> dict[str, object]:
        """Return the parameters of the queries below."""
        return {
            "accounts": page,
            "day": self.day,
            "non_accrual": self.non_accrual,
            "nobody": NOBODY,
        }


TO_REPLAY = """
SELECT account_id, plan_id
FROM (
    SELECT account_id, plan_id, bool_or(is_rearranged OR state <> 'active' OR bucket > 0
        OR oldest_due_on < %(day)s) OVER (PARTITION BY account_id) AS has_to_be
    FROM plans
    WHERE account_id = ANY(%(accounts)s::uuid[]) AND is_earning AND recognised_through < %(day)s
        AND (oldest_due_on IS NULL OR oldest_due_on > %(non_accrual)s)
) AS earning
WHERE has_to_be
ORDER BY account_id, plan_id
"""


def to_replay(session: Session, page: Page, month: Month) -> list[PlanKey]:
    """Return the plans that earn today, of the accounts where one of them is not plain."""
    return keys_of(session.rows(TO_REPLAY, month.asked(page)))


# One row per instalment, gathered column by column. What was replayed a moment ago is recognised
# through today, so it is not found here.
PARTS = """
SELECT string_agg(uuid_send(account_id), ''::bytea), string_agg(uuid_send(plan_id), ''::bytea),
    string_agg(uuid_send(merchant_id), ''::bytea), string_agg(int8send(event_count), ''::bytea),
    string_agg(int8send(version), ''::bytea), string_agg(date_send(through_on), ''::bytea),
    string_agg(int8send(number), ''::bytea), string_agg(date_send(starts_on), ''::bytea),
    string_agg(date_send(due_on), ''::bytea), string_agg(int8send(fee_minor), ''::bytea),
    string_agg(int8send(interest_minor), ''::bytea)
FROM (
    SELECT p.account_id, p.plan_id, COALESCE(p.merchant_id, %(nobody)s) AS merchant_id,
        a.event_count, p.version, p.recognised_through AS through_on, s.number,
        COALESCE(p.due_on[s.number - 1], p.starts_on) AS starts_on, s.due_on,
        COALESCE(c.fee_due_minor - c.fee_relieved_minor - c.fee_written_off_minor, s.fee, 0)
            AS fee_minor,
        COALESCE(c.interest_due_minor - c.interest_relieved_minor - c.interest_written_off_minor,
            s.interest, 0) AS interest_minor
    FROM accounts AS a
    JOIN plans AS p USING (account_id)
    CROSS JOIN LATERAL UNNEST(p.due_on, p.signed_interest_minor, p.signed_fee_minor)
        WITH ORDINALITY AS s (due_on, interest, fee, number)
    LEFT JOIN changed_instalments AS c
        ON c.account_id = p.account_id AND c.plan_id = p.plan_id AND c.number = s.number
    WHERE a.account_id = ANY(%(accounts)s::uuid[]) AND p.is_earning
        AND p.recognised_through < %(day)s AND p.state = 'active' AND p.oldest_due_on >= %(day)s
        AND NOT p.is_rearranged
    ORDER BY p.account_id, p.plan_id, s.number
) AS parts
"""
NOBODY = UUID(int=0)  # the merchant of a plan that has none
KINDS = (*("uuid",) * 3, "bigint", "bigint", "date", "bigint", "date", "date", "bigint", "bigint")


def recognise_in_time(session: Session, page: Page, month: Month) -> int:
    """Move the income of a locked page's accounts that are in time; return how many plans."""
    found = session.rows(PARTS, month.asked(page))[0]
    columns = [unpack(kind, packed) for kind, packed in zip(KINDS, found, strict=True)]
    accounts, plans, merchants, counts, versions, through, numbers, starts, due, *costs = columns
    firsts = np.flatnonzero(numbers == 1)
    if not len(firsts):
        return 0
    moved, left = [], np.zeros(len(firsts), dtype=np.int64)
    for cost in costs:
        by_now = earned(cost, starts, due, month.day)
        moved.append(np.add.reduceat(by_now - earned(cost, starts, due, through), firsts))
        left += np.add.reduceat(cost - by_now, firsts)
    owners, places = _numbered(accounts[firsts])
    group = _Group(
        month, accounts[firsts], plans[firsts], merchants[firsts], counts[firsts] + places
    )
    with session.pipeline():
        group.add_events().send(session)
        last = np.append(owners[1:], len(firsts)) - 1  # each account's last plan
        changed = Rows(ACCOUNTS)
        changed.extend(len(last), group.accounts[last], group.numbers[last])
        changed.send(session)
        states = Rows(PLANS)
        states.extend(
            len(firsts), group.accounts, group.plans, versions[firsts] + 1, month.day, left > 0
        )
        states.send(session)
        group.add_lines(moved).send(session)
    return len(firsts)


def _numbered(accounts: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each account's plans begin, and each plan's place in its account from 1.

    Shapes: sorted ids (plans,) -> (accounts,), (plans,).
    """
    halves = accounts.view("u8").reshape(-1, 2)
    is_first = np.append(True, (halves[1:] != halves[:-1]).any(axis=1))
    owners = np.flatnonzero(is_first)
    everyone = np.arange(len(accounts))
    return owners, everyone - owners[np.cumsum(is_first) - 1] + 1


@dataclass(frozen=True, slots=True)
class _Group:
    """Plans whose income moves, as columns; `numbers` are their events'."""

    month: Month
    accounts: Ids
    plans: Ids
    merchants: Ids
    numbers: NDArray[np.int64]

    def add_events(self) -> Rows:
        """Return the event of each plan."""
        through = self.month.day.isoformat()
        payloads = [
            f'{{"plan_id":"{UUID(bytes=plan)}","through":"{through}"}}'
            for plan in self.plans.tolist()
        ]
        events = Rows(EVENTS)
        events.extend(
            len(self.plans),
            self.accounts,
            self.numbers,
            EVENT_VERSION,
            "income-recognised",
            "system",
            self.month.now,
            self.month.now,
            self.month.day,
            self.month.day,
            payloads,
        )
        return events

    def add_lines(self, moved: list[Minor]) -> Rows:
        """Return the transfers from deferred income to income, as the lines of each event."""
        lines = Rows(LENDING_LINES)
        last = np.zeros(len(self.plans), dtype=np.int64)
        for component, amounts in zip(EARNED, moved, strict=True):
            where = np.flatnonzero(amounts)
            last[where] += 1
            lines.extend(
                len(where),
                self.accounts[where],
                self.numbers[where],
                last[where],
                self.month.day,
                self.month.day,
                Account.DEFERRED_INCOME.value,
                INCOME[component].value,
                amounts[where],
                self.month.currency,
                self.plans[where],
                [one if one != NOBODY.bytes else None for one in self.merchants[where].tolist()],
            )
        return lines

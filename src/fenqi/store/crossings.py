"""Bucket crossings written set-wise: for each due day that turns, the core says into which bucket.

What is compared and written stands in the plans' own columns, so no plan is replayed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from fenqi.core.servicing.ageing import bucket_of, days_past_due
from fenqi.core.terms.pack import Pack
from fenqi.store.closes import Page, Task
from fenqi.store.pool import Session


@dataclass(frozen=True, slots=True)
class Turn:
    """A debt of this pack that is due since `due_on` is in `bucket` today."""

    pack: str
    pack_version: int
    due_on: date
    bucket: int


def turns(
    packs: Collection[Pack], due_days: Sequence[date], on: date, excused: Collection[date]
) -> list[Turn]:
    """Return the bucket of debts of each of these due days on a day, for plans of any pack."""
    return [
        Turn(
            pack.pack_id,
            pack.version,
            due_on,
            bucket_of(days_past_due(due_on, on, excused), pack.bucket_bounds),
        )
        for pack in packs
        for due_on in due_days
    ]


# Whose own days are excused turns on a day of his own: `OWN` looks at each of his plans.
BY_DAY = """
    JOIN UNNEST(%(packs)s::text[], %(versions)s::integer[], %(due_days)s::date[],
        %(buckets)s::smallint[]) AS t (pack, pack_version, due_on, bucket)
        ON t.pack = p.pack AND t.pack_version = p.pack_version AND t.due_on = p.oldest_due_on
    WHERE a.account_id = ANY(%(accounts)s::uuid[]) AND p.oldest_due_on = ANY(%(due_days)s::date[])
        AND p.bucket <> t.bucket AND a.excused_on IS NULL
"""
BY_PLAN = """
    JOIN UNNEST(%(owners)s::uuid[], %(plans)s::uuid[], %(buckets)s::smallint[])
        AS t (account_id, plan_id, bucket)
        ON t.account_id = p.account_id AND t.plan_id = p.plan_id
    WHERE a.account_id = ANY(%(accounts)s::uuid[]) AND p.bucket <> t.bucket
"""
CROSSING = """
WITH crossing AS MATERIALIZED (
    SELECT p.account_id, p.plan_id, p.bucket AS from_bucket, t.bucket AS to_bucket,
        p.oldest_due_on, p.principal_open_minor,
        a.event_count + row_number() OVER (PARTITION BY p.account_id ORDER BY p.plan_id) AS number
    FROM accounts AS a
    JOIN plans AS p USING (account_id)
    {chosen}
), told AS (
    INSERT INTO events
        (account_id, number, schema_version, kind, actor, occurred_at, recorded_at, booked_on,
         effective_on, payload)
    SELECT account_id, number, 1, 'bucket-crossed', 'system', %(now)s, %(now)s, %(day)s, %(day)s,
        jsonb_build_object('plan_id', plan_id, 'from', from_bucket, 'to', to_bucket,
            'due_on', oldest_due_on)
    FROM crossing
), crossed AS (
    INSERT INTO crossings
        (account_id, plan_id, event_number, booked_on, from_bucket, to_bucket,
         principal_open_minor)
    SELECT account_id, plan_id, number, %(day)s, from_bucket, to_bucket, principal_open_minor
    FROM crossing
), counted AS (
    UPDATE accounts AS a SET event_count = c.number
    FROM (SELECT account_id, MAX(number) AS number FROM crossing GROUP BY account_id) AS c
    WHERE a.account_id = c.account_id
)
UPDATE plans AS p SET bucket = c.to_bucket, version = p.version + 1
FROM crossing AS c WHERE p.account_id = c.account_id AND p.plan_id = c.plan_id
"""
CROSS, CROSS_OWN = (CROSSING.format(chosen=one) for one in (BY_DAY, BY_PLAN))


def cross(session: Session, page: Page, turning: Sequence[Turn], day: date, now: datetime) -> int:
    """Move a locked page's plans into the buckets their due days turn to; return how many."""
    asked = {
        "accounts": page,
        "packs": [one.pack for one in turning],
        "versions": [one.pack_version for one in turning],
        "due_days": [one.due_on for one in turning],
        "buckets": [one.bucket for one in turning],
        "day": day,
        "now": now,
    }
    return session.run(CROSS, asked)


OWN = """
SELECT p.account_id, p.plan_id, p.oldest_due_on, p.pack, p.pack_version, p.bucket, a.excused_on
FROM accounts AS a JOIN plans AS p USING (account_id)
WHERE a.account_id = ANY(%(accounts)s::uuid[]) AND a.excused_on IS NOT NULL
    AND p.oldest_due_on < %(day)s
ORDER BY p.account_id, p.plan_id
"""


def cross_own(
    session: Session,
    page: Page,
    packs: Mapping[tuple[str, int], Pack],
    task: Task,
    excused: frozenset[date],
    now: datetime,
) -> int:
    """Move plans of a locked page's accounts with excused days of their own; return how many.

    `excused` are the book's days.
    """
    day = task.day
    turned: list[tuple[UUID, UUID, int]] = []
    for account, plan, due_on, name, version, bucket, own in session.rows(
        OWN, {"accounts": page, "day": day}
    ):
        days = days_past_due(due_on, day, excused.union(own))
        then = bucket_of(days, packs[name, version].bucket_bounds)
        if then != bucket:
            turned.append((account, plan, then))
    if not turned:
        return 0
    owners, plans, buckets = zip(*turned, strict=True)
    asked = {
        "accounts": page,
        "owners": list(owners),
        "plans": list(plans),
        "buckets": list(buckets),
        "day": day,
        "now": now,
    }
    return session.run(CROSS_OWN, asked)

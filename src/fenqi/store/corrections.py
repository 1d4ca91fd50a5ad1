"""Facts that were told and proved to be no fault of the customer's: they do not count any more.

An event stays as it was booked. A correction beside it says that it does not count, or what it says
now, since a later event; whoever reads facts of that time or later reads them so
(`store/trails.py`, `store/paying.py`).
"""

import json
from collections.abc import Collection, Mapping
from datetime import date
from typing import NamedTuple
from uuid import UUID

from fenqi.core.servicing.ageing import days_past_due, due_days_turning
from fenqi.core.servicing.excuse import overdue_anew
from fenqi.core.values.ids import AccountId
from fenqi.store.accounts import Account
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Table

KIND = "facts-corrected"  # of the event since which they count otherwise
FACTS_MAX = 100_000  # of one account, since a day
CORRECTIONS = Table(
    "corrections", "account_id uuid, number bigint, corrected_by bigint, says jsonb?"
)

# What a fact says as it was last corrected; said IS NULL and corrected is that it does not count.
LATEST = """
LEFT JOIN LATERAL (
    SELECT TRUE AS is_corrected, own.says FROM corrections AS own
    WHERE own.account_id = e.account_id AND own.number = e.number
    ORDER BY own.corrected_by DESC LIMIT 1
) AS x ON TRUE
"""
PAID_LATE = f"""
SELECT e.number, e.effective_on,
    (COALESCE(x.says ->> 'overdue_days', e.payload ->> 'overdue_days'))::integer
FROM events AS e {LATEST}
WHERE e.account_id = %(account)s AND e.kind IN ('receipt-final', 'plan-settled')
    AND e.booked_on >= %(since)s AND e.payload ->> 'overdue_days' <> '0'
ORDER BY e.number LIMIT %(most)s
"""  # noqa: S608 - constants only
CROSSED = f"""
SELECT c.plan_id, c.event_number, c.booked_on, c.from_bucket, c.to_bucket, e.kind, e.effective_on,
    COALESCE((e.payload ->> 'overdue_days')::integer, 1), x.is_corrected IS NOT NULL
FROM crossings AS c
JOIN events AS e ON e.account_id = c.account_id AND e.number = c.event_number {LATEST}
WHERE c.account_id = %(account)s AND c.booked_on >= %(since)s
ORDER BY c.plan_id, c.event_number LIMIT %(most)s
"""  # noqa: S608 - constants only


class Seen(NamedTuple):
    """What is looked at: the days excused before and now, since when, and what plans are in now.

    `cured` are plans that are not late any more by what is being booked, which counts from
    `cured_on`.
    """

    before: frozenset[date]
    after: frozenset[date]
    since: date
    cured: Collection[UUID]
    cured_on: date


def wrong_facts(
    session: Session, account: Account, seen: Seen
) -> dict[int, Mapping[str, int] | None]:
    """Return, by event number, what facts say now that more days are excused; None is nothing.

    A crossing does not count if, with the days excused now, the debt was never late from then until
    it was paid, or until today. A payment is as late as the days that count.
    """
    asked = {"account": account.account_id, "since": seen.since, "most": FACTS_MAX}
    found: dict[int, Mapping[str, int] | None] = {}
    for number, on, days in session.rows(PAID_LATE, asked):
        now = overdue_anew(days, on, before=seen.before, after=seen.after)
        if now < days:
            found[number] = {"overdue_days": now}
    for numbers in _spells(session, account, seen, asked):
        found |= dict.fromkeys(numbers)
    return found


def _spells(
    session: Session, account: Account, seen: Seen, asked: Mapping[str, object]
) -> list[list[int]]:
    """Return the events of each time a plan was told to be late and, as it is now, was not."""
    wrong: list[list[int]] = []
    rows = session.rows(CROSSED, asked)
    for place, row in enumerate(rows):
        plan_id, number, on, from_bucket, _, kind, _, days, is_corrected = row
        if from_bucket or is_corrected or kind != "bucket-crossed":
            continue
        spell, end = [number], None
        for later in rows[place + 1 :]:
            if later[0] != plan_id:
                break
            if later[4] == 0:
                end = later[6]
                break
            spell += [later[1]] if later[5] == "bucket-crossed" else []
        if end is None:
            end = seen.cured_on if plan_id in seen.cured else account.book.business_date
        first = on
        due_on = due_days_turning(days, first, seen.before - {first})[0]
        if days_past_due(due_on, end, seen.after) == 0:
            wrong.append(spell)
    return wrong


def correct(
    session: Session,
    account_id: AccountId,
    corrected_by: int,
    facts: Mapping[int, Mapping[str, int] | None],
) -> None:
    """Keep what facts of a locked account say now; sent at once, so that it is read at once."""
    rows = Rows(CORRECTIONS)
    for number, says in facts.items():
        rows.add(account_id, number, corrected_by, None if says is None else json.dumps(says))
    rows.send(session)

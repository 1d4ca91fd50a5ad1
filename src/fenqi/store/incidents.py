"""Outages that a person knows of: which days they excuse, for whom, and by whose word.

An incident of a whole book excuses days in `excused_days`, one of a channel those of each account
that uses it. Of the past an account is told by a row of its own, so that what was held against it
is taken back page by page; of the days to come of a whole book the close adds one at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from fenqi.core.errors import Missing
from fenqi.core.servicing.excuse import Span, days_of
from fenqi.core.values.ids import AccountId
from fenqi.core.values.name import as_heard
from fenqi.store.pool import Session

LISTED_MAX = 200
ALONE_MAX = 10_000  # of some weeks, by whomever, among which those of one person are looked for
USED_DAYS = 365  # how long after a payment by it an account is said to use a channel


class IncidentMissing(Missing):
    """No such incident."""

    code = "incident-missing"


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident. `granted_on` is the last day it excuses, `through_on` the last that was asked.

    An incident that excuses no day yet is granted up to the day before its first.

    `carried_on` is the last day that was carried to every account, None at first, and from its end
    on until everybody was told of that.
    """

    incident_id: UUID
    book_id: str
    channel: str | None
    reason: str
    from_on: date
    through_on: date
    granted_on: date
    is_running: bool
    carried_on: date | None
    opened_by: str
    opened_at: datetime
    seconded_by: str | None = None
    closed_by: str | None = None
    closed_at: datetime | None = None

    @property
    def waits_for_second(self) -> bool:
        """Whether days wait for a second person."""
        is_open = self.closed_at is None and self.seconded_by is None
        return is_open and self.granted_on < self.through_on

    @property
    def span(self) -> Span | None:
        """The days it excuses, None if there are none yet."""
        return Span(self.from_on, self.granted_on) if self.granted_on >= self.from_on else None

    @property
    def is_carried(self) -> bool:
        """Whether everybody it touches was told of all the days it excuses."""
        return self.carried_on == self.granted_on

    def reaches(self, today: date) -> date:
        """Return the last day of it that is kept on accounts of their own now.

        A channel's days are, all of them; those to come of a whole book the close adds.
        """
        return self.granted_on if self.channel else min(self.granted_on, today)


COLUMNS = """incident_id, book_id, channel, reason, from_on, through_on, granted_on, is_running,
    carried_on, opened_by, opened_at, seconded_by, closed_by, closed_at"""
ADD = """
INSERT INTO incidents (incident_id, book_id, channel, reason, from_on, through_on, granted_on,
    is_running, opened_by, opened_at)
VALUES (%(incident_id)s, %(book_id)s, %(channel)s, %(reason)s, %(from_on)s, %(through_on)s,
    %(granted_on)s, %(is_running)s, %(opened_by)s, %(opened_at)s)
"""
CHANGE = """
UPDATE incidents SET through_on = %(through_on)s, granted_on = %(granted_on)s,
    is_running = %(is_running)s, carried_on = %(carried_on)s, seconded_by = %(seconded_by)s,
    closed_by = %(closed_by)s, closed_at = %(closed_at)s
WHERE incident_id = %(incident_id)s
"""
LOCK = f"""
SELECT {COLUMNS} FROM incidents WHERE incident_id = %(incident_id)s FOR NO KEY UPDATE
"""  # noqa: S608 - constants only
SAME = f"""
SELECT {COLUMNS} FROM incidents
WHERE book_id = %(book_id)s AND channel IS NOT DISTINCT FROM %(channel)s AND reason = %(reason)s
    AND from_on = %(from_on)s AND is_running = %(is_running)s AND closed_at IS NULL
    AND (is_running OR through_on = %(through_on)s)
ORDER BY opened_at LIMIT 1
"""  # noqa: S608 - constants only
LISTED = f"""
SELECT {COLUMNS} FROM incidents
WHERE (%(all)s OR closed_at IS NULL) ORDER BY opened_at DESC, incident_id LIMIT %(most)s
"""  # noqa: S608 - constants only


def _entry(one: Incident) -> dict[str, object]:
    return {name: getattr(one, name) for name in Incident.__dataclass_fields__}


def add(session: Session, one: Incident) -> None:
    """Keep an incident that begins."""
    session.run(ADD, _entry(one))


def change(session: Session, one: Incident) -> None:
    """Keep what became of a locked incident."""
    session.run(CHANGE, _entry(one))


def lock(session: Session, incident_id: UUID) -> Incident:
    """Return an incident, locked; before any account is. Errors: IncidentMissing."""
    rows = session.rows(LOCK, {"incident_id": incident_id})
    if not rows:
        raise IncidentMissing(incident=incident_id)
    return Incident(*rows[0])


def same(session: Session, one: Incident) -> Incident | None:
    """Return an open incident that says the same, if there is one."""
    rows = session.rows(SAME, _entry(one))
    return Incident(*rows[0]) if rows else None


ALONE = f"""
SELECT {COLUMNS} FROM incidents
WHERE book_id = %(book_id)s AND seconded_by IS NULL
    AND granted_on >= %(since)s AND from_on <= %(until)s
ORDER BY from_on LIMIT %(most)s
"""  # noqa: S608 - constants only


def days_alone(session: Session, book_id: str, by: str, around: Span) -> frozenset[date]:
    """Return the days that one person's word alone excuses, of incidents that touch some days."""
    asked = {
        "book_id": book_id,
        "since": around.from_on,
        "until": around.through_on,
        "most": ALONE_MAX,
    }
    found = [Incident(*row) for row in session.rows(ALONE, asked)]
    said = [days_of(one.span) for one in found if as_heard(one.opened_by) == as_heard(by)]
    return frozenset[date]().union(*said)


def listed(session: Session, *, with_closed: bool, most: int = LISTED_MAX) -> list[Incident]:
    """Return incidents, the latest first."""
    rows = session.rows(LISTED, {"all": with_closed, "most": most})
    return [Incident(*row) for row in rows]


# Whom days of the past touch: who owes since before one of them ends, became late in them or later,
# was asked for a late charge since, or paid late before a close had seen it.
HELD_AGAINST = """(
    EXISTS (SELECT 1 FROM plans AS p
            WHERE p.account_id = a.account_id AND p.oldest_due_on < %(through_on)s)
    OR EXISTS (SELECT 1 FROM crossings AS c
               WHERE c.account_id = a.account_id AND c.booked_on >= %(from_on)s)
    OR EXISTS (SELECT 1 FROM operations AS o
               WHERE o.account_id = a.account_id AND o.kind = 'late-charge'
                   AND o.booked_on >= %(from_on)s)
    OR EXISTS (SELECT 1 FROM events AS e
               WHERE e.account_id = a.account_id AND e.kind IN ('receipt-final', 'plan-settled')
                   AND e.booked_on >= %(from_on)s AND e.payload ->> 'overdue_days' <> '0')
)"""
USES = """(
    EXISTS (SELECT 1 FROM receipts AS r
            WHERE r.account_id = a.account_id AND r.channel = %(channel)s
                AND r.effective_on > %(used_from)s)
    OR EXISTS (SELECT 1 FROM events AS e
               WHERE e.account_id = a.account_id AND e.kind IN ('payment-failed', 'channel-failed')
                   AND e.payload ->> 'channel' = %(channel)s AND e.booked_on >= %(from_on)s)
)"""
OWES = """EXISTS (SELECT 1 FROM plans AS p
    WHERE p.account_id = a.account_id AND p.oldest_due_on IS NOT NULL)"""
TOLD = """EXISTS (SELECT 1 FROM excuses AS x
    WHERE x.source_id = %(incident_id)s AND x.account_id = a.account_id
        AND x.void_number IS NULL AND x.through_on >= %(reach_on)s)"""
BOOK_WIDE = HELD_AGAINST
OF_CHANNEL = f"{USES} AND ({OWES} OR {HELD_AGAINST})"
TOUCHED = """
SELECT a.account_id FROM accounts AS a
WHERE a.book_id = %(book_id)s AND a.kind = 'customer' AND a.account_id > %(after)s
    AND {whom} AND NOT {told}
ORDER BY a.account_id LIMIT %(most)s
"""
TO_TELL = TOUCHED.format(whom=BOOK_WIDE, told=TOLD)
TO_TELL_OF_CHANNEL = TOUCHED.format(whom=OF_CHANNEL, told=TOLD)


def to_tell(
    session: Session, one: Incident, today: date, *, after: UUID, most: int
) -> list[AccountId]:
    """Return the next accounts that an incident touches and that were not told of it, by id."""
    statement = TO_TELL_OF_CHANNEL if one.channel else TO_TELL
    reach_on = one.reaches(today)
    if reach_on < one.from_on:
        return []
    asked = _entry(one) | {
        "after": after,
        "most": most,
        "through_on": min(reach_on, today),
        "reach_on": reach_on,
        "used_from": one.from_on - timedelta(days=USED_DAYS),
    }
    return [AccountId(row[0]) for row in session.rows(statement, asked)]


CARRYING = """
SELECT account_id FROM excuses
WHERE source_id = %(incident_id)s AND void_number IS NULL AND through_on > %(on)s
    AND account_id > %(after)s
ORDER BY account_id LIMIT %(most)s
"""


def beyond(session: Session, one: Incident, on: date, *, after: UUID, most: int) -> list[AccountId]:
    """Return the next accounts that an incident excuses beyond a day, by id."""
    asked = {"incident_id": one.incident_id, "on": on, "after": after, "most": most}
    return [AccountId(row[0]) for row in session.rows(CARRYING, asked)]


EXCUSE_DAYS = """
INSERT INTO excused_days (book_id, day, incident_id)
SELECT %(book_id)s, day::date, %(incident_id)s
FROM generate_series(%(from_on)s::date, %(reach_on)s::date, '1 day') AS day
ON CONFLICT DO NOTHING
"""


def excuse_days(session: Session, one: Incident, today: date) -> None:
    """Excuse the days of an incident of a whole book up to a day, for everybody."""
    session.run(EXCUSE_DAYS, _entry(one) | {"reach_on": one.reaches(today)})


NEXT_DAY = """
INSERT INTO excused_days (book_id, day, incident_id)
SELECT book_id, %(day)s, incident_id FROM incidents
WHERE book_id = %(book_id)s AND channel IS NULL AND carried_on IS NOT NULL
    AND from_on <= %(day)s AND granted_on >= %(day)s
ON CONFLICT DO NOTHING
"""


def begin_day(session: Session, book_id: str, day: date) -> None:
    """Excuse a day that begins if an incident of the whole book reaches it; the book is alone."""
    session.run(NEXT_DAY, {"book_id": book_id, "day": day})


PREVIEW = """
SELECT COUNT(*), COALESCE(SUM(late.crossings), 0)::bigint, COALESCE(SUM(late.charges), 0)::bigint,
    COALESCE(SUM(late.minor), 0)::bigint, COALESCE(SUM(late.cuts), 0)::bigint
FROM accounts AS a CROSS JOIN LATERAL (
    SELECT
        (SELECT COUNT(*) FROM crossings AS c WHERE c.account_id = a.account_id
            AND c.from_bucket = 0 AND c.booked_on >= %(from_on)s
            AND c.booked_on <= %(through_on)s) AS crossings,
        (SELECT COUNT(*) FROM operations AS o WHERE o.account_id = a.account_id
            AND o.kind = 'late-charge' AND o.amount_minor > 0
                AND o.booked_on >= %(from_on)s) AS charges,
        (SELECT SUM(o.amount_minor) FROM operations AS o WHERE o.account_id = a.account_id
            AND o.kind = 'late-charge' AND o.amount_minor > 0
                AND o.booked_on >= %(from_on)s) AS minor,
        (SELECT COUNT(*) FROM changes AS g WHERE g.account_id = a.account_id
            AND g.direction = 'harsher' AND g.booked_on >= %(from_on)s) AS cuts
) AS late
WHERE a.book_id = %(book_id)s AND a.kind = 'customer' AND {whom} AND NOT {told}
"""


@dataclass(frozen=True, slots=True)
class Touches:
    """Whom an incident would touch: what is looked at again, at most so much of it is taken back.

    Units: minor units of the book's currency.
    """

    accounts: int
    late_times: int
    late_charges: int
    late_charges_minor: int
    cuts: int


# All that an account's event of an incident brought is booked in the event's own transaction. No
# event has rows of two of the tables that are joined to it, so no sum counts anything twice.
BACK = """
SELECT x.account_id, COUNT(o.amount_minor) AS charges,
    COALESCE(-SUM(o.amount_minor), 0)::bigint AS minor,
    COUNT(DISTINCT late.event_number) AS times,
    COUNT(DISTINCT c.number) FILTER (WHERE c.says IS NOT NULL) AS payments,
    COUNT(g.event_number) AS cuts,
    COALESCE(SUM(g.new_value - g.old_value) FILTER (WHERE g.subject = 'limit'), 0)::bigint
        AS limit_minor,
    COALESCE(SUM(g.new_value - g.old_value) FILTER (WHERE g.subject = 'price'), 0)::bigint
        AS price_ppm
FROM (
    SELECT DISTINCT account_id, begun_number FROM excuses WHERE source_id = %(incident_id)s
) AS x
JOIN events AS own ON own.account_id = x.account_id AND own.number = x.begun_number
    AND (NOT %(only_now)s OR own.recorded_by = pg_current_xact_id())
JOIN events AS e ON e.account_id = x.account_id AND e.number >= x.begun_number
    AND e.recorded_by = own.recorded_by
LEFT JOIN operations AS o ON o.account_id = e.account_id AND o.cause_number = e.number
    AND o.kind = 'late-charge' AND o.amount_minor < 0
LEFT JOIN changes AS g ON g.account_id = e.account_id AND g.event_number = e.number
    AND e.kind IN ('limit-restored', 'price-restored')
LEFT JOIN corrections AS c ON c.account_id = e.account_id AND c.corrected_by = e.number
LEFT JOIN crossings AS late ON late.account_id = c.account_id AND late.event_number = c.number
    AND late.from_bucket = 0
GROUP BY x.account_id
"""


@dataclass(frozen=True, slots=True)
class Back:
    """What an incident takes back of what was held against one account.

    Units: minor units of the book's currency; `limit_minor` and `price_ppm` are what the cuts that
    are given back, or parts of them, change of the limit and of the yearly price.
    """

    account_id: AccountId
    late_charges: int
    late_charges_minor: int
    late_times: int  # that count no more
    late_payments: int  # that count as less late
    cuts: int
    limit_minor: int
    price_ppm: int

    @property
    def is_anything(self) -> bool:
        """Whether anything was held against it."""
        return any((self.late_charges, self.late_times, self.late_payments, self.cuts))


BACK_NOW = f"{BACK} ORDER BY x.account_id LIMIT %(most)s"


def taken_back_now(session: Session, incident_id: UUID, *, most: int) -> list[Back]:
    """Return what an incident takes back in this very transaction, by account."""
    asked = {"incident_id": incident_id, "only_now": True, "most": most}
    return [Back(*row) for row in session.rows(BACK_NOW, asked)]


TAKEN_BACK = f"""
SELECT COUNT(*), COALESCE(SUM(charges), 0)::bigint, COALESCE(SUM(minor), 0)::bigint,
    COALESCE(SUM(times), 0)::bigint, COALESCE(SUM(payments), 0)::bigint,
    COALESCE(SUM(cuts), 0)::bigint
FROM ({BACK}) AS back
"""  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What an incident takes back in all of what was held against customers.

    Units: minor units of the book's currency.
    """

    accounts: int  # that are told of it
    late_charges: int
    late_charges_minor: int
    late_times: int
    late_payments: int
    cuts: int

    @classmethod
    def of(cls, backs: Sequence[Back]) -> "TakenBack":
        """Return the sum over accounts."""
        return cls(
            len(backs),
            sum(one.late_charges for one in backs),
            sum(one.late_charges_minor for one in backs),
            sum(one.late_times for one in backs),
            sum(one.late_payments for one in backs),
            sum(one.cuts for one in backs),
        )


def taken_back(session: Session, incident_id: UUID) -> TakenBack:
    """Return what an incident really took back so far."""
    asked = {"incident_id": incident_id, "only_now": False}
    return TakenBack(*session.rows(TAKEN_BACK, asked)[0])


def touches(session: Session, one: Incident, today: date) -> Touches:
    """Return what an incident would touch now; a count over the whole book."""
    reach_on = one.reaches(today)
    asked = _entry(one) | {
        "through_on": min(reach_on, today),
        "reach_on": reach_on,
        "used_from": one.from_on - timedelta(days=USED_DAYS),
    }
    whom = OF_CHANNEL if one.channel else BOOK_WIDE
    row: Sequence[Any] = session.rows(PREVIEW.format(whom=whom, told=TOLD), asked)[0]
    return Touches(*row)

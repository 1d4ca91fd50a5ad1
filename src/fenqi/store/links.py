"""Who was seen where and with what: strong links by identifier, visits of an address, its standing.

Identifiers are keyed hashes made at the door; nothing here can be turned back into a device or an
address.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from fenqi.core.risk.crowd import CrowdRule, Manner, Visit, is_shared_device
from fenqi.core.risk.identity import STRONG, Identifier
from fenqi.core.risk.links import Link, LinkRule
from fenqi.core.values.ids import AccountId
from fenqi.store.accounts import Account
from fenqi.store.booking import ENCODE, Booking
from fenqi.store.columns import pack
from fenqi.store.ground import Ground
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Sheet, Table

VISITS_MAX = 20_000  # of one address within one window
SEEN_MAX = 2_000  # facts of an address looked at: before a crowd the latest, in it the first
USED_MAX = 500  # facts of a device before a crowd that are looked at, the latest
LINKS_MAX = 50_000  # read for one crowd
NEAR_MAX = 20_000  # accounts near one crowd
CROWD = "crowd"  # the kind of a job, and the beginning of the cause of its case
DEVICE = "device"  # the beginning of the cause of a case about one
RING = "ring"  # the subject of the case of a crowd that was held
PLACE = "crowded-place"  # the subject of the case of a crowd at a place that many share
MANY_ON_DEVICE = "many-on-a-device"  # the subject of a case about one

JOBS = Table("jobs", "job_id uuid, kind word, not_before timestamptz, payload jsonb")


def crowd_cause(book_id: str, address: bytes) -> str:
    """Return the cause of the case about a crowd at an address."""
    return f"{CROWD}/{address.hex()}/{book_id}"


def device_cause(book_id: str, device: bytes) -> str:
    """Return the cause of the case about a device that many accounts use."""
    return f"{DEVICE}/{device.hex()}/{book_id}"


def address_of(cause: str) -> bytes | None:
    """Return the address of a crowd's case, None of another case."""
    kind, _, rest = cause.partition("/")
    return bytes.fromhex(rest.partition("/")[0]) if kind == CROWD else None


class _Links(Table):
    """A link that is there is written again only for another day."""

    def statement(self, select: str) -> str:
        return super().statement(select) + (
            " ON CONFLICT (identifier_hash, account_id) DO UPDATE SET "
            "first_on = LEAST(links.first_on, EXCLUDED.first_on), "
            "last_on = GREATEST(links.last_on, EXCLUDED.last_on) "
            "WHERE links.last_on < EXCLUDED.last_on OR links.first_on > EXCLUDED.first_on"
        )


LINKS = _Links(
    "links",
    "identifier_hash bytea, account_id uuid, identifier_kind word, first_on date, last_on date",
)


class Sightings:
    """What the facts of one batch say about links, and which crowds somebody should look at.

    Whoever books a fact with identifiers says so here, in its own transaction.
    """

    def __init__(self, ground: Ground, booking: Booking) -> None:
        self._ground = ground
        self._booking = booking
        self._seen: dict[tuple[bytes, AccountId], tuple[Identifier, date]] = {}
        self._crowded: dict[bytes, tuple[datetime, datetime]] = {}
        booking.others.append(self)

    def saw(self, account: Account, kind: Identifier, identifier: bytes) -> None:
        """An account was seen on this day with an identifier; a weak one ties nobody."""
        if kind in STRONG:
            key = (identifier, account.account_id)
            # The day of the clock, as the watch looks: a close that is late makes no link older.
            self._seen[key] = (kind, account.book.local_day(self._booking.now))

    def crowded(self, address: bytes, at: datetime) -> None:
        """So many accounts are at an address that somebody should look: do so within a second.

        `at` is the instant of the fact that was one too many.
        """
        first, last = self._crowded.get(address, (at, at))
        self._crowded[address] = (min(first, at), max(last, at))

    def rouse(self, session: Session) -> None:
        """Once this batch is committed, wake the watch of this program if it saw a crowd.

        The watches of other programs look a few times a second.
        """
        if self._crowded:
            session.after_commit(self._ground.alarm.set)

    def fill(self, sheet: Sheet) -> None:
        """Put them on a sheet."""
        links, jobs = Rows(LINKS), Rows(JOBS)
        for (identifier, account_id), (kind, day) in self._seen.items():
            links.add(identifier, account_id, kind.value, day, day)
        for address, (first, last) in self._crowded.items():
            payload = ENCODE({"address": address.hex(), "first": first, "last": last})
            jobs.add(self._ground.ids.new(), CROWD, self._booking.now, payload)
        sheet.add(links)
        sheet.add(jobs)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Somebody should look at an address: facts between these instants were too many."""

    job_id: UUID
    address: bytes
    first: datetime
    last: datetime


# Taken away in the transaction that answers them: a death brings them back, and two programs never
# look at the same one. Each crowding fact has a row of its own, so nobody waits for anybody.
TAKE = """
DELETE FROM jobs WHERE job_id IN (
    SELECT job_id FROM jobs
    WHERE state = 'waiting' AND not_before <= %(now)s AND kind = %(kind)s
    ORDER BY not_before LIMIT %(most)s FOR UPDATE SKIP LOCKED
) RETURNING job_id, payload->>'address', (payload->>'first')::timestamptz,
    (payload->>'last')::timestamptz
"""
# What failed waits, longer each time, and after some tries for a person.
POSTPONE = """
UPDATE jobs SET attempts = attempts + 1, not_before = %(not_before)s,
    state = CASE WHEN attempts + 1 >= %(tries)s THEN 'dead' ELSE 'waiting' END
WHERE job_id = %(job)s
"""
OLDEST = """
SELECT job_id FROM jobs WHERE state = 'waiting' AND not_before <= %(now)s AND kind = %(kind)s
ORDER BY not_before LIMIT 1
"""


def take(session: Session, now: datetime, most: int) -> list[Suspicion]:
    """Take suspicions away, the oldest first, skipping those another program looks at."""
    rows = session.rows(TAKE, {"now": now, "kind": CROWD, "most": most})
    return [
        Suspicion(job_id, bytes.fromhex(address), first, last)
        for job_id, address, first, last in rows
    ]


PUT_BACK = """
INSERT INTO jobs (job_id, kind, not_before, payload)
VALUES (%(job)s, %(kind)s, %(now)s, %(payload)s::jsonb)
"""


def put_back(
    session: Session, job: UUID, address: bytes, first: datetime, last: datetime, *, now: datetime
) -> None:
    """Leave a suspicion that was taken to the next batch."""
    payload = ENCODE({"address": address.hex(), "first": first, "last": last}).decode()
    session.run(PUT_BACK, {"job": job, "kind": CROWD, "now": now, "payload": payload})


def postpone(session: Session, now: datetime, *, wait: timedelta, tries: int) -> UUID | None:
    """Put the oldest suspicion off; return it, None if there is none."""
    rows = session.rows(OLDEST, {"now": now, "kind": CROWD})
    if not rows:
        return None
    asked = {"job": rows[0][0], "not_before": now + wait, "tries": tries}
    session.run(POSTPONE, asked)
    return UUID(str(rows[0][0]))


DEAD = "SELECT COUNT(*) FROM jobs WHERE state = 'dead' AND kind = %(kind)s"
REVIVE = """
UPDATE jobs SET state = 'waiting', attempts = 0, not_before = %(now)s
WHERE state = 'dead' AND kind = %(kind)s
"""


def dead(session: Session) -> int:
    """Return how many suspicions failed so often that nobody looks at them any more."""
    return int(session.rows(DEAD, {"kind": CROWD})[0][0])


def revive(session: Session, now: datetime) -> int:
    """Let those suspicions be looked at again; return how many."""
    return session.run(REVIVE, {"kind": CROWD, "now": now})


# Of a place that nobody wrote down, what the crowd there was taken for lately and nobody denied.
FOUND_PLACES = """
SELECT cause FROM cases
WHERE cause = ANY(%(causes)s) AND subject = %(subject)s AND opened_at > %(since)s
    AND (outcome IS NULL OR outcome = 'false-alarm')
LIMIT %(most)s
"""


def asking_found_places(
    session: Session,
    book_ids: Collection[str],
    addresses: Collection[bytes],
    now: datetime,
    rule: CrowdRule,
) -> Callable[[], set[tuple[str, bytes]]]:
    """Ask at which addresses a crowd of a book was taken for one at a place that many share."""
    of = {crowd_cause(book, one): (book, one) for book in book_ids for one in addresses}
    since = now - timedelta(days=rule.place_pause_days)
    asked = {"causes": sorted(of), "subject": PLACE, "since": since, "most": LINKS_MAX}
    told = session.ask(FOUND_PLACES, asked)
    return lambda: {of[cause] for (cause,) in told()}


VISITS = """
SELECT occurred_at, account_id FROM identifier_facts
WHERE identifier_hash = %(address)s AND occurred_at > %(after)s AND occurred_at <= %(until)s
ORDER BY occurred_at, account_id LIMIT %(most)s
"""


def asking_visits(
    session: Session, address: bytes, *, after: datetime, until: datetime
) -> Callable[[], list[Visit]]:
    """Ask who was seen at an address in (after, until], by time."""
    asked = {"address": address, "after": after, "until": until, "most": VISITS_MAX}
    rows = session.ask(VISITS, asked)
    return lambda: [Visit(at, AccountId(one)) for at, one in rows()]


# How accounts came to an address: of each device that a visit named, since when and on how many
# earlier days the account used it elsewhere, and whether it has an older one. The two facts of one
# event share its instant and number. Of a device that very many use its latest facts are enough.
MANNERS = """
WITH came AS (
    SELECT DISTINCT v.account_id, device.identifier_hash, device.first_on
    FROM (
        SELECT account_id, occurred_at, event_number FROM identifier_facts
        WHERE identifier_hash = %(address)s AND occurred_at > %(after)s AND occurred_at <= %(until)s
        ORDER BY occurred_at, account_id LIMIT %(most)s
    ) AS v
    LEFT JOIN LATERAL (
        SELECT l.identifier_hash, l.first_on FROM links AS l
        JOIN identifier_facts AS d
            ON d.identifier_hash = l.identifier_hash AND d.occurred_at = v.occurred_at
            AND d.account_id = v.account_id AND d.event_number = v.event_number
        WHERE l.account_id = v.account_id AND l.identifier_kind = 'device'
    ) AS device ON TRUE
)
SELECT c.account_id,
    BOOL_AND(COALESCE(c.first_on <= %(since)s AND used.days >= %(days_min)s, FALSE)),
    BOOL_OR(c.first_on > %(since)s AND EXISTS (
        SELECT FROM links AS o
        WHERE o.account_id = c.account_id AND o.identifier_kind = 'device'
            AND o.first_on < c.first_on
    ))
FROM came AS c
LEFT JOIN LATERAL (
    SELECT COUNT(DISTINCT (d.occurred_at AT TIME ZONE 'UTC')::date) AS days
    FROM (
        SELECT account_id, occurred_at, event_number FROM identifier_facts
        WHERE identifier_hash = c.identifier_hash AND occurred_at < %(today)s
            AND c.first_on <= %(since)s
        ORDER BY occurred_at DESC LIMIT %(used_most)s
    ) AS d
    WHERE d.account_id = c.account_id AND NOT EXISTS (
        SELECT FROM identifier_facts AS h
        WHERE h.identifier_hash = %(address)s AND h.occurred_at = d.occurred_at
            AND h.account_id = d.account_id AND h.event_number = d.event_number
    )
) AS used ON TRUE
GROUP BY c.account_id
"""


def asking_manners(
    session: Session, address: bytes, *, after: datetime, until: datetime, rule: CrowdRule
) -> Callable[[], dict[AccountId, Manner]]:
    """Ask with what devices the accounts seen at an address in (after, until] came."""
    today = until.replace(hour=0, minute=0, second=0, microsecond=0)
    asked = {
        "address": address,
        "after": after,
        "until": until,
        "today": today,
        "since": today.date() - timedelta(days=rule.settled_age_days),
        "days_min": rule.settled_days_min,
        "most": SEEN_MAX,
        "used_most": USED_MAX,
    }
    rows = session.ask(MANNERS, asked)

    def answer() -> dict[AccountId, Manner]:
        return {AccountId(one): _manner(settled, strange) for one, settled, strange in rows()}

    return answer


def _manner(is_settled: bool, is_strange: bool | None) -> Manner:  # noqa: FBT001 - a row's columns
    if is_strange:
        return Manner.STRANGE
    return Manner.SETTLED if is_settled else Manner.UNKNOWN


# A long-standing account in good order: as old as the rule says, open, not behind, and it has paid
# something back. An account that a person found to have done harm is none.
IS_GOOD = """
    a.status = 'open' AND a.opened_on <= b.business_date - %(days)s
    AND (a.oldest_due_on IS NULL OR a.oldest_due_on >= b.business_date
         OR b.business_date = ANY(a.excused_on))
    AND EXISTS (SELECT 1 FROM receipts AS r
                WHERE r.account_id = a.account_id AND r.state = 'final')
    AND NOT EXISTS (SELECT 1 FROM case_accounts AS n JOIN cases AS c USING (case_id)
                    WHERE n.account_id = a.account_id AND c.outcome = 'confirmed')
"""
STANDING = f"""
SELECT a.account_id, a.book_id, {IS_GOOD}
FROM accounts AS a JOIN books AS b USING (book_id)
WHERE a.account_id = ANY(%(accounts)s::uuid[])
"""  # noqa: S608 - constants only
# Whoever was seen with a device lately, in this batch too; of a hub no more than shows it is one.
SHARING = f"""
SELECT k.hash, COUNT(*), COUNT(*) FILTER (WHERE {IS_GOOD})
FROM UNNEST(%(devices)s::bytea[]) AS k (hash)
CROSS JOIN LATERAL (
    SELECT account_id FROM presences AS p
    WHERE p.identifier_hash = k.hash AND p.seen_at > %(since)s LIMIT %(most)s
) AS seen
JOIN accounts AS a ON a.account_id = seen.account_id JOIN books AS b USING (book_id)
GROUP BY k.hash
"""  # noqa: S608 - constants only
# Of an address that thousands use the latest facts say enough.
SEEN = """
SELECT DISTINCT account_id FROM (
    SELECT account_id FROM identifier_facts
    WHERE identifier_hash = %(address)s AND occurred_at > %(after)s AND occurred_at <= %(until)s
    ORDER BY occurred_at DESC LIMIT %(most)s
) AS latest
"""


@dataclass(frozen=True, slots=True)
class Standings:
    """Of some accounts their books, and which are long-standing and in good order."""

    books: dict[AccountId, str]
    good: frozenset[AccountId]


def asking_standings(
    session: Session, account_ids: Collection[AccountId], rule: CrowdRule
) -> Callable[[], Standings]:
    """Ask how some accounts stand; an account that is not there is left out."""
    asked = {"accounts": list(account_ids), "days": rule.good_age_days}
    told = session.ask(STANDING, asked)

    def answer() -> Standings:
        rows = told()
        return Standings(
            books={AccountId(one): book for one, book, _ in rows},
            good=frozenset(AccountId(one) for one, _, is_good in rows if is_good),
        )

    return answer


def shared_devices(
    session: Session, devices: Collection[bytes], now: datetime, rule: CrowdRule
) -> frozenset[bytes]:
    """Return which of some devices say nothing of any one account that uses them.

    Their presences of this batch are noted.
    """
    if not devices:
        return frozenset()
    asked = {
        "devices": pack("bytea", sorted(devices)),
        "since": now - timedelta(days=rule.links.decay_days),
        "most": rule.links.accounts_max[Identifier.DEVICE] + 1,
        "days": rule.good_age_days,
    }
    return frozenset(
        bytes(device)
        for device, size, good in session.rows(SHARING, asked)
        if is_shared_device(rule, size=size, good=good)
    )


def asking_seen(
    session: Session, address: bytes, until: datetime, rule: CrowdRule
) -> Callable[[], list[AccountId]]:
    """Ask who was at an address lately, up to an instant before the crowd came."""
    after = until - timedelta(days=rule.place_days)
    asked = {"address": address, "after": after, "until": until, "most": SEEN_MAX}
    rows = session.ask(SEEN, asked)
    return lambda: [AccountId(one) for (one,) in rows()]


# The strong links of some accounts, of all that their groups of last night hold, and of whoever
# shares an identifier with them. An identifier's sharers are read up to one beyond its bound: then
# it is a hub already and ties nobody.
AROUND = """
WITH inside AS (
    SELECT UNNEST(%(accounts)s::uuid[]) AS account_id
    UNION
    SELECT other.account_id FROM link_groups AS own JOIN link_groups AS other USING (group_id)
    WHERE own.account_id = ANY(%(accounts)s::uuid[]) AND own.size <= %(group_max)s
), identifiers AS (
    SELECT DISTINCT l.identifier_hash, l.identifier_kind
    FROM links AS l JOIN inside USING (account_id)
    WHERE l.last_on >= %(since)s
)
SELECT sharing.account_id, i.identifier_hash, i.identifier_kind, sharing.first_on, sharing.last_on
FROM identifiers AS i
CROSS JOIN LATERAL (
    SELECT account_id, first_on, last_on FROM links AS l
    WHERE l.identifier_hash = i.identifier_hash AND l.last_on >= %(since)s
    ORDER BY account_id LIMIT CASE i.identifier_kind WHEN 'device' THEN %(device)s
        WHEN 'card' THEN %(card)s ELSE %(phone)s END + 1
) AS sharing
LIMIT %(most)s
"""
# Who was at an address since, and who shares a device with them; whether what accounts share keeps
# them from something, or is a question about them.
NEAR = """
WITH here AS (
    SELECT DISTINCT account_id FROM identifier_facts
    WHERE identifier_hash = %(address)s AND occurred_at > %(since)s LIMIT %(most)s
), devices AS (
    SELECT DISTINCT l.identifier_hash FROM links AS l JOIN here USING (account_id)
    WHERE l.identifier_kind = 'device' AND l.last_on >= %(since_on)s LIMIT %(most)s
), near AS (
    SELECT account_id FROM here
    UNION
    SELECT l.account_id FROM links AS l JOIN devices USING (identifier_hash)
    WHERE l.last_on >= %(since_on)s
)
SELECT a.account_id, h.account_id IS NOT NULL, EXISTS (
    SELECT FROM protections AS p
    WHERE p.account_id = a.account_id AND p.ended_at IS NULL AND p.is_shared
        AND p.placed_at > %(since)s
) OR EXISTS (
    SELECT FROM case_accounts AS n JOIN cases AS c USING (case_id)
    WHERE n.account_id = a.account_id AND c.outcome IS NULL AND c.is_shared
        AND c.opened_at > %(since)s
)
FROM near JOIN accounts AS a USING (account_id) LEFT JOIN here AS h USING (account_id)
WHERE a.book_id = %(book)s
LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Near:
    """Accounts of one book near a crowd: who was at its address, and who is to be let go."""

    here: frozenset[AccountId]
    touched: frozenset[AccountId]


def near(session: Session, book_id: str, address: bytes, since: datetime) -> Near:
    """Return who was at an address since an instant, or shares a device with who was."""
    asked = {
        "address": address,
        "since": since,
        "since_on": since.date() - timedelta(days=1),  # a day of the book may begin earlier
        "book": book_id,
        "most": NEAR_MAX,
    }
    rows = [
        (AccountId(one), is_here, is_touched)
        for one, is_here, is_touched in session.rows(NEAR, asked)
    ]
    return Near(
        here=frozenset(one for one, is_here, _ in rows if is_here),
        touched=frozenset(one for one, _, is_touched in rows if is_touched),
    )


GROUP_MAX = 1_000  # accounts of a group that is read whole


def asking_around(
    session: Session, account_ids: Collection[AccountId], on: date, rule: LinkRule
) -> Callable[[], list[Link]]:
    """Ask for the fresh strong links of some accounts and of those they may be tied to."""
    bounds = {kind.value: most for kind, most in rule.accounts_max.items()}
    asked = {
        "accounts": list(account_ids),
        "since": on - timedelta(days=rule.decay_days),
        "group_max": GROUP_MAX,
        "most": LINKS_MAX,
        **bounds,
    }
    rows = session.ask(AROUND, asked)
    return lambda: [
        Link(AccountId(account), bytes(identifier), Identifier(kind), first_on, last_on)
        for account, identifier, kind, first_on, last_on in rows()
    ]

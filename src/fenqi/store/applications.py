"""Applications: from the day somebody applies to the account that opens, or does not.

An application has the id of the account it may open, so its events and its decision are the
account's own from the first on.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from fenqi.core.errors import Conflict, Missing
from fenqi.core.risk.decision import Effect
from fenqi.core.values.ids import AccountId, PersonId
from fenqi.store.pool import Session
from fenqi.store.rows import Change, Rows, Table, array_text

WINDOW = timedelta(hours=24)
RECENT_MAX = 100_000  # applications of the last day that one batch looks at
COUNT_MAX = 32_767  # what the column holds
LEASE = timedelta(minutes=2)  # longer than any enquiry takes
TRIES_MAX = 3  # of one application, before it is parked
FAULT_CHARS_MAX = 500
PARKED_LISTED_MAX = 1_000


class ApplicationMissing(Missing):
    """No such application."""

    code = "application-missing"


class ApplicationElsewhere(Conflict):
    """The application is in another state than this needs."""

    code = "application-elsewhere"


class ApplicationNotParked(Conflict):
    """The application was not put aside: it waits for its turn, or is decided."""

    code = "application-not-parked"


class ApplicationState(StrEnum):
    """Where an application stands."""

    RECEIVED = "received"
    OFFERED = "offered"
    REVIEW = "review"  # a person looks at it
    DECLINED = "declined"
    ACCEPTED = "accepted"


ADDED = Table(
    "applications",
    "account_id uuid, book_id word, person_id uuid, state word, received_at timestamptz,"
    "booked_on date?, statement_day smallint, asked_minor bigint, income_declared_minor bigint,"
    "income_evidenced_minor bigint?, evidence word, obligations_minor bigint?,"
    "applications_24h smallint, is_stepped_up boolean, event_count bigint",
)
CHANGED = Change(
    "applications",
    keys="account_id uuid",
    columns="state word, is_stepped_up boolean, event_count bigint, decision_id uuid?,"
    "outcome word, reasons word>text[], effects word>text[], limit_minor bigint?,"
    "counts_max smallint?, price_grade smallint, menu_id uuid?, cost_table uuid?,"
    "decided_at timestamptz?, decided_by word, offer_ends_on date?,"
    "income_evidenced_minor bigint?, evidence word, reopened smallint, refuted word>text[]",
)
IDENTIFIER_FACTS = Table(
    "identifier_facts",
    "identifier_hash bytea, identifier_kind word, occurred_at timestamptz, account_id uuid,"
    "event_number bigint",
)


@dataclass(slots=True)
class Application:
    """One locked application; a batch changes it, `changed` writes it back.

    Units: minor units of the book's currency.
    """

    account_id: AccountId
    book_id: str
    person_id: PersonId
    state: ApplicationState
    received_at: datetime
    statement_day: int
    asked_minor: int
    income_declared_minor: int
    income_evidenced_minor: int | None
    obligations_minor: int | None
    applications_24h: int
    is_stepped_up: bool
    event_count: int
    decision_id: UUID | None = None
    outcome: str | None = None
    reasons: Sequence[str] = ()
    effects: Sequence[str] = ()
    limit_minor: int | None = None
    counts_max: int | None = None
    price_grade: int = 0
    menu_id: UUID | None = None
    cost_table: UUID | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    offer_ends_on: date | None = None
    evidence: str | None = None
    reopened: int = 0  # how often it was decided again, because an appeal was upheld
    refuted: Sequence[str] = ()  # reasons that were found wrong

    @property
    def needs_step_up(self) -> bool:
        """Whether a second factor must show who signs, and did not yet."""
        asked = any(one.partition(":")[0] == Effect.STEP_UP.value for one in self.effects)
        return asked and not self.is_stepped_up

    def expect(self, *states: ApplicationState) -> None:
        """Refuse to go on from another state. Errors: ApplicationElsewhere."""
        if self.state not in states:
            raise ApplicationElsewhere(application=self.account_id, state=self.state.value)


FOUND = """
SELECT account_id, book_id, person_id, state, received_at, statement_day, asked_minor,
    income_declared_minor, income_evidenced_minor, obligations_minor, applications_24h,
    is_stepped_up, event_count, decision_id, outcome, reasons, effects, limit_minor, counts_max,
    price_grade, menu_id, cost_table, decided_at, decided_by, offer_ends_on, evidence, reopened,
    refuted
FROM applications WHERE account_id = ANY(%(ids)s) ORDER BY account_id
"""
LOCK = FOUND + "FOR NO KEY UPDATE"


def lock(session: Session, ids: Collection[UUID]) -> dict[AccountId, Application]:
    """Return the applications that exist, locked. They are locked before accounts and books."""
    rows = session.rows(LOCK, {"ids": list(ids)})
    return {row[0]: _application(row) for row in rows}


def read(session: Session, account_id: AccountId) -> Application:
    """Return an application as it stands. Errors: ApplicationMissing."""
    rows = session.rows(FOUND, {"ids": [account_id]})
    if not rows:
        raise ApplicationMissing(application=account_id)
    return _application(rows[0])


def _application(row: Sequence[Any]) -> Application:
    account_id, book_id, person_id, state, *rest = row
    values: tuple[Any, ...] = (account_id, book_id, person_id, ApplicationState(state), *rest)
    return Application(*values)


def find(known: dict[AccountId, Application], account_id: AccountId) -> Application:
    """Return one of the locked applications. Errors: ApplicationMissing."""
    found = known.get(account_id)
    if found is None:
        raise ApplicationMissing(application=account_id)
    return found


def changed(applications: Iterable[Application]) -> Rows:
    """Return the rows of applications that changed."""
    rows = Rows(CHANGED)
    for one in applications:
        rows.add(
            one.account_id,
            one.state.value,
            one.is_stepped_up,
            one.event_count,
            one.decision_id,
            one.outcome,
            array_text(one.reasons),
            array_text(one.effects),
            one.limit_minor,
            one.counts_max,
            one.price_grade,
            one.menu_id,
            one.cost_table,
            one.decided_at,
            one.decided_by,
            one.offer_ends_on,
            one.income_evidenced_minor,
            one.evidence,
            one.reopened,
            array_text(one.refuted),
        )
    return rows


BY_PERSON = """
SELECT k.place, a.account_id, a.received_at, a.applications_24h
FROM UNNEST(%(places)s::integer[], %(persons)s::uuid[]) AS k (place, person_id)
JOIN applications AS a USING (person_id)
WHERE a.received_at > %(since)s AND a.received_at <= %(now)s
LIMIT %(most)s
"""
BY_NATIONAL_ID = """
SELECT k.place, a.account_id, a.received_at, a.applications_24h
FROM UNNEST(%(places)s::integer[], %(hashes)s::bytea[]) AS k (place, hash)
JOIN identities AS i ON i.national_id_hash = k.hash
JOIN applications AS a USING (person_id)
WHERE a.received_at > %(since)s AND a.received_at <= %(now)s
LIMIT %(most)s
"""
BY_IDENTIFIER = """
SELECT k.place, a.account_id, a.received_at, a.applications_24h
FROM UNNEST(%(places)s::integer[], %(hashes)s::bytea[]) AS k (place, hash)
JOIN identifier_facts AS f ON f.identifier_hash = k.hash AND f.occurred_at > %(since)s
JOIN applications AS a USING (account_id)
WHERE a.received_at > %(since)s AND a.received_at <= %(now)s
LIMIT %(most)s
"""


class Who(NamedTuple):
    """By what somebody who applies is known again: the person, the identity card, strong hashes."""

    person_id: PersonId
    national_id: bytes | None
    identifiers: tuple[bytes, ...]


class Recent(NamedTuple):
    """An application that was received lately, and the number it counted, itself among them."""

    received_at: datetime
    applications_24h: int


def recent(
    session: Session, asked: Sequence[Who], now: datetime, window: timedelta = WINDOW
) -> list[dict[UUID, Recent]]:
    """Return for each who applies the applications of theirs in (now - window, now], by id.

    Theirs is what the same person, identity card, device, phone or card applied for.
    """
    frame = {"since": now - window, "now": now, "most": RECENT_MAX}
    places = range(len(asked))
    cards = [(place, one.national_id) for place, one in enumerate(asked) if one.national_id]
    strong = [(place, each) for place, one in enumerate(asked) for each in one.identifiers]
    questions = [
        (BY_PERSON, {"places": list(places), "persons": [one.person_id for one in asked]}),
        (BY_NATIONAL_ID, {"places": [p for p, _ in cards], "hashes": [one for _, one in cards]}),
        (BY_IDENTIFIER, {"places": [p for p, _ in strong], "hashes": [one for _, one in strong]}),
    ]
    found: list[dict[UUID, Recent]] = [{} for _ in asked]
    for question, values in questions:
        if values["places"]:
            for place, account_id, *rest in session.rows(question, frame | values):
                found[place][account_id] = Recent(*rest)
    return found


class Waiting(NamedTuple):
    """An application that waits for its decision, with what is to be known before asking.

    The consent is the one to ask a bureau, None if there is none. `reopened` counts how often an
    appeal let it be decided again.
    """

    account_id: AccountId
    book_id: str
    person_id: PersonId
    subject: str
    received_at: datetime
    born_on: date
    is_student: bool | None
    income_evidenced_minor: int | None
    consent_number: int | None
    consented_at: datetime | None
    reopened: int = 0


# The tail of a claim: what is to be known of those that were taken.
OF_CLAIMED = """
SELECT c.account_id, c.book_id, c.person_id, p.reference, c.received_at, i.born_on, i.is_student,
    c.income_evidenced_minor, s.number, s.stated_at, c.reopened
FROM claimed AS c JOIN persons AS p USING (person_id)
CROSS JOIN LATERAL (
    SELECT born_on, is_student FROM identities
    WHERE identities.person_id = c.person_id ORDER BY number DESC LIMIT 1
) AS i
LEFT JOIN LATERAL (
    SELECT number, stated_at, is_given FROM consents
    WHERE consents.person_id = c.person_id AND data_class = 'bureau' AND purpose = 'credit'
    ORDER BY number DESC LIMIT 1
) AS s ON s.is_given
ORDER BY c.received_at, c.account_id
"""
CLAIM = (
    """
WITH claimed AS (
    UPDATE applications SET leased_until = %(until)s
    WHERE account_id IN (
        SELECT account_id FROM applications
        WHERE state = 'received' AND parked_at IS NULL
            AND (leased_until IS NULL OR leased_until <= %(now)s)
            AND (%(book_id)s::text IS NULL OR book_id = %(book_id)s)
        ORDER BY received_at, account_id LIMIT %(most)s FOR UPDATE SKIP LOCKED
    )
    RETURNING account_id, book_id, person_id, received_at, income_evidenced_minor, reopened
)
"""  # noqa: S608 - constants only
    + OF_CLAIMED
)
# Offers that stand and were made without a bureau's word: it was asked for them and told nothing.
# The wait doubles with each time it was asked.
CLAIM_AGAIN = (
    """
WITH claimed AS (
    UPDATE applications SET leased_until = %(until)s
    WHERE account_id IN (
        SELECT a.account_id FROM applications AS a JOIN books AS b USING (book_id)
        CROSS JOIN LATERAL (
            SELECT COUNT(*) AS tries, MAX(asked_at) AS last_at,
                COUNT(*) FILTER (WHERE finding IN ('report', 'nobody')) AS heard
            FROM bureau_reports AS r
            WHERE r.person_id = a.person_id AND r.asked_for = a.account_id
        ) AS r
        WHERE a.state = 'offered' AND a.parked_at IS NULL AND a.received_at > %(since)s
            AND a.offer_ends_on >= b.business_date
            AND (a.leased_until IS NULL OR a.leased_until <= %(now)s)
            AND (%(book_id)s::text IS NULL OR a.book_id = %(book_id)s)
            AND r.heard = 0 AND r.tries >= 1 AND r.tries < %(tries)s
            AND r.last_at + %(wait)s * POWER(2, r.tries - 1) <= %(now)s
        ORDER BY a.received_at, a.account_id LIMIT %(most)s FOR UPDATE OF a SKIP LOCKED
    )
    RETURNING account_id, book_id, person_id, received_at, income_evidenced_minor, reopened
)
"""  # noqa: S608 - constants only
    + OF_CLAIMED
)
AGAIN_TRIES_MAX = 8  # asked so often about one application: over some three days
AGAIN_WAIT = timedelta(minutes=15)  # before the first time it is asked again
AGAIN_DAYS = timedelta(days=92)  # older offers have ended

# Taken by others at this moment, and not told of yet: their reports will cost something.
UNDER_WAY = """
SELECT COUNT(*) FROM applications AS a
WHERE a.state IN ('received', 'offered') AND a.received_at > %(since)s AND a.leased_until > %(now)s
    AND a.account_id <> ALL(%(mine)s::uuid[])
    AND (a.state = 'received' OR EXISTS (
        SELECT 1 FROM bureau_reports AS r
        WHERE r.person_id = a.person_id AND r.asked_for = a.account_id
    ))
    AND NOT EXISTS (
        SELECT 1 FROM bureau_reports AS r
        WHERE r.person_id = a.person_id AND r.asked_for = a.account_id
            AND r.asked_at >= a.leased_until - %(lease)s
    )
"""


def claim(
    session: Session, *, now: datetime, most: int, book_id: str | None = None
) -> list[Waiting]:
    """Take up to `most` applications that wait, oldest first; nobody else takes them now."""
    asked = {"now": now, "until": now + LEASE, "most": most, "book_id": book_id}
    return [Waiting(*row) for row in session.rows(CLAIM, asked)]


FAILED = """
UPDATE applications SET failures = failures + 1, fault = %(fault)s, leased_until = %(until)s,
    parked_at = CASE WHEN failures + 1 >= %(failures_max)s THEN %(now)s::timestamptz END
WHERE account_id = %(account_id)s AND state IN ('received', 'offered') AND parked_at IS NULL
RETURNING parked_at IS NOT NULL
"""


def failed(session: Session, account_id: AccountId, fault: str, now: datetime) -> bool:
    """Note that an application could not be decided; return whether it is parked now.

    It waits for its next turn behind the others; after `TRIES_MAX` a person has to look at one
    that has no offer yet, and nobody asks again about one that has.
    """
    asked = {
        "account_id": account_id,
        "fault": fault[:FAULT_CHARS_MAX],
        "now": now,
        "until": now + LEASE,
        "failures_max": TRIES_MAX,
    }
    return session.rows(FAILED, asked) == [(True,)]


class Parked(NamedTuple):
    """An application that failed too often: what went wrong last, and since when it lies there."""

    account_id: AccountId
    book_id: str
    received_at: datetime
    parked_at: datetime
    failures: int
    fault: str


PARKED = """
SELECT account_id, book_id, received_at, parked_at, failures, fault FROM applications
WHERE state = 'received' AND parked_at IS NOT NULL
ORDER BY parked_at, account_id LIMIT %(most)s
"""


def parked(session: Session, most: int = PARKED_LISTED_MAX) -> list[Parked]:
    """Return the applications that nobody tries any more, the oldest first."""
    return [Parked(*row) for row in session.rows(PARKED, {"most": most})]


RETRIED = """
UPDATE applications SET failures = 0, parked_at = NULL, leased_until = NULL,
    event_count = %(event_count)s
WHERE account_id = %(account_id)s AND state = 'received' AND parked_at IS NOT NULL
"""


def retried(session: Session, one: Application) -> None:
    """Let a parked application be tried again. Errors: ApplicationNotParked."""
    asked = {"account_id": one.account_id, "event_count": one.event_count}
    if not session.run(RETRIED, asked):
        raise ApplicationNotParked(application=one.account_id)


def claim_again(
    session: Session, *, now: datetime, most: int, book_id: str | None = None
) -> list[Waiting]:
    """Take up to `most` offers about which a bureau is to be asked again, oldest first."""
    asked = {
        "now": now,
        "until": now + LEASE,
        "most": most,
        "book_id": book_id,
        "since": now - AGAIN_DAYS,
        "tries": AGAIN_TRIES_MAX,
        "wait": AGAIN_WAIT,
    }
    return [Waiting(*row) for row in session.rows(CLAIM_AGAIN, asked)]


def under_way(session: Session, mine: Collection[AccountId], *, now: datetime) -> int:
    """Return how many applications others have taken, about which a bureau may be asked now."""
    asked = {"mine": list(mine), "now": now, "since": now - AGAIN_DAYS, "lease": LEASE}
    ((count,),) = session.rows(UNDER_WAY, asked)
    return int(count)

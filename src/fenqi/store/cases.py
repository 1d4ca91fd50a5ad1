"""Cases with their history: opened once per cause, looked at by people, closed with an outcome.

Cases are locked in one order, that of their causes, those of circuit breakers last: they are opened
when all else is decided. A case of one account alone (its cause begins with the account's id) is
locked by whoever holds that account, so nobody else waits for it and it may be found at any time;
of all others a batch locks what it needs in one statement. ARCHITECTURE.md has the whole order.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from fenqi.core.errors import Conflict, Missing
from fenqi.core.risk.case import SYSTEM, CaseKind, CaseOutcome, EntryKind, due_at
from fenqi.core.values.ids import AccountId
from fenqi.store.ground import Ground
from fenqi.store.pool import Session
from fenqi.store.rows import Change, Rows, Sheet, Table, Upsert

ENCODE = msgspec.json.Encoder().encode
BREAKER = "breaker"  # what causes of cases about circuit breakers begin with
OWNER_LENGTH = len(str(UUID(int=0)))  # of an account's id, with which causes of its own begin
ENTRIES_MAX = 1_000  # of one case; a stream of facts does not grow it for ever
LISTED_MAX = 200
PARTICIPANTS_MAX = 10_000
CLEARED_MAX = 100_000  # causes found harmless, of all accounts of a batch

CASES = Table(
    "cases",
    "case_id uuid, book_id word, kind word, cause text, subject word, priority smallint,"
    "opened_at timestamptz, opened_by word, due_at timestamptz, about_case_id uuid?,"
    "decision_id uuid?, is_shared boolean, assignee word, entry_count integer, outcome word,"
    "closed_by word, closed_at timestamptz?",
)
CHANGES = Change(
    "cases",
    keys="case_id uuid",
    columns="assignee word, entry_count integer, priority smallint, due_at timestamptz,"
    "outcome word, closed_by word, closed_at timestamptz?, joined_case_id uuid?",
)
ENTRIES = Table(
    "case_entries",
    "case_id uuid, number integer, kind word, author word, written_at timestamptz, text text,"
    "evidence jsonb",
)
CASE_ACCOUNTS = Upsert(
    "case_accounts",
    "account_id uuid, case_id uuid, added_at timestamptz",
    keys="account_id, case_id",
    keeps=True,
)


class CaseMissing(Missing):
    """No such case."""

    code = "case-missing"


class CaseClosed(Conflict):
    """The case is closed; what was found stands, and an appeal is a case of its own."""

    code = "case-closed"


class CaseNotAbout(Conflict):
    """The case is not about the account, so nothing can be done to the account for it."""

    code = "case-not-about"


@dataclass(slots=True)
class Case:
    """One locked case. `is_shared`: opened only for what several accounts share."""

    case_id: UUID
    book_id: str
    kind: CaseKind
    cause: str
    subject: str
    priority: int
    opened_at: datetime
    opened_by: str
    due_at: datetime
    about_case_id: UUID | None
    decision_id: UUID | None
    is_shared: bool
    assignee: str | None
    entry_count: int = 0
    outcome: CaseOutcome | None = None
    closed_by: str | None = None
    closed_at: datetime | None = None
    joined_case_id: UUID | None = None  # where it goes on

    def is_cleared(self, now: datetime, pause: timedelta) -> bool:
        """Whether a person found within a pause that nothing is wrong."""
        is_harmless = self.outcome is CaseOutcome.FALSE_ALARM and self.closed_at is not None
        return is_harmless and self.closed_at is not None and now < self.closed_at + pause

    def check_open(self) -> None:
        """Refuse to go on with a closed case. Errors: CaseClosed."""
        if self.outcome is not None:
            raise CaseClosed(case=self.case_id, outcome=self.outcome.value)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a case's history."""

    number: int
    kind: str
    author: str
    written_at: datetime
    text: str
    evidence: Mapping[str, object] = field(default_factory=dict)


COLUMNS = """case_id, book_id, kind, cause, subject, priority, opened_at, opened_by, due_at,
    about_case_id, decision_id, is_shared, assignee, entry_count, outcome, closed_by, closed_at,
    joined_case_id"""
# Bytes, as `in_order` compares them, whatever the order of words in the database.
LOCK = f"""
SELECT {COLUMNS} FROM cases WHERE case_id = ANY(%(cases)s::uuid[])
ORDER BY starts_with(cause, '{BREAKER}/'), cause COLLATE "C", case_id FOR NO KEY UPDATE
"""  # noqa: S608 - constants only
LOCK_LATEST = f"""
SELECT {COLUMNS} FROM cases
WHERE cause = %(cause)s ORDER BY opened_at DESC, case_id DESC LIMIT 1 FOR NO KEY UPDATE
"""  # noqa: S608 - constants only
LOCK_LATESTS = f"""
SELECT k.place, latest.* FROM UNNEST(%(causes)s::text[]) WITH ORDINALITY AS k (asked, place)
CROSS JOIN LATERAL (
    SELECT {COLUMNS} FROM cases
    WHERE cause = k.asked ORDER BY opened_at DESC, case_id DESC LIMIT 1 FOR NO KEY UPDATE
) AS latest
ORDER BY latest.case_id
"""  # noqa: S608 - constants only
ACCOUNTS_OF = """
SELECT case_id, account_id FROM case_accounts WHERE case_id = ANY(%(cases)s::uuid[])
ORDER BY account_id LIMIT %(most)s
"""
PARTICIPANTS = """
SELECT DISTINCT author FROM case_entries WHERE case_id = %(case)s
UNION SELECT assignee FROM cases WHERE case_id = %(case)s AND assignee IS NOT NULL
UNION SELECT text FROM case_entries WHERE case_id = %(case)s AND kind = 'assigned'
LIMIT %(most)s
"""


def in_order(causes: Iterable[str]) -> list[str]:
    """Return causes in the order in which their cases are locked, as `LOCK` sorts them."""
    return sorted(causes, key=lambda one: (one.startswith(f"{BREAKER}/"), one.encode()))


def lock(session: Session, case_ids: Collection[UUID]) -> dict[UUID, Case]:
    """Return the cases that exist, locked.

    Accounts, their books and plans are locked before; among the accounts are those that `owners`
    returns, and of the houses none.
    """
    rows = session.rows(LOCK, {"cases": list(case_ids)})
    return {row[0]: _case(row) for row in rows}


READ = f"""
SELECT {COLUMNS} FROM cases WHERE case_id = ANY(%(cases)s::uuid[])
"""  # noqa: S608 - constants only


def read(session: Session, case_ids: Collection[UUID]) -> list[Case]:
    """Return the cases that exist, as they are before they are locked."""
    return [_case(row) for row in session.rows(READ, {"cases": list(case_ids)})]


CAUSES = """
SELECT cause FROM cases WHERE case_id = ANY(%(cases)s::uuid[])
"""


def owners(session: Session, case_ids: Collection[UUID]) -> set[AccountId]:
    """Return the accounts that some of the cases are of alone, which are locked before those."""
    if not case_ids:
        return set()
    return {
        AccountId(UUID(first))
        for (cause,) in session.rows(CAUSES, {"cases": list(case_ids)})
        if len(first := cause.partition("/")[0]) == OWNER_LENGTH
    }


CASES_BEHIND = """
SELECT DISTINCT case_id FROM protections
WHERE account_id = ANY(%(accounts)s::uuid[]) AND case_id IS NOT NULL LIMIT %(most)s
"""


def owners_behind(session: Session, account_ids: Collection[AccountId]) -> set[AccountId]:
    """Return the `owners` of the cases that what protects some accounts, or did, belongs to."""
    asked = {"accounts": list(account_ids), "most": PARTICIPANTS_MAX}
    return owners(session, {case_id for (case_id,) in session.rows(CASES_BEHIND, asked)})


IS_OPEN = """
SELECT 1 FROM cases
WHERE cause = %(cause)s AND subject = %(subject)s AND outcome IS NULL AND opened_at > %(since)s
"""


def asking_open(
    session: Session, cause: str, *, subject: str, since: datetime
) -> Callable[[], bool]:
    """Ask whether a cause has an open case about a subject that is younger than an instant."""
    rows = session.ask(IS_OPEN, {"cause": cause, "subject": subject, "since": since})
    return lambda: bool(rows())


def accounts_of(session: Session, case_ids: Collection[UUID]) -> dict[UUID, set[AccountId]]:
    """Return the accounts that cases are about."""
    found: dict[UUID, set[AccountId]] = {one: set() for one in case_ids}
    asked = {"cases": list(case_ids), "most": PARTICIPANTS_MAX}
    for case_id, account_id in session.rows(ACCOUNTS_OF, asked):
        found[case_id].add(AccountId(account_id))
    return found


ABOUT = """
SELECT n.case_id, n.account_id
FROM UNNEST(%(cases)s::uuid[], %(accounts)s::uuid[]) AS k (case_id, account_id)
JOIN case_accounts AS n USING (case_id, account_id)
"""


def about(
    session: Session, pairs: Collection[tuple[UUID, AccountId]]
) -> set[tuple[UUID, AccountId]]:
    """Return those of some pairs whose case is about the account, however many others it is of."""
    asked = {"cases": [case for case, _ in pairs], "accounts": [whom for _, whom in pairs]}
    return {(case_id, AccountId(whom)) for case_id, whom in session.rows(ABOUT, asked)}


# Of an appeal that was upheld, what it was about is harmless for those who appealed: a case, or the
# one it went on in, or the reasons of a decision that were refuted, each a cause by its name.
CLEARED = """
SELECT n.account_id, COALESCE(went_on.cause, about.cause, c.cause), c.closed_at
FROM case_accounts AS n JOIN cases AS c USING (case_id)
LEFT JOIN cases AS about ON about.case_id = c.about_case_id
LEFT JOIN cases AS went_on ON went_on.case_id = about.joined_case_id
WHERE n.account_id = ANY(%(accounts)s::uuid[]) AND c.outcome = 'false-alarm'
    AND c.closed_at > %(since)s
UNION ALL
SELECT p.account_id, p.account_id::text || '/policy/' || refuted, c.closed_at
FROM appeals AS p JOIN cases AS c USING (case_id) CROSS JOIN UNNEST(p.reasons) AS refuted
WHERE p.account_id = ANY(%(accounts)s::uuid[]) AND p.outcome = 'upheld'
    AND c.closed_at > %(since)s
ORDER BY 3 LIMIT %(most)s
"""


def cleared(
    session: Session, account_ids: Collection[AccountId], since: datetime
) -> dict[AccountId, dict[str, datetime]]:
    """Return of some accounts the causes that a person found harmless since, and when last."""
    found: dict[AccountId, dict[str, datetime]] = {one: {} for one in account_ids}
    asked = {"accounts": list(account_ids), "since": since, "most": CLEARED_MAX}
    for account_id, cause, closed_at in session.rows(CLEARED, asked):
        found[AccountId(account_id)][cause] = closed_at
    return found


# What was opened about one account because of what it shares, since a crowd gathered.
SINGLES = """
SELECT c.case_id FROM case_accounts AS n JOIN cases AS c USING (case_id)
WHERE n.account_id = ANY(%(accounts)s::uuid[]) AND c.outcome IS NULL AND c.is_shared
    AND c.kind = 'review' AND c.book_id = %(book)s
    AND c.opened_at > %(since)s AND c.opened_at <= %(until)s
LIMIT %(most)s
"""


def singles(
    session: Session,
    account_ids: Collection[AccountId],
    book_id: str,
    since: datetime,
    until: datetime,
) -> set[UUID]:
    """Return the open cases that each are about one of some accounts and what it shares."""
    asked = {
        "accounts": list(account_ids),
        "book": book_id,
        "since": since,
        "until": until,
        "most": PARTICIPANTS_MAX,
    }
    return {case_id for (case_id,) in session.rows(SINGLES, asked)}


def participants(session: Session, case_id: UUID) -> set[str]:
    """Return the persons who took part in a case: wrote in it, or had it assigned to them."""
    asked = {"case": case_id, "most": PARTICIPANTS_MAX}
    return {one for (one,) in session.rows(PARTICIPANTS, asked)} - {SYSTEM}


def _case(row: Sequence[Any]) -> Case:
    case = Case(*row)
    case.kind = CaseKind(case.kind)
    case.outcome = CaseOutcome(case.outcome) if case.outcome else None
    return case


# Cases of accounts together, of rings and devices, that are open or were found harmless lately;
# what is open comes last.
TOGETHER = """
SELECT n.account_id, c.cause, c.subject FROM case_accounts AS n JOIN cases AS c USING (case_id)
WHERE n.account_id = ANY(%(accounts)s::uuid[]) AND c.subject = ANY(%(subjects)s)
    AND (c.outcome IS NULL OR c.outcome = 'false-alarm' AND c.closed_at > %(since)s)
ORDER BY n.account_id, c.outcome IS NULL, c.opened_at LIMIT %(most)s
"""
JOINED = """
SELECT latest.cause, o.cause FROM UNNEST(%(causes)s::text[]) AS k (asked)
CROSS JOIN LATERAL (
    SELECT cause, joined_case_id FROM cases
    WHERE cause = k.asked ORDER BY opened_at DESC, case_id DESC LIMIT 1
) AS latest
JOIN cases AS o ON o.case_id = latest.joined_case_id
"""
MEMBERS = """
SELECT c.cause, n.account_id FROM cases AS c JOIN case_accounts AS n USING (case_id)
WHERE c.cause = ANY(%(causes)s) AND c.outcome IS NULL LIMIT %(most)s
"""


def together(
    session: Session,
    account_ids: Collection[AccountId],
    subjects: Collection[str],
    *,
    since: datetime,
) -> dict[AccountId, dict[str, str]]:
    """Return, by account and subject, the cause of its case: open, or found harmless since then."""
    found: dict[AccountId, dict[str, str]] = {}
    asked = {
        "accounts": list(account_ids),
        "subjects": sorted(subjects),
        "since": since,
        "most": PARTICIPANTS_MAX,
    }
    for account_id, cause, subject in session.rows(TOGETHER, asked):
        found.setdefault(AccountId(account_id), {})[subject] = cause
    return found


def joined(session: Session, causes: Collection[str]) -> dict[str, str]:
    """Return, of causes whose latest case goes on in another, the cause of that one."""
    return dict(session.rows(JOINED, {"causes": sorted(causes)})) if causes else {}


def members(session: Session, causes: Collection[str]) -> dict[str, set[AccountId]]:
    """Return whom the open cases of some causes are about, before they are locked."""
    found: dict[str, set[AccountId]] = {}
    asked = {"causes": sorted(causes), "most": PARTICIPANTS_MAX}
    for cause, account_id in session.rows(MEMBERS, asked) if causes else ():
        found.setdefault(cause, set()).add(AccountId(account_id))
    return found


class Docket:
    """The cases of one batch: found or opened, written to, put on the batch's sheet."""

    def __init__(self, ground: Ground, session: Session, now: datetime) -> None:
        self._ids = ground.ids
        self._session = session
        self.now = now
        self._by_cause: dict[str, Case] = {}
        self._absent: set[str] = set()  # causes looked for that have no case
        self._new: dict[UUID, Case] = {}
        self._changed: dict[UUID, Case] = {}
        self._entries = Rows(ENTRIES)
        self._accounts: dict[tuple[AccountId, UUID], None] = {}

    def find(self, cause: str) -> Case | None:
        """Return the latest case of a cause, locked."""
        known = self._by_cause.get(cause)
        if known is None and cause not in self._absent:
            rows = self._session.rows(LOCK_LATEST, {"cause": cause})
            known = _case(rows[0]) if rows else None
            if known is not None:
                self._by_cause[cause] = known
        return known

    def know(self, causes: Collection[str]) -> None:
        """Find the latest cases of some causes, locked, in one round trip.

        What several batches may want at once is found so, before anything is found alone. Somebody
        else may open the case of a cause that has none only if the batch can be tried again.
        """
        asked = [one for one in in_order(causes) if one not in self._by_cause]
        rows = self._session.rows(LOCK_LATESTS, {"causes": asked}) if asked else []
        found = {asked[place - 1]: _case(tuple(row)) for place, *row in rows}
        self._by_cause |= found
        self._absent |= set(asked) - found.keys()

    def open(
        self,
        accounts: Iterable[AccountId],
        *,
        book_id: str,
        kind: CaseKind,
        cause: str,
        subject: str,
        priority: int,
        evidence: Mapping[str, object],
        pause: timedelta = timedelta(0),
        decision_id: UUID | None = None,
        about: UUID | None = None,
        is_shared: bool = False,
        author: str = SYSTEM,
        text: str = "",
        is_repeated: bool = True,
    ) -> tuple[Case, bool]:
        """Return the case of a cause, opened unless it is there; and whether it is a new one.

        One that a person closed as a false alarm less than `pause` ago is left closed: the same
        cause does not ask the same question again at once. An open one takes up the evidence,
        unless that is only said again (`is_repeated` is False).

        Errors: CaseInvalid.
        """
        known = self.find(cause)
        if known is not None and known.outcome is None:
            if is_repeated:
                self.write(known, EntryKind.EVIDENCE, author, text, evidence)
            self._hasten(known, priority)
            self.involve(known, accounts)
            return known, False
        if known is not None and known.is_cleared(self.now, pause):
            return known, False
        case = Case(
            case_id=self._ids.new(),
            book_id=book_id,
            kind=kind,
            cause=cause,
            subject=subject,
            priority=priority,
            opened_at=self.now,
            opened_by=author,
            due_at=due_at(priority, self.now),
            about_case_id=about,
            decision_id=decision_id,
            is_shared=is_shared,
            assignee=None,
        )
        self._by_cause[cause] = self._new[case.case_id] = case
        self.write(case, EntryKind.OPENED, author, text, evidence)
        self.involve(case, accounts)
        return case, True

    def _hasten(self, case: Case, priority: int) -> None:
        """Let what is more urgent than a case was be looked at sooner."""
        if priority < case.priority:
            case.priority, case.due_at = priority, min(case.due_at, due_at(priority, self.now))
            self.touch(case)

    def join(self, case: Case, into: Case, accounts: Collection[AccountId]) -> None:
        """Let an open case about some accounts go on in another."""
        case.outcome, case.closed_by, case.closed_at = CaseOutcome.JOINED, SYSTEM, self.now
        case.joined_case_id = into.case_id
        told = {"outcome": case.outcome.value, "joined_case_id": into.case_id}
        self.write(case, EntryKind.CLOSED, SYSTEM, evidence=told)
        told = {"case_id": case.case_id, "subject": case.subject, "outcome": case.outcome.value}
        self.write(into, EntryKind.EVIDENCE, SYSTEM, evidence=told)
        self.involve(into, accounts)

    def involve(self, case: Case, accounts: Iterable[AccountId]) -> None:
        """Make a case about more accounts."""
        self._accounts.update({(one, case.case_id): None for one in accounts})

    def write(
        self,
        case: Case,
        kind: EntryKind,
        author: str,
        text: str = "",
        evidence: Mapping[str, object] | None = None,
    ) -> None:
        """Add a line to a case's history; evidence beyond `ENTRIES_MAX` lines is left out."""
        if kind is EntryKind.EVIDENCE and case.entry_count >= ENTRIES_MAX:
            return
        case.entry_count += 1
        self.touch(case)
        self._entries.add(
            case.case_id,
            case.entry_count,
            kind.value,
            author,
            self.now,
            text,
            ENCODE(evidence or {}),
        )

    def touch(self, case: Case) -> None:
        """Write a case's columns back."""
        if case.case_id not in self._new:
            self._changed[case.case_id] = case

    def fill(self, sheet: Sheet) -> None:
        """Put the batch's cases on a sheet."""
        opened, changed, involved = Rows(CASES), Rows(CHANGES), Rows(CASE_ACCOUNTS)
        by_cause = {one.cause: one for one in self._new.values()}
        # Who opens a case waits for whoever is opening another of its cause: in the same order.
        for one in map(by_cause.__getitem__, in_order(by_cause)):
            opened.add(
                *(one.case_id, one.book_id, one.kind.value, one.cause, one.subject),
                *(one.priority, one.opened_at, one.opened_by, one.due_at, one.about_case_id),
                *(one.decision_id, one.is_shared, one.assignee, one.entry_count),
                *(one.outcome.value if one.outcome else None, one.closed_by, one.closed_at),
            )
        for one in self._changed.values():
            changed.add(
                *(one.case_id, one.assignee, one.entry_count, one.priority, one.due_at),
                *(one.outcome.value if one.outcome else None, one.closed_by, one.closed_at),
                one.joined_case_id,
            )
        for account_id, case_id in self._accounts:
            involved.add(account_id, case_id, self.now)
        for rows in (opened, changed, self._entries, involved):
            sheet.add(rows)

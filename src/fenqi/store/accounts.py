"""Accounts as a batch works on them: locked in id order, changed in memory, written once."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from fenqi.core.account import AccountStatus, Standing
from fenqi.core.errors import Invalid, Missing
from fenqi.core.risk.given import given_of
from fenqi.core.risk.input import Value
from fenqi.core.servicing.ageing import days_past_due
from fenqi.core.servicing.statement import Cycle
from fenqi.core.terms.cost import REQUESTED, request_rates
from fenqi.core.values.ids import AccountId, PersonId, slice_of
from fenqi.store import books
from fenqi.store.books import Book, hold, holding
from fenqi.store.catalogue import Catalogue
from fenqi.store.closes import Page
from fenqi.store.columns import pack
from fenqi.store.pool import Session

STATUS = {one.value: one for one in AccountStatus}  # a look-up costs a third of the call
ACCOUNTS_MAX = 10_000  # locked by one batch


class AccountMissing(Missing):
    """No such account."""

    code = "account-missing"


class AlreadyEnrolled(Invalid):
    """The person has an account in this book already."""

    code = "already-enrolled"


@dataclass(slots=True)
class Account:
    """One locked account row; a batch changes the amounts, `booking` writes them back.

    Units: minor units of the account's currency.
    """

    account_id: AccountId
    raw: bytes  # the id's sixteen bytes, as columns want them
    book: Book
    currency: str
    status: AccountStatus
    agreement_version: int
    cost_table: UUID | None  # of that agreement; the house has none
    statement_day: int
    statement_count: int
    event_count: int
    limit_minor: int
    principal_open_minor: int
    held_minor: int
    credit_minor: int
    refunds_payable_minor: int
    oldest_due_on: date | None  # of its plans
    price_grade: int  # what plans a purchase is offered; 0 is where every account begins
    held_until: datetime | None  # new purchases wait until then; None or past is no hold
    frozen_until: datetime | None
    step_up_until: datetime | None  # a check is asked for before the next purchase until then
    ceiling_minor: int | None  # for new purchases, below the limit, until `ceiling_until`
    ceiling_until: datetime | None
    opened_on: date
    excused_on: Sequence[date] | None  # days of its own; `store/excuses.py` writes them

    @property
    def cycle(self) -> Cycle:
        """The billing rhythm for new plans."""
        return Cycle(self.statement_day, self.book.due_after_days)

    @property
    def excused(self) -> frozenset[date]:
        """Every day that never counts against its customer: the book's and its own (P5)."""
        of_book = self.book.excused
        return of_book if self.excused_on is None else of_book.union(self.excused_on)

    @property
    def overdue_days(self) -> int:
        """How late it is, as every decision sees it, on the book's business date."""
        return days_past_due(self.oldest_due_on, self.book.business_date, self.excused)

    def standing_at(self, now: datetime) -> Standing:
        """What a purchase decision looks at: the book's business date, protections as of `now`."""
        is_frozen = self.frozen_until is not None and now < self.frozen_until
        is_open = self.status is AccountStatus.OPEN
        return Standing(
            status=AccountStatus.FROZEN if is_frozen and is_open else self.status,
            limit_minor=self.limit_minor
            if self.ceiling_minor is None or self.ceiling_until is None or now >= self.ceiling_until
            else min(self.limit_minor, self.ceiling_minor),
            used_minor=self.principal_open_minor + self.held_minor,
            overdue_days=self.overdue_days,
            is_held=self.held_until is not None and now < self.held_until,
            needs_step_up=self.step_up_until is not None and now < self.step_up_until,
        )

    def given(self, standing: Standing) -> dict[str, Value]:
        """Return what the row says to a decision, of a standing of this account."""
        return given_of(
            standing,
            age_days=(self.book.business_date - self.opened_on).days,
            needs_step_up=standing.needs_step_up,
        )


ROWS = """
SELECT account_id, book_id, currency, status, agreement_version, cost_table, statement_day,
    statement_count, event_count, limit_minor, principal_open_minor, held_minor, credit_minor,
    refunds_payable_minor, oldest_due_on, price_grade, held_until, frozen_until, step_up_until,
    ceiling_minor, ceiling_until, opened_on, excused_on
FROM accounts WHERE account_id = ANY(%(ids)s) ORDER BY account_id
"""
LOCK = ROWS + "FOR NO KEY UPDATE"


def read(session: Session, account_ids: Collection[AccountId]) -> dict[AccountId, Account]:
    """Return the accounts that exist as they stand, to be looked at: neither they nor books wait.

    An account may be named more than once.
    """
    rows = session.rows(ROWS, {"ids": pack("uuid", list(account_ids))})
    known = {name: books.read(session, name) for name in sorted({row[1] for row in rows})}
    return {row[0]: _account(row, known[row[1]]) for row in rows}


def lock(session: Session, account_ids: Collection[AccountId]) -> dict[AccountId, Account]:
    """Return the accounts that exist, locked until the transaction ends, with their books held.

    Before anything else but applications, in the order of their ids (ARCHITECTURE.md, "The order of
    locks"); a house account alone is locked last.
    """
    with session.pipeline():
        locked = locking(session, account_ids)
    return locked()


def locking(
    session: Session, account_ids: Collection[AccountId]
) -> Callable[[], dict[AccountId, Account]]:
    """Ask for what `lock` returns, so that more can be asked in the same round trip.

    An account may be named more than once.
    """
    ids = {"ids": pack("uuid", list(account_ids))}
    asked = session.ask(LOCK, ids)
    held = holding(session, ids)

    def locked() -> dict[AccountId, Account]:
        rows, books = asked(), held()
        return {row[0]: _account(row, books[row[1]]) for row in rows}

    return locked


LOCK_PAGE = """
SELECT COUNT(*) FROM (
    SELECT account_id FROM accounts
    WHERE account_id = ANY(%(accounts)s::uuid[]) ORDER BY account_id FOR NO KEY UPDATE
) AS locked
"""


def lock_page(session: Session, page: Page, book_id: str) -> None:
    """Lock a page of a book's accounts until the transaction ends, with the book held."""
    session.rows(LOCK_PAGE, {"accounts": page})
    hold(session, {book_id})


def _account(row: tuple[Any, ...], book: Book) -> Account:
    account_id, _, currency, status, *amounts = row
    values: tuple[Any, ...] = (account_id, account_id.bytes, book, currency, STATUS[status])
    return Account(*(*values, *amounts))


def applicant(account_id: AccountId, book: Book, event_count: int) -> Account:
    """Return what stands for the account of somebody who applies, before it is open.

    It owns events and decisions; there is no row of its own that could change.
    """
    nothing: dict[str, Any] = dict.fromkeys(field.name for field in fields(Account))
    values = {
        "account_id": account_id,
        "raw": account_id.bytes,
        "book": book,
        "currency": book.currency,
        "status": AccountStatus.CLOSED,
        "statement_day": 1,
        "event_count": event_count,
        "opened_on": book.business_date,
    }
    sums = dict.fromkeys((one for one in nothing if one.endswith(("_minor", "_count"))), 0)
    return Account(**nothing | sums | {"agreement_version": 0} | values)


def find(accounts: dict[AccountId, Account], account_id: AccountId) -> Account:
    """Return one of some accounts if it is a customer's; the house has no door.

    Errors: AccountMissing.
    """
    account = accounts.get(account_id)
    if account is None or account_id == account.book.house_account_id:
        raise AccountMissing(account=account_id)
    return account


ARE_THERE = """
SELECT account_id FROM accounts
WHERE account_id = ANY(%(ids)s::uuid[]) AND kind = 'customer' LIMIT %(most)s
"""


def there(session: Session, account_ids: Collection[AccountId]) -> set[AccountId]:
    """Return which of some ids a customer's account has."""
    asked = {"ids": pack("uuid", list(account_ids)), "most": len(account_ids)}
    return {AccountId(one) for (one,) in session.rows(ARE_THERE, asked)}


IS_ACCOUNT = "SELECT EXISTS (SELECT 1 FROM accounts WHERE account_id = %(account_id)s)"
CURRENCY_OF = "SELECT currency FROM accounts WHERE account_id = %(account_id)s"


def currency_of(session: Session, account_id: UUID) -> str:
    """Return the code of an account's currency. Errors: AccountMissing."""
    rows = session.rows(CURRENCY_OF, {"account_id": account_id})
    if not rows:
        raise AccountMissing(account=account_id)
    return str(rows[0][0])


HAS_APPLIED = "SELECT EXISTS (SELECT 1 FROM applications WHERE account_id = %(account_id)s)"


def refuse_unknown(session: Session, account_id: UUID, *, but_applied: bool = False) -> None:
    """Refuse an id that no account has; `but_applied` takes that of an application too.

    Errors: AccountMissing.
    """
    asked = {"account_id": account_id}
    if session.rows(IS_ACCOUNT, asked) == [(True,)]:
        return
    if not but_applied or session.rows(HAS_APPLIED, asked) != [(True,)]:
        raise AccountMissing(account=account_id)


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to open, with its person, who may be known already."""

    account_id: AccountId
    book: Book
    person_id: PersonId
    person_reference: str
    is_known: bool
    limit_minor: int
    statement_day: int
    price_grade: int = 0
    cost_table: UUID | None = None  # accepted with an offer; None for that of today's products
    event_count: int = 0  # of its application
    command_key: str | None = None  # of the command that accepted the offer
    actor: str = "system"
    # After many applications: their number, what the menu is cooled to and why, and whether the
    # check they asked for was passed.
    applications_24h: int | None = None
    counts_max: int | None = None
    reasons: Sequence[str] = ()
    is_proved: bool = False


# Two applications of one new person at the same moment meet the unique reference: the second must
# not open an account under an id of its own.
ADD_PERSON = """
INSERT INTO persons (person_id, reference)
SELECT p, r FROM UNNEST(%(person)s::uuid[], %(reference)s::text[], %(known)s::boolean[])
    AS t (p, r, k)
WHERE NOT k
"""
ADD_ACCOUNT = """
INSERT INTO accounts
    (account_id, book_id, kind, person_id, slice, currency, status, opened_on, agreement_version,
     cost_table, statement_day, limit_minor, price_grade)
SELECT a, b, 'customer', p, s, c, 'open', o, 1, COALESCE(t, %(cost_table)s), d, l, g
FROM UNNEST(%(account)s::uuid[], %(book)s::text[], %(person)s::uuid[], %(slice)s::smallint[],
    %(currency)s::text[], %(opened)s::date[], %(statement_day)s::smallint[], %(limit)s::bigint[],
    %(accepted)s::uuid[], %(grade)s::smallint[])
    AS t (a, b, p, s, c, o, d, l, t, g)
"""
ADD_ENROLMENT = """
INSERT INTO enrolments (book_id, person_id, account_id)
SELECT * FROM UNNEST(%(book)s::text[], %(person)s::uuid[], %(account)s::uuid[])
"""
ADD_CYCLE = """
INSERT INTO cycles (account_id, from_on, statement_day)
SELECT * FROM UNNEST(%(account)s::uuid[], %(opened)s::date[], %(statement_day)s::smallint[])
"""
ADD_AGREEMENT = """
INSERT INTO agreements (account_id, version, agreed_on, pack, pack_version, cost_table)
SELECT a, 1, o, k, v, COALESCE(t, %(cost_table)s)
FROM UNNEST(%(account)s::uuid[], %(opened)s::date[], %(pack)s::text[], %(pack_version)s::integer[],
    %(accepted)s::uuid[])
    AS t (a, o, k, v, t)
"""
ADD_COST_TABLE = """
INSERT INTO cost_tables VALUES (%(cost_table)s) ON CONFLICT DO NOTHING
"""
ADD_COST_LINES = """
INSERT INTO cost_table_lines (cost_table, cost_line, rate_ppm, rate_period)
SELECT %(cost_table)s, c, r, p
FROM UNNEST(%(line)s::text[], %(rate)s::integer[], %(period)s::text[]) AS lines (c, r, p)
ON CONFLICT DO NOTHING
"""


def add_cost_table(session: Session, catalogue: Catalogue) -> UUID:
    """Keep the cost table of today's products; return its digest."""
    entry = cost_entry(catalogue)
    with session.pipeline():
        session.run(ADD_COST_TABLE, entry)
        session.run(ADD_COST_LINES, entry)
    return UUID(str(entry["cost_table"]))


def add(session: Session, new: Sequence[NewAccount], catalogue: Catalogue) -> None:
    """Open accounts, each with its person, cycle and agreement, and the cost table all agree to.

    Errors: AlreadyThere if another program added one of the persons at the same moment.
    """
    entry = cost_entry(catalogue) | {
        "account": [one.account_id for one in new],
        "book": [one.book.book_id for one in new],
        "person": [one.person_id for one in new],
        "reference": [one.person_reference for one in new],
        "known": [one.is_known for one in new],
        "slice": [slice_of(one.account_id) for one in new],
        "currency": [one.book.currency for one in new],
        "opened": [one.book.business_date for one in new],
        "statement_day": [one.statement_day for one in new],
        "limit": [one.limit_minor for one in new],
        "grade": [one.price_grade for one in new],
        "accepted": [one.cost_table for one in new],
        "pack": [one.book.pack for one in new],
        "pack_version": [one.book.pack_version for one in new],
    }
    with session.pipeline():
        for statement in (
            ADD_COST_TABLE,
            ADD_COST_LINES,
            ADD_PERSON,
            ADD_ACCOUNT,
            ADD_ENROLMENT,
            ADD_CYCLE,
            ADD_AGREEMENT,
        ):
            session.run(statement, entry)


COSTS_OF = """
SELECT cost_line, rate_ppm, rate_period FROM cost_table_lines
WHERE cost_table = %(cost_table)s ORDER BY cost_line
"""


def costs_of(session: Session, cost_table: UUID) -> list[tuple[str, int, str]]:
    """Return the lines of a cost table: (line, highest rate in ppm, per what)."""
    return [(row[0], row[1], row[2]) for row in session.rows(COSTS_OF, {"cost_table": cost_table})]


def cost_lines(catalogue: Catalogue) -> list[tuple[str, int, str]]:
    """Return the cost table of a framework agreement: (line, highest rate in ppm, per what).

    What every product gives for free has no line, so that nothing can be charged for it.
    """
    products = catalogue.products.values()
    asked = [request_rates(one) for one in products]
    rates = [
        (kind.value, max(one[kind] for one in asked), period.value)
        for kind, (period, _) in REQUESTED.items()
    ]
    return [
        ("flat-fee", max(one.fee_ppm_per_period for one in products), "instalment"),
        ("interest", max(one.interest_ppm_per_year for one in products), "year"),
        ("late-charge", max(one.late.rate_ppm_per_day for one in products), "day"),
        *(line for line in rates if line[1]),
    ]


def cost_entry(catalogue: Catalogue) -> dict[str, object]:
    """Return the parameters of the cost table; its id is the first half of its lines' sha256."""
    lines = cost_lines(catalogue)
    text = ";".join(f"{line} {rate} {period}" for line, rate, period in sorted(lines))
    return {
        "cost_table": UUID(bytes=hashlib.sha256(text.encode()).digest()[:16]),
        "line": [line for line, _, _ in lines],
        "rate": [rate for _, rate, _ in lines],
        "period": [period for _, _, period in lines],
    }


PERSONS = """
SELECT p.reference, p.person_id, e.book_id, e.account_id
FROM persons AS p LEFT JOIN enrolments AS e USING (person_id)
WHERE p.reference = ANY(%(references)s)
"""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What is known of persons: their ids, and their accounts by (book, person reference)."""

    persons: dict[str, PersonId]
    accounts: dict[tuple[str, str], AccountId]

    def refuse(self, book_id: str, reference: str) -> None:
        """Refuse a person who has an account in the book. Errors: AlreadyEnrolled."""
        if (book_id, reference) in self.accounts:
            raise AlreadyEnrolled(account=self.accounts[book_id, reference])


def enrolled(session: Session, references: Collection[str]) -> Enrolled:
    """Return what is known of the persons with these references."""
    rows = session.rows(PERSONS, {"references": sorted(references)})
    return Enrolled(
        persons={reference: PersonId(person) for reference, person, _, _ in rows},
        accounts={
            (book, reference): AccountId(account)
            for reference, _, book, account in rows
            if account is not None
        },
    )

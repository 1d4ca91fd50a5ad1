"""The figures of one book at the end of one day, as plain values ready for JSON.

Every figure comes from the ledger, the plans or the decisions; formula, unit and source of each
stand in docs/reference/metrics.md. Amounts are integers of the book's minor unit, shares are ppm.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fenqi.core.errors import Invalid
from fenqi.core.ledger import Account
from fenqi.core.terms.life.state import Status
from fenqi.core.values.ids import AccountId
from fenqi.report import origin, purchases, vintage
from fenqi.report.origin import (
    PROVENANCE,
    FileUnreadable,
    Provenance,
    read_exceptions,
    read_provenance,
)
from fenqi.report.purchases import Purchases
from fenqi.report.rolls import LAST_BUCKET, RollRates, bucket_name, ppm, roll_rates
from fenqi.report.vintage import Vintage
from fenqi.store import books, views
from fenqi.store.books import BookMissing
from fenqi.store.pool import Session, Store

BEGUN_BY = "fenqi demo or fenqi replay"
BUCKET_90_PLUS = 4  # M4 begins at 91 days past due
BUCKET_30_PLUS = 2

# Everything that would differ had the customers paid otherwise: what they owe, and through the
# limit it leaves them what they could buy, so also which lines of a file were declined. Only who
# they are and who has an account would not.
RESTS_ON_RECEIPTS = (
    "receivables",
    "deferred_income_minor",
    "buckets",
    "overdue",
    "roll_rates",
    "bad_debt",
    "cash",
    "income",
    "refunds",
    "write_offs",
    "recoveries",
    "purchases",
    "requests",
    "paying",
    "liabilities",
    "statements",
    "plans",
    "months",
    "vintages",
    "largest_past_due",
    "exceptions",
)


class DayOutside(Invalid):
    """The book has no such day: it had not begun, or the day has not come."""

    code = "day-outside-book"


class BookUnclear(Invalid):
    """There is more than one book, or none, and none was named."""

    code = "book-unclear"


@dataclass(frozen=True, slots=True)
class Receivables:
    """What customers owe by component, written-off claims left out."""

    principal_minor: int
    interest_minor: int
    fee_minor: int
    penalty_minor: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """The active plans in one bucket of days past due."""

    name: str
    plans: int
    principal_open_minor: int
    share_ppm: int  # of all open principal


@dataclass(frozen=True, slots=True)
class Overdue:
    """Open principal beyond a number of days past due, as a share of all open principal."""

    over_30_days_ppm: int
    over_90_days_ppm: int


@dataclass(frozen=True, slots=True)
class BadDebt:
    """What lending has cost so far, and what is likely to."""

    lent_minor: int
    written_off_minor: int  # principal
    written_off_ppm: int  # of the principal lent
    over_90_days_minor: int
    over_90_days_ppm: int  # of the open principal
    provision_minor: int  # expense so far for losses to come
    allowance_minor: int  # what of it is left for them


@dataclass(frozen=True, slots=True)
class Cash:
    """Where the book's own money is, and what settled cash is made of.

    Settled = funding + received - paid to merchants - paid back; in transit stands beside it.
    """

    in_transit_minor: int
    settled_minor: int
    funding_minor: int  # the lender's own money put in
    received_minor: int  # from customers, for good
    paid_to_merchants_minor: int
    paid_back_minor: int  # to customers


@dataclass(frozen=True, slots=True)
class Income:
    """Income earned so far, by kind."""

    interest_minor: int
    fee_minor: int
    penalty_minor: int
    merchant_discount_minor: int
    recovery_minor: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class Refunds:
    """Goods taken back: principal, the cost given back with it, and money that went back."""

    count: int
    principal_minor: int
    cost_relieved_minor: int
    returned_minor: int


@dataclass(frozen=True, slots=True)
class WriteOffs:
    """Claims given up in the accounts: principal, and cost that was never income."""

    count: int
    principal_minor: int
    cost_minor: int


@dataclass(frozen=True, slots=True)
class Recoveries:
    """Money received on claims already written off."""

    count: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How often something happened for this reason."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Liabilities:
    """What the book owes to others."""

    merchant_payable_minor: int
    credit_balance_minor: int
    refunds_payable_minor: int
    suspense_minor: int


@dataclass(frozen=True, slots=True)
class Month:
    """One calendar month. `principal_by_bucket` is empty while the month's end is to come.

    `cash_settled_minor` is what stands in the account at its end, or after its last closed day.
    """

    month: date  # its first day
    principal_by_bucket: tuple[int, ...]  # minor units in M0..M7+ at the month's end
    lent_minor: int
    received_minor: int
    paid_to_merchants_minor: int
    income_minor: int
    written_off_minor: int
    cash_settled_minor: int


@dataclass(frozen=True, slots=True)
class PastDue:
    """An account with plans past due: how many, the worst one's bucket, what they owe."""

    account_id: AccountId
    bucket: str
    plans: int
    principal_open_minor: int


@dataclass(frozen=True, slots=True)
class Book:
    """The report. Field names are the names of the figures in JSON and in the reference."""

    book_id: str
    legal_entity: str
    currency: str
    as_of: date
    business_date: date
    customers: int
    plans: int
    statements: int
    receivables: Receivables
    deferred_income_minor: int
    buckets: tuple[Bucket, ...]
    overdue: Overdue
    roll_rates: RollRates | None
    bad_debt: BadDebt
    cash: Cash
    income: Income
    refunds: Refunds
    write_offs: WriteOffs
    recoveries: Recoveries
    purchases: Purchases
    requests: tuple[ReasonCount, ...]  # what customers asked for and were granted, by its event
    paying: tuple[ReasonCount, ...]  # accounts that paid differently, and what followed for them
    liabilities: Liabilities
    months: tuple[Month, ...]
    vintages: tuple[Vintage, ...]
    largest_past_due: tuple[PastDue, ...]
    exceptions: tuple[ReasonCount, ...] | None
    provenance: Provenance
    rests_on_drawn_payments: tuple[str, ...]


def read(
    store: Store,
    book_id: str | None = None,
    as_of: date | None = None,
    *,
    folder: Path | None = None,
) -> Book:
    """Return the report of a book; without an id, of the only one.

    `folder` is what a replay left: its provenance and its count of lines left out. Without it
    the book's own opening event tells whether payments were drawn.
    Errors: those of `choose` and `figures`; FileUnreadable.
    """
    provenance, exceptions = read_provenance(folder), read_exceptions(folder)
    if folder is not None and provenance is None and exceptions is None:
        raise FileUnreadable(file=f"{folder}/{PROVENANCE}", fault="it is not there")
    with store.transaction() as session:
        views.snapshot(session)
        chosen = choose(session, book_id)
        return figures(session, chosen, as_of, provenance=provenance, exceptions=exceptions)


def choose(session: Session, book_id: str | None) -> str:
    """Return the id of the book asked for; without one, of the only book there is.

    Errors: BookUnclear if none is named; BookMissing, with those there are.
    """
    names = books.names(session)
    if book_id is not None:
        if not names:
            raise BookMissing(book=book_id, begun_by=BEGUN_BY)
        if book_id not in names:
            raise BookMissing(book=book_id, books=", ".join(names))
        return book_id
    if len(names) != 1:
        raise BookUnclear(books=", ".join(names)) if names else BookUnclear()
    return names[0]


def figures(
    session: Session,
    book_id: str,
    as_of: date | None = None,
    *,
    provenance: Provenance | None = None,
    exceptions: Mapping[str, int] | None = None,
) -> Book:
    """Return the report of a book at the end of `as_of`; by default of its business date.

    Without a `provenance` it is that of the book's opening event.

    Units: minor units of the book's currency; shares in ppm.
    Errors: BookMissing; DayOutside if the book had not begun or the day has not come.
    Source: docs/reference/metrics.md.
    """
    book = books.read(session, book_id)
    as_of = as_of or book.business_date
    provenance = provenance or origin.of_book(session, book_id)
    if not book.opened_on <= as_of <= book.business_date:
        raise DayOutside(day=as_of, first=book.opened_on, last=book.business_date)
    ledger = _Ledger(views.ledger_sums(session, book_id, as_of))
    counts = views.counts(session, book_id, as_of)
    is_now = as_of == book.business_date
    buckets = _buckets(views.buckets(session, book_id, as_of, is_now=is_now))
    portfolio = views.portfolio(session, book_id, as_of)
    months = views.ledger_months(session, book_id, as_of)
    written_off = ledger.moved(Account.ALLOWANCE, Account.RECEIVABLE_PRINCIPAL)
    given_up = views.write_offs(session, book_id, as_of)
    return Book(
        book_id=book_id,
        legal_entity=book.legal_entity,
        currency=book.currency,
        as_of=as_of,
        business_date=book.business_date,
        customers=counts.customers,
        plans=counts.plans,
        statements=counts.statements,
        receivables=_receivables(ledger),
        deferred_income_minor=-ledger.balance(Account.DEFERRED_INCOME),
        buckets=buckets,
        overdue=_overdue(buckets),
        roll_rates=roll_rates(portfolio),
        bad_debt=_bad_debt(ledger, buckets),
        cash=_cash(ledger),
        income=_income(ledger),
        refunds=Refunds(*dataclasses.astuple(views.refunds(session, book_id, as_of))),
        write_offs=WriteOffs(given_up.write_offs, written_off, given_up.cost_minor),
        recoveries=Recoveries(
            ledger.lines(Account.SUSPENSE, Account.RECOVERY), -ledger.balance(Account.RECOVERY)
        ),
        purchases=purchases.read(session, book_id, as_of),
        requests=_reason_counts(views.requests(session, book_id, as_of)),
        paying=_reason_counts(views.heeded(session, book_id, as_of)),
        liabilities=_liabilities(ledger),
        months=_months(months, portfolio),
        vintages=vintage.read(session, book_id, as_of=as_of, business_date=book.business_date),
        largest_past_due=tuple(
            PastDue(one.account_id, bucket_name(one.bucket), one.plans, one.principal_open_minor)
            for one in views.largest_late(session, book_id, as_of, is_now=is_now)
        ),
        exceptions=_reason_counts(exceptions.items()) if exceptions is not None else None,
        provenance=provenance,
        rests_on_drawn_payments=_drawn(provenance, has_file=exceptions is not None),
    )


def _drawn(provenance: Provenance, *, has_file: bool) -> tuple[str, ...]:
    """Return the figures that rest on drawn payments; `exceptions` only if a file had any."""
    if not provenance.is_drawn:
        return ()
    return tuple(name for name in RESTS_ON_RECEIPTS if has_file or name != "exceptions")


def to_json(book: Book) -> str:
    """Return the report as JSON: days as ISO dates, amounts as integers of the minor unit."""
    return json.dumps(dataclasses.asdict(book), default=str, ensure_ascii=False, indent=2)


class _Ledger:
    """The ledger's totals by pair, asked for by account."""

    def __init__(self, sums: Iterable[views.PairSum | views.MonthSum]) -> None:
        self._amounts: Counter[tuple[str, str]] = Counter()
        self._lines: Counter[tuple[str, str]] = Counter()
        for one in sums:
            self._amounts[one.debit, one.credit] += one.amount_minor
            self._lines[one.debit, one.credit] += one.lines if hasattr(one, "lines") else 0

    def balance(self, account: Account) -> int:
        """Return debits less credits of one account."""
        debits = sum(n for (debit, _), n in self._amounts.items() if debit == account.value)
        credits_ = sum(n for (_, credit), n in self._amounts.items() if credit == account.value)
        return debits - credits_

    def moved(self, debit: Account, credit: Account) -> int:
        """Return what moved from `credit` to `debit`, less what moved back."""
        there = self._amounts[debit.value, credit.value]
        return there - self._amounts[credit.value, debit.value]

    def booked(self, debit: Account, credit: Account) -> int:
        """Return what moved from `credit` to `debit`, whatever moved back."""
        return self._amounts[debit.value, credit.value]

    def lines(self, debit: Account, credit: Account) -> int:
        """Return how many lines moved something from `credit` to `debit`."""
        return self._lines[debit.value, credit.value]


def _receivables(ledger: _Ledger) -> Receivables:
    principal = ledger.balance(Account.RECEIVABLE_PRINCIPAL)
    interest = ledger.balance(Account.RECEIVABLE_INTEREST)
    fee = ledger.balance(Account.RECEIVABLE_FEE)
    penalty = ledger.balance(Account.RECEIVABLE_PENALTY)
    total = principal + interest + fee + penalty
    return Receivables(principal, interest, fee, penalty, total)


def _income(ledger: _Ledger) -> Income:
    interest = -ledger.balance(Account.INCOME_INTEREST)
    fee = -ledger.balance(Account.INCOME_FEE)
    penalty = -ledger.balance(Account.INCOME_PENALTY)
    discount = -ledger.balance(Account.INCOME_MERCHANT_DISCOUNT)
    recovery = -ledger.balance(Account.RECOVERY)
    total = interest + fee + penalty + discount + recovery
    return Income(interest, fee, penalty, discount, recovery, total)


def _liabilities(ledger: _Ledger) -> Liabilities:
    return Liabilities(
        merchant_payable_minor=-ledger.balance(Account.MERCHANT_PAYABLE),
        credit_balance_minor=-ledger.balance(Account.CREDIT_BALANCE),
        refunds_payable_minor=-ledger.balance(Account.REFUNDS_PAYABLE),
        suspense_minor=-ledger.balance(Account.SUSPENSE),
    )


def _cash(ledger: _Ledger) -> Cash:
    return Cash(
        in_transit_minor=ledger.balance(Account.CASH_IN_TRANSIT),
        settled_minor=ledger.balance(Account.CASH_SETTLED),
        funding_minor=ledger.moved(Account.CASH_SETTLED, Account.FUNDING),
        received_minor=_received(ledger),
        paid_to_merchants_minor=_paid_to_merchants(ledger),
        paid_back_minor=ledger.moved(Account.REFUNDS_PAYABLE, Account.CASH_SETTLED),
    )


def _received(ledger: _Ledger) -> int:
    """Return what customers paid in for good; what is in transit may still bounce."""
    sources = (Account.SUSPENSE, Account.CASH_IN_TRANSIT)
    return sum(ledger.moved(Account.CASH_SETTLED, source) for source in sources)


def _paid_to_merchants(ledger: _Ledger) -> int:
    cash = (Account.CASH_IN_TRANSIT, Account.CASH_SETTLED)
    return sum(ledger.moved(Account.MERCHANT_PAYABLE, account) for account in cash)


def _bad_debt(ledger: _Ledger, buckets: Sequence[Bucket]) -> BadDebt:
    lent = ledger.booked(Account.RECEIVABLE_PRINCIPAL, Account.MERCHANT_PAYABLE)
    written_off = ledger.moved(Account.ALLOWANCE, Account.RECEIVABLE_PRINCIPAL)
    late = _principal_from(buckets, BUCKET_90_PLUS)
    return BadDebt(
        lent_minor=lent,
        written_off_minor=written_off,
        written_off_ppm=ppm(written_off, lent),
        over_90_days_minor=late,
        over_90_days_ppm=ppm(late, _principal(buckets)),
        provision_minor=ledger.balance(Account.PROVISION),
        allowance_minor=-ledger.balance(Account.ALLOWANCE),
    )


def _buckets(sums: Iterable[views.BucketSum]) -> tuple[Bucket, ...]:
    plans, principal = [0] * (LAST_BUCKET + 1), [0] * (LAST_BUCKET + 1)
    for one in sums:
        place = min(one.bucket, LAST_BUCKET)
        plans[place] += one.plans
        principal[place] += one.principal_open_minor
    return tuple(
        Bucket(bucket_name(place), plans[place], amount, ppm(amount, sum(principal)))
        for place, amount in enumerate(principal)
    )


def _overdue(buckets: Sequence[Bucket]) -> Overdue:
    return Overdue(
        over_30_days_ppm=ppm(_principal_from(buckets, BUCKET_30_PLUS), _principal(buckets)),
        over_90_days_ppm=ppm(_principal_from(buckets, BUCKET_90_PLUS), _principal(buckets)),
    )


def _principal(buckets: Sequence[Bucket]) -> int:
    return sum(one.principal_open_minor for one in buckets)


def _principal_from(buckets: Sequence[Bucket], first: int) -> int:
    return _principal(buckets[first:])


def _reason_counts(counts: Iterable[tuple[str, int]]) -> tuple[ReasonCount, ...]:
    """Return reasons with their counts, most frequent first."""
    ordered = sorted(counts, key=lambda one: (-one[1], one[0]))
    return tuple(ReasonCount(reason, count) for reason, count in ordered)


def _months(
    moved: Sequence[views.MonthSum], portfolio: Sequence[views.PortfolioSum]
) -> tuple[Month, ...]:
    by_month: dict[date, list[views.MonthSum]] = {}
    for one in moved:
        by_month.setdefault(one.month, []).append(one)
    at_end: dict[date, list[int]] = {}
    for part in portfolio:
        sums = at_end.setdefault(part.month_end.replace(day=1), [0] * (LAST_BUCKET + 1))
        if part.to_state == Status.ACTIVE.value:
            sums[min(part.to_bucket, LAST_BUCKET)] += part.principal_open_minor
    months = []
    cash_minor = 0
    for month in sorted(by_month.keys() | at_end.keys()):
        ledger = _Ledger(by_month.get(month, []))
        cash_minor += ledger.balance(Account.CASH_SETTLED)
        months.append(
            Month(
                month=month,
                principal_by_bucket=tuple(at_end.get(month, ())),
                lent_minor=ledger.booked(Account.RECEIVABLE_PRINCIPAL, Account.MERCHANT_PAYABLE),
                received_minor=_received(ledger),
                paid_to_merchants_minor=_paid_to_merchants(ledger),
                income_minor=_income(ledger).total_minor,
                written_off_minor=ledger.moved(Account.ALLOWANCE, Account.RECEIVABLE_PRINCIPAL),
                cash_settled_minor=cash_minor,
            )
        )
    return tuple(months)

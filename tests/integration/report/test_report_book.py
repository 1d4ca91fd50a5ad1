"""The report's figures, on a book in which everything happened once."""

import dataclasses
import json
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest

from fenqi.core.errors import Missing
from fenqi.core.ledger import Account
from fenqi.core.values.day import month_end
from fenqi.flows.found import Found
from fenqi.flows.found import found as found_book
from fenqi.report import book
from fenqi.report.book import BookUnclear, DayOutside, ReasonCount
from fenqi.report.origin import UNTOLD, FileUnreadable, Provenance
from fenqi.store import views
from fenqi.store.pool import Store
from lives import BOOK, EVENTS, LAST, OPENED, open_book
from make_founding import FUNDING


@pytest.fixture
def found(lived_store: Store) -> book.Book:
    return book.read(lived_store)


def test_counts_are_of_what_happened(found: book.Book) -> None:
    assert (found.customers, found.plans) == (8, 8)
    assert (found.purchases.approved, found.purchases.declined) == (8, 2)
    assert [(one.reason, one.count) for one in found.purchases.decline_reasons] == [
        ("limit-exceeded", 1),
        ("payment-overdue", 1),
    ]
    assert found.purchases.approved_ppm == 800_000
    assert (found.refunds.count, found.refunds.principal_minor) == (1, 150_000)
    assert found.recoveries == book.Recoveries(count=1, amount_minor=40_000)


def test_principal_lent_is_owed_paid_refunded_or_written_off(
    found: book.Book, lived_store: Store
) -> None:
    with lived_store.transaction() as session:
        sums = views.ledger_sums(session, BOOK, LAST)
    paid = sum(
        one.amount_minor
        for one in sums
        if (one.debit, one.credit) == (Account.SUSPENSE.value, Account.RECEIVABLE_PRINCIPAL.value)
    ) - sum(
        one.amount_minor
        for one in sums
        if (one.credit, one.debit) == (Account.SUSPENSE.value, Account.RECEIVABLE_PRINCIPAL.value)
    )
    assert found.bad_debt.lent_minor == (
        found.receivables.principal_minor
        + paid
        + found.refunds.principal_minor
        + found.write_offs.principal_minor
    )


def test_settled_cash_is_what_came_in_less_what_went_out(found: book.Book) -> None:
    to_merchants = sum(month.paid_to_merchants_minor for month in found.months)
    refunds_paid = found.refunds.returned_minor - found.liabilities.refunds_payable_minor
    assert found.cash.settled_minor == (
        FUNDING + found.cash.received_minor - to_merchants - refunds_paid
    )
    cash = found.cash
    assert (cash.funding_minor, cash.paid_back_minor) == (FUNDING, refunds_paid)
    assert cash.settled_minor == (
        cash.funding_minor
        + cash.received_minor
        - cash.paid_to_merchants_minor
        - cash.paid_back_minor
    )


def test_cash_at_a_months_end_is_what_the_report_of_that_day_says(
    found: book.Book, lived_store: Store
) -> None:
    ended = [month for month in found.months if month.principal_by_bucket]
    for month in (ended[0], ended[-1]):
        then = book.read(lived_store, as_of=month_end(month.month))
        assert month.cash_settled_minor == then.cash.settled_minor


def test_money_not_yet_final_is_in_transit_and_received_by_nobody(found: book.Book) -> None:
    assert found.cash.in_transit_minor == 30_000
    assert found.liabilities.suspense_minor == 30_000


def test_a_written_off_plan_is_in_no_bucket(found: book.Book) -> None:
    assert found.write_offs.count == 3
    assert sum(one.plans for one in found.buckets) == 3
    assert sum(one.principal_open_minor for one in found.buckets) == (
        found.receivables.principal_minor
    )
    assert sum(one.share_ppm for one in found.buckets) == pytest.approx(1_000_000, abs=8)


def test_the_month_of_a_write_off_shows_it_in_the_roll_rates(lived_store: Store) -> None:
    rolls = book.read(lived_store, as_of=date(2026, 8, 31)).roll_rates
    assert rolls is not None
    assert (rolls.month_before, rolls.month_end) == (date(2026, 7, 31), date(2026, 8, 31))
    lost = {row.name: row.cells[-1].plans for row in rolls.rows if row.cells[-1].plans}
    assert sum(lost.values()) == 2
    assert set(lost) <= {"M5", "M6"}


def test_the_allowance_is_what_was_provided_less_what_was_written_off(found: book.Book) -> None:
    assert found.bad_debt.allowance_minor == (
        found.bad_debt.provision_minor - found.write_offs.principal_minor
    )
    assert found.bad_debt.provision_minor > 0


def test_a_claim_recovered_after_its_write_off_rolled_nowhere(
    lived_url: str, lived_store: Store
) -> None:
    with psycopg.connect(lived_url) as connection:
        connection.execute(
            "INSERT INTO portfolio_months"
            " SELECT book_id, month_end, 9, vintage, 'written-off', 7, 'closed', 0, 5, 100, 0, 0"
            " FROM portfolio_months WHERE month_end = '2026-09-30' LIMIT 1"
        )
    rolls = book.read(lived_store).roll_rates
    assert rolls is not None
    assert rolls.rows[-1].plans == 0


def test_each_row_of_the_roll_rates_sums_to_one(found: book.Book) -> None:
    assert found.roll_rates is not None
    for row in found.roll_rates.rows:
        assert sum(cell.plans for cell in row.cells) == row.plans
        assert sum(cell.plans_ppm for cell in row.cells) == pytest.approx(
            1_000_000 if row.plans else 0, abs=10
        )


def test_months_add_up_to_the_whole(found: book.Book) -> None:
    assert [month.month.month for month in found.months] == list(range(1, 11))
    assert sum(month.lent_minor for month in found.months) == found.bad_debt.lent_minor
    assert sum(month.received_minor for month in found.months) == found.cash.received_minor
    assert sum(month.income_minor for month in found.months) == found.income.total_minor
    assert found.months[-1].principal_by_bucket == ()


def test_the_past_reads_as_it_stood_then(store: Store) -> None:
    life = open_book(store)
    life.buy("punctual", 600_000, "flat", 6)
    life.buy("never", 90_000, "unsplit", 1)
    life.buy("waits", 30_000, "unsplit", 1)
    seen = {}
    for day, happens in EVENTS:
        if happens.__code__.co_consts[1] not in ("punctual", "never"):
            continue
        life.live_until(day)
        seen[day - timedelta(days=1)] = book.read(store, BOOK)  # nothing of `day` is booked yet
        happens(life)
    life.live_until(LAST)
    for day, then in seen.items():
        now = book.read(store, BOOK, day)
        assert now == dataclasses.replace(then, as_of=day, business_date=LAST)
    assert len(seen) > 4


def test_a_month_end_has_the_same_buckets_in_both_records(lived_store: Store) -> None:
    found = book.read(lived_store, as_of=date(2026, 6, 30))
    assert found.months[-1].month == date(2026, 6, 1)
    assert found.months[-1].principal_by_bucket == tuple(
        one.principal_open_minor for one in found.buckets
    )


@pytest.mark.parametrize("day", [OPENED - timedelta(days=1), LAST + timedelta(days=1)])
def test_a_day_the_book_does_not_have_is_refused(lived_store: Store, day: date) -> None:
    with pytest.raises(DayOutside):
        book.read(lived_store, as_of=day)


def test_without_a_book_there_is_none_to_choose(store: Store) -> None:
    with pytest.raises(BookUnclear):
        book.read(store)


def test_an_unknown_book_is_missing(lived_store: Store) -> None:
    with pytest.raises(Missing):
        book.read(lived_store, "other")


def test_a_book_that_does_not_say_who_paid_claims_nothing(found: book.Book) -> None:
    assert found.provenance == UNTOLD
    assert found.rests_on_drawn_payments == ()
    assert found.exceptions is None


def test_a_replayed_book_says_itself_that_its_payments_are_drawn(store: Store) -> None:
    ground = open_book(store).ground
    of_replay = Found(
        book_id="drawn",
        legal_entity="Replay",
        currency="CNY",
        zone="Asia/Shanghai",
        opened_on=OPENED,
        drawn_from="roll rates",
        drawn_seed=7,
    )
    found_book(ground, of_replay)
    read = book.read(store, "drawn")
    assert read.provenance == Provenance("drawn", 7, "roll rates")
    assert "cash" in read.rests_on_drawn_payments
    assert book.read(store, BOOK).provenance == UNTOLD


def test_drawn_payments_and_lines_left_out_are_declared(lived_store: Store, tmp_path: Path) -> None:
    said = {"payments": "drawn", "seed": 7, "source": "roll rates"}
    (tmp_path / "provenance.json").write_text(json.dumps(said), encoding="utf-8")
    tally = {"left_out": {"duplicate": 2, "no-customer": 5}, "partly_booked": {"duplicate": 1}}
    (tmp_path / "tally.json").write_text(json.dumps(tally), encoding="utf-8")
    found = book.read(lived_store, folder=tmp_path)
    assert found.provenance == Provenance("drawn", 7, "roll rates")
    assert "cash" in found.rests_on_drawn_payments
    assert "customers" not in found.rests_on_drawn_payments
    assert found.exceptions == (ReasonCount("no-customer", 5), ReasonCount("duplicate", 3))


def test_every_figure_resting_on_payments_is_one_of_the_report() -> None:
    names = {field.name for field in dataclasses.fields(book.Book)}
    assert set(book.RESTS_ON_RECEIPTS) <= names


@pytest.mark.parametrize("text", ["[1]", "{", '{"left_out": 3}', '{"left_out": {"a": "b"}}'])
def test_a_broken_file_of_a_replay_is_named(lived_store: Store, tmp_path: Path, text: str) -> None:
    (tmp_path / "tally.json").write_text(text, encoding="utf-8")
    with pytest.raises(FileUnreadable) as refusal:
        book.read(lived_store, folder=tmp_path)
    assert refusal.value.fields["file"] == str(tmp_path / "tally.json")


def test_json_holds_integers_and_iso_days(found: book.Book) -> None:
    table = json.loads(book.to_json(found))
    assert table["as_of"] == "2026-10-15"
    assert table["receivables"]["total_minor"] == found.receivables.total_minor
    assert table["buckets"][4]["name"] == "M4"

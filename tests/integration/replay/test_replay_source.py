"""Small dirty files become facts and exceptions; a file that is not understood books nothing."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fenqi.core.errors import Invalid
from fenqi.replay.facts import Opening, Purchase, Refund
from fenqi.replay.leftovers import LeftOut, write_exceptions
from fenqi.replay.mapping import Mapping, read_mapping
from fenqi.replay.rows import ColumnMissing, ColumnUnreadable, FileUnreadable
from fenqi.replay.source import LineUnreadable, Stream, load

EXAMPLE = Path(__file__).parents[3] / "examples" / "online_retail.toml"
HEADING = ("InvoiceNo", "StockCode", "Quantity", "UnitPrice", "InvoiceDate", "CustomerID")
MAPPING = read_mapping(EXAMPLE)

Row = Sequence[object]


def line(
    invoice: str,
    item: str = "CUP",
    quantity: object = 1,
    price: object = "1.00",
    at: str = "2011-03-01 10:00:00",
    customer: object = "ann",
) -> Row:
    return (invoice, item, quantity, price, at, customer)


def write(path: Path, rows: Sequence[Row], heading: Row = HEADING) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([heading, *rows])
    return path


def loaded(tmp_path: Path, *rows: Row, mapping: Mapping = MAPPING) -> Stream:
    return load(write(tmp_path / "lines.csv", rows), mapping)


def purchases(stream: Stream) -> list[Purchase]:
    return [fact for fact in stream.facts if isinstance(fact, Purchase)]


def refunds(stream: Stream) -> list[Refund]:
    return [fact for fact in stream.facts if isinstance(fact, Refund)]


def reasons(stream: Stream) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in stream.exceptions]


def test_an_invoice_is_one_purchase_after_its_persons_opening(tmp_path: Path) -> None:
    stream = loaded(
        tmp_path, line("1", quantity=3, price="2.55"), line("1", "TEA", 1, "0.10"), line("2")
    )

    opening, first, second = stream.facts
    assert isinstance(opening, Opening)
    assert (opening.person, opening.at) == ("ann", datetime(2011, 3, 1, 10, tzinfo=UTC))
    assert opening.limit_minor == 100_000
    assert isinstance(first, Purchase)
    assert (first.key, first.amount_minor, first.lines) == ("1", 775, (2, 3))
    assert isinstance(second, Purchase)
    assert (second.key, second.lines) == ("2", (4,))
    assert (stream.tally.total, stream.tally.booked) == (3, 3)


def test_an_amount_is_rounded_half_up_from_the_decimal_text_of_each_line(tmp_path: Path) -> None:
    # As doubles, 1.005 and 0.145 are a little less than they say; as text they are ties.
    stream = loaded(tmp_path, line("1", price="1.005"), line("1", "TEA", 1, "0.145"))

    assert [purchase.amount_minor for purchase in purchases(stream)] == [101 + 15]


def test_a_double_of_a_parquet_file_means_its_shortest_decimal_text(tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    names = list(HEADING)
    columns = [["1"], ["CUP"], [1], [1.005], [datetime(2011, 7, 1, 10)], [17850.0]]  # noqa: DTZ001 - the file has local times
    pq.write_table(pa.table(dict(zip(names, columns, strict=True))), path)

    (purchase,) = purchases(load(path, MAPPING))

    assert (purchase.amount_minor, purchase.person, purchase.lines) == (101, "17850", (1,))


def test_local_times_become_instants_by_the_zone_of_the_mapping(tmp_path: Path) -> None:
    stream = loaded(tmp_path, line("1", at="2011-07-01 00:30:00"))

    assert purchases(stream)[0].at == datetime(2011, 6, 30, 23, 30, tzinfo=UTC)
    assert (stream.first_on, stream.last_on) == (date(2011, 7, 1), date(2011, 7, 1))


def test_a_time_with_an_offset_is_read_by_its_offset(tmp_path: Path) -> None:
    stream = loaded(tmp_path, line("1", at="2011-07-01T10:00:00+05:00"))

    assert purchases(stream)[0].at == datetime(2011, 7, 1, 5, tzinfo=UTC)


def test_a_cancellation_counts_from_the_first_minute_of_both_invoices(tmp_path: Path) -> None:
    stream = loaded(
        tmp_path,
        line("1", "TEA", at="2011-03-01 10:00:00"),
        line("1", "CUP", at="2011-03-01 10:05:00"),
        line("C2", "CUP", -1, at="2011-03-01 10:02:00"),
    )

    assert [(one.purchase_key, one.at.minute) for one in refunds(stream)] == [("1", 2)]


def test_a_declared_time_format_is_read(tmp_path: Path) -> None:
    mapping = replace(MAPPING, time_format="%m/%d/%Y %H:%M")

    stream = loaded(tmp_path, line("1", at="12/1/2010 8:26"), mapping=mapping)

    assert purchases(stream)[0].at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)


def test_an_invoice_printed_over_two_minutes_is_one_purchase_at_the_first(tmp_path: Path) -> None:
    stream = loaded(
        tmp_path,
        line("1", at="2011-03-01 10:01:00"),
        line("1", "TEA", at="2011-03-01 10:00:00"),
    )

    assert [purchase.at.minute for purchase in purchases(stream)] == [0]


def test_each_dirty_line_goes_out_under_the_first_filter_that_names_it(tmp_path: Path) -> None:
    stream = loaded(
        tmp_path,
        line("1", customer=""),
        line("1", price="0"),
        line("1", price="-5.00"),
        line("1", quantity=-2),
        line("1", "BANK CHARGES"),
        line("1", "PAD", price="0.001"),
        line("1"),
        line("1"),
        line("1", "BANK CHARGES", quantity="x", customer=""),
    )

    assert reasons(stream) == [
        (2, "no-customer"),
        (3, "price-not-positive"),
        (4, "price-not-positive"),
        (5, "quantity-not-positive"),
        (6, "not-goods"),
        (7, "amount-below-a-penny"),
        (9, "duplicate"),
        (10, "no-customer"),
    ]
    assert list(stream.exceptions)[6].detail == "same as line 8"
    assert stream.tally.total == 9
    assert stream.tally.booked == 1
    assert stream.tally.left_out["price-not-positive"] == 2


def test_a_cancellation_takes_back_the_latest_earlier_purchases_first(tmp_path: Path) -> None:
    stream = loaded(
        tmp_path,
        line("1", quantity=5, at="2011-03-01 10:00:00"),
        line("2", quantity=2, at="2011-03-02 10:00:00"),
        line("3", quantity=9, at="2011-03-09 10:00:00"),
        line("C4", quantity=-3, at="2011-03-03 10:00:00"),
    )

    assert [(one.key, one.purchase_key, one.amount_minor) for one in refunds(stream)] == [
        ("C4/1", "1", 100),
        ("C4/2", "2", 200),
    ]
    assert reasons(stream) == []


def test_a_cancellation_of_something_never_bought_is_an_exception(tmp_path: Path) -> None:
    stream = loaded(
        tmp_path,
        line("1"),
        line("C2", "TEA", -1),
        line("C3", quantity=-1, customer="bob"),
        line("C4", quantity=-1, at="2011-02-01 10:00:00"),
    )

    assert refunds(stream) == []
    assert reasons(stream) == [(line, "refund-unmatched") for line in (3, 4, 5)]
    assert not any(isinstance(fact, Opening) and fact.person == "bob" for fact in stream.facts)


def test_what_was_returned_once_is_not_returned_again(tmp_path: Path) -> None:
    stream = loaded(
        tmp_path,
        line("1", quantity=2),
        line("C2", quantity=-2, at="2011-03-02 10:00:00"),
        line("C3", quantity=-2, at="2011-03-03 10:00:00"),
    )

    assert [one.key for one in refunds(stream)] == ["C2/1"]
    assert reasons(stream) == [(4, "refund-unmatched")]


def test_more_units_than_were_bought_are_partly_booked(tmp_path: Path) -> None:
    stream = loaded(tmp_path, line("1", quantity=2), line("C2", quantity=-5))

    assert [one.amount_minor for one in refunds(stream)] == [200]
    assert stream.tally.partly == {"refund-partly-unmatched": 1}
    assert stream.tally.booked == 1
    assert (
        next(iter(stream.exceptions)).detail
        == "2 of 5 units matched; 200 of 500 minor units booked"
    )


def test_a_refund_is_never_above_what_was_paid(tmp_path: Path) -> None:
    stream = loaded(tmp_path, line("1", quantity=2), line("C2", quantity=-1, price="3.00"))

    assert [one.amount_minor for one in refunds(stream)] == [100]
    assert stream.tally.partly == {"refund-above-paid": 1}


def test_a_cheaper_cancellation_gives_back_what_it_says(tmp_path: Path) -> None:
    stream = loaded(tmp_path, line("1", quantity=2), line("C2", quantity=-1, price="0.40"))

    assert [one.amount_minor for one in refunds(stream)] == [40]
    assert reasons(stream) == []


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        (line("2", quantity="two"), "Quantity", "two"),
        (line("2", quantity="1.5"), "Quantity", "1.5"),
        (line("2", price="1,20"), "UnitPrice", "1,20"),
        (line("2", price="nan"), "UnitPrice", "nan"),
        (line("2", price="1e3"), "UnitPrice", "1e3"),
        (line("2", price=""), "UnitPrice", "(missing)"),
        (line("2", price="9999999999999"), "UnitPrice", "9999999999999"),
        (line("2", at="yesterday"), "InvoiceDate", "yesterday"),
        (line("2", at=""), "InvoiceDate", "(missing)"),
        (line(""), "InvoiceNo", "(missing)"),
        (line("2", ""), "StockCode", "(missing)"),
        (line("C2", quantity=1), "Quantity", "1"),
        (line("C2", quantity=-1, price="0.001"), "amount", "0"),
        (line("1", customer="bob"), "CustomerID", "bob"),
        (("2", "CUP", "1"), "(whole line)", "2,CUP,1"),
        ((*line("2"), "more"), "(whole line)", ",".join(map(str, line("2"))) + ",more"),
    ],
)
def test_a_line_that_no_filter_names_stops_the_load_by_line_column_and_value(
    tmp_path: Path, row: Row, column: str, value: object
) -> None:
    with pytest.raises(LineUnreadable) as caught:
        loaded(tmp_path, line("1"), row)

    fields = caught.value.fields
    assert fields["file"] == str(tmp_path / "lines.csv")
    assert (fields["line"], fields["column"], fields["value"]) == (3, column, value)
    assert fields["wanted"]
    assert "filter" in str(fields["remedy"])


def test_a_line_without_customer_stops_the_load_if_no_filter_says_so(tmp_path: Path) -> None:
    with pytest.raises(LineUnreadable) as caught:
        loaded(tmp_path, line("1", customer=""), mapping=replace(MAPPING, filters=()))

    assert caught.value.fields["column"] == "CustomerID"


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (line("1", quantity=0), "Quantity"),
        (line("1", quantity=-1), "Quantity"),
        (line("1", price="0"), "UnitPrice"),
        (line("1", price="-1.00"), "UnitPrice"),
        (line("1", price="0.004"), "amount"),
    ],
)
def test_a_line_worth_nothing_stops_the_load_if_no_filter_says_so(
    tmp_path: Path, row: Row, column: str
) -> None:
    with pytest.raises(LineUnreadable) as caught:
        loaded(tmp_path, row, mapping=replace(MAPPING, filters=()))

    assert caught.value.fields["column"] == column


def test_the_line_number_is_the_one_an_editor_shows(tmp_path: Path) -> None:
    with pytest.raises(LineUnreadable) as caught:
        loaded(tmp_path, line("1", "CUP\nwith saucer"), line("2", quantity="x"))

    assert caught.value.fields["line"] == 4


def test_a_missing_column_is_named_with_its_key(tmp_path: Path) -> None:
    path = write(tmp_path / "lines.csv", [], heading=HEADING[:5])

    with pytest.raises(ColumnMissing) as caught:
        load(path, MAPPING)

    assert caught.value.fields["column"] == "CustomerID"
    assert caught.value.fields["key"] == "columns.customer"


def test_a_parquet_column_of_lists_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    columns = {name: [["1"]] if name == "StockCode" else ["1"] for name in HEADING}
    pq.write_table(pa.table(columns), path)

    with pytest.raises(ColumnUnreadable) as caught:
        load(path, MAPPING)

    assert caught.value.fields["column"] == "StockCode"


def test_a_parquet_time_past_the_calendar_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    times = pa.array([0, 2**61], pa.int64()).cast(pa.timestamp("us"), safe=False)
    columns = [["1", "2"], ["CUP"] * 2, [1, 1], [1.0, 1.0], times, [1, 1]]
    pq.write_table(pa.table(dict(zip(HEADING, columns, strict=True))), path)

    with pytest.raises(LineUnreadable) as caught:
        load(path, MAPPING)

    assert (caught.value.fields["line"], caught.value.fields["column"]) == (2, "InvoiceDate")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lines.csv", b""),
        ("lines.csv", b",".join(name.encode() for name in HEADING) + b"\n"),
        ("lines.parquet", b""),
        ("lines.parquet", b"PAR1 cut short"),
        ("lines.xlsx", b"PK"),
    ],
)
def test_an_empty_broken_or_foreign_file_is_refused(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(FileUnreadable) as caught:
        load(path, MAPPING)

    assert caught.value.fields["file"] == str(path)
    assert isinstance(caught.value, Invalid)


@pytest.mark.parametrize("name", ["none.csv", "none.parquet"])
def test_a_file_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileUnreadable) as caught:
        load(tmp_path / name, MAPPING)

    assert caught.value.fields["file"] == str(tmp_path / name)


def test_the_plan_of_an_invoice_does_not_depend_on_the_others(tmp_path: Path) -> None:
    many = loaded(tmp_path, *(line(str(number)) for number in range(100)))
    one = loaded(tmp_path, line("42"))

    plans = {purchase.key: (purchase.product, purchase.count) for purchase in purchases(many)}
    assert {(purchases(one)[0].product, purchases(one)[0].count)} == {plans["42"]}
    assert set(plans.values()) == {(plan.product, plan.count) for plan in MAPPING.plans}


def test_exceptions_are_written_by_line_and_leave_nothing_half_done(tmp_path: Path) -> None:
    path = tmp_path / "exceptions.csv"
    path.write_text("old", encoding="utf-8")

    write_exceptions(
        path, [LeftOut(2, "1", "twice", 'a "b", c'), LeftOut(9, "C2", "refund-unmatched", "0 of 1")]
    )

    assert path.read_bytes() == (
        b'line,invoice,reason,detail\n2,1,twice,"a ""b"", c"\n9,C2,refund-unmatched,0 of 1\n'
    )
    assert [one.name for one in tmp_path.iterdir()] == ["exceptions.csv"]

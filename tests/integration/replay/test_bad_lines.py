"""Lines that make no sense are named by number, column and value; the rest can be booked."""

import csv
import gzip
import math
import os
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fenqi.cli.errors import sentence
from fenqi.replay import lines, rows, source
from fenqi.replay.leftovers import Bad, BadLines, PlaceUnfit, check_place
from fenqi.replay.mapping import read_mapping
from fenqi.replay.rows import (
    LINE_CHARS_MAX,
    ROW_LINES_MAX,
    ColumnMissing,
    FileUnreadable,
    Unreadable,
)
from fenqi.replay.source import DaysTooMany, LineUnreadable, Stream, TooManyBad, load

MAPPING = read_mapping(Path(__file__).parents[3] / "examples" / "online_retail.toml")
HEADING = b"InvoiceNo,StockCode,Quantity,UnitPrice,InvoiceDate,CustomerID\n"
GOOD = b"1,CUP,1,1.00,2011-03-01 10:00:00,ann\n"
LATER = b"9,TEA,1,2.00,2011-03-02 10:00:00,bob\n"


def file_of(tmp_path: Path, *content: bytes) -> Path:
    path = tmp_path / "lines.csv"
    path.write_bytes(HEADING + b"".join(content))
    return path


def skipping(path: Path) -> tuple[Stream, list[Bad]]:
    """Load a file and return the stream with the lines left out."""
    bad: list[Bad] = []
    return load(path, MAPPING, on_bad=bad.append), bad


BAD = [
    (b"2,CUP,1" + b"0" * 30 + b",1.00,2011-03-01 10:00:00,ann\n", "Quantity", "whole number"),
    (b"2,CUP,1,999999999999,2011-03-01 10:00:00,ann\n", "amount", "minor units"),
    (b"2,CUP,1,1.00,2011-02-30 10:00:00,ann\n", "InvoiceDate", "2024-01-31"),
    (b"2,CUP,1,1.00,0001-01-01 10:00:00,ann\n", "InvoiceDate", "1900 to 2100"),
    (b"2,CUP,1,1.00,9999-12-31 10:00:00,ann\n", "InvoiceDate", "1900 to 2100"),
    (b"2,CUP,1,1.00,2011-03-01 10:00:00,a\x00n\n", "CustomerID", "control characters"),
    (b"2,C\xe9,1,1.00,2011-03-01 10:00:00,ann\n", "StockCode", "encoding"),
    (b"2" * 91 + b",CUP,1,1.00,2011-03-01 10:00:00,ann\n", "InvoiceNo", "at most 90"),
    (b"1,CUP,1,1.00,2011-03-01 10:00:00,bob\n", "CustomerID", "first line, ann"),
    (b"2,CUP,1\n", "(whole line)", "6 values"),
    (b'2,"CUP,1,1.00,2011-03-01 10:00:00,ann\n', "(whole line)", "quotes that close"),
    (b'2,"CUP"x,1,1.00,2011-03-01 10:00:00,ann\n', "(whole line)", "quotes that close"),
    (b"2," + b"x" * 300_000 + b",1,1.00,2011-03-01 10:00:00,ann\n", "(whole line)", "at most"),
]


@pytest.mark.parametrize(("bad", "column", "wanted"), BAD)
def test_a_bad_line_stops_the_load_or_is_skipped_alone(
    tmp_path: Path, bad: bytes, column: str, wanted: str
) -> None:
    path = file_of(tmp_path, GOOD, bad, LATER)

    with pytest.raises(LineUnreadable) as caught:
        load(path, MAPPING)
    stream, bad_lines = skipping(path)

    assert (caught.value.fields["line"], caught.value.fields["column"]) == (3, column)
    assert wanted in str(caught.value.fields["wanted"])
    assert len(str(caught.value.fields["value"])) < 200
    assert [(one.line, one.column) for one in bad_lines] == [(3, column)]
    assert [(row.line, row.reason) for row in stream.exceptions] == [(3, "bad-line")]
    assert (stream.tally.total, stream.tally.booked) == (3, 2)
    assert stream.tally.left_out == {"bad-line": 1}


def test_a_half_written_last_line_is_never_booked_as_if_it_were_whole(tmp_path: Path) -> None:
    path = file_of(tmp_path, GOOD, LATER[:-2])  # the customer bob has become bo

    with pytest.raises(LineUnreadable) as caught:
        load(path, MAPPING)

    assert caught.value.fields["line"] == 3
    assert "cut off" in str(caught.value.fields["wanted"])


def test_two_equal_torn_lines_are_not_taken_for_a_repeated_one(tmp_path: Path) -> None:
    stream, bad_lines = skipping(file_of(tmp_path, GOOD, b"2\n", b"2\n", LATER))

    assert [one.line for one in bad_lines] == [3, 4]
    assert stream.tally.left_out == {"bad-line": 2}


def test_an_open_quote_costs_its_own_line_only(tmp_path: Path) -> None:
    rest = [b"%d,TEA,1,2.00,2011-03-02 10:00:00,bob\n" % number for number in range(10, 400)]
    stream, bad_lines = skipping(file_of(tmp_path, b'2,"CUP\n', *rest))

    assert [one.line for one in bad_lines] == [2]
    assert stream.tally.booked == len(rest)
    assert max(line for fact in stream.facts for line in getattr(fact, "lines", ())) == 392


def test_a_value_with_a_line_end_in_quotes_is_one_line(tmp_path: Path) -> None:
    _, bad_lines = skipping(
        file_of(tmp_path, GOOD, b'2,CUP,1,1.00,"2011-03-01 10:00:00\n",ann\n', LATER, b"3\n")
    )

    assert [one.line for one in bad_lines] == [6]


def test_more_bad_lines_than_a_file_may_have_stop_the_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BAD_LINES_MAX", 2)

    with pytest.raises(TooManyBad) as caught:
        skipping(file_of(tmp_path, GOOD, b"2\n", b"3\n", b"4\n"))

    assert caught.value.fields["line"] == 5


def test_a_mistyped_century_is_named_by_both_ends_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(DaysTooMany) as caught:
        load(file_of(tmp_path, GOOD, LATER.replace(b"2011", b"2091")), MAPPING)

    assert (caught.value.fields["first_line"], caught.value.fields["last_line"]) == (2, 3)


def test_an_invoice_larger_than_any_loan_is_a_bad_line_before_anything_is_booked(
    tmp_path: Path,
) -> None:
    large = b"2,CUP%d,1,60000000000.00,2011-03-01 10:00:00,ann\n"

    with pytest.raises(LineUnreadable) as caught:
        load(file_of(tmp_path, large % 1, large % 2), MAPPING)

    assert (caught.value.fields["line"], caught.value.fields["column"]) == (3, "amount")


def test_the_longest_texts_still_make_keys_that_can_be_stored(tmp_path: Path) -> None:
    invoice, customer = b"2" * lines.TEXT_CHARS_MAX, b"c" * lines.TEXT_CHARS_MAX
    back = b"C" + invoice[1:]
    bought = b"%s,CUP,1,1.00,2011-03-01 10:00:00,%s\n"
    returned = b"%s,CUP,-1,1.00,2011-03-02 10:00:00,%s\n"
    stream = load(
        file_of(tmp_path, bought % (invoice, customer), returned % (back, customer)), MAPPING
    )

    assert max(len(f"refund/{getattr(fact, 'key', '')}") for fact in stream.facts) <= 200


def test_a_wrong_delimiter_says_where_to_declare_it(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_bytes(HEADING.replace(b",", b"\t"))

    with pytest.raises(ColumnMissing) as caught:
        load(path, MAPPING)

    assert "delimiter" in str(caught.value.fields["remedy"])


def test_a_heading_in_another_encoding_says_where_to_declare_it(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_bytes((HEADING + GOOD).decode().encode("utf-16"))

    with pytest.raises(FileUnreadable) as caught:
        load(path, MAPPING)

    assert "encoding" in str(caught.value.fields["allowed"])


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)

    with pytest.raises(FileUnreadable) as caught:
        load(path, MAPPING)

    assert "regular file" in str(caught.value.fields["problem"])


def test_bad_lines_are_written_with_place_reason_and_the_line_itself(tmp_path: Path) -> None:
    bad = b'2,"CUP, blue",x,1.00,2011-03-01 10:00:00,ann\n'
    source = file_of(tmp_path, GOOD, bad, b"3\n", b"4,C\xe9,1,1.00,2011-03-01 10:00:00,ann\n")
    path = tmp_path / "new" / "bad.csv"

    with BadLines(path, source) as written:
        stream = load(source, MAPPING, on_bad=written.note)

    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [str(source)] * 3
    assert [(row["line"], row["column"], row["reason"], row["raw"]) for row in rows] == [
        ("3", "Quantity", "not-a-number", bad.decode().rstrip()),
        ("4", "(whole line)", "value-count", "3"),
        ("5", "StockCode", "not-text", "4,C\\xe9,1,1.00,2011-03-01 10:00:00,ann"),
    ]
    assert (rows[0]["value"], rows[0]["wanted"]) == ("x", "a whole number")
    assert stream.tally.bad == {"not-a-number": 1, "not-text": 1, "value-count": 1}
    assert rows[0].keys() >= {"invoice"}
    assert ROW_LINES_MAX * LINE_CHARS_MAX < 50_000_000, "a row must fit in memory"


def test_a_bad_row_of_parquet_is_written_with_its_values(tmp_path: Path) -> None:
    source, path = tmp_path / "lines.parquet", tmp_path / "bad.csv"
    names = HEADING.decode().strip().split(",")
    at = datetime(2011, 3, 1, 10)  # noqa: DTZ001 - a file's local time
    rows = [("1", "CUP", 1, 1.0, at, "ann"), ("2", "CUP", 1, math.inf, at, "ann")]
    pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), source)

    with BadLines(path, source) as written:
        load(source, MAPPING, on_bad=written.note)

    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["line"], row["column"], row["reason"]) == ("2", "UnitPrice", "not-a-number")
    assert row["raw"] == "2,CUP,1,inf,2011-03-01 10:00:00,ann"


def test_a_load_that_fails_leaves_the_file_of_bad_lines_as_it_was(tmp_path: Path) -> None:
    source, path = file_of(tmp_path, b"2\n"), tmp_path / "bad.csv"
    path.write_text("of another run")

    with pytest.raises(FileUnreadable), BadLines(path, source) as written:
        load(source, MAPPING, on_bad=written.note)

    assert written.count == 1
    assert path.read_text() == "of another run"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bad.csv", "lines.csv"]


@pytest.mark.parametrize("name", ["lines.csv", "hard.csv", "soft.csv", "out/report.json", "."])
def test_the_file_of_bad_lines_never_takes_the_place_of_another(tmp_path: Path, name: str) -> None:
    source = file_of(tmp_path, GOOD)
    (tmp_path / "hard.csv").hardlink_to(source)
    (tmp_path / "soft.csv").symlink_to(source)

    with pytest.raises(PlaceUnfit):
        check_place(tmp_path / name, [source], tmp_path / "out")


def test_a_device_is_never_replaced_by_a_file() -> None:
    with pytest.raises(PlaceUnfit):
        check_place(Path(os.devnull), [], Path("out"))


def test_long_values_and_torn_lines_are_not_kept_whole(tmp_path: Path) -> None:
    long = b"2,CUP,1,1.00,2011-03-01 10:00:00," + b"x" * 90_000 + b"\n"
    bad_rows = list(rows.read_rows(file_of(tmp_path, GOOD, long, b"y" * 90_000 + b"\n"), MAPPING))

    kept = [
        value.value if isinstance(value, Unreadable) else str(value)
        for _, values, _ in bad_rows
        for value in values
    ]
    assert max(map(len, kept)) == rows.VALUE_CHARS_MAX


DISGUISED = [
    (gzip.compress(HEADING + GOOD), "lines.csv", "gunzip"),
    (b"PK\x03\x04 and so on", "lines.csv", "saved as CSV"),
    (b"PAR1 and so on", "lines.csv", "ends in .parquet"),
    (HEADING + GOOD, "lines.parquet", "text is called .csv"),
    (b"", "lines.parquet", "empty"),
    (b"PAR1 cut off", "lines.parquet", "write it again"),
    ((HEADING + GOOD).decode().encode("utf-16"), "lines.csv", 'encoding = "utf-16"'),
    (b"\0" * 100, "lines.csv", "no text"),
    (b"", "lines.csv", "heading"),
    (HEADING, "lines.csv", "at least one line"),
]


@pytest.mark.parametrize(("content", "name", "said"), DISGUISED)
def test_a_file_of_another_kind_than_its_name_says_is_recognised(
    tmp_path: Path, content: bytes, name: str, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(FileUnreadable) as caught:
        load(path, MAPPING)

    assert said in sentence(caught.value)
    assert str(path) in sentence(caught.value)

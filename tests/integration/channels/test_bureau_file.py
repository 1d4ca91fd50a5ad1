"""A file of reports is read whole or refused with the line and column of its fault."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from fenqi.channels.bureau_file import FileReport, ReportsUnreadable, read_reports
from fenqi.core.values.bureau import BureauReport

HEADING = "person,as_of,score,enquiries_30d,overdue_accounts,worst_overdue_days,open_credit_minor"
GOOD = f"{HEADING}\nann,2026-03-31,700,1,0,0,120050\nbob,2026-03-31T18:00:00+08:00,,,,,\n"
MARCH = datetime(2026, 3, 31, tzinfo=UTC)
READ = [
    FileReport(2, "ann", BureauReport(MARCH, 700, 1, 0, 0, 120_050)),
    FileReport(3, "bob", BureauReport(datetime(2026, 3, 31, 10, tzinfo=UTC))),
]


def written(folder: Path, text: str | bytes, name: str = "reports.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_csv_is_read_and_what_is_left_out_is_unknown(tmp_path: Path) -> None:
    assert read_reports(written(tmp_path, GOOD)) == READ
    assert read_reports(written(tmp_path, b"\xef\xbb\xbf" + GOOD.encode())) == READ
    assert read_reports(written(tmp_path, HEADING + "\n")) == []


def test_a_parquet_file_says_the_same(tmp_path: Path) -> None:
    table = pa.table(
        {
            "person": ["ann", "bob"],
            "as_of": [MARCH, datetime(2026, 3, 31, 10, tzinfo=UTC)],
            "score": [700, None],
            "enquiries_30d": [1, None],
            "overdue_accounts": [0, None],
            "worst_overdue_days": [0, None],
            "open_credit_minor": [120_050, None],
        }
    )
    path = tmp_path / "reports.parquet"
    pa_parquet.write_table(table, path)
    assert [(one.person, one.report) for one in read_reports(path)] == [
        (one.person, one.report) for one in READ
    ]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        (GOOD + "cat,2026-03-31,7x0,,,,\n", 4, "score"),
        (GOOD + "cat,2026-03-31,1001,,,,\n", 4, "score"),
        (GOOD + "cat,2026-03-31,-1,,,,\n", 4, "score"),
        (GOOD + "cat,2026-03-31,,1.0,,,\n", 4, "enquiries_30d"),
        (GOOD + "cat,yesterday,,,,,\n", 4, "as_of"),
        (GOOD + "cat,,,,,,\n", 4, "as_of"),
        (GOOD + ",2026-03-31,,,,,\n", 4, "person"),
        (GOOD + "ann,2026-03-31,600,,,,\n", 4, "person"),
        (GOOD + "cat,2026-03-31\n", 4, "(whole line)"),
        ("person,as_of,nickname\n", 1, "nickname"),
        ("person,score\n", 1, "as_of"),
        ("person,as_of,as_of\n", 1, "as_of"),
    ],
)
def test_a_fault_names_its_line_and_column(
    tmp_path: Path, text: str, line: int, column: str
) -> None:
    with pytest.raises(ReportsUnreadable) as refusal:
        read_reports(written(tmp_path, text))
    fields = refusal.value.fields
    assert (fields["line"], fields["column"]) == (line, column), fields


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("reports.xlsx", GOOD),
        ("missing.csv", None),
        ("empty.csv", ""),
        ("binary.csv", b"person,as_of\n\xff\xfe,\x00"),
        ("false.parquet", GOOD),
    ],
)
def test_what_is_no_such_file_is_refused_as_a_whole(
    tmp_path: Path, name: str, text: str | bytes | None
) -> None:
    path = tmp_path / name if text is None else written(tmp_path, text, name)
    with pytest.raises(ReportsUnreadable):
        read_reports(path)

"""Whatever a person gives the program, he reads a sentence and never a stack trace."""

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import gate
import psycopg
import pytest

ROOT = Path(__file__).parents[2]
MAP = ROOT / "examples" / "online_retail.toml"
PRODUCTS = ROOT / "src" / "fenqi" / "data" / "products"
SECONDS_MAX = 240  # against what hangs
HEADING = "InvoiceNo,StockCode,Quantity,UnitPrice,InvoiceDate,CustomerID\n"
GOOD = "1,CUP,2,3.50,2024-01-01 09:00:00,100\n2,TEA,1,30.50,2024-01-02 09:00:00,101\n"
TABLES = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'books'"
BOOKS = "SELECT count(*) FROM books"
EVENTS = "SELECT count(*) FROM events"


def fenqi(
    url: str, *words: object, code: int, **settings: object
) -> subprocess.CompletedProcess[str]:
    """Run the program and expect an exit code, and nothing that only an engineer can read."""
    done = subprocess.run(
        [sys.executable, "-m", "fenqi", *map(str, words)],
        env=os.environ | {"FENQI_DATABASE_URL": url} | {k: str(v) for k, v in settings.items()},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said
    assert "psycopg" not in said
    assert "\x1b[31m" not in done.stderr
    return done


def count(url: str, sql: str) -> int:
    with psycopg.connect(url) as connection:
        (found,) = connection.execute(sql).fetchone() or (0,)
    return int(found)


@pytest.fixture
def short_map(tmp_path: Path) -> Path:
    path = tmp_path / "map.toml"
    text = MAP.read_text(encoding="utf-8")
    path.write_text(text.replace("days_after_last = 210", "days_after_last = 1"), "utf-8")
    return path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADING + GOOD + "3,CUP,x,1.00,2024-01-02 09:00:00,100\n", "line 4, Quantity: x is not"),
        (HEADING + GOOD + "3,CUP,1,1.00,2024-0", "line 4, (whole line)"),
        (HEADING + GOOD + '3,"CUP,1,1.00,2024-01-02 09:00:00,1\n', "quotes that close"),
        (
            HEADING.replace("CustomerID", "Who") + GOOD,
            "line 1: column CustomerID (columns.customer",
        ),
        (HEADING.replace(",", ";") + GOOD, "delimiter"),
        ("", "no columns"),
        (HEADING + GOOD.replace("100", "\x1b[31mred"), "\\x1b[31mred"),
        (HEADING + GOOD.replace("101\n", "101"), "line 3, (whole line)"),
        (HEADING + GOOD + "3,CUP,1\n", "line 4, (whole line): 3,CUP,1 is not a line of 6 values"),
        (HEADING + GOOD + "3,CUP,1,1e400,2024-01-02 09:00:00,1\n", "line 4, UnitPrice: 1e400"),
        (HEADING + GOOD + '3,CUP,1,"1,234.50",2024-01-02 09:00:00,1\n', "UnitPrice: 1,234.50"),
        (HEADING + GOOD + "3,CUP,1,1.00,2024-02-31 09:00:00,1\n", "InvoiceDate: 2024-02-31"),
        (HEADING + GOOD + "3,CUP,1,1.00,31/01/2024,1\n", "line 4, InvoiceDate: 31/01/2024"),
        (HEADING.replace("CustomerID", "CustomerId") + GOOD, "Is it CustomerId?"),
        (HEADING, "at least one line"),
    ],
)
def test_a_bad_file_is_named_by_line_and_column_and_books_nothing(
    database_url: str, tmp_path: Path, content: str, said: str
) -> None:
    file = tmp_path / "lines.csv"
    file.write_text(content, encoding="utf-8")

    done = fenqi(database_url, "replay", file, "--map", MAP, "--out", tmp_path / "out", code=2)

    assert str(file) in done.stderr
    assert said in done.stderr
    assert count(database_url, BOOKS) == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('product = "flat"', 'product = "flatt"', "plans.choices[2].product: there is no product"),
        ("count = 6", "count = 7", "flat is not offered in 7 instalments"),
        ('"GBP"', '"XXX"', 'line 8, column 1: book.currency is "XXX"'),
        ("zone =", "zoen =", "line 9, column 1: book.zoen is an unknown key"),
        ('"UnitPrice"', '"Quantity"', "columns.quantity"),
        ("[columns]", '[file]\ntime_format = "dd.mm.yyyy"\n[columns]', "file.time_format"),
        ("[book]", "[book", "line 7, column 6"),
    ],
)
def test_a_mapping_with_a_mistake_books_nothing(
    database_url: str, tmp_path: Path, old: str, new: str, said: str
) -> None:
    file, mapping = tmp_path / "lines.csv", tmp_path / "bad.toml"
    file.write_text(HEADING + GOOD, encoding="utf-8")
    mapping.write_text(MAP.read_text("utf-8").replace(old, new, 1), encoding="utf-8")

    done = fenqi(database_url, "replay", file, "--map", mapping, "--out", tmp_path / "o", code=2)

    assert f"{mapping}" in done.stderr
    assert said in done.stderr
    assert count(database_url, BOOKS) == 0


def test_bad_lines_are_skipped_named_and_counted(
    database_url: str, tmp_path: Path, short_map: Path
) -> None:
    file, bad, out = tmp_path / "lines.csv", tmp_path / "bad.csv", tmp_path / "out"
    file.write_text(HEADING + GOOD + "3,CUP,x,1.00,2024-01-02 09:00:00,100\n4\n", encoding="utf-8")

    words = ("replay", file, "--map", short_map, "--out", out, "--skip-bad", bad)
    done = fenqi(database_url, *words, code=0)

    with bad.open() as written:
        rows = [
            (row["file"], row["line"], row["column"], row["reason"], row["raw"])
            for row in csv.DictReader(written)
        ]
    assert rows == [
        (str(file), "4", "Quantity", "not-a-number", "3,CUP,x,1.00,2024-01-02 09:00:00,100"),
        (str(file), "5", "(whole line)", "value-count", "4"),
    ]
    tally = json.loads((out / "tally.json").read_text())
    assert tally["lines"] == 4 == tally["booked"] + sum(tally["left_out"].values())
    assert tally["left_out"] == {"bad-line": 2}
    assert tally["bad_lines"] == {"not-a-number": 1, "value-count": 1}
    assert "bad-line" in (out / "exceptions.csv").read_text()
    report = json.loads((out / "report.json").read_text())
    assert {"reason": "bad-line", "count": 2} in report["exceptions"]
    assert "bad-line" in done.stdout
    assert f"Bad lines left out: 2. They are named in {bad}" in done.stderr


def test_the_file_of_bad_lines_never_replaces_what_is_read(
    database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "lines.csv"
    file.write_text(HEADING + GOOD, encoding="utf-8")

    words = ("replay", file, "--map", MAP, "--out", tmp_path, "--skip-bad", file)
    fenqi(database_url, *words, code=2)

    assert file.read_text(encoding="utf-8") == HEADING + GOOD


def test_a_place_that_cannot_be_written_is_found_before_anything_is_booked(
    database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "lines.csv"
    file.write_text(HEADING + GOOD, encoding="utf-8")

    done = fenqi(database_url, "replay", file, "--map", MAP, "--out", file, code=2)

    assert f"{file}: File exists" in done.stderr
    assert count(database_url, BOOKS) == 0


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        (
            "fee_ppm_per_period = ",
            "fee_ppm_per_period = 9",
            2,
            "line 11, column 1: flat in 3 instalments",
        ),
        (
            "fee_ppm_per_period = ",
            "fee_ppm_per_perod = ",
            2,
            "line 11, column 1: fee_ppm_per_period is (missing)",
        ),
        ("version = 4", "version = 3", 2, "both say they are version 3"),
        ("version = 4", "version = 99999999999", 2, "version is 99999999999"),
        ('id = "flat"', 'id = "a\\u0000"', 2, "letters, digits"),
        ('id = "flat"', 'id = "flat', 2, "line 2, column"),
        ("rate_ppm_per_day = ", "rate_ppm_per_day = 9", 2, "the late_rate_ppm_per_day of flat is"),
    ],
)
def test_a_product_file_with_a_mistake_is_named(
    database_url: str, tmp_path: Path, old: str, new: str, code: int, said: str
) -> None:
    file = tmp_path / "products" / "own.toml"
    file.parent.mkdir()
    text = re.sub("^version = .*", "version = 4", (PRODUCTS / "flat.toml").read_text(), flags=re.M)
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")

    done = fenqi(database_url, "report", code=code, FENQI_CATALOGUE=tmp_path)

    assert str(file) in done.stderr
    assert said in done.stderr


def test_a_database_that_is_away_or_unreadable_gets_its_own_exit_code() -> None:
    assert "cannot be reached" in fenqi("postgresql://127.0.0.1:1/x", "report", code=3).stderr
    said = fenqi("mysql://me:secret@host/x", "report", code=2).stderr
    assert "FENQI_DATABASE_URL" in said
    assert "secret" not in said


def test_a_database_of_another_program_is_left_alone(empty_url: str) -> None:
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE accounts (name TEXT)")

    assert "tables of another program (accounts)" in fenqi(empty_url, "report", code=2).stderr
    assert count(empty_url, TABLES) == 0


@pytest.mark.parametrize("amount", ["-5", "1e5", "¥100", "0.001", "0", "9" * 30])
def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    assert amount[:20] in fenqi("", "plan", "quote", "--", amount, code=2).stderr


def interrupt(url: str, by: signal.Signals, *words: object, book: str, after_days: int = 3) -> str:
    """Start a command, end it by a signal once it has closed some days; return what it says."""
    gate.shut(url, book, days=after_days)
    running = subprocess.Popen(
        [sys.executable, "-m", "fenqi", *map(str, words)],
        env=os.environ | {"FENQI_DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not gate.is_reached(url, book):
        assert running.poll() is None, "it ended before it came to the gate"
        time.sleep(0.02)
    running.send_signal(by)
    gate.open_again(url, book)
    _, said = running.communicate(timeout=SECONDS_MAX)
    assert running.returncode == 128 + by
    assert "Traceback" not in said
    assert shlex.join(map(str, words)) in said, "the command to go on with"
    return said


def figures(text: str) -> dict[str, object]:
    """Return a report without what names the run: its book, and the ids of its accounts."""
    report: dict[str, object] = json.loads(re.sub(r'"account_id": "[0-9a-f-]+",?', "", text))
    return {name: report[name] for name in report if name not in ("book_id", "legal_entity")}


@pytest.mark.usefixtures("heard_interrupts")
def test_a_demo_ended_by_signals_goes_on_to_the_same_figures(
    database_url: str, empty_url: str, tmp_path: Path
) -> None:
    words = ("demo", "--shoppers", 30, "--days", 30, "--out")
    interrupt(database_url, signal.SIGTERM, *words, tmp_path / "cut", book="demo")
    interrupt(database_url, signal.SIGINT, *words, tmp_path / "cut", book="demo", after_days=9)
    fenqi(database_url, *words, tmp_path / "cut", code=0)
    fenqi(empty_url, *words, tmp_path / "whole", code=0)

    cut, whole = (
        figures((tmp_path / name / "report.json").read_text("utf-8")) for name in ("cut", "whole")
    )
    assert cut == whole
    assert whole["plans"] > 0, "figures of nothing prove nothing"


@pytest.mark.usefixtures("heard_interrupts")
def test_a_close_ended_by_a_signal_goes_on_to_the_same_figures(
    database_url: str, tmp_path: Path, short_map: Path
) -> None:
    file = tmp_path / "lines.csv"
    file.write_text(HEADING + GOOD, encoding="utf-8")
    reports = []
    for book in ("cut", "whole"):
        fenqi(
            database_url,
            "replay",
            file,
            "--map",
            short_map,
            "--out",
            tmp_path,
            "--book",
            book,
            code=0,
        )
        close = ("close-day", "2024-01-28", "--book", book)
        if book == "cut":
            interrupt(database_url, signal.SIGINT, *close, book=book)
        fenqi(database_url, *close, code=0)
        reports.append(
            figures(fenqi(database_url, "report", "--book", book, "--json", code=0).stdout)
        )

    assert reports[0] == reports[1]


def test_a_book_goes_on_only_with_the_facts_it_was_begun_with(
    database_url: str, tmp_path: Path, short_map: Path
) -> None:
    file = tmp_path / "lines.csv"
    file.write_text(HEADING + GOOD, encoding="utf-8")
    words = ("replay", file, "--map", short_map, "--out", tmp_path / "out")
    fenqi(database_url, *words, code=0)
    booked = count(database_url, EVENTS)

    for changed in (GOOD.replace("30.50", "30.51"), GOOD + GOOD.replace("2,TEA", "3,TEA")):
        file.write_text(HEADING + changed, encoding="utf-8")
        assert "begun with other facts" in fenqi(database_url, *words, code=2).stderr
        assert count(database_url, EVENTS) == booked
    file.write_text(HEADING + GOOD.replace("\n", "\r\n"), encoding="utf-8")
    fenqi(database_url, *words, code=0)
    assert count(database_url, EVENTS) == booked


def test_a_reader_that_goes_away_is_no_error() -> None:
    shell = f"{sys.executable} -m fenqi plan quote 100 --count 24 | head -1"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)

    assert done.stderr == ""


def test_the_address_of_a_server_keeps_its_database(server_url: str) -> None:
    wrong = urlunsplit(urlsplit(server_url)._replace(path="/no_such_database"))

    assert "no_such_database" in fenqi(wrong, "report", code=3).stderr

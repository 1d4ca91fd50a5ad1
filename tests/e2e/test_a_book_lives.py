"""A person at a terminal: the demo, a replay of a file, an interruption, the day close."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import gate
import pytest

from fenqi.store.policies import SHIPPED

ROOT = Path(__file__).parents[2]
MAP = ROOT / "examples" / "online_retail.toml"
BEAN_CHECK = Path(sys.executable).parent / "bean-check"
SECONDS_MAX = 240


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "fenqi", *map(str, words)]


def fenqi(url: str, *words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the program on a database and expect an exit code."""
    done = subprocess.run(
        command(*words),
        env=os.environ | {"FENQI_DATABASE_URL": url, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done


def figures(url: str, book: str) -> dict[str, object]:
    """Return the report as JSON without what names the run."""
    return json.loads(fenqi(url, "report", "--book", book, "--json").stdout)


def assert_a_stranger_accepts(ledger: Path) -> None:
    done = subprocess.run([BEAN_CHECK, ledger], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def write_history(file: Path, *, customers: int = 12, days: int = 60) -> int:
    """Write a small dirty invoice file in the real file's columns; return how many lines."""
    chance = random.Random(5)
    start = datetime(2024, 1, 1, 9)  # noqa: DTZ001 - the file has local times without a zone
    lines: list[list[object]] = []
    for number in range(customers * 4):
        at = start + timedelta(days=chance.randrange(days), minutes=chance.randrange(600))
        customer: object = 100 + number % customers
        if number % 9 == 0:
            customer = ""
        for item in range(chance.randrange(1, 5)):
            price = f"{chance.randrange(1, 5000) / 100:.2f}"
            lines.append([f"I{number}", f"S{item}", "a thing", 3, at, price, customer, "UK"])
    bought = [line for line in lines if line[6] != ""]
    for place, line in enumerate(bought[::10]):
        later = line[4] + timedelta(days=9)  # type: ignore[operator]
        lines.append([f"C{place}", line[1], "back", -2, later, line[5], line[6], "UK"])
    lines.append(["C999", "NEVER-SOLD", "back", -1, start, "1.00", 100, "UK"])
    lines.append(list(bought[0]))
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    with file.open("w", encoding="utf-8", newline="") as target:
        rows = csv.writer(target)
        rows.writerow(header.split(","))
        rows.writerows(lines)
    return len(lines)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    file = tmp_path / "history.csv"
    write_history(file)
    return file


def test_the_demo_lives_and_a_stranger_accepts_its_ledger(
    database_url: str, tmp_path: Path
) -> None:
    out = tmp_path / "demo"
    done = fenqi(database_url, "demo", "--out", out, "--shoppers", 60, "--days", 150)
    assert "Books checked: clean" in done.stdout
    assert "Days past due" in done.stdout
    assert f"The picture of the book: {out / 'report.html'}" in done.stdout
    assert (out / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert_a_stranger_accepts(out / "ledger.beancount")
    report = json.loads((out / "report.json").read_text())
    assert report["rests_on_drawn_payments"], "the report must say what rests on drawn payments"
    assert len(report["requests"]) > 1, "people ask for more than goods"
    checked = json.loads(fenqi(database_url, "ledger", "check", "--json").stdout)
    assert checked["findings"] == []
    assert checked["plans"] == report["plans"] > 0
    # Its purchases were decided by the policies that are shipped, so there is something to compare.
    words = ("policy", "diff", "purchase", SHIPPED / "purchase.toml", "--days", "3650", "--json")
    told = json.loads(fenqi(database_url, *words).stdout)
    assert told["compared"] == told["seen"] > 100
    assert told["changed"] == 0
    listed = json.loads(fenqi(database_url, "decision", "list", "--most", "1000", "--json").stdout)
    assert {one["policy"] for one in listed} == {"purchase"}
    assert {"approve", "decline"} <= {one["outcome"] for one in listed}
    shown = fenqi(database_url, "decision", "show", listed[0]["decision_id"]).stdout
    assert "purchase 3" in shown
    again = fenqi(database_url, "decision", "replay", listed[0]["decision_id"]).stdout
    assert "The same" in again


def test_every_line_of_a_dirty_file_is_booked_or_named(
    database_url: str, history: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    fenqi(database_url, "replay", history, "--map", MAP, "--out", out)
    tally = json.loads((out / "tally.json").read_text())
    left_out, partly = sum(tally["left_out"].values()), sum(tally["partly_booked"].values())
    with history.open() as file:
        lines = sum(1 for _ in file) - 1
    assert tally["lines"] == lines == tally["booked"] + left_out + partly
    assert {"no-customer", "duplicate", "refund-unmatched"} <= tally["left_out"].keys()
    with (out / "exceptions.csv").open() as file:
        named = [row["line"] for row in csv.DictReader(file)]
    assert len(set(named)) == left_out + partly
    assert_a_stranger_accepts(out / "ledger.beancount")
    json.loads(fenqi(database_url, "ledger", "check", "--json").stdout)


@pytest.mark.usefixtures("heard_interrupts")
def test_an_interrupted_replay_goes_on_and_ends_as_if_it_had_not_been(
    database_url: str, history: Path, tmp_path: Path
) -> None:
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    words = ("replay", history, "--map", MAP, "--out")
    gate.shut(database_url, "cut", days=3)
    running = subprocess.Popen(
        command(*words, cut, "--book", "cut"),
        env=os.environ | {"FENQI_DATABASE_URL": database_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not gate.is_reached(database_url, "cut"):
        assert running.poll() is None, "it ended before it came to the gate"
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    gate.open_again(database_url, "cut")
    _, said = running.communicate(timeout=SECONDS_MAX)
    assert running.returncode == 130
    assert "run the same command again" in said
    fenqi(database_url, *words, cut, "--book", "cut")
    fenqi(database_url, *words, whole, "--book", "whole")
    first, second = figures(database_url, "cut"), figures(database_url, "whole")
    for report in (first, second):
        for name in ("book_id", "legal_entity"):
            report.pop(name, None)
        for account in report["largest_past_due"]:
            account.pop("account_id")  # ids are made anew
    assert first == second


def test_closing_a_closed_day_changes_nothing(
    database_url: str, history: Path, tmp_path: Path
) -> None:
    fenqi(database_url, "replay", history, "--map", MAP, "--out", tmp_path / "out")
    before = figures(database_url, "history")
    done = fenqi(database_url, "close-day", "2024-02-01", "--book", "history")
    assert "closed already" in done.stdout
    assert figures(database_url, "history") == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("close-day", "2024-02-01", "--book", "nowhere"), "nowhere"),
        (("close-day", "not-a-day", "--book", "b"), "not-a-day"),
        (("replay", "no-such-file.csv", "--map", str(MAP), "--out", "x"), "no-such-file.csv"),
        (("report", "--book", "nowhere"), "nowhere"),
    ],
)
def test_a_wrong_word_gets_a_sentence_and_exit_code_2(
    database_url: str, words: tuple[str, ...], said: str
) -> None:
    done = fenqi(database_url, *words, code=2)
    assert said in done.stderr

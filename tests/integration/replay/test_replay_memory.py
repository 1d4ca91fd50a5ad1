"""A long file is read in the memory of a short one, and what waits on disk comes back the same."""

import dataclasses
import errno
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from zoneinfo import ZoneInfo

import pytest

from fenqi.replay import kept, scratch, timeline
from fenqi.replay.behaviour import Behaviour
from fenqi.replay.drive import Drive, World
from fenqi.replay.facts import Fact, Opening
from fenqi.replay.mapping import read_mapping
from fenqi.replay.source import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "online_retail.toml"
HEADING = "InvoiceNo,StockCode,Quantity,UnitPrice,InvoiceDate,CustomerID\n"
SHORT_LINES, LONG_LINES = 60_000, 180_000
GROWN_KIB_MAX = 12_000  # 0.1 KiB a line; with all lines held it was four times that

# In a process of its own, so that the peak is that of this load. The peak that `getrusage` tells
# begins with that of the process that started it.
PEAK = """
import json, re, sys
from pathlib import Path
from fenqi.replay import kept
from fenqi.replay.mapping import read_mapping
from fenqi.replay.source import load

kept.LINES_HELD_MAX = 10_000
stream = load(Path(sys.argv[1]), read_mapping(Path(sys.argv[2])))
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(json.dumps({"booked": stream.tally.booked, "peak_kib": int(peak[1])}))
"""


def write(path: Path, lines: int) -> Path:
    """Write invoices of twenty lines; every hundredth takes back something of the one before it."""
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADING)
        for number in range(lines):
            invoice, item = divmod(number, 20)
            is_return = invoice % 100 == 99
            bought = invoice - is_return
            file.write(
                f"{'C' if is_return else ''}{invoice},S{item},{-1 if is_return else 2},1.25,"
                f"2011-03-{bought % 28 + 1:02} 1{int(is_return)}:00,{bought // 3 % 900}\n"
            )
    return path


def peak_kib(file: Path, lines: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(write(file, lines)), str(EXAMPLE)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, int] = json.loads(done.stdout)
    assert found["booked"] == lines
    return found["peak_kib"]


def test_a_file_three_times_as_long_takes_no_more_memory(tmp_path: Path) -> None:
    short = peak_kib(tmp_path / "short.csv", SHORT_LINES)
    long = peak_kib(tmp_path / "long.csv", LONG_LINES)
    assert long - short < GROWN_KIB_MAX


def dirty_lines(seed: int) -> list[str]:
    """Return lines in no order: repeated, returned, left out, of invoices far apart."""
    draw = random.Random(seed)
    lines = []
    for _ in range(400):
        if draw.random() < 0.1:
            lines.append(draw.choice(lines or ["1,S1,1,1.00,2011-03-01 10:00,1\n"]))
            continue
        invoice, is_return = draw.randrange(60), draw.random() < 0.25
        price = draw.choice(["1.00", "1.0", "2.50", "0.105", "0"])
        quantity = draw.randrange(1, 5)
        customer = draw.choice([str(invoice % 7), str(invoice % 7), ""])
        at = f"2011-03-{draw.randrange(1, 4):02} 10:{draw.randrange(3):02}"
        name = f"C{invoice}" if is_return else str(invoice)
        signed = -quantity if is_return else quantity
        lines.append(f"{name},S{draw.randrange(4)},{signed},{price},{at},{customer}\n")
    return lines


@pytest.mark.parametrize("seed", range(5))
def test_what_was_put_away_comes_back_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    file = tmp_path / "lines.csv"
    file.write_text(HEADING + "".join(dirty_lines(seed)), encoding="utf-8")
    mapping = read_mapping(EXAMPLE)
    whole = load(file, mapping)
    assert {"duplicate", "refund-unmatched", "no-customer"} <= set(whole.tally.left_out)

    monkeypatch.setattr(kept, "LINES_HELD_MAX", 1)
    monkeypatch.setattr(timeline, "ROWS_HELD_MAX", 1)
    piecewise = load(file, mapping)

    assert list(piecewise.facts) == list(whole.facts)
    assert len(piecewise.facts) == len(list(whole.facts)) > 50
    assert list(piecewise.exceptions) == list(whole.exceptions)
    assert dataclasses.replace(piecewise, facts=(), exceptions=()) == dataclasses.replace(
        whole, facts=(), exceptions=()
    )


def test_a_disk_without_room_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "PAGES_MAX", 20)
    monkeypatch.setattr(kept, "LINES_HELD_MAX", 1_000)
    with pytest.raises(OSError, match="TMPDIR") as caught:
        load(write(tmp_path / "lines.csv", 5_000), read_mapping(EXAMPLE))
    assert caught.value.errno == errno.ENOSPC


class Watched(Drive):
    """A drive that notes which facts a day is given, and lives nothing."""

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__(cast(World, SimpleNamespace(zone=zone)), cast(Behaviour, None))
        self.given: dict[date, list[str]] = {}

    def _live(self, day: date, facts: Sequence[Fact]) -> None:
        self.given[day] = [fact.person for fact in facts]


def test_each_day_is_given_its_own_facts_even_when_the_clock_is_set_back_over_midnight() -> None:
    """In St John's, on 7 November 2010, one minute past midnight became 23:01 of the day before."""
    begun = datetime(2010, 11, 7, 2, 30, 30, tzinfo=UTC)  # half a minute into the seventh
    facts = [
        Opening("sixth", begun - timedelta(hours=1), 1, 1),
        Opening("seventh", begun, 1, 1),
        Opening("sixth again", begun + timedelta(minutes=20), 1, 1),
        Opening("seventh again", begun + timedelta(hours=2), 1, 1),
        Opening("tenth", begun + timedelta(days=3, hours=6), 1, 1),
        Opening("too late", begun + timedelta(days=9), 1, 1),
    ]
    drive = Watched(ZoneInfo("America/St_Johns"))
    days = [date(2010, 11, number) for number in (5, 6, 7, 8, 9, 10, 11)]
    drive.run(iter(facts), days[0], days[-1], lambda _: None)
    assert list(drive.given) == days
    assert [drive.given[day] for day in days] == [
        [],
        ["sixth", "sixth again"],
        ["seventh", "seventh again"],
        [],
        [],
        ["tenth"],
        [],
    ]

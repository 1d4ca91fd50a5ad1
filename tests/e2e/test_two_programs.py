"""A second program on the same data folder: told of the first, and never able to harm it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fenqi.store.server import Server

MAP = Path(__file__).parents[2] / "examples" / "online_retail.toml"
SECONDS_MAX = 200
HEADING = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def environment(data: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "FENQI_DATABASE_URL"}
    return kept | {"FENQI_DATA": str(data), "COLUMNS": "200"}


def fenqi(data: Path, *words: object, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "fenqi", *map(str, words)],
        env=environment(data),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@contextmanager
def working(data: Path, *words: object, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A first program that is at work by the time this begins."""
    program = subprocess.Popen(
        [sys.executable, "-m", "fenqi", *map(str, words)],
        env=environment(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + SECONDS_MAX
        while not any((folder / "programs").glob(f"{program.pid}-*")):
            assert program.poll() is None, program.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield program
    finally:
        if program.poll() is None:
            program.kill()
            program.communicate()


def write_history(file: Path, *, months: int) -> Path:
    """Write a purchase a day."""
    days = [f"{month:02}-{day:02}" for month in range(1, months + 1) for day in range(1, 29)]
    lines = [
        f"I{place},S{place},thing,1,2024-{day} 09:00:00,9.5,{place % 7},UK"
        for place, day in enumerate(days)
    ]
    file.write_text("\n".join([HEADING, *lines]) + "\n")
    return file


@pytest.mark.timeout(400)
def test_a_second_program_is_told_of_the_first_and_both_end_well(
    private_folder: Path, tmp_path: Path
) -> None:
    data = private_folder / "shared-by-two"
    server = Server(data / "postgres")
    long = write_history(tmp_path / "long.csv", months=6)
    short = write_history(tmp_path / "short.csv", months=1)
    words = ("--map", MAP, "--out", tmp_path)
    try:
        with working(data, "replay", long, *words, folder=server.folder) as first:
            pid = first.pid
            refused = fenqi(data, "db", "stop", code=2)
            assert f"fenqi replay {long}" in refused.stderr
            assert f"(process {pid})" in refused.stderr
            second = fenqi(data, "replay", short, *words)
            assert f"(process {pid})" in second.stderr
            assert "Both go on" in second.stderr
            assert first.poll() is None, "the second was to end first: give the first more to do"
            assert server.status().is_running, "the second stopped the server under the first"
            _, said = first.communicate(timeout=SECONDS_MAX)
            assert first.returncode == 0, said
        assert not server.status().is_running, "the last to leave stops what it started"
        checked = json.loads(fenqi(data, "ledger", "check", "--json").stdout)
        assert checked["findings"] == []
    finally:
        server.stop()


@pytest.mark.timeout(400)
def test_a_second_demo_does_not_wipe_the_first_ones_database(
    private_folder: Path, tmp_path: Path
) -> None:
    data = private_folder / "two-demos"
    server = Server(data / "demo" / "postgres")
    words = ("demo", "--shoppers", 20, "--days", 40, "--out")
    try:
        with working(data, *words, tmp_path / "one", folder=server.folder) as first:
            refused = fenqi(data, *words, tmp_path / "two", code=2)
            assert "Another program works in" in refused.stderr
            assert f"(process {first.pid})" in refused.stderr
            _, said = first.communicate(timeout=SECONDS_MAX)
            assert first.returncode == 0, said
        assert "Books checked: clean" in fenqi(data, *words, tmp_path / "two").stdout
    finally:
        server.stop()


@pytest.mark.timeout(400)
def test_a_killed_program_holds_no_seat_and_the_next_one_stops_the_server(
    private_folder: Path, tmp_path: Path
) -> None:
    data = private_folder / "left-behind"
    server = Server(data / "demo" / "postgres")
    words = ("demo", "--shoppers", 20, "--days", 40, "--out")
    try:
        with working(data, *words, tmp_path / "one", folder=server.folder) as first:
            first.send_signal(signal.SIGKILL)
            first.communicate()
        assert server.status().is_running
        said = fenqi(data, *words, tmp_path / "two").stdout
        assert "Books checked: clean" in said
        # The challenger that was begun before the kill goes on, and is told of at the end.
        assert "A challenger judged beside the policy" in said
        told = (tmp_path / "two" / "challenger.txt").read_text("utf-8")
        assert told.startswith("purchase purchase 2")
        assert not server.status().is_running
    finally:
        server.stop()

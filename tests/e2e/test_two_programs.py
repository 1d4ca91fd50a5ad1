"""A second program on the same data folder: told of the first, and never able to harm it."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gate
import pytest

from fenqi.store.server import Server

MAP = Path(__file__).parents[2] / "examples" / "online_retail.toml"
SECONDS_MAX = 400  # against what hangs
pytestmark = pytest.mark.timeout(1800)  # seconds: each test is several whole programs
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


@contextmanager
def stopped(program: "subprocess.Popen[str]", folder: Path) -> Iterator[None]:
    """Let a program stand still where it is, but not with the lock of its folder in its hand."""
    with (folder / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        program.send_signal(signal.SIGSTOP)
    yield
    program.send_signal(signal.SIGCONT)


def write_history(file: Path, *, months: int) -> Path:
    """Write a purchase a day."""
    days = [f"{month:02}-{day:02}" for month in range(1, months + 1) for day in range(1, 29)]
    lines = [
        f"I{place},S{place},thing,1,2024-{day} 09:00:00,9.5,{place % 7},UK"
        for place, day in enumerate(days)
    ]
    file.write_text("\n".join([HEADING, *lines]) + "\n")
    return file


def test_a_second_program_is_told_of_the_first_and_both_end_well(
    private_folder: Path, tmp_path: Path
) -> None:
    data = private_folder / "shared-by-two"
    server = Server(data / "postgres")
    long = write_history(tmp_path / "long.csv", months=6)
    short = write_history(tmp_path / "short.csv", months=1)
    words = ("--map", MAP, "--out", tmp_path)
    try:
        fenqi(data, "db", "start")
        gate.shut(server.url, "long", days=3)  # the first has more to do than the second
        fenqi(data, "db", "stop")
        with working(data, "replay", long, *words, folder=server.folder) as first:
            pid = first.pid
            refused = fenqi(data, "db", "stop", code=2)
            assert f"fenqi replay {long}" in refused.stderr
            assert f"(process {pid})" in refused.stderr
            second = fenqi(data, "replay", short, *words)
            assert f"(process {pid})" in second.stderr
            assert "Both go on" in second.stderr
            assert first.poll() is None
            assert server.status().is_running, "the second stopped the server under the first"
            gate.open_again(server.url, "long")
            _, said = first.communicate(timeout=SECONDS_MAX)
            assert first.returncode == 0, said
        assert not server.status().is_running, "the last to leave stops what it started"
        checked = json.loads(fenqi(data, "ledger", "check", "--json").stdout)
        assert checked["findings"] == []
    finally:
        server.stop()


def test_a_second_demo_does_not_wipe_the_first_ones_database(
    private_folder: Path, tmp_path: Path
) -> None:
    data = private_folder / "two-demos"
    server = Server(data / "demo" / "postgres")
    words = ("demo", "--shoppers", 20, "--days", 40, "--out")
    try:
        with working(data, *words, tmp_path / "one", folder=server.folder) as first:
            with stopped(first, server.folder):
                refused = fenqi(data, *words, tmp_path / "two", code=2)
            assert "Another program works in" in refused.stderr
            assert f"(process {first.pid})" in refused.stderr
            _, said = first.communicate(timeout=SECONDS_MAX)
            assert first.returncode == 0, said
        assert "Books checked: clean" in fenqi(data, *words, tmp_path / "two").stdout
    finally:
        server.stop()


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
        assert told.startswith("purchase 4")
        assert not server.status().is_running
    finally:
        server.stop()


@pytest.mark.timeout(400)
def test_the_demo_helps_who_pays_late_and_cut_off_helps_the_same(
    private_folder: Path, tmp_path: Path
) -> None:
    figures = []
    for name in ("whole", "cut"):
        data, out = private_folder / f"helped-{name}", tmp_path / name
        server = Server(data / "demo" / "postgres")
        words = ("demo", "--shoppers", 60, "--days", 100, "--out", out)
        try:
            if name == "cut":
                with working(data, *words, folder=server.folder) as first:
                    wait_for_rounds(data, first)
                    first.send_signal(signal.SIGKILL)
                    first.communicate()
            fenqi(data, *words)
        finally:
            server.stop()
        figures.append(json.loads((out / "report.json").read_text("utf-8")))
    whole, cut = figures
    told = {one["reason"]: one["count"] for one in whole["paying"]}
    assert told["nudge"] > 0
    assert told["relief"] > 0
    for one in ("paying", "purchases", "receivables", "plans"):
        assert cut[one] == whole[one], one


def wait_for_rounds(data: Path, program: "subprocess.Popen[str]") -> None:
    """Wait until a demo has asked about how people pay a few times."""
    until = time.monotonic() + SECONDS_MAX
    while time.monotonic() < until:
        assert program.poll() is None, program.communicate()
        told = subprocess.run(
            [sys.executable, "-m", "fenqi", "worker", "status", "--json"],
            env=environment(data / "demo"),
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode == 0 and has_decided(json.loads(told.stdout)):
            return
        time.sleep(0.2)
    raise AssertionError("nobody was asked about in time")


def has_decided(told: dict[str, list[dict[str, object]]]) -> bool:
    return any(one["name"] == "repayment" and one["touched"] for one in told["duties"])

"""Fifty times kill -9, of the program and of its server, under load: nothing lost, nothing doubled.

The load tells facts, applies, signs, buys, pays, contests, excuses outages and closes days. After
each kill the program rests and audits itself (`audit.py`).

Run it with `make soak`. Settings: FENQI_SOAK_KILLS (50), FENQI_SOAK_SEED (1). It shows how far it
is, may be interrupted, and leaves its figures in out/soak/.
"""

import dataclasses
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from journal import Story, read
from rich.console import Console
from rich.table import Table

from fenqi.desk import Desk
from fenqi.flows.apply import Apply
from fenqi.flows.authorise import Authorise
from fenqi.flows.contest import OpenContest
from fenqi.flows.decide import Decide
from fenqi.flows.enrol import Enrol
from fenqi.flows.observe import Observe
from fenqi.flows.receive import Receive
from fenqi.flows.sign import Sign
from fenqi.machine import Config
from fenqi.report.check import check
from fenqi.runtime import Runtime
from fenqi.store.server import Server
from fenqi.worker.close import STEPS

ROOT = Path(__file__).parents[2]
OUT = ROOT / "out" / "soak"
KILLS = int(os.environ.get("FENQI_SOAK_KILLS", "50"))
SEED = int(os.environ.get("FENQI_SOAK_SEED", "1"))
LIFE_SECONDS = (0.0, 8.0)  # between a recovery and the next kill
START_SECONDS = (0.2, 2.5)  # of the program, in which it may be killed again
RECOVERY_SECONDS_MAX = 60
SECONDS_A_KILL_MAX = 20  # on the whole; a soak that takes longer is ended
END_SECONDS_MAX = 60
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@dataclass
class Summary:
    """What the soak did and found. Units: seconds."""

    seed: int = SEED
    kills_of_program: int = 0
    kills_of_server: int = 0
    kills_of_server_with_all_its_processes: int = 0
    starts_that_worked: int = 0
    is_whole: bool = False
    seconds: float = 0
    recovery_median: float = 0
    recovery_max: float = 0
    commands_sent: int = 0
    commands_sent_again: int = 0
    commands_answered: int = 0
    commands_refused: int = 0
    told_outcome_unknown: int = 0
    told_not_booked: int = 0
    days_closed: int = 0
    broken: int = 0
    answers_changed: int = 0
    answers_lost: int = 0
    commands_left_in_doubt: int = 0
    rows_too_many_or_too_few: int = 0
    days_lost: int = 0
    days_not_whole: int = 0
    check_findings: int = 0
    plans_replayed: int = 0
    facts_told: int = 0
    facts_lost_or_doubled: int = 0
    applications: int = 0
    accounts_signed: int = 0
    contests: int = 0
    outage_days: int = 0
    outage_days_counted: int = 0
    audits: int = 0
    audit_seconds_max: float = 0
    audits_with_a_finding: int = 0
    features_compared: int = 0
    features_wrong: int = 0
    recoveries: list[float] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return self.kills_of_program + self.kills_of_server


class Soak:
    """The program under load, its server, and the one who kills them."""

    def __init__(self, folder: Path) -> None:
        OUT.mkdir(parents=True, exist_ok=True)
        self.journal = OUT / "journal.jsonl"
        self.journal.unlink(missing_ok=True)
        self._words = (OUT / "program.log").open("w")
        self.config = Config(data_folder=folder)
        self.server = Server(self.config.database_folder)
        self._chance = random.Random(SEED)
        self._lives = 0
        self._begun = time.monotonic()
        self.summary = Summary()
        self._console = Console()
        self.program = self._start()

    # Starting and killing -------------------------------------------------------------------

    def _start(self) -> "subprocess.Popen[bytes]":
        self._lives += 1
        words = [self.config.data_folder, self.journal, f"{SEED}-{self._lives}"]
        return subprocess.Popen(
            [sys.executable, Path(__file__).with_name("driver.py"), *map(str, words)],
            stdout=self._words,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us
        )

    def _restart_server(self) -> None:
        """Start the server as a person would."""
        done = subprocess.run(
            [sys.executable, "-m", "fenqi", "db", "start"],
            env=os.environ | {"FENQI_DATA": str(self.config.data_folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def kill(self, number: int) -> None:
        """Kill one of the two, let it start again, and wait until work goes on."""
        time.sleep(self._chance.uniform(*LIFE_SECONDS))
        assert self.program.poll() is None, self._last_words()
        killed_at = time.monotonic()
        if number % 2 == 0:
            self._kill_program()
            if number % 6 == 4:  # and again while it starts
                time.sleep(self._chance.uniform(*START_SECONDS))
                self._kill_program()
        else:
            self._kill_server(with_all=number % 4 == 3)
            self._restart_server()
        self._await_answer()
        self.summary.starts_that_worked += 1
        self.summary.recoveries.append(time.monotonic() - killed_at)
        self._audit()

    def _kill_program(self) -> None:
        self.program.kill()
        self.program.wait()
        self.summary.kills_of_program += 1
        self.program = self._start()

    def _kill_server(self, *, with_all: bool) -> None:
        postmaster = self.server.status().pid
        assert postmaster is not None
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children")
        pids = [postmaster, *(map(int, children.read_text().split()) if with_all else ())]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.summary.kills_of_server += 1
        self.summary.kills_of_server_with_all_its_processes += with_all

    def _audit(self) -> None:
        """Let the program rest and look whether all that must hold does."""
        seen, begun = self.journal.stat().st_size, time.monotonic()
        self.program.send_signal(signal.SIGUSR1)
        self._await(b'{"audited"', seen)
        spent = round(time.monotonic() - begun, 2)
        self.summary.audit_seconds_max = max(spent, self.summary.audit_seconds_max)

    def _await_answer(self) -> None:
        """Wait for an answer that was given after now."""
        seen = self.journal.stat().st_size if self.journal.exists() else 0
        self._await(b'{"answered"', seen)

    def _await(self, words: bytes, seen: int) -> None:
        """Wait for words in the journal beyond a place."""
        until = time.monotonic() + RECOVERY_SECONDS_MAX
        while time.monotonic() < until:
            assert self.program.poll() is None, self._last_words()
            if self.journal.exists() and self.journal.stat().st_size > seen:
                with self.journal.open("rb") as file:
                    file.seek(seen)
                    if words in file.read():
                        return
            time.sleep(0.02)
        said = f"no {words.decode()} within {RECOVERY_SECONDS_MAX} s\n{self._last_words()}"
        raise AssertionError(said)

    def _last_words(self) -> str:
        return (OUT / "program.log").read_text()[-3000:]

    # The whole run --------------------------------------------------------------------------

    def run(self) -> None:
        self._await_answer()
        assert self._settings() == DURABLE
        number = 0
        while self.summary.kills < KILLS:
            self.kill(number)
            self._tell(number)
            number += 1
            assert time.monotonic() - self._begun < 60 + SECONDS_A_KILL_MAX * KILLS, "too slow"
        self.summary.is_whole = True

    def _settings(self) -> dict[str, str]:
        with Runtime.open(self.config) as runtime, runtime.store.transaction() as session:
            return {one: session.rows(f"SHOW {one}")[0][0] for one in DURABLE}

    def _tell(self, number: int) -> None:
        last = self.summary.recoveries[-1]
        what = "server" if number % 2 else "program"
        self._console.print(
            f"kill {self.summary.kills:>3} of {KILLS}: {what:<7} back after {last:5.2f} s, "
            f"{time.monotonic() - self._begun:5.0f} s in all"
        )

    def end(self) -> None:
        """Let the program finish in order."""
        if self.program.poll() is None:
            self.program.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.program.wait(END_SECONDS_MAX)
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        self._words.close()

    # What is left ---------------------------------------------------------------------------

    def judge(self) -> None:
        """Ask for every answer again, compare the books with the journal, and check them."""
        self._console.print("asking for every answer again, and checking the books")
        story, summary = read(self.journal), self.summary
        with Runtime.open(self.config) as runtime:
            before = _rows(runtime, SIZES)
            with Desk(runtime.ground) as desk:
                asked = {key: desk.submit(story.sent[key]) for key in story.answers}
                again = {key: _told(future) for key, future in asked.items()}
            summary.answers_lost = sum(again[key] != story.answers[key] for key in again)
            kept = {"/".join(row) for row in _rows(runtime, KEPT)}
            counted = {what: count for what, count in _rows(runtime, COUNTED)}
            expected = _expected(story)
            summary.rows_too_many_or_too_few = (
                len(kept ^ story.answers.keys())
                + sum(abs(counted[what] - count) for what, count in expected.items())
                + (before != _rows(runtime, SIZES))
            )
            self._judge_facts(story, dict(_rows(runtime, FACTS)))
            steps = {day.isoformat(): count for day, count in _rows(runtime, CLOSED)}
            checked = check(runtime.store)
        summary.days_closed = len(steps)
        summary.days_lost = len(set(story.closed) - steps.keys())
        summary.days_not_whole = sum(count != STEPS_A_DAY for count in steps.values())
        summary.check_findings, summary.plans_replayed = len(checked.findings), checked.plans
        self._count(story)

    def _judge_facts(self, story: Story, kept: dict[str, int]) -> None:
        answered = [story.sent[key] for key in story.answers]
        told = {one.key: len(one.facts) for one in answered if isinstance(one, Observe)}
        summary = self.summary
        summary.facts_told = sum(told.values())
        summary.facts_lost_or_doubled = sum(
            abs(kept.get(key, 0) - told.get(key, 0)) for key in kept.keys() | told.keys()
        )
        summary.applications = sum(isinstance(one, Apply) for one in answered)
        summary.accounts_signed = sum(isinstance(one, Sign) for one in answered)
        summary.contests = sum(isinstance(one, OpenContest) for one in answered)
        summary.outage_days = sum(one is not None for one in story.outages.values())
        summary.audits = len(story.audits)
        summary.audits_with_a_finding = sum(
            any(one[name] for name in WRONG) for one in story.audits
        )
        summary.features_compared = sum(one["features"] for one in story.audits)
        summary.features_wrong = sum(one["features_wrong"] for one in story.audits)
        summary.outage_days_counted = sum(one["outage_days_counted"] for one in story.audits)

    def _count(self, story: Story) -> None:
        summary = self.summary
        summary.seconds = round(time.monotonic() - self._begun, 1)
        summary.recoveries = [round(one, 2) for one in summary.recoveries]
        if summary.recoveries:
            summary.recovery_median = round(statistics.median(summary.recoveries), 2)
            summary.recovery_max = max(summary.recoveries)
        summary.commands_sent = len(story.sent)
        summary.commands_sent_again = sum(times - 1 for times in story.times_sent.values())
        summary.commands_answered = len(story.answers)
        summary.commands_refused = len(story.refused)
        summary.told_outcome_unknown = story.failed["outcome-unknown"]
        summary.told_not_booked = story.failed["database-gone"]
        summary.commands_left_in_doubt = len(story.in_doubt)
        summary.answers_changed = len(story.changed)
        summary.broken = len(story.broken)

    def show(self) -> None:
        values = dataclasses.asdict(self.summary)
        (OUT / "summary.json").write_text(json.dumps(values, indent=2) + "\n")
        table = Table(title="Soak", show_header=False)
        for what, value in values.items():
            if what != "recoveries":
                table.add_row(what.replace("_", " "), f"{value:,}")
        self._console.print(table)
        self._console.print(f"figures: {OUT / 'summary.json'}, journal: {self.journal}")


KEPT = "SELECT scope_kind, scope_id, key FROM commands"
COUNTED = """
SELECT 'orders', COUNT(*) FROM orders
UNION ALL SELECT 'receipts', COUNT(*) FROM receipts
UNION ALL SELECT 'accounts', COUNT(*) FROM accounts WHERE kind = 'customer'
UNION ALL SELECT 'decisions', COUNT(*) FROM decisions WHERE kind = 'purchase'
UNION ALL SELECT 'applications', COUNT(*) FROM applications
UNION ALL SELECT 'decided', COUNT(*) FROM decisions WHERE kind = 'application'
UNION ALL SELECT 'contests', COUNT(*) FROM contests
"""
FACTS = """
SELECT command_key, COUNT(*) FROM events WHERE command_key LIKE 'told-%' AND kind IN (
    'login', 'device-changed', 'phone-changed', 'basket', 'payment-failed', 'complaint')
GROUP BY command_key
"""
WRONG = (
    *("facts_lost", "facts_doubled", "features_wrong"),
    *("outage_days_counted", "check_findings"),
)
SIZES = """
SELECT (SELECT COUNT(*) FROM transfers), (SELECT COUNT(*) FROM events),
    (SELECT COUNT(*) FROM operations), (SELECT COUNT(*) FROM allocations)
"""
CLOSED = """
SELECT day, COUNT(*) FROM close_steps GROUP BY day
HAVING BOOL_OR(step = 'turn') ORDER BY day
"""
STEPS_A_DAY = sum(2 if step.is_sliced else 1 for step in STEPS)


def _rows(runtime: Runtime, sql: str) -> list[Any]:
    with runtime.store.transaction() as session:
        return session.rows(sql)


def _told(future: "Future[Any]") -> dict[str, Any]:
    fault = future.exception()
    return {"error": str(fault)} if fault else msgspec.to_builtins(future.result())


def _expected(story: Story) -> dict[str, int]:
    """Return how many rows the answers say there are."""
    answered = [(story.sent[key], answer) for key, answer in story.answers.items()]
    bought = [answer for command, answer in answered if isinstance(command, Authorise)]
    return {
        "orders": sum(answer["outcome"] == "approve" for answer in bought),
        "receipts": sum(isinstance(one, Receive) and one.receipt_id is None for one, _ in answered),
        "accounts": sum(isinstance(one, Enrol | Sign) for one, _ in answered),
        "decisions": len(bought),
        "applications": sum(isinstance(one, Apply) for one, _ in answered),
        "decided": sum(isinstance(one, Decide) for one, _ in answered),
        "contests": sum(isinstance(one, OpenContest) for one, _ in answered),
    }


@pytest.mark.timeout(3600)
def test_nothing_is_lost_or_doubled_by_killing_program_and_server_under_load(
    private_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        soak = Soak(private_folder / "soak")
        try:
            try:
                soak.run()
            finally:  # also when somebody has seen enough
                soak.end()
                soak.judge()
                soak.show()
        finally:
            soak.server.stop()
    found = soak.summary
    assert found.is_whole
    assert found.starts_that_worked == len(found.recoveries)
    assert found.commands_answered > 100 * len(found.recoveries)
    assert found.days_closed > len(found.recoveries) // 2
    assert (found.answers_lost, found.answers_changed, found.broken) == (0, 0, 0)
    assert (found.rows_too_many_or_too_few, found.commands_left_in_doubt) == (0, 0)
    assert (found.days_lost, found.days_not_whole) == (0, 0)
    assert found.check_findings == 0
    assert found.audits >= len(found.recoveries)
    assert (found.audits_with_a_finding, found.facts_lost_or_doubled) == (0, 0)
    assert found.facts_told > 10 * len(found.recoveries)
    assert found.features_compared > 100 * len(found.recoveries)
    assert min(found.accounts_signed, found.contests, found.outage_days) > 0

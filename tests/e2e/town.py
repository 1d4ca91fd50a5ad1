"""A town to tell scenes in: its book in an embedded server of its own, its doors, its clock.

Whatever has a command is done by the program, run as a program; purchases and payments, which
merchants and channels send, go through a desk in this process. All of them share one clock.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from moved import FileClock

from fenqi.core.values.ids import AccountId, MerchantId
from fenqi.desk import Desk
from fenqi.flows.authorise import Authorise, Authorised
from fenqi.flows.enrol import Enrol
from fenqi.flows.receive import Receive
from fenqi.machine import Config
from fenqi.runtime import Runtime
from fenqi.store import books

MOVED = Path(__file__).with_name("moved.py")
BOOK = "town"
ZONE = "Asia/Shanghai"
START = datetime(2026, 6, 1, 2, tzinfo=UTC)  # ten in the morning there
FUNDING = 1_000_000_000
SECONDS_MAX = 240  # against what hangs


@dataclass
class Town:
    """The book, its desk, and the folder in which programs find it."""

    data: Path
    clock: FileClock
    runtime: Runtime
    desk: Desk
    merchant: MerchantId
    keys: Iterator[int] = field(default_factory=lambda: count(1))

    def wait(self, **length: float) -> None:
        self.clock.set(self.clock.now() + timedelta(**length))

    def environment(self, language: str = "en") -> dict[str, str]:
        kept = {name: one for name, one in os.environ.items() if name != "FENQI_DATABASE_URL"}
        own = {"FENQI_DATA": str(self.data), "FENQI_LANGUAGE": language, "COLUMNS": "250"}
        return kept | own

    def command(self, *words: object) -> list[str]:
        return [sys.executable, str(MOVED), str(self.clock.file), *map(str, words)]

    def fenqi(
        self, *words: object, taken: str | None = None, language: str = "en", code: int = 0
    ) -> str:
        """Run the program, expect an exit code, and return what it printed."""
        done = subprocess.run(
            self.command(*words),
            env=self.environment(language),
            input=taken,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    def asked(self, *words: object) -> Any:
        """Return what a command prints for programs."""
        return json.loads(self.fenqi(*words, "--json"))

    @contextmanager
    def working(self) -> "Iterator[subprocess.Popen[str]]":
        """Let `fenqi worker run` do its duties meanwhile, as a program of its own."""
        program = subprocess.Popen(
            self.command("worker", "run"),
            env=self.environment() | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert program.stdout is not None
            assert "running watch" in program.stdout.readline()
            yield program
        finally:
            program.terminate()
            program.communicate(timeout=SECONDS_MAX)

    def enrol(self, names: Iterable[str], *, limit_minor: int = 2_000_000) -> list[AccountId]:
        """Open accounts, as a lender's history does."""
        commands = [
            Enrol(
                scope_kind="book",
                scope_id=BOOK,
                key=f"enrol-{name}",
                book_id=BOOK,
                person_reference=name,
                limit_minor=limit_minor,
                statement_day=1,
            )
            for name in names
        ]
        answers = [self.desk.submit(one) for one in commands]
        return [AccountId(UUID(one.result().account_id)) for one in answers]

    def buy(self, account: AccountId, amount_minor: int = 20_000, *plan: Any) -> Authorised:
        """Buy something that leaves the shop at once."""
        product, instalments = plan or ("flat", 3)
        number = next(self.keys)
        command = Authorise(
            scope_kind="merchant",
            scope_id=str(self.merchant),
            key=f"order-{number}",
            account_id=account,
            merchant_id=self.merchant,
            merchant_order=f"order-{number}",
            amount_minor=amount_minor,
            product=product,
            count=instalments,
            placed_at=self.clock.now(),
            capture_now=True,
        )
        answer: Authorised = self.desk.submit(command).result()
        return answer

    def pay(self, account: AccountId, amount_minor: int) -> Any:
        """Let money of a customer come in."""
        number = next(self.keys)
        command = Receive(
            scope_id=str(account),
            key=f"payment-{number}",
            account_id=account,
            channel="bank",
            channel_reference=f"transfer-{number}",
            amount_minor=amount_minor,
            received_at=self.clock.now(),
        )
        return self.desk.submit(command).result()

    def observe(self, *facts: Mapping[str, object]) -> dict[str, Any]:
        """Tell facts at the program's door; return what became of them."""
        taken = "\n".join(json.dumps(one) for one in facts)
        found: dict[str, Any] = json.loads(self.fenqi("observe", "-", "--json", taken=taken))
        assert found["stored"] == len(facts)
        return found

    def fact(self, account: AccountId, kind: str, **said: object) -> dict[str, object]:
        at = self.clock.now().isoformat()
        return {"account": str(account), "kind": kind, "happened_at": at, **said}

    def rows(self, question: str, **values: object) -> list[tuple[Any, ...]]:
        with self.runtime.store.transaction() as session:
            return session.rows(question, values)

    def until(self, seen: Callable[[], bool]) -> None:
        """Wait for other programs, while the clock stands still."""
        hangs_at = time.monotonic() + SECONDS_MAX
        while not seen():
            assert time.monotonic() < hangs_at
            time.sleep(0.02)

    def close_days(self, last: date) -> None:
        self.fenqi("close-day", last, "--book", BOOK)

    def assert_sound(self) -> None:
        """Ask the nightly check."""
        checked = self.asked("ledger", "check")
        assert checked["findings"] == []


@contextmanager
def town(data: Path, clock_file: Path) -> Iterator[Town]:
    """Open a book where nothing has happened yet and all shipped policies decide."""
    clock = FileClock(clock_file)
    clock.set(START)
    with Runtime.open(Config(data_folder=data), clock=clock, stop_after=True) as runtime:
        pack = runtime.ground.catalogue.pack("cn")
        new = books.NewBook(
            book_id=BOOK,
            legal_entity="Town Credit Ltd",
            currency="CNY",
            zone=ZONE,
            opened_on=START.astimezone(ZoneInfo(ZONE)).date(),
            pack=pack.pack_id,
            pack_version=pack.version,
            slices=1,
            funding_minor=FUNDING,
        )
        with runtime.store.transaction() as session:
            books.create(session, new, ids=runtime.ids, now=clock.now())
            merchant = books.merchant(session, BOOK, "shop", ids=runtime.ids)
        with Desk(runtime.ground) as desk:
            yield Town(data, clock, runtime, desk, merchant)

"""Tells a file of facts through the desk: all its lines make sense before the first is told.

What was read waits on disk, its identity values sealed. Each fact is a command of its own whose key
comes from what it says, so a file that was cut off, or is told twice, goes on with what is not
known yet.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO
from uuid import UUID

import msgspec

from fenqi.channels.fact_file import (
    NOT_SHOWN,
    BadLine,
    FactLine,
    FactsUnreadable,
    read_facts,
)
from fenqi.core.values.ids import AccountId
from fenqi.core.values.phrase import Phrase, lines
from fenqi.desk import Desk
from fenqi.flows.observe import WAITING_MAX, Observe, Observed, Told, strangers, told_before
from fenqi.replay.leftovers import Table
from fenqi.replay.scratch import Scratch
from fenqi.runtime import Runtime

ACTOR = "file"
PAGE = 1_000  # facts, or accounts, that are asked about at once
BAD_NAMED_MAX = 20  # of the lines that make no sense, in the error
BAD_FACTS = ("line", "field", "value", "expected")  # of the file of bad lines
SCHEMA = """
CREATE TABLE facts (
    key TEXT PRIMARY KEY, line INTEGER NOT NULL, account TEXT NOT NULL, told BLOB NOT NULL
);
CREATE INDEX facts_by_account ON facts (account, line);
"""
KEEP = "INSERT OR IGNORE INTO facts (key, line, account, told) VALUES (?, ?, ?, ?)"
ACCOUNTS = "SELECT DISTINCT account FROM facts ORDER BY account"
LINES_OF = "SELECT line FROM facts WHERE account = ? ORDER BY line"
LEAVE_OUT = "DELETE FROM facts WHERE account = ?"
COUNT = "SELECT COUNT(*) FROM facts"
IN_ORDER = "SELECT key, account, told FROM facts ORDER BY line"

OnTold = Callable[[int], None]  # is told how many more facts are known now


@dataclass(slots=True)
class Tally:
    """What became of the lines of a file; `stored` and `known` are the facts that are known now.

    `stored` are those this run told; `known` were there before it came to them, whoever told them.
    The rest is about those it told.

    `outcomes` counts what was decided after a fact of access: the strongest effect, or approve.
    """

    stored: int = 0
    known: int = 0
    late: int = 0
    skewed: int = 0
    left_out: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


class Waiting:
    """The facts of a file, read and on disk, in the order of its lines."""

    def __init__(self, name: str, bad: Table | None) -> None:
        self._name, self._table = name, bad
        self._scratch = Scratch(SCHEMA)
        self.run = ""  # the name of this run, under which its facts are told
        self._named: list[BadLine] = []
        self.read_count = self.bad_count = 0

    @classmethod
    def read(
        cls, runtime: Runtime, file: BinaryIO, name: str, *, is_csv: bool, bad: Table | None = None
    ) -> "Waiting":
        """Return what a file holds. A line that makes no sense goes to `bad`, or refuses the file.

        Errors: FactsUnreadable, OSError.
        """
        waiting = cls(name, bad)
        waiting.run = str(runtime.ground.ids.new())
        now = runtime.clock.now()
        found = read_facts(file, name, runtime.sealer(), is_csv=is_csv, now=now)
        waiting._scratch.add(KEEP, waiting._sorted(found))
        waiting._leave_out_strangers(runtime)
        if waiting.bad_count and bad is None:
            raise waiting._refusal()
        if not waiting.read_count and not waiting.bad_count:
            raise FactsUnreadable(file=name, problem=Phrase("it holds no fact"))
        return waiting

    def __len__(self) -> int:
        found = self._scratch.row(COUNT)
        return int(found[0]) if found else 0

    def commands(self) -> Iterator[Observe]:
        """Yield the command of each fact."""
        for key, account, told in self._scratch.rows(IN_ORDER):
            yield Observe(
                scope_id=account,
                key=f"fact-{key}",
                actor=ACTOR,
                account_id=AccountId(UUID(account)),
                facts=(msgspec.json.decode(told, type=Told),),
                told_by=self.run,
            )

    def _sorted(self, found: Iterable[FactLine | BadLine]) -> Iterator[tuple[object, ...]]:
        """Yield the rows of lines that make sense."""
        for one in found:
            if isinstance(one, BadLine):
                self._note(one)
                continue
            self.read_count += 1
            told = Told(one.kind, one.happened_at, dict(one.said))
            yield one.key, one.line, str(one.account), msgspec.json.encode(told)

    def _note(self, one: BadLine) -> None:
        self.bad_count += 1
        if self._table is not None:
            self._table.add((one.line, one.field, one.value, one.expected))
        elif len(self._named) < BAD_NAMED_MAX:
            self._named.append(one)

    def _leave_out_strangers(self, runtime: Runtime) -> None:
        """Let lines about accounts that are not there be bad ones."""
        accounts = [AccountId(UUID(one)) for (one,) in self._scratch.rows(ACCOUNTS)]
        unknown: list[str] = []
        for first in range(0, len(accounts), PAGE):
            unknown += map(str, strangers(runtime.ground, accounts[first : first + PAGE]))
        expected = Phrase("the account of a customer that is there")
        for one in sorted(unknown):
            for (line,) in self._scratch.rows(LINES_OF, (one,)):
                self.read_count -= 1
                self._note(BadLine(line, "account", one, expected))
        self._scratch.add(LEAVE_OUT, [(one,) for one in unknown])

    def _refusal(self) -> FactsUnreadable:
        named = sorted(self._named, key=lambda one: one.line)
        return FactsUnreadable(
            file=self._name, count=self.bad_count, bad=lines([_told(one) for one in named])
        )


def _told(one: BadLine) -> Phrase:
    told = {"line": one.line, "field": one.field, "expected": one.expected}
    if one.value == NOT_SHOWN:
        return Phrase("line {line}, {field}: it must be {expected}", **told)
    return Phrase("line {line}, {field} is {value}: it must be {expected}", value=one.value, **told)


def tell(runtime: Runtime, waiting: Waiting, on_told: OnTold) -> Tally:
    """Tell all facts that are not known yet, in their order; return what became of them.

    No more of them are under way than one account may have waiting, so nothing is refused for
    being too much. Errors: whatever refuses a fact; what was told before it is kept.
    """
    tally = Tally(left_out=waiting.bad_count)
    tally.known = waiting.read_count - len(waiting)  # they say what a line before them said
    commands = waiting.commands()
    with Desk(runtime.ground) as desk:
        while page := list(islice(commands, PAGE)):
            known = told_before(runtime.ground, page)
            _count_known(tally, len(known), on_told)
            under_way: deque[Future[Any]] = deque()
            for command in page:
                if command.key in known:
                    continue
                if len(under_way) == WAITING_MAX:
                    _count(tally, under_way.popleft().result(), waiting.run, on_told)
                under_way.append(desk.submit(command))
            for one in under_way:
                _count(tally, one.result(), waiting.run, on_told)
    return tally


def _count_known(tally: Tally, known: int, on_told: OnTold) -> None:
    tally.known += known
    on_told(known)


def _count(tally: Tally, answer: Observed, run: str, on_told: OnTold) -> None:
    if answer.told_by != run:  # another run told it since this one asked what is known
        _count_known(tally, 1, on_told)
        return
    tally.stored += 1
    tally.late += answer.late
    tally.skewed += answer.skewed
    if answer.outcome is not None:
        tally.outcomes[answer.outcome] += 1
    on_told(1)

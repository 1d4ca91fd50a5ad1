"""The rota: what the running program does by itself, each duty in its own thread.

A duty is run in rounds of bounded length that end with a cursor, so whoever dies is followed by
another from there. Over several programs one at a time runs it, by an advisory lock; the watch,
whose suspicions are shared out row by row, may run in all. A round gives a sign of life after each
piece of work: as long as it does it keeps its duty, however long it takes; one that hangs loses it
within two minutes, to another program or to another thread of this one. What fails is written down,
tried again later each time, and keeps no other duty waiting.

Source: docs/adr/0026-run-duties-in-turn.md.
"""

import logging
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Protocol

from fenqi.core.ports import Bureau
from fenqi.core.risk.change import Subject
from fenqi.store import duties
from fenqi.store.duties import Cursor
from fenqi.store.ground import Ground
from fenqi.store.pool import Session
from fenqi.worker.admit import admit, ask_again
from fenqi.worker.assess import assess_on
from fenqi.worker.beat import Beat, still
from fenqi.worker.fault import told
from fenqi.worker.heed import heed_on
from fenqi.worker.shadow import follow_on
from fenqi.worker.watch import STOP_SECONDS_MAX, WATCH, Watch

LOOK_SECONDS = 1.0  # between two looks whether a duty is due
AGAIN = timedelta(seconds=1)  # before a duty that had more to do goes on
RETRY = timedelta(seconds=2)  # after a first failure; doubled with each
RETRY_MAX = timedelta(minutes=10)
ADMIT_BATCHES_MAX = 8  # of one round
LEFT_BEHIND_MAX = 2  # hung rounds of one program, each with a thread and two connections at most

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to: how much it touched, where the next goes on, whether all was done."""

    touched: int
    cursor: Cursor
    is_whole: bool


class Act(Protocol):
    """Does a round's work from a cursor, and calls `beat` after each piece of it."""

    def __call__(self, ground: Ground, cursor: Cursor, /, *, beat: Beat) -> Round:
        """Return what it came to. Errors: any; those of `beat` are to be passed on."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Something done again and again: `every` after a round in which all was done."""

    name: str
    act: Act
    every: timedelta


def duties_of(
    bureau: Bureau | None, *, assess_days: int, budget_minor: int | None = None
) -> tuple[Duty, ...]:
    """Return all duties that are run in rounds; `budget_minor` is what bureaus may cost a day."""

    def admits(ground: Ground, _: Cursor, /, *, beat: Beat) -> Round:
        decided = 0
        for _batch in range(ADMIT_BATCHES_MAX):
            found = admit(ground, bureau, budget_minor=budget_minor, beat=beat)
            found = found or ask_again(ground, bureau, budget_minor=budget_minor, beat=beat)
            decided += len(found)
            if not found:
                return Round(decided, {}, is_whole=True)
        return Round(decided, {}, is_whole=False)

    def follows(ground: Ground, _: Cursor, /, *, beat: Beat) -> Round:
        judged, is_whole = follow_on(ground, beat=beat)
        return Round(judged, {}, is_whole)

    def heeds(ground: Ground, cursor: Cursor, /, *, beat: Beat) -> Round:
        return Round(*heed_on(ground, cursor, beat=beat))

    def assesses(subject: Subject) -> Act:
        def act(ground: Ground, cursor: Cursor, /, *, beat: Beat) -> Round:
            return Round(*assess_on(ground, subject, cursor, days=assess_days, beat=beat))

        return act

    return (
        Duty("admit", admits, timedelta(seconds=2)),
        Duty("shadow", follows, timedelta(seconds=30)),
        Duty("repayment", heeds, timedelta(seconds=30)),
        Duty("assess-limit", assesses(Subject.LIMIT), timedelta(minutes=5)),
        Duty("assess-price", assesses(Subject.PRICE), timedelta(minutes=5)),
    )


def run_round(
    ground: Ground,
    duty: Duty,
    *,
    by: str,
    is_forced: bool = False,
    on_beat: Beat = still,
    silent_seconds_max: float = duties.SILENT_SECONDS_MAX,
) -> bool:
    """Run one round of a duty if it is due, or forced; return whether it was run here.

    A round that fails is written down as such. `on_beat` is told of each sign of life.

    Errors: those of a database that is away, also if the round was silent for too long and lost its
    duty; then nothing is written down.
    """
    with ground.store.transaction() as session:
        if not is_forced and not _is_due(ground, duties.find(session, duty.name)):
            return False
    with ground.store.transaction() as owner:
        if not duties.own(owner, duty.name, silent_seconds_max=silent_seconds_max):
            return False
        with ground.store.transaction() as session:
            standing = duties.find(session, duty.name)
            if not is_forced and not _is_due(ground, standing):
                return False  # another program has just run it
            duties.begin(session, duty.name, by=by, now=ground.clock.now())
        # The end is written by the transaction that owns the duty: who lost it writes nothing.
        try:
            found = duty.act(ground, standing.cursor, beat=partial(_beat, owner, on_beat))
        except Exception as fault:
            now = ground.clock.now()
            wait = min(RETRY * 2 ** min(standing.failures, 16), RETRY_MAX)
            duties.fail(owner, duty.name, told(fault), due_at=now + wait, now=now)
            LOG.exception("the duty %s failed and is tried again", duty.name)
            return True
        now = ground.clock.now()
        due_at = now + (duty.every if found.is_whole else AGAIN)
        duties.end(owner, duty.name, found.cursor, touched=found.touched, due_at=due_at, now=now)
    return True


def _beat(owner: Session, on_beat: Beat) -> None:
    """Give a sign of life. Errors: DatabaseGone if the duty was lost."""
    on_beat()
    duties.beat(owner)


def _is_due(ground: Ground, standing: duties.Standing) -> bool:
    return standing.due_at is None or standing.due_at <= ground.clock.now()


class _Line:
    """One thread that runs one duty, round after round, until it is told to stop or left behind."""

    def __init__(self, rota: "Rota", duty: Duty) -> None:
        self.duty = duty
        self.is_left = False  # another line does its duty: it hung
        self._rota = rota
        self._beats = 0
        self._seen = 0  # signs of life the last time somebody looked
        self._silent_looks = 0
        self.thread = threading.Thread(target=self._run, name=duty.name, daemon=True)
        self.thread.start()

    def look(self) -> int:
        """Return how many looks in a row have seen no sign of life."""
        self._silent_looks = self._silent_looks + 1 if self._beats == self._seen else 0
        self._seen = self._beats
        return self._silent_looks

    def _beat(self) -> None:
        self._beats += 1

    def _run(self) -> None:
        rota = self._rota
        while not rota.stop.is_set() and not self.is_left:
            self._beat()
            try:
                run_round(
                    rota.ground,
                    self.duty,
                    by=rota.by,
                    on_beat=self._beat,
                    silent_seconds_max=rota.silent_seconds_max,
                )
            except Exception:  # of the database: nothing else is outside of the round itself
                LOG.warning("the duty %s waits for the database", self.duty.name, exc_info=True)
            rota.stop.wait(rota.look_seconds)


class Rota:
    """Runs duties until it is closed, and takes a duty away from a round of its own that hangs."""

    def __init__(
        self,
        ground: Ground,
        known: Sequence[Duty],
        names: Collection[str],
        *,
        by: str,
        look_seconds: float = LOOK_SECONDS,
        silent_seconds_max: float = duties.SILENT_SECONDS_MAX,
    ) -> None:
        self.ground, self.by, self.look_seconds = ground, by, look_seconds
        self.silent_seconds_max = silent_seconds_max
        self.stop = threading.Event()
        self._watch = Watch(ground, by=by) if WATCH in names else None
        self._left: list[_Line] = []
        self._lines = [_Line(self, duty) for duty in known if duty.name in names]
        self._keeper = threading.Thread(target=self._keep, name="rota", daemon=True)
        self._keeper.start()

    def close(self) -> None:
        """Finish the rounds under way and stop; a round that was left behind is not waited for."""
        self.stop.set()
        if self._watch is not None:
            self._watch.close()
        self._keeper.join(STOP_SECONDS_MAX)
        for line in self._lines:
            line.thread.join(STOP_SECONDS_MAX)

    def __enter__(self) -> "Rota":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _fault: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def _keep(self) -> None:
        """Give the duty of a line that is silent for too long to a new one."""
        looks_max = self.silent_seconds_max / self.look_seconds + 1
        while not self.stop.wait(self.look_seconds):
            self._left = [line for line in self._left if line.thread.is_alive()]
            for place, line in enumerate(self._lines):
                if line.look() > looks_max and len(self._left) < LEFT_BEHIND_MAX:
                    LOG.error("a round of the duty %s hangs and is left behind", line.duty.name)
                    line.is_left = True
                    self._left.append(line)
                    self._lines[place] = _Line(self, line.duty)

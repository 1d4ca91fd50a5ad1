"""The rota: what the running program does by itself, each duty in its own thread.

A duty is run in rounds of bounded length that end with a cursor, so whoever dies is followed by
another from there. Over several programs one at a time runs it, by an advisory lock; the watch,
whose suspicions are shared out row by row, may run in all. What fails is written down, tried again
later each time, and keeps no other duty waiting.

Source: docs/adr/0026-run-duties-in-turn.md.
"""

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType

from fenqi.core.ports import Bureau
from fenqi.core.risk.change import Subject
from fenqi.store import duties
from fenqi.store.duties import Cursor
from fenqi.store.ground import Ground
from fenqi.worker.admit import admit, ask_again
from fenqi.worker.assess import assess_on
from fenqi.worker.fault import told
from fenqi.worker.shadow import follow_on
from fenqi.worker.watch import STOP_SECONDS_MAX, WATCH, Watch

LOOK_SECONDS = 1.0  # between two looks whether a duty is due
AGAIN = timedelta(seconds=1)  # before a duty that had more to do goes on
RETRY = timedelta(seconds=2)  # after a first failure; doubled with each
RETRY_MAX = timedelta(minutes=10)
ADMIT_BATCHES_MAX = 8  # of one round

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to: how much it touched, where the next goes on, whether all was done."""

    touched: int
    cursor: Cursor
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Duty:
    """Something done again and again: `every` after a round in which all was done."""

    name: str
    act: Callable[[Ground, Cursor], Round]
    every: timedelta


def duties_of(
    bureau: Bureau | None, *, assess_days: int, budget_minor: int | None = None
) -> tuple[Duty, ...]:
    """Return all duties that are run in rounds; `budget_minor` is what bureaus may cost a day."""

    def admits(ground: Ground, _: Cursor) -> Round:
        decided = 0
        for _batch in range(ADMIT_BATCHES_MAX):
            found = admit(ground, bureau, budget_minor=budget_minor)
            found = found or ask_again(ground, bureau, budget_minor=budget_minor)
            decided += len(found)
            if not found:
                return Round(decided, {}, is_whole=True)
        return Round(decided, {}, is_whole=False)

    def follows(ground: Ground, _: Cursor) -> Round:
        judged, is_whole = follow_on(ground)
        return Round(judged, {}, is_whole)

    def assesses(subject: Subject) -> Callable[[Ground, Cursor], Round]:
        def act(ground: Ground, cursor: Cursor) -> Round:
            return Round(*assess_on(ground, subject, cursor, days=assess_days))

        return act

    return (
        Duty("admit", admits, timedelta(seconds=2)),
        Duty("shadow", follows, timedelta(seconds=30)),
        Duty("assess-limit", assesses(Subject.LIMIT), timedelta(minutes=5)),
        Duty("assess-price", assesses(Subject.PRICE), timedelta(minutes=5)),
    )


def run_round(ground: Ground, duty: Duty, *, by: str, is_forced: bool = False) -> bool:
    """Run one round of a duty if it is due, or forced; return whether it was run here.

    A round that fails is written down as such.

    Errors: those of a database that is away; then nothing is written down.
    """
    with ground.store.transaction() as session:
        if not is_forced and not _is_due(ground, duties.find(session, duty.name)):
            return False
    with ground.store.transaction() as owner:
        if not duties.own(owner, duty.name):
            return False
        with ground.store.transaction() as session:
            standing = duties.find(session, duty.name)
            if not is_forced and not _is_due(ground, standing):
                return False  # another program has just run it
            duties.begin(session, duty.name, by=by, now=ground.clock.now())
        try:
            found = duty.act(ground, standing.cursor)
        except Exception as fault:
            LOG.exception("the duty %s failed and is tried again", duty.name)
            now = ground.clock.now()
            wait = min(RETRY * 2 ** min(standing.failures, 16), RETRY_MAX)
            with ground.store.transaction() as session:
                duties.fail(session, duty.name, told(fault), due_at=now + wait, now=now)
            return True
        now = ground.clock.now()
        due_at = now + (duty.every if found.is_whole else AGAIN)
        with ground.store.transaction() as session:
            duties.end(
                session, duty.name, found.cursor, touched=found.touched, due_at=due_at, now=now
            )
    return True


def _is_due(ground: Ground, standing: duties.Standing) -> bool:
    return standing.due_at is None or standing.due_at <= ground.clock.now()


class Rota:
    """Runs duties until it is closed."""

    def __init__(
        self,
        ground: Ground,
        known: Sequence[Duty],
        names: Collection[str],
        *,
        by: str,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._ground, self._by, self._look_seconds = ground, by, look_seconds
        self._stop = threading.Event()
        self._watch = Watch(ground, by=by) if WATCH in names else None
        self._threads = [
            threading.Thread(target=self._run, args=(duty,), name=duty.name, daemon=True)
            for duty in known
            if duty.name in names
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Finish the rounds under way and stop."""
        self._stop.set()
        if self._watch is not None:
            self._watch.close()
        for thread in self._threads:
            thread.join(STOP_SECONDS_MAX)

    def __enter__(self) -> "Rota":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _fault: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, duty: Duty) -> None:
        while not self._stop.is_set():
            try:
                run_round(self._ground, duty, by=self._by)
            except Exception:  # of the database: nothing else is outside of the round itself
                LOG.warning("the duty %s waits for the database", duty.name, exc_info=True)
            self._stop.wait(self._look_seconds)

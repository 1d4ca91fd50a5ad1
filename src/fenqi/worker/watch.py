"""The watch: crowds are answered within a second, and ends of protections are written down.

One thread that asks the database for suspicions a few times a second, and at once when its own
program has stored one. Any number of programs may watch: a suspicion is answered by one of them,
once. What fails is tried alone, later each time, and after some tries left for a person; it never
keeps the others waiting.
"""

import logging
import threading
from datetime import timedelta
from types import TracebackType

from fenqi.core.errors import Unavailable
from fenqi.flows.lift import lift_over
from fenqi.flows.protect import Protected, protect
from fenqi.store import duties, links
from fenqi.store.ground import Ground
from fenqi.worker.fault import told

PAUSE_SECONDS = 0.1  # between two looks that found nothing
ROUNDS_PER_END = 10  # looks between two for protections that are over
AWAY_SECONDS = 1.0  # before a database that was gone is asked again
TRIES_MAX = 5  # of one suspicion
WAIT = timedelta(seconds=2)  # before a suspicion that failed is tried again
STOP_SECONDS_MAX = 30
WATCH = "watch"  # its name among the duties
BEAT = timedelta(seconds=10)  # between two notes that it lives

LOG = logging.getLogger(__name__)


class Watch:
    """Watches until it is closed."""

    def __init__(
        self, ground: Ground, *, pause_seconds: float = PAUSE_SECONDS, by: str = ""
    ) -> None:
        self._ground, self._by = ground, by
        self._pause_seconds = pause_seconds
        self._beat_at = ground.clock.now()
        self._answered = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish what is under way and stop."""
        self._stop.set()
        self._ground.alarm.set()
        self._thread.join(STOP_SECONDS_MAX)

    def __enter__(self) -> "Watch":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _fault: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        rounds = 0
        while not self._stop.is_set():
            pause = self._pause_seconds
            try:
                answered = look(self._ground).suspicions
                self._answered += answered
                if answered:
                    pause = 0.0
                if rounds % ROUNDS_PER_END == 0:
                    lift_over(self._ground)
                self._beat(None)
            except Unavailable:
                LOG.warning("the watch waits for the database", exc_info=True)
                pause = AWAY_SECONDS
            except Exception as fault:
                LOG.exception("the watch failed and goes on")
                self._beat(fault)
                pause = AWAY_SECONDS
            rounds += 1
            self._rest(pause)

    def _rest(self, seconds: float) -> None:
        """Wait, but no longer than until this program sees a crowd or the watch is closed."""
        self._ground.alarm.wait(seconds)
        self._ground.alarm.clear()

    def _beat(self, fault: Exception | None) -> None:
        """Write down now and then that the watch lives, and at once what failed."""
        now = self._ground.clock.now()
        if fault is None and now < self._beat_at:
            return
        try:
            _write_down(self._ground, self._by, self._answered, fault)
        except Exception:
            LOG.warning("the watch could not say that it lives", exc_info=True)
            return
        self._answered = 0 if fault is None else self._answered
        self._beat_at = now + BEAT


def _write_down(ground: Ground, by: str, answered: int, fault: Exception | None = None) -> None:
    """Write down that the watch lives and what it answered, or what failed."""
    now = ground.clock.now()
    with ground.store.transaction() as session:
        duties.begin(session, WATCH, by=by, now=now)
        if fault is None:
            duties.end(session, WATCH, {}, touched=answered, due_at=now + BEAT, now=now)
        else:
            duties.fail(session, WATCH, told(fault), due_at=now, now=now)


def look(ground: Ground) -> Protected:
    """Answer what is suspected now; what fails is put off alone.

    Errors: those of the database.
    """
    try:
        return protect(ground)
    except Unavailable:
        raise
    except Exception:
        LOG.exception("suspicions could not be answered together; one by one")
    try:
        return protect(ground, most=1)
    except Unavailable:
        raise
    except Exception:
        LOG.exception("a suspicion could not be answered; it waits")
    with ground.store.transaction() as session:
        links.postpone(session, ground.clock.now(), wait=WAIT, tries=TRIES_MAX)
    return Protected(suspicions=1)


def watch_once(ground: Ground, *, by: str = "", rounds_max: int = 1_000) -> tuple[Protected, int]:
    """Answer all that is suspected now, write down what is over; return what both came to.

    That the watch ran, and by which program, is written down as of one that goes on.
    """
    total = Protected()
    for _ in range(rounds_max):
        one = look(ground)
        if not one.suspicions:
            break
        total = Protected(
            total.suspicions + one.suspicions,
            total.rings + one.rings,
            total.places + one.places,
            total.held + one.held,
            total.frozen + one.frozen,
            total.asked + one.asked,
        )
    over = lift_over(ground)
    _write_down(ground, by, total.suspicions)
    return total, over

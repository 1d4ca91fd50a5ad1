"""The desk queues commands while the last batch commits, then runs what has queued as one.

Nothing waits on purpose: a writer takes whatever is there. Accounts are split between the writers
by hash, so two batches never wait for one another's rows. Inside a batch the commands of one
account keep their order; commands of one kind run together. A batch that fails is tried again one
by one, so that a poisoned command fails alone.

A batch that lost the database is sent again whole, with its keys: what was kept is answered as it
was, the rest is booked then. Only if that cannot be asked in time is an outcome left unknown.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from fenqi.core.errors import Broken, FenqiError, Unavailable
from fenqi.flows.accept import Accept, accept
from fenqi.flows.apply import Apply, apply
from fenqi.flows.assess import Assess, assess
from fenqi.flows.authorise import Authorise, authorise
from fenqi.flows.capture import Capture, capture
from fenqi.flows.change_due_day import ChangeDueDay, change_due_day
from fenqi.flows.contest import CloseContest, OpenContest, close_contest, open_contest
from fenqi.flows.decide import Decide, decide
from fenqi.flows.defer import Defer, defer
from fenqi.flows.enrol import Enrol, enrol
from fenqi.flows.extend import Extend, extend
from fenqi.flows.freeze import Freeze, Second, freeze, second
from fenqi.flows.lift import Lift, lift
from fenqi.flows.observe import Observe, observe
from fenqi.flows.readmit import Readmit, readmit
from fenqi.flows.receive import Receive, receive
from fenqi.flows.refund import Refund, refund
from fenqi.flows.reprice import Reprice, reprice
from fenqi.flows.resolve import Resolve, resolve
from fenqi.flows.review import (
    AssignCase,
    CloseCase,
    NoteCase,
    OpenCase,
    assign_case,
    close_case,
    note_case,
    open_case,
)
from fenqi.flows.settle import Settle, settle
from fenqi.flows.sign import Sign, sign
from fenqi.flows.split_bill import SplitBill, split_bill
from fenqi.flows.verify import Verify, verify
from fenqi.flows.withdraw import Withdraw, withdraw
from fenqi.flows.withdraw_consent import WithdrawConsent, withdraw_consent
from fenqi.store.commands import Command
from fenqi.store.ground import Ground
from fenqi.store.pool import (
    AlreadyThere,
    DatabaseFull,
    DatabaseGone,
    NoConnection,
    OutcomeUnknown,
    TryAgain,
)

BATCH_MAX = 128  # commands run as one; measured best at 256 callers
QUEUE_MAX = 4096  # commands waiting per writer; beyond it submit blocks
WRITERS = 2
STOP_SECONDS_MAX = 30
ROOM_SECONDS_MAX = 0.1  # before a full queue is looked at again
TRIES_MAX = 3  # of a command that lost a race to another program, or its database

LOG = logging.getLogger(__name__)

Flow = Callable[[Ground, Sequence[Any]], Sequence[object]]

FLOWS: dict[type[Command], Flow] = {
    Accept: accept,
    Apply: apply,
    Assess: assess,
    Authorise: authorise,
    Capture: capture,
    Observe: observe,
    Decide: decide,
    Enrol: enrol,
    Readmit: readmit,
    Receive: receive,
    Refund: refund,
    Resolve: resolve,
    Reprice: reprice,
    Settle: settle,
    Defer: defer,
    ChangeDueDay: change_due_day,
    Extend: extend,
    SplitBill: split_bill,
    Verify: verify,
    Withdraw: withdraw,
    Freeze: freeze,
    Second: second,
    Lift: lift,
    OpenCase: open_case,
    AssignCase: assign_case,
    NoteCase: note_case,
    CloseCase: close_case,
    OpenContest: open_contest,
    CloseContest: close_contest,
    Sign: sign,
    WithdrawConsent: withdraw_consent,
}


class DeskClosed(Unavailable):
    """The desk takes no more commands."""

    code = "desk-closed"


class TooMuchAtOnce(Unavailable):
    """So much is told of one account that more has to wait, lest others wait for it; ask again."""

    code = "too-much-at-once"


class FlowBroken(Broken):
    """A flow failed in a way nobody foresaw; the command was not booked."""

    code = "flow-broken"


Tell = Callable[[Any], object]  # is told the answer, or the FenqiError that refuses the command


class Slip:
    """A queued command and who is told its answer: a future, or a function."""

    __slots__ = ("_future", "_tell", "command", "lane")

    def __init__(
        self, command: Command, *, tell: Tell | None = None, future: "Future[Any] | None" = None
    ) -> None:
        self.command = command
        self.lane = _lane(command)  # the same for all commands of an account
        self._tell = tell
        self._future = future

    def is_wanted(self) -> bool:
        """Return whether the answer is still waited for; from now on it cannot be cancelled."""
        return self._future is None or self._future.set_running_or_notify_cancel()

    def tell(self, answer: object) -> None:
        """Tell the answer. What goes wrong there is the caller's, not the writer's."""
        if self._future is not None:
            if isinstance(answer, FenqiError):
                self._future.set_exception(answer)
            else:
                self._future.set_result(answer)
        elif self._tell is not None:
            try:
                self._tell(answer)
            except Exception:
                LOG.exception("an answer could not be told")


class Waiting:
    """What waits for one writer; the gate keeps a command from slipping in behind the last.

    A simple queue has no bound and costs a tenth of one that has; who finds it full waits for room.
    """

    def __init__(self) -> None:
        self.slips: queue.SimpleQueue[Slip | None] = queue.SimpleQueue()
        self.gate = threading.Lock()
        self.is_open = True
        self._told: dict[int, int] = {}  # lane -> its commands that wait, of kinds with a bound
        self._room = threading.Event()

    def put(self, slip: Slip) -> None:
        """Queue a slip, once there is room. Errors: DeskClosed, TooMuchAtOnce."""
        most = slip.command.waiting_max
        while self.slips.qsize() >= QUEUE_MAX:
            self._room.clear()
            self._room.wait(ROOM_SECONDS_MAX)
        with self.gate:
            if not self.is_open:
                raise DeskClosed()
            if most is not None:
                count = self._told.get(slip.lane, 0)
                if count >= most:
                    raise TooMuchAtOnce(scope=slip.command.scope_id, waiting=count)
                self._told[slip.lane] = count + 1
            self.slips.put(slip)

    def close(self) -> None:
        """Take no more slips."""
        with self.gate:
            if self.is_open:
                self.is_open = False
                self.slips.put(None)

    def take(self) -> tuple[list[Slip], bool]:
        """Wait for one slip, then take what else has queued; also tell whether it was the last."""
        slips: list[Slip] = []
        first = self.slips.get()
        while first is not None:
            slips.append(first)
            if len(slips) >= BATCH_MAX:
                break
            try:
                first = self.slips.get_nowait()
            except queue.Empty:
                break
        self._room.set()
        bounded = [slip.lane for slip in slips if slip.command.waiting_max is not None]
        if bounded:
            with self.gate:
                for lane in bounded:
                    self._told[lane] -= 1
                    if not self._told[lane]:
                        del self._told[lane]
        return slips, first is None


class Desk:
    """Runs commands in batches on a few writer threads. Close it to stop them."""

    def __init__(self, ground: Ground, *, writers: int = WRITERS) -> None:
        self._ground = ground
        self._queues = [Waiting() for _ in range(writers)]
        self._threads = [
            threading.Thread(target=self._write, args=(one,), name=f"desk-{place}", daemon=True)
            for place, one in enumerate(self._queues)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, command: Command) -> "Future[Any]":
        """Queue a command; the future gives its answer once it is committed, or its error.

        A future cancelled before its command is taken up takes the command back.

        Errors: DeskClosed, TooMuchAtOnce. The future raises what refuses the command.
        """
        future: Future[Any] = Future()
        self._put(Slip(command, future=future))
        return future

    def send(self, command: Command, tell: Tell) -> None:
        """Queue a command; `tell` is called with its answer, or its error, once it is committed.

        It is called by the writer, so it must be quick. A future costs as much as a tenth of the
        whole purchase; who answers to an event loop needs none.

        Errors: DeskClosed, TooMuchAtOnce.
        """
        self._put(Slip(command, tell=tell))

    def _put(self, slip: Slip) -> None:
        self._queues[slip.lane % len(self._queues)].put(slip)

    def close(self) -> None:
        """Finish what has queued and stop the writers."""
        for one in self._queues:
            one.close()
        for thread in self._threads:
            thread.join(STOP_SECONDS_MAX)

    def __enter__(self) -> "Desk":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, waiting: Waiting) -> None:
        while True:
            slips, is_last = waiting.take()
            wanted = [slip for slip in slips if slip.is_wanted()]
            for group in waves(wanted):
                self._run(group)
            if is_last:
                return

    def _run(
        self, slips: Sequence[Slip], tries: int = 1, doubt: OutcomeUnknown | None = None
    ) -> None:
        """Run commands of one kind; `doubt` is left from a try of which nobody knows the end."""
        flow = FLOWS[type(slips[0].command)]
        try:
            answers = flow(self._ground, [slip.command for slip in slips])
        except Exception as fault:
            doubt = fault if isinstance(fault, OutcomeUnknown) else doubt
            is_lost = isinstance(fault, (DatabaseGone, OutcomeUnknown))
            if is_lost and tries < TRIES_MAX and not isinstance(fault, NoConnection):
                self._run(slips, tries + 1, doubt)
                return
            # Another program may have booked the same key or person at the same moment: looked at
            # again once that is committed, a command finds the other's rows.
            is_race = isinstance(fault, (AlreadyThere, TryAgain)) and tries < TRIES_MAX
            is_shared = is_lost or isinstance(fault, DatabaseFull)  # each alone would fail too
            if (len(slips) > 1 and not is_shared) or is_race:
                for slip in slips:
                    self._run([slip], tries + 1, doubt)
                return
            told = fault if isinstance(fault, FenqiError) else _foreign(fault)
            answers = [doubt or told] * len(slips)
        for slip, answer in zip(slips, answers, strict=True):
            slip.tell(answer)


def waves(slips: Iterable[Slip]) -> list[list[Slip]]:
    """Group slips by kind into as few runs as keep each account's commands in their order."""
    runs: list[list[Slip]] = []
    reached: dict[int, int] = {}  # lane of an account -> its latest run
    for slip in slips:
        lane = slip.lane
        start = reached.get(lane, 0)
        kind = type(slip.command)
        for place in range(start, len(runs)):
            if type(runs[place][0].command) is kind:
                break
        else:
            place = len(runs)
            runs.append([])
        runs[place].append(slip)
        reached[lane] = place
    return runs


def _lane(command: Command) -> int:
    """Return a number that is the same for all commands of an account."""
    account_id = getattr(command, "account_id", None)
    if isinstance(account_id, UUID):
        return account_id.int
    return int.from_bytes(f"{command.scope_kind}/{command.scope_id}/{command.key}".encode(), "big")


def _foreign(fault: Exception) -> FlowBroken:
    broken = FlowBroken(fault=repr(fault))
    broken.__cause__ = fault
    return broken

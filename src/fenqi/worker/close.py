"""The day close: an ordered list of steps, each a flow over account slices (M4).

Each (day, slice, step) is one transaction and is recorded in it, so a close that was cut off goes
on where it stopped and a day closed twice changes nothing. A skipped day is caught up day by day.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from fenqi.core.errors import Broken, Conflict, Invalid
from fenqi.core.values.day import days_between
from fenqi.flows.age import age
from fenqi.flows.bill import bill
from fenqi.flows.collect import collect
from fenqi.flows.link import link
from fenqi.flows.measure import measure
from fenqi.flows.provide import provide
from fenqi.flows.recognise import recognise
from fenqi.flows.release import release
from fenqi.flows.remit import remit_merchants, remit_refunds
from fenqi.flows.turn import turn
from fenqi.flows.write_off import write_off
from fenqi.store import books, closes
from fenqi.store.closes import DayNotOpen, Task
from fenqi.store.ground import Ground
from fenqi.store.pool import AlreadyThere

CATCH_UP_DAYS_MAX = 3700  # about ten years; a larger gap is a typing mistake


class CloseOrderBroken(Broken):
    """The list of steps puts a step before one it needs."""

    code = "close-order-broken"


class BookBusy(Conflict):
    """Another program closes the book at this moment; a step that both began is booked once."""

    code = "book-busy"


class DayTooFar(Invalid):
    """The day to close lies too far ahead of the book's open day."""

    code = "day-too-far"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its flow, the steps whose results it reads, and whether it runs per slice."""

    name: str
    flow: Callable[[Ground, Task], int]
    needs: tuple[str, ...] = ()
    is_sliced: bool = True


STEPS = (
    Step("release", release),
    Step("collect", collect),
    Step("bill", bill, needs=("collect",)),
    Step("age", age, needs=("collect",)),
    Step("write-off", write_off, needs=("age", "bill")),
    Step("recognise", recognise, needs=("write-off",)),
    Step("remit-refunds", remit_refunds),
    Step("remit-merchants", remit_merchants, is_sliced=False),
    Step("measure", measure, needs=("age", "write-off")),
    Step("provide", provide, needs=("age", "write-off"), is_sliced=False),
    Step("link", link, is_sliced=False),
    Step(
        "turn",
        turn,
        needs=(
            "release",
            "bill",
            "recognise",
            "remit-refunds",
            "remit-merchants",
            "measure",
            "provide",
            "link",
        ),
        is_sliced=False,
    ),
)


def check_order(steps: Sequence[Step]) -> None:
    """Refuse a list in which a step stands before one it needs. Errors: CloseOrderBroken."""
    seen: set[str] = set()
    for step in steps:
        missing = [need for need in step.needs if need not in seen]
        if missing:
            raise CloseOrderBroken(step=step.name, needs=missing)
        seen.add(step.name)


@dataclass(frozen=True, slots=True)
class Closed:
    """What closing did: the days closed, and what each step touched in all."""

    days: tuple[date, ...]
    touched: dict[str, int]


def close_through(
    ground: Ground,
    book_id: str,
    day: date,
    *,
    on_day: Callable[[date], None] | None = None,
) -> Closed:
    """Close every open day of a book up to and including `day`; none if it is closed already.

    Errors: DayTooFar, BookBusy; what the steps raise, after which a new call goes on where this
    one stopped.
    """
    check_order(STEPS)
    with ground.store.transaction() as session:
        book = books.read(session, book_id)
    if (day - book.business_date).days > CATCH_UP_DAYS_MAX:
        raise DayTooFar(day=day, open_day=book.business_date, days_max=CATCH_UP_DAYS_MAX)
    days = tuple(days_between(book.business_date, day))
    touched = {step.name: 0 for step in STEPS}
    for one in days:
        _close_day(ground, book_id, one, book.slices, touched)
        if on_day is not None:
            on_day(one)
    return Closed(days, touched)


def _close_day(
    ground: Ground, book_id: str, day: date, slices: int, touched: dict[str, int]
) -> None:
    with ground.store.transaction() as session:
        finished = closes.done(session, book_id, day)
    for step in STEPS:
        for slice_ in range(slices if step.is_sliced else 1):
            if (slice_, step.name) not in finished:
                task = Task(book_id, day, slice_, step.name)
                touched[step.name] += _run(ground, step, task)


def _run(ground: Ground, step: Step, task: Task) -> int:
    """Run a step that was open a moment ago. Errors: BookBusy if another program finished it."""
    try:
        return step.flow(ground, task)
    except (AlreadyThere, DayNotOpen) as fault:
        with ground.store.transaction() as session:
            finished = closes.done(session, task.book_id, task.day)
        if (task.slice, task.step) not in finished:
            raise
        raise BookBusy(book=task.book_id, day=task.day) from fault

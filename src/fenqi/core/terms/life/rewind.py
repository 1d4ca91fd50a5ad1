"""The walk as it stood on a day: what counts later has not happened yet."""

from datetime import date

from fenqi.core.terms.life.operations import CHARGING
from fenqi.core.terms.life.order import order_of
from fenqi.core.terms.life.refusal import OperationUntimely
from fenqi.core.terms.life.step import step
from fenqi.core.terms.life.walk import Walk


def rewound(walk: Walk, on: date) -> Walk:
    """Return the walk through the operations that count by a day, that day included.

    It is the walk itself where nothing counts later.

    Errors: OperationUntimely if nothing was lent by the day.
    """
    charges = {one.number: one for one in walk.done if isinstance(one, CHARGING)}
    kept = [one for one in walk.done if order_of(one, charges)[0] <= on]
    if walk.began_on is None or on < walk.began_on:
        raise OperationUntimely(reason="nothing was lent yet", on=on, lent_on=walk.began_on)
    if len(kept) == len(walk.done):
        return walk
    earlier = Walk(
        walk.terms, walk.undone, bears_interest=walk.bears_interest, excused=walk.excused
    )
    for operation in kept:
        step(earlier, operation)
    return earlier

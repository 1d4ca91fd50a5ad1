"""Allocation: which instalments and components a receipt pays, by the rules of its kind.

Horizontal: all buckets of a timing on one instalment, then on the next. Vertical: one bucket across
all instalments, then the next bucket. What is left over nobody owes.
Source: the vectors' README, section "Allocation".
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from operator import eq, gt, lt
from typing import assert_never

from fenqi.core.terms.amortise.model import DUE_ON
from fenqi.core.terms.life import interest
from fenqi.core.terms.life.pay import pay_row
from fenqi.core.terms.life.rules import Allocation, Bucket, Future, Processing, Timing
from fenqi.core.terms.life.state import Row, Transaction
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component
from fenqi.core.values.rate import Rounding, divide

# Named once: on the way of each receipt, finding members of enumerations costs more than the rest.
PAST_DUE, DUE, IN_ADVANCE = Timing
HORIZONTAL = Processing.HORIZONTAL
NEXT = Future.NEXT
STANDS: Mapping[Timing, Callable[[date, date], bool]] = {  # a due day, seen from a day
    PAST_DUE: lt,
    DUE: eq,
    IN_ADVANCE: gt,
}
ROUNDS_MAX = 100  # times the rows; every round pays something, so it is never met


def allocate(walk: Walk, transaction: Transaction, amount_minor: int, rule: Allocation) -> int:
    """Put an amount onto what is owed, on the transaction's day, and return what is left.

    A receipt that closes the plan pays the interest for which principal left no room, too.
    """
    walk.untouched.clear()
    is_by_row = walk.terms.rules.processing is HORIZONTAL
    spread = _horizontally if is_by_row else _vertically
    left = spread(walk, transaction, amount_minor, rule)
    if 0 < left < amount_minor and walk.recalculates:
        left -= interest.pay_unasked(walk, transaction, left)
    return left


def _horizontally(walk: Walk, transaction: Transaction, amount_minor: int, rule: Allocation) -> int:
    left, is_fixed = amount_minor, not walk.recalculates
    for timing, components in rule.by_timing:
        if left <= 0:
            break
        if is_fixed and _is_in_turn(timing, rule.future):
            left = _in_turn(walk, transaction, timing, components, left)
            continue
        walk.untouched.clear()
        for number in range(ROUNDS_MAX * len(walk.rows)):
            if left <= 0 or (number and walk.is_closed):
                break
            rows = _candidates(walk, transaction, timing, rule.future)
            if not rows:
                break
            if len(rows) == 1:
                left -= interest.pay(walk, transaction, timing, rows[0], components, left)
                continue
            for component in components:
                left -= _pay_equally(walk, transaction, timing, component, rows, left)
    return left


def _is_in_turn(timing: Timing, future: Future) -> bool:
    """Return whether rows are paid one by one, the earliest first, if none changes another.

    Where interest follows the balance, what one row was paid may change what the next one asks for,
    so the rows are looked at anew each time.
    """
    return timing is not IN_ADVANCE or future is NEXT


def _in_turn(
    walk: Walk,
    transaction: Transaction,
    timing: Timing,
    components: Sequence[Component],
    amount_minor: int,
) -> int:
    """Pay the rows of a timing in the order of their due days; return what is left."""
    left, on, is_meant = amount_minor, transaction.on, STANDS[timing]
    for row in walk.rows:
        if is_meant(row.due_on, on):
            left -= pay_row(walk, transaction, row, components, left)
            if left <= 0:
                break
    return left


def _vertically(walk: Walk, transaction: Transaction, amount_minor: int, rule: Allocation) -> int:
    """Go through the buckets again as long as that helps: principal paid can make interest due."""
    left, before = amount_minor, -1
    while left > 0 and left != before:
        before = left
        for timing, component in rule.order:
            left = _fill_bucket(walk, transaction, (timing, component), rule.future, left)
    return left


def _fill_bucket(
    walk: Walk, transaction: Transaction, bucket: Bucket, future: Future, amount_minor: int
) -> int:
    """Put an amount into one bucket of all rows and return what is left."""
    timing, component = bucket
    left = amount_minor
    for _ in range(ROUNDS_MAX * len(walk.rows)):
        rows = _candidates(walk, transaction, timing, future, component)
        if left <= 0 or not rows:
            break
        paid = _pay_equally(walk, transaction, timing, component, rows, left)
        if not paid:
            break
        left -= paid
    return left


def _candidates(
    walk: Walk,
    transaction: Transaction,
    timing: Timing,
    future: Future,
    component: Component | None = None,
) -> list[Row]:
    """Return the rows that a timing means on the transaction's day.

    With a component, only rows where that component is open count.
    """
    rows, on = walk.rows, transaction.on
    if timing is PAST_DUE:
        meant = rows[: bisect_left(rows, on, key=DUE_ON)]
    elif timing is DUE:
        meant = rows[bisect_left(rows, on, key=DUE_ON) : bisect_right(rows, on, key=DUE_ON)]
    else:
        meant = rows[bisect_right(rows, on, key=DUE_ON) :]
    if timing is not IN_ADVANCE or future is NEXT:
        for row in meant:
            if row.due != row.paid and _asks(row, component):  # most are paid as asked
                return [row]
        return []
    ahead = [row for row in meant if _asks(row, component)]
    match future:
        case Future.REAMORTISE | Future.NEXT:  # the next one was found above
            return ahead
        case Future.LAST:
            return _last(walk, transaction, ahead, component)
        case Future.NEXT_LAST:
            running = [row for row in ahead if row.starts_on <= on]
            return running or _last(walk, transaction, ahead, component)
        case _:
            assert_never(future)


def _asks(row: Row, component: Component | None) -> bool:
    """Return whether a row is open, or a component of it."""
    return row.is_open if component is None else row.open(component) > 0


def _last(
    walk: Walk, transaction: Transaction, ahead: list[Row], component: Component | None
) -> list[Row]:
    """Return the latest row that can take money.

    Where interest is counted by the day, a row that asks nothing now may ask principal when it is
    paid early, so it counts until it has been tried.
    """
    if component is not None or not walk.recalculates:
        return ahead[-1:]
    open_rows = set(map(id, ahead))
    return [
        row
        for row in walk.rows
        if row.due_on > transaction.on
        and (id(row) in open_rows or (not any(row.due) and row.key not in walk.untouched))
    ][-1:]


def _pay_equally(
    walk: Walk,
    transaction: Transaction,
    timing: Timing,
    component: Component,
    rows: list[Row],
    amount_minor: int,
) -> int:
    """Offer an amount to rows in equal parts, odd units to the last; return what was taken."""
    taken = 0
    for row, part in zip(rows, _equal_parts(amount_minor, len(rows)), strict=True):
        taken += interest.pay(walk, transaction, timing, row, (component,), part)
    return taken


def _equal_parts(amount_minor: int, count: int) -> Iterator[int]:
    part = divide(amount_minor, count, rounding=Rounding.HALF_EVEN)
    if amount_minor - part * (count - 1) < 0:
        part = amount_minor // count
    for _ in range(count - 1):
        yield part
    yield amount_minor - part * (count - 1)

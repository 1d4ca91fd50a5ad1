"""Whether a customer may ask for it: what is offered, how often, within which bounds, at what cost.

Asked once, when it is recorded, of the plan as it stands on the day of the request; a replay asks
no more.
Source of the bounds: the plan's own `Allowances`.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from fenqi.core.terms.amortise.settings import Unit
from fenqi.core.terms.life.bill_instalment import bill_minor
from fenqi.core.terms.life.extend import open_to_come
from fenqi.core.terms.life.finish import finish
from fenqi.core.terms.life.operations import (
    BillInstalment,
    ChangeDueDay,
    Defer,
    Extend,
    Operation,
    Settle,
)
from fenqi.core.terms.life.price import (
    deferral_price_minor,
    extension_price_minor,
    times_in_a_year,
)
from fenqi.core.terms.life.redate import days_on, rows_from, rows_to_come
from fenqi.core.terms.life.refusal import not_now, refuse
from fenqi.core.terms.life.rewind import rewound
from fenqi.core.terms.life.settle import ending_minor, waivers_on
from fenqi.core.terms.life.walk import Walk

Rule = TypeVar("Rule")
DAY_MAX = 31


def may_settle(walk: Walk, operation: Settle) -> None:
    """A settlement pays the whole quote of its day; a withdrawal also keeps to its days."""
    then = _then(walk, operation, is_withdrawal=operation.is_withdrawal)
    if operation.is_withdrawal:
        rule = _offered(operation, then.terms.rules.allowances.withdrawal)
        last = (then.began_on or operation.on) + timedelta(days=rule.days)
        if operation.on > last:
            not_now(operation, "the days to withdraw are over", on=operation.on, last=last)
    if then.is_closed:
        not_now(operation, "nothing is owed")
    waivers = waivers_on(then, operation.on, is_withdrawal=operation.is_withdrawal)
    quote = ending_minor(then, operation.on, waivers)
    if operation.amount_minor < quote:
        not_now(operation, "less than the quote", amount=operation.amount_minor, quote=quote)


def may_defer(walk: Walk, operation: Defer) -> None:
    """Defer an instalment that is open and not overdue, by some days, before the next one."""
    then = _then(walk, operation)
    rule = _offered(operation, then.terms.rules.allowances.deferral)
    _within(operation, "days out of range", operation.days, most=rule.days_max)
    rows = rows_from(then, operation.due_on)
    if not rows or rows[0].due_on != operation.due_on:
        refuse(operation, "nothing falls due on that day", due_on=operation.due_on)
    _nothing_overdue(operation, then)
    if not rows[0].is_open:
        not_now(operation, "that instalment is met", met_on=rows[0].met_on)
    _not_too_often(operation, then, rule.times_a_year)
    due_on = operation.due_on + timedelta(days=operation.days)
    if len(rows) > 1 and due_on >= rows[1].due_on:
        refuse(operation, "not before the next instalment", to=due_on, next=rows[1].due_on)
    price = deferral_price_minor(then, rows[0], rule, operation.on)
    _as_disclosed(operation, operation.cost_minor, price)


def may_change_due_day(walk: Walk, operation: ChangeDueDay) -> None:
    """Move what is to come to another day of the month, where nothing is overdue."""
    then = _then(walk, operation)
    rule = _offered(operation, then.terms.rules.allowances.due_day)
    _within(operation, "no day of a month", operation.day, most=DAY_MAX)
    interval = then.terms.interest.interval
    if interval.unit is not Unit.MONTHS:
        refuse(operation, "instalments are no months apart", unit=interval.unit.value)
    _nothing_overdue(operation, then)
    days = [row.due_on for row in rows_to_come(then, operation.on)]
    if not days:
        not_now(operation, "no instalment is to come", on=operation.on)
    if days == days_on(days, operation.day, every=interval.every):
        refuse(operation, "they fall due on that day already", day=operation.day)
    _not_too_often(operation, then, rule.times_a_year)


def may_extend(walk: Walk, operation: Extend) -> None:
    """Add instalments to those to come, after a named person has looked at it."""
    then = _then(walk, operation)
    rule = _offered(operation, then.terms.rules.allowances.extension)
    _within(operation, "count out of range", operation.count, most=rule.count_max)
    if not operation.reviewed_by.strip():
        refuse(operation, "nobody has reviewed it")
    rows = open_to_come(then, operation.on)
    if not rows:
        not_now(operation, "no instalment is to come", on=operation.on)
    _not_too_often(operation, then, rule.times_a_year)
    price = extension_price_minor(then, rows, operation.count, rule, operation.on)
    _as_disclosed(operation, operation.cost_minor, price)


def may_bill(walk: Walk, operation: BillInstalment) -> None:
    """Take over exactly what falls due through a day, where nothing is overdue."""
    then = _then(walk, operation)
    rule = _offered(operation, then.terms.rules.allowances.bill_instalment)
    if operation.through < operation.on:
        refuse(operation, "that day is past", through=operation.through, on=operation.on)
    _nothing_overdue(operation, then)
    asked = bill_minor(then, operation.on, operation.through)
    if not asked:
        not_now(operation, "nothing falls due by then", through=operation.through)
    if operation.amount_minor != asked:
        refuse(operation, "not what falls due", amount=operation.amount_minor, asked=asked)
    if asked < rule.least_minor:
        not_now(operation, "too little", amount=asked, least=rule.least_minor)


def _then(walk: Walk, operation: Operation, *, is_withdrawal: bool = False) -> Walk:
    """Return the plan as it stood on the day of the request."""
    before = rewound(walk, operation.on)
    return finish(before, operation.on, is_withdrawal=is_withdrawal)


def _offered(operation: Operation, rule: Rule | None) -> Rule:
    if rule is None:
        refuse(operation, "the product does not offer it")
    return rule


def _within(operation: Operation, reason: str, value: int, *, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        refuse(operation, reason, value=value, least=1, most=most)


def _not_too_often(operation: Operation, walk: Walk, allowed: int) -> None:
    used = times_in_a_year(walk, type(operation), operation.on)
    if used >= allowed:
        not_now(operation, "as often as a year allows", used=used, allowed=allowed)


def _nothing_overdue(operation: Operation, walk: Walk) -> None:
    overdue = [row.due_on for row in walk.rows if row.is_open and row.due_on < operation.on]
    if overdue:
        not_now(operation, "something is overdue", due_on=overdue[0])


def _as_disclosed(operation: Operation, cost_minor: int, disclosed_minor: int) -> None:
    if cost_minor != disclosed_minor:
        refuse(operation, "not the disclosed cost", cost=cost_minor, disclosed=disclosed_minor)


# Each takes the operation of its own type, which the table's one type cannot say.
MAY_ASK: dict[type[Operation], Callable[[Walk, Any], None]] = {
    Settle: may_settle,
    Defer: may_defer,
    ChangeDueDay: may_change_due_day,
    Extend: may_extend,
    BillInstalment: may_bill,
}

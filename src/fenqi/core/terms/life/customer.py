"""What a customer asks for, as operations to be previewed and recorded.

Each function fills in what the rules say on a day: the amount that ends the plan, the cost that is
disclosed, the instalment that comes next. Whether it may be asked for is checked when it is
previewed or recorded (`may_ask`).
"""

from dataclasses import replace
from datetime import date
from typing import TypedDict

from fenqi.core.terms.life.bill_instalment import bill_minor
from fenqi.core.terms.life.extend import open_to_come
from fenqi.core.terms.life.finish import finish
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    BillInstalment,
    ChangeDueDay,
    Defer,
    Extend,
    Receipt,
    Receive,
    Settle,
)
from fenqi.core.terms.life.payoff import settle_quote
from fenqi.core.terms.life.price import deferral_price_minor, extension_price_minor
from fenqi.core.terms.life.redate import rows_to_come
from fenqi.core.terms.life.refusal import OperationUntimely
from fenqi.core.terms.life.rewind import rewound
from fenqi.core.terms.life.walk import Walk


def settlement(life: Life, on: date, *, quoted_on: date | None = None) -> Settle:
    """Return the operation that ends a plan with the quote of a day.

    It is the quote of `quoted_on` as long as that one holds, and then counts from its day.
    """
    quote = settle_quote(life, on)
    if quoted_on is not None and quoted_on <= on:
        quoted = settle_quote(life, quoted_on)
        quote = quoted if on <= quoted.holds_through else quote
    operation = Settle(**_next(life, quote.on), amount_minor=quote.amount_minor)
    return replace(operation, booked_on=on)


def cancellation(life: Life, on: date) -> Settle:
    """Return the operation that ends a plan on the day it began: the principal, and no cost.

    Errors: OperationUntimely on any other day.
    """
    if on != life.walk.began_on:
        raise OperationUntimely(reason="not the day it began", on=on, began_on=life.walk.began_on)
    return settlement(life, on)


def withdrawal(life: Life, on: date) -> Settle:
    """Return the operation by which a customer withdraws: interest by the day used, no fees."""
    quote = settle_quote(life, on, is_withdrawal=True)
    return Settle(**_next(life, on), amount_minor=quote.amount_minor, is_withdrawal=True)


def deferral(life: Life, on: date, *, days: int) -> Defer:
    """Return the operation that defers the next instalment, at the cost that is disclosed.

    Errors: OperationUntimely if no instalment is to come.
    """
    then = _then(life, on)
    rule = then.terms.rules.allowances.deferral
    rows = rows_to_come(then, on)
    if not rows:
        raise OperationUntimely(reason="no instalment is to come", on=on)
    cost = 0 if rule is None else deferral_price_minor(then, rows[0], rule, on)
    return Defer(**_next(life, on), due_on=rows[0].due_on, days=days, cost_minor=cost)


def due_day_change(life: Life, on: date, *, day: int) -> ChangeDueDay:
    """Return the operation that moves what is to come to another day of the month."""
    return ChangeDueDay(**_next(life, on), day=day)


def extension(life: Life, on: date, *, count: int, reviewed_by: str) -> Extend:
    """Return the operation that adds instalments, at the cost that is disclosed."""
    then = _then(life, on)
    rule = then.terms.rules.allowances.extension
    rows = open_to_come(then, on)
    cost = 0 if rule is None else extension_price_minor(then, rows, count, rule, on)
    return Extend(**_next(life, on), count=count, reviewed_by=reviewed_by, cost_minor=cost)


def bill_instalment(life: Life, on: date, *, through: date) -> BillInstalment:
    """Return the operation by which another plan takes over what falls due through a day."""
    amount = bill_minor(_then(life, on), on, through)
    return BillInstalment(**_next(life, on), through=through, amount_minor=amount)


def refund(life: Life, on: date, amount_minor: int) -> Receive:
    """Return the operation by which a merchant takes goods back."""
    return Receive(**_next(life, on), receipt=Receipt.MERCHANT_REFUND, amount_minor=amount_minor)


class _Next(TypedDict):
    number: int
    on: date
    booked_on: date


def _next(life: Life, on: date) -> _Next:
    """Return what an operation recorded next on its own day has."""
    return _Next(number=len(life.recorded) + 1, on=on, booked_on=on)


def _then(life: Life, on: date) -> Walk:
    """Return a plan as it stands on a day."""
    return finish(rewound(life.walk, on), on)

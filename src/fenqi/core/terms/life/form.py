"""Whether an operation is well formed, whatever plan it is for: types, days, amounts, rates.

What passes here cannot leave the calendar or the numbers that arithmetic is made for.
"""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from operator import attrgetter
from types import UnionType
from typing import get_args, get_origin, get_type_hints

from fenqi.core.terms.amortise.settings import INTERVALS_MAX
from fenqi.core.terms.life.operations import AddCharge, ChangeRate, Operation, ReAge
from fenqi.core.terms.life.refusal import refuse

DAY_MIN, DAY_MAX = date(1900, 1, 1), date(2999, 12, 31)
AMOUNT_MINOR_MAX = 10**15  # sums of many plans still fit a 64-bit integer
RATE_MAX = Decimal(100)  # of one a year: a hundred times what was lent
PERCENT_MAX = Decimal(10_000)  # of what is charged on: a hundred times

Field = tuple[str, tuple[type, ...]]  # its name and the types it may have


def check_form(operation: Operation) -> None:
    """Refuse an operation that is not well formed. Errors: OperationSenseless."""
    if type(operation) not in FORMS:
        refuse(operation, "no such operation", kind=type(operation).__name__)
    read, fields = FORMS[type(operation)]
    for (name, types), value in zip(fields, read(operation), strict=True):
        if type(value) not in types:
            refuse(operation, "not of its type", field=name, value=value)
        if type(value) is date and not DAY_MIN <= value <= DAY_MAX:
            refuse(operation, "day out of range", day=value, least=DAY_MIN, most=DAY_MAX)
    amount = getattr(operation, "amount_minor", None)
    if amount is not None and not 0 <= amount <= AMOUNT_MINOR_MAX:
        refuse(operation, "amount out of range", amount=amount, most=AMOUNT_MINOR_MAX)
    if isinstance(operation, AddCharge):
        _check_charge(operation)
    elif isinstance(operation, ChangeRate):
        _check_rate(operation)
    elif isinstance(operation, ReAge) and not 1 <= operation.every <= INTERVALS_MAX:
        refuse(operation, "interval out of range", every=operation.every, most=INTERVALS_MAX)


def _form(kind: type) -> tuple[Callable[[object], tuple[object, ...]], tuple[Field, ...]]:
    """Return what reads all fields of an operation at once, and what each of them may be."""
    fields = tuple((name, _alternatives(hint)) for name, hint in get_type_hints(kind).items())
    return attrgetter(*(name for name, _ in fields)), fields


def _alternatives(hint: object) -> tuple[type, ...]:
    hints = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return tuple(get_origin(one) or one for one in hints)


def _check_charge(charge: AddCharge) -> None:
    """A charge is an amount or a percentage, and not both."""
    if (charge.percent is None) == (charge.amount_minor is None):
        refuse(charge, "a charge is an amount or a percentage")
    if charge.percent is not None and not (
        charge.percent.is_finite() and 0 <= charge.percent <= PERCENT_MAX
    ):
        refuse(charge, "percentage out of range", percent=charge.percent, most=PERCENT_MAX)


def _check_rate(change: ChangeRate) -> None:
    if not (change.rate.is_finite() and 0 <= change.rate <= RATE_MAX):
        refuse(change, "rate out of range", rate=change.rate, most=RATE_MAX)


def _kinds(kind: type[Operation]) -> Iterator[type[Operation]]:
    """Yield the kinds of operation below one, whatever stands between."""
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


FORMS = {kind: _form(kind) for kind in _kinds(Operation)}

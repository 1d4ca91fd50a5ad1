"""The filters of a mapping: which lines of a file are left out, and what is said of each."""

from collections.abc import Callable
from decimal import Decimal

from fenqi.replay.lines import Line
from fenqi.replay.mapping import Column, Condition, Filter, Mapping

PLACES = {
    Column.INVOICE: 1,
    Column.ITEM: 2,
    Column.QUANTITY: 3,
    Column.PRICE: 4,
    Column.AT: 5,
    Column.CUSTOMER: 6,
    Column.AMOUNT: 7,
}


def condition(
    one: Filter, mapping: Mapping, first_like: Callable[[Line], int]
) -> Callable[[Line], str | None]:
    """Return a function that says how a line meets the filter's condition, or None.

    `first_like` tells the number of the first line of the same values among those it was asked of.
    """
    if one.condition is Condition.REPEATED:
        return _repeated(first_like)
    column = one.column or Column.AMOUNT  # the mapping gives every other condition its column
    name = mapping.columns.get(column, "amount")
    place = PLACES[column]
    values = frozenset(one.values)

    def missing(line: Line) -> str | None:
        return f"{name} is missing" if line[place] is None else None

    def not_positive(line: Line) -> str | None:
        value = line[place]
        is_met = isinstance(value, int | Decimal) and value <= 0
        return f"{name} is {value}" if is_met else None

    def positive(line: Line) -> str | None:
        value = line[place]
        is_met = isinstance(value, int | Decimal) and value > 0
        return f"{name} is {value}" if is_met else None

    def one_of(line: Line) -> str | None:
        return f"{name} is {line[place]}" if line[place] in values else None

    def starts_with(line: Line) -> str | None:
        value = line[place]
        is_met = isinstance(value, str) and value.startswith(one.values)
        return f"{name} is {value}" if is_met else None

    return {
        Condition.MISSING: missing,
        Condition.NOT_POSITIVE: not_positive,
        Condition.POSITIVE: positive,
        Condition.ONE_OF: one_of,
        Condition.STARTS_WITH: starts_with,
    }[one.condition]


def _repeated(first_like: Callable[[Line], int]) -> Callable[[Line], str | None]:
    def repeated(line: Line) -> str | None:
        first = first_like(line)
        return f"same as line {first}" if first != line.number else None

    return repeated

"""Invoice lines as a file has them, each value read by its kind.

A value that cannot be read does not stop the file here: it becomes `Unreadable` inside its line,
because a filter may name that line. What no filter names stops the load, in `source`.
"""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fenqi.core.values.rate import Rounding, divide
from fenqi.replay.mapping import AMOUNT_MINOR_MAX, Mapping
from fenqi.replay.rows import Fault, FileUnreadable, Raw, Unreadable, read_rows

REMEMBERED_VALUES = 65_536  # a file repeats its prices, days and customers; reading each once pays
NUMBER_MAX = 10**12
DECIMALS_MAX = 30
TEXT_CHARS_MAX = 90  # two of them make the key of a refund, which has a limit of its own
YEAR_MIN = 1900
YEAR_MAX = 2100
# Control characters that are no white space, and what is left of bytes that were no text.
UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Line(NamedTuple):
    """One line; a value is None if it is missing and Unreadable if it makes no sense.

    `amount_minor` is the size of quantity times price, rounded half up from their exact decimal
    text, and None unless both can be read.
    """

    number: int
    invoice: str | Unreadable | None
    item: str | Unreadable | None
    quantity: int | Unreadable | None
    price: Decimal | Unreadable | None
    at: datetime | Unreadable | None
    customer: str | Unreadable | None
    amount_minor: int | Unreadable | None
    raw: Raw  # the row as it stands in the file


class Entry(NamedTuple):
    """A line that makes sense: every value is there, `amount_minor` is positive.

    `quantity` is positive for a purchase and for a cancellation alike; which of the two it is, the
    invoice says.
    """

    number: int
    invoice: str
    item: str
    quantity: int
    price: Decimal
    at: datetime
    customer: str
    amount_minor: int


def read_lines(path: Path, mapping: Mapping) -> Iterator[Line]:
    """Yield the lines of the file at `path` in its order, numbered as the file numbers them.

    A Parquet file's rows count from 1; a CSV line has the number an editor shows, so the first
    line after the heading is 2.

    Errors: FileUnreadable, ColumnMissing, ColumnUnreadable.
    """
    amount = _amounts(mapping.currency.digits)
    when = _instants(mapping)
    count = 0
    for number, (invoice, item, quantity, price, at, customer), raw in read_rows(path, mapping):
        count += 1
        units, each = _whole(quantity), _exact(price)
        yield Line(
            number,
            _text(invoice),
            _text(item),
            units,
            each,
            when(at),
            _text(customer),
            amount(units, each),
            raw,
        )
    if count == 0:
        raise FileUnreadable(
            file=str(path), problem="no lines", allowed="a file with at least one line"
        )


# 1 and 1.0 and true are one key to a cache that is not typed.
@lru_cache(maxsize=REMEMBERED_VALUES, typed=True)
def _text(value: object) -> str | Unreadable | None:
    if isinstance(value, Unreadable):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a customer number that became a double for its missing values
    if not isinstance(value, str | int):
        return Unreadable(str(value), "a text or a whole number", Fault.NOT_TEXT)
    text = str(value).strip()
    if UNFIT.search(text):
        wanted = "text without control characters, in the file's encoding"
        return Unreadable(text, wanted, Fault.NOT_TEXT)
    if len(text) > TEXT_CHARS_MAX:
        return Unreadable(text, f"a text of at most {TEXT_CHARS_MAX} characters", Fault.TOO_LONG)
    return text or None


@lru_cache(maxsize=REMEMBERED_VALUES, typed=True)
def _exact(value: object) -> Decimal | Unreadable | None:
    if isinstance(value, Unreadable):
        return value
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    wanted = Unreadable(
        str(value),
        "a decimal number such as 2.55, without thousands or currency",
        Fault.NOT_A_NUMBER,
    )
    if isinstance(value, float):
        if math.isnan(value):
            return None
        # The shortest text that means this double is the price somebody typed.
        number = Decimal(repr(value))
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
    elif isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]*)?", value.strip()):
        number = Decimal(value.strip())
    else:
        return wanted
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -DECIMALS_MAX or abs(number) > NUMBER_MAX:
        return wanted
    return number


@lru_cache(maxsize=REMEMBERED_VALUES, typed=True)
def _whole(value: object) -> int | Unreadable | None:
    number = _exact(value)
    if isinstance(number, Decimal):
        if number == int(number):
            return int(number)
        return Unreadable(str(value), "a whole number", Fault.NOT_WHOLE)
    if number is None or number.is_torn:
        return number
    return Unreadable(number.value, "a whole number", number.fault)


def _amounts(
    digits: int,
) -> Callable[[int | Unreadable | None, Decimal | Unreadable | None], int | Unreadable | None]:
    @lru_cache(maxsize=REMEMBERED_VALUES)
    def amount(
        quantity: int | Unreadable | None, price: Decimal | Unreadable | None
    ) -> int | Unreadable | None:
        if not isinstance(quantity, int) or not isinstance(price, Decimal):
            return None
        minor = times(price, abs(quantity), digits=digits)
        if abs(minor) > AMOUNT_MINOR_MAX:
            wanted = f"at most {AMOUNT_MINOR_MAX} minor units"
            return Unreadable(str(minor), wanted, Fault.AMOUNT_OUT_OF_RANGE)
        return minor

    return amount


def times(price: Decimal, quantity: int, *, digits: int) -> int:
    """Return `price` x `quantity` in minor units of a currency with `digits`, rounded half up.

    Exact: the price enters as a fraction of integers, never as a float.
    """
    numerator, denominator = price.as_integer_ratio()
    return divide(numerator * quantity * 10**digits, denominator, rounding=Rounding.HALF_UP)


def _instants(mapping: Mapping) -> Callable[[object], datetime | Unreadable | None]:
    @lru_cache(maxsize=REMEMBERED_VALUES, typed=True)
    def instant(value: object) -> datetime | Unreadable | None:
        if isinstance(value, Unreadable):
            return value
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        read: datetime | None = value if isinstance(value, datetime) else None
        if isinstance(value, str):
            read = _read_time(value.strip(), mapping.time_format)
        if read is None:
            wanted = f"a time {_shape(mapping.time_format)}"
            return Unreadable(str(value), wanted, Fault.NOT_A_TIME)
        # An hour that the clock skipped or had twice is read with the offset before the change.
        local = read if read.tzinfo else read.replace(tzinfo=mapping.zone)
        with suppress(OverflowError):
            at = local.astimezone(UTC)
            if YEAR_MIN <= at.year <= YEAR_MAX:
                return at
        wanted = f"a time in the years {YEAR_MIN} to {YEAR_MAX}"
        return Unreadable(str(value), wanted, Fault.OUTSIDE_YEARS)

    return instant


def _shape(time_format: str) -> str:
    return "such as 2024-01-31 16:30:00" if time_format == "iso" else f"as {time_format}"


def _read_time(text: str, time_format: str) -> datetime | None:
    with suppress(ValueError):
        if time_format == "iso":
            return datetime.fromisoformat(text)
        # A format without an offset gives a local time; the caller knows its zone.
        return datetime.strptime(text, time_format)  # noqa: DTZ007 - see the comment above
    return None

"""Invoice lines as a file has them: Parquet or CSV in batches, each value read by its kind.

A value that cannot be read does not stop the file here: it becomes `Unreadable` inside its line,
because a filter may name that line. What no filter names stops the load, in `source`.
"""

import csv
import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from fenqi.core.errors import Invalid
from fenqi.core.values.rate import Rounding, divide
from fenqi.replay.mapping import AMOUNT_MINOR_MAX, Mapping

BATCH_LINES = 65_536
REMEMBERED_VALUES = 65_536  # a file repeats its prices, days and customers; reading each once pays
NUMBER_MAX = 10**12
DECIMALS_MAX = 30


class FileUnreadable(Invalid):
    """The file is not there, not of a kind we read, broken or empty."""

    code = "file-unreadable"


class ColumnMissing(Invalid):
    """The mapping names a column that the file does not have."""

    code = "column-missing"


class ColumnUnreadable(Invalid):
    """A column holds values of a type that no line value has."""

    code = "column-unreadable"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value of the file that is not what its column must hold."""

    value: str
    wanted: str


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


Raw = tuple[int, tuple[object, ...]]


def read_lines(path: Path, mapping: Mapping) -> Iterator[Line]:
    """Yield the lines of the file at `path` in its order, numbered as the file numbers them.

    A Parquet file's rows count from 1; a CSV line has the number an editor shows, so the first
    line after the heading is 2.

    Errors: FileUnreadable, ColumnMissing, ColumnUnreadable.
    """
    readers = {".parquet": _parquet, ".csv": _csv}
    if path.suffix.lower() not in readers:
        raise FileUnreadable(file=str(path), problem="unknown kind", allowed=sorted(readers))
    raw = readers[path.suffix.lower()](path, mapping)
    amount = _amounts(mapping.currency.digits)
    when = _instants(mapping)
    count = 0
    for number, (invoice, item, quantity, price, at, customer) in raw:
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
        )
    if count == 0:
        raise FileUnreadable(
            file=str(path), problem="no lines", allowed="a file with at least one line"
        )


def _parquet(path: Path, mapping: Mapping) -> Iterator[Raw]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            names = _find_columns(path, mapping, file.schema_arrow.names)
            for name in names:
                _check_type(path, name, file.schema_arrow.field(name).type)
            for batch in file.iter_batches(batch_size=BATCH_LINES, columns=names):
                columns = [_values(batch.column(name)) for name in names]
                for row in zip(*columns, strict=True):
                    number += 1
                    yield number, row
    except (pa.ArrowException, OSError) as error:
        raise FileUnreadable(
            file=str(path), problem=str(error), allowed="a Parquet file that can be read"
        ) from error


def _values(column: "pa.Array[Any]") -> list[object]:
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        # Python's datetime has microseconds; what a till writes below them means nothing.
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    try:
        values: list[object] = column.to_pylist()
    except (ValueError, OverflowError):  # a year past 9999, or bytes that are no text
        return [_value(scalar) for scalar in column]
    return values


def _value(scalar: "pa.Scalar[Any]") -> object:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError) as error:
        return Unreadable(str(error), "a value that its type can hold")


def _check_type(path: Path, name: str, kind: pa.DataType) -> None:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_timestamp,
        pa.types.is_null,
    )
    if not any(test(inner) for test in tests):
        raise ColumnUnreadable(
            file=str(path), column=name, type=str(kind), allowed="text, numbers or timestamps"
        )


def _csv(path: Path, mapping: Mapping) -> Iterator[Raw]:
    try:
        with path.open(encoding=mapping.encoding, newline="") as file:
            rows = csv.reader(file, delimiter=mapping.delimiter, strict=True)
            heading = next(rows, [])
            names = _find_columns(path, mapping, heading)
            places = [heading.index(name) for name in names]
            begin = rows.line_num + 1
            for row in rows:
                if len(row) == len(heading):
                    yield begin, tuple(row[place] for place in places)
                elif row:  # a blank line is no row at all
                    # One value too few or too many, and no value is where its column says.
                    torn = Unreadable(f"{len(row)} values", f"{len(heading)} values in the line")
                    yield begin, (torn,) * len(places)
                begin = rows.line_num + 1
    except (csv.Error, OSError, UnicodeError) as error:
        raise FileUnreadable(
            file=str(path), problem=str(error), allowed="a CSV file in the mapping's encoding"
        ) from error


def _find_columns(path: Path, mapping: Mapping, present: list[str]) -> list[str]:
    if not present:
        raise FileUnreadable(file=str(path), problem="no columns", allowed="a heading")
    for column, name in mapping.columns.items():
        if present.count(name) != 1:
            raise ColumnMissing(
                file=str(path),
                column=name,
                key=f"columns.{column.value}",
                found=present.count(name),
                allowed=present,
            )
    return list(mapping.columns.values())


# 1 and 1.0 and true are one key to a cache that is not typed.
@lru_cache(maxsize=REMEMBERED_VALUES, typed=True)
def _text(value: object) -> str | Unreadable | None:
    if isinstance(value, Unreadable):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a customer number that became a double for its missing values
    if isinstance(value, str | int):
        return str(value).strip() or None
    return Unreadable(str(value), "a text or a whole number")


@lru_cache(maxsize=REMEMBERED_VALUES, typed=True)
def _exact(value: object) -> Decimal | Unreadable | None:
    if isinstance(value, Unreadable):
        return value
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    wanted = Unreadable(str(value), "a decimal number such as 2.55")
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
        return Unreadable(str(value), "a whole number")
    return Unreadable(number.value, "a whole number") if number else None


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
            return Unreadable(str(minor), f"at most {AMOUNT_MINOR_MAX} minor units")
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
            return Unreadable(str(value), f"a time as {mapping.time_format}")
        # An hour that the clock skipped or had twice is read with the offset before the change.
        local = read if read.tzinfo else read.replace(tzinfo=mapping.zone)
        with suppress(OverflowError):
            return local.astimezone(UTC)
        return Unreadable(str(value), "a time within the calendar")

    return instant


def _read_time(text: str, time_format: str) -> datetime | None:
    with suppress(ValueError):
        if time_format == "iso":
            return datetime.fromisoformat(text)
        # A format without an offset gives a local time; the caller knows its zone.
        return datetime.strptime(text, time_format)  # noqa: DTZ007 - see the comment above
    return None

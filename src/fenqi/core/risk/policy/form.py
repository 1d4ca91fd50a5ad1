"""A policy's TOML as typed fields, each refusal with the line of the file.

What the fields mean together is `read`'s; here a field is there, has its type and its range.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from fenqi.core.risk.policy.fault import PolicyInvalid
from fenqi.core.terms.reading import Reader
from fenqi.core.values.phrase import Phrase
from fenqi.core.values.place import Place, key_place
from fenqi.core.values.toml import NotToml, table_of

TEXT_BYTES_MAX = 500_000
FOR_PEOPLE = frozenset({"title", "note", "source"})
Found = TypeVar("Found")
Choice = TypeVar("Choice", bound=StrEnum)


class Form:
    """One table of a policy's file; `where` names it for people.

    `keys` are where it may stand: as a table with a heading of its own, or within a line.

    Errors: PolicyInvalid with line, column and where, of every method.
    """

    def __init__(
        self, text: str, table: Mapping[str, object], *, keys: tuple[str, ...], where: str
    ) -> None:
        self._text, self._table, self._keys, self.where = text, table, keys, where
        self._reader = Reader(table, PolicyInvalid)
        self._taken = set(FOR_PEOPLE)
        self._asked: set[str] = set()  # what may be left out, to name what was probably meant

    @property
    def keys(self) -> tuple[str, ...]:
        """Return where it may stand in the text."""
        return self._keys

    def has(self, field: str) -> bool:
        """Whether the field is there."""
        self._asked.add(field)
        return field in self._table

    def text(self, field: str) -> str:
        """Take a text that is not empty."""
        return self._take(field, self._reader.text)

    def identity(self, field: str) -> str:
        """Take a name that programs use."""
        return self._take(field, self._reader.identity)

    def integer(self, field: str, *, least: int, most: int) -> int:
        """Take a whole number within a range, which may be below zero."""
        value = self.raw(field)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(
                field, Phrase("a whole number from {least} to {most}", least=least, most=most)
            )
        return value

    def choice(self, field: str, choices: type[Choice]) -> Choice:
        """Take a member of an enumeration by its value."""
        return self._take(field, lambda name: self._reader.choice(name, choices))

    def day(self, field: str) -> date:
        """Take a day, such as 2026-01-31 without quotes."""
        value = self.raw(field)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.wrong(field, Phrase("a day such as 2026-01-31, without quotes"))
        return value

    def flag(self, field: str) -> bool:
        """Take true or false; an absent one is false."""
        value = self.raw(field)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(field, Phrase("true or false"))
        return bool(value)

    def texts(self, field: str, *, most: int) -> list[str]:
        """Take a list of texts, equal ones allowed."""
        value = self.raw(field)
        if isinstance(value, list) and len(value) <= most:
            found = [one for one in value if isinstance(one, str)]
            if len(found) == len(value):
                return found
        raise self.wrong(field, Phrase("a list of at most {most} texts", most=most))

    def integers(self, field: str, *, least: int, most: int) -> tuple[int, ...]:
        """Take a list of different whole numbers."""
        read = self._reader.integers
        values = self._take(field, lambda one: read(one, least=least, most=most, length_max=most))
        return tuple(values)

    def tables(self, field: str, most: int, *, counted_from: int = 0) -> Iterator["Form"]:
        """Yield the tables of a list, which may be absent.

        `counted_from` are the tables of this name before this list, in other tables.
        """
        value = self.raw(field)
        if value is None:
            return
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.wrong(field, Phrase("a list of tables"))
        if len(value) > most:
            fault = Phrase(
                "{field} has {count} entries; at most {most} are read",
                field=field,
                count=len(value),
                most=most,
            )
            raise self.refusal(field, fault)
        heading = _below(re.sub(r"\[\d+\]", "", self._keys[-1]), field)
        for number, table in enumerate(value, start=1):
            keys = (
                f"{heading}[{number + counted_from}]",
                f"{_below(self._keys[0], field)}[{number}]",
            )
            where: str = f"{field} {number}"
            if self._keys[0]:
                where = Phrase("{where}, {part}", where=self.where, part=where)
            yield Form(self._text, table, keys=keys, where=where)

    def named(self, field: str) -> Mapping[str, object]:
        """Take a table of free keys."""
        value = self.raw(field)
        if not isinstance(value, dict):
            raise self.wrong(field, Phrase("a table of names and values"))
        return value

    def raw(self, field: str) -> object:
        """Take a field of any type, None if it is absent."""
        self._taken.add(field)
        return self._table.get(field)

    def done(self) -> None:
        """Refuse what nobody took."""
        left = sorted(set(self._table) - self._taken)
        if left:
            fault = Phrase("{field} is no key that is known here; take it away", field=left[0])
            raise self.refusal(left[0], _perhaps(fault, self._meant(left[0])))

    def wrong(self, field: str, expected: str) -> PolicyInvalid:
        """Return the error about a field that is not what was expected."""
        if field not in self._table:
            fault = Phrase(
                "{field} is missing; it must be {expected}", field=field, expected=expected
            )
            slip = next((one for one in self._table if self._meant(one, [field])), None)
            return self.refusal(slip or field, _perhaps(fault, slip or ""))
        value = written(self._table[field])
        fault = Phrase(
            "{field} is {value}; it must be {expected}",
            field=field,
            value=value,
            expected=expected,
        )
        return self.refusal(field, fault)

    def _meant(self, name: str, known: Iterable[str] | None = None) -> str:
        """Return which known key a name is close to; empty if it is one, or none."""
        close = get_close_matches(name, self._taken | self._asked if known is None else known, n=1)
        return close[0] if close and name not in close else ""

    def refusal(self, field: str, fault: str, **more: object) -> PolicyInvalid:
        """Return an error about a field."""
        return PolicyInvalid(**self.place(field), **more, where=self.where, fault=fault)

    def place(self, field: str) -> Place:
        """Return where a field stands in the file."""
        places = (key_place(self._text, _below(key, field)) for key in self._keys)
        return next((place for place in places if place), Place())

    def within(self, field: str, refusal: PolicyInvalid) -> PolicyInvalid:
        """Return a refusal of a condition with the place of the field that holds it."""
        return refusal.within(where=self.where, **self.place(field))

    def _take(self, field: str, read: Callable[[str], Found]) -> Found:
        self._taken.add(field)
        try:
            return read(field)
        except PolicyInvalid as refusal:
            expected = refusal.fields["expected"]
            told = expected if isinstance(expected, Phrase) else str(expected)
            raise self.wrong(field, told) from refusal


def opened(text: str) -> Form:
    """Return the top of a policy's file. Errors: PolicyInvalid."""
    if len(text.encode()) > TEXT_BYTES_MAX:
        raise PolicyInvalid(fault=Phrase("a policy has at most {most} bytes", most=TEXT_BYTES_MAX))
    try:
        table = table_of(text)
    except NotToml as fault:
        told = Phrase("this is no TOML: {said}", said=fault.said)
        raise PolicyInvalid(fault=told, **fault.place) from fault
    return Form(text, table, keys=("",), where=Phrase("the policy"))


def _perhaps(fault: Phrase, meant: str) -> Phrase:
    """Return a fault with the name that was probably meant, if there is one."""
    return Phrase("{fault} (is {meant} meant?)", fault=fault, meant=meant) if meant else fault


def written(value: object) -> str:
    """Return a value as its TOML shows it, so that a number in quotes looks like one."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case dict():
            return Phrase("a table")
        case list():
            return f"[{', '.join(map(written, value))}]"
        case _:
            return str(value)


def _below(key: str, field: str) -> str:
    return f"{key}.{field}" if key else field

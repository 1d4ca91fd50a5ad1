"""Typed fields out of a parsed TOML table, with an error that names the field.

Used for products and packs: every field must be there, have its type and lie in its range, and a
field nobody asked for is refused, because a typo must not become a silent default.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from fenqi.core.errors import Invalid
from fenqi.core.values.phrase import Phrase

Choice = TypeVar("Choice", bound=StrEnum)

IDENTITY = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # a terminal obeys them; lines may end
WHOLE_MAX = 2_000_000_000  # fits the integers of the database

FOR_PEOPLE = frozenset({"title", "source", "note"})  # texts the core does not compute with

NO_SUCH_FIELD = Phrase("no such field")
TEXT = Phrase("a text")
TABLE = Phrase("a table")


class Reader:
    """Takes typed fields out of a table and remembers which were taken.

    Errors: `refusal`, the caller's own leaf of Invalid, with field, value and what was expected.
    """

    def __init__(
        self,
        table: Mapping[str, object],
        refusal: type[Invalid],
        *,
        unread: Iterable[str] = FOR_PEOPLE,
        within: str = "",
    ) -> None:
        self._table = table
        self._refusal = refusal
        self._within = within
        self._left = set(table) - set(unread)

    def text(self, field: str) -> str:
        """Return a text that is not empty, without characters that a terminal obeys."""
        value = self._words(field)
        if CONTROL.search(value):
            raise self.refused(field, Phrase("a text without control characters"))
        return value

    def identity(self, field: str) -> str:
        """Return a name that programs use: short, letters, digits, hyphens."""
        text = self._words(field)
        if IDENTITY.fullmatch(text) is None:
            raise self.refused(field, Phrase("1 to 40 letters, digits and hyphens"))
        return text

    def integer(self, field: str, *, least: int = 0, most: int = WHOLE_MAX) -> int:
        """Return a whole number within a range."""
        expected = Phrase("a whole number from {least} to {most}", least=least, most=most)
        value = self._take(field, expected)
        if not _is_whole(value, least=least) or int(str(value)) > most:
            raise self.refused(field, expected)
        return int(str(value))

    def integer_or(self, field: str, absent: int, *, most: int = WHOLE_MAX) -> int:
        """Return a whole number of a field that may be left out."""
        return self.integer(field, most=most) if field in self._table else absent

    def integers(self, field: str, *, least: int = 0, most: int, length_max: int) -> list[int]:
        """Return a list, not empty, of different whole numbers within a range."""
        bounds = {"count": length_max, "least": least, "most": most}
        expected = Phrase("1 to {count} different whole numbers from {least} to {most}", **bounds)
        value = self._take(field, expected)
        if not isinstance(value, list) or not 1 <= len(value) <= length_max:
            raise self.refused(field, expected)
        if not all(_is_whole(one, least=least) and one <= most for one in value):
            raise self.refused(field, expected)
        if len(set(value)) != len(value):
            raise self.refused(field, expected)
        return list(value)

    def numbers(self, field: str, *, least: int = 0, most: int, length: int) -> list[int]:
        """Return a list of exactly so many whole numbers within a range; they may repeat."""
        bounds = {"count": length, "least": least, "most": most}
        expected = Phrase("{count} whole numbers from {least} to {most}", **bounds)
        value = self._take(field, expected)
        if not isinstance(value, list) or len(value) != length:
            raise self.refused(field, expected)
        if not all(_is_whole(one, least=least) and one <= most for one in value):
            raise self.refused(field, expected)
        return list(value)

    def rising(self, field: str, *, least: int = 0, most: int, length_max: int) -> list[int]:
        """Return a list, not empty, of rising whole numbers within a range."""
        values = self.integers(field, least=least, most=most, length_max=length_max)
        if values != sorted(values):
            raise self.refused(field, Phrase("whole numbers, each above the one before"))
        return values

    def choice(self, field: str, choices: type[Choice]) -> Choice:
        """Return a member of an enumeration by its value."""
        known = ", ".join(choice.value for choice in choices)
        expected = Phrase("one of {choices}", choices=known)
        value = self._take(field, expected)
        if not isinstance(value, str) or value not in {choice.value for choice in choices}:
            raise self.refused(field, expected)
        return choices(value)

    def texts(self, field: str, expected: str) -> list[str]:
        """Return a list, not empty, of different texts; the caller checks what they say."""
        value = self._take(field, expected)
        if not isinstance(value, list) or not value:
            raise self.refused(field, expected)
        if not all(isinstance(one, str) for one in value) or len(set(value)) != len(value):
            raise self.refused(field, expected)
        return list(value)

    def table(self, field: str) -> "Reader":
        """Return a reader of the table below; its errors name the field with its path."""
        value = self._take(field, TABLE)
        if not isinstance(value, dict):
            raise self.refused(field, TABLE)
        return Reader(value, self._refusal, within=f"{self._within}{field}.")

    def tables(self, field: str, expected: str, *, length_max: int) -> list["Reader"]:
        """Return readers of a list, not empty, of tables; errors count them from 1."""
        value = self._take(field, expected)
        if not isinstance(value, list) or not 1 <= len(value) <= length_max:
            raise self.refused(field, expected)
        if not all(isinstance(one, dict) for one in value):
            raise self.refused(field, expected)
        return [
            Reader(one, self._refusal, within=f"{self._within}{field}[{place}].")
            for place, one in enumerate(value, start=1)
        ]

    def has(self, field: str) -> bool:
        """Return whether the field is there."""
        return field in self._table

    def done(self) -> None:
        """Refuse fields nobody took."""
        if self._left:
            raise self.refused(sorted(self._left)[0], NO_SUCH_FIELD)

    def refused(self, field: str, expected: str) -> Invalid:
        """Return the error for a field whose value is not what was expected."""
        value = self._table.get(field, Phrase("(missing)"))
        return self._refusal(field=self._within + field, value=value, expected=expected)

    def _words(self, field: str) -> str:
        value = self._take(field, TEXT)
        if not isinstance(value, str) or not value.strip():
            raise self.refused(field, TEXT)
        return value

    def _take(self, field: str, expected: str) -> object:
        self._left.discard(field)
        if field not in self._table:
            raise self.refused(field, expected)
        return self._table[field]


def _is_whole(value: object, *, least: int) -> bool:
    """Tell whether a value is an integer of at least `least`; `true` in a file is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least

"""The keys of a mapping file: typed values out of TOML tables, and what is said of any other key.

An error names the key with its tables, such as plans.choices[2].product; who has the text of the
file adds the place.
"""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import NoReturn, TypeVar

from fenqi.core.errors import Invalid
from fenqi.core.values.phrase import Phrase

TEXT_CHARS_MAX = 100

Choice = TypeVar("Choice", bound=StrEnum)


class MappingInvalid(Invalid):
    """A mapping file cannot be used; the fields say where it is wrong and what is allowed."""

    code = "mapping-invalid"


class Keys:
    """A TOML table whose keys are known: takes typed values out of it, refuses anything else."""

    def __init__(self, table: Mapping[str, object], file: str, prefix: str, allowed: str) -> None:
        self._table = table
        self._file = file
        self._prefix = prefix
        known = allowed.split()
        for key in table:
            if key not in known:
                close = get_close_matches(key, known, n=1)
                wanted = Phrase("one of the keys {known}", known=", ".join(known))
                if close:
                    wanted = Phrase("{fault} (is {meant} meant?)", fault=wanted, meant=close[0])
                self._refuse(key, problem="an unknown key", allowed=wanted)

    def refuse(self, key: str, allowed: str) -> NoReturn:
        """Refuse a key for what it holds, or for not being there. Errors: MappingInvalid."""
        if key not in self._table:
            self._refuse(key, problem="missing", allowed=allowed)
        self._refuse(key, value=_shown(self._table[key]), allowed=allowed)

    def _refuse(self, key: str, **said: str) -> NoReturn:
        raise MappingInvalid(file=self._file, key=self._prefix + key, **said)

    def absent(self, key: str, allowed: str) -> None:
        """Refuse a key that has no place here. Errors: MappingInvalid."""
        if key in self._table:
            self.refuse(key, allowed)

    def text(self, key: str, *, default: str | None = None) -> str:
        """Return a text that is not empty and can be printed. Errors: MappingInvalid."""
        value = self._table.get(key, default)
        if not isinstance(value, str) or not value:
            self.refuse(key, "a text")
        if len(value) > TEXT_CHARS_MAX or not value.replace("\t", " ").isprintable():
            self.refuse(key, Phrase("1 to {most} printable characters", most=TEXT_CHARS_MAX))
        return value

    def number(self, key: str, *, least: int, most: int) -> int:
        """Return a whole number within a range. Errors: MappingInvalid."""
        value = self._table.get(key)
        # To Python true is a number; to the person who wrote it in a mapping it is not.
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.refuse(
                key, Phrase("a whole number from {least} to {most}", least=least, most=most)
            )
        return value

    def one_of(self, key: str, names: list[str], *, default: str | None = None) -> str:
        """Return one of these names. Errors: MappingInvalid."""
        value = self._table.get(key, default)
        if not isinstance(value, str) or value not in names:
            self.refuse(key, Phrase("one of {choices}", choices=", ".join(names)))
        return value

    def choice(self, key: str, choices: type[Choice], *, default: Choice | None = None) -> Choice:
        """Return a member of an enumeration by its value. Errors: MappingInvalid."""
        return choices(self.one_of(key, [choice.value for choice in choices], default=default))

    def texts(self, key: str, most: int) -> tuple[str, ...]:
        """Return a list of up to `most` texts, not empty. Errors: MappingInvalid."""
        values = self._table.get(key)
        if not isinstance(values, list) or not 1 <= len(values) <= most:
            self.refuse(key, Phrase("a list of 1 to {most} texts", most=most))
        if not all(isinstance(value, str) and value for value in values):
            self.refuse(key, Phrase("a list of 1 to {most} texts", most=most))
        return tuple(values)

    def numbers(self, key: str, most: int) -> tuple[int, ...]:
        """Return a list of up to `most` whole numbers. Errors: MappingInvalid."""
        values = self._table.get(key)
        if not isinstance(values, list) or not 1 <= len(values) <= most:
            self.refuse(key, Phrase("a list of 1 to {most} whole numbers", most=most))
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            self.refuse(key, Phrase("a list of 1 to {most} whole numbers", most=most))
        return tuple(values)

    def table(self, key: str, allowed: str, *, optional: bool = False) -> "Keys":
        """Return the keys of a table below this one. Errors: MappingInvalid."""
        value = self._table.get(key, {} if optional else None)
        if not isinstance(value, dict):
            self.refuse(key, f"a table [{self._prefix}{key}] with the keys {allowed}")
        return Keys(value, self._file, f"{self._prefix}{key}.", allowed)

    def tables(self, key: str, allowed: str, most: int) -> list["Keys"]:
        """Return the keys of each table of a list of tables. Errors: MappingInvalid."""
        values = self._table.get(key, [])
        wanted = f"up to {most} tables [[{self._prefix}{key}]] with the keys {allowed}"
        if not isinstance(values, list) or len(values) > most:
            self.refuse(key, wanted)
        if not all(isinstance(value, dict) for value in values):
            self.refuse(key, wanted)
        return [
            Keys(value, self._file, f"{self._prefix}{key}[{number}].", allowed)
            for number, value in enumerate(values, start=1)
        ]


def _shown(value: object) -> str:
    """Return a value as the file has it, so that the text "1" does not look like the number."""
    return (
        "a table" if isinstance(value, dict) else json.dumps(value, default=str, ensure_ascii=False)
    )

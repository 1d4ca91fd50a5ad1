"""A TOML text as a table, or one error that says what is wrong and where.

The parser of the standard library gives up in three ways: with an error of its own, out of stack at
lists within lists, and at a number of more digits than Python reads. Whoever reads a person's file
needs one.
"""

import re
import tomllib
from typing import Any

from fenqi.core.values.place import Place, fault_place

_PLACE_SAID = re.compile(r" \(at [^)]*\)$")
_ENDLESS_NUMBER = re.compile(r"[0-9_]{1000,}")


class NotToml(ValueError):
    """A text is no TOML: `said` is why, `place` where, as far as anybody knows.

    Readers turn it into an error of their own, which names the file.
    """

    def __init__(self, said: str, place: Place) -> None:
        super().__init__(said)
        self.said, self.place = said, place


def table_of(text: str) -> dict[str, Any]:
    """Return the table a text describes. Errors: NotToml."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        said = _PLACE_SAID.sub("", str(fault))
        raise NotToml(said, fault_place(str(fault), text)) from fault
    except RecursionError:
        raise NotToml("lists or tables stand too deep in one another", Place()) from None
    except ValueError:  # of Python itself, which says no place
        found = _ENDLESS_NUMBER.search(text)
        before = text[: found.start() if found else 0]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        raise NotToml("a number has too many digits", Place(line=line, column=column)) from None

"""A TOML text as a table, or one error that says what is wrong and where.

The parser of the standard library gives up in three ways: with an error of its own, out of stack at
lists within lists, and at a number of more digits than Python reads. In a fourth it does not give
up: it takes memory and time by the square of the parts of a key, gigabytes for a line of some
thousands. Whoever reads a person's file needs one error.
"""

import re
import tomllib
from typing import Any

from fenqi.core.values.phrase import Phrase
from fenqi.core.values.place import Place, fault_place

KEY_PARTS_MAX = 100

_PLACE_SAID = re.compile(r" \(at [^)]*\)$")
_ENDLESS_NUMBER = re.compile(r"[0-9_]{1000,}")
_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
# Also a text of so many words with dots between them and nothing else, which nobody writes.
_DEEP_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{KEY_PARTS_MAX}}}")


class NotToml(ValueError):
    """A text is no TOML: `said` is why, `place` where, as far as anybody knows.

    Readers turn it into an error of their own, which names the file.
    """

    def __init__(self, said: str, place: Place) -> None:
        super().__init__(said)
        self.said, self.place = said, place


def table_of(text: str) -> dict[str, Any]:
    """Return the table a text describes. Errors: NotToml."""
    deep = _DEEP_KEY.search(text)
    if deep is not None:
        too_deep = Phrase("a key has more than {most} parts", most=KEY_PARTS_MAX)
        raise NotToml(too_deep, _place(text, deep.start()))
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        said = _PLACE_SAID.sub("", str(fault))
        raise NotToml(said, fault_place(str(fault), text)) from fault
    except RecursionError:
        nested = Phrase("lists or tables stand too deep in one another")
        raise NotToml(nested, Place()) from None
    except ValueError:  # of Python itself, which says no place
        found = _ENDLESS_NUMBER.search(text)
        endless = Phrase("a number has too many digits")
        raise NotToml(endless, _place(text, found.start() if found else 0)) from None


def _place(text: str, start: int) -> Place:
    before = text[:start]
    return Place(line=before.count("\n") + 1, column=start - before.rfind("\n"))

"""Where in a TOML text something stands, by line and column as an editor counts them.

The parser of the standard library names the place of broken TOML in its message only, and no place
at all for a key that is well written but wrong; people need both.
"""

import re
from collections import Counter
from typing import TypedDict

_NAME = r"""[A-Za-z0-9_"'-]+(?:\s*\.\s*[A-Za-z0-9_"'-]+)*"""
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_NAME})\s*\]")
_KEY = re.compile(rf"\s*({_NAME})\s*=")


class Place(TypedDict, total=False):
    """A line and a column, both from 1; empty if nobody knows."""

    line: int
    column: int


def fault_place(said: str, text: str) -> Place:
    """Return where the parser stopped that `said` why; the end of the text if it says no place."""
    found = re.search(r"at line (\d+), column (\d+)", said)
    if found:
        return {"line": int(found[1]), "column": int(found[2])}
    lines = text.split("\n")
    return {"line": len(lines), "column": len(lines[-1]) + 1}


def key_place(text: str, key: str) -> Place:
    """Return where `key`, such as plans.choices[2].product, is set in a TOML text.

    A key that is not there has the place of the innermost table around it that is.
    """
    tables: Counter[str] = Counter()
    within = ""
    best: tuple[int, Place] = (0, {})
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            name = _bare(header[2])
            tables[name] += 1
            within = f"{name}[{tables[name]}]" if header[1] == "[[" else name
            here, column = within, header.start(1) + 1
        elif found := _KEY.match(line):
            here = f"{within}.{_bare(found[1])}" if within else _bare(found[1])
            column = found.start(1) + 1
        else:
            continue
        place: Place = {"line": number, "column": column}
        if here == key:
            return place
        if key.startswith((f"{here}.", f"{here}[")) and len(here) > best[0]:
            best = len(here), place
    return best[1]


def _bare(name: str) -> str:
    return re.sub(r"""[\s"']""", "", name)

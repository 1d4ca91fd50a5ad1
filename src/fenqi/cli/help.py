"""What `--help` says, in the language of the person: a command's own words and of all below it.

The parser of the command line keeps them as plain text, which is told from the catalogue once it
is known who reads. What the parser adds in brackets, such as a default, stays as it writes it.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from rich.cells import cell_len

from fenqi.cli.language import preferred_language, speech
from fenqi.report.language import Language

PANELS = {"argument": "Arguments", "option": "Options"}  # by what a parameter is
COMMANDS_PANEL = "Commands"
# The parser folds the help of a parameter at blanks only, of which Chinese has none, and cuts what
# is too long. From so many columns on nothing is; below, lines of so many cells fit beside options.
WIDE = 120
LINE_CELLS = 24
# A word of Latin script, or a wide character with the mark that may not begin a line.
MARKS = "\uff0c\u3002\uff1b\uff1a\u3001\uff09"
PIECE = re.compile(rf" ?(?:[\x21-\x7e]+|[^\x20-\x7e])[{MARKS}]*")


def tell(command: Any) -> None:
    """Let the help of a command, and of those below it, be in the language of the person."""
    if preferred_language() is not Language.ENGLISH:
        change(command, speech().gettext)
        if shutil.get_terminal_size().columns < WIDE:
            _fold(command)


def change(command: Any, told: Callable[[str], str]) -> None:
    """Let every text of a command's help, and of those below it, be what is told of it."""
    command.help = "\n\n".join(map(told, paragraphs(command.help)))
    command.rich_help_panel = told(COMMANDS_PANEL)
    for one in _parameters(command):
        one.rich_help_panel = told(PANELS[one.param_type_name])
        if one.help:
            one.help = told(one.help)
    for inner in _inner(command):
        change(inner, told)


def _fold(command: Any) -> None:
    """Lay the help of parameters in short lines; the parser takes a paragraph for a line."""
    for one in _parameters(command):
        if one.help:
            one.help = "\n\n".join(lines(one.help))
    for inner in _inner(command):
        _fold(inner)


def lines(text: str) -> list[str]:
    """Return a text in lines of at most `LINE_CELLS`, unless a single word is longer."""
    found = [""]
    for piece in PIECE.findall(text):
        if cell_len(found[-1] + piece) > LINE_CELLS and found[-1]:
            found.append("")
        found[-1] += piece
    return [one.strip() for one in found]


def paragraphs(text: str | None) -> Iterator[str]:
    """Yield the paragraphs of a help, each on one line."""
    for one in (text or "").split("\n\n"):
        if words := one.split():
            yield " ".join(words)


def texts(command: Any) -> set[str]:
    """Return every text of a command's help and of those below it, as the catalogue has them."""
    found = set[str]()

    def note(text: str) -> str:
        found.add(text)
        return text

    change(command, note)
    return found


def _parameters(command: Any) -> list[Any]:
    """Return arguments and options, that of the help itself too."""
    asks_help = command.get_help_option(command.context_class(command))
    return [*command.params, *([asks_help] if asks_help else [])]


def _inner(command: Any) -> list[Any]:
    return list(getattr(command, "commands", {}).values())

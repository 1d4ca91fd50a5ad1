"""Lists for a terminal: ids are never cut, and no word is where there is room for it.

Columns that belong together stand beside one another in a wide terminal and below one another in a
narrow one, so that what is to be copied stands on one line.
"""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from fenqi.report.folding import WORD_CELLS_MAX, FoldingTable

WIDE = 130  # columns of a terminal in which a list fits without folding

Cell = str | Text
Group = Sequence[Cell]


def listing(
    console: Console, heads: Sequence[Group], rows: Iterable[Sequence[Group]]
) -> FoldingTable:
    """Return a table of groups of columns, each group one column where the terminal is narrow.

    Shapes: each row has as many groups as `heads`, each group as many cells.
    """
    is_wide = console.width >= WIDE
    lines = [_laid(one, is_wide=is_wide) for one in (heads, *rows)]
    table = FoldingTable(box=SIMPLE_HEAD, header_style="dim")
    for column in zip(*lines, strict=True):
        is_words = all(map(_is_words, column))  # then nothing in it can be folded; others give way
        table.add_column(column[0], no_wrap=is_words)
    for line in lines[1:]:
        table.add_row(*line)
    return table


def _laid(groups: Sequence[Group], *, is_wide: bool) -> list[Text]:
    """Return the cells of a line, those of a group below one another unless it is wide."""
    if is_wide:
        return [_text(cell) for group in groups for cell in group]
    return [Text("\n").join(_text(cell) for cell in group) for group in groups]


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def _is_words(cell: Text) -> bool:
    """Return whether each line of a cell is a single word that is kept whole."""
    lines = cell.plain.splitlines()
    return all(len(one.split()) <= 1 and cell_len(one) <= WORD_CELLS_MAX for one in lines)

"""Tables for a terminal that fold what does not fit and never cut it.

rich keeps the least widths a table asks for even where their sum is wider than the terminal, and
the terminal then cuts what stands on the right. It cuts too in columns that are not to be wrapped,
and it takes Chinese, which has no blanks, for one long word. Here the widths of a table always sum
to what the terminal has.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

WORD_CELLS_MAX = 36  # of a word that is kept whole: an id is as long
LEAST_CELLS = 2  # of a column: one Chinese character
UNBOUNDED = 100_000


class FoldingTable(Table):
    """A table whose columns give way, the widest first, until they fit.

    Words stay whole as long as there is room for them; below that they are folded.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the table with columns as wide as they can be."""
        texts = [_texts(self, column, console) for column in self.columns]
        wholes = [max((_line_cells(one) for one in column), default=1) for column in texts]
        leasts = [
            whole if column.no_wrap else min(whole, _least(cells))
            for whole, column, cells in zip(wholes, self.columns, texts, strict=True)
        ]
        room = options.max_width - self._cells_between(console, options)
        table = copy(self)
        table.columns = [
            replace(column, width=width, no_wrap=False, overflow="fold")
            for column, width in zip(self.columns, fitting(wholes, leasts, room), strict=True)
        ]
        return Table.__rich_console__(table, console, options)

    def _cells_between(self, console: Console, options: ConsoleOptions) -> int:
        """Return how many cells of a line are edges and blanks between columns."""
        table = copy(self)
        table.columns = [replace(column, width=1) for column in self.columns]
        measured = Measurement.get(console, options.update(max_width=UNBOUNDED), table)
        return measured.maximum - len(self.columns)


def fitting(wholes: Sequence[int], leasts: Sequence[int], room: int) -> list[int]:
    """Return how many cells each column gets of `room`, so that they fit if they can.

    Columns as wide as their longest line (`wholes`) give way, the widest first, down to their
    longest word (`leasts`), and only if that is not enough, further.
    """
    widths = [max(LEAST_CELLS, whole) for whole in wholes]
    for floors in (leasts, [LEAST_CELLS] * len(widths)):
        while sum(widths) > room:
            giving = [
                place
                for place, floor in enumerate(floors)
                if widths[place] > max(floor, LEAST_CELLS)
            ]
            if not giving:
                break
            widths[max(giving, key=lambda place: widths[place])] -= 1
    return widths


def longest_word(text: str) -> int:
    """Return the cells of the longest word; a Chinese line breaks at any of its characters."""
    longest = run = 0
    for character in text:
        cells = cell_len(character)
        run = 0 if character.isspace() else cells if cells > 1 else run + cells
        longest = max(longest, run)
        if cells > 1:
            run = 0
    return longest


def _texts(table: Table, column: Column, console: Console) -> list[str]:
    cells: list[RenderableType] = list(column.cells)
    if table.show_header:
        cells.append(column.header)
    if table.show_footer:
        cells.append(column.footer)
    return list(_plain(cells, console))


def _plain(cells: Iterable[RenderableType], console: Console) -> Iterable[str]:
    for cell in cells:
        text = console.render_str(cell) if isinstance(cell, str) else cell
        if not isinstance(text, Text):
            raise TypeError(type(cell))  # this table knows how to fold text only
        yield text.plain


def _line_cells(text: str) -> int:
    return max(map(cell_len, text.splitlines()), default=0)


def _least(texts: Iterable[str]) -> int:
    return min(max(map(longest_word, texts), default=0), WORD_CELLS_MAX)

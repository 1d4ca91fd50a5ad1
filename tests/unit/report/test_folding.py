"""Tables fold what does not fit: no character of a cell is ever cut, in Chinese as in English."""

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from fenqi.report.folding import FoldingTable, fitting, longest_word
from fenqi.report.listing import WIDE, listing

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
UNTIL = "2026-12-05 20:58 \uff08申请至 2026-12-31\uff0c待第二人确认\uff09"
CELLS = (
    ID,
    "降低额度",
    "smaller-limit, repayment-changed, overdue-elsewhere",
    "还款行为有变化repayment-changed\uff08逾期30天以上\uff09",
    "该客户近三十天内在多家商户连续申请分期且均未按期还款需要人工复核",
    UNTIL,
    "10,000.00",
    "f" * 64,
)
WIDTHS = [60, 80, 100, WIDE]
WORDS = st.text("额度还款\uff08\uff09\uff0c。\uff1aa1-_.[]", min_size=1, max_size=50)
TEXTS = st.lists(WORDS, max_size=5).map(" ".join)


def lines_of(table: FoldingTable, columns: int) -> list[str]:
    told = StringIO()
    console = Console(file=told, width=columns, highlight=False, markup=False)
    console.print(table)
    lines = told.getvalue().splitlines()
    assert all(cell_len(one) <= columns for one in lines)
    return lines


def cell_of(lines: list[str], begin: int, end: int) -> str:
    """Return what stands between two columns of the terminal, without its blanks."""
    told = []
    for line in lines:
        place = 0
        for character in line:
            if begin <= place < end and not character.isspace():
                told.append(character)
            place += cell_len(character)
    return "".join(told)


def bare(text: str) -> str:
    return "".join(text.split())


def assert_whole(table: FoldingTable, row: tuple[str, ...], columns: int) -> None:
    """Assert that each cell of the only row stands whole in its column, its head marking where."""
    table.show_edge = False
    lines = lines_of(table, columns)
    rule = next(place for place, one in enumerate(lines) if "─" in one)
    heads = [cell_len(lines[0][: lines[0].index(name)]) for name in "ABCDEFGH"[: len(row)]]
    for cell, begin, end in zip(row, heads, [*heads[1:], columns], strict=True):
        assert cell_of(lines[rule + 1 :], begin, end) == bare(cell)


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_kind_of_cell_is_found_whole_in_a_list(cell: str, columns: int) -> None:
    row = (ID, "还款行为有变化 repayment-changed", cell)
    table = listing(
        Console(width=columns), (("A",), ("B",), ("C",)), [tuple((one,) for one in row)]
    )
    assert_whole(table, row, columns)


@given(st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from([60, 80]), st.booleans())
def test_any_words_are_found_whole_in_any_table(
    texts: list[str], columns: int, is_kept: bool
) -> None:
    table = FoldingTable()
    for name in "ABCDE"[: len(texts)]:
        table.add_column(name, no_wrap=is_kept)
    table.add_row(*map(Text, texts))
    table.box = listing(Console(), (("A",),), []).box
    assert_whole(table, tuple(texts), columns)


def test_an_id_stays_on_one_line_where_words_can_give_way() -> None:
    table = listing(
        Console(width=80),
        (("账户", "保护"), ("措施", "原因"), ("至",)),
        [((ID, ID), ("降低额度", "smaller-limit, repayment-changed"), (UNTIL,))],
    )
    lines = lines_of(table, 80)
    assert sum(ID in one for one in lines) == 2
    assert any("repayment-changed" in one for one in lines)


def test_the_widest_column_gives_way_first_and_words_last() -> None:
    assert fitting([36, 20, 40], [36, 10, 8], 100) == [36, 20, 40]
    assert fitting([36, 20, 40], [36, 10, 8], 80) == [36, 20, 24]
    assert fitting([36, 20, 40], [36, 10, 8], 54) == [36, 10, 8]
    assert fitting([36, 20, 40], [36, 10, 8], 40) == [22, 10, 8]


def test_chinese_breaks_at_any_character_and_latin_at_blanks() -> None:
    assert longest_word("还款行为有变化") == 2
    assert longest_word("还款smaller-limit额度 until") == len("smaller-limit")


def test_what_is_no_text_is_refused() -> None:
    table = FoldingTable("A")
    table.add_row(FoldingTable("B"))
    with pytest.raises(TypeError):
        lines_of(table, 80)

"""The printed report: it fits the terminal, and says whose payments it rests on."""

import dataclasses
import re
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from fenqi.core.values.money import currency
from fenqi.report import book, terminal
from fenqi.report.book import RESTS_ON_RECEIPTS, ReasonCount
from fenqi.report.language import Language, Speech
from fenqi.report.origin import Provenance
from fenqi.store.pool import Store


def printed(found: book.Book, width: int, language: Language = Language.ENGLISH) -> str:
    console = Console(file=StringIO(), width=width)
    terminal.show(found, console, Speech(language))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_nothing_is_cut_off_or_too_wide(lived_store: Store, width: int) -> None:
    for language in Language:
        text = printed(book.read(lived_store), width, language)
        assert max(map(cell_len, text.splitlines())) <= width
        assert "…" not in text
    text = printed(book.read(lived_store), width)
    for part in ("Days past due", "Roll rates", "Money, CNY", "Purchases", "M7+"):
        assert part in text


def test_the_report_is_told_in_chinese_but_for_names(lived_store: Store) -> None:
    drawn = dataclasses.replace(
        book.read(lived_store),
        rests_on_drawn_payments=RESTS_ON_RECEIPTS,
        provenance=Provenance("drawn", 7, None),
        exceptions=(ReasonCount("no-customer", 3),),
        requests=(ReasonCount("bill-split", 2),),
        paying=(ReasonCount("relief", 1),),
    )
    text = printed(drawn, 100, Language.CHINESE)
    for said in ("逾期天数", "滚动率", "应收款", "账单分期", "还款行为有变化的客户", "抽样生成"):
        assert said in text
    codes = [
        one.reason for one in (*drawn.purchases.decline_reasons, ReasonCount("no-customer", 3))
    ]
    named = " ".join((drawn.book_id, drawn.legal_entity, drawn.currency, *codes))
    latin = set(re.findall("[A-Za-z]{2,}", text)) - {"exceptions", "csv"}
    assert latin <= set(re.findall("[A-Za-z]{2,}", named))


def test_a_narrow_terminal_folds_the_lines_and_cuts_no_figure(lived_store: Store) -> None:
    found = book.read(lived_store)
    assert printed(found, 44) == printed(found, 80)


def test_amounts_of_billions_still_fit_eighty_columns(lived_store: Store) -> None:
    found = book.read(lived_store)
    huge = 123_456_789_012_345
    big = dataclasses.replace(
        found,
        receivables=dataclasses.replace(found.receivables, total_minor=huge),
        buckets=tuple(dataclasses.replace(one, principal_open_minor=huge) for one in found.buckets),
        cash=dataclasses.replace(found.cash, settled_minor=huge),
    )
    assert "1,234,567,890,123.45" in printed(big, 80)
    assert "…" not in printed(big, 80)


def test_drawn_payments_and_lines_left_out_are_printed(lived_store: Store) -> None:
    drawn = dataclasses.replace(
        book.read(lived_store),
        provenance=Provenance("drawn", 7, "roll rates"),
        rests_on_drawn_payments=RESTS_ON_RECEIPTS,
        exceptions=(ReasonCount("no-customer", 1_234),),
    )
    text = " ".join(printed(drawn, 80).split())
    assert "Payments were drawn from roll rates, seed 7, not received." in text
    assert "no-customer 1,234" in text


def test_a_book_without_a_month_end_has_no_roll_rates_yet(lived_store: Store) -> None:
    young = dataclasses.replace(book.read(lived_store), roll_rates=None)
    assert "No month of this book has ended yet." in printed(young, 80)


@pytest.mark.parametrize(
    ("code", "minor", "text"),
    [("CNY", 123_456_789, "1,234,567.89"), ("CNY", -5, "-0.05"), ("JPY", 1_234, "1,234")],
)
def test_amounts_are_grouped_and_keep_every_digit(code: str, minor: int, text: str) -> None:
    assert terminal.money_text(minor, currency(code)) == text

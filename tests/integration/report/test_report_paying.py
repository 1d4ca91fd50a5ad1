"""The report tells how many customers began to pay differently, and what followed for them."""

import re
from datetime import date, timedelta
from io import StringIO

from make_book import BOOK, World, buy, enrol, open_book, pay, until
from make_paying import Rounds
from rich.console import Console

from fenqi.report import book, page, terminal
from fenqi.report.book import RESTS_ON_RECEIPTS
from fenqi.report.language import Language
from fenqi.store.pool import Store


def lived(store: Store) -> World:
    """Two are late twice, one of them paid; a third pays on time."""
    world = open_book(store)
    ann, ben, cat = (enrol(world, name) for name in ("ann", "ben", "cat"))
    for account in (ann, ben, cat):
        buy(world, account, 300_000, "flat", 3)
    rounds = Rounds(world)
    pays = {
        date(2026, 2, 9): [(cat, 203_000)],
        date(2026, 2, 20): [(ann, 102_500), (ben, 102_500)],
        date(2026, 3, 16): [(ann, 102_500)],
    }
    while world.day < date(2026, 3, 18):
        until(world, world.day + timedelta(days=1))
        for account, amount in pays.get(world.day, []):
            pay(world, account, amount)
        rounds.run()
    return world


def test_the_report_counts_each_customer_once_a_row_as_of_any_day(store: Store) -> None:
    lived(store)
    found = book.read(store, BOOK)
    assert {one.reason: one.count for one in found.paying} == {
        "asked-about": 2,
        "nudge": 2,
        "relief": 2,
        "review": 2,
        "smaller-limit": 2,
        "cured": 1,
    }
    before = book.read(store, BOOK, date(2026, 3, 1))
    assert {one.reason: one.count for one in before.paying} == {"asked-about": 2, "nudge": 2}
    assert book.read(store, BOOK, date(2026, 2, 8)).paying == ()
    assert "paying" in RESTS_ON_RECEIPTS


def test_it_is_printed_in_the_terminal_and_on_the_page_in_both_languages(store: Store) -> None:
    lived(store)
    found = book.read(store, BOOK)
    out = StringIO()
    terminal.show(found, Console(file=out, width=100))
    assert "Paid differently" in out.getvalue()
    assert "smaller limit" in out.getvalue()
    english = page.render(found, Language.ENGLISH)
    assert "Customers who began to pay differently" in english
    assert "a smaller limit for a while" in english
    chinese = page.render(found, Language.CHINESE)
    assert "还款行为有变化的客户" in chinese
    assert "还清后恢复" in chinese
    assert re.findall(r'data-figure="paying\.0\.count" value="(\d+)"', english) == ["2"]


def test_a_book_nobody_was_late_in_says_nothing_of_it(store: Store) -> None:
    world = open_book(store)
    buy(world, enrol(world), 300_000, "flat", 3)
    found = book.read(store, BOOK, world.day)
    assert found.paying == ()
    assert "began to pay differently" not in page.render(found, Language.ENGLISH)

"""The page of a book: the report's own figures, nothing else needed, nothing let in."""

import dataclasses
import json
import re
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fenqi.core.errors import FenqiError
from fenqi.core.values.money import currency
from fenqi.report import book, page, pictures
from fenqi.report.book import RESTS_ON_RECEIPTS, Book, ReasonCount
from fenqi.report.language import Language
from fenqi.report.origin import Provenance
from fenqi.report.purchases import ToldReason
from fenqi.report.whole import PathUnwritable
from fenqi.store.pool import Store
from lives import open_book

LANGUAGES = list(Language)
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>&amp;'{{ 7*7 }}%(x)s"
RUNS = {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image", "use", "a"}


class Page(HTMLParser):
    """What a page is made of: its tags with their attributes, its figures, tables and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.figures: list[tuple[str, int, str]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._figure: tuple[str, int, str] | None = None
        self._quiet = self._is_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        self._quiet = tag == "style"
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._is_cell = True
        if tag == "data":
            self._figure = (given["data-figure"] or "", int(given["value"] or ""), "")

    def handle_data(self, data: str) -> None:
        if self._quiet:
            return
        self.text += data
        if self._is_cell:
            self.rows[-1][-1] += data
        if self._figure is not None:
            name, value, text = self._figure
            self._figure = (name, value, text + data)

    def handle_endtag(self, tag: str) -> None:
        self._quiet = False
        if tag in ("td", "th"):
            self._is_cell = False
        if tag == "data" and self._figure is not None:
            self.figures.append(self._figure)
            self._figure = None

    def row(self, head: str, width: int) -> list[str]:
        """Return the cells of the one row with this head and width."""
        (found,) = [row for row in self.rows if len(row) == width and row[0].strip() == head]
        return [cell.strip() for cell in found]


def shown(found: Book, language: Language = Language.ENGLISH) -> Page:
    return Page(page.render(found, language))


def looked_up(report: Any, name: str) -> int:
    for part in name.split("."):
        report = report[part] if isinstance(report, dict) else report[int(part)]
    assert isinstance(report, int)
    return report


def drawn(found: Book) -> Book:
    return dataclasses.replace(
        found,
        provenance=Provenance("drawn", 7, "roll rates"),
        rests_on_drawn_payments=RESTS_ON_RECEIPTS,
        exceptions=(ReasonCount("no-customer", 1_234), ReasonCount("refund-unmatched", 5)),
    )


@pytest.fixture
def found(lived_store: Store) -> Book:
    return book.read(lived_store)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_figure_is_that_of_the_json_report(found: Book, language: Language) -> None:
    report = json.loads(book.to_json(drawn(found)))
    figures = shown(drawn(found), language).figures
    assert {name: value for name, value, _ in figures} == {
        name: looked_up(report, name) for name, _, _ in figures
    }
    assert len({name for name, _, _ in figures}) > 70


def test_every_amount_and_count_is_printed_to_the_last_unit(found: Book) -> None:
    report = json.loads(book.to_json(found))
    exact: dict[str, set[str]] = {}
    for name, _, text in shown(found).figures:
        exact.setdefault(name, set()).add(text.replace(",", ""))
    for group in ("receivables", "cash", "income", "refunds", "liabilities", "recoveries"):
        for field, value in report[group].items():
            if field.endswith("_minor"):
                assert str(Decimal(value).scaleb(-2)) in exact[f"{group}.{field}"]
    for place, one in enumerate(report["buckets"]):
        assert str(one["plans"]) in exact[f"buckets.{place}.plans"]


def test_tables_beside_the_charts_print_what_the_charts_draw(found: Book) -> None:
    seen = shown(found)
    for one in pictures.stands(found):
        cells = seen.row(f"{one.day.day} {one.day:%b %Y}", 10)
        assert Decimal(cells[1].replace(",", "")) == Decimal(one.total_minor).scaleb(-2)
        assert cells[2:] == [f"{one.share_ppm(place) / 10_000:.2f}%" for place in range(8)]
    for month in found.months:
        cells = seen.row(f"{month.month:%b %Y}", 6)
        assert Decimal(cells[2].replace(",", "")) == Decimal(month.received_minor).scaleb(-2)
    for vintage in found.vintages:
        if len(vintage.over_30_days_minor) < 2:
            continue
        cells = seen.row(f"{vintage.month:%b %Y}", 7)


def test_curves_of_a_lived_book_tell_who_was_late_and_lost(found: Book) -> None:
    january, may = found.vintages
    assert (january.month, january.plans) == (date(2026, 1, 1), 7)
    assert january.lent_minor + may.lent_minor == found.bad_debt.lent_minor
    assert january.written_off_minor[-1] == found.write_offs.principal_minor
    assert january.over_90_days_minor[-1] >= january.written_off_minor[-1]
    for curve in (january.over_30_days_minor, january.over_90_days_minor):
        assert list(curve) == sorted(curve)
        assert len(curve) == 9  # January to September; October still runs


def test_the_largest_debts_past_due_add_up_to_their_buckets(found: Book) -> None:
    late = found.buckets[1:]
    assert sum(one.plans for one in found.largest_past_due) == sum(one.plans for one in late) > 0
    assert sum(one.principal_open_minor for one in found.largest_past_due) == sum(
        one.principal_open_minor for one in late
    )


@pytest.mark.parametrize("day", [date(2026, 3, 31), date(2026, 7, 15)])
def test_the_largest_debts_of_a_past_day_add_up_too(lived_store: Store, day: date) -> None:
    then = book.read(lived_store, as_of=day)
    assert sum(one.principal_open_minor for one in then.largest_past_due) == sum(
        one.principal_open_minor for one in then.buckets[1:]
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_file_runs_nothing_and_fetches_nothing(found: Book, language: Language) -> None:
    text = page.render(drawn(found), language)
    seen = Page(text)
    assert {tag for tag, _ in seen.tags} & (RUNS - {"a"}) == set()
    assert [given["href"] for tag, given in seen.tags if tag == "a"] == ["#drawn"]
    for tag, given in seen.tags:
        assert not [name for name in given if name.startswith("on")], tag
        assert not {"src", "srcset", "xlink:href", "action", "http-equiv"} & given.keys(), tag
    assert not re.search(r"https?:|url\(|@import|javascript:", text)


def test_hostile_names_stay_text(found: Book) -> None:
    plain = drawn(found)
    hostile = dataclasses.replace(
        plain,
        book_id=HOSTILE,
        legal_entity=HOSTILE,
        provenance=Provenance("drawn", 7, HOSTILE),
        exceptions=(ReasonCount(HOSTILE, 3), ReasonCount("refund-unmatched", 5)),
        rests_on_drawn_payments=(*plain.rests_on_drawn_payments, HOSTILE),
        purchases=dataclasses.replace(
            plain.purchases,
            decline_reasons=(ToldReason(HOSTILE, 3, {"zh": HOSTILE, "en": HOSTILE}),),
        ),
    )
    for language in LANGUAGES:
        seen = shown(hostile, language)
        assert not [tag for tag, _ in seen.tags if tag in ("script", "img")]
        assert seen.text.count(HOSTILE) >= 6


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_picture_has_one_name_and_its_words(found: Book, language: Language) -> None:
    seen = shown(drawn(found), language)
    ids = [given["id"] for _, given in seen.tags if "id" in given]
    assert len(ids) == len(set(ids))
    drawings = [given for tag, given in seen.tags if tag == "svg" and given.get("role") == "img"]
    assert len(drawings) > 8
    named = [one["aria-labelledby"] or "" for one in drawings if "aria-labelledby" in one]
    assert {name for one in named for name in one.split()} <= set(ids)
    assert [given["lang"] for tag, given in seen.tags if tag == "html"] == [language.value]


def test_no_english_is_left_on_the_chinese_page(found: Book) -> None:
    text = shown(drawn(found), Language.CHINESE).text
    for known in (
        found.legal_entity,
        "docs/reference/metrics.md",
        "fenqi report --json",
        "exceptions.csv",
        "no-customer",
        "roll rates",
        "limit-exceeded",  # the code of a reason, beside its text
        "payment-overdue",
    ):
        text = text.replace(known, "")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", text)  # ids of accounts
    assert set(re.findall(r"[A-Za-z]{3,}", text)) <= {"fenqi", "small", "CNY"}


def test_figures_that_rest_on_drawn_payments_are_marked_and_named(found: Book) -> None:
    seen, received = shown(drawn(found)), shown(found)
    assert seen.text.count("◇") > 10
    for word in ("Payments were drawn, not received", "The seed 7 draws", "roll rates", "cash"):
        assert word in seen.text
    assert "Who paid is not told on this page" in received.text
    assert "◇" not in received.text


def test_the_same_book_gives_the_same_bytes(found: Book) -> None:
    assert page.render(found, Language.CHINESE) == page.render(found, Language.CHINESE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_empty_book_says_so(store: Store, language: Language) -> None:
    open_book(store)
    empty = book.read(store)
    assert empty.plans == 0
    seen = shown(empty, language)
    assert {tag for tag, given in seen.tags if given.get("class") == "empty"} == {"p"}
    if language is Language.ENGLISH:
        for sentence in (
            "Nothing has been lent yet.",
            "No month of this book has ended yet.",
            "Nobody has tried to buy yet.",
            "No plan is a month old yet.",
            "No day of this book has been closed yet.",
            "No account is past due.",
        ):
            assert sentence in seen.text


def test_a_book_of_one_day_draws_that_day(store: Store) -> None:
    life = open_book(store)
    life.buy("punctual", 600_000, "flat", 6)
    young = book.read(store)
    (today,) = pictures.stands(young)
    assert today.is_today
    assert pictures.compared(young) is None
    assert "1 plan running" in shown(young).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_amounts_without_a_minor_unit_have_no_decimals(found: Book, language: Language) -> None:
    yen = shown(dataclasses.replace(found, currency="JPY"), language)
    texts = {name: text for name, _, text in yen.figures if name == "cash.settled_minor"}
    assert texts["cash.settled_minor"].replace(",", "") == str(found.cash.settled_minor)


def test_amounts_of_any_size_and_sign_are_drawn(found: Book) -> None:
    huge = 10**18 + 1
    months = tuple(
        dataclasses.replace(one, received_minor=huge, paid_to_merchants_minor=-huge, income_minor=0)
        for one in found.months
    )
    big = dataclasses.replace(
        found,
        legal_entity="long" * 200,
        months=months,
        cash=dataclasses.replace(found.cash, settled_minor=-huge),
    )
    assert "-10,000,000,000,000,000.01" in shown(big).text


def test_years_of_months_are_drawn_without_end(found: Book) -> None:
    old = dataclasses.replace(
        found,
        months=tuple(
            dataclasses.replace(found.months[0], month=date(2000 + n // 12, n % 12 + 1, 1))
            for n in range(240)
        ),
    )
    assert len(pictures.stands(old)) == pictures.MONTHS_DRAWN + 1
    assert len(pictures.drawn_months(old)) == pictures.MONTHS_DRAWN
    assert len(page.render(old, Language.ENGLISH)) < 250_000


def test_a_page_replaces_the_one_before_and_leaves_no_part(found: Book, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old", encoding="utf-8")
    page.write(found, target, Language.ENGLISH)
    assert target.read_text(encoding="utf-8") == page.render(found, Language.ENGLISH)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["missing/report.html", ".", "file/report.html"])
def test_a_place_that_cannot_be_written_is_named(found: Book, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(PathUnwritable) as refusal:
        page.write(found, tmp_path / name, Language.ENGLISH)
    assert refusal.value.fields["path"] == str(tmp_path / name)
    assert {one.name for one in tmp_path.iterdir()} == {"file"}


def test_an_unknown_figure_is_a_fault_and_not_an_empty_place(found: Book) -> None:
    figures = page.Figures(found, pictures.Speech(Language.ENGLISH))
    with pytest.raises((KeyError, FenqiError)):
        figures.amount("cash.gone_minor")
    with pytest.raises(TypeError):
        figures.amount("legal_entity")
    assert currency(found.currency).digits == 2

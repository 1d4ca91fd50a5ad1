"""A plan's quote: the figures that would be signed and booked, without a database."""

import dataclasses
import json
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from fenqi.core.errors import Invalid
from fenqi.core.terms.cost import nominal_annual
from fenqi.core.terms.pack import CapBroken
from fenqi.core.terms.product import PriceOutOfRange
from fenqi.core.terms.schedule import CountNotOffered, PriceNotCheaper
from fenqi.core.values.money import CurrencyUnknown, currency
from fenqi.report import quote as quoting
from fenqi.report.quote import AmountInvalid, Asked, SettledBeforeBought, quote
from fenqi.store.catalogue import SHIPPED, ProductMissing

ASKED = Asked("6000", "CNY", "flat", 6, date(2026, 11, 24))


def test_instalments_sum_to_principal_and_cost() -> None:
    quoted = quote(ASKED)
    assert sum(part.total_minor for part in quoted.parts) == quoted.total_minor == 618_000
    assert quoted.cost_minor == 18_000
    assert [part.due_on for part in quoted.parts][:2] == [date(2026, 12, 10), date(2027, 1, 10)]


def test_a_price_below_the_listed_one_shows_its_own_true_rates() -> None:
    listed, quoted = quote(ASKED), quote(dataclasses.replace(ASKED, price_ppm=800_000))
    assert (quoted.cost_minor, quoted.price_ppm) == (14_400, 800_000)
    assert quoted.cost_lines[0].rate_ppm == 4_000
    # 12 x the monthly irr of what is really paid, not four fifths of the listed rate.
    paid = [part.total_minor for part in quoted.parts]
    assert paid == [102_400] * 6
    assert Decimal(quoted.nominal_annual) == nominal_annual(600_000, paid)
    assert Decimal(quoted.nominal_annual) < Decimal(listed.nominal_annual)
    console = Console(file=StringIO(), width=80)
    quoting.show(quoted, console)
    assert "at 80.00% of its price" in console.file.getvalue()  # type: ignore[attr-defined]
    nearly = quote(dataclasses.replace(ASKED, price_ppm=999_999))
    quoting.show(nearly, console := Console(file=StringIO(), width=80))
    assert "at 99.9999% of its price" in console.file.getvalue()  # type: ignore[attr-defined]
    quoting.show(listed, console := Console(file=StringIO(), width=80))
    assert "of its price" not in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("price", [-1, 1_000_001])
def test_a_quote_above_the_listed_price_or_below_nothing_is_refused(price: int) -> None:
    with pytest.raises(PriceOutOfRange):
        quote(dataclasses.replace(ASKED, price_ppm=price))


def test_a_quote_that_rounding_makes_the_dearer_one_is_refused() -> None:
    asked = Asked("1000.82", "CNY", "annuity18", 24, ASKED.on, price_ppm=999_999)
    with pytest.raises(PriceNotCheaper) as refused:
        quote(asked)
    assert (refused.value.fields["cost_minor"], refused.value.fields["listed_minor"]) == (
        19_837,
        19_832,
    )


def test_a_free_product_costs_nothing_a_year() -> None:
    quoted = quote(dataclasses.replace(ASKED, product="free4", count=4))
    assert quoted.cost_minor == 0
    assert (float(quoted.nominal_annual), float(quoted.effective_annual)) == (0, 0)


def test_ending_on_the_day_of_purchase_costs_nothing() -> None:
    settlement = quote(dataclasses.replace(ASKED, settle_on=ASKED.on)).settlement
    assert settlement == quoting.Settlement(ASKED.on, 0, 600_000, 18_000)


def test_ending_on_the_last_day_saves_nothing() -> None:
    settlement = quote(dataclasses.replace(ASKED, settle_on=date(2027, 5, 10))).settlement
    assert settlement is not None
    assert settlement.saving_minor == 0
    assert settlement.paid_before_minor + settlement.quote_minor == 618_000


def test_ending_in_between_saves_the_cost_of_time_not_used() -> None:
    settlement = quote(dataclasses.replace(ASKED, settle_on=date(2027, 2, 20))).settlement
    # Three instalments are paid; of the fourth's 30.00 the 10 days of 28 since 10 February count.
    assert settlement == quoting.Settlement(date(2027, 2, 20), 309_000, 301_071, 7_929)


def test_ending_before_the_purchase_is_refused() -> None:
    with pytest.raises(SettledBeforeBought):
        quote(dataclasses.replace(ASKED, settle_on=date(2026, 11, 23)))


def test_a_plan_above_the_packs_cap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    files = quoting.from_files()
    strict = {
        key: dataclasses.replace(pack, nominal_annual_max_ppm=1)
        for key, pack in files.packs.items()
    }
    known = dataclasses.replace(files, packs=strict)
    monkeypatch.setattr(quoting, "from_files", lambda _: known)
    with pytest.raises(CapBroken):
        quote(ASKED)
    assert quote(dataclasses.replace(ASKED, currency="GBP")).packs == ()


def test_a_quote_names_the_packs_whose_caps_it_keeps_or_that_there_are_none() -> None:
    console = Console(file=StringIO(), width=80)
    ours, foreign = quote(ASKED), quote(dataclasses.replace(ASKED, currency="GBP"))
    assert json.loads(quoting.to_json(ours))["packs"] == list(ours.packs)
    assert [name.split()[0] for name in ours.packs] == ["cn"]
    quoting.show(ours, console)
    quoting.show(foreign, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "within the caps of cn" in printed
    assert "no pack is made for GBP: caps are not checked" in printed


def test_money_is_whole_on_a_narrow_terminal() -> None:
    console = Console(file=StringIO(), width=50)
    quoting.show(quote(dataclasses.replace(ASKED, amount="999999.99")), console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "999,999.99" in printed
    assert "…" not in printed
    assert max(len(line) for line in printed.splitlines()) <= 50


def test_a_terminal_narrower_than_an_amount_folds_but_cuts_nothing() -> None:
    console = Console(file=StringIO(), width=20)
    quoting.show(quote(dataclasses.replace(ASKED, amount="999999.99")), console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1,029,999.99" in printed
    assert "…" not in printed


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"product": "gold"}, ProductMissing),
        ({"count": 7}, CountNotOffered),
        ({"currency": "XXX"}, CurrencyUnknown),
        ({"statement_day": 32}, Invalid),
    ],
)
def test_what_is_not_offered_is_refused(changes: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        quote(dataclasses.replace(ASKED, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "code", "minor"),
    [
        ("1299.50", "CNY", 129_950),
        ("0.01", "CNY", 1),
        ("500", "JPY", 500),
        ("7.5", "CNY", 750),
        ("1.234", "KWD", 1_234),
    ],
)
def test_an_amount_is_read_in_the_currencys_own_unit(text: str, code: str, minor: int) -> None:
    assert quoting.read_amount(text, currency(code)) == minor


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1.001", "1e99", "nan", "1_0", "\u0661", ".5", "9" * 30]
)
def test_an_amount_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(AmountInvalid):
        quoting.read_amount(text, currency("CNY"))


def test_the_total_cost_stands_beside_the_rates() -> None:
    console = Console(file=StringIO(), width=80)
    quoting.show(quote(dataclasses.replace(ASKED, settle_on=date(2027, 2, 20))), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for part in ("total cost 180.00", "10.21% nominal, 10.71% effective", "saving", "79.29"):
        assert part in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_json_holds_the_same_figures() -> None:
    quoted = quote(ASKED)
    table = json.loads(quoting.to_json(quoted))
    assert table["total_minor"] == quoted.total_minor
    assert table["parts"][0]["due_on"] == "2026-12-10"
    assert table["cost_lines"][0]["kind"] == "flat-fee"


def test_a_quote_is_one_of_the_operators_own_products(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "products").mkdir()
    text = (SHIPPED / "products" / "flat.toml").read_text("utf-8")
    own = text.replace('id = "flat"', 'id = "ours"')
    (tmp_path / "products" / "ours.toml").write_text(own, "utf-8")
    monkeypatch.setenv("FENQI_CATALOGUE", str(tmp_path))
    assert quote(dataclasses.replace(ASKED, product="ours")).product == "ours"

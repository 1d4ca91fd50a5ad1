"""`fenqi plan preview`: a plan before and after a request, without a database."""

import io
import json
import re
from datetime import date

import pytest
from rich.console import Console
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.core.terms.life.refusal import OperationSenseless, OperationUntimely
from fenqi.report.language import Language, Speech
from fenqi.report.preview import PreviewUnclear, Shown, Wish, preview, show, to_json
from fenqi.report.quote import Asked

BOUGHT = date(2026, 1, 5)
ASKED = date(2026, 2, 5)


def shown(product: str = "flat", count: int = 6, *, on: date = ASKED, **wish: object) -> Shown:
    asked = Asked(amount="1200", currency="CNY", product=product, count=count, on=BOUGHT)
    return preview(asked, Wish(on, **wish))  # type: ignore[arg-type] # as a test says it


def printed(one: Shown, language: Language = Language.ENGLISH) -> str:
    console = Console(file=io.StringIO(), width=80, no_color=True)
    show(one, console, Speech(language))
    return console.file.getvalue()  # type: ignore[attr-defined] # a StringIO


def test_a_deferral_moves_one_day_and_costs_nothing() -> None:
    one = shown(defer_days=10)
    assert one.cost_minor == 0
    moved = [(a.due_on, b.due_on) for a, b in zip(one.before, one.after, strict=True) if a != b]
    assert moved == [(date(2026, 2, 10), date(2026, 2, 20))]
    assert "costs nothing" in printed(one)


def test_a_plan_at_a_price_is_shown_with_it_and_saves_its_own_fee() -> None:
    asked = Asked("1200", "CNY", "flat", 6, BOUGHT, price_ppm=500_000)
    one = preview(asked, Wish(date(2026, 1, 9), withdraws=True))
    assert (one.to_pay_minor, one.cost_minor, one.price_ppm) == (120_000, -1_800, 500_000)
    assert "flat v3 at 50.00% of its price" in printed(one)


def test_each_request_is_told_in_chinese() -> None:
    wishes: tuple[tuple[dict[str, object], str], ...] = (
        ({"defer_days": 10}, "延期"),
        ({"due_day": 25}, "更改还款日"),
        ({"split_through": date(2026, 2, 10)}, "转为单独分期计划 206.00"),
        ({"settles": True}, "提前结清"),
        ({"refund_minor": 10_000}, "退款"),
    )
    for wish, said in wishes:
        text = printed(shown(**wish), Language.CHINESE)
        assert said in text
        assert set(re.findall("[A-Za-z]{2,}", text)) == {"flat"}


def test_an_extension_shows_the_instalments_that_are_added() -> None:
    one = shown("annuity18", extend_count=3)
    assert (len(one.before), len(one.after)) == (6, 9)
    assert sum(part.open_minor for part in one.after) == sum(part.open_minor for part in one.before)
    assert "10 Oct 2026" in printed(one)


def test_a_withdrawal_asks_for_the_principal_and_saves_the_fee() -> None:
    one = shown(on=date(2026, 1, 9), withdraws=True)
    assert (one.to_pay_minor, one.cost_minor) == (120_000, -3_600)
    assert "to pay now 1,200.00" in printed(one)


def test_a_bill_shows_what_becomes_a_plan_of_its_own() -> None:
    one = shown(split_through=date(2026, 2, 10))
    assert (one.moved_minor, one.after[0].open_minor, one.to_pay_minor) == (20_600, 0, None)
    assert "becomes a plan of its own 206.00" in printed(one)


def test_all_that_is_to_come_moves_to_another_day() -> None:
    days = [part.due_on.day for part in shown(due_day=25).after]
    assert days == [25] * 6


def test_the_same_requests_are_refused_as_the_flows_refuse_them() -> None:
    with pytest.raises(OperationSenseless, match="days out of range"):
        shown(defer_days=11)
    with pytest.raises(OperationUntimely, match="the days to withdraw are over"):
        shown(withdraws=True)
    with pytest.raises(OperationSenseless, match="the product does not offer it"):
        shown("unsplit", 1, on=BOUGHT, extend_count=2)


def test_one_thing_is_asked_for_at_a_time() -> None:
    for wish in ({}, {"defer_days": 3, "due_day": 9}):
        with pytest.raises(PreviewUnclear):
            shown(**wish)


def test_the_command_prints_what_programs_read() -> None:
    words = "plan preview 1200 --on 2026-01-05 --asked-on 2026-02-05 --settle --json"
    table = json.loads(CliRunner().invoke(app, words.split()).output)
    assert table == json.loads(to_json(shown(settles=True)))
    assert table["to_pay_minor"] > 120_000
    assert table["after"][0]["due_on"] == "2026-02-10"

"""Every code a list may show has a name in Chinese."""

from enum import StrEnum

import pytest

from fenqi.core.account import AccountStatus
from fenqi.core.risk.application import REGIMES
from fenqi.core.risk.case import CaseKind
from fenqi.core.risk.change import Bound
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.risk.input import Unit
from fenqi.core.risk.response import Finding
from fenqi.machine import DUTIES
from fenqi.report.language import Language, Speech
from fenqi.report.names import measure, sense, subject, together, word, words
from fenqi.store.applications import ApplicationState

EN, ZH = Speech(Language.ENGLISH), Speech(Language.CHINESE)


@pytest.mark.parametrize("codes", [Effect, DecisionKind, Finding, CaseKind, Bound])
def test_a_code_has_its_chinese_name_before_it(codes: type[StrEnum]) -> None:
    unnamed = [one.value for one in codes if word(one.value, ZH) == one.value]
    assert unnamed == []


def test_a_duty_has_its_chinese_name_before_it() -> None:
    assert [one for one in DUTIES if word(one, ZH) == one] == []


@pytest.mark.parametrize(
    ("of", "codes"),
    [
        ("account_status", tuple(AccountStatus)),
        ("regime", tuple(REGIMES)),
        ("offer", ("open", "accepted", "declined", "overtaken")),
        ("application", tuple(ApplicationState)),
        ("span", ("hour", "day")),
    ],
)
def test_a_code_is_named_by_what_it_is_said_of(of: str, codes: tuple[str, ...]) -> None:
    assert [one for one in codes if sense(of, one, ZH) == one] == []
    assert [sense(of, one, EN) for one in codes] == list(codes)


def test_an_open_account_and_an_open_offer_are_two_words() -> None:
    said = sense("account_status", "open", ZH), sense("offer", "open", ZH)
    assert said == ("正常 open", "待答复 open")


@pytest.mark.parametrize(
    ("value", "unit", "english", "chinese"),
    [
        (0, Unit.DAYS, "0 days", "0 天"),
        (1, Unit.DAYS, "1 day", "1 天"),
        (1_548, Unit.POINTS, "1,548 points", "1,548 分"),
        (30, Unit.SECONDS, "30 seconds", "30 秒"),
    ],
)
def test_a_value_has_its_unit_in_the_language(
    value: int, unit: Unit, english: str, chinese: str
) -> None:
    assert (measure(value, unit, EN), measure(value, unit, ZH)) == (english, chinese)


def test_what_is_contested_is_named() -> None:
    assert subject("contested: limit", ZH) == "有异议\uff1a额度 limit"
    assert subject("contested: limit", EN) == "contested: limit"
    assert subject("payment-overdue", ZH) == "payment-overdue"


def test_codes_stand_together_with_the_marks_of_the_language() -> None:
    codes = ("held-back:limit", "level")
    assert words(codes, EN) == "held-back: limit, level"
    assert words(codes, ZH) == "未执行 held-back\uff1a额度 limit、介于两档之间 level"
    assert together((), ZH) == ""

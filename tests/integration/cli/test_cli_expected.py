"""What a field must be is told in Chinese, whoever says it: features, scorecards, facts, seals."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources

import pytest

from fenqi.cli.errors import sentence
from fenqi.core.errors import FenqiError
from fenqi.core.risk import fact, scorecard
from fenqi.core.risk.features import reading
from fenqi.core.risk.identity import Identifier, Sealer

DATA = resources.files("fenqi") / "data"
FEATURES = (DATA / "features" / "shipped.toml").read_text("utf-8")
CARD = (DATA / "scorecards" / "starter.toml").read_text("utf-8")
NOW = datetime(2026, 5, 1, tzinfo=UTC)
# Two English words of four letters beside one another; codes, keys and names stand alone.
ENGLISH = re.compile(r"(?<![\"'.\[\w-])[a-z]{4,} [a-z]{4,}")


def features(old: str, new: str) -> None:
    assert old in FEATURES
    reading.read(FEATURES.replace(old, new, 1), file="own.toml")


def card(old: str, new: str) -> None:
    assert old in CARD
    scorecard.read(CARD.replace(old, new, 1), file="own.toml")


def told(kind: str, **said: object) -> None:
    fact.read(kind, NOW, said, now=NOW)


FAULTS: dict[str, tuple[Callable[[], object], str]] = {
    "a feature's name": (
        lambda: features('name = "limit_minor"', 'name = "Limit"'),
        "1 至 40 个小写字母、数字和下划线",
    ),
    "a name twice": (
        lambda: features('name = "used_minor"', 'name = "limit_minor"'),
        "未被使用的名称",
    ),
    "choices": (
        lambda: features('choices = ["open", "frozen", "closed"]', 'choices = ["open"]'),
        "两个或更多互不相同的词",
    ),
    "purposes": (
        lambda: features('purposes = ["credit", "fraud"]', 'purposes = ["fun"]'),
        "由以下一项或多项组成的列表:credit, fraud, service",
    ),
    "a window": (lambda: features('window = "', 'window = "9x'), "至多 400 天"),
    "a part that is none": (
        lambda: features('part = "night_purchases"', 'part = "night_logins"'),
        "按种类和条件全都属于 purchases 的流",
    ),
    "points": (lambda: card("points = [40, 15, 5, 0]", "points = [0, 15, 5, 40]"), "逐箱 falling"),
    "an unknown": (lambda: card("unknown = 40", "unknown = 99"), "介于 0 与 40 之间"),
    "a reason": (
        lambda: card('reason = "payment-overdue"', 'reason = "nobody-wrote"'),
        "在 [reason] 下有文本的代码",
    ),
    "a schema": (lambda: card("schema = 1", "schema = 2"), "1,即此版本可读的格式"),
    "a seal": (lambda: told("login", ip="10.0.0.1"), "64 位十六进制数字的密封值"),
    "a field of a fact": (lambda: told("login", moon=1), "以下之一:"),
    "a phone": (
        lambda: Sealer(b"k" * 32).seal(Identifier.PHONE, "12"),
        "5 至 17 位数字",
    ),
    "an address": (lambda: Sealer(b"k" * 32).seal(Identifier.IP, "here"), "IPv4 或 IPv6 地址"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_field_must_be_is_told_in_chinese(
    monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    make, said = FAULTS[fault]
    with pytest.raises(FenqiError) as refused:
        make()
    monkeypatch.setenv("FENQI_LANGUAGE", "zh-CN")
    chinese = sentence(refused.value).translate(str.maketrans("\uff0c\uff1a\uff1b", ",:;"))
    assert said in chinese
    assert not ENGLISH.search(chinese), chinese
    monkeypatch.setenv("FENQI_LANGUAGE", "en")
    assert not re.search("[\u4e00-\u9fff]", sentence(refused.value))

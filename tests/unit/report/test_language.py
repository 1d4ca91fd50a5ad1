"""Two languages: every sentence is translated, numbers are as people write them."""

import ast
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from re import findall, search, sub

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract
from typer.main import get_command

import fenqi
from fenqi import report
from fenqi.cli import answers, app, around
from fenqi.cli.commands import COMMANDS, load
from fenqi.cli.help import texts
from fenqi.cli.phrases import PHRASES
from fenqi.cli.sentences import SENTENCES
from fenqi.core.risk.policy.kinds import Kind
from fenqi.core.values.money import currency
from fenqi.report.language import Language, Speech, read_catalogue
from fenqi.report.policies import points_text

ROOM = Path(report.__file__).parent
CATALOGUE = ROOM.parent / "data" / "languages" / "zh_CN.po"
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}
EN, ZH = Speech(Language.ENGLISH), Speech(Language.CHINESE)


def sentences() -> Iterator[str | tuple[str, ...]]:
    """Yield every sentence of the templates and of the code."""
    for file in sorted(ROOM.glob("templates/*.j2")):
        with file.open("rb") as text:
            for _, message, _, _ in extract(babel_extract, text, keywords=KEYWORDS):  # type: ignore[arg-type]
                yield message
    for file in sorted(ROOM.glob("*.py")):
        with file.open("rb") as text:
            for _, message, _, _ in extract("python", text, keywords=KEYWORDS):
                yield message


def of_errors() -> Iterator[str]:
    """Yield every sentence of every error code."""
    for templates in SENTENCES.values():
        yield from (templates,) if isinstance(templates, str) else templates


def templates_of_phrases() -> Iterator[str]:
    """Yield what phrases of the core are made from; one of names alone needs no translation."""
    for file in sorted(Path(fenqi.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            is_phrase = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Phrase"
            for told in node.args[:1] if is_phrase and isinstance(node, ast.Call) else ():
                for one in ast.walk(told):
                    is_text = isinstance(one, ast.Constant) and isinstance(one.value, str)
                    if is_text and search(r"[a-z]", sub(r"{\w+}", "", str(one.value))):  # type: ignore[attr-defined]
                        yield str(one.value)  # type: ignore[attr-defined]


def of_help() -> set[str]:
    """Return every text of `--help`, of the program and of each command."""
    return set().union(texts(get_command(app)), *(texts(load(name)) for name in COMMANDS))


def test_every_sentence_is_in_the_catalogue_and_none_is_there_for_nothing() -> None:
    said = {one if isinstance(one, str) else one[0] for one in sentences()}
    assert len(said) > 120
    of_commands = {
        *of_errors(),
        *around.ALL,
        *answers.ALL,
        *PHRASES,
        *templates_of_phrases(),
        *Kind,
        *of_help(),
    }
    assert said | of_commands == set(read_catalogue(Language.CHINESE))


def test_a_sentence_has_one_translation() -> None:
    lines = CATALOGUE.read_text(encoding="utf-8").splitlines()
    # The words of a long one are on the lines below it.
    said = [one for one in lines if one.startswith("msgid ") and one != 'msgid ""']
    assert len(said) > 120
    assert [one for one in set(said) if said.count(one) > 1] == []


def test_each_sentence_of_each_error_code_is_there_in_both_languages_with_the_same_values() -> None:
    chinese = read_catalogue(Language.CHINESE)
    for sentence in (*of_errors(), *around.ALL, *answers.ALL, *templates_of_phrases()):
        named = [sorted(findall(r"{(\w+)}", text)) for text in (sentence, chinese[sentence])]
        assert named[0] == named[1], sentence
        assert sentence.count("\n") == chinese[sentence].count("\n"), sentence


def test_each_phrase_is_raised_word_for_word_somewhere() -> None:
    raised = {
        one.value
        for file in ROOM.parent.rglob("*.py")
        if file.parent.name != "cli"
        for one in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }
    assert PHRASES - raised == frozenset()


def test_a_translation_names_the_same_values_as_its_sentence() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="zh_CN")
    for message in catalogue:
        if not message.id:
            continue
        texts = [message.string] if isinstance(message.string, str) else message.string
        first = message.id if isinstance(message.id, str) else message.id[0]
        for text in texts:
            assert sorted(findall(r"%\(\w+\)s", text)) == sorted(findall(r"%\(\w+\)s", first)), text
            assert not findall(r"%(?!\(\w+\)s|%)", text), text


HAN = "\u4e00-\u9fff"
WIDE = f"{HAN}\u3000-\u303f\uff00-\uffef"
# A mark of Latin script beside Chinese text, and a blank where none is set.
MARK = "(?:[,;:?()]|!(?!=))"
HALF = f"[{WIDE}] ?{MARK}|{MARK} ?[{WIDE}]"
BLANK = rf"[{WIDE}] +[{WIDE}]"


@pytest.mark.parametrize(
    ("text", "is_amiss"),
    [
        ("熔断已触发, 因", True),
        ("额度:", True),
        ("应为 名称", True),
        ("。 运行", True),
        ("熔断已触发\uff0c因", False),
        ("按 10:00 计", False),
        ("运行 fenqi", False),
    ],
)
def test_what_is_amiss_in_chinese_is_seen(text: str, is_amiss: bool) -> None:
    assert bool(search(HALF, text) or search(BLANK, text)) is is_amiss


def test_chinese_sentences_have_marks_of_their_own_width_and_no_stray_blanks() -> None:
    for text in read_catalogue(Language.CHINESE).values():
        assert not search(HALF, text), text
        assert not search(BLANK, text), text


def test_one_thing_has_one_word() -> None:
    said = "\n".join(read_catalogue(Language.CHINESE).values())
    assert [one for one in ("\u8d2d\u4e70", "\u9080\u7ea6", "逾期费") if one in said] == []
    # A plan is a 分期计划 wherever it is named; 还款计划 is its schedule.
    assert findall("(?<!分期)(?<!还款)计划", said) == []


def test_points_of_a_score_are_no_percentage_points() -> None:
    assert points_text(20, ZH) == "+20 \u5206"
    assert [points_text(one, EN) for one in (20, 1, -5)] == ["+20 points", "+1 point", "-5 points"]


def test_no_translation_is_still_english() -> None:
    for sentence, text in read_catalogue(Language.CHINESE).items():
        assert findall(r"[\u4e00-\u9fff]", text), sentence


@pytest.mark.parametrize(
    ("code", "minor", "exact", "english", "chinese"),
    [
        ("CNY", 247_630_961, "2,476,309.61", "2.48M", "247.63万"),
        ("CNY", -5, "-0.05", "-0.05", "-0.05"),
        ("CNY", 0, "0.00", "0", "0"),
        ("JPY", 1_234, "1,234", "1.23K", "1234"),
        ("KWD", 13_231_123, "13,231.123", "13.23K", "1.32万"),
        ("CNY", 10**18 + 1, "10,000,000,000,000,000.01", "10000T", "10000万亿"),
    ],
)
def test_amounts_are_exact_in_full_and_short_in_passing(
    code: str, minor: int, exact: str, english: str, chinese: str
) -> None:
    unit = currency(code)
    assert EN.amount(minor, unit) == ZH.amount(minor, unit) == exact
    assert (EN.compact(minor, unit), ZH.compact(minor, unit)) == (english, chinese)


def test_shares_and_changes_keep_their_sign() -> None:
    assert EN.percent(32_200, 2) == ZH.percent(32_200, 2) == "3.22%"
    assert EN.percent(1_000_000, 0) == "100%"
    assert EN.points(-2_900) == "\u22120.29"
    assert EN.points(2_900) == "+0.29"
    assert ZH.change(-199_000) == "\u221219.9%"


def test_days_are_written_in_each_language() -> None:
    day = date(2027, 1, 9)
    assert (EN.day(day), ZH.day(day)) == ("9 Jan 2027", "2027年1月9日")
    assert (EN.month(day), ZH.month(day)) == ("Jan 2027", "2027年1月")
    assert (EN.month_alone(day), ZH.month_alone(day)) == ("Jan", "1月")


def test_counts_choose_their_form() -> None:
    one, many = "%(count)s plan", "%(count)s plans"
    assert [EN.ngettext(one, many, count) for count in (0, 1, 2)] == [many, one, many]
    assert {ZH.ngettext(one, many, count) for count in (0, 1, 2)} == {"%(count)s 笔分期计划"}


def test_an_unknown_sentence_stays_english() -> None:
    assert ZH.gettext("never said") == "never said"

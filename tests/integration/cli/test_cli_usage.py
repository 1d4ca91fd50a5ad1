"""Words that make no command are told as every other error: in one sentence, by language."""

import re

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fenqi.cli import app

WESTERN = str.maketrans("\uff0c\uff1a\uff1b\uff08\uff09\uff1f", ",:;()?")
ID = "0198c5a2-7d31-7c44-9b1e-2f6f0a1c3d5e"
OF_DECISIONS = "approve, nudge, relief, step-up, cooler-menu, smaller-limit, dearer-price"


def fenqi(*words: str, language: str = "en") -> Result:
    environment = {"FENQI_LANGUAGE": language, "COLUMNS": "80", "TERM": "dumb"}
    return CliRunner().invoke(app, list(words), env=environment, prog_name="fenqi")


FAULTS = {
    ("plan", "quote"): ("AMOUNT is missing.", "缺少 AMOUNT。", "fenqi plan quote"),
    ("policy", "adopt", "x.toml"): ("--by is missing.", "缺少 --by。", "fenqi policy adopt"),
    ("application", "show"): (
        f"APPLICATION is missing; it must be an id such as {ID}.",
        f"缺少 APPLICATION;应为编号,如 {ID}。",
        "fenqi application show",
    ),
    ("plan", "quote", "600", "--count", "x"): (
        "--count is x; it must be a whole number.",
        "--count 为 x;应为整数。",
        "fenqi plan quote",
    ),
    ("plan", "quote", "600", "--count", ""): (
        "--count is empty; it must be a whole number.",
        "--count 为空;应为整数。",
        "fenqi plan quote",
    ),
    ("demo", "--shoppers", "0"): (
        "--shoppers is 0; it must be a whole number from 1 to 100000.",
        "--shoppers 为 0;应为 1 至 100000 的整数。",
        "fenqi demo",
    ),
    ("plan", "quote", "600", "--on", "2026-13-01"): (
        "--on is 2026-13-01; it must be a day such as 2026-01-31.",
        "--on 为 2026-13-01;应为日期,如 2026-01-31。",
        "fenqi plan quote",
    ),
    ("decision", "show", "abc"): (
        f"ID is abc; it must be an id such as {ID}.",
        f"ID 为 abc;应为编号,如 {ID}。",
        "fenqi decision show",
    ),
    ("assess", "rates"): (
        "SUBJECT is rates; it must be one of limit, price.",
        "SUBJECT 为 rates;应为以下之一:limit, price。",
        "fenqi assess",
    ),
    ("decision", "list", "--outcome", "x"): (
        f"--outcome must be one of {OF_DECISIONS}, review, hold, freeze, decline.",
        f"--outcome 应为以下之一:{OF_DECISIONS}, review, hold, freeze, decline。",
        "fenqi decision list",
    ),
    ("plann",): (
        "There is no command plann; is plan meant?",
        "没有命令 plann;是否指 plan?",
        "fenqi",
    ),
    ("plan", "zzz"): ("There is no command zzz.", "没有命令 zzz。", "fenqi plan"),
    ("it's",): ("There is no command it's.", "没有命令 it's。", "fenqi"),
    ("--bogus",): ("There is no option --bogus.", "没有选项 --bogus。", "fenqi"),
    ("plan", "quote", "600", "--counts", "3"): (
        "There is no option --counts; is --count meant?",
        "没有选项 --counts;是否指 --count?",
        "fenqi plan quote",
    ),
    ("plan", "quote", "-5"): (
        "-5 stands where an option is expected; put -- before what begins with a minus sign",
        "-5 处应为选项;以减号开头但并非选项的内容,请在其前加 --。",
        "fenqi plan quote",
    ),
    ("plan", "quote", "600", "--count"): (
        "--count needs a value after it.",
        "--count 之后须给出一个值。",
        "",
    ),
    ("plan", "quote", "600", "--json=1"): (
        "--json takes no value: write it alone.",
        "--json 不带值:请单独书写。",
        "",
    ),
    ("plan", "quote", "600", "7", "8"): (
        "Nothing is expected where 7 8 stands; a text of several words needs quotes.",
        "7 8 处不应有内容;由多个词组成的文本须加引号。",
        "fenqi plan quote",
    ),
}


@pytest.mark.parametrize("words", FAULTS)
def test_words_that_make_no_command_are_told_in_the_language_of_the_person(
    words: tuple[str, ...],
) -> None:
    english, chinese, command = FAULTS[words]
    for language, said in (("en", english), ("zh-CN", chinese)):
        ended = fenqi(*words, language=language)
        assert (ended.exit_code, ended.stdout) == (2, "")
        told = ended.stderr.translate(WESTERN)
        assert told.startswith(f"fenqi: {said}"), told
        assert told.count("\n") == 1
        if command:
            assert f"`{command} --help`" in told
    assert not re.search("is missing|must be|There is no|tells more", told)


def test_a_word_that_is_told_again_is_short_and_nothing_a_terminal_obeys() -> None:
    told = fenqi("plan", "quote", "600", "--count", "\x1b[31m" + "9x" * 5_000).stderr
    assert "\x1b" not in told
    assert "\\x1b[31m9x" in told
    assert len(told) < 300


def test_help_that_is_asked_for_by_giving_nothing_stays_help() -> None:
    for words in ((), ("plan",), ("--help",), ("plan", "--help")):
        ended = fenqi(*words)
        assert "Usage:" in ended.output
        assert "fenqi: " not in ended.output

"""What `--help` says is in the language of the person, and whole at 80 columns."""

import re
from collections.abc import Iterator

import pytest
from click.testing import Result
from rich.cells import cell_len
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.cli.commands import COMMANDS, load
from fenqi.cli.help import LINE_CELLS, MARKS, lines
from fenqi.report.language import Language, read_catalogue

HAN = re.compile("[\u4e00-\u9fff]")
CUT = "\u2026"


def helped(*words: str, language: str = "zh", columns: int = 80) -> Result:
    environment = {"FENQI_LANGUAGE": language, "COLUMNS": str(columns), "TERM": "dumb"}
    ended = CliRunner().invoke(app, [*words, "--help"], env=environment)
    assert ended.exit_code == 0, words
    return ended


def every_command() -> Iterator[tuple[str, ...]]:
    for name in COMMANDS:
        yield (name,)
        yield from ((name, inner) for inner in getattr(load(name), "commands", {}))


def test_the_list_of_commands_is_chinese_line_by_line() -> None:
    told = helped(columns=200).stdout
    for name, (_, line) in COMMANDS.items():
        (said,) = re.findall(rf"^\W+{name} +(.+?) *\W$", told, re.M)
        assert HAN.search(said), said
        assert line not in told
    assert "选项" in told
    assert "命令" in told


@pytest.mark.parametrize("columns", [80, 200])
def test_no_help_is_cut_or_left_english(columns: int) -> None:
    for words in every_command():
        told = helped(*words, columns=columns).stdout
        assert CUT not in told, (words, told)
        assert all(cell_len(one) <= columns for one in told.splitlines()), words
        assert not re.search(r"Options|Arguments|Commands|Show this message", told), words
        options = re.findall(r"^\W+--[a-z-]+ .*$", told, re.M)
        assert [one for one in options if columns == 200 and not HAN.search(one)] == [], words


def test_english_help_is_as_it_stands_in_the_code() -> None:
    told = helped("case", "list", language="en", columns=200).stdout
    assert "List open cases, the most urgent first, page by page." in told
    assert not HAN.search(told)


def test_chinese_is_laid_in_short_lines_that_begin_with_no_mark_and_lose_nothing() -> None:
    chinese = read_catalogue(Language.CHINESE)
    bucket = "Only those whose worst plan is so late: 0 on time, 2 is M2, 7 is M7 and beyond."
    text = chinese[bucket] + chinese["What its columns mean; see docs/reference/mapping.md."]
    laid = lines(text)
    assert "".join(laid).replace(" ", "") == text.replace(" ", "")
    assert not [one for one in laid if one[0] in MARKS]
    assert [one for one in laid if cell_len(one) > LINE_CELLS] == [
        "docs/reference/mapping.md\u3002"
    ]

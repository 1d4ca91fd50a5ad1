"""Broken, foreign and missing files at every door: one sentence in the person's language."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from make_book import World, enrol, open_book
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.store.pool import Store

MAP = Path(__file__).parents[3] / "examples" / "online_retail.toml"
NOT_UTF8 = b"\xff\xfe\x00bad"
FILES: dict[str, bytes | None] = {
    "none": None,
    "empty": b"",
    "not-utf8": NOT_UTF8,
    "broken": b'x =\n{"a":',
    "control": b'id = "\x1b[31mred"\n',
    "huge": b"a" * 3_000_000,
}
DOORS: dict[str, Callable[[Path, Path], tuple[object, ...]]] = {
    "policy check": lambda file, _: ("policy", "check", file),
    "policy adopt": lambda file, _: ("policy", "adopt", file, "--by", "mei"),
    "policy diff": lambda file, _: ("policy", "diff", file, "purchase"),
    "shadow start": lambda file, _: ("shadow", "start", file, "--by", "mei"),
    "apply": lambda file, _: ("apply", file, "--book", "book"),
    "decision replay": lambda file, _: ("decision", "replay", file),
    "bureau import": lambda file, _: ("bureau", "import", file),
    "observe": lambda file, _: ("observe", file),
    "observe --csv": lambda file, _: ("observe", file, "--csv"),
    "replay": lambda file, out: ("replay", file, "--map", MAP, "--out", out),
    "replay --map": lambda file, out: ("replay", MAP, "--map", file, "--out", out),
}
ENDINGS = {"bureau import": ".csv", "replay": ".csv", "decision replay": ".json"}
# What libraries say of their own formats stays in their words, in parentheses or after a colon.
OURS = re.compile(r"\b(it is|must be|there is|cannot|whole number|Give|Correct|No such file)\b")


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def run(url: str, language: str, *words: object) -> Result:
    environment = {"FENQI_DATABASE_URL": url, "FENQI_LANGUAGE": language, "TERM": "dumb"}
    return CliRunner().invoke(app, [str(one) for one in words], env=environment)


@pytest.mark.parametrize("door", DOORS)
def test_a_file_that_makes_no_sense_is_named_in_the_language_of_the_person(
    world: World, database_url: str, tmp_path: Path, door: str
) -> None:
    assert world
    for name, content in FILES.items():
        file = tmp_path / f"{name}{ENDINGS.get(door, '.toml')}"
        if content is not None:
            file.write_bytes(content)
        for language in ("en", "zh-CN"):
            ended = run(database_url, language, *DOORS[door](file, tmp_path / "out"))
            said = ended.stderr
            assert (ended.exit_code, ended.stdout) == (2, ""), (name, said)
            assert said.startswith("fenqi: "), (name, said)
            assert str(file) in said, (name, said)
            assert "\x1b" not in said
            assert len(said) < 2_000
            if language == "zh-CN":
                assert re.search("[\u4e00-\u9fff]", said), (name, said)
                assert not OURS.search(said), (name, said)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("FENQI_DUTIES", "nap", "FENQI_DUTIES 为 `nap`;应为以下若干项,以逗号分隔:watch, admit"),
        ("FENQI_ASSESS_DAYS", "0", "应为 1 至 366 的整天数"),
        ("FENQI_BUREAU_BUDGET", "-1", "个最小货币单位"),
        ("FENQI_BUREAU_FILES", "A B", "以逗号分隔的名称"),
        ("FENQI_BUREAU_URL", "http://far", "征信机构提供给您的内容"),
    ],
)
def test_a_setting_that_makes_no_sense_is_told_in_chinese(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, said: str
) -> None:
    monkeypatch.setenv(setting, value)
    ended = run("postgresql://nobody@localhost:1/none", "zh-CN", "worker", "status")
    assert ended.exit_code == 2
    western = str.maketrans("\uff0c\uff1a\uff1b", ",:;")
    assert said in ended.stderr.translate(western)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--subject", "", "text", "--by", "mei"), "几个词,1 至 80 个字符"),
        (("--subject", "odd", "text", "--by", " "), "人名,1 至 80 个字符"),
        (("--subject", "odd", "\x1b[31mred", "--by", "mei"), "可打印字符、制表符和换行"),
        (("--subject", "odd", "x" * 20_000, "--by", "mei"), "20000 个字符"),
    ],
)
def test_what_is_wrong_with_a_case_is_told_in_chinese(
    world: World, database_url: str, words: tuple[str, ...], said: str
) -> None:
    account = enrol(world)
    ended = run(database_url, "zh-CN", "case", "open", "--account", account, *words)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert said in ended.stderr.translate(str.maketrans("\uff0c\uff1a", ",:"))
    assert "\x1b" not in ended.stderr

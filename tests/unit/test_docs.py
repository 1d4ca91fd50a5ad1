"""Every setting, error code, event and command has its line in docs/reference."""

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from fenqi.cli.commands import COMMANDS, load

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "fenqi"
REFERENCE = ROOT / "docs" / "reference"
SETTING = re.compile(r"FENQI_[A-Z_]+")


def error_codes(tree: ast.AST) -> set[str]:
    """Return the values of `code = "..."` in class bodies."""
    return {
        line.value.value
        for one in ast.walk(tree)
        if isinstance(one, ast.ClassDef)
        for line in one.body
        if isinstance(line, ast.Assign | ast.AnnAssign)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
        and ast.unparse(line.targets[0] if isinstance(line, ast.Assign) else line.target) == "code"
    }


def event_kinds(tree: ast.AST) -> set[str]:
    """Return the kinds passed to `event` and to the helpers that pass them on, or kept as `kind`.

    A kind that several flows know has a constant beside the code that books it.
    """
    found: set[str] = set()
    for one in ast.walk(tree):
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute):
            if one.func.attr in {"event", "_move", "_tell"}:
                found |= words(one.args)
        elif isinstance(one, ast.Assign):
            target, value = one.targets[0], one.value
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                target, value = target.elts[0], value.elts[0]
            if isinstance(target, ast.Name) and target.id in {"kind", "PURCHASE_CAPTURED"}:
                found |= words([value])
    return found


def words(values: Iterable[ast.AST]) -> set[str]:
    return {
        one.value for one in values if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }


@cache
def trees() -> list[ast.AST]:
    return [ast.parse(file.read_text(encoding="utf-8")) for file in SOURCE.rglob("*.py")]


def unlisted(words: set[str], page: str) -> set[str]:
    """Return the words without a table row of their own on a page."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    return {word for word in words if not re.search(rf"^\| `{re.escape(word)}`", text, re.M)}


def command_names() -> set[str]:
    names = set()
    for name in COMMANDS:
        inner = getattr(load(name), "commands", None)
        names |= {f"fenqi {name} {one}" for one in inner} if inner else {f"fenqi {name}"}
    return names


def test_every_error_code_is_listed() -> None:
    codes = set().union(*map(error_codes, trees()))
    assert len(codes) > 50
    assert unlisted(codes, "errors.md") == set()


def test_no_error_is_listed_that_is_not_raised() -> None:
    codes = set().union(*map(error_codes, trees()))
    text = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z0-9-]+)`", text, re.M)) == codes


def test_every_event_kind_is_listed() -> None:
    kinds = set().union(*map(event_kinds, trees()))
    assert kinds >= {"purchase-authorised", "purchase-declined", "purchase-captured"}
    assert unlisted(kinds, "events.md") == set()


def test_every_command_is_listed() -> None:
    assert "fenqi ledger check" in command_names()
    assert unlisted(command_names(), "commands.md") == set()


def test_every_setting_is_listed() -> None:
    settings = {
        word
        for file in SOURCE.rglob("*.py")
        for word in SETTING.findall(file.read_text(encoding="utf-8"))
    }
    assert {"FENQI_DATA", "FENQI_DATABASE_URL", "FENQI_CATALOGUE"} <= settings
    assert unlisted(settings, "settings.md") == set()


def test_the_collectors_see_what_is_there() -> None:
    tree = ast.parse('class Gone(Missing):\n    code = "gone"\nbooking.event(account, "it-went")')
    assert error_codes(tree) == {"gone"}
    assert event_kinds(tree) == {"it-went"}
    assert event_kinds(ast.parse('kind, answer = "it-came", 7')) == {"it-came"}
    assert unlisted({"gone"}, "errors.md") == {"gone"}

"""Taste as a test: no clock outside `machine`, no float in money, sizes, no unread module."""

import ast
import re
from functools import cache
from pathlib import Path

from fenqi.cli.commands import COMMANDS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "fenqi"
MIGRATION = re.compile(r"(\d{4})_(create|add|change|drop|move|fill|keep)_[a-z_]+\.sql")
CLOCKS = {"now", "today", "utcnow", "time", "monotonic"}
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
# Array twins multiply by factors in floating point and hand near-ties to the scalar.
FLOATS_ALLOWED = {"core/terms/batch/rates.py", "core/terms/batch/schedule.py"}
# The table of commands names its modules, and loads the one that is given.
ENTRIES = {"fenqi.__main__", "fenqi.cli"} | {f"fenqi.cli.{one}" for one, _ in COMMANDS.values()}
READ_BY_TESTS_ONLY = {
    # Until contracts of other countries ask for them; the published figures do already.
    "fenqi.core.terms.annuity",
    "fenqi.core.terms.aprc",
    # Until risk and lab, which work on columns of many plans, are furnished; lending reads the
    # twin of the schedule already.
    "fenqi.core.terms.batch.ageing",
    "fenqi.core.terms.batch.rates",
    "fenqi.core.terms.day_count",
    # Until the flows run on lives; the published lives of loans do already.
    "fenqi.core.terms.life.arrears",
    "fenqi.core.terms.regz",
}


@cache
def files() -> tuple[tuple[str, ast.Module], ...]:
    return tuple(
        (file.relative_to(SOURCE).as_posix(), ast.parse(file.read_text(encoding="utf-8")))
        for file in sorted(SOURCE.rglob("*.py"))
    )


def clock_calls(tree: ast.AST) -> list[int]:
    """Return the lines that ask the machine for the time."""
    return [
        one.lineno
        for one in ast.walk(tree)
        if isinstance(one, ast.Call)
        and isinstance(one.func, ast.Attribute)
        and one.func.attr in CLOCKS
        and isinstance(one.func.value, ast.Name)
        and one.func.value.id in {"datetime", "date", "time"}
    ]


def floats(tree: ast.AST) -> list[int]:
    """Return the lines with a float literal, a `float` name or a true division of plain names."""
    return [
        one.lineno
        for one in ast.walk(tree)
        if (isinstance(one, ast.Constant) and isinstance(one.value, float))
        or (isinstance(one, ast.Name) and one.id == "float")
    ]


def long_functions(tree: ast.AST) -> list[str]:
    return [
        one.name
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        and (one.end_lineno or 0) - one.lineno >= FUNCTION_LINES_MAX
    ]


def imported(tree: ast.AST) -> set[str]:
    """Return the modules a tree imports, a name imported from a package counted as a module too."""
    found = set()
    for one in ast.walk(tree):
        if isinstance(one, ast.Import):
            found |= {name.name for name in one.names}
        elif isinstance(one, ast.ImportFrom) and one.module:
            found |= {one.module} | {f"{one.module}.{name.name}" for name in one.names}
    return found


def test_the_time_is_asked_for_in_one_file() -> None:
    # The server supervisor waits for processes by the machine's clock, and the pool knows by it how
    # long a connection was not used; they date nothing.
    allowed = {"machine.py", "store/pool.py", "store/server.py", "store/programs.py"}
    found = {name: clock_calls(tree) for name, tree in files() if name not in allowed}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_no_float_holds_an_amount() -> None:
    money = [
        (name, tree)
        for name, tree in files()
        if name.startswith("core/") and name not in FLOATS_ALLOWED
    ]
    assert {name: floats(tree) for name, tree in money if floats(tree)} == {}


def test_files_and_functions_are_of_a_size_to_read() -> None:
    sizes = {
        file.relative_to(SOURCE).as_posix(): len(file.read_text(encoding="utf-8").splitlines())
        for file in SOURCE.rglob("*.py")
    }
    assert {name: size for name, size in sizes.items() if size > FILE_LINES_MAX} == {}
    assert {name: long_functions(tree) for name, tree in files() if long_functions(tree)} == {}


def test_every_module_says_what_it_promises() -> None:
    assert [name for name, tree in files() if not ast.get_docstring(tree)] == []


def test_no_module_is_unread() -> None:
    modules = {
        "fenqi." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name, _ in files()
        if name != "__init__.py"
    }
    # A package of the core that names its modules again does not read them: somebody else must.
    listings = re.compile(r"core/.*/__init__\.py")
    read = set().union(*(imported(tree) for name, tree in files() if not listings.match(name)))
    packages = {
        module for module in modules if any(one.startswith(module + ".") for one in modules)
    }
    assert modules - packages - read - ENTRIES == READ_BY_TESTS_ONLY


def test_the_database_driver_stays_in_the_store() -> None:
    strays = [
        name
        for name, tree in files()
        if not name.startswith("store/")
        and any(module.split(".")[0] == "psycopg" for module in imported(tree))
    ]
    assert strays == []


def test_migrations_are_numbered_without_a_gap_and_named_by_a_verb() -> None:
    names = sorted(file.name for file in (SOURCE / "store" / "migrations").glob("*.sql"))
    matches = [MIGRATION.fullmatch(name) for name in names]
    assert all(matches), names
    assert [int(match[1]) for match in matches if match] == list(range(1, len(names) + 1))


def test_no_room_is_a_junk_room() -> None:
    junk = {"utils", "util", "helpers", "common", "base", "manager", "misc"}
    assert [name for name, _ in files() if junk & set(re.split(r"[/.]", name))] == []


def test_each_check_can_fail() -> None:
    bad = ast.parse("import psycopg\nx = datetime.now()\ny = 0.1\n" + "def f():\n" + " pass\n" * 71)
    assert clock_calls(bad) == [2]
    assert floats(bad) == [3]
    assert long_functions(bad) == ["f"]
    assert "psycopg" in imported(bad)
    assert MIGRATION.fullmatch("1_things.sql") is None

"""What people wrote is printed as they wrote it: no bracket in it styles or breaks what is told."""

import ast
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from uuid import UUID

from rich.console import Console

from fenqi import cli
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.check import check
from fenqi.report.language import Language, Speech
from fenqi.report.policies import show_adoptions, show_check
from fenqi.store.policies import Adoption
from make_policy import policy

SPITEFUL = "[/nothing] [bold]loud[/bold] [red"
CODE = Path(cli.__file__).parent
ESCAPED = {"errors.py"}  # prints one style and escapes all else


def consoles(file: Path) -> list[ast.Call]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call)]
    return [one for one in calls if isinstance(one.func, ast.Name) and one.func.id == "Console"]


def test_no_console_of_a_command_reads_styles_out_of_words() -> None:
    found = {file.name: consoles(file) for file in CODE.glob("*.py") if file.name not in ESCAPED}
    assert sum(map(len, found.values())) > 10
    for name, calls in found.items():
        for call in calls:
            said = {one.arg: ast.unparse(one.value) for one in call.keywords}
            assert said.get("markup") == "False", f"{name}, line {call.lineno}"


def printed() -> tuple[Console, StringIO]:
    out = StringIO()
    return Console(file=out, width=200, highlight=False, markup=False), out


def test_who_adopted_and_why_is_told_in_their_words() -> None:
    console, out = printed()
    one = Adoption(
        kind=DecisionKind.PURCHASE,
        number=2,
        policy="purchase",
        version=2,
        rulebook_id=UUID(int=1),
        author="Li Wei",
        adopted_by="Wang [/i]",
        adopted_at=datetime(2026, 1, 1, tzinfo=UTC),
        is_rollback=False,
        because=SPITEFUL,
    )
    show_adoptions([one], console, Speech(Language.ENGLISH))
    assert SPITEFUL in out.getvalue()
    assert "Wang [/i]" in out.getvalue()


def test_whose_policy_it_is_is_told_in_their_words() -> None:
    console, out = printed()
    body = '[[rules]]\nid = "one"\nwhen = "is_held"\n'
    example = f'[[examples]]\nsays = "{SPITEFUL}"\ngiven = {{}}\noutcome = "decline"\n'
    made = policy(body + example)
    checked = check(made, today=date(2026, 1, 2))
    show_check(made, checked, console, Speech(Language.ENGLISH))
    assert f"example {SPITEFUL}" in out.getvalue()

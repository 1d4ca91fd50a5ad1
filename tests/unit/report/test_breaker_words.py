"""The list of caps that were met is in the person's language, its spans too."""

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from uuid import UUID

import pytest
from rich.cells import cell_len
from rich.console import Console

from fenqi.report.breaker import show
from fenqi.report.language import Language, Speech
from fenqi.store.breaker import Trip

OPEN = Trip(
    trip_id=UUID(int=1),
    book_id="main",
    kind="purchase",
    effect="cooler-menu",
    span="hour",
    cap=7,
    policy="purchase",
    policy_version=3,
    tripped_at=datetime(2026, 1, 5, tzinfo=UTC),
    reset_at=None,
    reset_by=None,
    finding=None,
)
RESET = replace(
    OPEN, reset_at=datetime(2026, 1, 6, tzinfo=UTC), reset_by="mei", finding="A sale, no attack."
)


def shown(language: Language, columns: int = 160) -> str:
    console = Console(width=columns, record=True, file=StringIO())
    show([OPEN, RESET], console, Speech(language))
    return console.export_text()


def test_a_span_is_told_in_words_of_the_language() -> None:
    assert "7 in any hour" in shown(Language.ENGLISH)
    chinese = shown(Language.CHINESE)
    assert ("一小时内" in chinese, "hour" in chinese) == (True, False)


@pytest.mark.parametrize("columns", [80, 160])
@pytest.mark.parametrize(
    ("language", "caps"), [(Language.ENGLISH, "7 in any hour"), (Language.CHINESE, "一小时内 7")]
)
def test_no_cell_of_a_cap_is_folded(language: Language, caps: str, columns: int) -> None:
    lines = shown(language, columns).splitlines()
    assert all(cell_len(one) <= columns for one in lines)
    for whole in ("2026-01-05 00:00", "purchase 3", "cooler-menu", caps):
        assert sum(whole in one for one in lines) == 2, (whole, lines)

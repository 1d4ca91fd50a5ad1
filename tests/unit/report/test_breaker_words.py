"""The list of caps that were met is in the person's language, its spans too."""

from datetime import UTC, datetime
from io import StringIO
from uuid import UUID

from rich.console import Console

from fenqi.report.breaker import show
from fenqi.report.language import Language, Speech
from fenqi.store.breaker import Trip


def shown(language: Language) -> str:
    trip = Trip(
        trip_id=UUID(int=1),
        book_id="main",
        kind="purchase",
        effect="decline",
        span="hour",
        cap=7,
        policy="purchase",
        policy_version=3,
        tripped_at=datetime(2026, 1, 5, tzinfo=UTC),
        reset_at=None,
        reset_by=None,
        finding=None,
    )
    console = Console(width=160, record=True, file=StringIO())
    show([trip], console, Speech(language))
    return console.export_text()


def test_a_span_is_told_in_words_of_the_language() -> None:
    assert "7 in any hour" in shown(Language.ENGLISH)
    chinese = shown(Language.CHINESE)
    assert ("一小时内" in chinese, "hour" in chinese) == (True, False)

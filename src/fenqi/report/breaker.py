"""The caps that were met: which kind of decision, which harm, by which policy, who reset it."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from fenqi.report.book import choose, chosen_or_all
from fenqi.report.ink import BAD
from fenqi.report.language import Speech
from fenqi.report.listing import listing
from fenqi.report.names import word
from fenqi.store import breaker
from fenqi.store.breaker import Trip
from fenqi.store.pool import Store


def read(store: Store, book_id: str | None, *, only_open: bool) -> list[Trip]:
    """Return the caps that were met in a book, or in all, the latest first of each.

    Errors: BookMissing; BookUnclear without a book.
    """
    with store.transaction() as session:
        return [
            trip
            for name in chosen_or_all(session, book_id)
            for trip in breaker.trips(session, name, only_open=only_open)
        ]


def chosen(store: Store, book_id: str | None) -> str:
    """Return the book that is meant. Errors: BookUnclear, BookMissing."""
    with store.transaction() as session:
        return choose(session, book_id)


def refuse_unknown(store: Store, book_id: str | None) -> None:
    """Refuse a book that is not there, or any where there is none.

    Errors: BookMissing, BookUnclear.
    """
    with store.transaction() as session:
        chosen_or_all(session, book_id)


def cap_words(one: Trip, speech: Speech) -> str:
    """Return a cap as a person reads it."""
    _ = speech.gettext
    spans = {"hour": _("%(cap)s in any hour"), "day": _("%(cap)s in any day")}
    return spans[one.span] % {"cap": one.cap}


def show(trips: Sequence[Trip], console: Console, speech: Speech) -> None:
    """Print them for a person: two lines each where the terminal is narrow."""
    _ = speech.gettext
    if not trips:
        console.print(_("No cap was met."))
        return
    heads = (
        (_("met at"), _("book")),
        (_("kind"), _("policy")),
        (_("effect"), _("cap")),
        (_("state"),),
    )
    rows = [
        (
            (f"{one.tripped_at:%Y-%m-%d %H:%M}", one.book_id),
            (word(one.kind, speech), f"{one.policy} {one.policy_version}"),
            (word(one.effect, speech), cap_words(one, speech)),
            (_state(one, speech),),
        )
        for one in trips
    ]
    console.print(listing(console, heads, rows))


def _state(one: Trip, speech: Speech) -> Text:
    _ = speech.gettext
    if one.reset_at is None:
        return Text(_("open"), style=BAD)
    said = _("reset by %(person)s: %(finding)s")
    return Text(said % {"person": one.reset_by, "finding": one.finding})

"""Outages as people said them, told in a terminal: which days are excused, and whom it touches."""

from collections.abc import Sequence
from uuid import UUID

from rich.console import Console
from rich.text import Text

from fenqi.core.values.money import currency
from fenqi.report.book import choose
from fenqi.report.ink import GOLD, money_text
from fenqi.report.language import Speech
from fenqi.report.listing import listing
from fenqi.store import books, incidents
from fenqi.store.books import Book
from fenqi.store.incidents import Incident, TakenBack, Touches
from fenqi.store.pool import Store


def chosen(store: Store, book_id: str | None) -> Book:
    """Return the book that is meant. Errors: BookUnclear, BookMissing."""
    with store.transaction() as session:
        return books.read(session, choose(session, book_id))


def read(store: Store, *, with_closed: bool) -> list[Incident]:
    """Return incidents, the latest first; closed ones only `with_closed`."""
    with store.transaction() as session:
        return incidents.listed(session, with_closed=with_closed)


def show(found: Sequence[Incident], console: Console, speech: Speech) -> None:
    """Print them for a person."""
    _ = speech.gettext
    heads = (
        (_("incident"), _("reason")),
        (_("book"), _("channel")),
        (_("from"), _("excused to")),
        (_("state"),),
    )
    rows = [
        (
            (str(one.incident_id), one.reason),
            (one.book_id, one.channel or _("all")),
            (str(one.from_on), str(one.span.through_on) if one.span else ""),
            (_state(one, speech),),
        )
        for one in found
    ]
    console.print(listing(console, heads, rows) if found else _("No incident."))


def _state(one: Incident, speech: Speech) -> Text:
    _ = speech.gettext
    if one.closed_at is not None:
        return Text(_("closed by %(person)s") % {"person": one.closed_by})
    if one.waits_for_second:
        waits = _("to %(day)s once a second person agrees")
        return Text(waits % {"day": one.through_on}, style=GOLD)
    return Text(_("runs") if one.is_running else _("open"))


def read_taken_back(store: Store, incident_id: UUID) -> TakenBack:
    """Return what an incident really took back so far."""
    with store.transaction() as session:
        return incidents.taken_back(session, incident_id)


def taken_back(found: TakenBack, book: Book, speech: Speech) -> str:
    """Return what an incident really took back so far, in a sentence."""
    said = speech.gettext(
        "Accounts that were told: %(accounts)s. Taken back so far: bookings of late charges "
        "%(charges)s (in all %(sum)s), cuts %(cuts)s."
    )
    unit = currency(book.currency)
    return said % {
        "accounts": f"{found.accounts:,}",
        "charges": f"{found.late_charges:,}",
        "sum": f"{money_text(found.late_charges_minor, unit)} {unit.code}",
        "cuts": f"{found.cuts:,}",
    }


def touched(one: Incident, touches: Touches, book: Book, speech: Speech) -> str:
    """Return whom an incident would touch, in a sentence."""
    if one.span is None:
        return speech.gettext("Nothing before a second person agrees. Nothing was changed.")
    unit = currency(book.currency)
    said = speech.gettext(
        "%(from)s to %(to)s would be excused at once. To be looked at again: accounts "
        "%(accounts)s, times of being late %(times)s, bookings of late charges %(charges)s "
        "(in all %(sum)s), cuts %(cuts)s. Of these only what the excused days caused "
        "is taken back; how much that is, is told once the incident is opened. Nothing was changed."
    )
    return said % {
        "from": one.from_on,
        "to": one.granted_on,
        "accounts": f"{touches.accounts:,}",
        "times": f"{touches.late_times:,}",
        "charges": f"{touches.late_charges:,}",
        "sum": f"{money_text(touches.late_charges_minor, unit)} {unit.code}",
        "cuts": f"{touches.cuts:,}",
    }

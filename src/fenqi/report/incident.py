"""Outages as people said them, told in a terminal: which days are excused, and whom it touches."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from rich.console import Console
from rich.text import Text

from fenqi.core.values.money import Currency, currency
from fenqi.flows.excuse import Preview
from fenqi.report.book import choose
from fenqi.report.ink import GOLD, money_text, percent_text
from fenqi.report.language import Speech
from fenqi.report.listing import listing
from fenqi.store import books, incidents
from fenqi.store.books import Book
from fenqi.store.incidents import Back, Incident, TakenBack, Touches
from fenqi.store.pool import Store

SHOWN_MAX = 40  # accounts of a preview in a terminal; `--json` has all


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
        "%(charges)s (in all %(sum)s), times of being late %(times)s, late payments %(payments)s, "
        "cuts %(cuts)s."
    )
    return said % _sums(found, book)


def _sums(found: TakenBack, book: Book) -> dict[str, str]:
    unit = currency(book.currency)
    return {
        "accounts": f"{found.accounts:,}",
        "charges": f"{found.late_charges:,}",
        "sum": f"{money_text(found.late_charges_minor, unit)} {unit.code}",
        "times": f"{found.late_times:,}",
        "payments": f"{found.late_payments:,}",
        "cuts": f"{found.cuts:,}",
    }


def to_json(one: Incident, found: TakenBack) -> str:
    """Return an incident and what it took back so far for programs."""
    told = {"incident": asdict(one), "taken_back": asdict(found)}
    return json.dumps(told, default=str, ensure_ascii=False)


def preview_to_json(seen: Preview) -> str:
    """Return a preview for programs, with every account that would be told."""
    told = {
        "incident": asdict(seen.incident),
        "looked_at": asdict(seen.touches),
        "taken_back": asdict(TakenBack.of(seen.backs)),
        "accounts": [asdict(one) for one in seen.backs],
    }
    return json.dumps(told, default=str, ensure_ascii=False)


def show_preview(seen: Preview, book: Book, console: Console, speech: Speech) -> None:
    """Print whom an incident would touch and what it would take back, in all and by account."""
    _ = speech.gettext
    console.print(_touched(seen.incident, seen.touches, book, speech), soft_wrap=True)
    if seen.incident.span is None:
        return
    said = _(
        "Would be taken back: bookings of late charges %(charges)s (in all %(sum)s), times of "
        "being late %(times)s, late payments %(payments)s, cuts %(cuts)s. Accounts that would be "
        "told: %(accounts)s. Nothing was changed."
    )
    console.print(said % _sums(TakenBack.of(seen.backs), book), soft_wrap=True)
    backs = sorted((one for one in seen.backs if one.is_anything), key=_weight, reverse=True)
    if not backs:
        return
    heads = (
        (_("Account"),),
        (_("Late charges"), _("Bookings")),
        (_("Times late"), _("Late payments")),
        (_("Limit"), _("Price")),
    )
    unit = currency(book.currency)
    console.print(listing(console, heads, [_back(one, unit) for one in backs[:SHOWN_MAX]]))
    if len(backs) > SHOWN_MAX:
        more = {"count": speech.count(len(backs) - SHOWN_MAX)}
        console.print(_("and %(count)s more; --json prints them all") % more)


def _weight(one: Back) -> tuple[int, ...]:
    """Return by what accounts are ordered: money first."""
    return (one.late_charges_minor, one.limit_minor, -one.price_ppm, one.late_times)


def _back(one: Back, unit: Currency) -> Sequence[Sequence[str]]:
    limit = f"+{money_text(one.limit_minor, unit)}" if one.limit_minor else ""
    return (
        (str(one.account_id),),
        (money_text(one.late_charges_minor, unit), str(one.late_charges)),
        (str(one.late_times), str(one.late_payments)),
        (limit, percent_text(one.price_ppm, 2) if one.price_ppm else ""),
    )


def _touched(one: Incident, touches: Touches, book: Book, speech: Speech) -> str:
    """Return whom an incident would touch, in a sentence."""
    if one.span is None:
        return speech.gettext("Nothing before a second person agrees. Nothing was changed.")
    unit = currency(book.currency)
    said = speech.gettext(
        "%(from)s to %(to)s would be excused at once. To be looked at again: accounts "
        "%(accounts)s, times of being late %(times)s, bookings of late charges %(charges)s "
        "(in all %(sum)s), cuts %(cuts)s. Of these only what the excused days caused "
        "is taken back."
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

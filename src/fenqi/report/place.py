"""Places that many are known to share, told in a terminal: what, by whose word, until when.

Which addresses they hold is known by seals only; one that is given can be looked up.
"""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from fenqi.core.ports import Clock
from fenqi.core.risk.place import RANGE, PlaceInvalid, Range
from fenqi.core.values.phrase import Phrase
from fenqi.report.ink import GOLD
from fenqi.report.language import Speech
from fenqi.report.listing import listing
from fenqi.report.names import word
from fenqi.runtime import Runtime
from fenqi.store import places
from fenqi.store.places import Place


def read(runtime: Runtime, *, with_over: bool, address: str | None = None) -> list[Place]:
    """Return places, the latest first: those in force, or all; those that hold an address.

    Errors: PlaceInvalid.
    """
    sealed = None
    if address is not None:
        found = Range.read(address)
        if found.address_count > 1:
            raise PlaceInvalid(field=RANGE, expected=Phrase("a single address"))
        sealed = found.seal(runtime.sealer())
    with runtime.store.transaction() as session:
        return places.listed(session, runtime.clock.now(), with_over=with_over, address=sealed)


def to_json(found: Sequence[Place], clock: Clock) -> str:
    """Return them for programs."""
    return json.dumps(
        [
            {
                "place_id": one.place_id,
                "kind": one.kind,
                "note": one.note,
                "ip_version": one.ip_version,
                "prefix_bits": one.prefix_bits,
                "address_count": one.address_count,
                "last_on": one.last_on,
                "is_in_force": one.is_in_force(clock.now()),
                "case_id": one.case_id,
                "added_by": one.added_by,
                "added_at": one.added_at,
                "removed_by": one.removed_by,
                "removed_at": one.removed_at,
            }
            for one in found
        ],
        default=str,
        ensure_ascii=False,
    )


def show(found: Sequence[Place], clock: Clock, console: Console, speech: Speech) -> None:
    """Print them for a person."""
    _ = speech.gettext
    heads = (
        (_("place"), _("reason")),
        (_("kind"), _("addresses")),
        (_("added by"), _("since")),
        (_("state"),),
    )
    rows = [
        (
            (str(one.place_id), one.note),
            (word(one.kind.value, speech), size(one)),
            (one.added_by, f"{one.added_at:%Y-%m-%d}"),
            (_state(one, clock, speech),),
        )
        for one in found
    ]
    console.print(listing(console, heads, rows) if found else _("No place."))


def size(one: Place) -> str:
    """Return how wide a place is, without its address."""
    if one.ip_version is None:
        return f"{one.address_count:,}"
    return f"{one.address_count:,} (IPv{one.ip_version} /{one.prefix_bits})"


def _state(one: Place, clock: Clock, speech: Speech) -> Text:
    _ = speech.gettext
    if one.removed_at is not None:
        return Text(_("removed by %(person)s") % {"person": one.removed_by})
    if not one.is_in_force(clock.now()):
        return Text(_("over since %(day)s") % {"day": one.last_on})
    if one.last_on is not None:
        return Text(_("until %(day)s") % {"day": one.last_on}, style=GOLD)
    return Text(_("in force"))

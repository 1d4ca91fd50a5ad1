"""Higher limits that were offered, as a list for a terminal or for programs."""

import json
from collections.abc import Sequence
from uuid import UUID

from rich.console import Console

from fenqi.core.values.money import Currency, currency
from fenqi.report.ink import money_text
from fenqi.report.language import Speech
from fenqi.report.listing import listing
from fenqi.report.names import sense
from fenqi.store import accounts, changes
from fenqi.store.changes import Offer
from fenqi.store.pool import Store


def read(store: Store, account_id: UUID | None, *, with_answered: bool) -> list[Offer]:
    """Return offers, those first that end first. Errors: AccountMissing."""
    with store.transaction() as session:
        if account_id is not None:
            accounts.refuse_unknown(session, account_id)
        return changes.listed(session, account_id, with_answered=with_answered)


def currency_of(store: Store, account_id: UUID) -> Currency:
    """Return the currency of an account. Errors: AccountMissing."""
    with store.transaction() as session:
        return currency(accounts.currency_of(session, account_id))


def to_json(found: Sequence[Offer]) -> str:
    """Return offers as JSON: ids and days as text, amounts in minor units."""
    table = [
        {
            "account_id": one.account_id,
            "offer_id": one.offer_id,
            "old_minor": one.old_minor,
            "new_minor": one.new_minor,
            "parts": dict(one.parts),
            "last_on": one.last_on,
            "state": one.state,
            "decision_id": one.decision_id,
        }
        for one in found
    ]
    return json.dumps(table, default=str, ensure_ascii=False)


def show(store: Store, found: Sequence[Offer], console: Console, speech: Speech) -> None:
    """Print one offer a row; ids are never cut."""
    _ = speech.gettext
    if not found:
        console.print(_("No offer."))
        return
    heads = ((_("offer"), _("account")), (_("old"), _("new")), (_("until"), _("state")))
    rows = []
    for one in found:
        unit = currency_of(store, one.account_id)
        amounts = (money_text(one.old_minor, unit), money_text(one.new_minor, unit))
        ids = (str(one.offer_id), str(one.account_id))
        rows.append((ids, amounts, (str(one.last_on), sense("offer", one.state, speech))))
    console.print(listing(console, heads, rows))

"""Contests, as a list for a terminal or for programs."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from rich.console import Console

from fenqi.core.values.money import Currency, currency
from fenqi.report.book import refuse_none
from fenqi.report.language import Speech
from fenqi.report.listing import listing
from fenqi.report.names import word
from fenqi.store import accounts, contests
from fenqi.store.contests import Contest
from fenqi.store.pool import Store


class Closed(NamedTuple):
    """How a contest ended. Units: minor units of the account's currency; whole days."""

    is_upheld: bool
    principal_minor: int
    returned_minor: int
    days_given: int


def listed(store: Store, *, account_id: UUID | None, with_ended: bool) -> list[Contest]:
    """Return contests, the longest open first. Errors: BookUnclear, AccountMissing."""
    with store.transaction() as session:
        refuse_none(session)
        if account_id is not None:
            accounts.refuse_unknown(session, account_id)
        return contests.KEPT.listed(session, account_id=account_id, with_ended=with_ended)


def show(lines: Sequence[Contest], console: Console, speech: Speech) -> None:
    """Print one contest a row; ids are never cut."""
    _ = speech.gettext
    if not lines:
        console.print(_("No contest."))
        return
    heads = ((_("Contest"), _("Account")), (_("Since"), _("Why")), (_("Found"),))
    rows = [
        (
            (str(one.contest_id), str(one.account_id)),
            (speech.day(one.opened_on), word(one.ground.value, speech)),
            (word(one.outcome.value, speech) if one.outcome else "",),
        )
        for one in lines
    ]
    console.print(listing(console, heads, rows))


def unit_of(store: Store, account_id: UUID) -> Currency:
    """Return the currency of an account. Errors: AccountMissing."""
    with store.transaction() as session:
        return currency(accounts.currency_of(session, account_id))


def show_close(
    contest: UUID, closed: Closed, unit: Currency, console: Console, speech: Speech
) -> None:
    """Print how a contest ended, amounts as money."""
    _ = speech.gettext
    if closed.is_upheld:
        told = _("%(contest)s is upheld: %(undone)s undone, %(returned)s go back") % {
            "contest": contest,
            "undone": f"{speech.amount(closed.principal_minor, unit)} {unit.code}",
            "returned": f"{speech.amount(closed.returned_minor, unit)} {unit.code}",
        }
    else:
        told = _("%(contest)s is not upheld: %(days)s days given") % {
            "contest": contest,
            "days": closed.days_given,
        }
    console.print(told, soft_wrap=True)

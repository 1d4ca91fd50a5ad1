"""Appeals against decisions, as a list for a terminal or for programs, and how one ended."""

from collections.abc import Sequence
from uuid import UUID

from rich.console import Console

from fenqi.core.risk.appeal import Answer
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.record import Record
from fenqi.core.values.money import currency
from fenqi.report.decision import texts
from fenqi.report.ink import money_text, percent_text
from fenqi.report.language import Speech
from fenqi.report.listing import listing
from fenqi.report.names import pair, word
from fenqi.report.told import house_texts
from fenqi.store import accounts, appeals
from fenqi.store.appeals import Appeal
from fenqi.store.pool import Store


def listed(store: Store, *, account_id: UUID | None, with_ended: bool) -> list[Appeal]:
    """Return appeals, those first that are to be answered first. Errors: AccountMissing."""
    with store.transaction() as session:
        if account_id is not None:
            accounts.refuse_unknown(session, account_id, but_applied=True)
        return appeals.KEPT.listed(session, account_id=account_id, with_ended=with_ended)


def read(store: Store, appeal_id: UUID) -> Appeal:
    """Return one appeal. Errors: AppealMissing."""
    with store.transaction() as session:
        return appeals.read(session, appeal_id)


def account_of(store: Store, appeal_id: UUID) -> UUID:
    """Return the account an appeal is about, or that was applied for. Errors: AppealMissing."""
    return read(store, appeal_id).account_id


def show(lines: Sequence[Appeal], console: Console, speech: Speech) -> None:
    """Print one appeal a row; ids are never cut."""
    _ = speech.gettext
    if not lines:
        console.print(_("No appeal."))
        return
    heads = ((_("Appeal"), _("Decision")), (_("Answer by"), _("About")), (_("Found"),))
    rows = [
        (
            (str(one.appeal_id), str(one.decision_id)),
            (speech.day(one.due_on), word(one.kind.value, speech)),
            (word(one.outcome.value, speech) if one.outcome else "",),
        )
        for one in lines
    ]
    console.print(listing(console, heads, rows))


def show_close(
    appeal: Appeal,
    record: Record,
    console: Console,
    speech: Speech,
    *,
    restored: int | None,
    ended: int,
    is_reopened: bool,
    stands: Sequence[str],
) -> None:
    """Print how an appeal ended and what was undone, and the reasons in the customer's words."""
    _ = speech.gettext
    if appeal.outcome is Answer.UPHELD:
        console.print(_("%(appeal)s is upheld.") % {"appeal": appeal.appeal_id}, soft_wrap=True)
    else:
        told = _("%(appeal)s is not upheld; what stands:") % {"appeal": appeal.appeal_id}
        console.print(told, soft_wrap=True)
        known = texts(record, speech.language)
        for code in appeal.reasons:
            console.print(f"  {known.get(code, code)}", soft_wrap=True)
    if restored is not None:
        is_limit = record.kind == "limit"
        unit = currency(record.currency)
        said = _("Later purchases are offered at %(new)s a year again.")
        value = percent_text(restored, 2)
        if is_limit:
            said = _("The limit for later purchases is %(new)s again.")
            value = f"{money_text(restored, unit)} {unit.code}"
        console.print(said % {"new": value})
    if ended:
        console.print(_("Protections that ended: %(count)s.") % {"count": ended})
    if is_reopened:
        console.print(_("The application waits to be decided again, without what was refuted."))
    if appeal.outcome is Answer.UPHELD and appeal.kind is DecisionKind.PURCHASE:
        console.print(_("The purchase itself was not made by this; it can be tried again."))
        house = house_texts({}, speech.language)
        for code in stands:
            why = pair(
                _("This stands in the way of the same purchase still"),
                house.get(code, code),
                speech,
            )
            console.print(why, soft_wrap=True)

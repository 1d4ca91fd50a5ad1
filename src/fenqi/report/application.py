"""One application as a person reads it: where it stands, why, and on an offer what it costs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal
from uuid import UUID

from rich.console import Console
from rich.text import Text

from fenqi.core.risk.application import UNCLEAR, policy_in
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.values.ids import AccountId
from fenqi.core.values.money import currency
from fenqi.report.book import refuse_none
from fenqi.report.folding import FoldingTable
from fenqi.report.ink import BAD, BRAND, GOLD
from fenqi.report.language import Language, Speech
from fenqi.store import accounts, applications, books, decision_records, offers, reasons
from fenqi.store.applications import Application, ApplicationState, Parked
from fenqi.store.deciding import Deciding
from fenqi.store.ground import Ground
from fenqi.store.offers import UNASKED, Standing
from fenqi.store.pool import Session, Store


@dataclass(frozen=True, slots=True)
class Shown:
    """An application as it stands now.

    `needs_step_up` and `counts_max`, None of a menu that is not cooled, hold until `cautious_until`
    if that is not None, else as long as the offer stands.

    Units: minor units of `currency`; cost lines as (line, ppm, per).
    """

    application_id: str
    state: str
    currency: str
    asked_minor: int
    decision_id: str | None
    outcome: str | None
    reasons: tuple[str, ...]
    texts: tuple[str, ...]
    limit_minor: int | None
    costs: tuple[tuple[str, int, str], ...]
    cost_table: str | None
    offer_ends_on: str | None
    needs_step_up: bool
    decided_by: str | None
    counts_max: int | None
    cautious_until: str | None


def shown(ground: Ground, application_id: UUID, language: str) -> Shown:
    """Return an application with the texts of its reasons, in "zh" or "en".

    Errors: ApplicationMissing.
    """
    with ground.store.transaction() as session:
        one = applications.read(session, AccountId(application_id))
        costs = accounts.costs_of(session, one.cost_table) if one.cost_table else []
        book = books.read(session, one.book_id)
        policy = _decided_by(session, one, book)
        standing = _standing(session, ground, one, book)
    codes = tuple(dict.fromkeys((*_reasons(one), *standing.caution.reasons)))
    until = standing.ends_at
    return Shown(
        application_id=str(one.account_id),
        state=one.state.value,
        currency=book.currency,
        asked_minor=one.asked_minor,
        decision_id=str(one.decision_id) if one.decision_id else None,
        outcome=one.outcome,
        reasons=codes,
        texts=tuple(_text(code, language, policy) for code in codes),
        limit_minor=one.limit_minor,
        costs=tuple(costs),
        cost_table=str(one.cost_table) if one.cost_table else None,
        offer_ends_on=str(one.offer_ends_on) if one.offer_ends_on else None,
        needs_step_up=standing.asks_step_up(one),
        decided_by=one.decided_by,
        counts_max=standing.caution.counts_max,
        cautious_until=f"{until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if until else None,
    )


def _reasons(one: Application) -> Iterable[str]:
    """Return the reasons that hold; a look at who it is has ended once there is an offer."""
    is_seen = one.state in {ApplicationState.OFFERED, ApplicationState.ACCEPTED}
    return [code for code in one.reasons if not (is_seen and code in UNCLEAR.values())]


def _standing(session: Session, ground: Ground, one: Application, book: books.Book) -> Standing:
    """Return what holds for whoever signs; nothing does where there is no offer to sign."""
    if one.state is not ApplicationState.OFFERED:
        return UNASKED
    packs = {book.book_id: ground.catalogue.pack(book.pack)}
    return offers.standings(session, [one], packs, ground.clock.now())[one.account_id]


def parked(store: Store) -> list[Parked]:
    """Return the applications that failed too often, the oldest first. Errors: BookUnclear."""
    with store.transaction() as session:
        refuse_none(session)
        return applications.parked(session)


def _decided_by(session: Session, one: Application, book: books.Book) -> Policy:
    """Return the policy that decided an application: its reasons are told in its words."""
    if one.decision_id is None:
        return Deciding(session, DecisionKind.APPLICATION).of(book).policy
    return policy_in(decision_records.read(session, one.decision_id).rulebook.content)


def _text(code: str, language: str, policy: Policy) -> str:
    """Return what a customer reads for a reason; the code itself if nobody wrote a text.

    A policy that names a code of the house brings its own text, here as everywhere.
    """
    for known in (policy.reasons, reasons.of_law()):
        if code in known:
            return known[code][language]
    return code


def show(one: Shown, console: Console, language: Language) -> None:
    """Print an application for a person: a command it names stays on one line, to be copied."""
    speech = Speech(language)
    _, unit = speech.gettext, currency(one.currency)
    colour = {"offered": BRAND, "accepted": BRAND, "declined": BAD}.get(one.state, GOLD)
    state = Text(_states(speech)[one.state], style=f"bold {colour}")
    heading = _("Application %(id)s:") % {"id": one.application_id}
    console.print(Text(speech.joined(heading, "")).append(state))
    grid = FoldingTable.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")  # Chinese has no spaces to break at

    def tell(label: str, text: str) -> None:
        grid.add_row(Text(f"  {label}", style="dim"), Text(text))

    tell(_("Asked for"), f"{speech.amount(one.asked_minor, unit)} {unit.code}")
    if one.limit_minor is not None and one.state != "declined":
        tell(_("Limit"), f"{speech.amount(one.limit_minor, unit)} {unit.code}")
    for place, text in enumerate(one.texts):
        tell("" if place else _("Why"), text)
    if one.decided_by is not None:
        tell(_("Decided by"), one.decided_by)
    if one.state == "offered" and one.offer_ends_on is not None:
        tell(_("To be signed by"), speech.day(date.fromisoformat(one.offer_ends_on)))
        if one.counts_max is not None:
            tell(
                _("For now"),
                _("plans of %(count)s instalments at most") % {"count": one.counts_max},
            )
        if one.cautious_until is not None:
            tell(_("This holds until"), one.cautious_until)
    console.print(grid)
    if one.state == "offered":
        _show_costs(one, console, speech)
    for label, command in _commands(one, speech):
        console.print(Text(f"  {label}", style="dim"))
        console.print(Text(f"    {command}"), soft_wrap=True)


def _show_costs(one: Shown, console: Console, speech: Speech) -> None:
    _ = speech.gettext
    lines = {
        "flat-fee": _("flat fee, of what was bought"),
        "interest": _("interest, of what is owed"),
        "late-charge": _("late charge, of what is overdue"),
        "deferral-fee": _("paying an instalment later"),
        "extension-fee": _("more instalments"),
    }
    periods = {
        "instalment": _("an instalment"),
        "year": _("a year"),
        "day": _("a day"),
        "deferral": _("each time"),
    }
    heading = _("Costs; nothing else is ever charged")
    console.print(Text(f"  {heading}", style="dim"))
    grid = FoldingTable.grid(padding=(0, 2))
    for line, rate_ppm, period in one.costs:
        up_to = _("up to %(share)s %(period)s") % {
            "share": _exact_percent(rate_ppm),
            "period": periods.get(period, period),
        }
        grid.add_row(f"    {lines.get(line, line)}", up_to)
    console.print(grid)


def _exact_percent(ppm: int) -> str:
    """Return a rate in per cent with all its digits: a cost is never rounded."""
    return f"{(Decimal(ppm) / 10_000).normalize():f} %"


def _commands(one: Shown, speech: Speech) -> Iterator[tuple[str, str]]:
    """Yield what can be asked or done next, with the command for it."""
    _ = speech.gettext
    if one.decision_id is not None:
        yield _("From what it was decided"), f"fenqi decision show {one.decision_id}"
    if one.state == "review":
        command = f"fenqi application resolve {one.application_id} --by NAME"
        yield _("Offer up to that limit, in minor units"), f"{command} --limit {one.limit_minor}"
        yield _("Or decline, with 1 to 4 reasons"), f"{command} --reason {_first(one)}"
    if one.state == "offered":
        check = " --checked" if one.needs_step_up else ""
        told = _("Sign, once a second factor showed who signs") if check else _("Sign")
        command = f"fenqi application sign {one.application_id} --costs {one.cost_table}{check}"
        yield told, command


def _first(one: Shown) -> str:
    return one.reasons[0] if one.reasons else "CODE"


def _states(speech: Speech) -> Mapping[str, str]:
    _ = speech.gettext
    return {
        "received": _("received, not yet decided"),
        "offered": _("offered"),
        "review": _("waits for a person"),
        "declined": _("declined"),
        "accepted": _("signed; the account is open"),
    }

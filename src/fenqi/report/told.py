"""What a customer was told of harm and of appeals, in their words: what, why, until when to object.

It is read from the outbox, so what stands here is what goes out, and nothing else does. The reasons
are in the words of the rulebook that decided; a code alone is never what somebody reads (P3).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from rich.console import Console

from fenqi.core.risk.appeal import Answer, contestable_until
from fenqi.core.risk.breaker import HELD_BACK
from fenqi.core.risk.change import Bound, Subject
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.risk.purchase import Course
from fenqi.core.risk.record import Record
from fenqi.core.values.ids import AccountId
from fenqi.core.values.money import Currency, currency
from fenqi.report.decision import change_text, offers_of, texts
from fenqi.report.ink import percent_text
from fenqi.report.language import Language, Speech
from fenqi.report.names import pair, together, word
from fenqi.store import accounts, appeals, books, decision_records, reasons, views
from fenqi.store.books import Book
from fenqi.store.ground import Ground
from fenqi.store.pool import Session

# An answer to an appeal is not contested again; a limit that stays as it is took nothing away.
# Of what waits for a person nothing is decided yet.
UNCONTESTED = frozenset({"appeal-opened", "appeal-closed", "limit-kept", "application-referred"})
# What keeps a limit from changing so soon again.
PAUSES = frozenset({Bound.COOL_DOWN.value, Bound.TURN_COOL_DOWN.value, Bound.TURNS.value})
FREEZE, HOUSE = "freeze", "house"  # origins without a decision
PAUSED = "purchase-paused"  # nothing was declined: a check first, or another plan


@dataclass(frozen=True, slots=True)
class Message:
    """One thing a customer was told, and in further sentences what follows from it.

    `because` are sentences, one for each reason. `instead` are the plans on offer in the place of
    one that was not; `would_change` is what would put it there.
    """

    at: datetime
    kind: str
    said: str
    follows: tuple[str, ...]
    because: tuple[str, ...]
    decision_id: str | None
    contest_until: str | None
    instead: tuple[str, ...] = ()
    would_change: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return asdict(self) | {"at": self.at.isoformat()}


def told(ground: Ground, account_id: UUID, language: Language) -> list[Message]:
    """Return what was told to a customer, or to somebody who applied, the latest first.

    Errors: AccountMissing.
    """
    speech = Speech(language)
    with ground.store.transaction() as session:
        accounts.refuse_unknown(session, account_id, but_applied=True)
        book = books.read(session, views.book_of(session, account_id))
        found = views.told(session, account_id)
        days = ground.catalogue.pack(book.pack).appeal_days
        until = _contestable(session, AccountId(account_id), found, book.business_date, days)
        origins, unit = Origins(ground, session, book, language), currency(book.currency)
        return [_message(one, _origin(origins, one), until, unit, speech) for one in found]


def _origin(origins: "Origins", one: views.Told) -> "Origin":
    """Return where something that was told is from."""
    decision = one.payload.get("decision_id")
    if decision is not None:
        return origins.of(UUID(decision))
    return origins.of_freeze() if one.kind == "protection-placed" else origins.of_house()


def _contestable(
    session: Session, account_id: AccountId, found: Sequence[views.Told], today: date, days: int
) -> Mapping[str, date]:
    """Return the last day on which each decision may be contested, of those that may be now."""
    ids = {UUID(one.payload["decision_id"]) for one in found if one.payload.get("decision_id")}
    made = appeals.of_decisions(session, [(account_id, one) for one in ids])
    last_days = {
        str(one.decision_id): contestable_until(one.outcome, one.reasons, one.decided_on, days=days)
        for one in appeals.contested(session, ids - made.keys()).values()
        if one.stands
    }
    return {key: day for key, day in last_days.items() if day is not None and today <= day}


class Origin(NamedTuple):
    """The decision something told is from, None without one, and the texts of reasons by code."""

    record: Record | None
    words: Mapping[str, str]


class Origins:
    """Decisions with their own texts, else those of the house and its freezes; each read once."""

    def __init__(self, ground: Ground, session: Session, book: Book, language: Language) -> None:
        self._ground, self._session, self._book = ground, session, book
        self._language = language
        self._known: dict[UUID | str, Origin] = {}

    def of(self, decision_id: UUID) -> Origin:
        """Return where something is from that a decision brought."""
        if decision_id not in self._known:
            record = decision_records.read(self._session, decision_id)
            self._known[decision_id] = Origin(record, texts(record, self._language))
        return self._known[decision_id]

    def of_freeze(self) -> Origin:
        """Return where a protection is from that a person or a crowd brought, and no decision."""
        if FREEZE not in self._known:
            more = reasons.of_freezes(self._ground, self._session, self._book)
            self._known[FREEZE] = Origin(None, house_texts(more, self._language))
        return self._known[FREEZE]

    def of_house(self) -> Origin:
        """Return where anything else is from."""
        if HOUSE not in self._known:
            self._known[HOUSE] = Origin(None, house_texts({}, self._language))
        return self._known[HOUSE]


def house_texts(more: reasons.Texts, language: Language) -> Mapping[str, str]:
    """Return what a customer reads for reasons of the house, and for more of them."""
    tag = "zh" if language is Language.CHINESE else "en"
    every = {**more, **reasons.of_purchases(), **reasons.of_law()}
    return {code: text[tag] for code, text in every.items()}


def _message(
    one: views.Told,
    origin: Origin,
    until: Mapping[str, date],
    unit: Currency,
    speech: Speech,
) -> Message:
    payload, record = one.payload, origin.record
    decision = payload.get("decision_id")
    last_on = None if one.kind in UNCONTESTED else until.get(str(decision))
    is_refuted = payload.get("outcome") == Answer.UPHELD.value
    why = () if is_refuted else payload.get("reasons") or ()
    is_other = one.kind == PAUSED and payload["course"] == Course.OTHER_PLAN.value
    return Message(
        at=one.at,
        kind=one.kind,
        said=_said(one.kind, payload, unit, speech),
        follows=_follows(one, unit, speech),
        because=tuple(origin.words.get(code, code) for code in why),
        decision_id=str(decision) if decision is not None else None,
        contest_until=last_on.isoformat() if last_on is not None else None,
        instead=tuple(offers_of(record)) if record and is_other else (),
        would_change=change_text(record, speech) if record and is_other else None,
    )


def _follows(one: views.Told, unit: Currency, speech: Speech) -> tuple[str, ...]:
    """Return further sentences about something told."""
    if one.kind == "appeal-closed":
        return _of_upheld(one.payload, unit, speech)
    if one.kind == "limit-kept" and not one.payload.get("reasons"):
        return (_kept_for(one.payload.get("bounds") or (), speech),)
    return ()


def _kept_for(bounds: Collection[str], speech: Speech) -> str:
    """Return why a limit stays that was asked to rise, where no rule has a reason for it."""
    _ = speech.gettext
    if HELD_BACK in bounds:
        return _("Changes of limits are held back for now; it can be asked for again.")
    if Bound.RANGE.value in bounds:
        return _("It is the highest limit there is for this account.")
    if not PAUSES.isdisjoint(bounds):
        return _("It was changed not long ago; a higher one can be asked for later.")
    return _("Nothing that is known speaks for a higher one yet; paying on time does.")


def _of_upheld(payload: Mapping[str, Any], unit: Currency, speech: Speech) -> tuple[str, ...]:
    """Return what follows from an appeal that was upheld, a sentence each."""
    if payload["outcome"] != Answer.UPHELD.value:
        return ()
    _, said = speech.gettext, []
    if payload.get("restored") is not None and payload["kind"] == Subject.LIMIT.value:
        limit = f"{speech.amount(payload['restored'], unit)} {unit.code}"
        said.append(_("The limit for later purchases is %(new)s again.") % {"new": limit})
    elif payload.get("restored") is not None:
        price = percent_text(payload["restored"], 2)
        said.append(_("Later purchases are offered at %(new)s a year again.") % {"new": price})
    if payload.get("ended"):
        said.append(_("What new purchases waited for has ended."))
    if payload.get("is_reopened"):
        said.append(_("The application is decided again, without what was refuted."))
    if payload["kind"] == DecisionKind.PURCHASE.value:
        said.append(_("The purchase itself was not made by this; it can be tried again."))
        house = house_texts({}, speech.language)
        for code in payload.get("stands") or ():
            why = house.get(code, code)
            said.append(pair(_("This stands in the way of the same purchase still"), why, speech))
    return tuple(said)


def _said(kind: str, payload: Mapping[str, Any], unit: Currency, speech: Speech) -> str:
    """Return one sentence that says what happened."""
    _ = speech.gettext

    def money(field: str) -> str:
        return f"{speech.amount(payload[field], unit)} {unit.code}"

    match kind:
        case "purchase-declined":
            return _("A purchase of %(amount)s was declined.") % {"amount": money("amount_minor")}
        case _ if kind == PAUSED and payload["course"] == Course.STEP_UP.value:
            said = _("A purchase of %(amount)s waits for a check.")
            return said % {"amount": money("amount_minor")}
        case _ if kind == PAUSED:
            said = _("For a purchase of %(amount)s another plan is to be chosen.")
            return said % {"amount": money("amount_minor")}
        case "limit-cut":
            said = _("The limit for later purchases is %(new)s; it was %(old)s.")
            return said % {"new": money("new_minor"), "old": money("old_minor")}
        case "price-raised":
            said = _("Later purchases are offered at %(new)s a year; it was %(old)s.")
            values = {"new": payload["new_ppm"], "old": payload["old_ppm"]}
            return said % {name: percent_text(value, 2) for name, value in values.items()}
        case "protection-placed" if payload["kind"] == Effect.SMALLER_LIMIT.value:
            said = _("New purchases may use %(ceiling)s until %(until)s.")
            return said % {"ceiling": money("ceiling_minor"), "until": _minute(payload["until"])}
        case "protection-placed":
            said = _("New purchases wait until %(until)s; repaying goes on.")
            return said % {"until": _minute(payload["until"])}
        case "appeal-closed":
            said = _("The appeal was answered")
            return pair(said, word(payload["outcome"], speech), speech)
        case _:
            return _plain(kind, _)


def _plain(kind: str, _: Callable[[str], str]) -> str:
    """Return the sentence of what has no amounts."""
    return {
        "step-up-asked": _("A check of who you are is asked for before the next purchase."),
        "application-declined": _("The application was declined."),
        "application-referred": _("A person looks at the application before it is decided."),
        "limit-kept": _("The limit stays as it is."),
        "appeal-opened": _("The decision is looked at by a person who did not make it."),
    }.get(kind, kind)


def _minute(instant: str) -> str:
    """Return an instant of an event's payload to the minute."""
    return f"{datetime.fromisoformat(instant):%Y-%m-%d %H:%M} UTC"


def show(messages: Sequence[Message], console: Console, language: Language) -> None:
    """Print what a customer was told, the latest first."""
    speech = Speech(language)
    _ = speech.gettext
    if not messages:
        console.print(_("Nothing of the kind was told."))
    for one in messages:
        console.print(f"{one.at:%Y-%m-%d %H:%M}  {one.said}", soft_wrap=True)
        for sentence in one.follows:
            console.print(f"  {sentence}", soft_wrap=True)
        for reason in one.because:
            console.print(f"  - {reason}", soft_wrap=True)
        if one.instead:
            offered = pair(_("Plans offered"), together(one.instead, speech), speech)
            console.print(f"  {offered}", soft_wrap=True)
        if one.would_change is not None:
            turn = pair(_("What would change it"), one.would_change, speech)
            console.print(f"  {turn}", soft_wrap=True)
        if one.contest_until is not None:
            said = _(
                "  It can be contested until %(day)s: "
                'fenqi appeal open %(decision)s "IN YOUR OWN WORDS"'
            )
            values = {"day": one.contest_until, "decision": one.decision_id}
            console.print(said % values, soft_wrap=True)

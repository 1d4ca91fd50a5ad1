"""What a customer was told of harm and of appeals, in their words: what, why, until when to object.

It is read from the outbox, so what stands here is what goes out, and nothing else does. The reasons
are in the words of the rulebook that decided; a code alone is never what somebody reads (P3).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from rich.console import Console

from fenqi.core.risk.appeal import took_something
from fenqi.core.risk.decision import Effect
from fenqi.core.risk.purchase import Course
from fenqi.core.risk.record import Record
from fenqi.core.values.money import Currency, currency
from fenqi.report.decision import change_text, offers_of, texts
from fenqi.report.ink import percent_text
from fenqi.report.language import Language, Speech
from fenqi.report.names import pair, word
from fenqi.store import accounts, decision_records, reasons, views
from fenqi.store.ground import Ground
from fenqi.store.pool import Session

# An answer to an appeal is not contested again; a limit that stays as it is took nothing away.
UNCONTESTED = frozenset({"appeal-opened", "appeal-closed", "limit-kept"})
PAUSED = "purchase-paused"  # nothing was declined: a check first, or another plan


@dataclass(frozen=True, slots=True)
class Message:
    """One thing a customer was told. `because` are sentences, one for each reason.

    `instead` are the plans on offer in the place of one that was not; `would_change` is what would
    put it there.
    """

    at: datetime
    kind: str
    said: str
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
        named, code = views.pack_of(session, account_id)
        pack, unit = ground.catalogue.pack(named), currency(code)
        known: dict[str, Record] = {}
        return [
            _message(one, _record(session, one, known), pack.appeal_days, unit, speech)
            for one in views.told(session, account_id)
        ]


def _record(session: Session, one: views.Told, known: dict[str, Record]) -> Record | None:
    """Return the decision something was told of, each read once; None where none was made."""
    decision = one.payload.get("decision_id")
    if not decision:
        return None
    key = str(decision)
    if key not in known:
        known[key] = decision_records.read(session, UUID(key))
    return known[key]


def _words(record: Record | None, language: Language) -> Mapping[str, str]:
    """Return the texts of reasons by code: those of what decided, else the house's."""
    if record is not None:
        return texts(record, language)
    tag = "zh" if language is Language.CHINESE else "en"
    house = {**reasons.of_purchases(), **reasons.of_law()}
    return {code: text[tag] for code, text in house.items()}


def _may_contest(kind: str, record: Record | None) -> bool:
    """Whether what was told can be contested by the decision it names."""
    if record is None or kind in UNCONTESTED:
        return False
    return kind != PAUSED or took_something(record.outcome, record.reasons)


def _message(
    one: views.Told, record: Record | None, days: int, unit: Currency, speech: Speech
) -> Message:
    payload = one.payload
    words, decision = _words(record, speech.language), payload.get("decision_id")
    may_contest = _may_contest(one.kind, record)
    last_on = one.booked_on + timedelta(days=days)
    is_other = one.kind == PAUSED and payload["course"] == Course.OTHER_PLAN.value
    turn = change_text(record, speech) if record and is_other else None
    return Message(
        at=one.at,
        kind=one.kind,
        said=_said(one.kind, payload, unit, speech),
        because=tuple(words.get(code, code) for code in payload.get("reasons") or ()),
        decision_id=str(decision) if decision is not None else None,
        contest_until=last_on.isoformat() if may_contest else None,
        instead=tuple(offers_of(record)) if record and is_other else (),
        would_change=turn,
    )


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
        "limit-kept": _("The limit stays as it is."),
        "appeal-opened": _("The decision is looked at by a person who did not make it."),
    }.get(kind, kind)


def _minute(instant: str) -> str:
    """Return an instant of an event's payload to the minute."""
    return f"{datetime.fromisoformat(instant):%Y-%m-%d %H:%M} UTC"


def show(messages: Sequence[Message], console: Console, language: Language) -> None:
    """Print what a customer was told, the latest first."""
    _ = Speech(language).gettext
    if not messages:
        console.print(_("Nothing of the kind was told."))
    for one in messages:
        console.print(f"{one.at:%Y-%m-%d %H:%M}  {one.said}", soft_wrap=True)
        for reason in one.because:
            console.print(f"  - {reason}", soft_wrap=True)
        if one.instead:
            console.print(f"  {_('Plans offered')}: {', '.join(one.instead)}", soft_wrap=True)
        if one.would_change is not None:
            console.print(f"  {_('What would change it')}: {one.would_change}", soft_wrap=True)
        if one.contest_until is not None:
            said = _("  It can be contested until %(day)s: fenqi appeal open %(decision)s")
            values = {"day": one.contest_until, "decision": one.decision_id}
            console.print(said % values, soft_wrap=True)

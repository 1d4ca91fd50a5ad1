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

from fenqi.core.risk.decision import Effect
from fenqi.core.risk.purchase import Course
from fenqi.core.values.money import Currency, currency
from fenqi.report.decision import texts
from fenqi.report.ink import percent_text
from fenqi.report.language import Language, Speech
from fenqi.report.names import pair, word
from fenqi.store import accounts, decision_records, reasons, views
from fenqi.store.ground import Ground
from fenqi.store.pool import Session

# An answer to an appeal is not contested again; a limit that stays as it is took nothing away.
UNCONTESTED = frozenset({"appeal-opened", "appeal-closed", "limit-kept"})


@dataclass(frozen=True, slots=True)
class Message:
    """One thing a customer was told. `because` are sentences, one for each reason."""

    at: datetime
    kind: str
    said: str
    because: tuple[str, ...]
    decision_id: str | None
    contest_until: str | None

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
        known: dict[str, Mapping[str, str]] = {}
        return [
            _message(one, _words(session, one, known, language), pack.appeal_days, unit, speech)
            for one in views.told(session, account_id)
        ]


def _words(
    session: Session, one: views.Told, known: dict[str, Mapping[str, str]], language: Language
) -> Mapping[str, str]:
    """Return the texts of reasons by code: those of what decided, else the house's."""
    decision = one.payload.get("decision_id")
    key = str(decision)
    if key not in known:
        tag = "zh" if language is Language.CHINESE else "en"
        house = {**reasons.of_purchases(), **reasons.of_law()}
        known[key] = (
            texts(decision_records.read(session, UUID(key)), language)
            if decision
            else {code: text[tag] for code, text in house.items()}
        )
    return known[key]


def _message(
    one: views.Told, words: Mapping[str, str], days: int, unit: Currency, speech: Speech
) -> Message:
    payload = one.payload
    decision = payload.get("decision_id")
    may_contest = decision is not None and one.kind not in UNCONTESTED
    last_on = one.booked_on + timedelta(days=days)
    return Message(
        at=one.at,
        kind=one.kind,
        said=_said(one.kind, payload, unit, speech),
        because=tuple(words.get(code, code) for code in payload.get("reasons") or ()),
        decision_id=str(decision) if decision is not None else None,
        contest_until=last_on.isoformat() if may_contest else None,
    )


def _said(kind: str, payload: Mapping[str, Any], unit: Currency, speech: Speech) -> str:
    """Return one sentence that says what happened."""
    _ = speech.gettext

    def money(field: str) -> str:
        return f"{speech.amount(payload[field], unit)} {unit.code}"

    match kind:
        case "purchase-declined":
            return _("A purchase of %(amount)s was declined.") % {"amount": money("amount_minor")}
        case "purchase-paused" if payload["course"] == Course.STEP_UP.value:
            said = _("A purchase of %(amount)s waits for a check.")
            return said % {"amount": money("amount_minor")}
        case "purchase-paused":
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
        if one.contest_until is not None:
            said = _("  It can be contested until %(day)s: fenqi appeal open %(decision)s")
            values = {"day": one.contest_until, "decision": one.decision_id}
            console.print(said % values, soft_wrap=True)

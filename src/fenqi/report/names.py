"""What codes are called in the language of the person: kinds, outcomes, effects, cases, evidence.

A code stands beside its name, since commands and files take codes. In English codes are words of
the language already and stand alone; so does a code nobody named.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from fenqi.core.risk.input import Unit
from fenqi.report.language import Language, Speech

HELD_BACK = "held-back"  # before an effect that was not carried out
CONTESTED = "contested"  # before what an appeal or a contest is about


def word(code: str, speech: Speech) -> str:
    """Return a code with its name before it; a parameter, as in hold:24, stays with the code."""
    head, _, rest = code.partition(":")
    if head == HELD_BACK and rest:
        return pair(word(head, speech), word(rest, speech), speech)
    name = _names(speech.language).get(head, "")
    return code if speech.language is Language.ENGLISH or not name else f"{name} {code}"


def words(codes: Iterable[str], speech: Speech) -> str:
    """Return codes with their names, one after another."""
    return together((word(one, speech) for one in codes), speech)


def together(texts: Iterable[str], speech: Speech) -> str:
    """Return texts one after another, with the mark the language puts between them."""
    return ("\u3001" if speech.language is Language.CHINESE else ", ").join(texts)


def sense(of: str, code: str, speech: Speech) -> str:
    """Return a code whose word depends on what it is said of, as the name of an input or `offer`.

    An account, an offer and a case are each "open", which are three words in Chinese.
    """
    if speech.language is Language.ENGLISH:
        return code
    name = _senses(speech.language).get((of, code))
    return f"{name} {code}" if name else word(code, speech)


def measure(value: int, unit: Unit, speech: Speech) -> str:
    """Return days, seconds or points with what they are; other units as they are called."""
    match unit:
        case Unit.DAYS:
            said = speech.ngettext("%(count)s day", "%(count)s days", abs(value))
        case Unit.SECONDS:
            said = speech.ngettext("%(count)s second", "%(count)s seconds", abs(value))
        case Unit.POINTS:
            said = speech.ngettext("%(count)s point", "%(count)s points", abs(value))
        case _:
            return f"{value:,} {unit.value}"
    return said % {"count": f"{value:,}"}


def subject(code: str, speech: Speech) -> str:
    """Return what a case is about: a reason or a code, or what of it is contested."""
    head, _, what = code.partition(": ")
    if head != CONTESTED or not what:
        return word(code, speech)
    return pair(speech.gettext("contested"), word(what, speech), speech)


def pair(what: str, value: str, speech: Speech) -> str:
    """Return what something is and its value, with the colon of the language."""
    return f"{what}\uff1a{value}" if speech.language is Language.CHINESE else f"{what}: {value}"


def label(field: str, speech: Speech) -> str:
    """Return what a field of the evidence is called; one nobody named as it is, in words."""
    _ = speech.gettext
    known = {
        "account_id": _("account"),
        "accounts_before": _("accounts before"),
        "address": _("address"),
        "amount_minor": _("amount"),
        "application": _("application"),
        "applications_24h": _("applications in 24 hours"),
        "asked": _("asked for"),
        "asked_minor": _("limit asked for"),
        "asked_until": _("asked until"),
        "birthdays_stated": _("different dates of birth"),
        "cap": _("cap"),
        "contest_id": _("contest"),
        "decision_id": _("decision"),
        "due_at": _("due at"),
        "due_on": _("to be answered by"),
        "effect": _("effect"),
        "effects": _("effects"),
        "event_number": _("event"),
        "first_number": _("first event"),
        "from": _("from"),
        "kind": _("kind"),
        "kinds": _("kinds of facts"),
        "last_number": _("last event"),
        "long_standing": _("long standing"),
        "national_ids_stated": _("different identity cards"),
        "outcome": _("outcome"),
        "overdue_days": _("days past due"),
        "place": _("place"),
        "plan_id": _("plan"),
        "policy": _("policy"),
        "policy_version": _("policy version"),
        "priority": _("priority"),
        "protection_id": _("protection"),
        "reasons": _("reasons"),
        "rule": _("rule"),
        "size": _("accounts in all"),
        "span": _("span"),
        "strength": _("strength of the evidence"),
        "until": _("until"),
        "visits": _("visits"),
    }
    return known.get(field, field.replace("_", " ")).strip()


@lru_cache(maxsize=len(Language))
def _names(language: Language) -> Mapping[str, str]:
    _ = Speech(language).gettext
    return _of_decisions(_) | _of_cases(_) | _of_bounds(_) | _of_duties(_)


@lru_cache(maxsize=len(Language))
def _senses(language: Language) -> Mapping[tuple[str, str], str]:
    _ = Speech(language).gettext
    return {
        ("account_status", "open"): _("an open account"),
        ("account_status", "frozen"): _("a frozen account"),
        ("account_status", "closed"): _("a closed account"),
        ("regime", "normal"): _("normal times"),
        ("regime", "easing"): _("easier times"),
        ("regime", "tight"): _("tighter times"),
        ("plan", "active"): _("being repaid"),
        ("plan", "closed"): _("paid off"),
        ("plan", "contested"): _("contested now"),
        ("plan", "overpaid"): _("overpaid"),
        ("plan", "written-off"): _("written off"),
        ("offer", "open"): _("awaits an answer"),
        ("offer", "accepted"): _("accepted"),
        ("offer", "declined"): _("turned down"),
        ("offer", "overtaken"): _("overtaken by a later change"),
        ("application", "received"): _("received, not yet decided"),
        ("application", "offered"): _("offered"),
        ("application", "review"): _("waits for a person"),
        ("application", "declined"): _("declined"),
        ("application", "accepted"): _("signed; the account is open"),
        ("span", "hour"): _("within an hour"),
        ("span", "day"): _("within a day"),
    }


def _of_bounds(_: Callable[[str], str]) -> dict[str, str]:
    return {
        # what held a change of a limit or a price back
        "band": _("too small a change"),
        "turn-band": _("too small a turn"),
        "cool-down": _("too soon after the last"),
        "turn-cool-down": _("too soon to turn"),
        "turns": _("turned too often"),
        "step": _("the most at once"),
        "strength": _("as much as its rule asks for"),
        "range": _("the least or the most there is"),
        "level": _("between two levels"),
        "no-reason": _("no reason to harm"),
    }


def _of_duties(_: Callable[[str], str]) -> dict[str, str]:
    return {
        "watch": _("answers crowds"),
        "admit": _("decides applications"),
        "shadow": _("lets challengers judge"),
        "assess-limit": _("looks at limits again"),
        "assess-price": _("looks at prices again"),
    }


def _of_decisions(_: Callable[[str], str]) -> dict[str, str]:
    return {
        # outcomes and effects of decisions
        "approve": _("approved"),
        "nudge": _("a helpful word"),
        "relief": _("ways to ease paying"),
        "step-up": _("a check first"),
        "cooler-menu": _("a shorter menu"),
        "smaller-limit": _("a smaller limit"),
        "dearer-price": _("a dearer price"),
        "review": _("a look by a person"),
        "hold": _("new purchases held"),
        "freeze": _("new purchases frozen"),
        "decline": _("declined"),
        HELD_BACK: _("held back"),
        # what is decided about, and for what
        "application": _("an application"),
        "purchase": _("a purchase"),
        "limit": _("limit"),
        "price": _("price"),
        "access": _("a login or a change of access"),
        "repayment": _("customers who pay differently"),
        "credit": _("lending"),
        "fraud": _("fraud"),
        "service": _("service"),
        # what becomes of a limit or a price that is looked at again
        "kept": _("kept"),
        "cut": _("cut"),
        "raised": _("raised"),
        "offered": _("more offered"),
    }


def _of_cases(_: Callable[[str], str]) -> dict[str, str]:
    return {
        # cases, their history and their ends
        "investigation": _("an investigation"),
        "appeal": _("an appeal"),
        "confirmed": _("confirmed"),
        "false-alarm": _("a false alarm"),
        "expired": _("expired"),
        "cured": _("its cause is over"),
        "passed": _("the check was passed"),
        "replaced": _("replaced by a longer one"),
        "joined": _("goes on in another case"),
        "opened": _("opened"),
        "evidence": _("more evidence"),
        "assigned": _("assigned"),
        "note": _("a note"),
        "seconded": _("seconded"),
        "lifted": _("lifted"),
        "closed": _("case closed"),
        # what is looked at of who applied
        "birthday-differs": _("another date of birth than before"),
        "national-id-differs": _("another identity card than before"),
        # contests
        "not-mine": _("not bought by the customer"),
        "not-received": _("never received"),
        "not-as-agreed": _("not as agreed"),
        "upheld": _("upheld"),
        "not-upheld": _("not upheld"),
        # what evidence names
        "weak": _("weak"),
        "strong": _("strong"),
        "device": _("device"),
        "card": _("card"),
        "phone": _("phone"),
        "login": _("login"),
        "device-changed": _("device changed"),
        "phone-changed": _("phone changed"),
        "card-changed": _("card changed"),
        "address-changed": _("address changed"),
        "campus": _("campus"),
        "office": _("office"),
        "carrier": _("network of a carrier"),
        "shop": _("shop"),
        "other": _("another place"),
    }

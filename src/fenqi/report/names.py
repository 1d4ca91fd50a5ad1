"""What codes are called in the language of the person: kinds, outcomes, effects, cases, evidence.

A code stands beside its name, since commands and files take codes. In English codes are words of
the language already and stand alone; so does a code nobody named.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from fenqi.report.language import Language, Speech

HELD_BACK = "held-back"  # before an effect that was not carried out


def word(code: str, speech: Speech) -> str:
    """Return a code with its name before it; a parameter, as in hold:24, stays with the code."""
    head, _, rest = code.partition(":")
    if head == HELD_BACK and rest:
        return f"{word(head, speech)}: {word(rest, speech)}"
    name = _names(speech.language).get(head, "")
    return code if speech.language is Language.ENGLISH or not name else f"{name} {code}"


def words(codes: Iterable[str], speech: Speech) -> str:
    """Return codes with their names, one after another."""
    return ", ".join(word(one, speech) for one in codes)


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
        "cap": _("cap"),
        "contest_id": _("contest"),
        "decision_id": _("decision"),
        "due_at": _("due at"),
        "effect": _("effect"),
        "effects": _("effects"),
        "event_number": _("event"),
        "first_number": _("first event"),
        "from": _("from"),
        "kind": _("kind"),
        "kinds": _("kinds of facts"),
        "last_number": _("last event"),
        "long_standing": _("long standing"),
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
    return _of_decisions(_) | _of_cases(_)


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
        "repayment": _("a change of how is paid"),
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

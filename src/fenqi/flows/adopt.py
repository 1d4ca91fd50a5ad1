"""A policy is adopted by a second person, or taken back for what decided before.

What is adopted was checked first: its examples come out, nobody of whom nothing is known is harmed,
what it offers is sold, and another program can read it again. It decides from the next batch on, in
every program.
"""

import json
from datetime import date, datetime
from pathlib import Path

from fenqi.core.errors import Conflict, Forbidden, Invalid, ensure
from fenqi.core.risk.policy.check import Checked, check
from fenqi.core.risk.policy.fair import refuse_forbidden
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.risk.rulebook import Rulebook, restored
from fenqi.core.values.name import NAME_CHARS_MAX, as_heard, is_name
from fenqi.core.values.phrase import Phrase, lines
from fenqi.store import policies
from fenqi.store.catalogue import Catalogue
from fenqi.store.ground import Ground
from fenqi.store.policies import Adoption
from fenqi.store.pool import Session

BECAUSE_CHARS_MAX = 400


class PolicyUnsound(Invalid):
    """The check of a policy found faults; field `faults` tells each with its place."""

    code = "policy-unsound"


class AdopterIsAuthor(Forbidden):
    """Who wrote a policy cannot adopt it: a second person must."""

    code = "adopter-is-author"


class AdopterInvalid(Invalid):
    """An adoption or a rollback needs a person's name, and a rollback a reason."""

    code = "adopter-invalid"


class PolicyNotDue(Conflict):
    """A policy's time has not begun, or is over."""

    code = "policy-not-due"


def adopt(ground: Ground, policy: Policy, *, by: str, because: str = "") -> Adoption:
    """Let a policy decide from now on.

    Errors: AdopterInvalid, AdopterIsAuthor, PolicyNotDue, PolicyUnsound, InputForbidden,
    PolicyVersionChanged, PolicyVersionPassed.
    """
    name = _name(by)
    now = ground.clock.now()
    if as_heard(name) == as_heard(policy.author):
        raise AdopterIsAuthor(policy=policy.name, version=policy.version, by=name)
    if policies.is_over(policy, now.date()):
        until = policy.valid_until or "any day"
        raise PolicyNotDue(policy=policy.name, valid_from=policy.valid_from, valid_until=until)
    book = fit(policy, ground.catalogue, now.date())
    with ground.store.transaction() as session:
        return policies.adopt(session, book, now, by=name, because=_told(because))


def fit(policy: Policy, known: Catalogue, today: date) -> Rulebook:
    """Return a policy ready to decide, if what is sold, by which packs, lets it.

    Errors: PolicyUnsound, InputForbidden.
    """
    refuse_unsound(policy, checked(policy, known, today))
    for pack in known.newest_packs():
        refuse_forbidden(policy, pack)
    book = policies.book_of(policy)
    # Every other program reads it from the database; what it could not read would stop them all.
    again = restored(json.loads(book.text))
    ensure(again.rulebook_id == book.rulebook_id, "rulebook-restored", policy=policy.name)
    return book


def checked(policy: Policy, known: Catalogue, today: date) -> Checked:
    """Return what the check of a policy finds, over what a catalogue sells."""
    return check(
        policy,
        today=today,
        sold=known.sold(),
        graded=known.graded(),
        hold_hours_max=known.hold_hours_max(),
    )


def install(session: Session, known: Catalogue, now: datetime, own: Path | None) -> list[Adoption]:
    """Adopt at a first start what comes with fenqi, or lies in the operator's folder instead.

    Over an operator's folder all are checked as any that is adopted: what is shipped may not suit
    the operator's products, grades of price and packs. If one is refused, none is installed.

    Errors: those of `fit` and of `policies.own_policies`.
    """
    kinds = policies.undecided(session)
    if not kinds or own is None:
        return policies.install(session, now)
    given = {one.kind: one for one in policies.own_policies(own) if one.kind in kinds}
    wanted = [given.get(kind) or policies.shipped(kind).policy for kind in sorted(kinds)]
    return policies.install(session, now, [fit(one, known, now.date()) for one in wanted])


def roll_back(ground: Ground, name: str, *, by: str, because: str) -> tuple[Adoption, Adoption]:
    """Let decide what decided before; return what was taken away and what decides now.

    `name` is a policy's, or that of what it decides about.

    Errors: AdopterInvalid, PolicyMissing, NothingBefore.
    """
    person, told = _name(by), _told(because)
    if not told:
        raise AdopterInvalid(by=told, expected=Phrase("a reason for going back"))
    with ground.store.transaction() as session:
        kind = policies.kind_of(session, name)
        return policies.roll_back(session, kind, ground.clock.now(), by=person, because=told)


def refuse_unsound(policy: Policy, found: Checked) -> None:
    """Refuse a policy that its check found faults in. Errors: PolicyUnsound."""
    faults = [one.sentence() for one in found.findings if one.is_fault]
    if faults:
        raise PolicyUnsound(file=policy.file or policy.name, faults=lines(faults))


def _name(by: str) -> str:
    name = " ".join(by.split())
    if not is_name(name):
        expected = Phrase("the name of a person, 1 to {most} characters", most=NAME_CHARS_MAX)
        raise AdopterInvalid(by=name, expected=expected)
    return name


def _told(because: str) -> str:
    told = " ".join(because.split())
    if not told.isprintable():
        expected = Phrase("printable characters, tabs and line ends")
        raise AdopterInvalid(by=told[:40], expected=expected)
    if len(told) > BECAUSE_CHARS_MAX:
        expected = Phrase("at most {most} characters", most=BECAUSE_CHARS_MAX)
        raise AdopterInvalid(by=told[:40], expected=expected)
    return told

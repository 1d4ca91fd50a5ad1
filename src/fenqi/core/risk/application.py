"""What is decided about somebody who applies: exclusions, what can be carried, then the policy.

A pure function of the inputs a decision keeps and of what its rulebook says, so that the same
record gives the same ruling on any machine. Law excludes first (a minor, a student where the pack
says so); then the limit is what income and debts carry; then the policy may ask for a check, a
cooler menu, a smaller beginning, a look by a person, or decline. What is unknown never declines.
Whoever gave two birthdays or two identity cards waits for a person whatever the policy says.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import zip_longest
from typing import Any, NamedTuple

from fenqi.core.errors import Invalid
from fenqi.core.risk.affordability import Bound, Means, carried
from fenqi.core.risk.breaker import HELD_BACK
from fenqi.core.risk.consequence import Telling, reasons_of
from fenqi.core.risk.decision import HARMFUL, LADDER, Effect
from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.expression import names
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.risk.policy.rows import Decide
from fenqi.core.risk.policy.turn import Turn
from fenqi.core.risk.rulebook import Rulebook, restored
from fenqi.core.risk.scorecard import Score, Scorecard, from_json, score, to_json
from fenqi.core.terms.lending_rules import LendingRules, Students
from fenqi.core.values.rate import PPM

REASONS_MAX = 4  # P3
APPROVE = "approve"
REGIMES = ("normal", "easing", "tight")

# What a ruling looks at, in the order in which its record keeps the values.
INPUTS = (
    "amount_minor",
    "income_declared_minor",
    "income_evidenced_minor",
    "obligations_monthly_minor",
    "age_years",
    "is_student",
    "bureau_score",
    "bureau_enquiries_30d",
    "bureau_overdue_accounts",
    "bureau_worst_overdue_days",
    "bureau_open_credit_minor",
    "bureau_age_days",
    "is_bureau_heard",
    "applications_24h",
    "regime",
    "is_stepped_up",
    "birthdays_stated",
    "national_ids_stated",
    "score_points",
)
INCOME_SHOWN, OWED_MONTHLY = "income_evidenced_minor", "obligations_monthly_minor"
AMOUNT_MAX = 10**12  # minor units a month; nobody shows more
SCORE = "score-"  # a policy's reasons of this family are told by what the score lost


class ApplicationReason(StrEnum):
    """Why an application came out as it did; each has a text for the customer."""

    UNDER_AGE = "under-age"
    STUDENT = "students-not-served"
    INCOME = "income-too-low"
    OBLIGATIONS = "obligations-too-high"
    UNEVIDENCED = "income-not-shown"
    NO_REPORT = "no-bureau-report"
    HIGHEST = "highest-first-limit"
    BIRTHDAY = "birthday-differs"
    NATIONAL_ID = "national-id-differs"


OF_BOUND = {
    Bound.INCOME: ApplicationReason.INCOME,
    Bound.OBLIGATIONS: ApplicationReason.OBLIGATIONS,
    Bound.UNEVIDENCED: ApplicationReason.UNEVIDENCED,
    Bound.UNKNOWN: ApplicationReason.NO_REPORT,
    Bound.PACK: ApplicationReason.HIGHEST,
}


# Reasons that only income can answer: what was said of it is known, and shown there is more.
INCOME_REASONS = frozenset({ApplicationReason.INCOME.value})
# Reasons for which a person looks at who somebody is, by the number of different statements.
UNCLEAR = {
    "birthdays_stated": ApplicationReason.BIRTHDAY.value,
    "national_ids_stated": ApplicationReason.NATIONAL_ID.value,
}
UNCLEAR_PRIORITY = 2  # of the case: somebody waits for it
# What a reason of law or means looked at. Whose age was found wrong has shown the birthday.
LOOKED_AT = {
    ApplicationReason.BIRTHDAY.value: ("birthdays_stated",),
    ApplicationReason.NATIONAL_ID.value: ("national_ids_stated",),
    ApplicationReason.UNDER_AGE.value: ("age_years", "birthdays_stated"),
    ApplicationReason.STUDENT.value: ("is_student",),
    ApplicationReason.OBLIGATIONS.value: ("obligations_monthly_minor",),
}
# What somebody who applies says themselves, and what is the same for all: never refuted.
SAID = frozenset({"amount_minor", "income_declared_minor", "regime", "is_bureau_heard"})


class EvidenceMissing(Invalid):
    """What was too little is the income, and nothing shows that there is more."""

    code = "appeal-evidence-missing"


class EvidenceUnasked(Invalid):
    """Income was shown where none is looked at: it would be kept by nobody."""

    code = "appeal-evidence-unasked"


class Opinion(NamedTuple):
    """What a policy says: effects with their parameters (0 for none), reasons, what was hit.

    Units: as the effects of policies have them; a smaller limit in ppm of the limit.
    """

    acts: tuple[tuple[Effect, int], ...] = ()
    reasons: tuple[str, ...] = ()
    hits: tuple[int, ...] = ()
    # The reasons of each effect, None where all are told together.
    because: Mapping[Effect, tuple[str, ...]] | None = None
    # Whether the first reason of each effect comes before the second of any.
    is_each_told: bool = True


Opine = Callable[[Mapping[str, Value]], Opinion]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided, to be told and kept.

    `outcome` is the strongest effect, or approve; `limit_minor` the first limit, 0 where there is
    none. `counts_max` is what a cooler menu allows, None where there is no such menu.
    """

    outcome: str
    reasons: tuple[str, ...]
    limit_minor: int
    effects: tuple[str, ...]  # as decisions keep them, a parameter after a colon
    points: int | None
    hits: tuple[int, ...] = ()
    counts_max: int | None = None
    harms: frozenset[Effect] = frozenset()  # those that the policy wanted; law and means are none
    because: Mapping[Effect, tuple[str, ...]] = field(default_factory=dict)  # of each effect

    @property
    def price_grade(self) -> int:
        """The grade of price to begin with: the first above the common one if it is dearer."""
        return int(self.has(Effect.DEARER_PRICE))

    @property
    def is_declined(self) -> bool:
        """Whether there is no offer, now or after a look."""
        return self.outcome == Effect.DECLINE.value

    def has(self, effect: Effect) -> bool:
        """Whether an effect follows."""
        return any(one.partition(":")[0] == effect.value for one in self.effects)

    def amount(self, effect: Effect) -> int:
        """Return an effect's parameter, 0 if it has none or does not follow."""
        words = [one.partition(":") for one in self.effects]
        return next((int(amount or 0) for word, _, amount in words if word == effect.value), 0)

    @property
    def waits_for_a_person(self) -> bool:
        """Whether somebody must look first.

        With a check that the applicant can pass by themselves the look goes on beside it, but not
        if the look stands in the place of harm that the breaker held back, nor if it is about who
        they are: who passes the check is who said both.
        """
        is_held_back = any(one.partition(":")[0] == HELD_BACK for one in self.effects)
        is_unclear = not set(UNCLEAR.values()).isdisjoint(self.reasons)
        is_first = is_held_back or is_unclear or not self.has(Effect.STEP_UP)
        return self.has(Effect.REVIEW) and is_first


def rule(
    inputs: Mapping[str, Value],
    rules: LendingRules,
    card: Scorecard | None,
    opine: Opine,
    held: frozenset[Effect] = frozenset(),
) -> Ruling:
    """Return the ruling on one application; `inputs` come from `scored`.

    `held` is harm of the policy's that the circuit breaker holds back: a person looks first. Law
    and what can be carried are no policy's harm, and nothing holds them back.

    Units: minor units of the book's currency.
    """
    points = inputs.get("score_points")
    excluded = exclusions(inputs, rules)
    if excluded:
        return _declined(excluded, points)
    asked = _known(inputs, "amount_minor")
    limit = carried(means_of(inputs), rules, asked)
    bound = OF_BOUND.get(limit.bound)
    if limit.limit_minor < rules.limit_minor_least and bound is not None:
        return _declined([bound], points)
    wanted = _spelled_out(opine(inputs), inputs, card)
    room = _Room(asked, limit.limit_minor, rules.limit_minor_least, bound)
    ruling = _concluded(_referred(_restrained(wanted, held), inputs), room, points)
    harms = HARMFUL.intersection(effect for effect, _ in wanted.acts)
    told = tuple(f"{HELD_BACK}:{effect}" for effect in LADDER if effect in held & harms)
    return replace(ruling, effects=ruling.effects + told, harms=harms)


def _restrained(opinion: Opinion, held: frozenset[Effect]) -> Opinion:
    """Return an opinion without what is held back, which a person reviews instead."""
    left = tuple(act for act in opinion.acts if act[0] not in held)
    if left == opinion.acts:
        return opinion
    because = opinion.because
    if all(effect is not Effect.REVIEW for effect, _ in left):
        left += ((Effect.REVIEW, 1),)
        if because is not None:
            strongest = max(held & because.keys(), key=LADDER.index)
            because = {**because, Effect.REVIEW: because[strongest]}
    return opinion._replace(acts=left, because=because)


def _referred(opinion: Opinion, inputs: Mapping[str, Value]) -> Opinion:
    """Return an opinion with a look by a person at who said different things about themselves."""
    unclear = tuple(code for name, code in UNCLEAR.items() if (inputs.get(name) or 1) > 1)
    if not unclear:
        return opinion
    left, because = opinion.acts, opinion.because
    if all(effect is not Effect.REVIEW for effect, _ in left):
        left += ((Effect.REVIEW, UNCLEAR_PRIORITY),)
    if because is not None:
        told = (*unclear, *because.get(Effect.REVIEW, ()))[:REASONS_MAX]
        because = {**because, Effect.REVIEW: told}
    reasons = (*unclear, *opinion.reasons)
    return opinion._replace(acts=left, because=because, reasons=reasons)


def turned(
    inputs: Mapping[str, Value],
    rules: LendingRules,
    card: Scorecard | None,
    opine: Opine,
) -> Turn | None:
    """Return the least income to show, or the most debt to keep, at which a ruling is milder.

    Whoever gets all they asked for needs neither; of both the smaller change is told.

    Units: minor units of the book's currency.
    """

    def harm_of(changed: Mapping[str, Value]) -> tuple[int, str]:
        found = rule(scored(changed, card), rules, card, opine)
        harms = (found.has(effect) for effect in (Effect.SMALLER_LIMIT, Effect.DECLINE))
        return sum(place * has for place, has in enumerate(harms, start=1)), found.outcome

    now, _ = harm_of(inputs)
    found: list[tuple[int, Turn]] = []
    for name, far in ((INCOME_SHOWN, AMOUNT_MAX), (OWED_MONTHLY, 0)):
        near = inputs.get(name)
        if not now or near is None or harm_of({**inputs, name: far})[0] >= now:
            continue
        value = near
        while abs(far - near) > 1:  # between both it turns
            middle = (near + far) // 2
            is_milder = harm_of({**inputs, name: middle})[0] < now
            near, far = (near, middle) if is_milder else (middle, far)
        _, outcome = harm_of({**inputs, name: far})
        turn = Turn(name, value, far, outcome)
        found.append((abs(far - value) * PPM // max(1, value), turn))
    return min(found)[1] if found else None


def scored(inputs: Mapping[str, Value], card: Scorecard | None) -> dict[str, Value]:
    """Return the inputs with the points a card gives them, unknown without a card."""
    found = _score(inputs, card)
    return {**inputs, "score_points": found.points if found else None}


def _spelled_out(opinion: Opinion, inputs: Mapping[str, Value], card: Scorecard | None) -> Opinion:
    """Return an opinion whose reasons say what a score lost, not that it is low.

    Source: 12 CFR 1002.9(b)(2): that a qualifying score was not reached is no reason.
    """
    found = _score(inputs, card)
    lost = found.reasons if found else ()

    def spelled(codes: Sequence[str]) -> tuple[str, ...]:
        told: list[str] = []
        for code in codes:
            told += lost if code.startswith(SCORE) and lost else [code]
        return tuple(dict.fromkeys(told))[:REASONS_MAX]

    because = opinion.because
    if because is not None:
        because = {effect: spelled(codes) for effect, codes in because.items()}
    return opinion._replace(reasons=spelled(opinion.reasons), because=because)


def exclusions(inputs: Mapping[str, Value], rules: LendingRules) -> list[ApplicationReason]:
    """Return why law keeps somebody from being lent to; what is not known excludes nobody."""
    found = []
    age = inputs.get("age_years")
    if age is not None and age < rules.age_years_min:
        found.append(ApplicationReason.UNDER_AGE)
    is_shown = inputs.get("income_evidenced_minor") is not None
    may_study = rules.students is Students.ANY or (
        rules.students is Students.EVIDENCED and is_shown
    )
    if inputs.get("is_student") and not may_study:
        found.append(ApplicationReason.STUDENT)
    return found


def refuted_inputs(
    reasons: Collection[str], policy: Policy, card: Scorecard | None
) -> frozenset[str]:
    """Return the inputs that refuted reasons looked at: nothing is known of them any more.

    What is unknown harms nobody, so a decision made again comes out without these reasons.
    """
    found = {name for code in reasons for name in LOOKED_AT.get(code, ())}
    for line in policy.lines:
        if line.reason in reasons:
            found |= names(line.when)
    for one in card.characteristics if card else ():
        if one.reason in reasons:
            found.add(one.input)
    return frozenset(found) - SAID


def means_of(inputs: Mapping[str, Value]) -> Means:
    """Return what the inputs say of a person's money."""
    return Means(
        income_declared_minor=_known(inputs, "income_declared_minor"),
        income_evidenced_minor=inputs.get("income_evidenced_minor"),
        obligations_declared_minor=inputs.get("obligations_monthly_minor"),
        obligations_reported_minor=None,  # the larger of both is the input already
        is_reported=bool(inputs.get("is_bureau_heard")),
    )


def _known(inputs: Mapping[str, Value], name: str) -> int:
    value = inputs.get(name)
    return 0 if value is None else value


def _score(inputs: Mapping[str, Value], card: Scorecard | None) -> Score | None:
    if card is None:
        return None
    return score(card, [inputs.get(name) for name in card.inputs])


def _declined(reasons: Sequence[ApplicationReason], points: int | None) -> Ruling:
    said = tuple(one.value for one in reasons[:REASONS_MAX])
    return Ruling(Effect.DECLINE.value, said, 0, (Effect.DECLINE.value,), points)


class _Room(NamedTuple):
    """What was asked for, what can be carried, what is worth opening, and what holds it down."""

    asked_minor: int
    carried_minor: int
    least_minor: int
    bound: ApplicationReason | None


def _concluded(opinion: Opinion, room: _Room, points: int | None) -> Ruling:
    """Return what the policy makes of a limit that can be carried."""
    amounts = dict(opinion.acts)
    limit = room.carried_minor
    bound: tuple[str, ...] = ()
    if Effect.DECLINE in amounts:
        limit = 0
    else:
        # Not below what an account is good for: a smaller beginning is not a hidden decline.
        smaller = limit * amounts.pop(Effect.SMALLER_LIMIT, PPM) // PPM
        limit = max(smaller, min(limit, room.least_minor))
        if limit < room.asked_minor:
            amounts[Effect.SMALLER_LIMIT] = limit * PPM // room.asked_minor
            bound = (room.bound.value,) if room.bound else ()
    ladder = [effect for effect in LADDER if effect in amounts]
    because = _because(opinion, ladder, bound)
    # One answer tells all that follows of an application that is not declined.
    reasons = [*opinion.reasons, *bound]
    if opinion.because is not None:
        reasons = _listed([because[effect] for effect in _told_first(ladder)], opinion)
    return Ruling(
        outcome=ladder[-1].value if ladder else APPROVE,
        # A person's look may end in harm, and a check or a menu is felt: all are told.
        reasons=tuple(dict.fromkeys(reasons))[:REASONS_MAX] if ladder else (),
        limit_minor=limit,
        effects=tuple(_word(effect, amounts[effect]) for effect in ladder),
        points=points,
        hits=opinion.hits,
        counts_max=amounts.get(Effect.COOLER_MENU),
        because=because,
    )


def _told_first(ladder: Sequence[Effect]) -> Sequence[Effect]:
    """Return effects as their reasons are told, what harms first; a decline is told alone."""
    if Effect.DECLINE in ladder:
        return (Effect.DECLINE,)
    return sorted(ladder, key=lambda one: (one not in HARMFUL, -LADDER.index(one)))


def _listed(told: Sequence[tuple[str, ...]], opinion: Opinion) -> list[str]:
    """Return the reasons of several effects as one list.

    Few are told: the second reason of one effect must not leave another without any.
    """
    if not opinion.is_each_told:
        return [code for codes in told for code in codes]
    return [code for codes in zip_longest(*told) for code in codes if code is not None]


def _because(
    opinion: Opinion, ladder: Sequence[Effect], bound: tuple[str, ...]
) -> dict[Effect, tuple[str, ...]]:
    """Return the reasons of each effect that follows; what holds a limit down is one of its own."""
    said = opinion.because or {}
    found = {effect: said.get(effect, ()) for effect in ladder}
    if bound:
        smaller = (*found.get(Effect.SMALLER_LIMIT, ()), *bound)
        found[Effect.SMALLER_LIMIT] = tuple(dict.fromkeys(smaller))[:REASONS_MAX]
    return found


def _word(effect: Effect, amount: int) -> str:
    return f"{effect.value}:{amount}" if amount else effect.value


def opinion_of(book: Rulebook, telling: Telling = Telling.FULL) -> Opine:
    """Return what an adopted policy says; it is asked for the inputs it names."""
    return opinion_by(book.policy, book.decide, telling)


def opinion_by(policy: Policy, decide: Decide, telling: Telling = Telling.FULL) -> Opine:
    """Return what a policy says, adopted or not."""
    names = [one.name for one in policy.inputs]

    def opine(inputs: Mapping[str, Value]) -> Opinion:
        verdict = decide([inputs.get(name) for name in names])
        because = None
        if telling is not Telling.ALL:
            acts = verdict.effects
            because = {a.effect: reasons_of(policy, verdict, a.effect) for a in acts}
        return Opinion(
            acts=tuple((one.effect, one.amount) for one in verdict.effects),
            reasons=verdict.reasons,
            hits=verdict.hits,
            because=because,
            is_each_told=telling is Telling.FULL,
        )

    return opine


# What a record holds, to be computed again.

JUDGE = "application"


def inputs_of(policy: Policy) -> tuple[str, ...]:
    """Return the names of a ruling's inputs: what it looks at itself, then what its policy adds."""
    more = [one.name for one in policy.inputs if one.name not in INPUTS]
    return (*INPUTS, *more)


def content(rules: LendingRules, card: Scorecard | None, book: Rulebook) -> dict[str, object]:
    """Return what a ruling rests on, as JSON values."""
    policy = json.loads(book.text)
    return {
        "judge": JUDGE,
        "inputs": list(inputs_of(book.policy)),
        "choices": policy["choices"] | {"regime": list(REGIMES)},
        "lending": {name: getattr(rules, name) for name in LendingRules.__dataclass_fields__},
        "scorecard": None if card is None else to_json(card),
        "policy": policy,
    }


def policy_in(content: Mapping[str, Any]) -> Policy:
    """Return the policy in a rulebook's content. Errors: those of `rulebook.restored`."""
    return restored(content["policy"]).policy


def rule_again(
    content: Mapping[str, Any],
    values: Sequence[Value],
    held: frozenset[Effect] = frozenset(),
    telling: Telling = Telling.FULL,
) -> Ruling:
    """Return the ruling of a stored decision from its rulebook's content and its inputs.

    `held` is what the breaker held back, `telling` which reasons are kept, as the record tells.

    Errors: ScorecardInvalid if the card in it was changed; those of `rulebook.restored`.
    """
    inputs = dict(zip(content["inputs"], values, strict=True))
    return rule_by(content, inputs, opinion_of(restored(content["policy"]), telling), held)


def rule_by(
    content: Mapping[str, Any],
    inputs: Mapping[str, Value],
    opine: Opine,
    held: frozenset[Effect] = frozenset(),
) -> Ruling:
    """Return the ruling on a stored decision's inputs with another policy in the place of its own.

    Law, means and the card are those of the decision.

    Errors: ScorecardInvalid if the card in it was changed.
    """
    return ruler(content)(inputs, opine, held)


Ruler = Callable[[Mapping[str, Value], Opine, frozenset[Effect]], Ruling]


def ruler(content: Mapping[str, Any]) -> Ruler:
    """Return `rule_by` for many decisions of one rulebook, of which law and card are read once.

    Errors: ScorecardInvalid if the card in it was changed.
    """
    lending = dict(content["lending"])
    rules = LendingRules(**lending | {"students": Students(lending["students"])})
    card = None if content["scorecard"] is None else from_json(content["scorecard"])

    def ruled(inputs: Mapping[str, Value], opine: Opine, held: frozenset[Effect]) -> Ruling:
        return rule(inputs, rules, card, opine, held)

    return ruled


class Caution(NamedTuple):
    """What whoever signs an offer is asked for: a check, plans of few instalments, and why."""

    asks_step_up: bool = False
    counts_max: int | None = None
    reasons: tuple[str, ...] = ()

    @property
    def is_any(self) -> bool:
        """Whether anything is asked for at all."""
        return self.asks_step_up or self.counts_max is not None


CAUTIOUS = (Effect.STEP_UP, Effect.COOLER_MENU)
COUNTED = "applications_24h"


class Cautious:
    """What the policy of stored decisions asks for, had they seen more applications; compiled once.

    Errors: those of `rulebook.restored`, ScorecardInvalid if the card in it was changed.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._book = restored(content["policy"])
        self._inputs = tuple(content["inputs"])
        card = content["scorecard"]
        self._card = None if card is None else from_json(card)

    def after(self, values: Sequence[Value], *, applications_24h: int) -> Caution:
        """Return what is asked for after so many applications; `values` are those of a decision.

        Only a check and a cooler menu: what was offered otherwise stands as it was made.
        """
        policy = self._book.policy
        inputs = dict(zip(self._inputs, values, strict=True)) | {COUNTED: applications_24h}
        said = self._book.decide([inputs.get(one.name) for one in policy.inputs])
        amounts = {act.effect: act.amount for act in said.effects}
        if not any(effect in amounts for effect in CAUTIOUS):
            return Caution()
        asked = [effect for effect in CAUTIOUS if effect in amounts]
        told = [code for effect in asked for code in reasons_of(policy, said, effect)]
        spelled = _spelled_out(Opinion(reasons=tuple(told)), inputs, self._card)
        return Caution(Effect.STEP_UP in amounts, amounts.get(Effect.COOLER_MENU), spelled.reasons)


def is_told(ruling: Ruling) -> bool:
    """Whether P3 is kept: what harms has one to four reasons."""
    harms = {one.value for one in HARMFUL}
    is_harmful = any(one.partition(":")[0] in harms for one in ruling.effects)
    return not is_harmful or 1 <= len(ruling.reasons) <= REASONS_MAX

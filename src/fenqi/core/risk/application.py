"""What is decided about somebody who applies: exclusions, what can be carried, then the policy.

A pure function of the inputs a decision keeps and of what its rulebook says, so that the same
record gives the same ruling on any machine. Law excludes first (a minor, a student where the pack
says so); then the limit is what income and debts carry; then the policy may ask for a check, a
cooler menu, a smaller beginning, a look by a person, or decline. What is unknown never declines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from fenqi.core.risk.affordability import Bound, Means, carried
from fenqi.core.risk.decision import HARMFUL, LADDER, Effect
from fenqi.core.risk.input import Value
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
)


class ApplicationReason(StrEnum):
    """Why an application came out as it did; each has a text for the customer."""

    UNDER_AGE = "under-age"
    STUDENT = "students-not-served"
    INCOME = "income-too-low"
    OBLIGATIONS = "obligations-too-high"
    UNEVIDENCED = "income-not-shown"
    NO_REPORT = "no-bureau-report"
    HIGHEST = "highest-first-limit"
    OVERDUE_ELSEWHERE = "overdue-elsewhere"
    MANY_APPLICATIONS = "many-applications"
    TIGHT = "market-tight"


OF_BOUND = {
    Bound.INCOME: ApplicationReason.INCOME,
    Bound.OBLIGATIONS: ApplicationReason.OBLIGATIONS,
    Bound.UNEVIDENCED: ApplicationReason.UNEVIDENCED,
    Bound.UNKNOWN: ApplicationReason.NO_REPORT,
    Bound.PACK: ApplicationReason.HIGHEST,
}


class Opinion(NamedTuple):
    """What a policy says: effects with their parameters (0 for none), reasons, what was hit.

    `offers` are plans by product and count, None for every plan there is. Units: as the effects of
    policies have them; a smaller limit in ppm of the limit.
    """

    acts: tuple[tuple[Effect, int], ...] = ()
    reasons: tuple[str, ...] = ()
    hits: tuple[int, ...] = ()
    offers: tuple[tuple[str, int], ...] | None = None


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
    offers: tuple[tuple[str, int], ...] | None = None

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

        With a check that the applicant can pass by themselves the look goes on beside it.
        """
        return self.has(Effect.REVIEW) and not self.has(Effect.STEP_UP)


def rule(
    inputs: Mapping[str, Value], rules: LendingRules, card: Scorecard | None, opine: Opine
) -> Ruling:
    """Return the ruling on one application.

    Units: minor units of the book's currency.
    """
    found = _score(inputs, card)
    points = found.points if found else None
    excluded = exclusions(inputs, rules)
    if excluded:
        return _declined(excluded, points)
    asked = _known(inputs, "amount_minor")
    limit = carried(means_of(inputs), rules, asked)
    bound = OF_BOUND.get(limit.bound)
    if limit.limit_minor < rules.limit_minor_least and bound is not None:
        return _declined([bound], points)
    opinion = opine({**inputs, "score_points": points})
    return _concluded(
        opinion, _Room(asked, limit.limit_minor, rules.limit_minor_least, bound), points
    )


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
    reasons = list(opinion.reasons)
    limit = room.carried_minor
    if Effect.DECLINE in amounts:
        limit = 0
    else:
        # Not below what an account is good for: a smaller beginning is not a hidden decline.
        smaller = limit * amounts.pop(Effect.SMALLER_LIMIT, PPM) // PPM
        limit = max(smaller, min(limit, room.least_minor))
        if limit < room.asked_minor:
            amounts[Effect.SMALLER_LIMIT] = limit * PPM // room.asked_minor
            reasons += [room.bound.value] if room.bound else []
    ladder = [effect for effect in LADDER if effect in amounts]
    return Ruling(
        outcome=ladder[-1].value if ladder else APPROVE,
        # A person's look may end in harm, and a check or a menu is felt: all are told.
        reasons=tuple(dict.fromkeys(reasons))[:REASONS_MAX] if ladder else (),
        limit_minor=limit,
        effects=tuple(_word(effect, amounts[effect]) for effect in ladder),
        points=points,
        hits=opinion.hits,
        counts_max=amounts.get(Effect.COOLER_MENU),
        offers=opinion.offers,
    )


def _word(effect: Effect, amount: int) -> str:
    return f"{effect.value}:{amount}" if amount else effect.value


# The built-in opinion, while no application policy is adopted.

APPLICATIONS_MAX = 4  # in a day; one more is looked at, checked and cooled, not declined
COOLED_COUNTS_MAX = 3
OVERDUE_ELSEWHERE_DAYS = 90
OVERDUE_ACCOUNTS = 3
SCORE_LOW, SCORE_FAIR = 540, 575
HALF_PPM, QUARTER_PPM = 500_000, 250_000
REVIEW_PRIORITY = 2


def starter_opinion(card: Scorecard | None) -> Opine:
    """Return the opinion that is asked while no policy is adopted."""

    def opine(inputs: Mapping[str, Value]) -> Opinion:
        acts: dict[Effect, int] = {}
        reasons: list[str] = []
        hits: list[int] = []
        for number, (holds, what, why) in enumerate(_starter_rules(inputs, card), start=1):
            if holds:
                acts |= {
                    effect: min(amount, acts.get(effect, amount)) for effect, amount in what.items()
                }
                reasons += why
                hits.append(number)
        told = tuple(dict.fromkeys(reasons))[:REASONS_MAX]
        return Opinion(tuple(acts.items()), told, tuple(hits))

    return opine


def _starter_rules(
    inputs: Mapping[str, Value], card: Scorecard | None
) -> list[tuple[bool, dict[Effect, int], tuple[str, ...]]]:
    """Return each rule: whether it holds, what follows, why. An unknown input holds nothing."""
    days, late = inputs.get("bureau_worst_overdue_days"), inputs.get("bureau_overdue_accounts")
    points, many = inputs.get("score_points"), inputs.get("applications_24h")
    found = _score(inputs, card)
    lost = found.reasons if found else ()
    cooled = {
        Effect.REVIEW: REVIEW_PRIORITY,
        Effect.STEP_UP: 0,
        Effect.COOLER_MENU: COOLED_COUNTS_MAX,
    }
    is_deep = (days is not None and days >= OVERDUE_ELSEWHERE_DAYS) or (
        late is not None and late >= OVERDUE_ACCOUNTS
    )
    is_low = points is not None and points < SCORE_LOW
    is_fair = points is not None and points < SCORE_FAIR
    is_tight = inputs.get("regime") == REGIMES.index("tight")
    return [
        (is_deep, {Effect.DECLINE: 0}, (ApplicationReason.OVERDUE_ELSEWHERE.value,)),
        (is_low and not is_deep, {Effect.SMALLER_LIMIT: QUARTER_PPM}, lost),
        (is_fair and not is_low, {Effect.SMALLER_LIMIT: HALF_PPM}, lost),
        (is_tight, {Effect.SMALLER_LIMIT: HALF_PPM}, (ApplicationReason.TIGHT.value,)),
        (
            many is not None and many > APPLICATIONS_MAX,
            cooled,
            (ApplicationReason.MANY_APPLICATIONS.value,),
        ),
    ]


# What a record holds, to be computed again.

STARTER = ("application-starter", 1)


def content(rules: LendingRules, card: Scorecard | None) -> dict[str, object]:
    """Return what a ruling by the built-in opinion rests on, as JSON values."""
    return {
        "judge": STARTER[0],
        "inputs": list(INPUTS),
        "choices": {"regime": list(REGIMES)},
        "lending": {name: getattr(rules, name) for name in LendingRules.__dataclass_fields__},
        "scorecard": None if card is None else to_json(card),
    }


def rule_again(content: Mapping[str, Any], values: Sequence[Value]) -> Ruling:
    """Return the ruling of a stored decision from its rulebook's content and its inputs.

    Errors: ScorecardInvalid if the card in it was changed.
    """
    lending = dict(content["lending"])
    rules = LendingRules(**lending | {"students": Students(lending["students"])})
    card = None if content["scorecard"] is None else from_json(content["scorecard"])
    inputs = dict(zip(content["inputs"], values, strict=True))
    return rule(inputs, rules, card, starter_opinion(card))


def is_told(ruling: Ruling) -> bool:
    """Whether P3 is kept: what harms has one to four reasons."""
    harms = {one.value for one in HARMFUL}
    is_harmful = any(one.partition(":")[0] in harms for one in ruling.effects)
    return not is_harmful or 1 <= len(ruling.reasons) <= REASONS_MAX

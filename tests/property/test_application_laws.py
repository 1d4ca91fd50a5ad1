"""Laws of rulings on applications: harm is told, nobody unknown is declined for it, no limit is
above what can be carried, and a record gives its ruling again."""

import json
from importlib import resources

from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.risk.affordability import carried
from fenqi.core.risk.application import (
    INPUTS,
    UNCLEAR,
    Cautious,
    Ruling,
    content,
    inputs_of,
    is_told,
    means_of,
    opinion_of,
    rule,
    rule_again,
    scored,
)
from fenqi.core.risk.consequence import Telling
from fenqi.core.risk.decision import HARMFUL, LADDER, Effect
from fenqi.core.risk.features.reading import read as read_features
from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.read import read as read_policy
from fenqi.core.risk.rulebook import rulebook
from fenqi.core.risk.scorecard import read, score
from make import LENDING

DATA = resources.files("fenqi") / "data"
VOCABULARY = read_features(
    (DATA / "features/shipped.toml").read_text("utf-8"), file="shipped.toml"
).vocabulary
CARD = read((DATA / "scorecards/starter.toml").read_text("utf-8"), VOCABULARY)
POLICY = read_policy((DATA / "policies/application.toml").read_text("utf-8"), VOCABULARY)
BOOK = rulebook(POLICY, VOCABULARY)
OPINION = opinion_of(BOOK)
AMOUNTS = st.integers(0, 30_000_000)
BUREAU = ("bureau_score", "bureau_enquiries_30d", "bureau_overdue_accounts")


@st.composite
def applicants(draw: st.DrawFn) -> dict[str, Value]:
    drawn: dict[str, Value] = {
        "amount_minor": draw(st.integers(50_000, 30_000_000)),
        "income_declared_minor": draw(AMOUNTS),
        "income_evidenced_minor": draw(st.none() | AMOUNTS),
        "obligations_monthly_minor": draw(st.none() | st.integers(0, 1_000_000)),
        "age_years": draw(st.none() | st.integers(10, 100)),
        "is_student": draw(st.none() | st.integers(0, 1)),
        "bureau_score": draw(st.none() | st.integers(300, 900)),
        "bureau_enquiries_30d": draw(st.none() | st.integers(0, 30)),
        "bureau_overdue_accounts": draw(st.none() | st.integers(0, 5)),
        "bureau_worst_overdue_days": draw(st.none() | st.integers(0, 200)),
        "bureau_open_credit_minor": draw(st.none() | AMOUNTS),
        "bureau_age_days": draw(st.none() | st.integers(0, 60)),
        "is_bureau_heard": draw(st.integers(0, 1)),
        "applications_24h": draw(st.none() | st.integers(1, 9)),
        "regime": draw(st.none() | st.integers(0, 2)),
        "is_stepped_up": draw(st.none() | st.integers(0, 1)),
        "birthdays_stated": draw(st.none() | st.integers(1, 3)),
        "national_ids_stated": draw(st.none() | st.integers(0, 3)),
    }
    assert (*drawn, "score_points") == INPUTS
    return drawn


def ruled(inputs: dict[str, Value]) -> Ruling:
    return rule(scored(inputs, CARD), LENDING, CARD, OPINION)


@given(applicants())
def test_what_harms_is_told_with_one_to_four_reasons(inputs: dict[str, Value]) -> None:
    ruling = ruled(inputs)
    assert is_told(ruling), ruling
    assert ruling.is_declined == (ruling.limit_minor == 0)
    assert (ruling.outcome == "approve") == (not ruling.effects) == (not ruling.reasons)


@given(applicants())
def test_a_first_limit_is_above_neither_what_is_carried_nor_asked_nor_below_use(
    inputs: dict[str, Value],
) -> None:
    ruling = ruled(inputs)
    asked = inputs["amount_minor"] or 0
    most = carried(means_of(inputs), LENDING, asked).limit_minor
    assert ruling.limit_minor <= most <= asked
    if not ruling.is_declined:
        assert ruling.limit_minor >= LENDING.limit_minor_least
        assert ruling.has(Effect.SMALLER_LIMIT) == (ruling.limit_minor < asked)


@given(applicants())
def test_a_bureau_that_says_nothing_declines_nobody_whom_it_would_not_decline(
    inputs: dict[str, Value],
) -> None:
    silent = inputs | dict.fromkeys([one for one in INPUTS if one.startswith("bureau_")])
    silent["is_bureau_heard"] = 0
    if not ruled(inputs).is_declined:
        assert not ruled(silent).is_declined


@given(applicants(), st.sampled_from([one for one in INPUTS[:-1] if "minor" not in one]))
def test_an_input_nobody_knows_is_never_a_reason_to_decline(
    inputs: dict[str, Value], name: str
) -> None:
    if not ruled(inputs).is_declined:
        unknown = inputs | {name: 0 if name == "is_bureau_heard" else None}
        assert not ruled(unknown).is_declined


@given(applicants())
def test_no_effect_goes_untold_for_the_reasons_of_another(inputs: dict[str, Value]) -> None:
    ruling = ruled(inputs)
    if not ruling.is_declined:
        for effect, codes in ruling.because.items():
            assert not codes or set(codes) & set(ruling.reasons), effect
        before = rule(scored(inputs, CARD), LENDING, CARD, opinion_of(BOOK, Telling.OUTCOME))
        assert before.because == ruling.because
        told = [code for effect in _told_first(ruling) for code in ruling.because[effect]]
        assert before.reasons == tuple(dict.fromkeys(told))[:4]


def _told_first(ruling: Ruling) -> list[Effect]:
    """Return the effects of a ruling, what harms first and of those the strongest."""
    effects = [one for one in reversed(LADDER) if ruling.has(one)]
    return sorted(effects, key=lambda one: one not in HARMFUL)


@given(applicants())
def test_many_applications_are_cooled_and_checked_and_never_declined_for_it(
    inputs: dict[str, Value],
) -> None:
    few = ruled(inputs | {"applications_24h": 1})
    many = ruled(inputs | {"applications_24h": 5})
    assert many.is_declined == few.is_declined
    if not many.is_declined:
        assert many.has(Effect.STEP_UP)
        assert many.has(Effect.REVIEW)
        assert many.counts_max == 3
        # The check goes on beside the look, unless that is about who somebody is.
        assert many.waits_for_a_person == any((inputs[one] or 1) > 1 for one in UNCLEAR)
        assert many.because[Effect.STEP_UP] == ("many-applications",)
        assert "many-applications" in many.reasons


@given(applicants())
def test_a_record_gives_its_ruling_again(inputs: dict[str, Value]) -> None:
    kept = json.loads(json.dumps(content(LENDING, CARD, BOOK)))
    known = scored(inputs, CARD)
    again = rule_again(kept, [known.get(name) for name in inputs_of(POLICY)])
    assert again == ruled(inputs)


@given(applicants(), st.integers(1, 9))
def test_what_an_offer_asks_for_after_more_applications_is_what_a_ruling_then_would(
    inputs: dict[str, Value], count: int
) -> None:
    """The check and the menu are the ruling's, with reasons only where there is one of them."""
    kept = json.loads(json.dumps(content(LENDING, CARD, BOOK)))
    known = scored(inputs | {"applications_24h": 1}, CARD)
    values = [known.get(name) for name in inputs_of(POLICY)]
    caution = Cautious(kept).after(values, applications_24h=count)
    assert caution.is_any == (count >= 5)
    assert caution.reasons == (("many-applications",) if caution.is_any else ())
    then = ruled(inputs | {"applications_24h": count})
    if not then.is_declined:
        assert caution.asks_step_up == then.has(Effect.STEP_UP)
        assert caution.counts_max == then.counts_max


@given(applicants(), st.integers(10, 17))
def test_minors_and_students_are_excluded_before_anything_else(
    inputs: dict[str, Value], age: int
) -> None:
    young = ruled(inputs | {"age_years": age})
    assert (young.outcome, young.reasons[0]) == ("decline", "under-age")
    studying = ruled(inputs | {"age_years": 20, "is_student": 1})
    assert (studying.outcome, studying.reasons) == ("decline", ("students-not-served",))


@given(applicants())
def test_a_low_score_is_never_the_reason_but_what_it_lost(inputs: dict[str, Value]) -> None:
    ruling = ruled(inputs)
    named = [one for one in ruling.reasons if one.startswith("score-")]
    lost = score(CARD, [inputs.get(name) for name in CARD.inputs]).reasons
    assert not named or not lost
    assert set(ruling.reasons) <= set(lost) | {line.reason for line in POLICY.lines} | {
        "under-age",
        "students-not-served",
        "income-too-low",
        "obligations-too-high",
        "income-not-shown",
        "no-bureau-report",
        "highest-first-limit",
        *UNCLEAR.values(),
    }


@given(applicants(), st.sampled_from(sorted(UNCLEAR)), st.integers(2, 5))
def test_who_stated_two_things_is_offered_nothing_before_a_person_looks(
    inputs: dict[str, Value], name: str, count: int
) -> None:
    """Nor declined for it: whoever is declined would be declined without it, for the same."""
    clear = ruled(inputs | dict.fromkeys(UNCLEAR, 1))
    unclear = ruled(inputs | dict.fromkeys(UNCLEAR, 1) | {name: count})
    assert unclear.is_declined or unclear.waits_for_a_person
    assert unclear.is_declined == clear.is_declined
    assert unclear.limit_minor == clear.limit_minor
    if unclear.is_declined:
        assert unclear.reasons == clear.reasons
    else:
        assert UNCLEAR[name] in unclear.reasons


@given(applicants())
def test_a_record_from_before_statements_were_compared_is_ruled_as_one_statement(
    inputs: dict[str, Value],
) -> None:
    before = {name: value for name, value in inputs.items() if name not in UNCLEAR}
    assert ruled(before) == ruled(inputs | dict.fromkeys(UNCLEAR, 1))

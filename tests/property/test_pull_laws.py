"""What a verdict wants of a limit: its lines share what it says, and what is unknown stays."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st
from test_change_laws import limit_terms

from fenqi.core.risk.change import Direction, Standing, Subject, propose
from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.policy.rows import compile_row
from fenqi.core.risk.pulls import Lost, wants
from make_policy import VOCABULARY, policy_text

DAY = date(2026, 6, 1)
BODY = """
[[rules]]
id = "late"
when = "payments_late_180d >= 2"
effects = [{effect = "smaller-limit", limit_ppm = 800000}]
reason = "late"

[[rules]]
id = "very-late"
when = "overdue_days > 30 days"
effects = [{effect = "smaller-limit", limit_ppm = 500000}]
reason = "very-late"

[[rules]]
id = "low-score"
when = "score_points < 500 points"
effects = [{effect = "smaller-limit", limit_ppm = 700000}]
reason = "low-score"

[[rules]]
id = "on-time"
when = "payments_on_time_365d >= 10"
points = -50

[[rules]]
id = "busy"
when = "purchases_24h > 5"
points = 30
reason = "busy"

[[thresholds]]
at_least = 30
effects = [{effect = "smaller-limit", limit_ppm = 900000}]
"""
POLICY = read(
    policy_text(BODY, reasons="late very-late low-score busy").replace(
        'kind = "purchase"', 'kind = "limit"'
    ),
    VOCABULARY,
    file="limit.toml",
)
DECIDE = compile_row(POLICY)
TERMS = limit_terms(ppm_per_point=2_000, band_ppm=0, turn_band_ppm=0)
LOST = Lost({"overdue_days": 30, "utilisation_ppm": 10, "basket": 0}, {"overdue_days": "late"})

maybe = st.one_of(st.none(), st.integers(0, 40))
rows = st.fixed_dictionaries(
    {
        "payments_late_180d": maybe,
        "overdue_days": st.one_of(st.none(), st.integers(0, 90)),
        "score_points": st.one_of(st.none(), st.integers(300, 800)),
        "payments_on_time_365d": maybe,
        "purchases_24h": maybe,
    }
)
standings = st.builds(
    Standing,
    st.integers(100_000, 10**8),
    st.dictionaries(
        st.sampled_from(("late", "very-late", "score:overdue_days", "for:on-time")),
        st.integers(-50_000, 50_000),
    ),
)


@given(rows, st.sampled_from((None, LOST)))
def test_the_lines_share_exactly_the_harm_the_verdict_says(
    given_: dict[str, Value], lost: Lost | None
) -> None:
    verdict = DECIDE(POLICY.row(given_))
    found = wants(POLICY, verdict, TERMS, lost=lost)
    harm = sum(pull.ppm for pull in found.pulls if pull.ppm < 0)
    cut = [act.amount for act in verdict.effects if act.effect == "smaller-limit"]
    assert harm == (cut[0] - 1_000_000 if cut else 0)
    assert found.harm_ppm_max == -harm
    assert all(pull.reason for pull in found.pulls if pull.ppm < 0)


@given(rows, standings)
def test_what_nobody_knows_cuts_nothing(given_: dict[str, Value], standing: Standing) -> None:
    """With all unknown nothing moves; with some unknown the cut is never more than without."""
    nothing = DECIDE(POLICY.row({}))
    found = wants(POLICY, nothing, TERMS, stands=standing.parts)
    change = propose(
        standing, found.pulls, unknown=found.unknown, harm_ppm_max=0, on=DAY, terms=TERMS
    )
    assert change.direction is not Direction.HARSHER
    verdict = DECIDE(POLICY.row(given_))
    found = wants(POLICY, verdict, TERMS, stands=standing.parts)
    change = propose(
        standing,
        found.pulls,
        unknown=found.unknown,
        harm_ppm_max=found.harm_ppm_max,
        on=DAY,
        terms=TERMS,
    )
    if change.direction is Direction.HARSHER:
        assert change.new >= standing.base - standing.base * found.harm_ppm_max // 1_000_000
        assert change.reasons


def test_a_low_score_is_told_by_its_characteristics() -> None:
    verdict = DECIDE(POLICY.row({"score_points": 450, "payments_late_180d": 2}))
    found = wants(POLICY, verdict, TERMS, lost=LOST)
    assert {pull.name: (pull.ppm, pull.reason) for pull in found.pulls} == {
        "score:overdue_days": (-135_000, "late"),
        "score:utilisation_ppm": (-45_000, "low-score"),
        "late": (-120_000, "late"),
    }


def test_points_below_zero_speak_for_a_higher_limit() -> None:
    row = {"payments_on_time_365d": 12, "payments_late_180d": 0, "overdue_days": 0}
    found = wants(POLICY, DECIDE(POLICY.row(row)), TERMS)
    change = propose(Standing(1_000_000), found.pulls, unknown=found.unknown, on=DAY, terms=TERMS)
    assert (change.new, change.parts, change.is_offer) == (
        1_100_000,
        {"for:on-time": 100_000},
        True,
    )
    assert change.subject is Subject.LIMIT


def test_points_that_reach_a_threshold_are_the_lines_that_led_to_it() -> None:
    row = {"purchases_24h": 9, "payments_on_time_365d": 0}
    found = wants(POLICY, DECIDE(POLICY.row(row)), TERMS)
    assert [(pull.name, pull.ppm, pull.reason) for pull in found.pulls] == [
        ("busy", -100_000, "busy")
    ]

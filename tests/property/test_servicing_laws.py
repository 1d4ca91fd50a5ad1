"""Laws of serving an account: where money goes, when bills fall due, how late a debt is."""

from calendar import monthrange
from collections.abc import Collection
from datetime import date, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.account import AccountStatus, Outcome, Reason, Standing, judge
from fenqi.core.servicing.ageing import bucket_of, days_past_due, due_days_turning
from fenqi.core.servicing.allocation import Debt, allocate
from fenqi.core.servicing.statement import (
    DUE_AFTER_DAYS_MAX,
    Cycle,
    due_days,
    statement_days_of,
)
from fenqi.core.values.day import next_month_day
from fenqi.core.values.ids import PlanId
from make import START, later

DAYS = st.dates(date(2019, 1, 1), date(2040, 12, 31))
NEAR = st.integers(-60, 60).map(lambda days: later(START, days))
DEBTS = st.lists(
    st.builds(
        Debt,
        plan_id=st.integers(1, 3).map(lambda number: PlanId(UUID(int=number))),
        due_on=NEAR,
        claim_minor=st.integers(1, 1_000),
        is_written_off=st.booleans(),
    ),
    max_size=8,
)
CYCLES = st.builds(
    Cycle, statement_day=st.integers(1, 31), due_after_days=st.integers(1, DUE_AFTER_DAYS_MAX)
)
EXCUSED = st.frozensets(NEAR, max_size=30)


@given(st.integers(1, 10_000), DEBTS, NEAR)
def test_the_parts_and_the_rest_are_the_payment(amount: int, debts: list[Debt], on: date) -> None:
    parts, rest = allocate(amount, debts, on)
    assert sum(parts.values()) + rest == amount
    assert rest >= 0
    for plan_id, part in parts.items():
        assert 0 < part <= sum(debt.claim_minor for debt in debts if debt.plan_id == plan_id)


@given(st.integers(1, 10_000), DEBTS, NEAR)
def test_no_money_is_kept_while_something_is_due(amount: int, debts: list[Debt], on: date) -> None:
    _, rest = allocate(amount, debts, on)
    due = sum(debt.claim_minor for debt in debts if debt.due_on <= on)
    whole = sum(debt.claim_minor for debt in debts)
    assert max(0, amount - whole) <= rest <= max(0, amount - due)


@given(st.integers(1, 10_000), DEBTS, NEAR, st.randoms(use_true_random=False))
def test_the_order_of_the_debts_given_does_not_matter(
    amount: int, debts: list[Debt], on: date, chance: object
) -> None:
    shuffled = list(debts)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert allocate(amount, shuffled, on) == allocate(amount, debts, on)


@given(DEBTS, NEAR, st.integers(1, 10_000))
def test_money_pays_the_oldest_due_first_and_given_up_claims_last(
    debts: list[Debt], on: date, amount: int
) -> None:
    """One unit more goes to the first debt, in the written order, that is not yet paid."""
    apart = [
        Debt(PlanId(UUID(int=place)), debt.due_on, debt.claim_minor, debt.is_written_off)
        for place, debt in enumerate(debts)
    ]
    parts, _ = allocate(amount, apart, on)
    unpaid = [debt for debt in apart if parts.get(debt.plan_id, 0) < debt.claim_minor]
    for debt in apart:
        if debt.plan_id in parts:
            assert not any(
                (other.is_written_off, other.due_on) < (debt.is_written_off, debt.due_on)
                for other in unpaid
                if other.due_on <= max(on, debt.due_on)
            )


@given(st.integers(1, 10_000), DEBTS, NEAR)
def test_money_runs_at_most_one_due_day_ahead(amount: int, debts: list[Debt], on: date) -> None:
    apart = [
        Debt(PlanId(UUID(int=place)), debt.due_on, debt.claim_minor, debt.is_written_off)
        for place, debt in enumerate(debts)
    ]
    parts, _ = allocate(amount, apart, on)
    ahead = {debt.due_on for debt in apart if debt.plan_id in parts and debt.due_on > on}
    assert len(ahead) <= 1


@given(CYCLES, DAYS, st.integers(1, 60))
def test_due_days_rise_one_a_month_after_the_purchase(
    cycle: Cycle, bought_on: date, count: int
) -> None:
    days = due_days(cycle, bought_on, count)
    assert len(days) == count
    cuts = [day - timedelta(days=cycle.due_after_days) for day in days]
    assert bought_on < cuts[0] <= later(bought_on, 31)
    for cut in cuts:
        assert cut.day == min(cycle.statement_day, monthrange(cut.year, cut.month)[1])
        assert cycle.statement_day in statement_days_of(cut)
    months = [cut.year * 12 + cut.month for cut in cuts]
    assert months == list(range(months[0], months[0] + count))
    assert list(days) == sorted(set(days))


@given(CYCLES, DAYS)
def test_a_statement_falls_due_before_the_next_is_cut(cycle: Cycle, bought_on: date) -> None:
    first_due = due_days(cycle, bought_on, 1)[0]
    cut = first_due - timedelta(days=cycle.due_after_days)
    assert first_due < next_month_day(cut, cycle.statement_day)


@given(st.integers(1, 31), DAYS)
def test_every_statement_day_is_cut_once_a_month(statement_day: int, on: date) -> None:
    last = monthrange(on.year, on.month)[1]
    month = [on.replace(day=day) for day in range(1, last + 1)]
    assert sum(statement_day in statement_days_of(day) for day in month) == 1


def told_days_past_due(due_on: date, on: date, excused: Collection[date]) -> int:
    """Return the days past due, told one by one."""
    return sum(later(due_on, day) not in excused for day in range(1, (on - due_on).days + 1))


@given(NEAR, NEAR, EXCUSED)
def test_days_past_due_are_those_told_one_by_one(
    due_on: date, on: date, excused: frozenset[date]
) -> None:
    assert days_past_due(due_on, on, excused) == told_days_past_due(due_on, on, excused)


@given(NEAR, EXCUSED, NEAR)
def test_an_excused_day_never_counts(on: date, excused: frozenset[date], due_on: date) -> None:
    yesterday = days_past_due(due_on, later(on, -1), excused)
    today = days_past_due(due_on, on, excused)
    assert today - yesterday == (on > due_on and on not in excused)


@given(st.integers(1, 60), NEAR, EXCUSED)
def test_the_due_days_turning_are_those_that_reach_the_age_today(
    days: int, on: date, excused: frozenset[date]
) -> None:
    turning = due_days_turning(days, on, excused)
    told = [
        due_on
        for due_on in (later(on, -back) for back in range(days + len(excused) + 5))
        if days_past_due(due_on, on, excused) == days
        and days_past_due(due_on, later(on, -1), excused) == days - 1
    ]
    assert turning == told


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=8, unique=True).map(sorted),
    st.integers(0, 500),
)
def test_a_bucket_holds_the_days_up_to_its_bound(bounds: list[int], days: int) -> None:
    bucket = bucket_of(days, bounds)
    assert bucket == sum(bound < days for bound in bounds)
    assert bucket_of(days + 1, bounds) in (bucket, bucket + 1)


STANDINGS = st.builds(
    Standing,
    status=st.sampled_from(AccountStatus),
    limit_minor=st.integers(0, 1_000),
    used_minor=st.integers(0, 1_200),
    overdue_days=st.integers(0, 40),
)


@given(STANDINGS, st.integers(1, 1_200))
def test_no_purchase_is_approved_above_the_limit(standing: Standing, amount: int) -> None:
    verdict = judge(standing, amount)
    if verdict.outcome is Outcome.APPROVE:
        assert standing.used_minor + amount <= standing.limit_minor
        assert standing.status is AccountStatus.OPEN
        assert standing.overdue_days == 0
        assert verdict.reasons == ()
    else:
        assert verdict.reasons
        exceeded = standing.used_minor + amount > standing.limit_minor
        assert (Reason.LIMIT_EXCEEDED in verdict.reasons) == exceeded


@given(STANDINGS, st.integers(1, 1_200), st.integers(1, 1_200))
def test_a_smaller_purchase_is_never_declined_where_a_larger_is_approved(
    standing: Standing, one: int, other: int
) -> None:
    small, large = sorted((one, other))
    if judge(standing, large).outcome is Outcome.APPROVE:
        assert judge(standing, small).outcome is Outcome.APPROVE

"""An invented population buys and returns as the measured one did, within what chance allows."""

import math
from collections import Counter, defaultdict
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from statistics import fmean, median, pstdev
from zoneinfo import ZoneInfo

import pytest

from fenqi.core.errors import Invalid
from fenqi.replay.facts import Fact, Opening, Purchase, Refund, in_order
from fenqi.replay.figures import read_shopping
from fenqi.replay.population import CNY_PER_GBP, invent

FIGURES = read_shopping()
ZONE = ZoneInfo("Asia/Shanghai")
FIRST_ON = date(2025, 1, 1)
SIZE = (
    6_000  # some 25,000 purchases: shares come out within a point, quantiles within a few percent
)


@cache
def people() -> list[Fact]:
    return invent(size=SIZE, seed=20250101, first_on=FIRST_ON)


def purchases(facts: list[Fact]) -> list[Purchase]:
    return [fact for fact in facts if isinstance(fact, Purchase)]


def refunds(facts: list[Fact]) -> list[Refund]:
    return [fact for fact in facts if isinstance(fact, Refund)]


def gaps() -> list[int]:
    """Return the days between a person's purchases in a row; 0 on the same day."""
    days = defaultdict(list)
    for purchase in purchases(people()):
        days[purchase.person].append(purchase.at.astimezone(ZONE).toordinal())
    return [later - earlier for one in days.values() for earlier, later in pairwise(sorted(one))]


def quantile(values: list[int] | list[float], share: float) -> float:
    return sorted(values)[round(share * (len(values) - 1))]


def test_everybody_opens_before_buying_and_buys_before_returning() -> None:
    facts = people()
    opened: set[str] = set()
    bought: dict[str, Purchase] = {}

    assert facts == in_order(facts)
    for fact in facts:
        match fact:
            case Opening():
                assert fact.person not in opened
                opened.add(fact.person)
            case Purchase():
                assert fact.person in opened
                bought[fact.key] = fact
            case Refund():
                assert fact.at > bought[fact.purchase_key].at
                assert fact.amount_minor <= bought[fact.purchase_key].amount_minor
    assert len(opened) == SIZE


def test_all_facts_lie_in_the_period() -> None:
    days = {fact.at.astimezone(ZONE).date() for fact in people()}

    assert min(days) >= FIRST_ON
    assert max(days) < FIRST_ON + timedelta(days=365)


def test_openings_spread_over_the_year() -> None:
    months = Counter(
        fact.at.astimezone(ZONE).month for fact in people() if isinstance(fact, Opening)
    )

    # Who buys often is there early; who buys once comes at any time.
    assert min(months[month] for month in range(1, 13)) > SIZE * 0.02
    assert max(months.values()) < SIZE * 0.25


def test_invoices_per_person_are_as_measured() -> None:
    counts = list(Counter(purchase.person for purchase in purchases(people())).values())

    assert counts.count(1) / SIZE == pytest.approx(FIGURES.invoices_share_one, abs=0.02)
    # A hundredth of the people makes a seventh of all invoices, so the mean varies by some 2 %.
    assert fmean(counts) == pytest.approx(FIGURES.invoices_mean, rel=0.08)
    for share, value in FIGURES.invoices:
        assert quantile(counts, share) == pytest.approx(value, abs=1, rel=0.2)


def test_gaps_between_purchase_days_are_as_measured() -> None:
    apart = [gap for gap in gaps() if gap > 0]

    # Purchases per person and gaps are drawn together in one year, so neither is met exactly.
    assert fmean(map(math.log, apart)) == pytest.approx(FIGURES.gap_log_mean, abs=0.15)
    assert pstdev(map(math.log, apart)) == pytest.approx(FIGURES.gap_log_sd, abs=0.15)
    for share, value in FIGURES.gaps:
        assert quantile(apart, share) == pytest.approx(value, abs=2, rel=0.2)


def test_a_second_purchase_on_the_same_day_is_as_common_as_measured() -> None:
    apart = gaps()

    assert apart.count(0) / len(apart) == pytest.approx(FIGURES.share_same_day, abs=0.02)


def test_amounts_are_as_measured_times_the_currency_factor() -> None:
    logs = [math.log(one.amount_minor / 100 / CNY_PER_GBP) for one in purchases(people())]

    # One who buys 200 times brings a habit in 200 times, so the mean has some 150 free draws.
    assert fmean(logs) == pytest.approx(FIGURES.amount_log_mean, abs=0.1)
    assert pstdev(logs) == pytest.approx(FIGURES.amount_log_sd, abs=0.08)


def test_weekdays_hours_and_months_are_as_measured() -> None:
    local = [purchase.at.astimezone(ZONE) for purchase in purchases(people())]
    weekdays = Counter(at.weekday() for at in local)
    hours = Counter(at.hour for at in local)
    months = Counter(at.month - 1 for at in local)

    for day, share in enumerate(FIGURES.weekday_share):
        assert weekdays[day] / len(local) == pytest.approx(share, abs=0.015)
    for hour, share in enumerate(FIGURES.hour_share):
        assert hours[hour] / len(local) == pytest.approx(share, abs=0.015)
    for month, count in enumerate(FIGURES.month_invoices):
        share = count / sum(FIGURES.month_invoices)
        assert months[month] / len(local) == pytest.approx(share, abs=0.015)


def test_returns_are_as_common_as_late_and_as_partial_as_measured() -> None:
    bought = {purchase.key: purchase for purchase in purchases(people())}
    # The longest measured lag is 220 days; only returns of the first months are all inside.
    early = {key for key, one in bought.items() if one.at.astimezone(ZONE).month <= 5}
    returned = [refund for refund in refunds(people()) if refund.purchase_key in early]
    lags = [(one.at - bought[one.purchase_key].at) / timedelta(days=1) for one in returned]
    partial = [one.amount_minor < bought[one.purchase_key].amount_minor for one in returned]

    assert len(returned) / len(early) == pytest.approx(FIGURES.returns_per_invoice, abs=0.02)
    assert fmean(partial) == pytest.approx(FIGURES.returns_share_partial, abs=0.05)
    for share, value in FIGURES.lag_days:
        assert quantile(lags, share) == pytest.approx(value, abs=1, rel=0.2)


def test_most_purchases_fit_the_limit_and_some_do_not() -> None:
    limits = {fact.person: fact.limit_minor for fact in people() if isinstance(fact, Opening)}
    over = [one.amount_minor > limits[one.person] for one in purchases(people())]

    assert 0.01 < fmean(over) < 0.12
    assert median(limits.values()) == pytest.approx(2_312_000, rel=0.1)  # e**11.6579 x 0.2 yuan
    assert all(limit % 10_000 == 0 for limit in limits.values())


def test_a_shopper_is_the_same_in_a_population_of_any_size() -> None:
    small = invent(size=3, seed=5, first_on=FIRST_ON)
    large = invent(size=30, seed=5, first_on=FIRST_ON)

    assert small == [fact for fact in large if fact.person <= "shopper-0000003"]
    assert invent(size=3, seed=6, first_on=FIRST_ON) != small


@pytest.mark.parametrize("days", [1, 30, 800])
def test_a_period_of_another_length_holds_its_share_of_purchases(days: int) -> None:
    facts = invent(size=1_000, seed=5, first_on=FIRST_ON, days=days)
    last = max(fact.at.astimezone(ZONE).date() for fact in facts)

    assert last < FIRST_ON + timedelta(days=days)
    wanted = max(1_000, 1_000 * FIGURES.invoices_mean * days / 365)
    assert wanted * 0.85 < len(purchases(facts)) < wanted * 1.35  # nobody buys less than once


@pytest.mark.parametrize(("size", "days"), [(0, 365), (10, 0), (10**7, 365), (10, 10**5)])
def test_a_population_out_of_bounds_is_refused(size: int, days: int) -> None:
    with pytest.raises(Invalid) as caught:
        invent(size=size, seed=1, first_on=FIRST_ON, days=days)

    assert caught.value.fields["size"] == size

"""An invented population of shoppers, drawn from the measured marginals of a real shop.

Measured: how often people buy, on which days and hours, how far apart, for how much, what they
return and when; and how credit limits spread. Ours, and marked so below: the currency factors, the
merchants, how a purchase is repaid, the size of a partial return.
"""

import math
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate, pairwise
from random import Random
from zoneinfo import ZoneInfo

from fenqi.core.errors import Invalid
from fenqi.replay.chance import stream
from fenqi.replay.facts import Fact, Opening, Purchase, Refund, in_order
from fenqi.replay.figures import Repayment, Shopping, read_repayment, read_shopping
from fenqi.replay.mapping import PlanChoice

# All of these are ours, not measured.
CNY_PER_GBP = 9  # a round factor near the exchange rate of the figures' years
CNY_PER_TWD = 0.2  # a round factor, likewise
GAP_LOG_SD_OF_A_PERSON = 0.8  # with it the gaps of all people together spread as measured
PARTIAL_RETURN_SHARES = (0.05, 0.25)  # keeps the value returned near the measured 7 % of sales
LIMIT_STEP_MINOR = 10_000
LIMIT_MINOR_MIN, LIMIT_MINOR_MAX = 100_000, 20_000_000
AMOUNT_MINOR_MIN = 100
MERCHANTS = 12
PLANS = (
    PlanChoice("unsplit", 1, 40),
    PlanChoice("flat", 3, 25),
    PlanChoice("flat", 6, 20),
    PlanChoice("flat", 12, 15),
)

SIZE_MAX = 1_000_000
DAYS_MAX = 3_660
_YEAR_DAYS = 365  # the figures' invoices per customer are those of a year


@dataclass(frozen=True, slots=True)
class _World:
    """What all shoppers of a population share."""

    seed: int
    zone: ZoneInfo
    first_on: date
    days: int
    busyness: Sequence[float]  # running total of the days' weights
    plans: Sequence[PlanChoice]
    shopping: Shopping
    repayment: Repayment


def invent(
    *,
    size: int,
    seed: int,
    first_on: date,
    days: int = _YEAR_DAYS,
    zone: str = "Asia/Shanghai",
    plans: Sequence[PlanChoice] = PLANS,
) -> list[Fact]:
    """Return the facts of `size` invented shoppers over `days` days from `first_on`, by time.

    Everybody opens an account up to a day before the first purchase, which comes at any time of
    the year for those who buy once and early for those who buy often. Shopper n of a seed is the
    same person in a population of any size.

    Units: minor units of CNY.
    Errors: Invalid if size or days are out of bounds.
    """
    if not (1 <= size <= SIZE_MAX and 1 <= days <= DAYS_MAX):
        raise Invalid(size=size, size_max=SIZE_MAX, days=days, days_max=DAYS_MAX)
    shopping = read_shopping()
    world = _World(
        seed=seed,
        zone=ZoneInfo(zone),
        first_on=first_on,
        days=days,
        busyness=_busyness(shopping, first_on, days),
        plans=plans,
        shopping=shopping,
        repayment=read_repayment(),
    )
    facts: list[Fact] = []
    for number in range(1, size + 1):
        facts += _shopper(world, f"shopper-{number:07d}")
    return in_order(facts)


def _busyness(shopping: Shopping, first_on: date, days: int) -> list[float]:
    """Return the running total of how busy the shops are on each day."""
    weights = []
    for offset in range(days):
        on = first_on + timedelta(days=offset)
        month = shopping.month_invoices[on.month - 1] / monthrange(on.year, on.month)[1]
        weights.append(shopping.weekday_share[on.weekday()] * month)
    return list(accumulate(weights))


def _shopper(world: _World, person: str) -> list[Fact]:
    random = stream(world.seed, person)
    limit_minor = _limit(world, random)
    statement_day = random.randint(1, 28)
    habit = random.gauss(world.shopping.amount_log_mean, world.shopping.amount_log_sd_between)
    purchases = [
        _purchase(world, random, person, at, number=number, habit=habit)
        for number, at in enumerate(_instants(world, random), start=1)
    ]
    begin = datetime.combine(world.first_on, time(), world.zone).astimezone(UTC)
    lead = timedelta(minutes=random.randint(5, 24 * 60))
    opening = Opening(person, max(begin, purchases[0].at - lead), limit_minor, statement_day)
    refunds = [
        refund for purchase in purchases if (refund := _refund(world, random, purchase)) is not None
    ]
    return [opening, *purchases, *refunds]


def _limit(world: _World, random: Random) -> int:
    """Return a limit in minor units: as the source's limits spread, in whole steps of yuan."""
    figures = world.repayment
    twd = math.exp(random.gauss(figures.limit_twd_log_mean, figures.limit_twd_log_sd))
    steps = int(twd * CNY_PER_TWD * 100) // LIMIT_STEP_MINOR
    return min(max(steps * LIMIT_STEP_MINOR, LIMIT_MINOR_MIN), LIMIT_MINOR_MAX)


def _instants(world: _World, random: Random) -> list[datetime]:
    """Return when a shopper buys, ascending; at least once."""
    wanted = _invoices(world.shopping, random) * world.days / _YEAR_DAYS
    count = max(1, int(wanted + random.random()))
    again = sum(random.random() < world.shopping.share_same_day for _ in range(count - 1))
    days = _days(world, random, count - again)
    days += random.choices(days, k=again)
    return sorted(_instant(world, random, day) for day in days)


def _invoices(shopping: Shopping, random: Random) -> float:
    """Return how many invoices a shopper has in a year, by the measured quantiles.

    Between two quantiles the count grows as a power of the share of people above it, as such
    counts do; the greatest count was one customer's.
    """
    draw = random.random()
    if draw < shopping.invoices_share_one:
        return 1
    points = [
        (shopping.invoices_share_one, 1.5),  # from here on the count rounds to two
        *((share, value) for share, value in shopping.invoices if value > 1),
        (1 - 1 / shopping.customers, float(shopping.invoices_max)),
    ]
    rarity = [(-math.log(1 - share), math.log(value)) for share, value in points]
    return max(2, round(math.exp(_interpolate(rarity, -math.log(1 - draw)))))


def _days(world: _World, random: Random, count: int) -> list[int]:
    """Return `count` days as offsets, placed by busyness.

    The gaps lie on a circle as long as the period, turned by chance: so every day is as likely as
    it is busy, and a person's gaps are more even than chance alone would make them.
    """
    gaps = [math.exp(random.gauss(0, GAP_LOG_SD_OF_A_PERSON)) for _ in range(count)]
    turn = random.random()
    whole = world.busyness[-1]
    last = sum(gaps)
    places = [(turn + reached / last) % 1 * whole for reached in accumulate(gaps)]
    return [min(bisect_right(world.busyness, place), world.days - 1) for place in places]


def _instant(world: _World, random: Random, day: int) -> datetime:
    hour = random.choices(range(24), weights=world.shopping.hour_share)[0]
    clock = time(hour, random.randrange(60), random.randrange(60))
    on = world.first_on + timedelta(days=day)
    return datetime.combine(on, clock, world.zone).astimezone(UTC)


def _purchase(
    world: _World, random: Random, person: str, at: datetime, *, number: int, habit: float
) -> Purchase:
    gbp = math.exp(random.gauss(habit, world.shopping.amount_log_sd_within))
    plan = random.choices(world.plans, weights=[choice.weight for choice in world.plans])[0]
    return Purchase(
        key=f"{person}-{number:04d}",
        person=person,
        merchant=f"merchant-{random.randint(1, MERCHANTS):02d}",
        at=at,
        amount_minor=max(AMOUNT_MINOR_MIN, round(gbp * CNY_PER_GBP * 100)),
        product=plan.product,
        count=plan.count,
        lines=(),
    )


def _refund(world: _World, random: Random, purchase: Purchase) -> Refund | None:
    """Return the refund of a purchase, if it is returned within the period."""
    shopping = world.shopping
    is_returned = random.random() < shopping.returns_per_invoice
    is_partial = random.random() < shopping.returns_share_partial
    share = random.uniform(*PARTIAL_RETURN_SHARES) if is_partial else 1.0
    lag = timedelta(days=_interpolate(shopping.lag_days, random.random()))
    at = purchase.at + max(timedelta(minutes=1), lag - timedelta(microseconds=lag.microseconds))
    end = datetime.combine(world.first_on + timedelta(days=world.days), time(), world.zone)
    if not is_returned or at >= end:
        return None
    amount_minor = max(1, round(purchase.amount_minor * share))
    return Refund(
        f"{purchase.key}-return", purchase.key, purchase.person, at, amount_minor, lines=()
    )


def _interpolate(points: Sequence[tuple[float, float]], at: float) -> float:
    """Return the value at `at` on the line through `points`, which ends flat on both sides."""
    for (left, low), (right, high) in pairwise(points):
        if at <= right:
            return low + (high - low) * max(0.0, at - left) / (right - left)
    return points[-1][1]

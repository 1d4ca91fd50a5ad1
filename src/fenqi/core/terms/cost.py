"""What a purchase costs: yearly rates solved from its payments, and the disclosed cost table.

One plan has several lawful yearly rates; each has its own name here and none is just "apr". They
are solved in exact decimal arithmetic, so that every machine prints the same digits.

Source: PBoC Announcement 2021 No. 3 (yearly cost on the principal really used, rate shown first);
the comprehensive cost table of personal loans in force since 1 August 2026.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import assert_never

from fenqi.core.errors import Invalid
from fenqi.core.terms.product import Component, Product, ScheduleKind
from fenqi.core.terms.schedule import MONTHS_PER_YEAR, Due, Terms, schedule

DAYS_PER_YEAR = 365
SOLVE_DIGITS = 40  # a daily rate loses up to 16 of them to 1 + rate
SOLVING = Context(prec=SOLVE_DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN)
SHOWN_DIGITS = 18
STEP_MIN = Decimal("1e-20")  # the step is applied, so the error left is about its square
STEPS_MAX = 200
DAYS_REMEMBERED = 4096  # lists of due days; a day has one per statement day and count
BRACKETS_MAX = 24  # each is twice as wide as the one before


class RateNotFound(Invalid):
    """No yearly rate makes these payments worth what was lent."""

    code = "rate-not-found"


class CostKind(StrEnum):
    """The kinds of cost an agreement may name; nothing else is ever charged (M7)."""

    FLAT_FEE = "flat-fee"
    INTEREST = "interest"
    LATE_CHARGE = "late-charge"


class RatePeriod(StrEnum):
    """What time a cost line's rate is for."""

    INSTALMENT = "instalment"
    YEAR = "year"
    DAY = "day"


class CostBase(StrEnum):
    """What a cost line's rate is taken of."""

    ORIGINAL_PRINCIPAL = "original-principal"
    REMAINING_PRINCIPAL = "remaining-principal"
    OVERDUE_AMOUNT = "overdue-amount"


class Collector(StrEnum):
    """Who collects a cost."""

    LENDER = "lender"


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of the cost table.

    Units: `amount_minor` is what the line comes to if all goes normally, so 0 for a contingent
    one; `cap_ppm` of what the late instalment first asked for, None where nothing is capped.
    """

    kind: CostKind
    rate_ppm: int
    rate_period: RatePeriod
    base: CostBase
    collected_by: Collector
    is_contingent: bool  # charged only if something goes wrong
    amount_minor: int
    grace_days: int = 0
    cap_ppm: int | None = None


LINE_FIELDS = tuple(field.name for field in fields(CostLine))


@dataclass(frozen=True, slots=True)
class CostTable:
    """The disclosed cost of one purchase; what it does not name is not charged.

    Units: minor units; the yearly rates as fractions, 0.109 for 10.9 % a year.
    """

    principal_minor: int
    lines: tuple[CostLine, ...]
    cost_minor: int  # all lines, if all goes normally
    nominal_annual: Decimal  # 12 x monthly irr
    effective_annual: Decimal  # compounded


def nominal_annual(principal_minor: int, amounts_minor: Sequence[int]) -> Decimal:
    """Return 12 x the monthly irr of `amounts_minor` paid at the ends of equal months.

    Units: minor units in; a fraction of one per year out, to 18 significant digits.
    Errors: RateNotFound if nothing is lent or nothing is paid.
    Source: the simple yearly rate of PBoC Announcement 2021 No. 3; Huabei prints this figure.
    """
    discount = _monthly_discount(principal_minor, amounts_minor)
    return _yearly(discount).nominal


def effective_annual(principal_minor: int, amounts_minor: Sequence[int]) -> Decimal:
    """Return (1 + monthly irr) ^ 12 - 1 of `amounts_minor` paid at the ends of equal months.

    Units: minor units in; a fraction of one per year out, to 18 significant digits.
    Errors: RateNotFound if nothing is lent or nothing is paid.
    Source: the compound yearly rate of PBoC Announcement 2021 No. 3.
    """
    discount = _monthly_discount(principal_minor, amounts_minor)
    return _yearly(discount).effective


def xirr(flows: Sequence[tuple[date, int]]) -> Decimal:
    """Return the effective yearly rate of dated flows, actual days over 365.

    Flows of one sign change have exactly one rate; with more, one near zero is sought.

    Units: minor units, money out negative and money in positive or the other way round; a fraction
    of one per year out, to 18 significant digits.
    Errors: RateNotFound if all flows have one sign or fall on one day.
    Source: the XIRR function of spreadsheets.
    """
    first = min((on for on, _ in flows), default=date.min)
    discount = _discount([((on - first).days, minor) for on, minor in flows])
    with localcontext(SOLVING):
        rate = 1 / discount**DAYS_PER_YEAR - 1
    return _shown(rate)


def cost_table(terms: Terms) -> CostTable:
    """Return the cost table of a purchase as it is shown before signing.

    Units: minor units of the plan's currency.
    Errors: none; terms that exist lend something and ask for it back.
    """
    dues = schedule(terms)
    lines = _cost_lines(terms.product, dues)
    yearly = _yearly(_monthly_discount(terms.principal_minor, [sum(due.amounts) for due in dues]))
    return CostTable(
        principal_minor=terms.principal_minor,
        lines=lines,
        cost_minor=sum(line.amount_minor for line in lines),
        nominal_annual=yearly.nominal,
        effective_annual=yearly.effective,
    )


def digest(terms: Terms) -> str:
    """Return a sha256, in hex, of the schedule and cost lines as shown.

    The yearly rates are left out: they follow from the schedule, and solving them for each order
    of a batch would cost more than the rest of the order.
    """
    amounts = [list(due.amounts) for due in schedule(terms)]
    return digest_of(terms, amounts, product_head(terms.product))


def product_head(product: Product) -> str:
    """Return the part of the text that all plans of a product share: its name and cost lines.

    What each line comes to is left to the amounts of the schedule.
    """
    lines = [
        {name: getattr(line, name) for name in LINE_FIELDS if name != "amount_minor"}
        for line in _cost_lines(product, ())
    ]
    head = {
        "form": 2,  # of this text; a change of its fields is a new form
        "product": [product.product_id, product.version],
        "lines": lines,
    }
    return json.dumps(head, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest_of(terms: Terms, amounts: Sequence[Sequence[int]], head: str) -> str:
    """Return `digest` of terms whose schedule is known, with the head of their product.

    Shapes: `amounts` (count, 4) as lists by Component.
    """
    days = _days_text((terms.starts_on, *terms.due_on))
    text = f"{head}{terms.principal_minor}{days}{amounts}"
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=DAYS_REMEMBERED)
def _days_text(days: tuple[date, ...]) -> str:
    return f"[{','.join(day.isoformat() for day in days)}]"


def _cost_lines(product: Product, dues: Sequence[Due]) -> tuple[CostLine, ...]:
    """Return the product's own line, if it costs anything, and the late charge."""
    lines = []
    match product.kind:
        case ScheduleKind.FREE:
            pass
        case ScheduleKind.FLAT_FEE:
            lines.append(_fee_line(product, dues))
        case ScheduleKind.ANNUITY:
            lines.append(_interest_line(product, dues))
        case _:
            assert_never(product.kind)
    lines.append(_late_line(product))
    return tuple(line for line in lines if line.rate_ppm)


def _fee_line(product: Product, dues: Sequence[Due]) -> CostLine:
    return CostLine(
        kind=CostKind.FLAT_FEE,
        rate_ppm=product.fee_ppm_per_period,
        rate_period=RatePeriod.INSTALMENT,
        base=CostBase.ORIGINAL_PRINCIPAL,
        collected_by=Collector.LENDER,
        is_contingent=False,
        amount_minor=sum(due.amounts[Component.FEE] for due in dues),
    )


def _interest_line(product: Product, dues: Sequence[Due]) -> CostLine:
    return CostLine(
        kind=CostKind.INTEREST,
        rate_ppm=product.interest_ppm_per_year,
        rate_period=RatePeriod.YEAR,
        base=CostBase.REMAINING_PRINCIPAL,
        collected_by=Collector.LENDER,
        is_contingent=False,
        amount_minor=sum(due.amounts[Component.INTEREST] for due in dues),
    )


def _late_line(product: Product) -> CostLine:
    return CostLine(
        kind=CostKind.LATE_CHARGE,
        rate_ppm=product.late.rate_ppm_per_day,
        rate_period=RatePeriod.DAY,
        base=CostBase.OVERDUE_AMOUNT,
        collected_by=Collector.LENDER,
        is_contingent=True,
        amount_minor=0,
        grace_days=product.late.grace_days,
        cap_ppm=product.late.cap_ppm,
    )


@dataclass(frozen=True, slots=True)
class _Yearly:
    nominal: Decimal
    effective: Decimal


def _yearly(monthly_discount: Decimal) -> _Yearly:
    """Return both yearly rates of a monthly discount factor v = 1 / (1 + monthly rate)."""
    with localcontext(SOLVING):
        nominal = (1 - monthly_discount) / monthly_discount * MONTHS_PER_YEAR
        effective = 1 / monthly_discount**MONTHS_PER_YEAR - 1
    return _Yearly(_shown(nominal), _shown(effective))


def _monthly_discount(principal_minor: int, amounts_minor: Sequence[int]) -> Decimal:
    return _discount([(0, -principal_minor), *enumerate(amounts_minor, start=1)])


def _shown(rate: Decimal) -> Decimal:
    """Return a rate with the digits that are surely right, zero without a sign or a tail."""
    return Context(prec=SHOWN_DIGITS).plus(rate) if rate else Decimal(0)


def _discount(flows: Sequence[tuple[int, int]]) -> Decimal:
    """Return the discount factor of one unit of time that makes dated flows worth nothing.

    That is the positive root v of the sum of amount * v^time: Newton's method, kept inside a
    bracket by bisection. A loan's sum is rising and convex in v and Newton starts right of the
    root, so bisection is for odd flows only.

    Units: times in whole units from the first flow; amounts of any one unit.
    Errors: RateNotFound.
    """
    sums: dict[int, int] = {}
    for time, amount in flows:
        sums[time] = sums.get(time, 0) + amount
    present = sorted((time, amount) for time, amount in sums.items() if amount)
    if not present or all(amount * present[0][1] > 0 for _, amount in present):
        raise RateNotFound(reason="money flows one way only")
    start, sign = present[0][0], -1 if present[0][1] > 0 else 1
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(present)]
    worth = _Worth([sign * amount for _, amount in present], [0, *gaps])
    with localcontext(SOLVING):
        return _solve(worth, *_bracket(worth, span=present[-1][0] - start))


class _Worth:
    """The present worth of flows as a function of the discount factor, negative near zero."""

    def __init__(self, amounts: Sequence[int], gaps: Sequence[int]) -> None:
        self._steps = list(zip(map(Decimal, amounts), gaps, strict=True))

    def at(self, discount: Decimal) -> tuple[Decimal, Decimal]:
        """Return the worth and its slope."""
        worth = slope = Decimal(0)
        power, time = Decimal(1), 0
        for amount, gap in self._steps:
            power *= discount if gap == 1 else discount**gap
            time += gap
            term = amount * power
            worth += term
            slope += time * term
        return worth, slope / discount


def _bracket(worth: _Worth, *, span: int) -> tuple[Decimal, Decimal]:
    """Return two discount factors around a root, searching outwards from one, a rate of zero.

    The first steps are of 1 + 1/span, a factor of 2 to e over the whole life of the flows; each
    further one is twice as wide.
    """
    step = 1 + 1 / Decimal(span)
    inner_low = inner_high = Decimal(1)
    at_low = at_high = worth.at(inner_low)[0]
    if at_low == 0:
        return inner_low, inner_low
    for _ in range(BRACKETS_MAX):
        low, high = inner_low / step, inner_high * step
        at_low_next, at_high_next = worth.at(low)[0], worth.at(high)[0]
        if at_low_next * at_low <= 0:
            return low, inner_low
        if at_high_next * at_high <= 0:
            return inner_high, high
        inner_low, inner_high, at_low, at_high = low, high, at_low_next, at_high_next
        step *= step
    raise RateNotFound(reason="no rate within the range searched")


def _solve(worth: _Worth, low: Decimal, high: Decimal) -> Decimal:
    """Return the root between two discount factors at which the worth differs in sign.

    A Newton step is taken if it stays inside and is at most half the last one, else a bisection.
    """
    guess, last_step = high, high - low
    is_rising = worth.at(high)[0] >= 0
    for _ in range(STEPS_MAX):
        value, slope = worth.at(guess)
        if value == 0:
            return guess
        if (value > 0) == is_rising:
            high = guess
        else:
            low = guess
        tried = guess - value / slope if slope else low
        is_quick = low <= tried <= high and 2 * abs(tried - guess) <= last_step
        following = tried if is_quick else (low + high) / 2
        last_step = abs(following - guess)
        if last_step <= STEP_MIN * guess:
            return following
        guess = following
    raise RateNotFound(reason="no convergence", steps=STEPS_MAX)

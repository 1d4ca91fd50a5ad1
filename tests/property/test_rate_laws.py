"""The yearly rates of the law are roots of their own equations, for any loan."""

from datetime import date, timedelta
from decimal import Context, Decimal, localcontext
from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from fenqi.core.terms.annuity import balance_after, interest_part, level_amount
from fenqi.core.terms.aprc import IntervalPeriod, TimedAmount, eu_aprc, interval
from fenqi.core.terms.regz import UnitKind, UnitPeriod, UnitTime, regz_apr, unit_time
from fenqi.core.terms.root import RateNotFound
from fenqi.core.values.day import add_months
from fenqi.core.values.rate import Rounding, divide, round_places

EXACT = Context(prec=60)
NEAR = Decimal("1e-12")
RATE_MIN = Decimal("-0.999")  # nearer to -1 the digits of 1 + rate are lost by writing the rate
DAY = st.dates(date(2000, 1, 1), date(2040, 12, 31))
AMOUNT = st.integers(1, 10**10)
YEARS = st.builds(
    lambda months, days, year: Fraction(months, 12) + Fraction(days, year),
    st.integers(0, 60),
    st.integers(1, 40),
    st.sampled_from((365, 366)),
)
PAID = st.lists(st.tuples(st.integers(1, 1_500), AMOUNT), min_size=1, max_size=16)
UNITS = st.sampled_from(
    [
        UnitPeriod(UnitKind.DAY),
        UnitPeriod(UnitKind.WEEK, 2),
        UnitPeriod(UnitKind.SEMIMONTH),
        UnitPeriod(UnitKind.MONTH),
        UnitPeriod(UnitKind.MONTH, 6),
        UnitPeriod(UnitKind.YEAR),
    ]
)


def decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


@given(AMOUNT, st.lists(st.tuples(YEARS, AMOUNT), min_size=1, max_size=16))
def test_repayments_discounted_at_the_aprc_are_worth_the_drawdown(
    drawn: int, repaid: list[tuple[Fraction, int]]
) -> None:
    rate = eu_aprc(
        drawdowns=[TimedAmount(Fraction(0), drawn)],
        repayments=[TimedAmount(years, minor) for years, minor in repaid],
    )
    assume(RATE_MIN < rate < 10**9)

    def worth(at: Decimal) -> Decimal:
        flows = (minor / (1 + at) ** decimal(years) for years, minor in repaid)
        return sum(flows, Decimal(0)) - drawn

    with localcontext(EXACT):
        # Written in 18 digits, 1 + rate is known to fewer the further the rate is below zero.
        step = NEAR * max(abs(rate), Decimal(1) / 10**3)
        assert worth(rate - step) >= 0 >= worth(rate + step)


@given(DAY, AMOUNT, PAID, UNITS)
def test_payments_discounted_at_the_regz_rate_are_worth_the_advance(
    start: date, lent: int, paid: list[tuple[int, int]], unit: UnitPeriod
) -> None:
    payments = [(start + timedelta(days=days), minor) for days, minor in paid]
    try:
        rate = regz_apr(advances=[(start, lent)], payments=payments, unit=unit)
    except RateNotFound:
        # Simple interest inside a fraction of a unit-period cannot lose much: no rate above -1.
        assert sum(minor for _, minor in paid) < lent
        return
    times = [(unit_time(start, on, unit=unit), minor) for on, minor in payments]

    def worth(at: Decimal) -> Decimal:
        flows = (
            minor / ((1 + decimal(time.fraction) * at) * (1 + at) ** time.whole)
            for time, minor in times
        )
        return sum(flows, Decimal(0)) - lent

    with localcontext(EXACT):
        per_unit = rate / decimal(unit.per_year)
        assume(RATE_MIN < per_unit < 10**9)
        step = NEAR * max(abs(per_unit), Decimal(1) / 10**3)
        assert worth(per_unit - step) >= 0 >= worth(per_unit + step)


@given(AMOUNT, PAID, st.data())
def test_paying_more_raises_the_european_rate(
    drawn: int, paid: list[tuple[int, int]], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(paid) - 1))
    rates = [
        eu_aprc(
            drawdowns=[TimedAmount(Fraction(0), drawn)],
            repayments=[
                TimedAmount(Fraction(days, 365), minor + more * (number == place))
                for number, (days, minor) in enumerate(paid)
            ],
        )
        for more in (0, 1)
    ]
    assert rates[0] <= rates[1]


@given(DAY, DAY, st.sampled_from(IntervalPeriod))
def test_an_interval_leads_back_to_its_start_in_less_than_a_period(
    one: date, other: date, period: IntervalPeriod
) -> None:
    start, end = sorted((one, other))
    found = interval(start, end, period=period)
    longest = {IntervalPeriod.WEEK: 7, IntervalPeriod.MONTH: 31, IntervalPeriod.YEAR: 366}[period]
    assert 0 <= found.odd_days < longest
    assert found.days_in_year in ({365, 366} if found.odd_days else {0})
    assert abs(found.years - Fraction((end - start).days, 365)) < Fraction(1, 20) + Fraction(
        (end - start).days, 365 * 200
    )


@given(DAY, st.integers(0, 400))
def test_whole_months_have_no_odd_days_in_either_law(start: date, months: int) -> None:
    end = add_months(start, months)
    assert interval(start, end, period=IntervalPeriod.MONTH).years == Fraction(months, 12)
    if end.day == start.day:
        found = unit_time(start, end, unit=UnitPeriod(UnitKind.MONTH))
        assert found == UnitTime(months, Fraction(0))


@given(DAY, DAY, UNITS)
def test_a_fraction_of_a_unit_period_is_below_one(one: date, other: date, unit: UnitPeriod) -> None:
    start, end = sorted((one, other))
    found = unit_time(start, end, unit=unit)
    assert found.whole >= 0
    # In a year that holds a 29 February, 365 odd days may be left: the text divides them by 365.
    assert 0 <= found.fraction <= 1
    if unit.kind is not UnitKind.YEAR:
        assert found.fraction < 1


@given(
    AMOUNT,
    st.integers(1, 60),
    st.fractions(0, 1, max_denominator=2_400),
    st.booleans(),
)
def test_level_payments_repay_exactly_and_their_parts_sum(
    principal: int, count: int, rate: Fraction, is_in_advance: bool
) -> None:
    present = Fraction(principal)
    amount = level_amount(present, count=count, rate=rate, is_in_advance=is_in_advance)
    assert balance_after(present, amount, number=count, rate=rate, is_in_advance=is_in_advance) == 0
    interest = sum(
        interest_part(present, amount, number=number, rate=rate, is_in_advance=is_in_advance)
        for number in range(1, count + 1)
    )
    assert interest == count * amount - principal


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**6))
def test_roundings_mirror_one_another(numerator: int, denominator: int) -> None:
    down = divide(numerator, denominator, rounding=Rounding.DOWN)
    up = divide(-numerator, denominator, rounding=Rounding.UP)
    even = divide(numerator, denominator, rounding=Rounding.HALF_EVEN)
    assert down == -up
    assert even == -divide(-numerator, denominator, rounding=Rounding.HALF_EVEN)
    assert down <= even <= -divide(-numerator, denominator, rounding=Rounding.DOWN)


@given(
    st.decimals(-(10**6), 10**6, places=8, allow_nan=False, allow_infinity=False),
    st.integers(0, 6),
    st.sampled_from(Rounding),
)
def test_a_printed_figure_is_within_a_unit_of_its_last_place(
    value: Decimal, decimals: int, rounding: Rounding
) -> None:
    last_place = Decimal(1).scaleb(-decimals)
    found = round_places(value, decimals=decimals, rounding=rounding)
    assert -found.as_tuple().exponent == decimals
    half = last_place / 2 if "half" in rounding else last_place
    assert abs(found - value) <= half
    mirrored = {Rounding.UP: Rounding.DOWN, Rounding.DOWN: Rounding.UP}.get(rounding, rounding)
    assert round_places(-value, decimals=decimals, rounding=mirrored) == -found

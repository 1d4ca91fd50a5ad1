"""A solved rate is the rate: at it the payments are worth what was lent, to twelve digits."""

from datetime import date, timedelta
from decimal import Context, Decimal, localcontext

from hypothesis import assume, given
from hypothesis import strategies as st

from fenqi.core.terms.cash_flow import xirr
from fenqi.core.terms.cost import effective_annual, nominal_annual
from fenqi.core.terms.pack import CapBroken, check_plan
from fenqi.core.terms.product import ScheduleKind
from fenqi.core.terms.root import RateNotFound, RateNotUnique
from fenqi.core.terms.schedule import schedule
from fenqi.core.values.money import OddUnits
from fenqi.core.values.rate import Rounding
from fenqi.store.catalogue import from_files
from make import product, terms

CN = from_files().pack("cn")

AMOUNT = st.integers(1, 10**11)
PAID = st.lists(st.one_of(st.just(0), AMOUNT), min_size=1, max_size=60).filter(any)
DAYS = st.integers(1, 3_650)
FIRST = date(2024, 2, 29)
DATED = st.lists(st.tuples(DAYS, AMOUNT), min_size=1, max_size=24)
NEAR = Decimal("1e-12")
RATE_MIN = Decimal("-0.999")  # nearer to -1 the digits of 1 + rate are lost by writing the rate


def worth(flows: list[tuple[Decimal, int]], rate: Decimal) -> Decimal:
    """Return the present worth at a rate per unit of time."""
    with localcontext(Context(prec=60)):
        return sum((amount / (1 + rate) ** time for time, amount in flows), Decimal(0))


def assert_root(flows: list[tuple[Decimal, int]], rate: Decimal) -> None:
    """Check that the worth changes its sign within twelve digits of the rate."""
    with localcontext(Context(prec=60)):
        below, above = worth(flows, rate * (1 - NEAR)), worth(flows, rate * (1 + NEAR))
    assert below * above <= 0


@given(AMOUNT, PAID)
def test_the_payments_are_worth_the_loan_at_the_nominal_rate(lent: int, paid: list[int]) -> None:
    with localcontext(Context(prec=60)):
        monthly = nominal_annual(lent, paid) / 12
    assume(monthly > RATE_MIN)
    flows = [(Decimal(0), -lent), *((Decimal(n), minor) for n, minor in enumerate(paid, 1))]
    assert_root(flows, monthly)


@given(AMOUNT, PAID)
def test_the_effective_rate_compounds_the_nominal_one(lent: int, paid: list[int]) -> None:
    nominal, effective = nominal_annual(lent, paid), effective_annual(lent, paid)
    with localcontext(Context(prec=60)):
        compounded = (1 + nominal / 12) ** 12
        assert abs(compounded - (1 + effective)) <= Decimal("1e-15") * (1 + abs(compounded))
    assert effective >= nominal


@given(AMOUNT, PAID, st.data())
def test_paying_more_is_a_higher_rate(lent: int, paid: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(paid) - 1))
    dearer = [minor + (index == place) for index, minor in enumerate(paid)]
    assert nominal_annual(lent, dearer) >= nominal_annual(lent, paid)


@given(AMOUNT, PAID, st.integers(2, 1_000))
def test_a_rate_does_not_depend_on_the_unit(lent: int, paid: list[int], factor: int) -> None:
    scaled = [minor * factor for minor in paid]
    assert nominal_annual(lent * factor, scaled) == nominal_annual(lent, paid)


@given(AMOUNT, DATED, st.integers(-20_000, 20_000))
def test_dated_flows_may_be_shifted_shuffled_and_seen_from_either_side(
    lent: int, later: list[tuple[int, int]], shift: int
) -> None:
    flows = [(FIRST, -lent), *((FIRST + timedelta(days=days), minor) for days, minor in later)]
    rate = xirr(flows)
    assert xirr([(on + timedelta(days=shift), minor) for on, minor in flows]) == rate
    assert xirr(flows[::-1]) == rate
    assert xirr([(on, -minor) for on, minor in flows]) == rate


@given(AMOUNT, DATED)
def test_dated_flows_are_worth_nothing_at_their_rate(
    lent: int, later: list[tuple[int, int]]
) -> None:
    flows = [(FIRST, -lent), *((FIRST + timedelta(days=days), minor) for days, minor in later)]
    rate = xirr(flows)
    assume(RATE_MIN < rate < 10**9)
    with localcontext(Context(prec=60)):
        years = [(Decimal((on - FIRST).days) / 365, minor) for on, minor in flows]
    assert_root(years, rate)


@given(st.lists(st.tuples(st.integers(0, 2_000), st.integers(-(10**8), 10**8)), max_size=12))
def test_any_flows_have_a_rate_that_solves_them_or_are_refused(
    flows: list[tuple[int, int]],
) -> None:
    try:
        rate = xirr([(FIRST + timedelta(days=days), minor) for days, minor in flows])
    except (RateNotFound, RateNotUnique):
        return
    assume(RATE_MIN < rate < 10**9)
    with localcontext(Context(prec=60)):
        years = [(Decimal(days) / 365, minor) for days, minor in flows]
    assert_root(years, rate)


@given(st.integers(1, 10**6), st.integers(1, 10), st.integers(-900, 5_000))
def test_growth_by_whole_years_is_its_own_rate(scale: int, years: int, permille: int) -> None:
    lent = scale * 1_000**years
    back = scale * (1_000 + permille) ** years
    flows = [(FIRST, -lent), (FIRST + timedelta(days=365 * years), back)]
    assert xirr(flows) == Decimal(permille).scaleb(-3)


@given(
    kind=st.sampled_from([ScheduleKind.FLAT_FEE, ScheduleKind.ANNUITY]),
    share=st.integers(1, 100),
    count=st.integers(1, 24),
    lent=st.integers(1, 20_000),
    odd_units=st.sampled_from(OddUnits),
    rounding=st.sampled_from(Rounding),
)
def test_a_plan_is_refused_if_and_only_if_its_own_rate_is_above_the_cap(
    kind: ScheduleKind, share: int, count: int, lent: int, odd_units: OddUnits, rounding: Rounding
) -> None:
    most = 240_000 if kind is ScheduleKind.ANNUITY else 11_000
    of = product(kind, rate_ppm=most * share // 100, odd_units=odd_units, rounding=rounding)
    plan = terms(of, lent, count)
    rate = nominal_annual(lent, [due.total_minor for due in schedule(plan)])
    try:
        check_plan(plan, CN)
        is_taken = True
    except CapBroken:
        is_taken = False
    assert is_taken == (rate * 1_000_000 <= CN.nominal_annual_max_ppm)

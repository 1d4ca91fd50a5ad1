"""The array twins of the yearly rates equal the exact decimals to the ppm."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fenqi.core.errors import Invalid
from fenqi.core.terms import batch
from fenqi.core.terms.batch import rates
from fenqi.core.terms.cost import effective_annual, nominal_annual
from fenqi.core.terms.product import Product
from fenqi.core.terms.root import RateNotFound
from fenqi.core.terms.schedule import PRINCIPAL_MINOR_MAX, schedule
from fenqi.core.values.rate import PPM, Rounding, round_decimal
from make import annuity, flat, product, terms

TWINS = ((batch.nominal_annuals, nominal_annual), (batch.effective_annuals, effective_annual))


def whole_ppm(rate: Decimal, rounding: Rounding) -> int:
    return round_decimal(rate * PPM, rounding=rounding)


@some.composite
def loans(draw: some.DrawFn) -> tuple[int, list[list[int]], list[int]]:
    """Return periods, payments and principals of many loans, most of them near a plain one."""
    periods = draw(some.integers(1, 60))
    plans = draw(some.integers(0, 6))
    lent = draw(some.lists(some.integers(1, PRINCIPAL_MINOR_MAX), min_size=plans, max_size=plans))
    paid = []
    for principal in lent:
        size = max(1, principal * draw(some.integers(500, 2_000)) // 1_000 // periods)
        row = [size + draw(some.integers(-1, 1)) for _ in range(periods)]
        row[-1] += 1
        paid.append([max(0, amount) for amount in row])
    return periods, paid, lent


@settings(max_examples=150)
@given(of=loans(), rounding=some.sampled_from(Rounding))
def test_rates_of_loans_equal_the_scalar_to_the_ppm(
    of: tuple[int, list[list[int]], list[int]], rounding: Rounding
) -> None:
    periods, paid, lent = of
    amounts = np.array(paid, dtype=np.int64).reshape(len(lent), periods)
    for twin, scalar in TWINS:
        found = twin(np.array(lent, dtype=np.int64), amounts, rounding)
        expected = [
            whole_ppm(scalar(one, row), rounding) for one, row in zip(lent, paid, strict=True)
        ]
        assert found.tolist() == expected


@settings(max_examples=60)
@given(
    of=some.one_of(
        some.just(product()),
        some.integers(0, 20_000).map(flat),
        some.integers(0, 400_000).map(annuity),
    ),
    count=some.integers(1, 36),
    lent=some.lists(some.integers(1, 10_000_000), max_size=8),
    rounding=some.sampled_from(Rounding),
)
def test_rates_of_products_equal_the_scalar_to_the_ppm(
    of: Product, count: int, lent: list[int], rounding: Rounding
) -> None:
    principals = np.array(lent, dtype=np.int64)
    amounts = batch.schedules(of, count, principals).sum(axis=2)
    for twin, scalar in TWINS:
        found = twin(principals, amounts, rounding)
        for place, principal in enumerate(lent):
            dues = schedule(terms(of, principal, count))
            rate = scalar(principal, [due.total_minor for due in dues])
            assert found[place] == whole_ppm(rate, rounding)


@settings(max_examples=100)
@given(
    lent=some.integers(1, PRINCIPAL_MINOR_MAX),
    paid=some.lists(some.integers(0, PRINCIPAL_MINOR_MAX), min_size=1, max_size=24),
    rounding=some.sampled_from(Rounding),
)
def test_any_payments_have_the_scalar_rate_or_its_refusal(
    lent: int, paid: list[int], rounding: Rounding
) -> None:
    for twin, scalar in TWINS:
        expected: int | type[Invalid]
        try:
            expected = whole_ppm(scalar(lent, paid), rounding)
        except RateNotFound:
            expected = RateNotFound
        else:
            expected = expected if abs(expected) <= rates.RATE_PPM_MAX else batch.RateTooLarge
        given_arrays = np.array([lent], dtype=np.int64), np.array([paid], dtype=np.int64)
        if isinstance(expected, int):
            assert twin(*given_arrays, rounding).tolist() == [expected]
        else:
            with pytest.raises(expected):
                twin(*given_arrays, rounding)


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("half_ppm", [1, 3, 999_999, 12_000_001, 240_000_001])
def test_a_rate_on_a_tie_rounds_as_the_scalar_rounds(half_ppm: int, rounding: Rounding) -> None:
    # Repaid after one month: the nominal rate is exactly half_ppm / 2.
    lent, paid = 24 * PPM, 24 * PPM + half_ppm
    for twin, scalar in TWINS:
        found = twin(np.array([lent]), np.array([[paid]]), rounding)
        assert found.tolist() == [whole_ppm(scalar(lent, [paid]), rounding)]


@pytest.mark.parametrize("rounding", Rounding)
def test_ties_and_whole_ppm_go_to_the_scalar_and_few_others_do(
    rounding: Rounding, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counted(principal_minor: int, amounts_minor: list[int]) -> Decimal:
        asked.append(principal_minor)
        return nominal_annual(principal_minor, amounts_minor)

    monkeypatch.setattr(rates, "nominal_annual", counted)
    lent = np.arange(600_000, 602_000, dtype=np.int64)
    batch.nominal_annuals(lent, batch.schedules(flat(), 12, lent).sum(axis=2), rounding)
    assert len(asked) <= 2
    tie = np.array([24 * PPM]), np.array([[24 * PPM + (1 if "half" in rounding else 2)]])
    before = len(asked)
    batch.nominal_annuals(*tie, rounding)
    assert asked[before:] == [24 * PPM]


def test_payments_whose_sum_overflows_have_the_scalar_rate() -> None:
    lent, paid = 2**61, [2**62, 2**62, 2**62, 2**62 + 2**61]  # in 64 bits they sum to what was lent
    for twin, scalar in TWINS:
        found = twin(np.array([lent]), np.array([paid]), Rounding.HALF_EVEN)
        assert found.tolist() == [whole_ppm(scalar(lent, paid), Rounding.HALF_EVEN)] != [0]


def test_plans_without_cost_have_a_rate_of_exactly_zero_and_none_is_solved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unasked(principal_minor: int, amounts_minor: list[int]) -> Decimal:
        raise AssertionError((principal_minor, amounts_minor))

    monkeypatch.setattr(rates, "nominal_annual", unasked)
    monkeypatch.setattr(rates, "effective_annual", unasked)
    lent = np.array([100, 101, 10**13], dtype=np.int64)
    amounts = batch.schedules(product(), 7, lent).sum(axis=2)
    for twin, _ in TWINS:
        for rounding in Rounding:
            assert twin(lent, amounts, rounding).tolist() == [0, 0, 0]


def test_no_plans_have_no_rates() -> None:
    nobody = np.zeros(0, dtype=np.int64)
    for twin, _ in TWINS:
        assert twin(nobody, np.zeros((0, 12), dtype=np.int64), Rounding.HALF_EVEN).shape == (0,)


@pytest.mark.parametrize(
    ("lent", "paid"),
    [
        (np.array([5]), np.array([5])),
        (np.array([5]), np.array([[5], [5]])),
        (np.array([[5]]), np.array([[5]])),
        (np.array([5.0]), np.array([[5]])),
        (np.array([5]), np.array([[5.0]])),
    ],
)
def test_rates_of_arrays_of_another_shape_are_refused(lent: batch.Minor, paid: batch.Minor) -> None:
    for twin, _ in TWINS:
        with pytest.raises(batch.ShapeInvalid):
            twin(lent, paid, Rounding.HALF_EVEN)


def test_nothing_lent_or_paid_is_refused_as_the_scalar_refuses_it() -> None:
    for lent, paid in ((0, 5), (-5, 5), (5, 0), (5, -5)):
        for twin, scalar in TWINS:
            arrays = np.array([lent]), np.array([[paid]])
            with pytest.raises(RateNotFound):
                scalar(lent, [paid])
            with pytest.raises(RateNotFound):
                twin(*arrays, Rounding.HALF_EVEN)

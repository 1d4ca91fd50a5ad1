"""A product table is read whole or refused by the name of its field."""

from typing import Any

import pytest

from fenqi.core.terms.allowances import (
    NOTHING_OFFERED,
    Allowances,
    BillInstalmentRule,
    DeferralRule,
    DueDayRule,
    ExtensionRule,
    TakeOverRule,
)
from fenqi.core.terms.product import (
    DEFAULT_ALLOCATION,
    LateRule,
    Product,
    ProductInvalid,
    ScheduleKind,
    Settlement,
)
from fenqi.core.values.money import OddUnits
from fenqi.core.values.rate import Rounding


def table(**changes: object) -> dict[str, Any]:
    return {
        "id": "flat",
        "version": 1,
        "title": {"zh": "分期", "en": "Instalments"},
        "source": "ours",
        "schedule": "flat-fee",
        "counts": [3, 6],
        "fee_ppm_per_period": 5_000,
        "interest_ppm_per_year": 0,
        "merchant_discount_ppm": 0,
        "rounding": "half-even",
        "odd_units": "first",
        "allocation": ["penalty", "fee", "interest", "principal"],
        "settlement": "by-the-day",
        "refund_cost_bearer": "lender",
        "late_charge": {"rate_ppm_per_day": 500, "grace_days": 3, "cap_ppm": 240_000},
        **changes,
    }


def test_a_product_is_read_from_its_table() -> None:
    product = Product.read(table())
    assert (product.product_id, product.version) == ("flat", 1)
    assert product.kind is ScheduleKind.FLAT_FEE
    assert product.counts == (3, 6)
    assert product.rounding is Rounding.HALF_EVEN
    assert product.odd_units is OddUnits.FIRST
    assert product.allocation == DEFAULT_ALLOCATION
    assert product.late == LateRule(rate_ppm_per_day=500, grace_days=3, cap_ppm=240_000)


CUSTOMER = {
    "quote_days": 7,
    "deferral_days_max": 10,
    "deferrals_a_year": 2,
    "due_day_changes_a_year": 1,
    "extension_count_max": 12,
    "extensions_a_year": 1,
    "bill_instalment_least_minor": 1_000,
}


def test_what_customers_may_ask_for_is_read_and_may_be_left_out() -> None:
    assert Product.read(table()).allowances == NOTHING_OFFERED
    product = Product.read(table(customer=CUSTOMER))
    assert product.quote_days == 7
    assert product.allowances == Allowances(
        deferral=DeferralRule(days_max=10, times_a_year=2),
        due_day=DueDayRule(times_a_year=1),
        extension=ExtensionRule(count_max=12, times_a_year=1),
        bill_instalment=BillInstalmentRule(least_minor=1_000),
    )


def test_a_price_and_its_free_times_are_read() -> None:
    priced = CUSTOMER | {
        "deferral_cost_ppm": 10_000,
        "deferrals_free_a_year": 1,
        "extension_cost_ppm_per_period": 4_000,
    }
    allowances = Product.read(table(customer=priced)).allowances
    assert allowances.deferral == DeferralRule(10, 2, cost_ppm=10_000, free_a_year=1)
    assert allowances.extension == ExtensionRule(12, 1, cost_ppm_per_period=4_000)


def test_nought_of_a_thing_is_not_to_offer_it() -> None:
    none = dict.fromkeys(CUSTOMER, 0)
    assert Product.read(table(customer=none)).allowances == NOTHING_OFFERED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quote_days", 32),
        ("deferral_days_max", 32),
        ("extension_count_max", 61),
        ("deferrals_a_year", -1),
        ("deferral_cost_ppm", 1_000_001),
        ("deferral_price", 1),
    ],
)
def test_an_offer_out_of_range_is_named(field: str, value: int) -> None:
    with pytest.raises(ProductInvalid) as refusal:
        Product.read(table(customer={**CUSTOMER, field: value}))
    assert refusal.value.fields["field"] == f"customer.{field}"


def test_a_product_takes_over_bills_only_if_it_says_so_and_how_often() -> None:
    assert Product.read(table()).takes_over is None
    bounds = {"times_a_year": 4, "again_max": 0}
    assert Product.read(table(takes_over_bills=bounds)).takes_over == TakeOverRule(4, 0)


@pytest.mark.parametrize(
    ("bounds", "field"),
    [
        ({"times_a_year": 0, "again_max": 0}, "times_a_year"),
        ({"times_a_year": 13, "again_max": 0}, "times_a_year"),
        ({"times_a_year": 4, "again_max": 13}, "again_max"),
        ({"times_a_year": 4}, "again_max"),
        ({"times_a_year": 4, "again_max": 1, "for_ever": 1}, "for_ever"),
    ],
)
def test_bounds_of_taking_over_are_named_where_they_are_wrong(
    bounds: dict[str, int], field: str
) -> None:
    with pytest.raises(ProductInvalid) as refusal:
        Product.read(table(takes_over_bills=bounds))
    assert refusal.value.fields["field"] == f"takes_over_bills.{field}"


@pytest.mark.parametrize("method", list(Settlement))
def test_a_settlement_method_is_product_data(method: Settlement) -> None:
    assert Product.read(table(settlement=method.value)).settlement is method


@pytest.mark.parametrize("field", sorted(set(table()) - {"title", "source"}))
def test_a_missing_field_is_named(field: str) -> None:
    incomplete = table()
    del incomplete[field]
    with pytest.raises(ProductInvalid) as refusal:
        Product.read(incomplete)
    assert refusal.value.fields["field"] == field
    assert refusal.value.fields["value"] == "(missing)"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", 3),
        ("version", 0),
        ("version", True),
        ("schedule", "balloon"),
        ("schedule", ["flat-fee"]),
        ("counts", []),
        ("counts", [3, 3]),
        ("counts", [0]),
        ("counts", [61]),
        ("counts", [True]),
        ("counts", [[3]]),
        ("counts", 3),
        ("fee_ppm_per_period", -1),
        ("fee_ppm_per_period", 0.5),
        ("fee_ppm_per_period", "5000"),
        ("rounding", "nearest"),
        ("allocation", ["fee", "interest", "principal"]),
        ("allocation", ["fee", "fee", "interest", "principal"]),
        ("allocation", "fee"),
        ("late_charge", 500),
    ],
)
def test_a_field_out_of_range_is_named_with_what_it_holds(field: str, value: object) -> None:
    with pytest.raises(ProductInvalid) as refusal:
        Product.read(table(**{field: value}))
    assert refusal.value.fields["field"] == field
    assert refusal.value.fields["value"] == value


def test_a_field_nobody_knows_is_refused() -> None:
    with pytest.raises(ProductInvalid, match="fee_ppm_per_perod"):
        Product.read(table(fee_ppm_per_perod=5_000))


def test_a_field_below_is_named_with_its_path() -> None:
    with pytest.raises(ProductInvalid) as refusal:
        Product.read(table(late_charge={"rate_ppm_per_day": 500, "grace_days": 3}))
    assert refusal.value.fields["field"] == "late_charge.cap_ppm"


@pytest.mark.parametrize(
    ("schedule", "rates", "stray"),
    [
        ("interest-free", (1, 0), "fee_ppm_per_period"),
        ("interest-free", (0, 1), "interest_ppm_per_year"),
        ("flat-fee", (1, 1), "interest_ppm_per_year"),
        ("annuity", (1, 1), "fee_ppm_per_period"),
    ],
)
def test_a_rate_the_schedule_would_ignore_is_refused(
    schedule: str, rates: tuple[int, int], stray: str
) -> None:
    fee, interest = rates
    with pytest.raises(ProductInvalid) as refusal:
        Product.read(
            table(schedule=schedule, fee_ppm_per_period=fee, interest_ppm_per_year=interest)
        )
    assert refusal.value.fields["field"] == stray

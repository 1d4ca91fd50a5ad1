"""A pack names a source for every number, and no product breaks its caps."""

from typing import Any

import pytest

from fenqi.core.terms.allowances import WithdrawalRule
from fenqi.core.terms.cost import nominal_annual
from fenqi.core.terms.pack import (
    CapBroken,
    Pack,
    PackInvalid,
    allowances,
    check_plan,
    check_product,
)
from fenqi.core.terms.product import LateRule
from fenqi.core.terms.schedule import schedule
from fenqi.core.values.rate import PPM
from make import annuity, flat, product, terms

NUMBERS: dict[str, Any] = {
    "nominal_annual_max_ppm": 240_000,
    "late_rate_ppm_per_day_max": 500,
    "late_cap_ppm_max": 240_000,
    "late_grace_days_min": 3,
    "write_off_dpd": 180,
    "non_accrual_dpd": 90,
    "hold_days": 30,
    "bucket_bounds": [0, 30, 60, 90],
    "provision_ppm": [10_000, 30_000, 150_000, 500_000, 1_000_000],
}


def table(**changes: object) -> dict[str, Any]:
    return {
        "id": "sample",
        "version": 2,
        "currencies": ["CNY"],
        **NUMBERS,
        "source": dict.fromkeys(NUMBERS, "ours"),
        **changes,
    }


PACK = Pack.read(table())


def test_a_pack_is_read_from_its_table() -> None:
    assert (PACK.pack_id, PACK.version, PACK.currencies) == ("sample", 2, ("CNY",))
    assert PACK.bucket_bounds == (0, 30, 60, 90)
    assert (PACK.write_off_dpd, PACK.non_accrual_dpd, PACK.hold_days) == (180, 90, 30)


@pytest.mark.parametrize("field", sorted(NUMBERS))
def test_every_number_needs_a_source(field: str) -> None:
    sources = dict.fromkeys(NUMBERS, "ours")
    del sources[field]
    with pytest.raises(PackInvalid) as refusal:
        Pack.read(table(source=sources))
    assert refusal.value.fields["field"] == f"source.{field}"


def test_days_to_withdraw_may_be_left_out_and_need_a_source() -> None:
    assert allowances(product(), PACK).withdrawal is None
    with pytest.raises(PackInvalid, match=r"source\.withdrawal_days"):
        Pack.read(table(withdrawal_days=14))
    sources = dict.fromkeys([*NUMBERS, "withdrawal_days"], "ours")
    pack = Pack.read(table(withdrawal_days=14, source=sources))
    assert allowances(product(), pack).withdrawal == WithdrawalRule(days=14)


def test_an_empty_source_is_none() -> None:
    with pytest.raises(PackInvalid, match=r"source\.hold_days"):
        Pack.read(table(source=dict.fromkeys(NUMBERS, "ours") | {"hold_days": " "}))


def test_a_source_for_nothing_is_refused() -> None:
    with pytest.raises(PackInvalid, match=r"source\.hold_day,"):
        Pack.read(table(source=dict.fromkeys(NUMBERS, "ours") | {"hold_day": "ours"}))


@pytest.mark.parametrize("field", sorted(set(table())))
def test_a_missing_field_is_named(field: str) -> None:
    incomplete = table()
    del incomplete[field]
    with pytest.raises(PackInvalid) as refusal:
        Pack.read(incomplete)
    assert refusal.value.fields["field"] == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("currencies", ["XYZ"]),
        ("currencies", []),
        ("currencies", "CNY"),
        ("bucket_bounds", [30, 60]),
        ("bucket_bounds", [0, 60, 30]),
        ("bucket_bounds", [0, 30, 30]),
        ("bucket_bounds", []),
        ("provision_ppm", [10_000, 30_000]),
        ("provision_ppm", [10_000, 30_000, 20_000, 500_000, 1_000_000]),
        ("provision_ppm", [10_000, 30_000, 150_000, 500_000, 1_000_001]),
        ("write_off_dpd", 0),
        ("hold_days", "30"),
        ("source", "ours"),
    ],
)
def test_a_field_out_of_range_is_named(field: str, value: object) -> None:
    with pytest.raises(PackInvalid) as refusal:
        Pack.read(table(**{field: value}))
    assert refusal.value.fields["field"] == field


def test_a_field_nobody_knows_is_refused() -> None:
    with pytest.raises(PackInvalid, match="hold_dais"):
        Pack.read(table(hold_dais=30))


def test_a_product_exactly_at_the_yearly_cap_passes() -> None:
    check_product(annuity(240_000, counts=(3, 12, 24)), PACK)


def test_a_product_above_the_yearly_cap_is_refused_with_the_figures() -> None:
    with pytest.raises(CapBroken) as refusal:
        check_product(flat(12_000, counts=(3, 6)), PACK)
    assert refusal.value.fields == {
        "product": "sample",
        "count": 6,
        "what": "nominal_annual_ppm",
        "value": 242_805,
        "cap": 240_000,
    }


@pytest.mark.parametrize(
    ("late", "what"),
    [
        (LateRule(rate_ppm_per_day=501, grace_days=3, cap_ppm=1), "late_rate_ppm_per_day"),
        (LateRule(rate_ppm_per_day=1, grace_days=3, cap_ppm=240_001), "late_cap_ppm"),
        (LateRule(rate_ppm_per_day=1, grace_days=2, cap_ppm=1), "late_grace_days"),
    ],
)
def test_a_late_rule_harsher_than_the_pack_is_refused(late: LateRule, what: str) -> None:
    with pytest.raises(CapBroken) as refusal:
        check_product(product(late=late), PACK)
    assert (refusal.value.fields["what"], refusal.value.fields["count"]) == (what, None)


def test_no_late_charge_needs_no_grace() -> None:
    harmless = LateRule(rate_ppm_per_day=0, grace_days=0, cap_ppm=0)
    check_product(product(late=harmless, counts=(4,)), PACK)


@pytest.mark.parametrize("count", [3, 6, 12, 24])
def test_a_plan_is_refused_exactly_when_its_own_rate_is_above_the_cap(count: int) -> None:
    refused = 0
    for principal in range(1, 200):
        signed = terms(flat(), principal, count)
        rate = nominal_annual(principal, [due.total_minor for due in schedule(signed)])
        if rate * PPM > PACK.nominal_annual_max_ppm:
            refused += 1
            with pytest.raises(CapBroken) as refusal:
                check_plan(signed, PACK)
            assert refusal.value.fields["count"] == count
        else:
            check_plan(signed, PACK)
    assert refused or count == 3, "some tiny purchase must break the cap by its rounding"


def test_a_plan_without_cost_is_never_above_a_cap() -> None:
    check_plan(terms(product(), 1, 1), PACK)


def test_a_pack_may_forbid_inputs_and_says_why() -> None:
    forbidden = {"credit": ["is_student"], "all": ["night_purchase_share_30d"]}
    made = table(forbidden_inputs=forbidden)
    made["source"] = {**made["source"], "forbidden_inputs": "ours"}
    assert Pack.read(made).forbidden_inputs == {
        "credit": ("is_student",),
        "all": ("night_purchase_share_30d",),
    }
    assert Pack.read(table()).forbidden_inputs == {}
    for wrong in ({"love": ["x"]}, {"credit": []}, {"credit": "x"}):
        made["forbidden_inputs"] = wrong
        with pytest.raises(PackInvalid, match="forbidden_inputs"):
            Pack.read(made)
    made["forbidden_inputs"] = forbidden
    del made["source"]["forbidden_inputs"]
    with pytest.raises(PackInvalid, match=r"source\.forbidden_inputs"):
        Pack.read(made)

"""What a pack says of whom may be lent to: each part with its source, bounds within bounds."""

from typing import Any

import pytest
from test_pack import table

from fenqi.core.terms.lending_rules import LendingRules, Students
from fenqi.core.terms.pack import Pack, PackInvalid

FIELDS: dict[str, Any] = {
    "age_years_min": 18,
    "students": "evidenced-income",
    "multiple_evidenced_ppm": 3_000_000,
    "multiple_declared_ppm": 1_000_000,
    "service_share_max_ppm": 500_000,
    "service_months": 12,
    "limit_minor_max": 1_000_000,
    "limit_unevidenced_minor_max": 500_000,
    "limit_unknown_minor_max": 300_000,
    "limit_minor_least": 50_000,
    "report_days": 30,
    "offer_days": 14,
}


def lending(**changes: object) -> dict[str, Any]:
    return {**FIELDS, "source": dict.fromkeys(FIELDS, "ours"), **changes}


def test_rules_are_read_and_may_be_left_out() -> None:
    rules = Pack.read(table(lending=lending())).lending
    assert isinstance(rules, LendingRules)
    assert (rules.age_years_min, rules.students) == (18, Students.EVIDENCED)
    assert Pack.read(table()).lending is None


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_a_field_without_value_or_source_is_named(field: str) -> None:
    missing = lending()
    del missing[field]
    with pytest.raises(PackInvalid) as refusal:
        Pack.read(table(lending=missing))
    assert refusal.value.fields["field"] == f"lending.{field}"
    sources = dict.fromkeys(FIELDS, "ours")
    del sources[field]
    with pytest.raises(PackInvalid) as refusal:
        Pack.read(table(lending=lending(source=sources)))
    assert refusal.value.fields["field"] == f"lending.source.{field}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("students", "some"),
        ("age_years_min", 151),
        ("service_share_max_ppm", 1_000_001),
        ("service_months", 0),
        ("offer_days", 0),
        ("limit_minor_least", 0),
        ("limit_minor_least", 1_000_001),
        ("limit_unevidenced_minor_max", 1_000_001),
        ("limit_unknown_minor_max", 1_000_001),
        ("limit_minor_max", True),
        ("weight", 1),
    ],
)
def test_a_field_out_of_range_is_named(field: str, value: object) -> None:
    with pytest.raises(PackInvalid) as refusal:
        Pack.read(table(lending=lending(**{field: value})))
    assert refusal.value.fields["field"] == f"lending.{field}"

"""The features that are shipped, and the page that tells of them."""

import re
from pathlib import Path

from fenqi.core.risk.fact import SHAPES
from fenqi.core.risk.features.declaration import Aggregate, FeatureSet, Key
from fenqi.core.risk.input import Purpose, Unit
from fenqi.store.features import SHIPPED, shipped

EVENTS = (Path(__file__).parents[2] / "docs" / "reference" / "events.md").read_text("utf-8")
PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "features.md").read_text("utf-8")


def test_at_least_forty_features_are_shipped() -> None:
    features = shipped()
    assert len(features.features) >= 40
    assert features.text == SHIPPED.read_text("utf-8")
    assert all(one.input.title["zh"] and one.input.title["en"] for one in features.features)


def test_a_channels_failure_and_a_complaint_are_never_held_against_a_customer() -> None:
    for name in ("channel_failures_30d", "complaints_90d"):
        assert shipped().vocabulary[name].purposes == {Purpose.SERVICE}


def test_a_weak_link_serves_fraud_checks_only() -> None:
    assert {one.name for one in shipped().measures} >= {"accounts_per_ip_10m"}
    assert {purpose for one in shipped().measures for purpose in one.input.purposes} == {
        Purpose.FRAUD
    }


def test_every_kind_that_is_told_has_its_row_with_its_fields() -> None:
    for kind, shape in SHAPES.items():
        (line,) = re.findall(rf"^\| `{kind}` \|.*$", EVENTS, re.M)
        assert all(f" {field}" in line for field in shape.must)
        assert all(f"({field})" in line for field in shape.may)


def test_every_kind_that_features_look_at_is_written_by_somebody() -> None:
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", EVENTS, re.M))
    assert shipped().kinds - listed == set()


def rows(features: FeatureSet) -> list[str]:
    return [
        f"| `{one.name}` | {one.unit.value} | "
        + " | ".join("yes" if purpose in one.purposes else "no" for purpose in Purpose)
        + f" | {one.title['en']} | {one.title['zh']} |"
        for one in features.vocabulary.values()
    ]


def test_the_page_of_features_has_the_row_of_each_input_and_no_other() -> None:
    written = re.findall(r"^\| `[a-z0-9_]+` \| \w+ \| (?:yes|no).*$", PAGE, re.M)
    assert written == rows(shipped())


def test_the_page_names_every_unit_aggregate_and_key() -> None:
    words = {one.value for one in (*Aggregate, *Key)}
    assert {word for word in words if f"`{word}`" not in PAGE} == set()
    assert {one.unit for one in shipped().vocabulary.values()} >= {Unit.FLAG, Unit.CHOICE, Unit.PPM}

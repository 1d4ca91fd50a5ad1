"""Each published case is ours, one test a case: the carried table, then the vectors if there."""

from typing import Any

import pytest

from conformance.kinds import KINDS
from conformance.run import judge, read_vectors, table_tiers, vectors_folder

FILES = sorted((vectors_folder() / "apr").glob("*.json"))
ABSENT = pytest.param(None, marks=pytest.mark.skip(reason=f"no {vectors_folder() / 'apr'}"))
TABLE = list(table_tiers())
TABLE_CASES = [
    pytest.param(case, id=f"{tier.name}-{case['id']}") for tier in TABLE for case in tier.cases
]
VECTOR_CASES = [
    pytest.param(case, id=case["id"]) for file in FILES for case in read_vectors(file).cases
]


@pytest.mark.parametrize("case", TABLE_CASES)
def test_an_official_example_is_ours(case: dict[str, Any]) -> None:
    assert judge(case).faults == ()


@pytest.mark.parametrize("case", VECTOR_CASES or [ABSENT])
def test_a_published_case_is_ours(case: dict[str, Any]) -> None:
    assert judge(case).faults == ()


def test_the_carried_table_holds_every_kind_and_names_each_source() -> None:
    cases = [case for tier in TABLE for case in tier.cases]
    assert {case["kind"] for case in cases} == KINDS.keys()
    assert all(case["source"]["name"] and case["source"]["status"] for case in cases)
    assert len(cases) >= 100

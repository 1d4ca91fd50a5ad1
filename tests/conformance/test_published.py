"""Each published case is ours, one test a case: the carried table, then the vectors if there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.kinds import KINDS
from conformance.reading import Unreadable
from conformance.run import judge, read_vectors, table_tiers, vectors_folder

FILES = sorted((vectors_folder() / "apr").glob("*.json"))
ABSENT = pytest.param(None, marks=pytest.mark.skip(reason=f"no {vectors_folder() / 'apr'}"))
TABLE = list(table_tiers())
TABLE_CASES = [
    pytest.param(case, id=f"{tier.name}-{case['id']}") for tier in TABLE for case in tier.cases
]


def published(file: Path) -> Iterator[Any]:
    """Yield a file's cases; of one that cannot be read, why, which is no case and fails."""
    try:
        cases = read_vectors(file).cases
    except Unreadable as fault:
        cases = [str(fault)]
    for number, case in enumerate(cases, start=1):
        yield pytest.param(case, id=f"{file.stem}-{judge(case, number=number).case}")


VECTOR_CASES = [case for file in FILES for case in published(file)]


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

"""A row after the last instalment that a moved due day passes over joins that instalment."""

from datetime import date
from typing import Any

from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import AddCharge, MoveDueDay, WaiveCharge
from random_lives import lend, terms

TODAY = date(2024, 1, 20)
FEE: dict[str, Any] = {"name": "fee", "is_penalty": False, "due_on": date(2024, 2, 15)}


def common(life: Life, on: date = TODAY) -> dict[str, Any]:
    return {"number": len(life.recorded) + 1, "on": on, "booked_on": TODAY}


def test_principal_is_asked_for_once_and_the_charge_stays_waived() -> None:
    life = lend(terms("0.12", count=1, recalculates=True), 100_000)
    life.record(AddCharge(amount_minor=1_000, **FEE, **common(life)))
    life.record(AddCharge(amount_minor=300, **FEE, **common(life)))
    life.record(WaiveCharge(charge=2, **common(life)))
    assert len(life.view(TODAY).rows) == 2
    life.record(MoveDueDay(to=date(2024, 2, 20), **common(life, date(2024, 2, 1))))
    (row,) = life.view(TODAY).rows
    assert row.due[0] == 100_000
    assert row.due[2] - row.relieved[2] == 300
    assert {one.row_key for one in life.view(TODAY).charges} == {row.key}


def test_a_charge_found_before_the_day_was_moved_counts_alike() -> None:
    life = lend(terms("0.12", count=1, recalculates=True), 100_000)
    life.record(MoveDueDay(to=date(2024, 2, 20), **common(life, date(2024, 2, 1))))
    life.record(AddCharge(amount_minor=300, **FEE, **common(life)))
    (row,) = life.view(TODAY).rows
    assert (row.due[0], row.due[2]) == (100_000, 300)

"""In which order operations count, and transactions stand."""

from datetime import date
from decimal import Decimal

from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import AddCharge, ChangeRate, ChargeOff, WaiveCharge
from fenqi.core.terms.life.state import Kind
from random_lives import lend, receive, terms

LENT_ON = date(2024, 1, 1)
TODAY = date(2024, 1, 20)
LATER = date(2024, 3, 1)


def lent() -> Life:
    return lend(terms("0.12", recalculates=True), 120_000)


def agreed(life: Life, *, on: date, booked_on: date) -> None:
    number = len(life.recorded) + 1
    life.record(ChangeRate(number=number, on=on, booked_on=booked_on, rate=Decimal("0.36")))


def dues(life: Life) -> list[list[int]]:
    return [row.due for row in life.view(TODAY).rows]


def test_who_pays_before_an_agreed_rate_begins_pays_the_instalments_it_asks_for() -> None:
    life, plain = lent(), lent()
    agreed(life, on=LATER, booked_on=TODAY)
    asked = [sum(row.due) for row in life.view(TODAY).rows]
    assert asked != [sum(row.due) for row in plain.view(TODAY).rows]
    receive(life, TODAY, 1_000)
    assert [sum(due) for due in dues(life)][1:-1] == asked[1:-1]


def test_a_rate_agreed_for_today_counts_before_what_happened_today() -> None:
    first, last = lent(), lent()
    agreed(first, on=TODAY, booked_on=TODAY)
    receive(first, TODAY, 5_000)
    receive(last, TODAY, 5_000)
    agreed(last, on=TODAY, booked_on=TODAY)
    assert dues(first) == dues(last)


def test_a_waiver_stands_with_its_charge_in_front_of_what_came_between() -> None:
    life = lent()
    same = {"on": TODAY, "booked_on": TODAY}
    fee = {"name": "fee", "is_penalty": False, "due_on": TODAY, "amount_minor": 100}
    life.record(AddCharge(number=2, **same, **fee))
    life.record(ChargeOff(number=3, **same))
    life.record(WaiveCharge(number=4, charge=2, **same))
    kinds = [one.kind for one in life.view(TODAY).transactions]
    assert kinds == [Kind.DISBURSEMENT, Kind.CHARGE_WAIVER, Kind.CHARGE_OFF]

"""Rows and the interest model say the same, whatever happened between them.

Each life once lost principal: one of its operations reached only the rows or only the model.
"""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from fenqi.core.terms.amortise.settings import Interval, Settings, Unit
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    AddPeriods,
    ChangeRate,
    Chargeback,
    ChargeOff,
    Disburse,
    MoveDueDay,
    Operation,
    Receipt,
    Receive,
    RefundCash,
)
from fenqi.core.terms.life.refusal import OperationUntimely
from fenqi.core.terms.life.rules import Future
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.product import Component
from random_lives import allocation, lend, rules

START = date(2024, 1, 1)


def agreed(rate: str = "0.09", **changed: Any) -> LifeTerms:
    interest = Settings(Interval(1, Unit.MONTHS), Decimal(rate))
    return LifeTerms(rules(**changed), interest, 6, submitted_on=START)


def on(month: int, day: int) -> dict[str, date]:
    day_of = date(2024, month, day)
    return {"on": day_of, "booked_on": day_of}


def repaid(number: int, amount_minor: int, month: int, day: int) -> Receive:
    return Receive(
        number=number, receipt=Receipt.REPAYMENT, amount_minor=amount_minor, **on(month, day)
    )


def charged_back(number: int, amount_minor: int, month: int, day: int) -> Chargeback:
    return Chargeback(
        number=number,
        of=2,
        of_receipt=Receipt.REPAYMENT,
        amount_minor=amount_minor,
        **on(month, day),
    )


LIVES: dict[str, tuple[LifeTerms, list[Operation]]] = {
    "a fixed plan lends again after a chargeback": (
        agreed(),
        [
            repaid(2, 11_895, 1, 12),
            charged_back(3, 1_729, 2, 14),
            Disburse(number=4, amount_minor=3_203, **on(2, 15)),
        ],
    ),
    "a chargeback after a charge-off": (
        agreed(recalculates=True, default_allocation=allocation(future=Future.REAMORTISE)),
        [
            repaid(2, 1, 1, 7),
            AddPeriods(number=3, count=3, **on(1, 7)),
            ChargeOff(number=4, **on(1, 13)),
            Receive(number=5, receipt=Receipt.GOODWILL, amount_minor=954, **on(2, 9)),
            Disburse(number=6, amount_minor=4_469, **on(2, 17)),
            ChangeRate(
                number=7, on=date(2024, 4, 3), booked_on=date(2024, 2, 28), rate=Decimal("0.24")
            ),
            charged_back(8, 1, 3, 3),
        ],
    ),
    "money lent and periods added on the day of a plan paid ahead": (
        agreed("0"),
        [
            repaid(2, 20_000, 1, 25),
            Disburse(number=3, amount_minor=17_826, **on(2, 21)),
            AddPeriods(number=4, count=2, **on(2, 21)),
        ],
    ),
    "the rate rises after rows were paid ahead": (
        agreed(recalculates=True),
        [
            repaid(2, 10_263, 1, 9),
            repaid(3, 17_208, 2, 4),
            ChangeRate(number=4, rate=Decimal("0.24"), **on(2, 27)),
        ],
    ),
    "a due day of rows paid ahead moves": (
        agreed(recalculates=True),
        [
            repaid(2, 30_263, 1, 24),
            MoveDueDay(
                number=3, on=date(2024, 4, 1), booked_on=date(2024, 2, 2), to=date(2024, 4, 17)
            ),
            repaid(4, 23_049, 3, 22),
            Disburse(number=5, amount_minor=5_231, **on(4, 22)),
        ],
    ),
}


@pytest.mark.parametrize("name", LIVES)
def test_no_principal_is_lost(name: str) -> None:
    terms, operations = LIVES[name]
    life = lend(terms, 60_000)
    for operation in operations:
        life.record(operation)
        rows = life.view().rows
        due = sum(row.due[Component.PRINCIPAL] for row in rows)
        credited = sum(row.credited[Component.PRINCIPAL] for row in rows)
        assert due == life.walk.lent_minor + credited
        assert min(row.open_minor for row in rows) >= 0


def paid_back_in_cash(terms: LifeTerms) -> Life:
    life = lend(terms, 60_000)
    life.record(repaid(2, 20_000, 1, 17))
    life.record(RefundCash(number=3, amount_minor=2_070, **on(2, 11)))
    return life


def test_cash_goes_back_only_where_interest_does_not_follow_what_was_paid() -> None:
    assert paid_back_in_cash(agreed()).walk.transactions[-1].amount_minor == 2_070
    with pytest.raises(OperationUntimely) as refused:
        paid_back_in_cash(agreed(recalculates=True))
    assert refused.value.fields["reason"] == "interest follows what was paid"

"""The rates of flat fees and the instalments of purchases are the printed ones.

The examples of laws and of other people are in `published.csv` and the vectors
(`test_published.py`).
"""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fenqi.core.terms.aprc import IntervalPeriod, eu_aprc, printed, timed
from fenqi.core.terms.cash_flow import xirr
from fenqi.core.terms.cost import effective_annual, nominal_annual
from fenqi.core.terms.regz import UnitKind, UnitPeriod, regz_apr
from fenqi.core.terms.schedule import schedule, signed_cost
from fenqi.core.values.rate import PPM
from make import START, flat, terms

HERE = Path(__file__).parent
WHOLE_MINOR = 24 * 10**9  # divides into 3, 6, 12 and 24 parts and by the rates below without rest


def rows(name: str) -> list[Any]:
    """Return a table's rows as test parameters, named by what they say."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return [
            pytest.param(row, id="-".join(list(row.values())[:4])) for row in csv.DictReader(file)
        ]


def equal_payments(count: int, total_fee: Decimal) -> list[int]:
    """Return unrounded equal instalments of principal and fee."""
    return [round(WHOLE_MINOR * (1 + total_fee) / count)] * count


@pytest.mark.parametrize("row", rows("rates.csv"))
def test_a_flat_fee_has_the_printed_yearly_rate(row: dict[str, str]) -> None:
    count, fee = int(row["count"]), Decimal(row["fee_percent"]) / 100
    solve = effective_annual if row["kind"] == "effective_annual" else nominal_annual
    total_fee = fee if row["kind"] == "nominal_annual_of_total" else fee * count
    percent = 100 * solve(WHOLE_MINOR, equal_payments(count, total_fee))
    assert abs(percent - Decimal(row["expected_percent"])) <= Decimal(row["tolerance_percent"])


@pytest.mark.parametrize("row", rows("instalments.csv"))
def test_a_purchase_is_split_into_the_printed_instalments(row: dict[str, str]) -> None:
    count = int(row["count"])
    rate_ppm = round(Decimal(row["total_fee_percent"]) / 100 / count * PPM)
    plan = terms(flat(rate_ppm), int(Decimal(row["principal"]) * 100), count)
    first, *regular = [due.total_minor for due in schedule(plan)]
    assert signed_cost(plan) == int(Decimal(row["total_fee"]) * 100)
    assert set(regular) == {int(Decimal(row["regular_instalment"]) * 100)}
    assert first >= regular[0]


def test_one_plan_has_each_of_its_lawful_rates() -> None:
    # 6,000 on 5 December 2026, twelve times 530 from 10 January 2027: 0.5 % a period.
    plan = terms(flat(5_000), 600_000, 12)
    paid = [(due.due_on, due.total_minor) for due in schedule(plan)]
    rates = {
        "12 x irr": nominal_annual(600_000, [minor for _, minor in paid]),
        "xirr": xirr([(START, -600_000), *paid]),
        "regz": regz_apr(
            advances=[(START, 600_000)], payments=paid, unit=UnitPeriod(UnitKind.MONTH)
        ),
        "aprc": eu_aprc(
            drawdowns=timed([(START, 600_000)], first_on=START, period=IntervalPeriod.MONTH),
            repayments=timed(paid, first_on=START, period=IntervalPeriod.MONTH),
        ),
    }
    percent = {name: str(round(100 * rate, 3)) for name, rate in rates.items()}
    assert percent == {
        "12 x irr": "10.896",
        "xirr": "11.167",
        "regz": "10.617",
        "aprc": "11.155",
    }
    assert printed(rates["aprc"]) == "11.2"

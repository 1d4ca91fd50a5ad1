"""Our rates and instalments are the printed ones.

The tables beside this file stand alone. The larger collection of published figures is read from
the folder `FENQI_VECTORS`, by default `../shared/vectors` beside the repository.
"""

import csv
import json
import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fenqi.core.terms.cash_flow import xirr
from fenqi.core.terms.cost import effective_annual, nominal_annual
from fenqi.core.terms.schedule import level_payment, schedule, signed_cost
from fenqi.core.values.rate import PPM, Rounding
from make import START, annuity, flat, terms

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
VECTORS = Path(os.environ.get("FENQI_VECTORS", REPOSITORY.parent / "shared" / "vectors")) / "apr"
WHOLE_MINOR = 24 * 10**9  # divides into 3, 6, 12 and 24 parts and by the rates below without rest


def rows(name: str) -> list[Any]:
    """Return a table's rows as test parameters, named by what they say."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return [
            pytest.param(row, id="-".join(list(row.values())[:4])) for row in csv.DictReader(file)
        ]


def vectors(family: str, *kinds: str) -> list[Any]:
    """Return a family's cases as test parameters, or one that says why it is skipped."""
    file = VECTORS / f"{family}.json"
    if not file.exists():
        reason = f"no {family}.json: FENQI_VECTORS names no folder of published figures"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]
    cases = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)["cases"]
    return [pytest.param(case, id=case["id"]) for case in cases if case["kind"] in kinds]


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
    nominal = 100 * nominal_annual(600_000, [minor for _, minor in paid])
    dated = 100 * xirr([(START, -600_000), *paid])
    assert round(nominal, 3) == Decimal("10.896")
    assert round(dated, 3) == Decimal("11.167")


@pytest.mark.parametrize("case", vectors("cn_fee_instalment", "fee_instalment"))
def test_a_published_fee_instalment_is_ours(case: dict[str, Any]) -> None:
    given, expected = case["inputs"], case["expected"]
    count, total_fee = given["count"], Decimal(given["total_fee_rate"])
    plan = terms(flat(round(total_fee / count * PPM)), int(given["principal"] * 100), count)
    regular = schedule(plan)[-1].total_minor
    assert Decimal(signed_cost(plan)) / 100 == expected["total_fee"]
    assert Decimal(regular) / 100 == expected["regular_instalment"]
    percent = 100 * nominal_annual(WHOLE_MINOR, equal_payments(count, total_fee))
    tolerance = case["tolerance"]["simple_annual_percent"]
    assert abs(percent - expected["simple_annual_percent"]) <= tolerance


@pytest.mark.parametrize("case", vectors("irr_xirr", "IRR"))
def test_a_published_irr_is_ours(case: dict[str, Any]) -> None:
    lent, *paid = case["inputs"]["flows"]
    monthly = nominal_annual(-lent, paid) / 12
    assert abs(monthly - Decimal(case["expected"]["value"])) <= Decimal(case["tolerance"]["value"])


@pytest.mark.parametrize("case", vectors("irr_xirr", "XIRR"))
def test_a_published_dated_rate_is_ours(case: dict[str, Any]) -> None:
    flows = [(date.fromisoformat(on), minor) for on, minor in case["inputs"]["flows"]]
    tolerance = Decimal(case["tolerance"]["value"])
    assert abs(xirr(flows) - Decimal(case["expected"]["value"])) <= tolerance
    assert abs(xirr(flows) - case["recomputed"]["value"]) <= Decimal("1e-12")


@pytest.mark.parametrize("case", vectors("schedule", "level_instalment"))
def test_a_published_level_payment_is_ours(case: dict[str, Any]) -> None:
    given = case["inputs"]
    payment = level_payment(
        given["principal"] * 100,
        given["count"],
        interest_ppm_per_year=int(given["nominal_percent"] * 10_000),
        rounding=Rounding.HALF_EVEN,
    )
    difference = abs(Decimal(payment) / 100 - case["expected"]["instalment"])
    assert difference <= case["tolerance"]["instalment"]


@pytest.mark.parametrize("case", vectors("schedule", "schedule_line"))
def test_a_published_schedule_line_is_ours(case: dict[str, Any]) -> None:
    given, expected = case["inputs"], case["expected"]
    rate_ppm = int(given["nominal_percent"] * 10_000)
    principal_minor = given["principal"] * 100
    of = annuity(rate_ppm, rounding=Rounding.HALF_UP)
    dues = schedule(terms(of, principal_minor, given["count"]))[: given["line"]]
    principal, interest, *_ = dues[-1].amounts
    balance = principal_minor - sum(due.amounts[0] for due in dues)
    assert Decimal(dues[-1].total_minor) / 100 == given["instalment"]
    assert Decimal(interest) / 100 == expected["interest"]
    assert Decimal(principal) / 100 == expected["principal_part"]
    assert Decimal(balance) / 100 == expected["balance"]

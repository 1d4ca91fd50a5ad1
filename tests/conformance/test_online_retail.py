"""The public Online Retail file is read whole, and agrees with a count that shares no code."""

from collections import Counter
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fenqi.replay.facts import Opening, Purchase, Refund
from fenqi.replay.mapping import read_mapping
from fenqi.replay.source import Stream, load

ROOT = Path(__file__).parents[2]
FILE = ROOT.parent / "shared" / "data" / "online_retail.parquet"
MAPPING = read_mapping(ROOT / "examples" / "online_retail.toml")

pytestmark = pytest.mark.skipif(
    not FILE.exists(), reason=f"the Online Retail file is not at {FILE.relative_to(ROOT.parent)}"
)

# From the description of the file: lines, lines with a customer.
LINES, LINES_WITH_CUSTOMER = 541_909, 406_829


@cache
def stream() -> Stream:
    return load(FILE, MAPPING)


@cache
def kept() -> pa.Table:
    """Return the lines that the example's filters leave, found column by column."""
    columns = ["InvoiceNo", "StockCode", "Quantity", "UnitPrice", "InvoiceDate", "CustomerID"]
    table = pq.read_table(FILE, columns=columns)
    not_goods = pa.array(["M", "m", "D", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK"])
    table = table.filter(pc.is_valid(table["CustomerID"]))
    table = table.filter(pc.invert(pc.is_in(table["StockCode"].cast(pa.string()), not_goods)))
    table = table.filter(pc.greater_equal(table["UnitPrice"], pa.scalar(0.005)))
    return table.group_by(columns).aggregate([])


def test_every_line_is_accounted_for() -> None:
    tally = stream().tally
    booked = {
        line for fact in stream().facts if not isinstance(fact, Opening) for line in fact.lines
    }
    excepted = [row.line for row in stream().exceptions]

    assert tally.total == LINES
    assert booked | set(excepted) == set(range(1, LINES + 1))
    assert excepted == sorted(set(excepted))
    assert tally.booked + sum(tally.partly.values()) + sum(tally.left_out.values()) == LINES
    assert len(booked & set(excepted)) == sum(tally.partly.values())


def test_the_tally_is_the_known_one() -> None:
    tally = stream().tally

    assert tally.left_out == {
        "amount-below-a-penny": 3,
        "duplicate": 5_222,
        "no-customer": LINES - LINES_WITH_CUSTOMER,
        "not-goods": 570,
        "price-not-positive": 34,
        "refund-unmatched": 1_111,
    }
    assert tally.partly == {"refund-above-paid": 272, "refund-partly-unmatched": 55}
    assert tally.booked == 399_562


def test_purchases_are_those_of_an_independent_count() -> None:
    table = kept().filter(pc.greater(kept()["Quantity"], pa.scalar(0)))
    pence = pc.round(
        pc.multiply(
            pc.multiply(table["Quantity"].cast(pa.float64()), table["UnitPrice"]), pa.scalar(100.0)
        )
    )
    purchases = [fact for fact in stream().facts if isinstance(fact, Purchase)]

    assert sum(len(purchase.lines) for purchase in purchases) == table.num_rows
    assert len(purchases) == pc.count_distinct(table["InvoiceNo"]).as_py() == 18_457
    assert sum(purchase.amount_minor for purchase in purchases) == pc.sum(pence).as_py()
    persons = {purchase.person for purchase in purchases}
    assert len(persons) == pc.count_distinct(table["CustomerID"]).as_py() == 4_334
    assert persons == {fact.person for fact in stream().facts if isinstance(fact, Opening)}


def test_cancellations_are_refunds_or_exceptions() -> None:
    table = kept().filter(pc.less(kept()["Quantity"], pa.scalar(0)))
    refunds = [fact for fact in stream().facts if isinstance(fact, Refund)]
    returned = {line for refund in refunds for line in refund.lines}
    unmatched = stream().tally.left_out["refund-unmatched"]

    assert len(returned) + unmatched == table.num_rows
    assert len(refunds) == 3_811


def test_refunds_stay_inside_their_purchases() -> None:
    left: Counter[str] = Counter()
    for fact in stream().facts:
        if isinstance(fact, Purchase):
            left[fact.key] = fact.amount_minor
        if isinstance(fact, Refund):
            left[fact.purchase_key] -= fact.amount_minor
            assert left[fact.purchase_key] >= 0

    # One order of 80,995 units was taken back whole within minutes; so the largest leaves nothing.
    assert left["581483"] == 0


def test_the_days_are_those_of_the_first_and_last_line() -> None:
    assert stream().first_on.isoformat() == "2010-12-01"
    assert stream().last_on.isoformat() == "2011-12-09"


def test_plans_are_drawn_in_the_declared_proportions() -> None:
    drawn = Counter(
        (fact.product, fact.count) for fact in stream().facts if isinstance(fact, Purchase)
    )

    weights = sum(plan.weight for plan in MAPPING.plans)
    for plan in MAPPING.plans:
        share = drawn[plan.product, plan.count] / drawn.total()
        assert share == pytest.approx(plan.weight / weights, abs=0.015)

"""Reading `published.csv`: official examples as a table people can read, one row a case.

The cells `inputs`, `expected` and `tolerance` hold `name=value` pairs divided by `; `. A value is a
number, text, or a list divided by spaces: amounts, or `when:amount`, where `x24/month` or
`x12/2week` after it repeats it that many times at that distance. `unit_period` is `2week`.
"""

import csv
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from fenqi.core.values.day import add_months

DIVIDER = re.compile(r"; (?=\w+=)")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
STEP = re.compile(r"(?P<count>\d*)(?P<kind>day|week|semimonth|month|year)")
FLOW = re.compile(r"(?P<when>[^:]+):(?P<amount>[\d.]+)(x(?P<times>\d+)/(?P<step>\w+))?")
FLOWS = {"advances", "payments", "drawdowns", "repayments"}
LISTS = {"flows", "weights", "extra_period_fraction"}
TEXTS = {"value", "text", "rate", "pmt", "total_fee_rate"}  # may be a quotient, or keep its zeros


def read_table(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the cases of a table, in the shape the vectors have."""
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            yield {
                "id": row["id"],
                "family": row["family"],
                "kind": row["kind"],
                **{name: _pairs(row[name]) for name in ("inputs", "expected", "tolerance")},
                "source": {"name": row["source"], "status": row["status"]},
            }


def _pairs(cell: str) -> dict[str, Any]:
    pairs = (pair.partition("=") for pair in DIVIDER.split(cell) if pair)
    return {name: _value(name, text) for name, _, text in pairs}


def _value(name: str, text: str) -> Any:
    if name in FLOWS:
        return [flow for one in text.split() for flow in _flows(one)]
    if name in LISTS:
        return [_flow_or_number(one) for one in text.split()]
    if name == "unit_period":
        step = STEP.fullmatch(text)
        if step is None:
            raise ValueError(f"{text!r} is no unit-period")
        return {"kind": step["kind"], "count": int(step["count"] or 1)}
    return text if name in TEXTS else _scalar(text)


def _scalar(text: str) -> Any:
    if not NUMBER.fullmatch(text):
        return text
    return Decimal(text) if "." in text else int(text)


def _flow_or_number(text: str) -> Any:
    when, colon, amount = text.rpartition(":")
    return [when, _scalar(amount)] if colon else _scalar(text)


def _flows(text: str) -> Iterator[list[Any]]:
    flow = FLOW.fullmatch(text)
    if flow is None:
        raise ValueError(f"{text!r} is no flow")
    amount = Decimal(flow["amount"])
    if flow["times"] is None:
        yield [flow["when"], amount]
        return
    step, first = STEP.fullmatch(flow["step"]), date.fromisoformat(flow["when"])
    if step is None or step["kind"] == "semimonth":
        raise ValueError(f"{flow['step']!r} is no distance")
    for number in range(int(flow["times"])):
        on = _later(first, number * int(step["count"] or 1), step["kind"])
        yield [on.isoformat(), amount]


def _later(first: date, count: int, kind: str) -> date:
    if kind in ("day", "week"):
        return first + timedelta(days=count * (7 if kind == "week" else 1))
    return add_months(first, count * (12 if kind == "year" else 1))

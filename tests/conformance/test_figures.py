"""The figures fenqi carries are the measured ones."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MEASURED = ROOT.parent / "shared" / "data"
CARRIED = ROOT / "src" / "fenqi" / "data" / "figures"


def carried(name: str) -> dict[str, Any]:
    return tomllib.loads((CARRIED / name).read_text(encoding="utf-8"))


def measured(name: str) -> dict[str, Any]:
    path = MEASURED / name
    if not path.exists():
        pytest.skip(f"the measurements are not at {path.relative_to(ROOT.parent)}")
    table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return table


def part_of(whole: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    return {key: whole[key] for key in keys}


def test_repayment_figures_are_those_measured() -> None:
    figures, source = carried("repayment.toml"), measured("taiwan_roll_rates.json")

    assert figures["source"] == source["source"]
    assert figures["buckets"] == source["buckets"]["names"] == source["second_order"]["names"]
    assert figures["codes"] == source["states"]
    assert figures["first_month_shares"] == source["buckets"]["shares_by_month"]["2005-04"]
    assert figures["first_order_counts"] == source["buckets"]["pooled_first4_counts"]
    assert figures["second_order_counts"] == source["second_order"]["counts"]
    assert figures["code_counts"] == source["pooled_first4"]["counts"]
    assert figures["limit_twd"] == part_of(source["limit"], figures["limit_twd"])


def test_shopping_figures_are_those_measured() -> None:
    figures, source = carried("shopping.toml"), measured("online_retail_marginals.json")
    months = source["invoices_by_month_2010_12_to_2011_11"]
    invoices = figures["invoices_per_customer"]

    assert figures["source"] == source["source"]
    assert figures["share_same_day_second_invoice"] == source["share_same_day_second_invoice"]
    assert figures["weekday_share"] == source["weekday_share_mon_first"]
    assert figures["hour_share"] == source["hour_share"]
    assert figures["month_invoices"] == [months[f"2011-{month:02d}"] for month in range(1, 12)] + [
        months["2010-12"]
    ]
    assert invoices.pop("customers") == source["customers_buying"]
    assert invoices == part_of(source["invoices_per_customer"], invoices)
    for table in (
        "gap_days_between_purchase_days",
        "invoice_amount_gbp",
        "amount_log_variance",
        "returns",
    ):
        assert figures[table] == part_of(source[table], figures[table])


def test_every_figure_file_names_its_source() -> None:
    files = sorted(CARRIED.glob("*.toml"))

    assert [path.name for path in files] == ["repayment.toml", "shopping.toml"]
    assert all("UCI" in carried(path.name)["source"] for path in files)

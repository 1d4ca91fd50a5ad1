"""The measured figures that drawn payments and invented shoppers rest on.

They stand under `fenqi/data/figures`, each with its source; a conformance test compares them with
the measurements they were taken from.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

Counts = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Repayment:
    """How accounts moved between repayment states from month to month.

    Shapes: `first_order_counts` (now, next) and `second_order_counts` (before, now, next) over
    `buckets`; `code_counts` (now, next) over `codes`.
    """

    source: str
    buckets: Sequence[str]
    codes: Sequence[int]
    first_month_shares: Sequence[float]
    first_order_counts: Counts
    second_order_counts: Sequence[Counts]
    code_counts: Counts
    limit_twd_log_mean: float
    limit_twd_log_sd: float


@dataclass(frozen=True, slots=True)
class Shopping:
    """How people buy and return.

    `invoices` and `lag_days` are points (share of cases, value) of a distribution, ascending.
    Units: amounts in pounds, as natural logarithms; gaps and lags in days.
    """

    source: str
    customers: int
    invoices_mean: float
    invoices_share_one: float
    invoices_max: int
    invoices: Sequence[tuple[float, float]]
    gap_log_mean: float
    gap_log_sd: float
    gaps: Sequence[tuple[float, float]]
    share_same_day: float
    amount_log_mean: float
    amount_log_sd: float
    amount_log_sd_within: float
    amount_log_sd_between: float
    weekday_share: Sequence[float]
    hour_share: Sequence[float]
    month_invoices: Sequence[int]
    returns_per_invoice: float
    returns_share_partial: float
    lag_days: Sequence[tuple[float, float]]


def read_repayment() -> Repayment:
    """Return the repayment figures that fenqi carries."""
    table = _read("repayment.toml")
    limit = table.pop("limit_twd")
    return Repayment(
        **table,
        limit_twd_log_mean=limit["lognormal_mu"],
        limit_twd_log_sd=limit["lognormal_sigma"],
    )


def read_shopping() -> Shopping:
    """Return the shopping figures that fenqi carries."""
    table = _read("shopping.toml")
    invoices = table["invoices_per_customer"]
    gaps = table["gap_days_between_purchase_days"]
    returns = table["returns"]
    return Shopping(
        source=table["source"],
        customers=invoices["customers"],
        invoices_mean=invoices["mean"],
        invoices_share_one=invoices["share_one"],
        invoices_max=invoices["max"],
        invoices=_points(invoices["quantiles"]),
        gap_log_mean=gaps["lognormal_mu"],
        gap_log_sd=gaps["lognormal_sigma"],
        gaps=_points(gaps["quantiles"]),
        share_same_day=table["share_same_day_second_invoice"],
        amount_log_mean=table["invoice_amount_gbp"]["lognormal_mu"],
        amount_log_sd=table["invoice_amount_gbp"]["lognormal_sigma"],
        amount_log_sd_within=table["amount_log_variance"]["within_customer_sd"],
        amount_log_sd_between=table["amount_log_variance"]["between_customer_sd_of_means"],
        weekday_share=table["weekday_share"],
        hour_share=table["hour_share"],
        month_invoices=table["month_invoices"],
        returns_per_invoice=returns["per_buying_invoice"],
        returns_share_partial=returns["share_partial_quantity"],
        lag_days=_points(returns["lag_days"]),
    )


def _read(name: str) -> dict[str, Any]:
    text = files("fenqi").joinpath("data", "figures", name).read_text(encoding="utf-8")
    return tomllib.loads(text)


def _points(quantiles: Mapping[str, float]) -> list[tuple[float, float]]:
    return sorted((float(share), value) for share, value in quantiles.items())

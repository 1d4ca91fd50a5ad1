"""What the published products and loans are in our words: settings and terms of a life."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from conformance.interest import settings_of
from fenqi.core.terms.amortise.settings import PayOffInterest, Rest, Settings
from fenqi.core.terms.life.operations import Receipt
from fenqi.core.terms.life.rules import (
    Allocation,
    ChargeOffBehaviour,
    DownPayment,
    Future,
    LifeRules,
    Processing,
    Timing,
)
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.product import Component

Table = Mapping[str, Any]

TIMINGS = {
    "PAST_DUE": Timing.PAST_DUE,
    "DUE": Timing.DUE,
    "IN_ADVANCE": Timing.IN_ADVANCE,
}
FUTURES = {
    "NEXT_INSTALLMENT": Future.NEXT,
    "LAST_INSTALLMENT": Future.LAST,
    "REAMORTIZATION": Future.REAMORTISE,
    "NEXT_LAST_INSTALLMENT": Future.NEXT_LAST,
}
RECEIPTS = {
    "REPAYMENT": Receipt.REPAYMENT,
    "DOWN_PAYMENT": Receipt.DOWN_PAYMENT,
    "MERCHANT_ISSUED_REFUND": Receipt.MERCHANT_REFUND,
    "PAYOUT_REFUND": Receipt.PAYOUT_REFUND,
    "GOODWILL_CREDIT": Receipt.GOODWILL,
    "INTEREST_PAYMENT_WAIVER": Receipt.INTEREST_WAIVER,
    "CHARGE_ADJUSTMENT": Receipt.CHARGE_ADJUSTMENT,
    "INTEREST_REFUND": Receipt.INTEREST_REFUND,
}
CHARGE_OFFS = {
    "REGULAR": ChargeOffBehaviour.REGULAR,
    "ZERO_INTEREST": ChargeOffBehaviour.ZERO_INTEREST,
    "ACCELERATE_MATURITY": ChargeOffBehaviour.ACCELERATE,
}
# The older engine's payment orders, as allocation rules: one instalment after the other.
PLAIN_ORDER = ("PENALTY", "FEE", "INTEREST", "PRINCIPAL")
OLDER_ORDERS = {
    "PENALTIES_FEES_INTEREST_PRINCIPAL_ORDER": (PLAIN_ORDER, PLAIN_ORDER),
    "DUE_PENALTY_INTEREST_PRINCIPAL_FEE_IN_ADVANCE_PENALTY_INTEREST_PRINCIPAL_FEE": (
        ("PENALTY", "INTEREST", "PRINCIPAL", "FEE"),
        ("PENALTY", "INTEREST", "PRINCIPAL", "FEE"),
    ),
    "DUE_PENALTY_FEE_INTEREST_PRINCIPAL_IN_ADVANCE_PRINCIPAL_PENALTY_FEE_INTEREST": (
        PLAIN_ORDER,
        ("PRINCIPAL", "PENALTY", "FEE", "INTEREST"),
    ),
}


def terms_of(product: Table, loan: Table, futures: Mapping[str, str]) -> LifeTerms:
    """Return the terms of a loan; `futures` are changed treatments by transaction type."""
    length = loan.get("fixed_length_days", product.get("fixed_length_days"))
    return LifeTerms(
        rules=rules_of(product, loan, futures),
        interest=interest_of(product, loan),
        count=loan["installments"],
        submitted_on=loan["submitted"],
        counts_from_submission=product.get("repayment_start") == "SUBMITTED_ON_DATE",
        length_days=length,
    )


def interest_of(product: Table, loan: Table) -> Settings:
    """Return the settings of the interest model."""
    settings = settings_of({**product, **loan})
    recalculation = product.get("interest_recalculation") or {}
    is_to_rest = recalculation.get("pre_closure") == "TILL_REST_FREQUENCY_DATE"
    is_per_period = recalculation.get("rest_frequency") == "SAME_AS_REPAYMENT"
    return replace(
        settings,
        digits=product["currency_digits"],
        count=loan["installments"] if product.get("full_term_tranche") else 0,
        rest=Rest.PER_PERIOD if is_per_period else Rest.DAILY,
        pay_off_interest=PayOffInterest.TO_REST if is_to_rest else PayOffInterest.TO_DATE,
    )


def rules_of(product: Table, loan: Table, futures: Mapping[str, str]) -> LifeRules:
    """Return a product's settings."""
    allocations, default = _allocations(product, loan, futures)
    down = product.get("down_payment")
    recalculation = product.get("interest_recalculation")
    credit = product.get("credit_allocation")
    return LifeRules(
        processing=Processing(product.get("processing", "HORIZONTAL").lower()),
        allocations=allocations,
        default_allocation=default,
        recalculates=recalculation is not None,
        charges_interest_on_past_due=not (recalculation or {}).get("no_interest_on_past_due"),
        down_payment=down
        and DownPayment(int(Decimal(str(down["pct"])) * 10_000), down["auto_repayment"]),
        credit_allocation=credit and tuple(Component[name] for name in credit[0]["order"]),
        interest_refund_for=frozenset(
            RECEIPTS[name] for name in product.get("interest_refund_for", ())
        ),
        accrues=product["accounting"] != "NONE",
        accrues_evenly=product.get("schedule_type") == "CUMULATIVE",
        posts_activity=bool(product.get("accrual_activity")),
        charge_off=CHARGE_OFFS[product.get("charge_off_behaviour", "REGULAR")],
    )


def _allocations(
    product: Table, loan: Table, futures: Mapping[str, str]
) -> tuple[dict[Receipt, Allocation], Allocation]:
    named = {}
    for rule in product.get("payment_allocation", ()):
        future = futures.get(rule["transaction_type"], rule["future_installments"])
        named[rule["transaction_type"]] = Allocation(_order(rule["order"]), FUTURES[future])
    if not named:
        named["DEFAULT"] = _older(loan["allocation_strategy"])
    default = named.pop("DEFAULT")
    for kind, future in futures.items():
        if kind != "DEFAULT" and kind not in named:
            named[kind] = Allocation(default.order, FUTURES[future])
    return {RECEIPTS[kind]: rule for kind, rule in named.items()}, default


def _older(strategy: str) -> Allocation:
    due, ahead = OLDER_ORDERS[strategy]
    order = [f"{timing}_{part}" for timing in ("PAST_DUE", "DUE") for part in due]
    return Allocation(_order([*order, *(f"IN_ADVANCE_{part}" for part in ahead)]), Future.NEXT)


def _order(names: list[str]) -> tuple[tuple[Timing, Component], ...]:
    return tuple(
        (TIMINGS[timing], Component[part])
        for timing, part in (name.rsplit("_", maxsplit=1) for name in names)
    )

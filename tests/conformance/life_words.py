"""The words of the published lives: which settings, steps, arguments and figures are understood.

A life that says anything else has failed, and what it says is named; so no setting of another
folder is passed over in silence. A setting whose only known value is one word is not modelled:
another value would mean something else.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from conformance.known import (
    Each,
    Shape,
    all_of,
    is_any,
    is_day,
    is_flag,
    is_money,
    is_number,
    is_text,
    one_of,
    optional,
    permutation_of,
    whole,
)
from conformance.life_charges import CHARGES
from conformance.life_settings import CHARGE_OFFS, FUTURES, OLDER_ORDERS, PLAIN_ORDER, TIMINGS
from conformance.life_settings import RECEIPTS as RECEIPT_TYPES

ADVANCED = "ADVANCED_PAYMENT_ALLOCATION"
COUNT_MAX = 1_200
DIGITS_MAX = 4
TIERS = ("progressive_zero_rate", "progressive_rate", "progressive_recalc", "cumulative")

SCHEDULE = (
    *("nr", "days", "due_date", "paid_date", "balance", "principal", "interest", "fees"),
    *("penalties", "due", "paid", "in_advance", "late", "outstanding"),
)
TRANSACTION = (
    *("date", "type", "amount", "principal", "interest", "fees", "penalties"),
    *("loan_balance", "reverted", "replayed"),
)
JOURNAL = ("type", "account_code", "account_name", "debit", "credit")
COLUMNS = {
    "schedule_columns": list(SCHEDULE),
    "transaction_columns": list(TRANSACTION),
    "journal_columns": list(JOURNAL),
}

count = whole(1, COUNT_MAX)
is_unit = one_of("DAYS", "WEEKS", "MONTHS", "YEARS")
is_period = one_of("DAILY", "SAME_AS_REPAYMENT_PERIOD")
BUCKETS = [f"{timing}_{part}" for timing in TIMINGS for part in PLAIN_ORDER]

PRODUCT = Shape(
    {
        "name": is_text,
        "schedule_type": one_of("PROGRESSIVE", "CUMULATIVE"),
        "currency_digits": whole(0, DIGITS_MAX),
        "days_in_year": one_of("ACTUAL", "DAYS_360", "DAYS_364", "DAYS_365"),
        "days_in_month": one_of("ACTUAL", "DAYS_30"),
        "rate_period": one_of("YEAR", "MONTH", "WHOLE_TERM"),
        "partial_period_interest": optional(is_flag),
        "accounting": one_of("NONE", "ACCRUAL_PERIODIC"),
    },
    {
        "installment_multiples_of": count,
        "currency_multiples_of": one_of(1),
        "days_in_year_custom": one_of("FEB_29_PERIOD_ONLY"),
        "default_interest_calculation_period": is_period,  # the loan names its own
        "multi_disburse": is_flag,  # the steps tell
        "principal_threshold_last_pct": one_of(50),
        "grace_on_arrears_days": whole(0, COUNT_MAX),
        "installment_level_delinquency": is_flag,
        "product_charges": all_of(is_text),
        "repayment_start": one_of("DISBURSEMENT_DATE", "SUBMITTED_ON_DATE"),
        "interest_from_disbursement_day": is_flag,
        "full_term_tranche": is_flag,
        "fixed_length_days": count,
        "accrual_activity": is_flag,
        "charge_off_behaviour": one_of(*CHARGE_OFFS),
        "interest_refund_for": all_of(one_of(*RECEIPT_TYPES)),
        "processing": one_of("HORIZONTAL", "VERTICAL"),
        "interest_recalculation": Shape(
            {
                "compounding": one_of("NONE"),
                "arrears_on_original_schedule": one_of(False),
                "no_interest_on_past_due": is_flag,
                "pre_closure": one_of("TILL_PRE_CLOSE_DATE", "TILL_REST_FREQUENCY_DATE"),
                "rest_frequency": one_of("DAILY", "SAME_AS_REPAYMENT"),
                "rest_interval": one_of(1),
                "advance_payment_adjustment": one_of(
                    # The last two are the older engine's; they change nothing else here.
                    *("ADJUST_LAST_UNPAID_PERIOD", "REDUCE_EMI_AMOUNT"),
                    "RESCHEDULE_NEXT_REPAYMENTS",
                ),
            }
        ),
        "payment_allocation": Each(
            Shape(
                {
                    "transaction_type": one_of("DEFAULT", *RECEIPT_TYPES),
                    "future_installments": one_of(*FUTURES),
                    "order": permutation_of(*BUCKETS),
                }
            ),
            differ_in="transaction_type",
        ),
        "credit_allocation": Each(
            Shape(
                {
                    "transaction_type": one_of("CHARGEBACK"),
                    "order": permutation_of(*PLAIN_ORDER),
                }
            ),
            differ_in="transaction_type",
        ),
        "down_payment": Shape({"pct": is_number, "auto_repayment": is_flag}),
    },
)

ON_AND_AMOUNT = {"date": is_day, "amount": is_money}
REFUND = Shape(ON_AND_AMOUNT, {"interest_refund_calculation": is_flag})
CHARGE = {"charge": one_of(*CHARGES), "due": is_day}
NOTHING = Shape({})
ON = Shape({"date": is_day})
STEPS: Mapping[str, Shape] = {
    "business_date": ON,
    "set_allocation_rule": Shape(
        {
            "product": is_text,
            "transaction_type": one_of("DEFAULT", *RECEIPT_TYPES),
            "future_installments": one_of(*FUTURES),
        }
    ),
    "create_loan": Shape(
        {
            "product": is_text,
            "submitted": is_day,
            "principal": is_money,
            "annual_rate_pct": is_number,
            "interest_type": one_of("DECLINING_BALANCE", "FLAT"),
            "interest_calculation_period": is_period,
            "amortization": one_of("EQUAL_INSTALLMENTS"),
            "term": count,
            "term_unit": is_unit,
            "repay_every": count,
            "repay_unit": is_unit,
            "installments": count,
            "allocation_strategy": one_of(ADVANCED, *OLDER_ORDERS),
        },
        {
            "grace_principal": whole(0, COUNT_MAX),
            "grace_interest": whole(0, COUNT_MAX),
            "interest_free_period": one_of(0),
            "fixed_length_days": count,
        },
    ),
    "approve": Shape({"date": is_day}, {"amount": is_money}),
    "disburse": Shape(ON_AND_AMOUNT),
    "repayment": Shape(ON_AND_AMOUNT),
    "goodwill_credit": Shape(ON_AND_AMOUNT),
    "merchant_issued_refund": REFUND,
    "payout_refund": REFUND,
    "interest_payment_waiver": Shape(ON_AND_AMOUNT),
    "pay_off": ON,
    "add_charge": Shape({**CHARGE, "amount": is_money}),
    "add_charge_pct": Shape({**CHARGE, "pct_of_principal_plus_interest": is_number}),
    "charge_adjustment": Shape({**CHARGE, "amount": is_money}),
    "waive_last_charge": NOTHING,
    "chargeback": Shape({"amount": is_money, "of": is_text}, {"of_nth": count}),
    "credit_balance_refund": Shape(ON_AND_AMOUNT),
    "refund_by_cash": Shape(ON_AND_AMOUNT),
    "undo": Shape({"which": is_text, "nth": count}, {"date": is_day, "undo_date": is_day}),
    "undo_last_disbursal": NOTHING,
    "undo_disbursal": NOTHING,
    "undo_charge_off": NOTHING,
    "undo_re_age": NOTHING,
    "undo_re_amortize": NOTHING,
    "reschedule": Shape(
        {"from": is_day, "submitted": is_day},
        {
            "new_due_date": is_day,
            "new_annual_rate_pct": is_number,
            "extra_terms": count,
            "grace_principal": count,
        },
    ),
    "interest_pause": Shape({"from": is_day, "to": is_day}),
    "re_age": Shape(
        {"every": count, "unit": is_unit, "start": is_day, "installments": count},
        {
            "interest_handling": one_of(
                *("DEFAULT", "EQUAL_AMORTIZATION_PAYABLE_INTEREST"),
                "EQUAL_AMORTIZATION_FULL_INTEREST",
            )
        },
    ),
    "re_amortize": Shape(
        {}, {"interest_handling": one_of("DEFAULT", "EQUAL_AMORTIZATION_INTEREST_SPLIT")}
    ),
    "charge_off": ON,
    "write_off": ON,
    "terminate_contract": Shape({}, {"date": is_day}),
    "close_of_business": NOTHING,
}


def _rows_of(columns: tuple[str, ...]) -> Any:
    return lambda value: (
        isinstance(value, list)
        and all(isinstance(row, list) and len(row) == len(columns) for row in value)
    )


TOTALS = ("principal", "interest", "fees", "penalties", "due", "paid", "in_advance", "late")
EXPECT = Shape(
    {},
    {
        "schedule": _rows_of(SCHEDULE),
        "transactions": _rows_of(TRANSACTION),
        "transactions_without_accruals": _rows_of(TRANSACTION),
        "totals": Shape({}, dict.fromkeys((*TOTALS, "outstanding"), is_money)),
        "charges": Each(
            Shape(
                {},
                {
                    **dict.fromkeys(("name", "due_at", "calculation"), is_text),
                    **dict.fromkeys(("due", "paid", "waived", "outstanding"), is_money),
                    "is_penalty": is_flag,
                    "due_as_of": is_day,
                },
            )
        ),
        "journal": Each(
            Shape({"transaction_type": is_text, "date": is_day, "entries": _rows_of(JOURNAL)})
        ),
        "delinquency": Shape({"range": is_text, "date": optional(is_day)}),
        "status": is_text,
        "outstanding": is_money,
        "overpaid": is_money,
        "total_overdue": is_money,
        "actual_maturity": is_day,
        "all_obligations_met": is_flag,
    },
)
LIFE = Shape(
    {"id": is_any, "tier": one_of(*TIERS), "steps": is_any},
    dict.fromkeys(("source", "ops", "complete", "product", "reproduced_by_reference"), is_any),
)


def unknown_in(life: Mapping[str, Any], products: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of a life is not understood, its products' settings included."""
    yield from LIFE.faults(life, "life")
    steps = life.get("steps")
    if not isinstance(steps, list) or not steps:
        yield "life: has no list of steps"
        return
    for number, step in enumerate(steps):
        for fault in _unknown_in_step(step, products):
            yield f"step {number} {fault}"


def _unknown_in_step(step: Any, products: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(step, Mapping):
        yield "is no object"
        return
    op = step.get("op")
    shape = STEPS.get(op) if isinstance(op, str) else None
    if shape is None:
        yield f"unknown op {op!r}"
        return
    given = {name: value for name, value in step.items() if name not in ("op", "expect")}
    faults = list(shape.faults(given, str(op)))
    if "expect" in step:
        faults += EXPECT.faults(step["expect"], "expect")
    yield from faults
    if op == "create_loan" and not faults:
        yield from _unknown_in_loan(step, products)


def _unknown_in_loan(loan: Mapping[str, Any], products: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is not understood of a loan and its product together."""
    product = products.get(loan["product"])
    if product is None:
        yield f"unknown product {loan['product']!r}"
        return
    yield from PRODUCT.faults(product, f"product {loan['product']!r}")
    if (loan["term"], loan["term_unit"]) != (
        loan["installments"] * loan["repay_every"],
        loan["repay_unit"],
    ):
        yield "create_loan: the term is not its instalments"
    allocation = product.get("payment_allocation")
    if (loan["allocation_strategy"] == ADVANCED) != bool(allocation):
        yield "create_loan: the allocation strategy is not the product's"
    kinds = [rule.get("transaction_type") for rule in allocation or ()]
    if kinds and "DEFAULT" not in kinds:
        yield "product: payment_allocation has no DEFAULT"
    if len(product.get("credit_allocation") or (0,)) != 1:
        yield "product: credit_allocation has not one rule"

"""What the flow that asks a policy of a kind hands in: anything else would be unknown for ever.

A feature is computed from the facts of an account, so every flow that has one hands in all of them;
who applies has none yet. What is not computed from facts is handed in by some flows only.
"""

from collections.abc import Mapping

from fenqi.core.risk.decision import DecisionKind

ROW = frozenset(  # what the row of an account says, `core/risk/given.py`
    {
        "account_status",
        "limit_minor",
        "used_minor",
        "available_minor",
        "utilisation_ppm",
        "overdue_days",
        "account_age_days",
        "regime",
        "is_held",
        "needs_step_up",
    }
)
BUREAU = frozenset(
    {
        "bureau_score",
        "bureau_enquiries_30d",
        "bureau_overdue_accounts",
        "bureau_worst_overdue_days",
        "bureau_open_credit_minor",
        "bureau_age_days",
    }
)
SCORE = "score_points"
APPLICATION = BUREAU | {
    "amount_minor",
    "income_declared_minor",
    "income_evidenced_minor",
    "obligations_monthly_minor",
    "age_years",
    "is_student",
    "regime",
    "is_stepped_up",
    SCORE,
}
PURCHASE = (
    ROW
    | BUREAU
    | {"amount_minor", "instalment_count", "is_stepped_up", "is_allowed_address", SCORE}
)
ASSESSMENT = ROW | BUREAU | {SCORE}
HANDED_IN: Mapping[DecisionKind, frozenset[str]] = {
    DecisionKind.APPLICATION: APPLICATION,
    DecisionKind.PURCHASE: PURCHASE,
    DecisionKind.LIMIT: ASSESSMENT,
    DecisionKind.PRICE: ASSESSMENT,
    DecisionKind.ACCESS: ROW | {"is_stepped_up", "is_allowed_address"},
    DecisionKind.REPAYMENT: ROW | {"overdue_minor", "late_spells_365d"},
}
GIVEN = frozenset[str]().union(*HANDED_IN.values())
COUNTED = frozenset({"applications_24h"})  # the features that are counted when somebody applies


def is_handed_in(kind: DecisionKind, name: str) -> bool:
    """Return whether a decision of a kind may ever know an input."""
    if name in GIVEN:
        return name in HANDED_IN[kind]
    return kind is not DecisionKind.APPLICATION or name in COUNTED

"""Policies for tests: a vocabulary of the shipped names, and texts around a few lines."""

from fenqi.core.risk.input import Input, Purpose, Unit
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.risk.policy.read import read

ALL = frozenset(Purpose)
GUARD = frozenset({Purpose.FRAUD})
UNITS = {
    Unit.FLAG: "is_held needs_step_up is_stepped_up is_allowed_address is_student",
    Unit.MINOR: (
        "limit_minor used_minor available_minor amount_minor income_evidenced_minor "
        "income_declared_minor obligations_monthly_minor bureau_open_credit_minor "
        "purchase_amount_24h purchase_amount_30d purchase_amount_max_90d largest_payment_365d"
    ),
    Unit.PPM: (
        "utilisation_ppm night_purchase_share_30d partial_payment_share_180d refund_share_90d "
        "risky_basket_share_30d"
    ),
    Unit.DAYS: (
        "overdue_days account_age_days bureau_worst_overdue_days bureau_age_days "
        "days_since_phone_change days_since_device_change days_since_last_purchase "
        "days_since_first_purchase days_since_last_payment"
    ),
    Unit.POINTS: "bureau_score score_points",
    Unit.COUNT: (
        "instalment_count age_years bureau_enquiries_30d bureau_overdue_accounts purchases_1h "
        "purchases_24h purchases_7d purchases_30d merchants_30d declines_24h applications_24h "
        "logins_24h night_logins_30d accounts_per_ip_10m accounts_per_ip_24h "
        "accounts_per_device_7d accounts_per_device_30d devices_30d device_changes_2d "
        "phone_changes_2d card_changes_7d address_changes_30d device_changes_after_borrowing_2d "
        "phone_changes_after_borrowing_2d card_changes_after_borrowing_7d failed_payments_30d "
        "channel_failures_30d payments_90d payments_late_180d payments_on_time_365d "
        "extensions_365d deferrals_365d refunds_90d basket_categories_30d complaints_90d "
        "overdue_episodes_365d"
    ),
}
CHOICES = {
    "account_status": ("open", "frozen", "closed"),
    "regime": ("normal", "easing", "tight"),
}
PURPOSES = {
    "channel_failures_30d": frozenset({Purpose.SERVICE}),
    "complaints_90d": frozenset({Purpose.SERVICE}),
    "accounts_per_ip_10m": GUARD,
    "accounts_per_ip_24h": GUARD,
}
WEAK = ("accounts_per_ip_10m", "accounts_per_ip_24h")


def _vocabulary() -> dict[str, Input]:
    units = {name: unit for unit, listed in UNITS.items() for name in listed.split()}
    units |= dict.fromkeys(CHOICES, Unit.CHOICE)
    return {
        name: Input(
            name,
            unit,
            PURPOSES.get(name, ALL),
            CHOICES.get(name, ()),
            is_weak=name in WEAK,
        )
        for name, unit in units.items()
    }


VOCABULARY = _vocabulary()

HEAD = """
id = "tried"
version = 1
kind = "purchase"
purpose = "credit"
owner = "risk"
author = "the risk desk"
valid_from = 2026-01-01
"""
REASON = """
[[reasons]]
code = "{code}"
zh = "原因"
en = "A reason."
"""


def one_rule(policy_id: str, when: str, effect: str, *, reason: str, version: int = 1) -> str:
    """Return the text of a policy of purchases that has one rule, with its reason."""
    return f"""
id = "{policy_id}"
version = {version}
kind = "purchase"
purpose = "credit"
owner = "risk"
author = "Li Wei"
valid_from = 2026-01-01

[[rules]]
id = "{reason}"
when = "{when}"
effects = [{{ effect = "{effect}" }}]
reason = "{reason}"
{REASON.format(code=reason)}"""


def policy_text(body: str, *, reasons: str = "busy late", head: str = HEAD) -> str:
    """Return a policy's text around rules and tables, with some reasons."""
    return head + "".join(REASON.format(code=code) for code in reasons.split()) + body


def policy(body: str, *, reasons: str = "busy late") -> Policy:
    """Return a policy of these rules and tables."""
    return read(policy_text(body, reasons=reasons), VOCABULARY, file="tried.toml")

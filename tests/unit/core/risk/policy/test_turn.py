"""What would change a decision is one true, nearest change, or nothing."""

from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.risk.policy.rows import compile_row
from fenqi.core.risk.policy.turn import Turn, turned
from make_policy import policy


def rule(name: str, when: str, more: str = 'effects = [{effect = "decline"}]') -> str:
    return f'[[rules]]\nid = "{name}"\nwhen = "{when}"\nreason = "late"\n{more}\n'


def turn(made: Policy, **given: Value) -> Turn | None:
    return turned(made, compile_row(made), made.row(given))


def test_the_amount_that_would_fit_is_told() -> None:
    made = policy(rule("over", "used_minor + amount_minor > limit_minor"))
    assert turn(made, used_minor=900, amount_minor=500, limit_minor=1000) == Turn(
        "limit_minor", 1000, 1400, "approve"
    )
    assert turn(made, used_minor=0, amount_minor=1001, limit_minor=1000) == Turn(
        "amount_minor", 1001, 1000, "approve"
    )


def test_the_nearest_of_several_changes_is_told() -> None:
    made = policy(rule("busy", "purchases_24h > 5 and overdue_days > 0"))
    assert turn(made, purchases_24h=6, overdue_days=30) == Turn("purchases_24h", 6, 5, "approve")
    assert turn(made, purchases_24h=60, overdue_days=1) == Turn("purchases_24h", 60, 5, "approve")
    assert turn(made, purchases_24h=600, overdue_days=1) == Turn("purchases_24h", 600, 5, "approve")


def test_a_milder_outcome_is_a_change_too() -> None:
    hold = 'effects = [{effect = "hold", hours = 4}]'
    made = policy(
        rule("no", "overdue_days > 10 days") + rule("hold", "overdue_days > 2 days", hold)
    )
    assert turn(made, overdue_days=11) == Turn("overdue_days", 11, 10, "hold")
    assert turn(made, overdue_days=5) == Turn("overdue_days", 5, 2, "approve")


def test_shares_and_products_are_solved() -> None:
    made = policy(rule("full", "share(used_minor, limit_minor) > 90 %"))
    assert turn(made, used_minor=95_000, limit_minor=100_000) == Turn(
        "used_minor", 95_000, 90_000, "approve"
    )
    part = policy(rule("much", "amount_minor > part(limit_minor, 20 %)"))
    assert turn(part, amount_minor=30_000, limit_minor=100_000) == Turn(
        "amount_minor", 30_000, 20_000, "approve"
    )
    heavy = policy(rule("heavy", "amount_minor // instalment_count > 100.00 CNY"))
    found = turn(heavy, amount_minor=60_000, instalment_count=3)
    assert found == Turn("amount_minor", 60_000, 30_002, "approve")


def test_nobody_is_told_to_change_his_age_or_the_market() -> None:
    made = policy(rule("market", "regime == 'tight' or age_years < 18"))
    assert turn(made, regime=2, age_years=40) is None
    assert turn(made, regime=0, age_years=17) is None


def test_what_harms_nobody_needs_no_change() -> None:
    made = policy(
        rule("look", "purchases_24h > 5", 'effects = [{effect = "review", priority = 2}]')
    )
    assert turn(made, purchases_24h=6) is None
    assert turn(made) is None


def test_two_reasons_at_once_have_no_single_change() -> None:
    made = policy(rule("a", "overdue_days > 0") + rule("b", "purchases_24h > 5"))
    assert turn(made, overdue_days=1, purchases_24h=6) is None

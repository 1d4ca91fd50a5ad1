"""What would change a decision is one true, nearest change, or nothing."""

from fenqi.core.account import AccountStatus, Standing
from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.risk.policy.rows import compile_row
from fenqi.core.risk.policy.turn import Turn, turned, turned_of_judge
from make_policy import policy


def rule(name: str, when: str, more: str = 'effects = [{effect = "decline"}]') -> str:
    return f'[[rules]]\nid = "{name}"\nwhen = "{when}"\nreason = "late"\n{more}\n'


def turn(made: Policy, **given: Value) -> Turn | None:
    return turned(made, compile_row(made), made.row(given))


def test_the_amount_that_would_fit_is_told() -> None:
    made = policy(rule("over", "used_minor + amount_minor > limit_minor"))
    assert turn(made, used_minor=900, amount_minor=500, limit_minor=1000) == Turn(
        "used_minor",
        900,
        500,
        "approve",  # no customer raises a limit
    )
    assert turn(made, used_minor=0, amount_minor=1001, limit_minor=1000) == Turn(
        "amount_minor", 1001, 1000, "approve"
    )


def test_the_nearest_of_several_changes_is_told() -> None:
    made = policy(rule("much", "amount_minor > 50.00 CNY and used_minor > 10.00 CNY"))
    amount, used = (
        Turn("amount_minor", 6000, 5000, "approve"),
        Turn("used_minor", 1100, 1000, "approve"),
    )
    assert turn(made, amount_minor=6000, used_minor=3000) == amount
    assert turn(made, amount_minor=6000, used_minor=1100) == used


def test_only_what_a_customer_can_do_is_told() -> None:
    made = policy(rule("busy", "purchases_24h > 5 and overdue_days > 3 days"))
    assert turn(made, purchases_24h=6, overdue_days=30) == Turn("overdue_days", 30, 0, "approve")
    young = policy(rule("young", "account_age_days < 9 days and limit_minor < 90.00 CNY"))
    assert turn(young, account_age_days=8, limit_minor=8_999) is None
    proved = policy(rule("proved", "not is_stepped_up and overdue_days > 3 days"))
    assert turn(proved, is_stepped_up=0, overdue_days=4) == Turn("is_stepped_up", 0, 1, "approve")
    more = policy(rule("less", "amount_minor < 50.00 CNY or available_minor > 50.00 CNY"))
    assert turn(more, amount_minor=4_000, available_minor=9_000) is None  # to buy or owe more


def test_what_the_built_in_judge_asks_for_is_told() -> None:
    standing = Standing(AccountStatus.OPEN, limit_minor=1000, used_minor=900, overdue_days=0)
    assert turned_of_judge(standing, 100) is None
    assert turned_of_judge(standing, 500) == Turn("amount_minor", 500, 100, "approve")
    assert turned_of_judge(standing._replace(used_minor=1000), 1) is None
    late = standing._replace(overdue_days=4)
    assert turned_of_judge(late, 100) == Turn("overdue_days", 4, 0, "approve")
    assert turned_of_judge(late, 500) is None  # two things at once
    assert turned_of_judge(standing._replace(is_held=True), 100) is None


def test_a_milder_outcome_is_a_change_too() -> None:
    hold = 'effects = [{effect = "hold", hours = 4}]'
    made = policy(
        rule("no", "overdue_days > 10 days") + rule("hold", "overdue_days > 2 days", hold)
    )
    assert turn(made, overdue_days=11) == Turn("overdue_days", 11, 0, "approve")
    amounts = rule("no", "amount_minor > 10.00 CNY") + rule("hold", "amount_minor > 2.00 CNY", hold)
    assert turn(policy(amounts), amount_minor=1_100) == Turn("amount_minor", 1_100, 1_000, "hold")


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

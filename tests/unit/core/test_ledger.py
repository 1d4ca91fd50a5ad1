"""What a plan posts, transfer by transfer, on figures worked out by hand."""

from datetime import date

from fenqi.core.ledger import (
    CHART,
    Account,
    Postings,
    Side,
    Transfer,
    difference,
    postings,
    unearned_minor,
)
from fenqi.core.terms.product import CostBearer
from fenqi.core.terms.replay import replay
from fenqi.core.terms.schedule import Terms
from make import FIRST_DUE, START, Step, flat, later, life, pay, product, refund, terms, write_off

PLAN = terms(flat(), 120_000, 3)  # fees of 600 on the 10th of January, February and March
UNSPLIT = terms(product(merchant_discount_ppm=6_000), 100_000, 1)


def posted(
    plan: Terms, *steps: Step, through: date = START, recognised_through: date = START
) -> Postings:
    seen = replay(plan, life(plan, *steps), charged_through=through)
    return postings(plan, seen, recognised_through)


def test_every_account_has_its_line_in_the_chart_and_a_name_of_its_own() -> None:
    assert set(CHART) == set(Account)
    names = {(line.side, line.export_name) for line in CHART.values()}
    assert len(names) == len(CHART)


def test_income_is_on_the_income_side_and_names_its_tax() -> None:
    for account, line in CHART.items():
        if account.value.startswith("income-"):
            assert line.side is Side.INCOME
            assert line.tax_code in {"exempt", "standard"}


def test_lending_pays_the_merchant_and_defers_the_cost() -> None:
    assert posted(PLAN) == {
        (Account.RECEIVABLE_PRINCIPAL, Account.MERCHANT_PAYABLE): 120_000,
        (Account.RECEIVABLE_FEE, Account.DEFERRED_INCOME): 1_800,
    }


def test_the_merchant_discount_is_kept_of_what_was_not_returned() -> None:
    pair = (Account.MERCHANT_PAYABLE, Account.INCOME_MERCHANT_DISCOUNT)
    assert posted(UNSPLIT)[pair] == 600
    assert posted(UNSPLIT, refund(START, 25_000))[pair] == 450


def test_a_payment_leaves_suspense_for_what_it_paid() -> None:
    of = posted(PLAN, pay(FIRST_DUE, 122_000))
    assert of[Account.SUSPENSE, Account.RECEIVABLE_PRINCIPAL] == 120_000
    assert of[Account.SUSPENSE, Account.RECEIVABLE_FEE] == 1_800
    assert of[Account.SUSPENSE, Account.CREDIT_BALANCE] == 200


def test_cost_becomes_income_as_time_passes() -> None:
    pair = (Account.DEFERRED_INCOME, Account.INCOME_FEE)
    assert pair not in posted(PLAN)
    halfway = later(START, 18)
    assert posted(PLAN, recognised_through=halfway)[pair] == 300
    assert posted(PLAN, recognised_through=date.max)[pair] == 1_800
    seen = replay(PLAN, life(PLAN), charged_through=START)
    assert unearned_minor(PLAN, seen, halfway) == 1_500


def test_a_plan_that_ended_has_earned_all_it_was_paid() -> None:
    of = posted(PLAN, pay(START, 121_800))
    assert of[Account.DEFERRED_INCOME, Account.INCOME_FEE] == 1_800


def test_a_late_charge_is_deferred_until_it_is_paid() -> None:
    on = later(FIRST_DUE, 13)
    unpaid = posted(UNSPLIT, through=later(on, -1))
    assert unpaid[Account.RECEIVABLE_PENALTY, Account.DEFERRED_INCOME] == 450
    assert (Account.DEFERRED_INCOME, Account.INCOME_PENALTY) not in unpaid
    paid = posted(UNSPLIT, pay(on, 400))
    assert paid[Account.DEFERRED_INCOME, Account.INCOME_PENALTY] == 400


def test_a_write_off_takes_principal_from_the_allowance_and_cost_from_deferred_income() -> None:
    of = posted(PLAN, write_off(START))
    assert of[Account.ALLOWANCE, Account.RECEIVABLE_PRINCIPAL] == 120_000
    assert of[Account.DEFERRED_INCOME, Account.RECEIVABLE_FEE] == 1_800
    later_paid = posted(PLAN, write_off(START), pay(FIRST_DUE, 700))
    assert later_paid[Account.SUSPENSE, Account.RECOVERY] == 700


def test_the_lender_gives_up_the_cost_of_returned_goods() -> None:
    of = posted(PLAN, refund(START, 60_000))
    assert of[Account.MERCHANT_PAYABLE, Account.RECEIVABLE_PRINCIPAL] == 60_000
    assert of[Account.DEFERRED_INCOME, Account.RECEIVABLE_FEE] == 900


def test_a_merchant_that_bears_the_cost_pays_it_to_the_lender() -> None:
    plan = terms(flat(refund_cost_bearer=CostBearer.MERCHANT), 120_000, 3)
    of = posted(plan, refund(START, 60_000))
    assert of[Account.MERCHANT_PAYABLE, Account.RECEIVABLE_FEE] == 900
    assert of[Account.DEFERRED_INCOME, Account.INCOME_FEE] == 900


def test_money_freed_by_a_refund_is_payable_to_the_customer() -> None:
    of = posted(PLAN, pay(START, 121_800), refund(FIRST_DUE, 120_000))
    assert of[Account.SUSPENSE, Account.REFUNDS_PAYABLE] == 121_800
    assert (Account.SUSPENSE, Account.RECEIVABLE_PRINCIPAL) not in of


def test_a_difference_below_zero_is_the_same_pair_with_its_sides_swapped() -> None:
    pair = (Account.SUSPENSE, Account.RECOVERY)
    assert difference({pair: 5}, {pair: 8}) == [Transfer(*pair, 3)]
    assert difference({pair: 5}, {}) == [Transfer(Account.RECOVERY, Account.SUSPENSE, 5)]
    assert difference({pair: 5}, {pair: 5}) == []


def test_differences_come_in_one_order_whatever_the_order_posted() -> None:
    first = (Account.ALLOWANCE, Account.RECEIVABLE_PRINCIPAL)
    second = (Account.SUSPENSE, Account.RECOVERY)
    one_way = difference({}, {first: 1, second: 2})
    assert one_way == difference({}, {second: 2, first: 1})

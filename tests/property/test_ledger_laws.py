"""Laws of the books: whatever happened to a plan, its accounts say so and nothing else (M1)."""

from collections import Counter
from datetime import date

from hypothesis import assume, given
from hypothesis import strategies as st

from fenqi.core.ledger import (
    CHART,
    INCOME,
    RECEIVABLE,
    Account,
    Postings,
    Transfer,
    difference,
    postings,
    unearned_minor,
)
from fenqi.core.terms.life.state import Kind
from fenqi.core.terms.product import COST, Component, CostBearer
from fenqi.core.values.rate import Rounding, apply_ppm
from histories import History, days_of, histories
from make import later, refund

AMOUNTS = st.dictionaries(
    st.tuples(st.sampled_from(Account), st.sampled_from(Account)).filter(
        lambda pair: pair[0] is not pair[1]
    ),
    st.integers(0, 10**13),
    max_size=8,
)


def posted(history: History, recognised_through: date | None = None) -> Postings:
    seen = history.seen()
    return postings(history.terms, seen, recognised_through or history.through)


def balances(of: Postings) -> Counter[Account]:
    """Return each account's balance, debits above zero."""
    sums: Counter[Account] = Counter()
    for (debit, credit), amount in of.items():
        sums[debit] += amount
        sums[credit] -= amount
    return sums


def applied(to: Postings, transfers: list[Transfer]) -> Counter[Account]:
    """Return the balances after transfers are booked."""
    sums = balances(to)
    for one in transfers:
        sums[one.debit] += one.amount_minor
        sums[one.credit] -= one.amount_minor
    return sums


@given(histories())
def test_a_plan_posts_positive_amounts_between_two_different_accounts(history: History) -> None:
    of = posted(history)
    assert all(amount > 0 for amount in of.values())
    assert all(debit is not credit for debit, credit in of)
    assert sum(balances(of).values()) == 0
    assert all(account in CHART for pair in of for account in pair)


@given(histories())
def test_a_receivable_is_what_is_open(history: History) -> None:
    seen, sums = history.seen(), balances(posted(history))
    for component, account in RECEIVABLE.items():
        assert sums[account] == seen.open_of(component)


@given(histories())
def test_suspense_gives_out_exactly_what_came_in(history: History) -> None:
    assert balances(posted(history))[Account.SUSPENSE] == history.money_in


@given(histories())
def test_what_is_the_customers_is_owed_to_the_customer(history: History) -> None:
    seen, sums = history.seen(), balances(posted(history))
    assert sums[Account.CREDIT_BALANCE] == -seen.excess_minor
    assert sums[Account.REFUNDS_PAYABLE] == -seen.returned_minor
    assert sums[Account.RECOVERY] == -seen.recovered_minor


@given(histories())
def test_only_principal_given_up_is_taken_from_the_allowance(history: History) -> None:
    seen, sums = history.seen(), balances(posted(history))
    assert sums[Account.ALLOWANCE] == seen.total("written_off", Component.PRINCIPAL)


@given(histories())
def test_the_merchant_is_paid_for_what_was_kept_less_its_discount(history: History) -> None:
    product = history.terms.product
    kept = history.terms.principal_minor - history.refunded
    discount = apply_ppm(kept, product.merchant_discount_ppm, rounding=Rounding.HALF_EVEN)
    cost_borne = 0
    if product.refund_cost_bearer is CostBearer.MERCHANT:
        relieved = history.seen().relieved_by().get(Kind.MERCHANT_REFUND, [0, 0, 0, 0])
        cost_borne = sum(relieved[component] for component in COST)
    sums = balances(posted(history))
    assert -sums[Account.MERCHANT_PAYABLE] == kept - discount - cost_borne
    assert -sums[Account.INCOME_MERCHANT_DISCOUNT] == discount


@given(histories(), st.data())
def test_deferred_income_is_never_overdrawn_and_ends_with_the_open_late_charge(
    history: History, data: st.DataObject
) -> None:
    seen = history.seen()
    penalty = seen.open_of(Component.PENALTY)
    through = data.draw(days_of(history.terms))
    running = balances(posted(history, through))
    assert -running[Account.DEFERRED_INCOME] >= penalty
    unearned = unearned_minor(history.terms, seen, through)
    assert -running[Account.DEFERRED_INCOME] == unearned + penalty
    at_end = balances(posted(history, history.terms.due_on[-1]))
    assert -at_end[Account.DEFERRED_INCOME] == penalty


@given(histories(), st.data())
def test_income_only_grows_as_time_is_recognised(history: History, data: st.DataObject) -> None:
    days = days_of(history.terms)
    first, last = sorted((data.draw(days), data.draw(days)))
    before, after = balances(posted(history, first)), balances(posted(history, last))
    for account in INCOME.values():
        assert 0 <= -before[account] <= -after[account]
    changed = {account for account in CHART if before[account] != after[account]}
    assert changed <= {
        Account.DEFERRED_INCOME,
        Account.INCOME_INTEREST,
        Account.INCOME_FEE,
    }


@given(histories())
def test_a_late_charge_is_income_when_it_is_paid(history: History) -> None:
    paid = history.seen().total("paid", Component.PENALTY)
    assert -balances(posted(history))[Account.INCOME_PENALTY] == paid


@given(histories(), st.data())
def test_returned_goods_leave_only_what_their_bearer_gave(
    history: History, data: st.DataObject
) -> None:
    left = history.terms.principal_minor - history.refunded
    assume(left)
    refunded = history.then(refund(later(history.last_on, data.draw(st.integers(0, 99))), left))
    sums = balances(posted(refunded, date.max))
    income = -sum(sums[account] for account in INCOME.values())
    # The customer paid nothing net, so all income left is cost the merchant gives back.
    assert income == sums[Account.MERCHANT_PAYABLE]
    if history.terms.product.refund_cost_bearer is CostBearer.LENDER:
        assert income == 0
    open_accounts = {account for account, amount in sums.items() if amount}
    customers = {Account.SUSPENSE, Account.CREDIT_BALANCE, Account.REFUNDS_PAYABLE}
    assert open_accounts <= customers | {Account.MERCHANT_PAYABLE, *INCOME.values()}


@given(AMOUNTS, AMOUNTS)
def test_a_difference_leads_from_one_state_to_the_other_and_back(
    before: Postings, after: Postings
) -> None:
    there, back = difference(before, after), difference(after, before)
    assert all(one.amount_minor > 0 for one in there)
    assert +applied(before, there) == +balances(after)
    assert -applied(before, there) == -balances(after)
    swapped = [Transfer(one.credit, one.debit, one.amount_minor) for one in back]
    assert there == swapped
    assert difference(before, before) == []


@given(histories(), st.data())
def test_booking_step_by_step_ends_where_booking_at_once_does(
    history: History, data: st.DataObject
) -> None:
    """The differences of any sequence of booked states sum to the last state."""
    days = days_of(history.terms)
    booked: list[Transfer] = []
    before: Postings = {}
    for count in range(1, len(history.operations) + 1):
        so_far = History(
            history.terms, history.operations[:count], history.excused, data.draw(days)
        )
        after = posted(so_far, data.draw(days))
        booked += difference(before, after)
        before = after
    assert {account: sum_ for account, sum_ in applied({}, booked).items() if sum_} == {
        account: sum_ for account, sum_ in balances(before).items() if sum_
    }

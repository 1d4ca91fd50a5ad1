"""Laws of stored plans with what customers asked for mixed in: shown is booked, nothing is lost."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fenqi.core.errors import FenqiError
from fenqi.core.ledger import RECEIVABLE, Account, postings
from fenqi.core.terms.allowances import (
    Allowances,
    BillInstalmentRule,
    DeferralRule,
    DueDayRule,
    ExtensionRule,
    WithdrawalRule,
)
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import Operation as LifeOperation
from fenqi.core.terms.life.preview import Preview, preview
from fenqi.core.terms.life.state import Row, Status
from fenqi.core.terms.life.view import View
from fenqi.core.terms.operation import PARAMETERS, Operation, OperationKind
from fenqi.core.terms.product import Component, LateRule, ScheduleKind
from fenqi.core.terms.replay import life_of, replay, settle_quote, stored_form
from fenqi.core.terms.schedule import Terms, signed_cost
from histories import PRODUCTS, History, excused_days, plans
from make import life as begun
from make import product

OFFERED = Allowances(
    deferral=DeferralRule(days_max=10, times_a_year=3, cost_ppm=10_000, free_a_year=1),
    due_day=DueDayRule(times_a_year=2),
    extension=ExtensionRule(count_max=6, times_a_year=2, cost_ppm_per_period=5_000, free_a_year=1),
    bill_instalment=BillInstalmentRule(least_minor=1),
    withdrawal=WithdrawalRule(days=30),
)
MONEY = (OperationKind.REPAY, OperationKind.SETTLE, OperationKind.WITHDRAW)
STEPS_MAX = 6

Ask = Callable[[Life, date, int], LifeOperation]


def bill(life: Life, on: date, number: int) -> LifeOperation:
    days = sorted(row.due_on for row in life.view(on).rows if row.due_on >= on)
    return customer.bill_instalment(life, on, through=days[number % len(days)] if days else on)


ASKS: dict[str, Ask] = {
    "defer": lambda life, on, n: customer.deferral(life, on, days=n % 10 + 1),
    "day": lambda life, on, n: customer.due_day_change(life, on, day=n % 31 + 1),
    "extend": lambda life, on, n: customer.extension(
        life, on, count=n % 6 + 1, reviewed_by="officer"
    ),
    "bill": bill,
    "withdraw": lambda life, on, _: customer.withdrawal(life, on),
    "settle": lambda life, on, _: customer.settlement(life, on),
}


@dataclass(frozen=True)
class Told:
    """A history, what was shown before its last request, and the day of that."""

    history: History
    shown: Preview | None = None
    on: date | None = None

    def asked(self, ask: Ask, on: date, number: int) -> "Told":
        """Return it with a request granted, or as it is if that is refused."""
        history = self.history
        try:
            life = life_of(
                history.terms, history.operations, allowances=OFFERED, excused=history.excused
            )
            operation = ask(life, on, number)
            shown = preview(life, operation)
        except FenqiError:
            return self
        kind, amount, parameters = stored_form(operation)
        place = len(history.operations) + 1
        stored = Operation(place, kind, on, on, amount, parameters)
        return Told(replace(history, operations=[*history.operations, stored]), shown, on)

    def then(self, kind: OperationKind, on: date, amount: int, booked_on: date) -> "Told":
        operations = self.history.operations
        stored = Operation(len(operations) + 1, kind, on, booked_on, amount)
        return replace(self, history=replace(self.history, operations=[*operations, stored]))


@st.composite
def told(draw: st.DrawFn, *, ends_asked: bool = False) -> Told:
    """Draw a life in the order of its days, in which some payments and refunds are backdated."""
    offering = PRODUCTS.map(lambda one: replace(one, allowances=OFFERED))
    plan = draw(plans(offering))
    today = plan.starts_on
    history = History(plan, begun(plan), draw(excused_days(plan)), today)
    so_far = Told(history)
    whole = plan.principal_minor + signed_cost(plan)
    for _ in range(draw(st.integers(1, STEPS_MAX))):
        today += timedelta(days=draw(st.integers(0, 25)))
        what = draw(st.sampled_from([*ASKS, "pay", "pay", "refund"]))
        if what in ASKS:
            so_far = so_far.asked(ASKS[what], today, draw(st.integers(0, 60)))
            continue
        back = timedelta(days=draw(st.sampled_from([0, 0, 3, 20])))
        on = max(plan.starts_on, today - back)
        if what == "pay":
            amount = draw(st.integers(1, max(1, whole // 3)))
            so_far = so_far.then(OperationKind.REPAY, on, amount, today)
        elif left := plan.principal_minor - so_far.history.refunded:
            amount = draw(st.integers(1, left))
            so_far = so_far.then(OperationKind.REFUND, on, amount, today)
    if ends_asked:
        today += timedelta(days=draw(st.integers(0, 25)))
        what = draw(st.sampled_from(sorted(ASKS)))
        before = len(so_far.history.operations)
        so_far = so_far.asked(ASKS[what], today, draw(st.integers(0, 60)))
        assume(len(so_far.history.operations) > before)
    return replace(so_far, history=replace(so_far.history, through=today + timedelta(days=40)))


def seen(history: History) -> View:
    """Return the plan as it stands; a settlement that an earlier refund made short ends nothing."""
    try:
        return history.seen()
    except FenqiError:
        assume(False)
        raise


def figures(rows: tuple[Row, ...]) -> list[tuple[object, ...]]:
    return [
        (row.key, row.starts_on, row.due_on, row.due, row.paid, row.relieved, row.moved)
        for row in rows
    ]


@given(told(ends_asked=True))
def test_what_was_shown_is_what_the_stored_operation_books(one: Told) -> None:
    assert one.shown is not None
    assert one.on is not None
    history = one.history
    booked = replay(
        history.terms,
        history.operations,
        charged_through=one.on - timedelta(days=1),
        excused=history.excused,
    )
    assert figures(booked.rows) == figures(one.shown.after.rows)
    assert booked.excess_minor == one.shown.after.excess_minor
    assert booked.status is one.shown.after.status


@given(told())
def test_what_was_due_is_paid_relieved_written_off_moved_or_open(one: Told) -> None:
    view = seen(one.history)
    for row in view.rows:
        for part in Component:
            gone = row.paid[part] + row.relieved[part] + row.written_off[part] + row.moved[part]
            assert row.due[part] == gone + row.open(part)
            assert min(row.paid[part], row.relieved[part], row.moved[part], row.open(part)) >= 0
    assert view.total("due", Component.PRINCIPAL) == one.history.terms.principal_minor
    days = [row.due_on for row in view.rows]
    assert days == sorted(set(days))


@given(told())
def test_the_books_say_so_and_what_moves_between_plans_is_what_was_given_over(one: Told) -> None:
    history, view = one.history, seen(one.history)
    sums: Counter[Account] = Counter()
    for (debit, credit), amount in postings(history.terms, view, history.through).items():
        assert amount > 0
        sums[debit] += amount
        sums[credit] -= amount
    for component, account in RECEIVABLE.items():
        assert sums[account] == view.open_of(component)
    kinds = {kind: 0 for kind in OperationKind}
    for operation in history.operations:
        kinds[operation.kind] += operation.amount_minor
    moved_back = -sum(
        min(0, amount)
        for transaction in view.transactions
        for (_, effect), parts in transaction.lines.items()
        if effect.value == "moved"
        for amount in parts
    )
    assert sums[Account.BILL_INSTALMENT] == kinds[OperationKind.BILL_INSTALMENT] - moved_back
    assert sums[Account.SUSPENSE] == sum(kinds[kind] for kind in MONEY)
    assert sums[Account.CREDIT_BALANCE] == -view.excess_minor
    assert sums[Account.REFUNDS_PAYABLE] == -view.returned_minor


@given(told())
def test_a_plan_that_took_over_lends_what_was_given_and_pays_no_merchant(one: Told) -> None:
    history, view = one.history, seen(one.history)
    posted = postings(history.terms, view, history.through, lent_from=Account.BILL_INSTALMENT)
    assert Account.MERCHANT_PAYABLE not in {account for pair in posted for account in pair}
    sums: Counter[Account] = Counter()
    for (debit, credit), amount in posted.items():
        sums[debit] += amount
        sums[credit] -= amount
    for component, account in RECEIVABLE.items():
        assert sums[account] == view.open_of(component)


@given(told())
def test_parameters_are_the_same_after_they_were_stored(one: Told) -> None:
    for operation in one.history.operations:
        if operation.parameters is None:
            assert operation.kind not in PARAMETERS
        else:
            text = msgspec.json.encode(operation.parameters)
            read = msgspec.convert(msgspec.json.decode(text), PARAMETERS[operation.kind])
            assert read == operation.parameters


@given(told(), st.data())
def test_a_payment_found_later_never_leaves_the_customer_worse_off(
    one: Told, data: st.DataObject
) -> None:
    history = one.history
    days = st.dates(history.terms.starts_on, history.through)
    early, late = sorted((data.draw(days), data.draw(days)))
    amount = data.draw(st.integers(1, history.terms.principal_minor))
    assert owed_with(one, early, amount) <= owed_with(one, late, amount)


def owed_with(one: Told, on: date, amount: int) -> int:
    """Return what is owed, here or to a plan that took over, with one payment more."""
    view = seen(one.then(OperationKind.REPAY, on, amount, one.history.through).history)
    moved = sum(sum(row.moved) for row in view.rows)
    return view.open_minor + moved - view.excess_minor - view.returned_minor


START = date(2026, 12, 5)
DAILY = tuple(START + timedelta(days=number) for number in (1, 2, 3))


def extended(principal: int, paid: int, *, on: date, withdrawn: bool = False) -> int:
    """Return what three daily instalments owe that were extended by one, and paid on a day."""
    late = LateRule(rate_ppm_per_day=20_000, grace_days=0, cap_ppm=240_000)
    offering = product(ScheduleKind.FLAT_FEE, rate_ppm=180_000, late=late)
    plan = Terms(replace(offering, allowances=OFFERED), 3, principal, START, DAILY)
    so_far = Told(History(plan, begun(plan), frozenset(), date(2027, 1, 15)))
    so_far = so_far.asked(ASKS["extend"], DAILY[0], 0)
    if withdrawn:
        so_far = so_far.asked(ASKS["withdraw"], DAILY[0], 0)
    assert len(so_far.history.operations) == 2 + withdrawn
    return owed_with(so_far, on, paid)


@pytest.mark.parametrize("withdrawn", [False, True])
@pytest.mark.parametrize("paid", [1, 2, 31, 60, 92])
@pytest.mark.parametrize("principal", [1, 172, 20_000])
def test_a_payment_before_an_extension_never_costs_more_than_one_after_it(
    principal: int, paid: int, *, withdrawn: bool
) -> None:
    """It pays the instalments as they are then, so neither a cap nor earned cost is higher."""
    days = [START + timedelta(days=number) for number in range(41)]
    owed = [extended(principal, paid, on=on, withdrawn=withdrawn) for on in days]
    assert owed == sorted(owed)


def test_with_less_to_lay_over_more_instalments_none_asks_for_more() -> None:
    """Units that do not divide lie one by one on the last instalments, not all on one of them."""
    owed = [extended(principal, 1, on=date(2027, 1, 1)) for principal in range(60, 180)]
    assert owed == sorted(owed)


@given(told(), st.integers(0, 60))
def test_the_quote_ends_a_plan_whatever_was_asked_for_before(one: Told, days: int) -> None:
    history = one.history
    assume(seen(history).status is Status.ACTIVE)
    on = history.through + timedelta(days=days)
    quote = settle_quote(history.terms, history.operations, on, excused=history.excused)
    ended = one.then(OperationKind.SETTLE, on, quote, on).history
    view = ended.seen(through=on - timedelta(days=1))
    assert view.open_minor == 0
    assert view.status is Status.CLOSED

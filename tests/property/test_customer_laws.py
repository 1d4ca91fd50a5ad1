"""Laws of what customers ask for: previews are kept, endings leave nothing, nobody pays more."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from fenqi.core.errors import FenqiError
from fenqi.core.terms.allowances import BillInstalmentRule, DeferralRule, DueDayRule, ExtensionRule
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import Disburse, Operation, Undo
from fenqi.core.terms.life.payoff import settle_quote
from fenqi.core.terms.life.preview import preview
from fenqi.core.terms.life.state import Status
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.product import Component, Settlement
from fenqi.core.terms.replay import life_terms as signed_terms
from fenqi.core.values.day import add_months
from make import annuity, flat, product, terms
from make_life import (
    GENEROUS,
    end_early,
    figures,
    life_terms,
    next_one,
    pay,
    plan_of_bill,
    settled_by,
    totals,
)
from random_lives import Told, lives

UGLY_STARTS = [
    date(2024, 2, 29),
    date(2023, 1, 31),
    date(2024, 12, 31),
    date(2023, 2, 28),
    date(2026, 5, 15),
]
COSTLY = replace(
    GENEROUS,
    deferral=DeferralRule(days_max=14, times_a_year=9, cost_ppm=10_000),
    extension=ExtensionRule(count_max=12, times_a_year=9, cost_ppm_per_period=5_000),
)
ANYTHING = replace(
    COSTLY, due_day=DueDayRule(times_a_year=9), bill_instalment=BillInstalmentRule(least_minor=1)
)
SETTLED = (Status.CLOSED, Status.OVERPAID)


@dataclass(frozen=True)
class Case:
    """A plan and what was paid on it, by days after its start."""

    terms: LifeTerms
    amount_minor: int
    payments: tuple[tuple[int, int], ...]

    @property
    def start(self) -> date:
        return self.terms.submitted_on

    def life(self) -> Life:
        life = Life(self.terms)
        on, lent = self.start, self.amount_minor
        life.record(Disburse(number=1, on=on, booked_on=on, amount_minor=lent))
        for days, amount in self.payments:
            pay(life, on + timedelta(days=days), amount)
        return life

    @property
    def last(self) -> date:
        return self.start + timedelta(days=max((days for days, _ in self.payments), default=0))


@st.composite
def plans(draw: st.DrawFn, *, is_signed: bool | None = None) -> tuple[LifeTerms, int]:
    start = draw(st.sampled_from(UGLY_STARTS))
    count = draw(st.integers(1, 8))
    amount = draw(st.sampled_from([count, 999]) | st.integers(20_000, 300_000))
    rules = {
        "allowances": draw(st.sampled_from([GENEROUS, COSTLY])),
        "settlement": settled_by(draw(st.sampled_from(Settlement))),
    }
    if draw(st.booleans()) if is_signed is None else is_signed:
        of = draw(st.sampled_from([flat(), annuity(), product()]))
        first = add_months(start, 1)
        signed = signed_terms(terms(of, amount, count, starts_on=start, first_due_on=first))
        return replace(signed, rules=replace(signed.rules, **rules)), amount
    agreed = life_terms(
        draw(st.sampled_from(["0", "0.12", "0.36"])),
        count,
        digits=draw(st.sampled_from([0, 2, 3])),
        start=start,
        recalculates=draw(st.booleans()),
        **rules,
    )
    return agreed, amount


@st.composite
def cases(draw: st.DrawFn, *, is_signed: bool | None = None, days_max: int = 200) -> Case:
    agreed, amount = draw(plans(is_signed=is_signed))
    days = st.integers(0, days_max)
    payments = draw(st.lists(st.tuples(days, st.integers(1, 60_000)), max_size=3).map(sorted))
    return Case(agreed, amount, tuple(payments))


def next_due(life: Life, on: date) -> date:
    return min((row.due_on for row in life.view(on).rows if row.due_on >= on), default=on)


ASKS: list[Callable[[Life, date], Operation]] = [
    customer.settlement,
    customer.withdrawal,
    lambda life, on: customer.deferral(life, on, days=5),
    lambda life, on: customer.due_day_change(life, on, day=30),
    lambda life, on: customer.extension(life, on, count=2, reviewed_by="officer"),
    lambda life, on: customer.bill_instalment(life, on, through=next_due(life, on)),
    lambda life, on: customer.refund(life, on, 1_000),
]


def ask(life: Life, of: Callable[[Life, date], Operation], on: date) -> Operation:
    """Return what is asked for if it is allowed; another example otherwise."""
    try:
        operation = of(life, on)
        preview(life, operation)
    except FenqiError:
        assume(False)
    return operation


def owed(life: Life, on: date) -> int:
    """Return what the customer still has to find: the open amount less what is held for them."""
    view = life.view(on)
    moved = sum(sum(row.moved) for row in view.rows)
    held = view.overpaid_minor + view.excess_minor + view.returned_minor
    return view.open_minor + moved - held


@given(cases(days_max=40), st.sampled_from(ASKS), st.integers(0, 40))
def test_what_is_shown_is_what_will_be(
    case: Case, of: Callable[[Life, date], Operation], days: int
) -> None:
    life = case.life()
    on = case.last + timedelta(days=days)
    before = figures(life.view(on))
    operation = ask(life, of, on)
    shown = preview(life, operation)
    assert figures(life.view(on)) == before
    life.record(operation)
    assert figures(life.view()) == figures(shown.after)


@given(cases(days_max=40), st.sampled_from(ASKS), st.integers(0, 40))
def test_what_fell_due_is_paid_relieved_written_off_moved_or_open(
    case: Case, of: Callable[[Life, date], Operation], days: int
) -> None:
    life = case.life()
    life.record(ask(life, of, case.last + timedelta(days=days)))
    view = life.view()
    assert totals(view)[0] == totals(view)[1]
    for row in view.rows:
        for part in Component:
            assert min(row.paid[part], row.relieved[part], row.moved[part], row.open(part)) >= 0
    principal = sum(row.due[Component.PRINCIPAL] for row in view.rows)
    assert principal == view.lent_minor


@given(cases(days_max=40), st.sampled_from(ASKS), st.integers(0, 40))
def test_what_is_undone_never_happened(
    case: Case, of: Callable[[Life, date], Operation], days: int
) -> None:
    life, on = case.life(), case.last + timedelta(days=days)
    before = figures(life.view(on))
    life.record(ask(life, of, on))
    life.record(next_one(life, Undo, on, of=len(life.recorded)))
    after = figures(life.view(on))
    for what in ("rows", "charges", "overpaid_minor", "excess_minor", "status"):
        assert after[what] == before[what]


@given(cases(), st.integers(0, 300))
def test_the_quote_ends_the_plan_and_a_unit_less_does_not(case: Case, days: int) -> None:
    life, on = case.life(), case.last + timedelta(days=days)
    assume(life.view(on).open_minor)
    quote, overpaid = settle_quote(life, on), life.view(on).overpaid_minor
    assert quote.amount_minor >= 0
    assert quote.saving_minor >= 0
    if quote.amount_minor:
        assert quote.amount_minor + quote.saving_minor == life.view(on).open_minor
        try:
            end_early(life, on, quote.amount_minor - 1)
        except FenqiError:
            pass
        else:
            raise AssertionError(quote)
    end_early(life, on, quote.amount_minor)
    assert life.view(on).open_minor == 0
    assert life.view(on).status in SETTLED
    if quote.amount_minor:  # else cost that was paid ahead and is waived can be more than is owed
        assert life.view(on).overpaid_minor == overpaid


@given(plans())
def test_the_day_of_purchase_costs_nothing(plan: tuple[LifeTerms, int]) -> None:
    case = Case(*plan, ())
    life = case.life()
    assert settle_quote(life, case.start).amount_minor == case.amount_minor
    life.record(customer.cancellation(life, case.start))
    assert life.view().open_minor == 0


@given(cases(is_signed=True), st.integers(0, 100), st.integers(0, 30))
def test_waiting_never_makes_an_ending_cheaper(case: Case, days: int, more: int) -> None:
    life, on = case.life(), case.last + timedelta(days=days)
    later = on + timedelta(days=more)
    assert settle_quote(life, on).amount_minor <= settle_quote(life, later).amount_minor


@given(
    cases(is_signed=True, days_max=20),
    st.sampled_from(ASKS),
    st.integers(0, 30),
    st.integers(1, 50_000),
)
def test_a_backdated_payment_never_costs_more(
    case: Case, of: Callable[[Life, date], Operation], days: int, amount_minor: int
) -> None:
    on = case.last + timedelta(days=days)
    late = on + timedelta(days=20)
    sums = []
    for paid_on in (case.last, late):
        life = case.life()
        life.record(ask(life, of, on))
        pay(life, paid_on, amount_minor, booked_on=late)
        sums.append(owed(life, late))
    assert sums[0] <= sums[1]


@given(cases(), st.integers(0, 60), st.integers(1, 20_000), st.integers(1, 20_000))
def test_payments_of_one_day_count_alike_in_any_order(
    case: Case, days: int, one: int, other: int
) -> None:
    lives = [case.life(), case.life()]
    on = case.last + timedelta(days=days)
    for life, amounts in zip(lives, ((one, other), (other, one)), strict=True):
        for amount in amounts:
            pay(life, on, amount)
    rows = [figures(life.view())["rows"] for life in lives]
    assert rows[0] == rows[1]


@given(cases(is_signed=True, days_max=15), st.integers(1, 31), st.integers(0, 12))
def test_what_is_free_raises_nothing_and_moves_no_day_earlier(
    case: Case, day: int, days: int
) -> None:
    life, on = case.life(), case.last + timedelta(days=days)
    operation = ask(life, lambda plan, at: customer.due_day_change(plan, at, day=day), on)
    shown = preview(life, operation)
    assert shown.cost_minor == 0
    pairs = list(zip(shown.before.rows, shown.after.rows, strict=True))
    assert all(after.due_on >= before.due_on for before, after in pairs)
    assert [row.due for row, _ in pairs] == [row.due for _, row in pairs]


@given(cases(days_max=15), st.integers(0, 12))
def test_a_deferral_costs_what_was_disclosed(case: Case, days: int) -> None:
    assume(not case.terms.rules.recalculates)
    life, on = case.life(), case.last + timedelta(days=days)
    operation = ask(life, lambda plan, at: customer.deferral(plan, at, days=3), on)
    shown = preview(life, operation)
    assert shown.cost_minor == operation.cost_minor  # type: ignore[attr-defined] # a deferral


@given(cases(days_max=15), st.integers(0, 12))
def test_what_a_statement_asks_for_is_lent_by_the_new_plan(case: Case, days: int) -> None:
    life, on = case.life(), case.last + timedelta(days=days)
    operation = ask(
        life, lambda plan, at: customer.bill_instalment(plan, at, through=next_due(plan, at)), on
    )
    before = owed(life, on)
    bill = plan_of_bill(life_terms("0.10", 3, start=on), [operation])  # type: ignore[list-item] # a bill
    life.record(operation)
    moved = sum(sum(row.moved) for row in life.view(on).rows)
    assert moved == bill.view().lent_minor
    if not case.terms.rules.recalculates:
        assert owed(life, on) == before


@given(lives(), st.integers(0, 90), st.sampled_from(Settlement))
def test_the_quote_ends_whatever_has_happened_before(
    told: Told, days: int, method: Settlement
) -> None:
    rules = replace(told.terms.rules, settlement=settled_by(method))
    life = replace(told, terms=replace(told.terms, rules=rules)).life()
    on = told.today + timedelta(days=days)
    assume(life.walk.rows and life.view(on).open_minor)
    quote, overpaid = settle_quote(life, on), life.view(on).overpaid_minor
    twin = life.copy()
    for one in (life, twin):
        end_early(one, on, quote.amount_minor)
    assert figures(life.view(on)) == figures(twin.view(on))
    assert quote.saving_minor >= 0
    assert all(row.open(part) == 0 for row in life.view(on).rows for part in Component)
    if quote.amount_minor:
        assert life.view(on).overpaid_minor == overpaid


@given(lives(), st.sampled_from(ASKS[:-1]), st.integers(0, 30))
def test_principal_is_kept_whatever_has_happened_before(
    told: Told, of: Callable[[Life, date], Operation], days: int
) -> None:
    rules = replace(told.terms.rules, allowances=ANYTHING)
    life = replace(told, terms=replace(told.terms, rules=rules)).life()
    on = told.today + timedelta(days=days)
    before = life.view(on)
    try:
        shown = preview(life, of(life, on))
    except FenqiError:
        return
    principals = [sum(row.due[0] for row in view.rows) for view in (before, shown.after)]
    assert principals[0] == principals[1]
    assert totals(shown.after)[0] == totals(shown.after)[1]
    days_due = [row.due_on for row in shown.after.rows]
    assert days_due == sorted(days_due)

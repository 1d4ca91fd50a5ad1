"""What customers ask for: deferral, another due day, extension, bill instalment, withdrawal."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from fenqi.core.errors import Conflict, FenqiError, Invalid
from fenqi.core.terms.allowances import (
    NOTHING_OFFERED,
    Allowances,
    DeferralRule,
    ExtensionRule,
)
from fenqi.core.terms.amortise.settings import Interval, Unit
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    AddCharge,
    BillInstalment,
    ChangeDueDay,
    Defer,
    Extend,
    Operation,
    Settle,
    Undo,
    WaiveCharge,
)
from fenqi.core.terms.life.payoff import settle_quote
from fenqi.core.terms.life.preview import preview
from fenqi.core.terms.life.redate import days_on
from fenqi.core.terms.life.refusal import OperationSenseless, OperationUntimely
from fenqi.core.terms.life.rules import DownPayment
from fenqi.core.terms.life.state import Status
from fenqi.core.terms.product import Component
from fenqi.core.values.day import add_months
from make_life import (
    GENEROUS,
    START,
    end_early,
    figures,
    life_of,
    life_terms,
    next_one,
    pay,
    plan_of_bill,
    totals,
)

SOON = date(2026, 1, 20)
FIRST_DUE = date(2026, 2, 15)
COSTLY = Allowances(
    deferral=DeferralRule(days_max=14, times_a_year=2, cost_ppm=10_000),
    extension=ExtensionRule(count_max=12, times_a_year=1, cost_ppm_per_period=5_000),
)


def plan(allowances: Allowances = GENEROUS, *, recalculates: bool = False) -> Life:
    return life_of(life_terms(allowances=allowances, recalculates=recalculates))


def due_days(life: Life) -> list[date]:
    return [row.due_on for row in life.view().rows]


def asked(life: Life) -> int:
    return sum(sum(row.due) for row in life.view().rows)


ASKS: dict[str, Callable[[Life], Operation]] = {
    "settlement": lambda life: customer.settlement(life, SOON),
    "cancellation": lambda life: customer.cancellation(life, START),
    "withdrawal": lambda life: customer.withdrawal(life, SOON),
    "deferral": lambda life: customer.deferral(life, SOON, days=7),
    "due day": lambda life: customer.due_day_change(life, SOON, day=25),
    "extension": lambda life: customer.extension(life, SOON, count=3, reviewed_by="officer"),
    "bill instalment": lambda life: customer.bill_instalment(life, SOON, through=FIRST_DUE),
    "refund": lambda life: customer.refund(life, SOON, 10_000),
}


@pytest.mark.parametrize("recalculates", [False, True])
@pytest.mark.parametrize("ask", ASKS.values(), ids=list(ASKS))
def test_what_is_previewed_is_what_is_recorded(
    ask: Callable[[Life], Operation], *, recalculates: bool
) -> None:
    life = plan(recalculates=recalculates)
    operation, before = ask(life), figures(life.view())
    shown = preview(life, operation)
    assert figures(life.view()) == before
    assert life.recorded[1:] == []
    life.record(operation)
    assert figures(life.view()) == figures(shown.after)
    assert totals(life.view())[0] == totals(life.view())[1]


@pytest.mark.parametrize("recalculates", [False, True])
@pytest.mark.parametrize("ask", ASKS.values(), ids=list(ASKS))
def test_undone_it_never_happened(ask: Callable[[Life], Operation], *, recalculates: bool) -> None:
    life, other = plan(recalculates=recalculates), plan(recalculates=recalculates)
    life.record(ask(life))
    life.record(next_one(life, Undo, SOON, of=2))
    assert [figures(life.view(SOON))["rows"]] == [figures(other.view(SOON))["rows"]]
    assert life.view().open_minor == other.view().open_minor


def test_a_deferred_instalment_falls_due_later_and_the_others_do_not() -> None:
    life = plan()
    before = due_days(life)
    shown = preview(life, customer.deferral(life, SOON, days=10))
    assert [row.due_on for row in shown.after.rows] == [date(2026, 2, 25), *before[1:]]
    assert shown.cost_minor == 0


def test_a_deferral_may_cost_what_was_disclosed() -> None:
    life = plan(COSTLY)
    deferral = customer.deferral(life, SOON, days=10)
    assert deferral.cost_minor == 207  # 1 % of 207.06, the fraction dropped
    assert preview(life, deferral).cost_minor == 207
    with pytest.raises(OperationSenseless) as refusal:
        life.record(replace(deferral, cost_minor=0))
    assert refusal.value.fields["disclosed"] == 207
    life.record(deferral)
    (charge,) = life.view().charges
    assert (charge.name, charge.amount_minor, charge.due_on) == (
        "deferral",
        207,
        date(2026, 2, 25),
    )
    life.record(next_one(life, WaiveCharge, SOON, charge=2))
    assert life.view().open_minor == plan().view().open_minor


def test_where_interest_follows_the_balance_a_deferral_shows_its_interest() -> None:
    life = plan(recalculates=True)
    shown = preview(life, customer.deferral(life, SOON, days=10))
    assert 0 < shown.cost_minor < 200
    assert shown.after.rows[0].due[Component.INTEREST] > shown.before.rows[0].due[1]


def test_a_third_deferral_in_a_year_is_refused_and_a_year_later_it_is_not() -> None:
    life = life_of(life_terms(count=24, allowances=GENEROUS))
    for month in (1, 2):
        life.record(customer.deferral(life, date(2026, month, 20), days=7))
        pay(life, date(2026, month + 1, 22), 6_000)
    third = customer.deferral(life, date(2026, 3, 22), days=7)
    before = figures(life.view())
    with pytest.raises(OperationUntimely) as refusal:
        life.record(third)
    assert refusal.value.fields == {
        "operation": 6,
        "reason": "as often as a year allows",
        "used": 2,
        "allowed": 2,
    }
    assert figures(life.view()) == before
    for month in range(4, 14):
        pay(life, add_months(date(2026, 1, 15), month - 1), 6_000)
    life.record(customer.deferral(life, date(2027, 1, 21), days=7))


def test_an_undone_deferral_does_not_count() -> None:
    life = plan(replace(GENEROUS, deferral=DeferralRule(days_max=14, times_a_year=1)))
    life.record(customer.deferral(life, SOON, days=7))
    life.record(next_one(life, Undo, SOON, of=2))
    life.record(customer.deferral(life, SOON, days=3))
    assert due_days(life)[0] == date(2026, 2, 18)


def test_a_backdated_payment_in_full_leaves_nothing_to_defer() -> None:
    life, other = plan(COSTLY), plan(COSTLY)
    life.record(customer.deferral(life, SOON, days=7))
    pay(life, date(2026, 1, 18), 20_706, booked_on=date(2026, 1, 22))
    pay(other, date(2026, 1, 18), 20_706, booked_on=date(2026, 1, 22))
    assert figures(life.view())["rows"] == figures(other.view())["rows"]
    assert life.view().charges == ()


def test_a_backdated_payment_in_part_makes_a_deferral_cheaper() -> None:
    life = plan(COSTLY)
    life.record(customer.deferral(life, SOON, days=7))
    pay(life, date(2026, 1, 18), 10_706, booked_on=date(2026, 1, 22))
    assert [one.amount_minor for one in life.view().charges] == [100]


def test_another_due_day_is_never_earlier_and_costs_nothing_as_signed() -> None:
    life = plan()
    shown = preview(life, customer.due_day_change(life, SOON, day=10))
    assert [row.due_on for row in shown.after.rows][:2] == [date(2026, 3, 10), date(2026, 4, 10)]
    assert shown.cost_minor == 0


@pytest.mark.parametrize(
    ("due_on", "day", "wanted"),
    [
        ([date(2024, 1, 31), date(2024, 2, 29)], 31, [date(2024, 1, 31), date(2024, 2, 29)]),
        ([date(2024, 1, 31), date(2024, 2, 29)], 30, [date(2024, 2, 29), date(2024, 3, 30)]),
        ([date(2023, 1, 15), date(2023, 2, 15)], 31, [date(2023, 1, 31), date(2023, 2, 28)]),
        ([date(2023, 2, 28), date(2023, 3, 31)], 28, [date(2023, 3, 28), date(2023, 4, 28)]),
        ([date(2024, 12, 20), date(2025, 1, 20)], 5, [date(2025, 1, 5), date(2025, 2, 5)]),
    ],
)
def test_due_days_keep_their_day_through_short_months(
    due_on: list[date], day: int, wanted: list[date]
) -> None:
    assert days_on(due_on, day, every=1) == wanted


def test_instalments_met_keep_their_day() -> None:
    life = plan()
    pay(life, SOON, 20_706)
    life.record(customer.due_day_change(life, date(2026, 1, 25), day=20))
    assert due_days(life)[:2] == [FIRST_DUE, date(2026, 3, 20)]


def test_an_extension_shares_what_is_open_over_more_instalments() -> None:
    life = plan()
    shown = preview(life, customer.extension(life, SOON, count=6, reviewed_by="officer"))
    rows = shown.after.rows
    assert len(rows) == 12
    assert [row.due_on for row in rows][-1] == date(2027, 1, 15)
    assert [row.open_minor for row in rows] == [10_000 + 352] + [10_000 + 353] * 11  # of 4,235
    assert shown.cost_minor == 0


def test_what_was_paid_ahead_of_an_extension_pays_the_new_instalments_in_their_order() -> None:
    life = plan()
    pay(life, SOON, 20_706 + 5_000)
    life.record(customer.extension(life, SOON, count=6, reviewed_by="officer"))
    rows = life.view().rows
    assert {sum(row.due) for row in rows} == {10_352, 10_353}
    assert [sum(row.paid) for row in rows[:4]] == [10_352, 10_353, 5_001, 0]
    shifted = life.view().transactions[-1]
    assert (shifted.amount_minor, sum(shifted.parts)) == (0, 0)


def test_an_extension_keeps_month_ends() -> None:
    start = date(2024, 10, 31)
    life = life_of(life_terms(count=4, allowances=GENEROUS, start=start), on=start)
    assert due_days(life)[-1] == date(2025, 2, 28)
    life.record(customer.extension(life, start, count=2, reviewed_by="officer"))
    assert due_days(life)[-2:] == [date(2025, 3, 31), date(2025, 4, 30)]


@pytest.mark.parametrize("recalculates", [True, False])
@pytest.mark.parametrize(("start_day", "asked_day"), [(31, 28), (31, 30), (31, 10), (15, 25)])
def test_an_extension_keeps_the_day_that_was_asked_for(
    start_day: int, asked_day: int, *, recalculates: bool
) -> None:
    start = date(2024, 10, start_day)
    agreed = life_terms(count=4, allowances=GENEROUS, start=start, recalculates=recalculates)
    life = life_of(agreed, on=start)
    life.record(customer.due_day_change(life, start, day=asked_day))
    life.record(customer.extension(life, start, count=3, reviewed_by="officer"))
    last = due_days(life)[3]
    later = [add_months(last, number, anchor_day=asked_day) for number in (1, 2, 3)]
    assert due_days(life)[4:] == later


def test_an_extension_of_a_single_instalment_keeps_the_day_it_was_counted_from() -> None:
    start = date(2024, 1, 31)
    life = life_of(life_terms(count=1, allowances=GENEROUS, start=start), on=start)
    life.record(customer.extension(life, start, count=2, reviewed_by="officer"))
    assert due_days(life) == [date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]


def test_a_waived_charge_may_turn_out_never_to_have_been() -> None:
    life = plan(COSTLY)
    life.record(customer.extension(life, SOON, count=2, reviewed_by="officer"))
    life.record(next_one(life, WaiveCharge, SOON, charge=2))
    pay(life, START, 200_000, booked_on=SOON)
    assert life.view().charges == ()
    assert life.view().open_minor == 0


def test_an_extension_may_cost_and_it_falls_due_last() -> None:
    life = plan(COSTLY)
    shown = preview(life, customer.extension(life, SOON, count=2, reviewed_by="officer"))
    assert shown.cost_minor == 1_200  # 0.5 % of 1,200.00, twice
    assert shown.after.rows[-1].due[Component.FEE] == 1_200


def test_an_extension_on_the_first_day_keeps_principal_and_down_payment() -> None:
    down = DownPayment(share_ppm=250_000, is_collected_at_once=False)
    agreed = life_terms(count=1, allowances=GENEROUS, recalculates=True, down_payment=down)
    life = life_of(agreed)
    life.record(customer.extension(life, START, count=2, reviewed_by="officer"))
    rows = life.view().rows
    principals = [row.due[Component.PRINCIPAL] for row in rows]
    assert (principals[0], sum(principals), len(rows)) == (30_000, 120_000, 4)


def test_what_is_overdue_stays_due_in_an_extension() -> None:
    life = plan()
    on = date(2026, 2, 20)
    life.record(customer.extension(life, on, count=3, reviewed_by="officer"))
    rows = life.view().rows
    assert rows[0].open_minor == 20_706
    assert len(rows) == 9


def test_charges_stay_where_they_are_in_an_extension() -> None:
    life = plan()
    due_on = date(2026, 3, 1)
    charge = {"name": "letter", "is_penalty": False, "due_on": due_on, "amount_minor": 50}
    life.record(next_one(life, AddCharge, SOON, **charge))
    life.record(customer.extension(life, SOON, count=3, reviewed_by="officer"))
    assert [row.due[Component.FEE] for row in life.view().rows] == [0, 50, *[0] * 7]


def test_a_bill_becomes_a_plan_and_the_old_rows_show_it_as_moved() -> None:
    life = plan()
    operation = customer.bill_instalment(life, date(2026, 2, 1), through=FIRST_DUE)
    assert operation.amount_minor == 20_706
    bill = plan_of_bill(life_terms("0.10", 3), [operation])
    life.record(operation)
    rows = life.view().rows
    assert sum(rows[0].moved) == 20_706
    assert sum(map(sum, (row.paid for row in rows))) == 0
    assert life.view().lent_minor == 120_000
    assert bill.view().lent_minor == 20_706
    assert bill.view().rows[0].due_on == date(2026, 3, 1)


def test_a_bill_of_several_plans_becomes_one() -> None:
    lives = [plan(), plan()]
    bills = [customer.bill_instalment(life, SOON, through=FIRST_DUE) for life in lives]
    bill = plan_of_bill(life_terms("0", 4), bills)
    assert bill.view().lent_minor == 2 * 20_706


def test_what_was_paid_before_the_bill_was_moved_is_overpaid() -> None:
    life = plan()
    life.record(customer.bill_instalment(life, date(2026, 2, 1), through=FIRST_DUE))
    pay(life, SOON, 706, booked_on=date(2026, 2, 2))
    view = life.view()
    assert sum(sum(row.moved) for row in view.rows) == 20_000
    assert view.overpaid_minor == 706


def test_a_plan_whose_bill_was_moved_can_be_settled() -> None:
    life = plan()
    on = date(2026, 2, 1)
    life.record(customer.bill_instalment(life, on, through=FIRST_DUE))
    settlement = customer.settlement(life, on)
    assert settlement.amount_minor == 120_000 - 19_506
    life.record(settlement)
    assert life.view().status is Status.CLOSED


def test_a_withdrawal_asks_for_interest_by_the_day_and_no_fee() -> None:
    life = plan()
    fee = {"name": "set-up", "is_penalty": False, "due_on": START, "amount_minor": 500}
    life.record(next_one(life, AddCharge, START, **fee))
    withdrawal = customer.withdrawal(life, date(2026, 1, 25))
    assert withdrawal.amount_minor == 120_000 + 1_200 * 10 // 31
    life.record(withdrawal)
    assert life.view().status is Status.CLOSED


def test_a_fee_paid_before_the_withdrawal_comes_off() -> None:
    life = plan()
    fee = {"name": "set-up", "is_penalty": False, "due_on": START, "amount_minor": 500}
    life.record(next_one(life, AddCharge, START, **fee))
    pay(life, START, 500)
    withdrawal = customer.withdrawal(life, START)
    assert withdrawal.amount_minor == 119_500
    life.record(withdrawal)
    (charge,) = life.view().charges
    assert (charge.paid_minor, charge.waived_minor, charge.open_minor) == (0, 500, 0)


def test_the_last_day_to_withdraw_is_the_fourteenth_after_the_contract() -> None:
    life = plan()
    last = START + timedelta(days=14)
    preview(life, customer.withdrawal(life, last))
    with pytest.raises(OperationUntimely) as refusal:
        preview(life, customer.withdrawal(life, last + timedelta(days=1)))
    assert refusal.value.fields["last"] == last


def test_a_plan_is_cancelled_on_its_own_day_only() -> None:
    life = plan(NOTHING_OFFERED)
    cancellation = customer.cancellation(life, START)
    assert cancellation.amount_minor == 120_000
    with pytest.raises(OperationUntimely):
        customer.cancellation(life, START + timedelta(days=1))


SENSELESS: dict[str, tuple[type[FenqiError], type[Operation], dict[str, object]]] = {
    "settlement short": (Conflict, Settle, {"amount_minor": 100}),
    "settlement below zero": (Invalid, Settle, {"amount_minor": -1}),
    "settled before it began": (
        Invalid,
        Settle,
        {"amount_minor": 500_000, "on": START - timedelta(days=1)},
    ),
    "no such instalment": (Invalid, Defer, {"due_on": SOON, "days": 3}),
    "deferred by no day": (Invalid, Defer, {"due_on": FIRST_DUE, "days": 0}),
    "deferred by less": (Invalid, Defer, {"due_on": FIRST_DUE, "days": -3}),
    "deferred too long": (Invalid, Defer, {"due_on": FIRST_DUE, "days": 15}),
    "undisclosed cost": (Invalid, Defer, {"due_on": FIRST_DUE, "days": 3, "cost_minor": 5}),
    "day 0": (Invalid, ChangeDueDay, {"day": 0}),
    "day 32": (Invalid, ChangeDueDay, {"day": 32}),
    "the same day": (Invalid, ChangeDueDay, {"day": 15}),
    "no more instalments": (Invalid, Extend, {"count": 0, "reviewed_by": "officer"}),
    "too many": (Invalid, Extend, {"count": 13, "reviewed_by": "officer"}),
    "not reviewed": (Invalid, Extend, {"count": 1, "reviewed_by": " "}),
    "nothing billed": (Conflict, BillInstalment, {"amount_minor": 1, "through": SOON}),
    "another amount": (Invalid, BillInstalment, {"amount_minor": 1, "through": FIRST_DUE}),
    "a bill of the past": (Invalid, BillInstalment, {"amount_minor": 1, "through": START}),
    "dated ahead": (Invalid, Extend, {"count": 1, "reviewed_by": "a", "booked_on": START}),
}


@pytest.mark.parametrize("case", SENSELESS.values(), ids=list(SENSELESS))
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    case: tuple[type[FenqiError], type[Operation], dict[str, object]],
) -> None:
    family, kind, fields = case
    life = plan()
    before = figures(life.view())
    with pytest.raises(family) as refusal:
        life.record(next_one(life, kind, **{"on": SOON, **fields}))
    assert "reason" in refusal.value.fields
    assert figures(life.view()) == before
    assert len(life.recorded) == 1


@pytest.mark.parametrize(
    "ask",
    [ask for name, ask in ASKS.items() if name not in {"settlement", "cancellation", "refund"}],
)
def test_what_the_product_does_not_offer_is_refused(ask: Callable[[Life], Operation]) -> None:
    life = plan(NOTHING_OFFERED)
    with pytest.raises(OperationSenseless) as refusal:
        preview(life, ask(life))
    assert refusal.value.fields["reason"] == "the product does not offer it"


@pytest.mark.parametrize("name", ["deferral", "due day", "bill instalment"])
def test_nothing_is_put_off_while_something_is_overdue(name: str) -> None:
    late = date(2026, 2, 20)
    asks: dict[str, Callable[[Life], Operation]] = {
        "deferral": lambda life: customer.deferral(life, late, days=7),
        "due day": lambda life: customer.due_day_change(life, late, day=25),
        "bill instalment": lambda life: customer.bill_instalment(
            life, late, through=date(2026, 3, 15)
        ),
    }
    life = plan()
    with pytest.raises(OperationUntimely) as refusal:
        life.record(asks[name](life))
    assert refusal.value.fields["due_on"] == FIRST_DUE


def test_a_deferral_stays_before_the_next_instalment() -> None:
    weekly = life_terms(allowances=GENEROUS, interval=Interval(1, Unit.WEEKS))
    life = life_of(weekly)
    with pytest.raises(OperationSenseless) as refusal:
        life.record(customer.deferral(life, SOON, days=7))
    assert refusal.value.fields["next"] == date(2026, 1, 29)
    life.record(customer.deferral(life, SOON, days=6))
    with pytest.raises(OperationSenseless):
        life.record(customer.due_day_change(life, SOON, day=25))


def test_a_closed_plan_has_nothing_to_put_off() -> None:
    life = plan()
    end_early(life, SOON, settle_quote(life, SOON).amount_minor)
    for ask in (
        lambda: customer.deferral(life, SOON, days=7),
        lambda: preview(life, customer.due_day_change(life, SOON, day=20)),
        lambda: preview(life, customer.extension(life, SOON, count=1, reviewed_by="a")),
        lambda: preview(life, customer.bill_instalment(life, SOON, through=FIRST_DUE)),
        lambda: preview(life, customer.withdrawal(life, SOON)),
    ):
        with pytest.raises(OperationUntimely):
            ask()

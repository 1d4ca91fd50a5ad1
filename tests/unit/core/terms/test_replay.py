"""What is owed after what happened: every rule of the replay on figures worked out by hand.

Most plans here lend 1,200.00 in three instalments of 400.00 with a fee of 6.00 each, bought on
5 December, due on the 10th of January, February and March.
"""

from dataclasses import astuple
from datetime import date

import pytest

from fenqi.core.terms.life.late import chargeable_days
from fenqi.core.terms.life.refusal import OperationSenseless, OperationUntimely
from fenqi.core.terms.life.rules import Future
from fenqi.core.terms.life.state import Effect, Status
from fenqi.core.terms.life.view import View
from fenqi.core.terms.operation import OperationKind
from fenqi.core.terms.product import Component, LateRule, ScheduleKind
from fenqi.core.terms.replay import life_terms, replay, settle_quote
from fenqi.core.terms.schedule import Terms
from fenqi.core.terms.settlement import earned_minor
from make import (
    FIRST_DUE,
    LATE,
    START,
    Step,
    flat,
    later,
    life,
    operation,
    pay,
    product,
    refund,
    settle,
    terms,
    write_off,
)

PLAN = terms(flat(), 120_000, 3)
UNSPLIT = terms(product(), 100_000, 1)
HALVES = terms(product(), 200, 2)
JANUARY, FEBRUARY, MARCH = PLAN.due_on


def lived(
    plan: Terms,
    *steps: Step,
    through: date = START,
    excused: frozenset[date] = frozenset(),
) -> View:
    return replay(plan, life(plan, *steps), charged_through=through, excused=excused)


def quoted(plan: Terms, on: date, *steps: Step) -> int:
    return settle_quote(plan, life(plan, *steps), on)


def late_charge(seen: View) -> int:
    return seen.total("due", Component.PENALTY)


def test_a_fresh_plan_owes_what_was_signed() -> None:
    seen = lived(PLAN)
    assert (seen.open_minor, seen.status) == (121_800, Status.ACTIVE)
    assert [part.due for part in seen.rows] == [[40_000, 0, 600, 0]] * 3
    assert seen.oldest_claim_due_on == JANUARY


def test_a_life_that_does_not_begin_with_a_disbursement_is_refused() -> None:
    with pytest.raises(OperationSenseless):
        replay(PLAN, [], charged_through=START)
    with pytest.raises(OperationSenseless):
        replay(PLAN, [operation(1, *pay(START, 100))], charged_through=START)


def test_a_second_disbursement_is_refused() -> None:
    with pytest.raises(OperationSenseless):
        lived(PLAN, (OperationKind.DISBURSE, JANUARY, 120_000))


@pytest.mark.parametrize(
    "kind",
    [
        OperationKind.REPAY,
        OperationKind.REFUND,
        OperationKind.SETTLE,
        OperationKind.WRITE_OFF,
    ],
)
def test_an_amount_below_zero_is_refused(kind: OperationKind) -> None:
    with pytest.raises(OperationSenseless):
        lived(PLAN, (kind, JANUARY, -1))


def test_a_payment_fills_late_charge_then_fee_then_principal() -> None:
    paid_on = date(2027, 1, 20)  # six days after the grace ended: 40600 x 6 x 0.05 % = 121.8
    first = lived(PLAN, pay(paid_on, 1_000)).rows[0]
    assert first.paid == [279, 0, 600, 121]
    assert first.open(Component.PRINCIPAL) == 39_721


def test_a_product_may_fill_principal_first() -> None:
    order = (Component.PRINCIPAL, Component.FEE, Component.INTEREST, Component.PENALTY)
    plan = terms(flat(allocation=order), 120_000, 3)
    assert lived(plan, pay(JANUARY, 40_100)).rows[0].paid == [40_000, 0, 100, 0]


@pytest.mark.parametrize("kind", ScheduleKind)
def test_no_product_counts_interest_anew_or_lets_early_money_pay_the_last_row(
    kind: ScheduleKind,
) -> None:
    """Whatever a product says, its plans keep their signed rows (docs/reference/life.md)."""
    order = (Component.PRINCIPAL, Component.FEE, Component.INTEREST, Component.PENALTY)
    lives_by = life_terms(terms(product(kind, allocation=order), 120_000, 3))
    assert not lives_by.rules.recalculates
    assert lives_by.rules.default_allocation.future is Future.NEXT
    assert not lives_by.rules.allocations
    assert lives_by.signed is not None
    assert lives_by.interest.interest_grace == 0


def test_a_payment_goes_on_to_the_next_instalment() -> None:
    seen = lived(PLAN, pay(JANUARY, 50_000))
    assert [sum(part.paid) for part in seen.rows] == [40_600, 9_400, 0]
    assert seen.oldest_claim_due_on == FEBRUARY


def test_money_above_what_is_owed_is_excess() -> None:
    seen = lived(PLAN, pay(JANUARY, 121_850))
    assert (seen.excess_minor, seen.open_minor, seen.status) == (50, 0, Status.CLOSED)
    assert seen.oldest_claim_due_on is None


def test_payment_on_the_last_day_of_grace_costs_nothing() -> None:
    last_free = later(FIRST_DUE, LATE.grace_days + 1)  # a payment counts before the day's charge
    assert late_charge(lived(UNSPLIT, pay(last_free, 100_000), through=later(last_free, 90))) == 0
    too_late = later(last_free, 1)
    assert late_charge(lived(UNSPLIT, pay(too_late, 100_000), through=too_late)) == 50


def test_the_late_charge_is_simple_and_capped() -> None:
    assert late_charge(lived(UNSPLIT, through=later(FIRST_DUE, 103))) == 100 * 50
    assert late_charge(lived(UNSPLIT, through=later(FIRST_DUE, 483))) == 24_000
    assert late_charge(lived(UNSPLIT, through=later(FIRST_DUE, 999))) == 24_000


def test_a_part_payment_lowers_the_late_charge_from_its_day_on() -> None:
    half_on = later(FIRST_DUE, 13)  # nine days on 100000, then ten on what is left
    seen = lived(UNSPLIT, pay(half_on, 50_450), through=later(FIRST_DUE, 22))
    assert seen.rows[0].paid == [50_000, 0, 0, 450]
    assert late_charge(seen) == 9 * 50 + 10 * 25


def test_fractions_of_the_late_charge_are_dropped_of_the_sum_not_of_each_day() -> None:
    plan = terms(product(), 999, 1)  # 0.4995 a day
    assert late_charge(lived(plan, through=later(FIRST_DUE, 3 + 4))) == 1
    assert late_charge(lived(plan, through=later(FIRST_DUE, 3 + 1))) == 0


def test_only_instalments_past_due_are_charged() -> None:
    seen = lived(PLAN, through=later(FEBRUARY, 3))
    assert [part.due[Component.PENALTY] for part in seen.rows] == [629, 0, 0]


def test_an_excused_day_is_not_charged_and_prolongs_the_grace() -> None:
    in_grace, after = later(FIRST_DUE, 2), later(FIRST_DUE, 10)
    through = later(FIRST_DUE, 13)
    assert late_charge(lived(UNSPLIT, through=through)) == 10 * 50
    for excused in (in_grace, after):
        assert late_charge(lived(UNSPLIT, through=through, excused=frozenset({excused}))) == 9 * 50
    due_day = frozenset({FIRST_DUE})  # the due day itself is not late anyway
    assert late_charge(lived(UNSPLIT, through=through, excused=due_day)) == 10 * 50


def test_chargeable_days_are_none_before_the_grace_ends() -> None:
    rule = LateRule(rate_ppm_per_day=1, grace_days=2, cap_ppm=1)
    counts = [
        chargeable_days(START, rule, after=START, through=later(START, days), excused=())
        for days in range(-1, 5)
    ]
    assert counts == [0, 0, 0, 0, 1, 2]


def test_a_backdated_payment_takes_its_late_charge_away() -> None:
    through = later(FIRST_DUE, 40)
    late = lived(UNSPLIT, pay(through, 101_800), through=through)
    backdated = lived(UNSPLIT, pay(through, 101_800), pay(FIRST_DUE, 100_000), through=through)
    assert late_charge(late) == 36 * 50
    assert late_charge(backdated) == 0
    assert backdated.excess_minor == 101_800


def test_operations_of_one_day_count_in_the_order_of_booking() -> None:
    first_paid = lived(UNSPLIT, pay(FIRST_DUE, 40_000), write_off(FIRST_DUE))
    first_given_up = lived(UNSPLIT, write_off(FIRST_DUE), pay(FIRST_DUE, 40_000))
    assert first_paid.rows[0].written_off == [60_000, 0, 0, 0]
    assert first_given_up.rows[0].written_off == [100_000, 0, 0, 0]
    assert first_given_up.rows[0].recovered_minor == 40_000


def test_the_time_used_is_earned_by_the_day() -> None:
    due_on = later(START, 36)
    earned = [earned_minor(600, START, due_on, later(START, days)) for days in (-1, 0, 18, 36, 99)]
    assert earned == [0, 0, 300, 600, 600]
    assert earned_minor(599, START, due_on, later(START, 18)) == 299


def test_a_pay_off_on_the_day_of_purchase_costs_nothing() -> None:
    assert quoted(PLAN, START) == 120_000
    seen = lived(PLAN, settle(START, 120_000))
    assert (seen.open_minor, seen.status) == (0, Status.CLOSED)


def test_a_pay_off_asks_for_the_running_period_by_the_day() -> None:
    halfway = later(START, 18)
    assert quoted(PLAN, halfway) == 120_300
    seen = lived(PLAN, settle(halfway, 120_300))
    assert [part.relieved[Component.FEE] for part in seen.rows] == [300, 600, 600]


def test_a_pay_off_counts_unused_time_that_was_paid_ahead() -> None:
    assert quoted(PLAN, START, pay(START, 40_600)) == 79_400
    seen = lived(PLAN, pay(START, 40_600), settle(START, 79_400))
    assert (seen.open_minor, seen.excess_minor, seen.status) == (0, 0, Status.CLOSED)


def test_unused_time_paid_ahead_beyond_what_is_owed_is_excess() -> None:
    ahead = pay(START, 121_700)
    assert quoted(PLAN, START, ahead) == 0
    seen = lived(PLAN, ahead, settle(START, 0))
    assert (seen.open_minor, seen.excess_minor) == (0, 1_700)


def test_a_payment_dated_before_a_pay_off_does_not_make_it_dearer() -> None:
    halfway = later(START, 18)
    seen = lived(PLAN, settle(halfway, 120_300), pay(START, 40_600))
    assert (seen.open_minor, seen.excess_minor) == (0, 40_600)


def test_a_pay_off_below_the_quote_is_refused() -> None:
    with pytest.raises(OperationUntimely):
        lived(PLAN, settle(START, 119_999))


def test_a_quote_before_the_start_is_refused() -> None:
    with pytest.raises(OperationSenseless):
        quoted(PLAN, later(START, -1))


def test_a_quote_asks_for_late_charges_up_to_the_day_before() -> None:
    assert quoted(UNSPLIT, later(FIRST_DUE, 13)) == 100_000 + 9 * 50


def test_a_quote_looks_at_nothing_later() -> None:
    assert quoted(PLAN, START, pay(JANUARY, 40_600)) == 120_000


def test_a_write_off_gives_up_all_that_is_open_and_keeps_the_claim() -> None:
    on = later(FIRST_DUE, 13)
    seen = lived(UNSPLIT, write_off(on), through=later(on, 400))
    assert seen.rows[0].written_off == [100_000, 0, 0, 500]
    assert (seen.open_minor, seen.claim_minor, seen.status) == (0, 100_500, Status.WRITTEN_OFF)
    assert seen.oldest_claim_due_on == FIRST_DUE
    assert quoted(UNSPLIT, later(on, 5), write_off(on)) == 100_500


def test_money_after_a_write_off_is_recovered_oldest_first() -> None:
    seen = lived(HALVES, write_off(FIRST_DUE), pay(later(FIRST_DUE, 9), 150))
    assert [part.recovered_minor for part in seen.rows] == [100, 50]
    assert seen.status is Status.WRITTEN_OFF
    whole = lived(HALVES, write_off(FIRST_DUE), pay(later(FIRST_DUE, 9), 210))
    assert (whole.excess_minor, whole.status) == (10, Status.CLOSED)


def test_a_refund_takes_unbilled_parts_first() -> None:
    seen = lived(PLAN, refund(START, 50_000))
    assert [part.relieved for part in seen.rows] == [
        [0, 0, 0, 0],
        [10_000, 0, 150, 0],
        [40_000, 0, 600, 0],
    ]
    assert seen.open_minor == 70_000 + 1_050
    assert seen.refunded_minor == 50_000


def test_a_refund_of_what_was_paid_sends_money_and_cost_back() -> None:
    seen = lived(PLAN, pay(START, 121_800), refund(JANUARY, 30_000))
    assert (seen.returned_minor, seen.excess_minor) == (30_450, 0)
    assert seen.status is Status.CLOSED


def test_a_full_refund_gives_back_even_the_late_charge() -> None:
    paid_on = later(FIRST_DUE, 13)
    seen = lived(UNSPLIT, pay(paid_on, 20_000), refund(later(paid_on, 30), 100_000))
    assert seen.returned_minor == 20_000
    assert (late_charge(seen), seen.claim_minor) == (0, 0)


def test_a_partial_refund_gives_back_the_late_charge_on_its_part() -> None:
    on = later(FIRST_DUE, 14)
    seen = lived(UNSPLIT, refund(on, 25_000), through=later(on, -1))
    assert late_charge(seen) == 375
    assert late_charge(lived(UNSPLIT, refund(on, 25_000), through=on)) == 375 + 37


def test_a_full_refund_after_a_write_off_leaves_no_claim() -> None:
    on = later(FIRST_DUE, 13)
    after = lived(UNSPLIT, write_off(on), pay(later(on, 1), 300), refund(later(on, 2), 100_000))
    assert (after.claim_minor, after.status) == (0, Status.CLOSED)
    assert after.returned_minor == 300
    assert after.total("written_off", Component.PENALTY) == 0


def test_a_refund_after_a_write_off_lowers_the_claim_before_money_comes_back() -> None:
    seen = lived(HALVES, pay(FIRST_DUE, 100), write_off(FIRST_DUE), refund(FIRST_DUE, 50))
    assert (seen.claim_minor, seen.returned_minor) == (50, 0)
    assert seen.rows[1].written_off == [50, 0, 0, 0]
    assert seen.rows[0].paid == [100, 0, 0, 0]


def test_money_recovered_beyond_the_smaller_claim_comes_back() -> None:
    seen = lived(HALVES, write_off(FIRST_DUE), pay(FIRST_DUE, 190), refund(FIRST_DUE, 30))
    assert (seen.claim_minor, seen.returned_minor) == (0, 20)


def test_a_refund_after_a_pay_off_gives_back_its_share_of_the_cost() -> None:
    halfway = later(START, 18)
    seen = lived(PLAN, settle(halfway, 120_300), refund(JANUARY, 60_000))
    assert seen.returned_minor == 60_150
    whole = lived(PLAN, settle(halfway, 120_300), refund(JANUARY, 120_000))
    assert whole.returned_minor == 120_300


@pytest.mark.parametrize("amount", [0, 120_001])
def test_a_refund_of_nothing_or_of_more_than_was_lent_is_refused(amount: int) -> None:
    with pytest.raises(OperationSenseless):
        lived(PLAN, refund(JANUARY, amount))


def test_refunds_together_never_exceed_what_was_lent() -> None:
    with pytest.raises(OperationSenseless):
        lived(PLAN, refund(START, 100_000), refund(JANUARY, 20_001))


def test_a_purchase_returned_at_once_leaves_no_trace_of_debt() -> None:
    seen = lived(PLAN, refund(START, 120_000), through=later(START, 999))
    assert (seen.claim_minor, seen.returned_minor, seen.excess_minor) == (0, 0, 0)
    assert seen.status is Status.CLOSED


def test_the_lines_name_what_each_operation_did() -> None:
    seen = lived(PLAN, pay(JANUARY, 41_000), refund(FEBRUARY, 10_000))
    told = [(one.number, one.lines) for one in seen.transactions]
    assert told == [
        (1, {}),
        (2, {(1, Effect.PAID): [40_000, 0, 600, 0], (2, Effect.PAID): [0, 0, 400, 0]}),
        (3, {(3, Effect.RELIEVED): [10_000, 0, 150, 0]}),
    ]


def test_the_order_of_the_list_given_does_not_matter() -> None:
    steps = (pay(FIRST_DUE, 40_000), write_off(FIRST_DUE), pay(FIRST_DUE, 5_000))
    backwards = life(UNSPLIT, *steps)[::-1]
    seen = replay(UNSPLIT, backwards, charged_through=START)
    assert astuple(seen) == astuple(lived(UNSPLIT, *steps))


def test_a_late_charge_in_the_list_changes_nothing() -> None:
    booked = (OperationKind.LATE_CHARGE, later(FIRST_DUE, 13), 500)
    through = later(FIRST_DUE, 13)
    with_it = lived(UNSPLIT, booked, through=through)
    assert astuple(with_it) == astuple(lived(UNSPLIT, through=through))


def test_money_freed_by_a_refund_pays_what_is_still_owed_before_it_goes_back() -> None:
    order = (Component.PRINCIPAL, Component.FEE, Component.INTEREST, Component.PENALTY)
    plan = terms(product(allocation=order), 100_000, 1)
    paid_on = later(FIRST_DUE, 13)  # leaves the late charge of 450 open
    seen = lived(plan, pay(paid_on, 100_000), refund(paid_on, 50_000))
    assert (seen.returned_minor, seen.claim_minor) == (50_000 - 225, 0)


def test_a_refund_lowers_the_cap_of_the_late_charge() -> None:
    on = later(FIRST_DUE, 999)
    assert late_charge(lived(UNSPLIT, refund(on, 25_000))) == 18_000

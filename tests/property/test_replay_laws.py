"""Laws of a life: nothing is lost or charged twice, and nobody is worse off (M2, M6, M8)."""

from collections.abc import Collection
from dataclasses import astuple, replace
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fenqi.core.terms.life.late import chargeable_days
from fenqi.core.terms.life.refusal import OperationUntimely
from fenqi.core.terms.life.state import Effect, Kind, Status
from fenqi.core.terms.life.view import View
from fenqi.core.terms.operation import OperationKind
from fenqi.core.terms.product import COMPONENTS, COST, Component, LateRule
from fenqi.core.terms.replay import replay
from fenqi.core.terms.schedule import Terms, schedule, signed_cost
from fenqi.core.terms.settlement import earned_minor
from fenqi.core.values.rate import PPM
from histories import (
    LATE_RULES,
    PRINCIPALS,
    PRODUCTS,
    History,
    days_of,
    excused_days,
    histories,
    plans,
)
from make import FIRST_DUE, START, later, life, operation, pay, product, refund, settle, terms

REPAY, REFUND, SETTLE = OperationKind.REPAY, OperationKind.REFUND, OperationKind.SETTLE


def balances(seen: View) -> tuple[object, ...]:
    """Return all of a projection but the numbers of the operations."""
    return (
        [astuple(row) for row in seen.rows],
        seen.excess_minor,
        seen.returned_minor,
        seen.refunded_minor,
        seen.relieved_by(),
        seen.status,
    )


def position(seen: View) -> int:
    """Return what the customer owes less what is owed to the customer."""
    return seen.claim_minor - seen.excess_minor - seen.returned_minor


@given(histories())
def test_what_was_due_is_paid_relieved_written_off_or_open(history: History) -> None:
    for part in history.seen().rows:
        for component in range(COMPONENTS):
            columns = (part.paid, part.relieved, part.written_off)
            amounts = [column[component] for column in columns]
            assert min(amounts) >= 0
            assert part.open(component) == part.due[component] - sum(amounts) >= 0
        assert 0 <= part.recovered_minor <= sum(part.written_off)
        assert part.contract_open_minor + part.open(Component.PENALTY) == part.open_minor


@given(histories())
def test_what_was_signed_is_what_was_due(history: History) -> None:
    seen = history.seen()
    signed = [due.amounts[:3] for due in schedule(history.terms)]
    assert [tuple(part.due[:3]) for part in seen.rows] == signed


@given(histories())
def test_all_money_that_came_in_is_somewhere(history: History) -> None:
    seen = history.seen()
    paid = sum(sum(part.paid) for part in seen.rows)
    recovered = sum(part.recovered_minor for part in seen.rows)
    assert min(seen.excess_minor, seen.returned_minor) >= 0
    assert history.money_in == paid + recovered + seen.excess_minor + seen.returned_minor


@given(histories())
def test_the_lines_of_the_operations_sum_to_the_instalments(history: History) -> None:
    seen = history.seen()
    for part in seen.rows:
        lines = [
            (effect, parts)
            for transaction in seen.transactions
            for (key, effect), parts in transaction.lines.items()
            if key == part.key
        ]
        columns = {
            Effect.PAID: part.paid,
            Effect.RELIEVED: part.relieved,
            Effect.WRITTEN_OFF: part.written_off,
            Effect.RECOVERED: [part.recovered_minor, 0, 0, 0],
        }
        for effect, column in columns.items():
            of_effect = [parts for one, parts in lines if one is effect]
            assert column == [sum(parts[one] for parts in of_effect) for one in range(COMPONENTS)]
    for component in Component:
        by_kind = sum(by[component] for by in seen.relieved_by().values())
        assert seen.total("relieved", component) == by_kind


@given(histories())
def test_a_plan_is_closed_exactly_when_nothing_is_owed(history: History) -> None:
    seen = history.seen()
    assert (seen.status is Status.CLOSED) == (seen.claim_minor == 0)
    assert (seen.oldest_claim_due_on is None) == (seen.claim_minor == 0)
    if any(one.kind is Kind.WRITE_OFF for one in seen.transactions):
        assert seen.open_minor == 0


@given(histories(), st.integers(0, 250), st.integers(0, 100))
def test_a_settlement_leaves_nothing_open_and_stays_closed(
    history: History, wait: int, watched: int
) -> None:
    on = later(history.last_on, wait)
    settled = history.then(settle(on, history.quote(on)))
    seen = settled.seen(through=later(on, watched))
    assert (seen.open_minor, seen.claim_minor, seen.status) == (0, 0, Status.CLOSED)


@given(histories(), st.integers(0, 250))
def test_a_quote_is_the_least_that_ends_the_plan(history: History, wait: int) -> None:
    on = later(history.last_on, wait)
    quote = history.quote(on)
    before = history.seen(through=later(on, -1))
    assert 0 <= quote <= before.claim_minor
    if quote:
        after = history.then(settle(on, quote)).seen(through=on)
        assert after.excess_minor == before.excess_minor
        with pytest.raises(OperationUntimely):
            history.then(settle(on, quote - 1)).seen()


@given(plans(), st.data())
def test_a_quote_before_any_payment_is_never_below_the_principal(
    plan: Terms, data: st.DataObject
) -> None:
    history = History(plan, life(plan), frozenset(), plan.starts_on)
    assert history.quote(data.draw(days_of(plan))) >= plan.principal_minor


@given(plans(), st.lists(st.tuples(st.booleans(), st.integers(1, 10**13)), max_size=4))
def test_a_settlement_on_the_first_day_costs_the_principal_only(
    plan: Terms, drawn: list[tuple[bool, int]]
) -> None:
    start, history = plan.starts_on, History(plan, life(plan), frozenset(), plan.starts_on)
    for is_refund, amount in drawn:
        left = plan.principal_minor - history.refunded
        if is_refund and left:
            history = history.then(refund(start, min(amount, left)))
        elif not is_refund:
            history = history.then(pay(start, min(amount, plan.principal_minor)))
    settled = history.then(settle(start, history.quote(start)))
    assert settled.net_paid() == plan.principal_minor - settled.refunded


@given(histories(kinds=(REPAY,)), st.integers(0, 250))
def test_a_settled_plan_cost_the_time_used_and_being_late(history: History, wait: int) -> None:
    on = later(history.last_on, wait)
    settled = history.then(settle(on, history.quote(on)))
    seen = settled.seen()
    earned = sum(
        earned_minor(part.due[component], part.starts_on, part.due_on, on)
        for part in seen.rows
        for component in COST
    )
    late = seen.total("due", Component.PENALTY)
    assert settled.net_paid() == history.terms.principal_minor + earned + late


@given(histories(), st.data())
def test_a_full_refund_leaves_nothing_owed_and_nothing_paid(
    history: History, data: st.DataObject
) -> None:
    left = history.terms.principal_minor - history.refunded
    assume(left)
    refunds = [one.effective_on for one in history.operations if one.kind is REFUND]
    earliest = max(refunds, default=history.terms.starts_on)
    on = later(earliest, data.draw(st.integers(0, 200)))
    refunded = history.then(refund(on, left))
    seen = refunded.seen()
    assert (seen.open_minor, seen.claim_minor, seen.status) == (0, 0, Status.CLOSED)
    assert seen.total("due", Component.PENALTY) == 0
    assert refunded.net_paid() == 0


def pay_on_time(history: History, since: date) -> History:
    """Return the history with what is due from a day on paid on its due day."""
    for due_on in history.terms.due_on:
        if due_on >= since:
            seen = replay(
                history.terms,
                [one for one in history.operations if one.effective_on <= due_on],
                charged_through=later(due_on, -1),
            )
            asked = sum(part.open_minor for part in seen.rows if part.due_on <= due_on)
            if asked:
                history = history.then(pay(due_on, asked))
    return history


@given(plans(), st.data())
def test_after_a_refund_the_customer_pays_what_the_smaller_purchase_costs(
    plan: Terms, data: st.DataObject
) -> None:
    history = History(plan, life(plan), frozenset(), plan.starts_on)
    for returned_on in sorted(data.draw(st.lists(days_of(plan), min_size=1, max_size=3))):
        left = plan.principal_minor - history.refunded
        if left > 1:
            history = history.then(refund(returned_on, data.draw(st.integers(1, left - 1))))
    bought = plan.principal_minor - history.refunded
    smaller = signed_cost(replace(plan, principal_minor=bought))
    lived = pay_on_time(history, plan.starts_on)
    assert lived.seen().claim_minor == 0
    # A level payment's rounding may make the smaller purchase a unit dearer; that is never asked.
    assert lived.net_paid() == bought + min(smaller, least_cost(history))


def least_cost(history: History) -> int:
    """Return the least cost of all the sizes the purchase had in its life."""
    size = history.terms.principal_minor
    costs = [signed_cost(history.terms)]
    for one in history.operations:
        if one.kind is REFUND:
            size -= one.amount_minor
            costs.append(signed_cost(replace(history.terms, principal_minor=size)))
    return min(costs)


@given(histories(kinds=(REPAY, SETTLE)), st.integers(1, 200), st.data())
def test_a_refund_after_the_end_gives_back_its_share_of_the_cost(
    history: History, wait: int, data: st.DataObject
) -> None:
    on = later(history.last_on, wait)
    ended = history.then(settle(on, history.quote(on)))
    ended = replace(ended, through=on)
    principal = history.terms.principal_minor
    back = data.draw(st.integers(1, principal))
    kept = principal - back
    cost = cost_paid(ended) * kept // principal
    refunded = ended.then(refund(later(on, 1), back))
    rounding = history.terms.count + len(COST)  # a unit a row of the schedule, a unit a component
    assert cost_paid(refunded) <= cost + rounding


def cost_paid(history: History) -> int:
    """Return what was paid above the principal kept, but for being late."""
    late = history.seen().total("due", Component.PENALTY)
    return history.net_paid() - late - (history.terms.principal_minor - history.refunded)


@given(histories(), st.sets(st.integers(0, 400), max_size=40))
def test_late_charges_do_not_depend_on_how_often_they_are_counted(
    history: History, steps: set[int]
) -> None:
    at_once = history.seen()
    days = sorted(later(START, step) for step in steps)
    looked_at = history.then(*((REPAY, on, 0) for on in days if on <= history.through))
    assert balances(looked_at.seen()) == balances(at_once)


@given(histories(), st.lists(st.tuples(st.integers(0, 400), st.integers(-500, 500)), max_size=5))
def test_derived_operations_change_nothing(
    history: History, charges: list[tuple[int, int]]
) -> None:
    number = len(history.operations)
    derived = [
        operation(number + place, OperationKind.LATE_CHARGE, later(START, days), amount)
        for place, (days, amount) in enumerate(charges, start=1)
    ]
    with_derived = replace(history, operations=[*derived, *history.operations])
    assert astuple(with_derived.seen()) == astuple(history.seen())


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_booking_does_not_matter(history: History, chance: object) -> None:
    days = [one.effective_on for one in history.operations]
    assume(len(set(days)) == len(days))
    numbers = list(range(1, len(days) + 1))
    chance.shuffle(numbers)  # type: ignore[attr-defined]
    renumbered = [
        replace(one, number=number) for one, number in zip(history.operations, numbers, strict=True)
    ]
    renumbered.sort(key=lambda one: one.number)
    assert balances(replace(history, operations=renumbered).seen()) == balances(history.seen())


@given(histories(), st.data())
def test_paying_earlier_never_leaves_the_customer_owing_more(
    history: History, data: st.DataObject
) -> None:
    days = days_of(history.terms)
    early, late = sorted((data.draw(days), data.draw(days)))
    amount = data.draw(st.integers(1, 2 * history.terms.principal_minor))
    seen_early = history.then(pay(early, amount)).seen()
    seen_late = history.then(pay(late, amount)).seen()
    assert position(seen_early) <= position(seen_late)


@given(histories(), st.booleans(), st.data())
def test_money_owed_to_the_customer_never_becomes_less_by_a_backdated_fact(
    history: History, is_refund: bool, data: st.DataObject
) -> None:
    """It may move between excess and returned money, but the two together only grow."""
    on = data.draw(days_of(history.terms))
    left = history.terms.principal_minor - history.refunded
    if is_refund and left:
        more = history.then(refund(on, data.draw(st.integers(1, left))))
    else:
        more = history.then(pay(on, data.draw(st.integers(1, 10**4))))
    before, after = history.seen(), more.seen()
    owed_before = before.excess_minor + before.returned_minor
    assert after.excess_minor + after.returned_minor >= owed_before


@given(histories())
def test_what_is_owed_never_rises_but_by_the_late_charge(history: History) -> None:
    ordered = sorted(history.operations, key=lambda one: (one.effective_on, one.number))
    for count in range(2, len(ordered) + 1):
        on = ordered[count - 1].effective_on
        # A write-off belongs to the end of its day, so that day's charge comes before it.
        is_last = ordered[count - 1].kind is OperationKind.WRITE_OFF
        through = on if is_last else later(on, -1)
        before, after = (
            replay(history.terms, lived, charged_through=through, excused=history.excused)
            for lived in (ordered[: count - 1], ordered[:count])
        )
        assert position(after) <= position(before)


@given(histories(), st.integers(0, 400), st.integers(0, 60))
def test_time_alone_adds_the_late_charge_and_nothing_else(
    history: History, wait: int, more: int
) -> None:
    first = later(START, wait)
    before, after = history.seen(through=first), history.seen(through=later(first, more))
    rise = after.total("due", Component.PENALTY) - before.total("due", Component.PENALTY)
    assert rise >= 0
    assert after.claim_minor == before.claim_minor + rise


def late_days(
    due_on: date, through: date, grace_days: int, excused: Collection[date]
) -> list[date]:
    """Return the days a late charge counts for, told day by day."""
    counted, days_late = [], 0
    for offset in range(1, (through - due_on).days + 1):
        day = due_on + timedelta(days=offset)
        if day not in excused:
            days_late += 1
            if days_late > grace_days:
                counted.append(day)
    return counted


@given(plans(), st.data())
def test_the_days_of_the_late_charge_are_those_told_one_by_one(
    plan: Terms, data: st.DataObject
) -> None:
    days, rule = days_of(plan), plan.product.late
    excused, after, through = data.draw(excused_days(plan)), data.draw(days), data.draw(days)
    due_on = data.draw(st.sampled_from(plan.due_on))
    told = [day for day in late_days(due_on, through, rule.grace_days, excused) if day > after]
    counted = chargeable_days(due_on, rule, after=after, through=through, excused=excused)
    assert counted == len(told)


@given(PRINCIPALS, LATE_RULES, st.integers(0, 900), st.frozensets(st.integers(0, 60)))
def test_the_late_charge_is_the_amount_by_the_days_and_never_compounds(
    principal: int, late: LateRule, days: int, excused_offsets: frozenset[int]
) -> None:
    plan = terms(product(late=late), principal, 1)
    excused = {later(FIRST_DUE, offset) for offset in excused_offsets}
    through = later(FIRST_DUE, days)
    seen = replay(plan, life(plan), charged_through=through, excused=excused)
    counted = len(late_days(FIRST_DUE, through, late.grace_days, excused))
    simple = principal * counted * late.rate_ppm_per_day // PPM
    assert seen.total("due", Component.PENALTY) == min(simple, principal * late.cap_ppm // PPM)


@given(histories())
def test_the_late_charge_stays_under_its_cap(history: History) -> None:
    cap_ppm = history.terms.product.late.cap_ppm
    for part in history.seen().rows:
        asked = sum(part.due[:3]) - sum(part.relieved)
        assert part.due[Component.PENALTY] * PPM <= asked * cap_ppm


@given(histories())
def test_no_late_charge_within_grace_or_on_excused_days(history: History) -> None:
    grace_end = later(history.terms.due_on[0], history.terms.product.late.grace_days)
    assert history.seen(through=grace_end).total("due", Component.PENALTY) == 0 or (
        history.last_on > grace_end
    )
    first, last = history.terms.due_on[0], max(history.last_on, history.through)
    everything = frozenset(later(first, days) for days in range((last - first).days + 1))
    outage = replace(history, excused=everything, operations=history.operations)
    assert outage.seen().total("due", Component.PENALTY) == 0


@given(histories(), st.data())
def test_an_excused_day_never_leaves_the_customer_owing_more(
    history: History, data: st.DataObject
) -> None:
    more = data.draw(st.frozensets(days_of(history.terms), min_size=1, max_size=20))
    excused = replace(history, excused=history.excused | more)
    assert position(excused.seen()) <= position(history.seen())


@given(plans(PRODUCTS))
def test_a_plan_paid_on_time_costs_what_was_signed(plan: Terms) -> None:
    lived = pay_on_time(History(plan, life(plan), frozenset(), plan.starts_on), plan.starts_on)
    whole = plan.principal_minor + signed_cost(plan)
    assert replace(lived, through=later(plan.due_on[-1], 300)).net_paid() == whole
    assert lived.seen().status is Status.CLOSED

"""`fenqi plan preview` of a stored plan: what is shown is what is then booked, to the minor unit.

Each request, in each state a plan may be in: before it is billed, billed, partly paid, overdue,
after a refund. One account for each pair, all in one book, so that the days are closed once.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from make_book import (
    World,
    assert_sound,
    bill_split,
    buy,
    contested,
    day_changed,
    deferred,
    end_early,
    enrol,
    extended,
    give_back,
    open_book,
    owed_to,
    pay,
    returned,
    rows,
    settlement,
    until,
    withdrawal,
)

from fenqi.core.errors import FenqiError
from fenqi.core.terms.product import Settlement
from fenqi.core.values.ids import AccountId, OrderId, PlanId
from fenqi.flows.change_due_day import change_due_day
from fenqi.flows.contest import open_contest
from fenqi.flows.defer import defer
from fenqi.flows.extend import extend
from fenqi.flows.refund import refund
from fenqi.flows.settle import settle
from fenqi.flows.split_bill import split_bill
from fenqi.flows.withdraw import withdraw
from fenqi.report import request
from fenqi.report.preview import Part, Wish
from fenqi.report.request import Answer, Bill
from fenqi.store import catalogue
from fenqi.store.pool import Store

OPENED = date(2026, 1, 30)  # a statement is cut on the 1st, and falls due on the 10th
BOUGHT = 60_000


@dataclass(frozen=True)
class Case:
    """One account with the plan that something is asked of."""

    account: AccountId
    order: OrderId
    plan: PlanId


def open_case(world: World, name: str, product: str = "flat") -> Case:
    account = enrol(world, name)
    order, plan = buy(world, account, BOUGHT, product, 6)
    return Case(account, order, plan)


Preview = Callable[[World, Case], Answer]


def ask(**wish: Any) -> Preview:
    def previewed(world: World, case: Case) -> Answer:
        shown = Wish(world.day, **wish)
        return request.preview(world.ground, case.account, plan_id=case.plan, wish=shown)

    return previewed


def statement(world: World, case: Case) -> Answer:
    bill = Bill(1, "annuity18", 3)
    return request.preview(world.ground, case.account, bill=bill)


def split(world: World, case: Case, shown: Answer) -> Any:
    command = bill_split(world, case.account, 1, shown.moved_minor, "annuity18", 3)
    return split_bill(world.ground, [command])


# How it is previewed, and how it is booked, given what the preview showed.
REQUESTS: dict[str, tuple[Preview, Callable[[World, Case, Answer], Any]]] = {
    "settle": (
        ask(settles=True),
        lambda w, c, shown: settle(
            w.ground, [settlement(w, c.account, c.plan, shown.to_pay_minor or 0)]
        ),
    ),
    "cancel": (
        ask(cancels=True),
        lambda w, c, shown: settle(
            w.ground, [settlement(w, c.account, c.plan, shown.to_pay_minor or 0)]
        ),
    ),
    "withdraw": (
        ask(withdraws=True),
        lambda w, c, shown: withdraw(
            w.ground, [withdrawal(w, c.account, c.plan, shown.to_pay_minor or 0)]
        ),
    ),
    "defer": (
        ask(defer_days=7),
        lambda w, c, shown: defer(
            w.ground, [deferred(w, c.account, c.plan, 7, cost_minor=shown.cost_minor)]
        ),
    ),
    "due day": (
        ask(due_day=25),
        lambda w, c, _: change_due_day(w.ground, [day_changed(w, c.account, c.plan, 25)]),
    ),
    "extend": (
        ask(extend_count=3),
        lambda w, c, shown: extend(
            w.ground, [extended(w, c.account, c.plan, 3, cost_minor=shown.cost_minor)]
        ),
    ),
    "split": (statement, split),
    "refund a part": (
        ask(refund_minor=25_000),
        lambda w, c, _: refund(w.ground, [returned(w, c.account, c.order, 25_000)]),
    ),
    "refund": (
        ask(refund_minor=BOUGHT - 20_000),
        lambda w, c, _: refund(w.ground, [returned(w, c.account, c.order, BOUGHT - 20_000)]),
    ),
}
# The day it is asked on, and what happens to the plan before.
STATES: dict[str, tuple[date, Callable[[World, Case], Any]]] = {
    "on its first day": (OPENED, lambda *_: None),
    "before it is billed": (date(2026, 1, 31), lambda *_: None),
    "billed": (date(2026, 2, 3), lambda *_: None),
    "partly paid": (date(2026, 2, 3), lambda w, c: pay(w, c.account, 5_000)),
    "after a refund": (date(2026, 2, 3), lambda w, c: give_back(w, c.account, c.order, 20_000)),
    "after a bill instalment": (
        date(2026, 2, 3),
        lambda w, c: split_bill(w.ground, [bill_split(w, c.account, 1, 10_300)]),
    ),
    "paid off": (date(2026, 2, 3), lambda w, c: end_early(w, c.account, c.plan, 61_800)),
    "contested": (
        date(2026, 2, 3),
        lambda w, c: open_contest(w.ground, [contested(w, c.account, c.plan)]),
    ),
    "overdue": (date(2026, 2, 25), lambda *_: None),
}
REFUSED = {  # by the bounds of each request; every other pair is granted
    ("after a bill instalment", "split"),
    ("paid off", "settle"),
    ("paid off", "withdraw"),
    ("paid off", "defer"),
    ("paid off", "due day"),
    ("paid off", "extend"),
    ("paid off", "split"),
    ("contested", "defer"),
    ("contested", "due day"),
    ("contested", "extend"),
    ("contested", "split"),
    ("overdue", "withdraw"),
    ("overdue", "defer"),
    ("overdue", "due day"),
    ("overdue", "split"),
    ("on its first day", "split"),
    ("before it is billed", "split"),
    *((state, "cancel") for state in STATES if state != "on its first day"),
}


TABLE = Path(__file__).parents[3] / "docs" / "reference" / "customer.md"


def test_the_page_says_which_request_each_state_grants() -> None:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    head = next(place for place, line in enumerate(lines) if line.startswith("| Asked for "))
    names = [cell.strip() for cell in lines[head].strip("|").split("|")][1:]
    assert names == list(REQUESTS)
    said = {}
    for line in lines[head + 2 : head + 2 + len(STATES)]:
        state, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        said |= {(state, what): cell for what, cell in zip(names, cells, strict=True)}
    assert set(said) == {(state, what) for state in STATES for what in REQUESTS}
    assert {pair for pair, cell in said.items() if cell == "no"} == REFUSED
    assert {cell for cell in said.values()} == {"yes", "no"}


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store, opened=OPENED)


def stored(world: World, plan: PlanId) -> tuple[Part, ...]:
    """Return the instalments of a plan as they are stored."""
    sql = """
        SELECT number, due_on,
            principal_due_minor + interest_due_minor + fee_due_minor + penalty_due_minor
            - principal_relieved_minor - interest_relieved_minor
            - fee_relieved_minor - penalty_relieved_minor,
            open_minor,
            principal_moved_minor + interest_moved_minor + fee_moved_minor + penalty_moved_minor
        FROM instalments WHERE plan_id = %(plan)s ORDER BY number
    """
    return tuple(Part(*one) for one in rows(world.store, sql, plan=plan))


def refusal(previewed: Preview, world: World, case: Case) -> tuple[Answer | None, str | None]:
    """Return what is shown, or the code of the refusal."""
    try:
        return previewed(world, case), None
    except FenqiError as refused:
        return None, refused.code


def test_what_is_shown_of_each_request_in_each_state_is_what_is_booked(world: World) -> None:
    cases = {
        (state, what): open_case(world, f"{state}, {what}") for state in STATES for what in REQUESTS
    }
    refused = set()
    for state, (day, prepare) in STATES.items():
        if day != world.day:
            until(world, day)
        for what, (previewed, booked) in REQUESTS.items():
            case = cases[state, what]
            prepare(world, case)
            owed = owed_to(world, case.account)
            shown, code = refusal(previewed, world, case)
            if shown is None:
                refused.add((state, what))
                assert code, (state, what)
                continue
            (answer,) = booked(world, case, shown)
            assert not isinstance(answer, FenqiError), (state, what, answer)
            for changed in shown.plans:
                plan = changed.plan_id or PlanId(UUID(answer.plan_id))
                assert changed.after == stored(world, plan), (state, what)
            credit, returns = owed_to(world, case.account)
            assert (credit - owed[0], returns - owed[1]) == (
                shown.credit_minor,
                shown.returned_minor,
            ), (state, what)
            check_told(state, what, shown, answer)
        assert_sound(world)
    assert refused == REFUSED


def check_told(state: str, what: str, shown: Answer, answer: Any) -> None:
    """Assert that the flow's own answer says the same."""
    if what in ("settle", "cancel"):
        assert (answer.quote_minor, answer.waived_minor) == (shown.to_pay_minor, -shown.cost_minor)
    elif what == "withdraw":
        assert (answer.quote_minor, answer.saving_minor) == (shown.to_pay_minor, -shown.cost_minor)
    elif what.startswith("refund"):
        assert answer.returned_minor == shown.returned_minor
        penalty = -shown.cost_minor - answer.principal_minor - answer.cost_minor
        assert penalty > 0 if state == "overdue" else penalty == 0  # it falls with the goods
    elif what == "split":
        assert sum(answer.open_minor) == shown.moved_minor + shown.cost_minor
    else:
        assert answer.cost_minor == shown.cost_minor


@pytest.mark.parametrize("method", list(Settlement))
def test_every_method_of_ending_early_asks_what_it_showed(
    world: World, tmp_path: Path, method: Settlement
) -> None:
    text = (catalogue.SHIPPED / "products" / "flat.toml").read_text(encoding="utf-8")
    own = text.replace('"flat"', '"early"').replace('"by-the-day"', f'"{method.value}"')
    (tmp_path / "products").mkdir()
    (tmp_path / "products" / "early.toml").write_text(own, encoding="utf-8")
    with world.store.transaction() as session:
        catalogue.install(session, world.clock.now(), tmp_path)
        world.ground = replace(world.ground, catalogue=catalogue.load(session))
    case = open_case(world, "ann", "early")
    until(world, date(2026, 2, 20))
    pay(world, case.account, 10_300, days_ago=10)
    shown = ask(settles=True)(world, case)
    (answer,) = REQUESTS["settle"][1](world, case, shown)
    assert answer.quote_minor == shown.to_pay_minor
    assert shown.plans[0].after == stored(world, case.plan)
    check_told("billed", "settle", shown, answer)
    assert_sound(world)


def test_the_preview_is_told_as_json_and_on_a_terminal(world: World) -> None:
    case = open_case(world, "ann")
    shown = ask(withdraws=True)(world, case)
    table = json.loads(request.to_json(shown))
    assert (table["request"], table["to_pay_minor"]) == ("withdraw", BOUGHT)

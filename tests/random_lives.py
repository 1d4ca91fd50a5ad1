"""Random lives for the laws of the engine: what was agreed, and what happened on which day.

Operations stand in the order of recording, so some are backdated; what a plan refuses is left out.
Everything shrinks towards few, small, early operations.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from hypothesis import strategies as st

from fenqi.core.errors import Conflict, Invalid
from fenqi.core.terms.amortise.settings import (
    Accrual,
    DaysInMonth,
    DaysInYear,
    Interval,
    PayOffInterest,
    Rest,
    Settings,
    Unit,
)
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    AddCharge,
    AddPeriods,
    ChangeDueDay,
    ChangeRate,
    Chargeback,
    ChargeOff,
    Defer,
    Disburse,
    Extend,
    MoveDueDay,
    NightlyRun,
    Operation,
    PauseInterest,
    ReAge,
    ReAgeInterest,
    ReAmortise,
    ReAmortiseInterest,
    Receipt,
    Receive,
    RefundCash,
    RefundCredit,
    Terminate,
    Undo,
    WaiveCharge,
    WriteOff,
)
from fenqi.core.terms.life.rules import (
    Allocation,
    ChargeOffBehaviour,
    DownPayment,
    Future,
    LifeRules,
    Processing,
    Timing,
)
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.life.view import View
from fenqi.core.terms.product import Component

STARTS = (date(2024, 1, 1), date(2024, 1, 31), date(2024, 2, 29), date(2023, 12, 31))
DAYS_MAX = 150  # a life's operations lie within so many days
STEPS_MAX = 6  # more say nothing new and shrink slowly
AHEAD_DAYS = 40  # how far before now an operation can count
DEFAULT_ORDER = (Component.PENALTY, Component.FEE, Component.INTEREST, Component.PRINCIPAL)
PAID_IN = (
    Receipt.REPAYMENT,
    Receipt.GOODWILL,
    Receipt.MERCHANT_REFUND,
    Receipt.PAYOUT_REFUND,
    Receipt.INTEREST_WAIVER,
)


def allocation(
    order: Sequence[Component] = DEFAULT_ORDER, future: Future = Future.NEXT
) -> Allocation:
    """Return an allocation that fills the same components at each timing."""
    return Allocation(tuple((timing, part) for timing in Timing for part in order), future)


def rules(**changed: Any) -> LifeRules:
    """Return plain rules, with what a test changes."""
    plain = LifeRules(Processing.HORIZONTAL, {}, allocation(), accrues=False)
    return replace(plain, **changed)


def terms(
    rate: str = "0", *, count: int = 4, start: date = STARTS[0], digits: int = 2, **changed: Any
) -> LifeTerms:
    """Return the terms of a monthly plan; what is changed is of its rules."""
    interest = Settings(
        Interval(1, Unit.MONTHS),
        Decimal(rate),
        digits=digits,
        days_in_month=DaysInMonth.THIRTY,
        days_in_year=DaysInYear.FIXED_360,
    )
    return LifeTerms(rules(**changed), interest, count, submitted_on=start)


def lend(terms: LifeTerms, amount_minor: int) -> Life:
    """Return a life that has begun: an amount was lent on the day it was submitted."""
    life = Life(terms)
    on = terms.submitted_on
    life.record(Disburse(number=1, on=on, booked_on=on, amount_minor=amount_minor))
    return life


def receive(
    life: Life,
    on: date,
    amount_minor: int,
    receipt: Receipt = Receipt.REPAYMENT,
    *,
    booked_on: date | None = None,
) -> None:
    """Let an amount come in on a day, recorded that day unless told otherwise."""
    life.record(
        Receive(
            number=len(life.recorded) + 1,
            on=on,
            booked_on=booked_on or on,
            receipt=receipt,
            amount_minor=amount_minor,
        )
    )


ALLOCATIONS = st.builds(
    allocation,
    st.one_of(st.just(DEFAULT_ORDER), st.permutations(DEFAULT_ORDER)),
    st.sampled_from(Future),
)
RULES = st.builds(
    LifeRules,
    st.sampled_from(Processing),
    st.dictionaries(st.sampled_from(PAID_IN), ALLOCATIONS, max_size=1),
    ALLOCATIONS,
    recalculates=st.booleans(),
    charges_interest_on_past_due=st.booleans(),
    down_payment=st.one_of(
        st.none(), st.builds(DownPayment, st.sampled_from([250_000, 333_333]), st.booleans())
    ),
    credit_allocation=st.one_of(st.none(), st.just(DEFAULT_ORDER)),
    interest_refund_for=st.sampled_from([frozenset(), frozenset({Receipt.MERCHANT_REFUND})]),
    charge_off=st.sampled_from(ChargeOffBehaviour),
    accrues=st.booleans(),
    posts_activity=st.booleans(),
)
SETTINGS = st.builds(
    Settings,
    st.sampled_from([Interval(1, Unit.MONTHS), Interval(15, Unit.DAYS), Interval(2, Unit.WEEKS)]),
    st.sampled_from([Decimal("0.12"), Decimal(0), Decimal("0.0999"), Decimal("0.36")]),
    digits=st.sampled_from([2, 0, 3]),
    days_in_month=st.sampled_from(DaysInMonth),
    days_in_year=st.sampled_from(DaysInYear),
    accrual=st.sampled_from(Accrual),
    multiple=st.sampled_from([0, 1]),
    is_last_smoothed=st.booleans(),
    principal_grace=st.sampled_from([0, 0, 1, 2]),
    rest=st.sampled_from(Rest),
    pay_off_interest=st.sampled_from(PayOffInterest),
)


def of_full_term(agreed: LifeTerms) -> LifeTerms:
    """Return terms under which each drawdown has as many rows of its own as the plan began with."""
    return replace(agreed, interest=replace(agreed.interest, count=agreed.count))


AT_ONCE = st.builds(
    LifeTerms, RULES, SETTINGS, st.integers(1, 6), submitted_on=st.sampled_from(STARTS)
)
TERMS = st.one_of(AT_ONCE, AT_ONCE, AT_ONCE.map(of_full_term))


AS_LENT = TERMS.map(
    lambda agreed: replace(
        agreed,
        rules=replace(agreed.rules, recalculates=True),
        interest=replace(agreed.interest, rate=max(agreed.interest.rate, Decimal("0.05"))),
    )
)  # interest always follows what is outstanding, wherever early money goes


def plain() -> st.SearchStrategy[LifeTerms]:
    """Return terms under which money pays what is due first, then the next instalment."""
    rates = st.sampled_from(["0.12", "0", "0.36"])
    return st.builds(
        terms,
        rates,
        count=st.integers(1, 6),
        start=st.sampled_from(STARTS),
        digits=st.sampled_from([2, 0, 3]),
        recalculates=st.booleans(),
    )


AMOUNTS = st.one_of(st.integers(10_000, 200_000), st.integers(10_000, 10**9))  # whole instalments


@dataclass(frozen=True)
class Told:
    """A life as data: what was agreed and what happened."""

    terms: LifeTerms
    operations: tuple[Operation, ...]
    today: date

    def life(self) -> Life:
        life = Life(self.terms)
        for operation in self.operations:
            life.record(operation)
        return life

    def seen(self) -> View:
        return self.life().view(self.today)


@dataclass(frozen=True)
class Draft:
    """What an operation is made from: chance, the life so far, and what all operations have."""

    draw: Callable[..., Any]
    life: Life
    common: dict[str, Any]

    @property
    def on(self) -> date:
        on: date = self.common["on"]
        return on


Make = Callable[[Draft], Operation]


def _receive(draft: Draft) -> Operation:
    receipt = draft.draw(st.sampled_from(PAID_IN))
    return Receive(receipt=receipt, amount_minor=_amount(draft), **draft.common)


def _amount(draft: Draft) -> int:
    """Return an amount that matters: a row's, a part of what was lent, or more than all of it."""
    opens = [row.open_minor for row in draft.life.walk.rows] or [1]
    wholes = st.sampled_from([*opens, draft.life.walk.open_minor, draft.life.walk.lent_minor * 2])
    return int(draft.draw(st.one_of(wholes, st.integers(0, draft.life.walk.lent_minor))))


def _charge(draft: Draft) -> Operation:
    due_on = draft.on + timedelta(days=draft.draw(st.integers(-10, 40)))
    is_penalty = draft.draw(st.booleans())
    if draft.draw(st.booleans()):
        percent = Decimal(draft.draw(st.integers(0, 300))) / 100
        return AddCharge(
            name="c", is_penalty=is_penalty, due_on=due_on, percent=percent, **draft.common
        )
    amount = draft.draw(st.integers(1, 5_000))
    return AddCharge(
        name="c", is_penalty=is_penalty, due_on=due_on, amount_minor=amount, **draft.common
    )


def _earlier(draft: Draft, kinds: type | tuple[type, ...]) -> Any:
    numbers = [one for one in draft.life.recorded if isinstance(one, kinds)]
    return draft.draw(st.sampled_from(numbers)) if numbers else None


def _waive(draft: Draft) -> Operation:
    charge = _earlier(draft, AddCharge)
    return WaiveCharge(charge=charge.number if charge else 0, **draft.common)


def _chargeback(draft: Draft) -> Operation:
    of = _earlier(draft, Receive)
    if of is None:
        return Undo(of=0, **draft.common)
    amount = draft.draw(st.integers(1, of.amount_minor or 1))
    return Chargeback(of=of.number, of_receipt=of.receipt, amount_minor=amount, **draft.common)


def _refund(kind: Any, draft: Draft) -> Operation:
    most = max(1, draft.life.walk.overpaid_minor or draft.life.walk.lent_minor)
    operation: Operation = kind(amount_minor=draft.draw(st.integers(1, most)), **draft.common)
    return operation


def _undo(draft: Draft) -> Operation:
    return Undo(of=draft.draw(st.integers(2, max(2, len(draft.life.recorded)))), **draft.common)


def _disburse(draft: Draft) -> Operation:
    return Disburse(
        amount_minor=draft.draw(st.integers(1, draft.life.walk.lent_minor)), **draft.common
    )


def _change_rate(draft: Draft) -> Operation:
    return ChangeRate(
        rate=draft.draw(st.sampled_from([Decimal("0.05"), Decimal("0.24")])), **draft.common
    )


def _move(draft: Draft) -> Operation:
    row = draft.draw(st.sampled_from(draft.life.walk.rows))
    to = row.due_on + timedelta(days=draft.draw(st.integers(-5, 20)))
    return MoveDueDay(to=to, **draft.common | {"on": row.due_on})


def _add_periods(draft: Draft) -> Operation:
    return AddPeriods(count=draft.draw(st.integers(1, 3)), **draft.common)


def _pause(draft: Draft) -> Operation:
    return PauseInterest(
        through=draft.on + timedelta(days=draft.draw(st.integers(0, 40))), **draft.common
    )


def _re_age(draft: Draft) -> Operation:
    starts_on = draft.on + timedelta(days=draft.draw(st.integers(0, 40)))
    interest = draft.draw(st.sampled_from(ReAgeInterest))
    count = draft.draw(st.integers(1, 5))
    return ReAge(
        every=1,
        unit=Unit.MONTHS,
        starts_on=starts_on,
        count=count,
        interest=interest,
        **draft.common,
    )


def _re_amortise(draft: Draft) -> Operation:
    return ReAmortise(interest=draft.draw(st.sampled_from(ReAmortiseInterest)), **draft.common)


def _defer(draft: Draft) -> Operation:
    days = draft.draw(st.integers(1, 14))
    return replace(customer.deferral(draft.life, draft.on, days=days), **draft.common)


def _change_due_day(draft: Draft) -> Operation:
    return ChangeDueDay(day=draft.draw(st.sampled_from([1, 15, 28, 31])), **draft.common)


def _extend(draft: Draft) -> Operation:
    count = draft.draw(st.integers(1, 6))
    extension = customer.extension(draft.life, draft.on, count=count, reviewed_by="officer")
    return replace(extension, **draft.common)


def offered(draw: Callable[..., Any], life: Life, today: date, kind: type[Operation]) -> Operation:
    """Draw an operation of a kind for a life as it stands, whether it makes sense or not."""
    on = max(today - timedelta(days=draw(st.integers(0, AHEAD_DAYS))), life.terms.submitted_on)
    common = {"number": len(life.recorded) + 1, "on": on, "booked_on": today}
    return MAKERS[kind](Draft(draw, life, common))


def _plain(kind: Any, draft: Draft) -> Operation:
    operation: Operation = kind(**draft.common)
    return operation


MAKERS: dict[type[Operation], Make] = {
    Receive: _receive,
    AddCharge: _charge,
    WaiveCharge: _waive,
    Chargeback: _chargeback,
    RefundCredit: partial(_refund, RefundCredit),
    RefundCash: partial(_refund, RefundCash),
    Undo: _undo,
    Disburse: _disburse,
    ChangeRate: _change_rate,
    MoveDueDay: _move,
    AddPeriods: _add_periods,
    PauseInterest: _pause,
    ReAge: _re_age,
    ReAmortise: _re_amortise,
    ChargeOff: partial(_plain, ChargeOff),
    WriteOff: partial(_plain, WriteOff),
    Terminate: partial(_plain, Terminate),
    NightlyRun: partial(_plain, NightlyRun),
    Defer: _defer,
    ChangeDueDay: _change_due_day,
    Extend: _extend,
}
REQUESTS = (Defer, ChangeDueDay, Extend)  # of a customer: refused unless the terms offer them
EVERYTHING = tuple(kind for kind in MAKERS if kind not in REQUESTS)
MONEY = (Receive, AddCharge, Disburse)


@st.composite
def lives(
    draw: Callable[..., Any],
    kinds: Collection[type[Operation]] = EVERYTHING,
    agreed: st.SearchStrategy[LifeTerms] = TERMS,
    *,
    steps_max: int = STEPS_MAX,
) -> Told:
    """Draw a life; what its plan refuses did not happen."""
    agreement = draw(agreed)
    life = lend(agreement, draw(AMOUNTS))
    today = agreement.submitted_on
    steps = st.tuples(st.sampled_from(list(kinds)), st.integers(0, 45), st.integers(0, 3))
    for kind, days, back in draw(st.lists(steps, max_size=steps_max)):
        today = min(today + timedelta(days=days), agreement.submitted_on + timedelta(days=DAYS_MAX))
        ago = draw(st.integers(0, AHEAD_DAYS)) if back == 1 else 0
        on = max(today - timedelta(days=ago), agreement.submitted_on)
        common = {"number": len(life.recorded) + 1, "on": on, "booked_on": today}
        try:
            life.record(MAKERS[kind](Draft(draw, life, common)))
        except (Invalid, Conflict):  # whatever is broken fails the law that drew it
            continue
    return Told(agreement, tuple(life.recorded), today)

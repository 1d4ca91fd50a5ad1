"""Whatever is lent, paid, paused or repriced: the interest model keeps its books."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.terms.amortise import events, shift
from fenqi.core.terms.amortise.as_of import correct_overdue, due_as_of, outstanding_as_of
from fenqi.core.terms.amortise.dates import later, spans
from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.amortise.re_age import NewRows, re_age
from fenqi.core.terms.amortise.re_amortise import re_amortise
from fenqi.core.terms.amortise.settings import (
    Accrual,
    DaysInMonth,
    DaysInYear,
    Interval,
    Method,
    Settings,
    Unit,
)
from fenqi.core.values.day import add_months

RATES = st.one_of(
    st.just(Decimal(0)),
    st.integers(1, 3_600).map(lambda hundredths: Decimal(hundredths) / 10_000),
)
INTERVALS = st.one_of(
    st.builds(Interval, st.integers(1, 3), st.just(Unit.MONTHS)),
    st.builds(Interval, st.integers(1, 4), st.just(Unit.WEEKS)),
    st.builds(Interval, st.integers(5, 45), st.just(Unit.DAYS)),
)
SETTINGS = st.builds(
    Settings,
    INTERVALS,
    RATES,
    digits=st.sampled_from((0, 2, 3)),
    days_in_month=st.sampled_from(DaysInMonth),
    days_in_year=st.sampled_from(DaysInYear),
    accrual=st.sampled_from(Accrual),
    is_partial_period_exact=st.booleans(),
    multiple=st.sampled_from((0, 0, 1, 5)),
    counts_first_day=st.booleans(),
)
FLAT_SETTINGS = st.builds(
    Settings,
    INTERVALS,
    RATES,
    digits=st.sampled_from((0, 2, 3)),
    method=st.sampled_from((Method.FLAT, Method.FLAT_WHOLE_TERM)),
    multiple=st.sampled_from((0, 0, 1)),
)
# Month ends and leap days are where day arithmetic bites.
STARTS = st.one_of(
    st.dates(date(2019, 1, 1), date(2032, 12, 31)),
    st.sampled_from([date(2024, 2, 29), date(2023, 1, 31), date(2023, 12, 31), date(2024, 8, 30)]),
)
COUNTS = st.integers(1, 18)
PRINCIPALS = st.one_of(st.integers(1, 500), st.integers(500, 10**11))


def lent(settings: Settings, start: date, count: int, principal: int) -> Model:
    model = Model(settings, spans(start, settings.interval, count))
    events.disburse(model, start, principal)
    return model


def pay_row(model: Model, row: int, on: date, *, of_parts: int = 1) -> None:
    """Pay what a row asks for on a day, or one part of several."""
    due = due_as_of(model, row, on)
    period = model.periods[row]
    interest = max(0, due.interest_minor - period.paid_interest_minor) // of_parts
    principal = max(0, due.principal_minor - period.paid_principal_minor) // of_parts
    events.pay_interest(model, row, on, interest)
    events.pay_principal(model, row, on, principal)


def pay_next(model: Model, on: date, *, ahead: int = 0, of_parts: int = 1) -> None:
    unpaid = next((n for n, p in enumerate(model.periods) if not p.is_paid), None)
    if unpaid is not None:
        pay_row(model, min(unpaid + ahead, len(model.periods) - 1), on, of_parts=of_parts)


def change_terms(model: Model, kind: str, on: date, days: int) -> None:
    last = model.periods[-1]
    match kind:
        case "rate":
            events.change_rate(model, on, Decimal(days) / 100)
        case "pause" if on > model.periods[0].starts_on:
            events.pause(model, on, on + timedelta(days=days // 10))
        case "move":
            to = last.due_on + timedelta(days=days)
            shift.move_due_day(model, len(model.periods) - 1, to)
        case "extend":
            shift.add_periods(model, on, 1 + days % 3)
        case "re-amortise":
            re_amortise(model, on)
        case "re-age":
            first_due_on = last.due_on + timedelta(days=5 + days)
            re_age(model, on, NewRows(1 + days % 5, first_due_on, Interval(1, Unit.MONTHS)))


KINDS = ("pay", "early", "part", "miss", "lend", "credit")
TERMS = ("rate", "pause", "move", "extend", "re-amortise", "re-age")
HABITS = st.lists(st.tuples(st.sampled_from(KINDS + TERMS), st.integers(0, 40)), max_size=8)


def live(model: Model, habits: list[tuple[str, int]]) -> int:
    """Let things happen to a plan, one after the other; return what was lent or credited more."""
    on, more = model.periods[0].starts_on, 0
    for kind, days in habits:
        on = min(on + timedelta(days=days), model.periods[-1].due_on - timedelta(days=1))
        correct_overdue(model, on)
        match kind:
            case "pay" | "early" | "part":
                of_parts = 3 if kind == "part" else 1
                pay_next(model, on, ahead=int(kind == "early"), of_parts=of_parts)
            case "lend":
                events.disburse(model, on, 100 + days)
                more += 100 + days
            case "credit":
                events.credit(model, on, principal_minor=50 + days)
                more += 50 + days
            case _:
                change_terms(model, kind, on, days)
        assert min(row.balance_minor for row in model.rows()) >= 0
    return more


@given(SETTINGS, STARTS, COUNTS, PRINCIPALS)
def test_principal_repaid_is_principal_lent(
    settings: Settings, start: date, count: int, principal: int
) -> None:
    rows = lent(settings, start, count, principal).rows()
    assert sum(row.principal_minor for row in rows) == principal
    assert rows[-1].balance_minor == 0
    balances = [principal, *(row.balance_minor for row in rows)]
    assert balances == sorted(balances, reverse=True)
    assert all(min(row.principal_minor, row.interest_minor) >= 0 for row in rows)


@given(FLAT_SETTINGS, STARTS, COUNTS, PRINCIPALS)
def test_flat_principal_repaid_is_principal_lent(
    settings: Settings, start: date, count: int, principal: int
) -> None:
    rows = lent(settings, start, count, principal).rows()
    assert sum(row.principal_minor for row in rows) == principal
    assert all(row.interest_minor >= 0 for row in rows)


@given(SETTINGS, STARTS, COUNTS, PRINCIPALS)
def test_without_a_rate_there_is_no_interest(
    settings: Settings, start: date, count: int, principal: int
) -> None:
    free = Settings(settings.interval, Decimal(0), digits=settings.digits)
    model = lent(free, start, count, principal)
    correct_overdue(model, model.periods[-1].due_on)
    assert sum(row.interest_minor for row in model.rows()) == 0


@given(SETTINGS, STARTS, COUNTS, PRINCIPALS, HABITS)
def test_what_happens_never_loses_principal(
    settings: Settings, start: date, count: int, principal: int, habits: list[tuple[str, int]]
) -> None:
    model = lent(settings, start, count, principal)
    more = live(model, habits)
    rows = model.rows()
    assert sum(row.principal_minor for row in rows) == principal + more
    assert all(row.interest_minor >= row.paid_interest_minor for row in rows)
    assert all(row.principal_minor >= row.paid_principal_minor for row in rows)


@given(SETTINGS, STARTS, COUNTS, PRINCIPALS, HABITS)
def test_deriving_everything_anew_changes_nothing(
    settings: Settings, start: date, count: int, principal: int, habits: list[tuple[str, int]]
) -> None:
    model = lent(settings, start, count, principal)
    live(model, habits)
    kept = model.rows()
    model.refresh_factors()
    assert model.rows() == kept


@given(SETTINGS, STARTS, COUNTS, PRINCIPALS, HABITS)
def test_a_copy_changes_alone(
    settings: Settings, start: date, count: int, principal: int, habits: list[tuple[str, int]]
) -> None:
    model = lent(settings, start, count, principal)
    kept = model.rows()
    live(model.copy(), habits)
    assert model.rows() == kept


@given(SETTINGS, STARTS, COUNTS, PRINCIPALS)
def test_paid_on_its_days_a_plan_costs_what_was_signed_and_ends_at_zero(
    settings: Settings, start: date, count: int, principal: int
) -> None:
    model = lent(settings, start, count, principal)
    signed = [(row.principal_minor, row.interest_minor) for row in model.rows()]
    for row, period in enumerate(list(model.periods)):
        correct_overdue(model, period.due_on)
        pay_row(model, row, period.due_on)
    rows = model.rows()
    assert [(row.paid_principal_minor, row.paid_interest_minor) for row in rows] == signed
    left = outstanding_as_of(model, model.periods[-1].due_on)
    assert (left.principal_minor, left.interest_minor) == (0, 0)


@given(SETTINGS, STARTS, COUNTS, PRINCIPALS, st.integers(0, 400), st.integers(0, 60))
def test_waiting_longer_never_makes_the_end_cheaper(
    settings: Settings, start: date, count: int, principal: int, days: int, more: int
) -> None:
    model = lent(settings, start, count, principal)
    last = model.periods[-1].due_on
    early, late = (min(start + timedelta(days=n), last) for n in (days, days + more))
    on_start = outstanding_as_of(model, start)
    assert (on_start.principal_minor, on_start.interest_minor) == (principal, 0)
    # A period's interest is rounded once, so a day more may round the other way by a unit.
    assert outstanding_as_of(model, early).interest_minor <= (
        outstanding_as_of(model, late).interest_minor + len(model.periods)
    )


@given(SETTINGS, STARTS, COUNTS, PRINCIPALS)
def test_no_interest_runs_in_a_pause_of_the_whole_life(
    settings: Settings, start: date, count: int, principal: int
) -> None:
    model = lent(settings, start, count, principal)
    events.pause(model, start + timedelta(days=1), model.periods[-1].due_on)
    assert sum(row.interest_minor for row in model.rows()) == 0


@given(STARTS, INTERVALS, st.integers(1, 60))
def test_due_days_are_counted_from_the_start(start: date, interval: Interval, count: int) -> None:
    days = spans(start, interval, count)
    assert [first for first, _ in days[1:]] == [due for _, due in days[:-1]]
    assert all(first < due for first, due in days)
    assert days[-1][1] == later(start, interval.every * count, interval.unit)
    if interval.unit is Unit.MONTHS:
        assert all(
            due == add_months(start, interval.every * number)
            for number, (_, due) in enumerate(days, start=1)
        )


def test_what_is_lent_again_after_all_was_paid_ahead_is_asked_for() -> None:
    rules = Settings(
        Interval(1, Unit.MONTHS),
        Decimal("0.0245"),
        digits=3,
        days_in_month=DaysInMonth.THIRTY,
        days_in_year=DaysInYear.FIXED_365,
        accrual=Accrual.PER_PERIOD,
        is_partial_period_exact=False,
        multiple=1,
    )
    model = lent(rules, date(2023, 1, 31), 2, 2_422_768)
    more = live(model, [("pay", 40), ("early", 40), ("lend", 40)])
    assert more == 140
    assert sum(row.principal_minor for row in model.rows()) == 2_422_768 + more

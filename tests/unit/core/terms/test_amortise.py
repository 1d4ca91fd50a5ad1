"""The interest model by example; amounts in cents. Figures from published schedules say so."""

from datetime import date
from decimal import Decimal

import pytest

from fenqi.core.terms.amortise import events, shift
from fenqi.core.terms.amortise.as_of import (
    correct_overdue,
    due_as_of,
    open_interest_as_of,
    outstanding_as_of,
    run_interest_as_of,
)
from fenqi.core.terms.amortise.dates import DueDatesInvalid, first_of_next_month, spans
from fenqi.core.terms.amortise.down_payment import down_payment
from fenqi.core.terms.amortise.factor import rate_factor, real_units
from fenqi.core.terms.amortise.model import Model, PeriodsInvalid
from fenqi.core.terms.amortise.re_age import NewRows, equal_parts, re_age, re_age_in_equal_parts
from fenqi.core.terms.amortise.re_amortise import re_amortise, re_amortise_interest_equally
from fenqi.core.terms.amortise.settings import (
    DaysInMonth,
    DaysInYear,
    Interval,
    LevelRate,
    Method,
    PayOffInterest,
    RatePeriod,
    Rest,
    Settings,
    SettingsInvalid,
    Unit,
    yearly_rate,
)
from fenqi.core.values.rate import Rounding

MONTHLY = Interval(1, Unit.MONTHS)
SEVEN = Decimal("0.07")
THIRTY = {"days_in_month": DaysInMonth.THIRTY, "days_in_year": DaysInYear.FIXED_360}
START = date(2024, 1, 1)


def settings(rate: Decimal = SEVEN, interval: Interval = MONTHLY, **more: object) -> Settings:
    return Settings(interval, rate, **{**THIRTY, **more})  # type: ignore[arg-type] # a test's words


def lent(
    principal: int = 10_000, count: int = 6, of: Settings | None = None, start: date = START
) -> Model:
    rules = of or settings()
    model = Model(rules, spans(start, rules.interval, count))
    events.disburse(model, start, principal)
    return model


def parts(model: Model) -> list[tuple[int, int]]:
    return [(row.principal_minor, row.interest_minor) for row in model.rows()]


def pay(model: Model, row: int, on: date, principal: int, interest: int) -> None:
    events.pay_interest(model, row, on, interest)
    events.pay_principal(model, row, on, principal)


def level(rules: Settings, period: tuple[date, date]) -> Decimal:
    """Return the factor of a whole period for the level instalment."""
    return rate_factor(rules, SEVEN, period, period, units=Decimal(1))


def test_a_level_plan_has_the_published_rows() -> None:
    # Published: 100.00 at 7 % a year over six months of 30/360.
    model = lent()
    assert parts(model) == [
        (1643, 58),
        (1652, 49),
        (1662, 39),
        (1672, 29),
        (1681, 20),
        (1690, 10),
    ]
    assert [row.instalment_minor for row in model.rows()] == [1701] * 5 + [1700]


def test_without_a_rate_the_parts_are_equal_and_the_last_takes_the_rest() -> None:
    assert parts(lent(10_000, 3, settings(Decimal(0)))) == [(3333, 0), (3333, 0), (3334, 0)]


def test_instalments_come_in_multiples_and_the_last_takes_the_rest() -> None:
    rows = lent(100_000, 3, settings(Decimal(0), multiple=1)).rows()
    assert [row.instalment_minor for row in rows] == [33_300, 33_300, 33_400]


def test_a_multiple_too_large_for_the_loan_is_not_rounded_to_nothing() -> None:
    assert parts(lent(100, 4, settings(Decimal(0), multiple=5))) == [(25, 0)] * 4


def test_instalments_rounded_up_end_with_a_smaller_one() -> None:
    # Published by Frappe Lending: 280,000 at 8.4 % over 20 months, instalment 15,052.
    rules = settings(
        Decimal("0.084"),
        days_in_month=DaysInMonth.ACTUAL,
        days_in_year=DaysInYear.FIXED_365,
        level_rate=LevelRate.NOMINAL,
        multiple=1,
        multiple_rounding=Rounding.UP,
        is_last_smoothed=False,
    )
    rows = lent(28_000_000, 20, rules, date(2025, 1, 27)).rows()
    assert rows[0].instalment_minor == 1_505_200
    assert rows[-1].instalment_minor < 1_505_200


@pytest.mark.parametrize(("digits", "principal"), [(0, 100_000), (2, 100_000), (3, 100_000)])
def test_a_currency_of_any_digits_repays_its_principal(digits: int, principal: int) -> None:
    assert sum(row for row, _ in parts(lent(principal, 7, settings(digits=digits)))) == principal


def test_flat_interest_is_counted_on_all_that_was_lent() -> None:
    # Published: 1,000.00 flat at 12 % a year over three months of equal repayment periods.
    rules = settings(Decimal("0.12"), method=Method.FLAT)
    assert parts(lent(100_000, 3, rules)) == [(33_333, 1000), (33_333, 1000), (33_334, 1000)]


def test_flat_interest_of_the_whole_term_is_shared_out_and_the_last_row_takes_the_rest() -> None:
    # Published: 1,000.00 flat at 7 % a year over three months, counted once for the term.
    rules = settings(method=Method.FLAT_WHOLE_TERM)
    assert parts(lent(100_000, 3, rules)) == [(33_333, 583), (33_333, 583), (33_334, 584)]


def test_the_first_rows_of_a_grace_ask_for_interest_only() -> None:
    principals = [principal for principal, _ in parts(lent(of=settings(principal_grace=2)))]
    assert principals[:2] == [0, 0]
    assert sum(principals) == 10_000


def test_the_first_rows_of_an_interest_grace_ask_for_no_interest() -> None:
    interests = [interest for _, interest in parts(lent(of=settings(interest_grace=2)))]
    assert interests[:2] == [0, 0]
    assert interests[2] > 0


def test_a_later_drawdown_is_levelled_over_the_rows_to_come() -> None:
    # Published: 100.00 and, two months later, 100.00 more at 9.4822 %.
    model = lent(of=settings(Decimal("0.094822")))
    events.disburse(model, date(2024, 3, 1), 10_000)
    amounts = [row.instalment_minor for row in model.rows()]
    assert amounts == [1713, 1713, 4263, 4263, 4263, 4261]


def test_a_drawdown_with_a_full_term_brings_rows_of_its_own() -> None:
    # Published: 100.00 and, a month later, 100.00 more over six months of its own.
    model = lent(of=settings(Decimal("0.094822"), count=6))
    events.disburse(model, date(2024, 2, 1), 10_000)
    rows = model.rows()
    assert [row.instalment_minor for row in rows] == [1713, *[3426] * 5, 1713]
    assert sum(row.principal_minor for row in rows) == 20_000


def test_paid_early_less_interest_is_owed_and_what_runs_on_falls_due_later() -> None:
    # Published: 5,000.00 at 9.99 %, the first instalment paid three days early.
    rules = Settings(MONTHLY, Decimal("0.0999"))
    model = lent(500_000, 6, rules, date(2023, 11, 13))
    due = due_as_of(model, 0, date(2023, 12, 10))
    assert (due.principal_minor, due.interest_minor) == (82_076, 3695)
    pay(model, 0, date(2023, 12, 10), due.principal_minor, due.interest_minor)
    assert parts(model)[:2] == [(82_076, 3695), (81_886, 3885)]
    assert model.rows()[0].is_paid


def test_principal_overdue_bears_interest_up_to_the_day() -> None:
    model = lent()
    as_signed = parts(model)
    assert correct_overdue(model, date(2024, 4, 1))
    assert [interest for _, interest in parts(model)][1:3] == [58, 58]
    assert sum(interest for _, interest in parts(model)) > sum(i for _, i in as_signed)
    assert sum(principal for principal, _ in parts(model)) == 10_000


def test_nothing_is_overdue_on_the_due_day() -> None:
    model = lent()
    assert not correct_overdue(model, date(2024, 2, 1))


def test_rest_by_the_period_bears_overdue_interest_to_its_end() -> None:
    daily, by_period = (
        lent(of=settings(rest=rest, pay_off_interest=PayOffInterest.TO_REST))
        for rest in (Rest.DAILY, Rest.PER_PERIOD)
    )
    for model in (daily, by_period):
        correct_overdue(model, date(2024, 2, 10))
    assert parts(by_period)[1][1] > parts(daily)[1][1]


def test_the_pay_off_is_principal_and_interest_to_the_day() -> None:
    left = outstanding_as_of(lent(), date(2024, 1, 16))
    assert (left.principal_minor, left.interest_minor) == (10_000, 28)
    assert open_interest_as_of(lent(), date(2024, 1, 16)) == 28
    assert run_interest_as_of(lent(), 0, date(2024, 1, 16)) == 28


def test_a_pause_leaves_the_instalment_and_shortens_the_last_row() -> None:
    # Published: six days of February without interest.
    model = lent()
    events.pause(model, date(2024, 2, 5), date(2024, 2, 10))
    assert parts(model)[1] == (1662, 39)
    assert [row.instalment_minor for row in model.rows()] == [1701] * 5 + [1690]


def test_another_rate_changes_later_instalments_only() -> None:
    model = lent()
    events.change_rate(model, date(2024, 2, 2), Decimal("0.04"))
    assert model.rows()[0].instalment_minor == 1701
    assert model.rows()[1].instalment_minor < 1701


def test_a_rate_from_before_the_plan_holds_for_all_of_it() -> None:
    model = lent()
    events.change_rate(model, START, Decimal("0.04"))
    assert parts(model) == parts(lent(of=settings(Decimal("0.04"))))


def test_what_is_credited_is_asked_on_top_of_the_instalment() -> None:
    # Published: a chargeback of 17.01 on the due day of the second row.
    model = lent()
    pay(model, 0, date(2024, 2, 1), 1643, 58)
    pay(model, 1, date(2024, 3, 1), 1652, 49)
    events.credit(model, date(2024, 3, 1), principal_minor=1701)
    assert parts(model)[2] == (3353, 49)
    assert sum(principal for principal, _ in parts(model)) == 11_701


def test_re_ageing_levels_what_is_outstanding_over_new_rows() -> None:
    # Published: one instalment paid, on 15 March six new rows from 1 April.
    model = lent()
    pay(model, 0, date(2024, 2, 1), 1643, 58)
    correct_overdue(model, date(2024, 3, 15))
    re_age(model, date(2024, 3, 15), NewRows(6, date(2024, 4, 1), MONTHLY))
    assert parts(model) == [
        (1643, 58),
        (0, 0),
        (0, 0),
        (1332, 98),
        (1389, 41),
        (1397, 33),
        (1405, 25),
        (1413, 17),
        (1421, 8),
    ]


def test_re_ageing_in_equal_parts_runs_no_further_interest() -> None:
    # Published: what is due so far shared out; another rate then changes nothing.
    model = lent()
    pay(model, 0, date(2024, 2, 1), 1643, 58)
    correct_overdue(model, date(2024, 3, 15))
    new = NewRows(6, date(2024, 4, 1), MONTHLY)
    re_age_in_equal_parts(model, date(2024, 3, 15), new, with_future_interest=False)
    rows = parts(model)
    assert rows[3:] == [(1393, 12)] * 5 + [(1392, 11)]
    events.change_rate(model, date(2024, 5, 1), Decimal("0.12"))
    assert parts(model) == rows


def test_equal_parts_end_with_the_difference() -> None:
    assert equal_parts(71, 6) == (12, 12, 12, 12, 12, 11)
    assert equal_parts(0, 3) == (0, 0, 0)


def test_re_amortising_spreads_past_due_amounts_over_the_rows_to_come() -> None:
    model = lent()
    pay(model, 0, date(2024, 2, 1), 1643, 58)
    correct_overdue(model, date(2024, 3, 15))
    re_amortise(model, date(2024, 3, 15))
    rows = model.rows()
    assert [row.instalment_minor for row in rows[:2]] == [1701, 0]
    assert len({row.instalment_minor for row in rows[2:-1]}) == 1
    assert sum(row.principal_minor for row in rows) == 10_000


def test_re_amortising_can_share_past_interest_out_in_equal_parts() -> None:
    # Published: at 10 % from March; 0.49 unpaid interest becomes 0.12 in each of four rows.
    model = lent()
    pay(model, 0, date(2024, 2, 1), 1643, 58)
    events.change_rate(model, date(2024, 3, 1), Decimal("0.10"))
    correct_overdue(model, date(2024, 3, 15))
    re_amortise_interest_equally(model, date(2024, 3, 15))
    assert parts(model)[1:] == [(0, 0), (2063, 82), (2081, 64), (2098, 47), (2115, 30)]


def test_re_amortising_levels_what_bore_no_interest_past_due_too() -> None:
    model = lent(count=5, of=settings(Decimal("0.12"), is_last_smoothed=False))
    re_amortise(model, date(2024, 2, 2))
    # 10,000 over four months at 1 % is 2,563 each; the last one asks for January's 100 as well.
    assert [row.instalment_minor for row in model.rows()] == [0, 2563, 2563, 2563, 2663]


def test_a_last_row_left_with_its_shared_interest_lets_the_one_before_give_way() -> None:
    coarse = settings(Decimal("0.36"), multiple=1, is_last_smoothed=False)
    model = lent(principal=692, of=coarse)
    re_amortise_interest_equally(model, date(2024, 2, 7))
    rows = model.rows()
    assert [row.instalment_minor for row in rows[:4]] == [0, 200, 200, 200]
    assert parts(model)[-1] == (0, 4)
    assert sum(row.principal_minor for row in rows) == 692


def test_a_moved_due_day_takes_the_later_ones_along() -> None:
    model = lent(count=3)
    shift.move_due_day(model, 1, date(2024, 3, 16))
    assert [row.due_on for row in model.rows()] == [
        date(2024, 2, 1),
        date(2024, 3, 16),
        date(2024, 4, 16),
    ]
    assert parts(model)[1][1] > parts(lent(count=3))[1][1]
    assert sum(principal for principal, _ in parts(model)) == 10_000


def test_a_due_day_before_something_that_happened_is_refused() -> None:
    model = lent(count=3)
    events.pause(model, date(2024, 2, 10), date(2024, 2, 20))
    kept = model.rows()
    with pytest.raises(DueDatesInvalid):
        shift.move_due_day(model, 1, date(2024, 2, 12))
    assert model.rows() == kept


def test_extra_periods_make_smaller_instalments() -> None:
    model = lent(count=3)
    shift.add_periods(model, date(2024, 2, 1), 2)
    rows = model.rows()
    assert rows[-1].due_on == date(2024, 6, 1)
    assert rows[1].instalment_minor < lent(count=3).rows()[1].instalment_minor
    assert sum(row.principal_minor for row in rows) == 10_000


def test_a_day_outside_the_plan_changes_nothing() -> None:
    model = lent()
    kept = model.rows()
    events.correct_balance(model, date(2023, 1, 1), -500)
    events.credit(model, date(2031, 1, 1), principal_minor=500)
    assert model.rows() == kept


def test_due_days_keep_the_end_of_the_month() -> None:
    days = [due for _, due in spans(date(2024, 1, 31), MONTHLY, 3)]
    assert days == [date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]


def test_a_fixed_length_forces_the_last_due_day() -> None:
    days = spans(date(2024, 2, 1), Interval(15, Unit.DAYS), 3, length_days=40)
    assert days[-1] == (date(2024, 3, 2), date(2024, 3, 12))


def test_the_first_due_day_may_be_given() -> None:
    start = date(2022, 10, 17)
    days = spans(start, MONTHLY, 12, first_due_on=first_of_next_month(start))
    assert (days[0][1], days[-1][1]) == (date(2022, 11, 1), date(2023, 10, 1))


@pytest.mark.parametrize(
    ("start", "count", "length"),
    [(START, 0, None), (START, 5000, None), (START, 3, 10)],
)
def test_impossible_due_days_are_refused(start: date, count: int, length: int | None) -> None:
    with pytest.raises(DueDatesInvalid):
        spans(start, MONTHLY, count, length_days=length)


def test_a_first_due_day_before_the_start_is_refused() -> None:
    with pytest.raises(DueDatesInvalid):
        spans(START, MONTHLY, 3, first_due_on=date(2023, 12, 31))


def test_a_thirty_day_month_counts_alike_whatever_its_days() -> None:
    february = (date(2024, 2, 1), date(2024, 3, 1))
    factor = level(settings(), february)
    assert factor == Decimal("0.0058333333333333333")


def test_a_period_over_new_year_is_cut_at_the_last_of_december() -> None:
    period = (date(2023, 12, 12), date(2024, 1, 12))
    rules = Settings(MONTHLY, SEVEN)
    whole = Decimal(19) / 365 + Decimal(12) / 366
    assert abs(level(rules, period) - SEVEN * whole) < Decimal("1e-18")
    on_new_year = Settings(MONTHLY, SEVEN, counts_first_day=True)
    whole = Decimal(20) / 365 + Decimal(11) / 366
    assert abs(level(on_new_year, period) - SEVEN * whole) < Decimal("1e-18")


def test_a_year_may_be_long_only_for_the_period_with_the_leap_day() -> None:
    rules = Settings(MONTHLY, SEVEN, days_in_year=DaysInYear.ACTUAL_BY_LEAP_DAY)
    january = (date(2024, 1, 1), date(2024, 2, 1))
    february = (date(2024, 2, 1), date(2024, 3, 1))
    for period, year in ((january, 365), (february, 366)):
        days = Decimal((period[1] - period[0]).days)
        difference = level(rules, period) - SEVEN * days / year
        assert abs(difference) < Decimal("1e-18")


def test_a_moved_due_day_counts_months_and_parts_of_one() -> None:
    period = (date(2024, 2, 1), date(2024, 3, 16))
    units = real_units(settings(), period, anchor=START)
    factor = rate_factor(settings(), SEVEN, period, period, units=units)
    months = 1 + Decimal(15) / 31
    assert abs(factor - SEVEN * 30 * months / 360) < Decimal("1e-18")


@pytest.mark.parametrize(
    ("period", "rate"),
    [(RatePeriod.YEAR, "0.04"), (RatePeriod.MONTH, "0.48"), (RatePeriod.WHOLE_TERM, "0.12")],
)
def test_a_rate_of_any_period_becomes_a_yearly_one(period: RatePeriod, rate: str) -> None:
    four = Decimal("0.04")
    arithmetic = settings().arithmetic
    found = yearly_rate(four, period, interval=MONTHLY, count=4, arithmetic=arithmetic)
    assert found == Decimal(rate)


def test_a_down_payment_is_rounded_to_the_multiple() -> None:
    assert down_payment(48_758, 250_000, settings()) == 12_190
    assert down_payment(48_758, 250_000, settings(multiple=1)) == 12_200


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingsInvalid):
        Settings(MONTHLY, Decimal("-0.01"))
    with pytest.raises(SettingsInvalid):
        Settings(MONTHLY, SEVEN, digits=9)
    with pytest.raises(SettingsInvalid):
        Interval(0, Unit.DAYS)


def test_periods_out_of_order_are_refused() -> None:
    with pytest.raises(PeriodsInvalid):
        Model(settings(), [(START, date(2024, 2, 1)), (date(2024, 2, 2), date(2024, 3, 1))])
    with pytest.raises(PeriodsInvalid):
        Model(settings(), [])


def test_a_row_the_plan_does_not_have_is_refused() -> None:
    model = lent()
    with pytest.raises(events.RowUnknown):
        events.pay_interest(model, 6, START, 1)
    with pytest.raises(events.RowUnknown):
        due_as_of(model, -1, START)


def test_due_days_beyond_the_calendar_are_refused() -> None:
    for unit in Unit:
        with pytest.raises(DueDatesInvalid):
            spans(date(9999, 12, 1), Interval(12, unit), 12)


def test_principal_paid_never_exceeds_what_was_lent_and_credited() -> None:
    model = lent(count=3)
    credited = model.totals().lent_minor // 10
    events.credit(model, date(2024, 1, 20), principal_minor=credited)
    owed = model.totals().lent_minor
    events.pay_principal(model, 2, date(2024, 1, 25), owed + credited)
    assert model.totals().paid_principal_minor == owed

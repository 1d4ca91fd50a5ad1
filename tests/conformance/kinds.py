"""How each kind of published case is computed: its inputs in, our figures out.

A kind is a name in the vectors; its function hands the inputs to the core and invents nothing. An
input a kind does not know is a fault, so that no condition of a case is left out in silence.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Any

from fenqi.core.terms.annuity import interest_part, level_amount, stepped_amount
from fenqi.core.terms.aprc import IntervalPeriod, TimedAmount, eu_aprc, interval
from fenqi.core.terms.cash_flow import irr, xirr
from fenqi.core.terms.cost import nominal_annual
from fenqi.core.terms.day_count import DayCount, days_between, year_fraction
from fenqi.core.terms.regz import UnitKind, UnitPeriod, regz_apr, regz_apr_of_single_payment
from fenqi.core.terms.root import WhenSeveral
from fenqi.core.terms.schedule import level_payment, schedule
from fenqi.core.terms.settlement import (
    actuarial_unearned,
    rule_of_78_unearned,
    uk_period_rate,
    uk_rebate,
)
from fenqi.core.values.money import OddUnits, split
from fenqi.core.values.rate import PPM, Rounding, apply_ppm, round_places
from make import annuity, terms

Inputs = Mapping[str, Any]
Figure = Decimal | Fraction | int | str
Figures = dict[str, Figure]

CENTS = 100
MONTHS_PER_YEAR = 12
WHOLE_MINOR = 24 * 10**9  # divides into 3, 6, 12 and 24 parts without rest
UK_DECIMALS = 6
SIMPLE_YEARLY = 365
SPLITS = {
    "per-period principal and fee each floored to the cent; the remainder goes to the FIRST "
    "instalment; total fee rounded half-even in cents"
}
INTEREST_ROUNDINGS = {"cent, half-up": Rounding.HALF_UP}
CONVENTIONS = {
    "ACT/360": DayCount.ACT_360,
    "ACT/365": DayCount.ACT_365,
    "ACT/365F": DayCount.ACT_365,
    "ACT/ACT ISDA": DayCount.ACT_ACT_ISDA,
    "ACT/ACT ISMA": DayCount.ACT_ACT_ICMA,
    "ACT/ACT ICMA": DayCount.ACT_ACT_ICMA,
    "ACT/ACT AFB": DayCount.ACT_ACT_AFB,
    "30/360 bond basis": DayCount.THIRTY_360,
    "30/360 US": DayCount.THIRTY_360_US,
    "30E/360 eurobond basis": DayCount.THIRTY_E_360,
    "30E/360 ISDA": DayCount.THIRTY_E_360_ISDA,
}


class NotUnderstood(Exception):
    """A case asks for something this runner does not know."""


def compute(kind: str, inputs: Inputs) -> Figures:
    """Return our figures for a case.

    Errors: NotUnderstood for an unknown kind or input; KeyError, ValueError, TypeError and the
    like for inputs that make no sense; FenqiError for what the core refuses.
    """
    if kind not in KINDS:
        raise NotUnderstood(f"unknown kind {kind!r}")
    known, figures = KINDS[kind]
    unknown = sorted(inputs.keys() - set(known.split()))
    if unknown:
        raise NotUnderstood(f"unknown inputs of kind {kind!r}: {', '.join(unknown)}")
    return figures(inputs)


def _regz(given: Inputs) -> Figures:
    unit = given["unit_period"]
    rate = regz_apr(
        advances=_dated(given["advances"]),
        payments=_dated(given["payments"]),
        unit=UnitPeriod(UnitKind(unit["kind"]), unit["count"]),
        is_month_end_series=given.get("month_end_series", False),
    )
    return {"apr_percent": 100 * rate}


def _regz_single(given: Inputs) -> Figures:
    advance_minor, payment_minor = _minor(given["advance"]), _minor(given["payment"])
    days, months = given.get("term_days"), given.get("term_months")
    if "first" in given and "last" in given and days is not None:
        first, last = _day(given["first"]), _day(given["last"])
        if (last - first).days != days:
            raise NotUnderstood(f"{first} to {last} is not {days} days")
        if days > SIMPLE_YEARLY:
            rate = regz_apr(
                advances=[(first, advance_minor)],
                payments=[(last, payment_minor)],
                unit=UnitPeriod(UnitKind.YEAR),
            )
            return {"apr_percent": 100 * rate}
    rate = regz_apr_of_single_payment(
        advance_minor=advance_minor, payment_minor=payment_minor, months=months, days=days
    )
    return {"apr_percent": 100 * rate}


def _aprc(given: Inputs) -> Figures:
    """Times are given in years; the `dates` of a case only say where they come from."""
    rate = eu_aprc(drawdowns=_timed(given["drawdowns"]), repayments=_timed(given["repayments"]))
    return {"aprc_percent": 100 * rate}


def _interval(given: Inputs) -> Figures:
    found = interval(
        _day(given["start"]), _day(given["end"]), period=IntervalPeriod(given["period"])
    )
    return {"years": found.years, "days": found.odd_days, "day_divisor": found.days_in_year}


def _fee_instalment(given: Inputs) -> Figures:
    """The whole fee is rounded once and split; the printed yearly figure is of unrounded parts."""
    if given["split"] not in SPLITS:
        raise NotUnderstood(f"unknown split {given['split']!r}")
    principal_minor, count = _minor(given["principal"]), given["count"]
    fee_rate = _exact(given["total_fee_rate"])
    fee_minor = apply_ppm(principal_minor, _whole(fee_rate * PPM), rounding=Rounding.HALF_EVEN)
    principals = split(principal_minor, count, odd_units=OddUnits.FIRST)
    fees = split(fee_minor, count, odd_units=OddUnits.FIRST)
    equal = _whole(WHOLE_MINOR * (1 + fee_rate) / count)
    return {
        "regular_instalment": Fraction(principals[-1] + fees[-1], CENTS),
        "total_fee": Fraction(fee_minor, CENTS),
        "simple_annual_percent": 100 * nominal_annual(WHOLE_MINOR, [equal] * count),
    }


def _days(given: Inputs) -> Figures:
    days = days_between(
        CONVENTIONS[given["convention"]],
        _day(given["start"]),
        _day(given["end"]),
        terminates_on=_day(given["termination"]) if "termination" in given else None,
    )
    return {"days": days}


def _year_fraction(given: Inputs) -> Figures:
    years = year_fraction(
        CONVENTIONS[given["convention"]],
        _day(given["start"]),
        _day(given["end"]),
        terminates_on=_day(given["termination"]) if "termination" in given else None,
        period=(_day(given["ref_start"]), _day(given["ref_end"])) if "ref_start" in given else None,
    )
    return {"years": years}


def _irr(given: Inputs) -> Figures:
    return {"value": _spreadsheet_irr([_exact(amount) for amount in given["flows"]])}


def _xirr(given: Inputs) -> Figures:
    days = [_day(on) for on, _ in given["flows"]]
    amounts = _scaled([_exact(amount) for _, amount in given["flows"]])
    flows = list(zip(days, amounts, strict=True))
    return {"value": xirr(flows, when_several=WhenSeveral.NEAREST_TO_ZERO)}


def _round(given: Inputs) -> Figures:
    value = Decimal(given["value"])
    rounded = round_places(value, decimals=given["decimals"], rounding=Rounding.HALF_UP)
    return {"text": f"{rounded:f}"}


def _earned(given: Inputs) -> Figures:
    count, left = given["months"], given["months"] - given["after_month"]
    cost_minor, rate = _minor(given["total_interest"]), _exact(given["nominal_percent"]) / 100
    payment_minor = level_payment(
        _minor(given["principal"]),
        count,
        interest_ppm_per_year=_whole(rate * PPM),
        rounding=Rounding.HALF_UP,
    )
    unearned = {
        "rule78_cumulative": rule_of_78_unearned(
            cost_minor, left=left, count=count, rounding=Rounding.HALF_UP
        ),
        "actuarial_cumulative": actuarial_unearned(
            [payment_minor] * left, rate=rate / MONTHS_PER_YEAR, rounding=Rounding.HALF_UP
        ),
    }
    return {name: Fraction(cost_minor - minor, CENTS) for name, minor in unearned.items()}


def _schedule_line(given: Inputs) -> Figures:
    principal_minor = _minor(given["principal"])
    rate_ppm = _whole(_exact(given["nominal_percent"]) / 100 * PPM)
    of = annuity(rate_ppm, rounding=INTEREST_ROUNDINGS[given["interest_rounding"]])
    rows = schedule(terms(of, principal_minor, given["count"]))[: given["line"]]
    if rows[-1].total_minor != _minor(given["instalment"]):
        raise NotUnderstood(f"our instalment is {rows[-1].total_minor} minor units")
    principal, interest, *_ = rows[-1].amounts
    balance = principal_minor - sum(row.amounts[0] for row in rows)
    return {
        "interest": Fraction(interest, CENTS),
        "principal_part": Fraction(principal, CENTS),
        "balance": Fraction(balance, CENTS),
    }


def _level_instalment(given: Inputs) -> Figures:
    payment_minor = level_payment(
        _minor(given["principal"]),
        given["count"],
        interest_ppm_per_year=_whole(_exact(given["nominal_percent"]) / 100 * PPM),
        rounding=Rounding.HALF_EVEN,
    )
    return {"instalment": Fraction(payment_minor, CENTS)}


def _stepped_instalment(given: Inputs) -> Figures:
    amount = stepped_amount(
        _exact(given["principal"]),
        weights=[_exact(weight) for weight in given["weights"]],
        rate=_exact(given["nominal_percent"]) / 100 / MONTHS_PER_YEAR,
    )
    return {"instalment": amount}


def _payment(given: Inputs) -> Figures:
    return {"value": -_level(given)}


def _interest_payment(given: Inputs) -> Figures:
    return {"value": -_interest(given)}


def _principal_payment(given: Inputs) -> Figures:
    return {"value": _interest(given) - _level(given)}


def _level(given: Inputs) -> Fraction:
    """Spreadsheets count what is paid as negative, so a sum still owed at the end is -fv."""
    return level_amount(
        _exact(given["pv"]),
        count=given["nper"],
        rate=_exact(given["rate"]),
        left=-_exact(given.get("fv", 0)),
        is_in_advance=_is_in_advance(given),
    )


def _interest(given: Inputs) -> Fraction:
    return interest_part(
        _exact(given["pv"]),
        _level(given),
        number=given["per"],
        rate=_exact(given["rate"]),
        is_in_advance=_is_in_advance(given),
    )


def _rate(given: Inputs) -> Figures:
    count, pv, pmt = given["nper"], _exact(given["pv"]), _exact(given["pmt"])
    flows = [pv, *[pmt] * count]
    if _is_in_advance(given):
        flows = [pv + pmt, *[pmt] * (count - 1), Fraction(0)]
    flows[-1] += _exact(given.get("fv", 0))
    return {"value": _spreadsheet_irr(flows)}


def _spreadsheet_irr(flows: Sequence[Fraction]) -> Decimal:
    """Of several rates a spreadsheet finds the one near its guess, which is near zero."""
    return irr(_scaled(flows), when_several=WhenSeveral.NEAREST_TO_ZERO)


def _uk_rebate(given: Inputs) -> Figures:
    if given["period_rate_decimals"] != UK_DECIMALS:
        raise NotUnderstood(f"the regulations' examples round to {UK_DECIMALS} decimals")
    count, instalment_minor = given["instalments"], _minor(given["instalment"])
    part, whole = given["extra_period_fraction"]
    rebate_minor = uk_rebate(
        credits_given=[(Fraction(0), _minor(given["advance"]))],
        repayments=[(Fraction(number), instalment_minor) for number in range(1, count + 1)],
        settled_after=given["paid_instalments"] + Fraction(part, whole),
        period_rate=uk_period_rate(
            Decimal(given["apr_percent"]) / 100, periods_per_year=MONTHS_PER_YEAR
        ),
        rounding=Rounding.HALF_UP,
    )
    return {"rebate": Fraction(rebate_minor, CENTS)}


# The inputs a kind knows, and the function that computes its figures. A spreadsheet's `guess` says
# where its search begins and changes nothing for a search that finds every rate.
KINDS: dict[str, tuple[str, Callable[[Inputs], Figures]]] = {
    "apr_us_actuarial": ("advances payments unit_period month_end_series", _regz),
    "apr_us_single_payment": ("advance payment term_days term_months first last", _regz_single),
    "aprc_effective": ("drawdowns repayments dates", _aprc),
    "eu_interval_years": ("start end period", _interval),
    "fee_instalment": ("principal count total_fee_rate split", _fee_instalment),
    "day_count_days": ("convention start end termination", _days),
    "year_fraction": ("convention start end termination ref_start ref_end", _year_fraction),
    "IRR": ("flows guess", _irr),
    "XIRR": ("flows guess", _xirr),
    "round_half_up_last_place": ("value decimals", _round),
    "earned_interest_after_month": (
        "principal nominal_percent months after_month total_interest",
        _earned,
    ),
    "schedule_line": (
        "principal nominal_percent count instalment line interest_rounding",
        _schedule_line,
    ),
    "level_instalment": ("principal nominal_percent count", _level_instalment),
    "stepped_instalment_full_weight": ("principal nominal_percent weights", _stepped_instalment),
    "PMT": ("rate nper pv fv type when", _payment),
    "IPMT": ("rate per nper pv fv type when", _interest_payment),
    "PPMT": ("rate per nper pv fv type when", _principal_payment),
    "RATE": ("nper pmt pv fv type when guess", _rate),
    "uk_si_2004_1483_rebate": (
        "advance instalments instalment apr_percent paid_instalments extra_period_fraction "
        "period_rate_decimals",
        _uk_rebate,
    ),
}


def _is_in_advance(given: Inputs) -> bool:
    """Spreadsheets say `type` 0 or 1, other libraries `when` end or begin."""
    when = given.get("type", given.get("when", 0))
    try:
        return {0: False, 1: True, "end": False, "begin": True}[when]
    except (KeyError, TypeError):
        raise NotUnderstood(f"payments at {when!r} of a period") from None


def _exact(value: object) -> Fraction:
    """Return a number exactly; text may be a quotient, as in `0.1/12`."""
    text = str(value)
    if not re.fullmatch(r"-?[\d.]+(e[+-]?\d{1,2})?(/[\d.]+)?", text, re.IGNORECASE):
        raise NotUnderstood(f"{text!r} is no number")
    over, _, under = text.partition("/")
    return Fraction(over) / Fraction(under or 1)


def _whole(value: Fraction) -> int:
    if value.denominator != 1:
        raise NotUnderstood(f"{value} is not whole")
    return value.numerator


def _minor(value: object) -> int:
    """Return an amount in cents."""
    return _whole(_exact(value) * CENTS)


def _scaled(amounts: Sequence[Fraction]) -> list[int]:
    """Return amounts in a unit in which all are whole; rates do not depend on it."""
    scale = lcm(*(amount.denominator for amount in amounts))
    return [_whole(amount * scale) for amount in amounts]


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _dated(flows: Sequence[tuple[str, object]]) -> list[tuple[date, int]]:
    return [(_day(on), _minor(amount)) for on, amount in flows]


def _timed(flows: Sequence[tuple[object, object]]) -> list[TimedAmount]:
    return [TimedAmount(_exact(years), _minor(amount)) for years, amount in flows]

"""What a purchase costs: yearly rates solved from its payments, and the disclosed cost table.

One plan has several lawful yearly rates; each has its own name here and none is just "apr". They
are solved in exact decimal arithmetic, so that every machine prints the same digits.

Source: PBoC Announcement 2021 No. 3 (yearly cost on the principal really used, rate shown first);
the comprehensive cost table of personal loans in force since 1 August 2026.
"""

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal, localcontext
from enum import StrEnum
from functools import lru_cache
from typing import assert_never

from fenqi.core.terms.cash_flow import discount_factor
from fenqi.core.terms.product import Component, Product, ScheduleKind
from fenqi.core.terms.root import SOLVING, shown
from fenqi.core.terms.schedule import MONTHS_PER_YEAR, Due, Frame, Terms, schedule
from fenqi.core.values.rate import PPM

DAYS_REMEMBERED = 4096  # lists of due days; a day has one per statement day and count


class CostKind(StrEnum):
    """The kinds of cost an agreement may name; nothing else is ever charged (M7)."""

    FLAT_FEE = "flat-fee"
    INTEREST = "interest"
    LATE_CHARGE = "late-charge"
    DEFERRAL_FEE = "deferral-fee"  # a customer asked to pay an instalment later
    EXTENSION_FEE = "extension-fee"  # a customer asked for more instalments


class RatePeriod(StrEnum):
    """What time a cost line's rate is for."""

    INSTALMENT = "instalment"
    YEAR = "year"
    DAY = "day"
    DEFERRAL = "deferral"  # each time


class CostBase(StrEnum):
    """What a cost line's rate is taken of."""

    ORIGINAL_PRINCIPAL = "original-principal"
    REMAINING_PRINCIPAL = "remaining-principal"
    OVERDUE_AMOUNT = "overdue-amount"
    DEFERRED_INSTALMENT = "deferred-instalment"
    PRINCIPAL_TO_COME = "principal-to-come"


class Collector(StrEnum):
    """Who collects a cost."""

    LENDER = "lender"


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of the cost table.

    Units: `amount_minor` is what the line comes to if all goes normally, so 0 for a contingent
    one; `cap_ppm` of what the late instalment first asked for, None where nothing is capped.
    """

    kind: CostKind
    rate_ppm: int
    rate_period: RatePeriod
    base: CostBase
    collected_by: Collector
    is_contingent: bool  # charged only if something goes wrong, or is asked for
    amount_minor: int
    grace_days: int = 0
    cap_ppm: int | None = None


LINE_FIELDS = tuple(field.name for field in fields(CostLine))


@dataclass(frozen=True, slots=True)
class CostTable:
    """The disclosed cost of one purchase; what it does not name is not charged.

    Units: minor units; the yearly rates as fractions, 0.109 for 10.9 % a year.
    """

    principal_minor: int
    lines: tuple[CostLine, ...]
    cost_minor: int  # all lines, if all goes normally
    nominal_annual: Decimal  # 12 x monthly irr
    effective_annual: Decimal  # compounded


def nominal_annual(principal_minor: int, amounts_minor: Sequence[int]) -> Decimal:
    """Return 12 x the monthly irr of `amounts_minor` paid at the ends of equal months.

    Units: minor units in; a fraction of one per year out, to 18 significant digits.
    Errors: RateNotFound if nothing is lent or nothing is paid.
    Source: the simple yearly rate of PBoC Announcement 2021 No. 3; Huabei prints this figure.
    """
    discount = _monthly_discount(principal_minor, amounts_minor)
    return _yearly(discount).nominal


def effective_annual(principal_minor: int, amounts_minor: Sequence[int]) -> Decimal:
    """Return (1 + monthly irr) ^ 12 - 1 of `amounts_minor` paid at the ends of equal months.

    Units: minor units in; a fraction of one per year out, to 18 significant digits.
    Errors: RateNotFound if nothing is lent or nothing is paid.
    Source: the compound yearly rate of PBoC Announcement 2021 No. 3.
    """
    discount = _monthly_discount(principal_minor, amounts_minor)
    return _yearly(discount).effective


def cost_table(terms: Terms) -> CostTable:
    """Return the cost table of a purchase as it is shown before signing.

    Units: minor units of the plan's currency.
    Errors: none; terms that exist lend something and ask for it back.
    """
    dues = schedule(terms)
    lines = _cost_lines(terms.product, dues)
    yearly = _yearly(_monthly_discount(terms.principal_minor, [sum(due.amounts) for due in dues]))
    return CostTable(
        principal_minor=terms.principal_minor,
        lines=lines,
        cost_minor=sum(line.amount_minor for line in lines),
        nominal_annual=yearly.nominal,
        effective_annual=yearly.effective,
    )


def digest(terms: Terms) -> str:
    """Return a sha256, in hex, of the schedule and cost lines as shown.

    The yearly rates are left out: they follow from the schedule, and solving them for each order
    of a batch would cost more than the rest of the order.
    """
    amounts = [amount for due in schedule(terms) for amount in due.amounts]
    body = struct.pack(f"<{len(amounts)}q", *amounts)
    return digest_of(terms.frame, terms.principal_minor, body, product_head(terms.product))


def product_head(product: Product) -> str:
    """Return the part of the text that all plans of a product share: its name and cost lines.

    What each line comes to is left to the amounts of the schedule. A price below the listed one is
    named; at the listed price nothing is, so that what was signed before there were others keeps
    its digest.
    """
    lines = [
        {name: getattr(line, name) for name in LINE_FIELDS if name != "amount_minor"}
        for line in _cost_lines(product, ())
    ]
    head: dict[str, object] = {
        "form": 3,  # of what is digested; a change of its fields is a new form
        "product": [product.product_id, product.version],
        "lines": lines,
    }
    if product.price_ppm != PPM:
        head["price_ppm"] = product.price_ppm
    return json.dumps(head, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest_of(frame: Frame, principal_minor: int, amounts: bytes, head: str) -> str:
    """Return `digest` of terms whose schedule is known, with the head of their product.

    Shapes: `amounts` (count, 4) by Component, as the bytes of little-endian 64-bit integers.
    """
    text = f"{head}{principal_minor}{_days_text(frame.starts_on, frame.due_on)}"
    return hashlib.sha256(text.encode() + amounts).hexdigest()


@lru_cache(maxsize=DAYS_REMEMBERED)
def _days_text(starts_on: date, due_on: tuple[date, ...]) -> str:
    return f"[{','.join(day.isoformat() for day in (starts_on, *due_on))}]"


def _cost_lines(product: Product, dues: Sequence[Due]) -> tuple[CostLine, ...]:
    """Return the product's own line, the late charge, and the lines of what is asked for."""
    lines = []
    match product.kind:
        case ScheduleKind.FREE:
            pass
        case ScheduleKind.FLAT_FEE:
            lines.append(_fee_line(product, dues))
        case ScheduleKind.ANNUITY:
            lines.append(_interest_line(product, dues))
        case _:
            assert_never(product.kind)
    lines.append(_late_line(product))
    lines += _request_lines(product)
    return tuple(line for line in lines if line.rate_ppm)


def _fee_line(product: Product, dues: Sequence[Due]) -> CostLine:
    return CostLine(
        kind=CostKind.FLAT_FEE,
        rate_ppm=product.fee_ppm_per_period,
        rate_period=RatePeriod.INSTALMENT,
        base=CostBase.ORIGINAL_PRINCIPAL,
        collected_by=Collector.LENDER,
        is_contingent=False,
        amount_minor=sum(due.amounts[Component.FEE] for due in dues),
    )


def _interest_line(product: Product, dues: Sequence[Due]) -> CostLine:
    return CostLine(
        kind=CostKind.INTEREST,
        rate_ppm=product.interest_ppm_per_year,
        rate_period=RatePeriod.YEAR,
        base=CostBase.REMAINING_PRINCIPAL,
        collected_by=Collector.LENDER,
        is_contingent=False,
        amount_minor=sum(due.amounts[Component.INTEREST] for due in dues),
    )


def _late_line(product: Product) -> CostLine:
    return CostLine(
        kind=CostKind.LATE_CHARGE,
        rate_ppm=product.late.rate_ppm_per_day,
        rate_period=RatePeriod.DAY,
        base=CostBase.OVERDUE_AMOUNT,
        collected_by=Collector.LENDER,
        is_contingent=True,
        amount_minor=0,
        grace_days=product.late.grace_days,
        cap_ppm=product.late.cap_ppm,
    )


def request_rates(product: Product) -> dict[CostKind, int]:
    """Return the rates in ppm of what customers may ask for at a price, 0 where it is free."""
    deferral, extension = product.allowances.deferral, product.allowances.extension
    return {
        CostKind.DEFERRAL_FEE: deferral.cost_ppm if deferral else 0,
        CostKind.EXTENSION_FEE: extension.cost_ppm_per_period if extension else 0,
    }


REQUESTED = {
    CostKind.DEFERRAL_FEE: (RatePeriod.DEFERRAL, CostBase.DEFERRED_INSTALMENT),
    CostKind.EXTENSION_FEE: (RatePeriod.INSTALMENT, CostBase.PRINCIPAL_TO_COME),
}


def _request_lines(product: Product) -> list[CostLine]:
    return [
        CostLine(
            kind=kind,
            rate_ppm=rate,
            rate_period=REQUESTED[kind][0],
            base=REQUESTED[kind][1],
            collected_by=Collector.LENDER,
            is_contingent=True,
            amount_minor=0,
        )
        for kind, rate in request_rates(product).items()
    ]


@dataclass(frozen=True, slots=True)
class _Yearly:
    nominal: Decimal
    effective: Decimal


def _yearly(monthly_discount: Decimal) -> _Yearly:
    """Return both yearly rates of a monthly discount factor v = 1 / (1 + monthly rate)."""
    with localcontext(SOLVING):
        nominal = (1 - monthly_discount) / monthly_discount * MONTHS_PER_YEAR
        effective = 1 / monthly_discount**MONTHS_PER_YEAR - 1
    return _Yearly(shown(nominal), shown(effective))


def _monthly_discount(principal_minor: int, amounts_minor: Sequence[int]) -> Decimal:
    return discount_factor([(0, -principal_minor), *enumerate(amounts_minor, start=1)])

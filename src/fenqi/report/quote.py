"""A plan before it exists: schedule, cost table, yearly rates, and what ending it early would cost.

The figures come from the functions that book (`schedule`, `cost_table`, `settle_quote`), so what is
shown here is what would be booked. No database is needed: products are read from their files.
"""

import dataclasses
import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fenqi.core.errors import Invalid
from fenqi.core.servicing.statement import Cycle, due_days
from fenqi.core.terms.cost import CostLine, cost_table
from fenqi.core.terms.operation import Operation, OperationKind
from fenqi.core.terms.pack import check_plan
from fenqi.core.terms.product import Component
from fenqi.core.terms.replay import settle_quote
from fenqi.core.terms.schedule import CountNotOffered, Due, Terms, schedule
from fenqi.core.values.money import Currency, currency
from fenqi.report.terminal import BRAND, money_text, percent_text
from fenqi.store.catalogue import ProductMissing, from_files

DUE_AFTER_DAYS = 9  # what a new book is opened with
AMOUNT_LENGTH_MAX = 20
YEAR_MIN = 1900
YEAR_MAX = 2200


class AmountInvalid(Invalid):
    """An amount that is no number above zero in whole minor units of its currency."""

    code = "quote-amount-invalid"


class DayOutsideCalendar(Invalid):
    """A day so far away that the plan would leave the calendar."""

    code = "day-outside-calendar"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a quote is asked for."""

    amount: str  # decimal text in the currency's unit, as a person types it
    currency: str
    product: str
    count: int
    on: date
    statement_day: int = 1
    due_after_days: int = DUE_AFTER_DAYS
    settle_on: date | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One instalment as it would be asked for."""

    number: int
    due_on: date
    principal_minor: int
    interest_minor: int
    fee_minor: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What ending the plan early asks, if all that fell due before was paid on its day."""

    on: date
    paid_before_minor: int
    quote_minor: int
    saving_minor: int  # against paying to the end


@dataclass(frozen=True, slots=True)
class Quote:
    """The plan as it would be signed. Rates are fractions of one per year, as decimal text."""

    product: str
    product_version: int
    currency: str
    starts_on: date
    principal_minor: int
    cost_minor: int
    total_minor: int
    nominal_annual: str
    effective_annual: str
    parts: tuple[Part, ...]
    cost_lines: tuple[CostLine, ...]
    settlement: Settlement | None


def quote(asked: Asked) -> Quote:
    """Return the quote of a purchase.

    Units: minor units of the currency.
    Errors: AmountInvalid, DayOutsideCalendar, CurrencyUnknown, ProductMissing, CountNotOffered,
    CycleInvalid; CapBroken under a pack made for the currency; OperationInvalid if it is settled
    before it begins.
    """
    unit = currency(asked.currency)
    for day in (asked.on, asked.settle_on or asked.on):
        if not YEAR_MIN <= day.year <= YEAR_MAX:
            raise DayOutsideCalendar(day=day, first=YEAR_MIN, last=YEAR_MAX)
    known = from_files()
    products = {product.product_id: product for product in known.products.values()}
    if asked.product not in products:
        raise ProductMissing(product=asked.product, known=sorted(products))
    product = products[asked.product]
    if asked.count not in product.counts:  # before its due days are counted, which may have no end
        raise CountNotOffered(
            product=asked.product, count=asked.count, offered=list(product.counts)
        )
    terms = Terms(
        product=product,
        count=asked.count,
        principal_minor=read_amount(asked.amount, unit),
        starts_on=asked.on,
        due_on=due_days(Cycle(asked.statement_day, asked.due_after_days), asked.on, asked.count),
    )
    for pack in known.packs.values():
        if unit.code in pack.currencies:  # one that no pack is made for is quoted without caps
            check_plan(terms, pack)
    table = cost_table(terms)
    return Quote(
        product=terms.product.product_id,
        product_version=terms.product.version,
        currency=unit.code,
        starts_on=terms.starts_on,
        principal_minor=terms.principal_minor,
        cost_minor=table.cost_minor,
        total_minor=terms.principal_minor + table.cost_minor,
        nominal_annual=format(table.nominal_annual, "f"),
        effective_annual=format(table.effective_annual, "f"),
        parts=tuple(_part(due) for due in schedule(terms)),
        cost_lines=table.lines,
        settlement=_settlement(terms, asked.settle_on) if asked.settle_on else None,
    )


def read_amount(text: str, unit: Currency) -> int:
    """Return an amount typed in the currency's unit, such as 1299.50, in minor units.

    Errors: AmountInvalid.
    """
    whole, _, part = text.partition(".")
    digits = whole + part.ljust(unit.digits, "0")
    # isdecimal alone would take the digits of every script.
    is_number = whole.isdecimal() and (part.isdecimal() or part == "") and text.isascii()
    if not is_number or len(text) > AMOUNT_LENGTH_MAX or len(part) > unit.digits or not int(digits):
        raise AmountInvalid(amount=text, currency=unit.code, digits=unit.digits)
    return int(digits)


def to_json(quoted: Quote) -> str:
    """Return the quote as JSON: days as ISO dates, amounts as integers of the minor unit."""
    return json.dumps(dataclasses.asdict(quoted), default=str, ensure_ascii=False, indent=2)


def show(quoted: Quote, console: Console) -> None:
    """Print the quote; the total cost stands beside the rates."""
    unit = currency(quoted.currency)
    console.print()
    console.print(Padding(_header(quoted, unit), (0, 1)))
    console.print(_schedule(quoted, unit))
    for line in quoted.cost_lines:
        console.print(Padding(_cost_text(line, unit), (0, 2)))
    if quoted.settlement is not None:
        console.print(Padding(_settlement_text(quoted.settlement, unit), (1, 2, 0, 2)))
    console.print()


def _part(due: Due) -> Part:
    return Part(
        number=due.number,
        due_on=due.due_on,
        principal_minor=due.amounts[Component.PRINCIPAL],
        interest_minor=due.amounts[Component.INTEREST],
        fee_minor=due.amounts[Component.FEE],
        total_minor=sum(due.amounts),
    )


def _settlement(terms: Terms, on: date) -> Settlement:
    dues = schedule(terms)
    paid = [due for due in dues if due.due_on < on]
    operations = [
        Operation(
            1, OperationKind.DISBURSE, terms.starts_on, terms.starts_on, terms.principal_minor
        ),
        *(
            Operation(due.number + 1, OperationKind.REPAY, due.due_on, due.due_on, sum(due.amounts))
            for due in paid
        ),
    ]
    asked = settle_quote(terms, operations, on)
    before = sum(sum(due.amounts) for due in paid)
    whole = sum(sum(due.amounts) for due in dues)
    return Settlement(on, before, asked, whole - before - asked)


def _header(quoted: Quote, unit: Currency) -> Text:
    return Text.assemble(
        ("▌", BRAND),
        (f"{quoted.currency} {money_text(quoted.principal_minor, unit)}", "bold"),
        (f" in {len(quoted.parts)} by {quoted.product} v{quoted.product_version}", "dim"),
        (f", bought {quoted.starts_on:%d %b %Y}\n", "dim"),
        ("  total cost ", "dim"),
        (money_text(quoted.cost_minor, unit), "bold"),
        ("   to pay ", "dim"),
        (money_text(quoted.total_minor, unit), "bold"),
        ("\n  a year ", "dim"),
        (_rate_text(quoted.nominal_annual), "bold"),
        (" nominal, ", "dim"),
        (_rate_text(quoted.effective_annual), "bold"),
        (" effective", "dim"),
    )


def _rate_text(rate: str) -> str:
    return f"{Decimal(rate) * 100:.2f}%"


def _schedule(quoted: Quote, unit: Currency) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="dim", border_style="dim", show_footer=True)
    sums = [
        sum(part.principal_minor for part in quoted.parts),
        sum(part.interest_minor for part in quoted.parts),
        sum(part.fee_minor for part in quoted.parts),
        sum(part.total_minor for part in quoted.parts),
    ]
    table.add_column("", justify="right", style="dim")
    table.add_column("Due", no_wrap=True)
    for label, total in zip(("Principal", "Interest", "Fee", "To pay"), sums, strict=True):
        table.add_column(label, money_text(total, unit), justify="right", no_wrap=True)
    for part in quoted.parts:
        amounts = (part.principal_minor, part.interest_minor, part.fee_minor, part.total_minor)
        table.add_row(
            str(part.number),
            f"{part.due_on:%d %b %Y}",
            *(Text(money_text(minor, unit), "" if minor else "dim") for minor in amounts),
        )
    return table


def _cost_text(line: CostLine, unit: Currency) -> Text:
    """Return one line of the cost table as a sentence."""
    rate = f"{line.rate_ppm / 10_000:g}%"
    kind, base = line.kind.value.replace("-", " "), line.base.value.replace("-", " ")
    text = Text.assemble((f"{kind} ", "bold"), f"{rate} of the {base} per {line.rate_period.value}")
    if line.is_contingent:
        text.append(f", only if late by more than {line.grace_days} days", "dim")
        if line.cap_ppm is not None:
            text.append(f", at most {percent_text(line.cap_ppm, 0)} of the instalment", "dim")
    else:
        text.append(f", in all {money_text(line.amount_minor, unit)}", "dim")
    return text


def _settlement_text(settlement: Settlement, unit: Currency) -> Text:
    return Text.assemble(
        (f"Ended on {settlement.on:%d %b %Y}", "bold"),
        (f", after {money_text(settlement.paid_before_minor, unit)} paid on time: pay ", "dim"),
        (money_text(settlement.quote_minor, unit), "bold"),
        (", saving ", "dim"),
        (money_text(settlement.saving_minor, unit), f"bold {BRAND}"),
    )

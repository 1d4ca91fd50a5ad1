"""A plan before it exists: schedule, cost table, yearly rates, and what ending it early would cost.

The figures come from the functions that book (`schedule`, `cost_table`, `settle_quote`), so what is
shown here is what would be booked. No database is needed: products are read from their files.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from fenqi.core.errors import Invalid
from fenqi.core.servicing.statement import Cycle, due_days
from fenqi.core.terms.cost import CostKind, CostLine, cost_table
from fenqi.core.terms.operation import Operation, OperationKind
from fenqi.core.terms.pack import Pack, check_plan
from fenqi.core.terms.product import Component
from fenqi.core.terms.replay import settle_quote
from fenqi.core.terms.schedule import CountNotOffered, Due, Terms, check_price, schedule
from fenqi.core.values.money import Currency, currency
from fenqi.core.values.rate import PPM
from fenqi.machine import Config
from fenqi.report.folding import FoldingTable
from fenqi.report.ink import BRAND, exact_text, inked, money_text, percent_text
from fenqi.report.language import Speech
from fenqi.report.words import Words
from fenqi.store.catalogue import ProductMissing, from_files

DUE_AFTER_DAYS = 9  # what a new book is opened with
AMOUNT_LENGTH_MAX = 20
YEAR_MIN = 1900
YEAR_MAX = 2200


class AmountInvalid(Invalid):
    """An amount that is no number above zero in whole minor units of its currency."""

    code = "quote-amount-invalid"


class SettledBeforeBought(Invalid):
    """A plan cannot end before its purchase."""

    code = "settled-before-bought"


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
    price_ppm: int = PPM  # of the product's own price


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
    price_ppm: int  # of the product's own price
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
    packs: tuple[str, ...]  # whose caps it keeps; none if no pack is made for the currency


Columns = Mapping[str, Callable[[Part], int]]
UNBOUNDED = 1_000  # columns no table here reaches


def quote(asked: Asked) -> Quote:
    """Return the quote of a purchase.

    Units: minor units of the currency.
    Errors: those of `signed`; SettledBeforeBought.
    """
    unit = currency(asked.currency)
    if asked.settle_on is not None and asked.settle_on < asked.on:
        raise SettledBeforeBought(settle_on=asked.settle_on, on=asked.on)
    terms, packs = signed(asked)
    table = cost_table(terms)
    return Quote(
        product=terms.product.product_id,
        product_version=terms.product.version,
        price_ppm=terms.product.price_ppm,
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
        packs=tuple(f"{pack.pack_id} v{pack.version}" for pack in packs),
    )


def signed(asked: Asked) -> tuple[Terms, list[Pack]]:
    """Return the terms a purchase would be signed with, and the packs whose caps it keeps.

    Errors: AmountInvalid, DayOutsideCalendar, CurrencyUnknown, ProductMissing, CountNotOffered,
    PriceOutOfRange, PriceNotCheaper, CycleInvalid; CapBroken under a pack made for the currency.
    """
    unit = currency(asked.currency)
    for day in (asked.on, asked.settle_on or asked.on):
        if not YEAR_MIN <= day.year <= YEAR_MAX:
            raise DayOutsideCalendar(day=day, first=YEAR_MIN, last=YEAR_MAX)
    known = from_files(Config.from_environment().catalogue_folder)
    products = {product.product_id: product for product in known.products.values()}
    if asked.product not in products:
        raise ProductMissing(product=asked.product, known=sorted(products))
    product = products[asked.product].at(asked.price_ppm)
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
    packs = [pack for pack in known.packs.values() if unit.code in pack.currencies]
    for pack in packs:
        check_plan(terms, pack)
    check_price(terms.frame, terms.principal_minor, products[asked.product])
    return terms, packs


def read_amount(text: str, unit: Currency) -> int:
    """Return an amount typed in the currency's unit, such as 1299.50, in minor units.

    Errors: AmountInvalid.
    """
    whole, _, part = text.partition(".")
    digits = whole + part.ljust(unit.digits, "0")
    # isdecimal alone would take the digits of every script.
    is_number = whole.isdecimal() and (part.isdecimal() or part == "") and text.isascii()
    if not is_number or len(text) > AMOUNT_LENGTH_MAX or len(part) > unit.digits or not int(digits):
        example = "1299.50"[: 4 + unit.digits + 1] if unit.digits else "1299"
        raise AmountInvalid(amount=text, currency=unit.code, digits=unit.digits, example=example)
    return int(digits)


def to_json(quoted: Quote) -> str:
    """Return the quote as JSON: days as ISO dates, amounts as integers of the minor unit."""
    return json.dumps(dataclasses.asdict(quoted), default=str, ensure_ascii=False, indent=2)


def show(quoted: Quote, console: Console, speech: Speech) -> None:
    """Print the quote; the total cost stands beside the rates."""
    unit = currency(quoted.currency)
    table = _fitting_schedule(quoted, unit, console, speech)
    # A terminal narrower than an amount folds its lines; nothing is cut.
    console.width = max(console.width, _width(table, console))
    console.print()
    console.print(Padding(_header(quoted, unit, speech), (0, 1)))
    console.print(table)
    for line in quoted.cost_lines:
        console.print(Padding(_cost_text(line, unit, speech), (0, 2)))
    console.print(Padding(_packs_text(quoted, speech), (0, 2)))
    if quoted.settlement is not None:
        console.print(Padding(_settlement_text(quoted.settlement, unit, speech), (1, 2, 0, 2)))
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


def paid_before(terms: Terms, on: date) -> list[Operation]:
    """Return the operations of a plan on which all that fell due before a day was paid on time."""
    return [
        Operation(
            1, OperationKind.DISBURSE, terms.starts_on, terms.starts_on, terms.principal_minor
        ),
        *(
            Operation(due.number + 1, OperationKind.REPAY, due.due_on, due.due_on, sum(due.amounts))
            for due in schedule(terms)
            if due.due_on < on
        ),
    ]


def _settlement(terms: Terms, on: date) -> Settlement:
    dues, operations = schedule(terms), paid_before(terms, on)
    asked = settle_quote(terms, operations, on)
    before = sum(one.amount_minor for one in operations[1:])
    whole = sum(sum(due.amounts) for due in dues)
    return Settlement(on, before, asked, whole - before - asked)


def _header(quoted: Quote, unit: Currency, speech: Speech) -> Text:
    _ = speech.gettext
    amount = f"{quoted.currency} {money_text(quoted.principal_minor, unit)}"
    first = _("%(amount)s in %(count)s by %(product)s, bought %(day)s")
    named = product_words(quoted.product, quoted.product_version, quoted.price_ppm, speech)
    sums = _("total cost %(cost)s   to pay %(total)s")
    rates = _("a year %(nominal)s nominal, %(effective)s effective")
    return Text.assemble(
        ("▌", BRAND),
        inked(
            first,
            "dim",
            amount=(amount, "bold"),
            count=str(len(quoted.parts)),
            product=named,
            day=speech.day(quoted.starts_on),
        ),
        "\n  ",
        inked(
            sums,
            "dim",
            cost=(money_text(quoted.cost_minor, unit), "bold"),
            total=(money_text(quoted.total_minor, unit), "bold"),
        ),
        "\n  ",
        inked(
            rates,
            "dim",
            nominal=(_rate_text(quoted.nominal_annual), "bold"),
            effective=(_rate_text(quoted.effective_annual), "bold"),
        ),
    )


def product_words(product: str, version: int, price_ppm: int, speech: Speech) -> str:
    """Return a product's version, with its price where it is not the listed one."""
    named = f"{product} v{version}"
    if price_ppm == PPM:
        return named
    said = speech.gettext("%(product)s at %(share)s of its price")
    return said % {"product": named, "share": exact_text(price_ppm)}


def _rate_text(rate: str) -> str:
    return f"{Decimal(rate) * 100:.2f}%"


def _fitting_schedule(
    quoted: Quote, unit: Currency, console: Console, speech: Speech
) -> FoldingTable:
    """Return the schedule with as many columns as fit whole; an amount is never cut."""
    tables = [_schedule(quoted, unit, columns, speech) for columns in _columns(speech)]
    fitting = (one for one in tables if _width(one, console) <= console.width)
    return next(fitting, tables[-1])


def _columns(speech: Speech) -> Sequence[Columns]:
    """Return the columns of amounts, from the widest set to the narrowest.

    What a terminal has no room for is said by the header.
    """
    _ = speech.gettext
    principal: Columns = {_("Principal"): lambda part: part.principal_minor}
    to_pay: Columns = {_("To pay"): lambda part: part.total_minor}
    costs: Columns = {
        _("Interest"): lambda part: part.interest_minor,
        _("Fee"): lambda part: part.fee_minor,
    }
    cost: Columns = {_("Cost"): lambda part: part.interest_minor + part.fee_minor}
    return ({**principal, **costs, **to_pay}, {**principal, **cost, **to_pay}, to_pay)


def _width(table: FoldingTable, console: Console) -> int:
    """Return how many columns of a terminal a table takes if nothing of it is cut."""
    return console.measure(table, options=console.options.update(max_width=UNBOUNDED)).maximum


def _schedule(quoted: Quote, unit: Currency, columns: Columns, speech: Speech) -> FoldingTable:
    table = FoldingTable(box=SIMPLE_HEAD, header_style="dim", border_style="dim", show_footer=True)
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column(speech.gettext("Due on"), justify="right", no_wrap=True)
    for label, amount in columns.items():
        total = money_text(sum(amount(part) for part in quoted.parts), unit)
        table.add_column(label, total, justify="right", no_wrap=True)
    for part in quoted.parts:
        amounts = [amount(part) for amount in columns.values()]
        table.add_row(
            str(part.number),
            speech.day(part.due_on),
            *(Text(money_text(minor, unit), "" if minor else "dim") for minor in amounts),
        )
    return table


def _cost_text(line: CostLine, unit: Currency, speech: Speech) -> Text:
    """Return one line of the cost table as a sentence."""
    words = Words(speech).cost_words
    values: dict[str, str | tuple[str, str]] = {
        "kind": (words[line.kind], "bold"),
        "rate": f"{line.rate_ppm / 10_000:g}%",
        "base": words[line.base],
        "period": words[line.rate_period],
        "amount": (money_text(line.amount_minor, unit), "dim"),
        "days": str(line.grace_days),
        "cap": percent_text(line.cap_ppm or 0, 0),
    }
    return inked(_cost_sentence(line, speech), "", **values)


def _cost_sentence(line: CostLine, speech: Speech) -> str:
    """Return what is said of a line: what it comes to, or when it is charged and how much."""
    _ = speech.gettext
    if not line.is_contingent:
        return _("%(kind)s %(rate)s of the %(base)s per %(period)s, in all %(amount)s")
    if line.kind is CostKind.LATE_CHARGE and line.cap_ppm is not None:
        return _(
            "%(kind)s %(rate)s of the %(base)s per %(period)s, only if late by more than %(days)s "
            "days, at most %(cap)s of the instalment"
        )
    if line.kind is CostKind.LATE_CHARGE:
        return _(
            "%(kind)s %(rate)s of the %(base)s per %(period)s, only if late by more than %(days)s "
            "days"
        )
    if line.cap_ppm is not None:
        return _(
            "%(kind)s %(rate)s of the %(base)s per %(period)s, only if you ask for it, at most "
            "%(cap)s of the instalment"
        )
    return _("%(kind)s %(rate)s of the %(base)s per %(period)s, only if you ask for it")


def _packs_text(quoted: Quote, speech: Speech) -> Text:
    """Return whose caps were checked, or that none were."""
    _ = speech.gettext
    if quoted.packs:
        said = _("within the caps of %(packs)s") % {"packs": ", ".join(quoted.packs)}
        return Text(said, "dim")
    none = _("no pack is made for %(currency)s: caps are not checked")
    return Text(none % {"currency": quoted.currency}, "bold")


def _settlement_text(settlement: Settlement, unit: Currency, speech: Speech) -> Text:
    said = speech.gettext(
        "Ended on %(day)s, after %(paid)s paid on time: pay %(quote)s, saving %(saving)s"
    )
    return inked(
        said,
        "dim",
        day=(speech.day(settlement.on), "bold"),
        paid=money_text(settlement.paid_before_minor, unit),
        quote=(money_text(settlement.quote_minor, unit), "bold"),
        saving=(money_text(settlement.saving_minor, unit), f"bold {BRAND}"),
    )

"""A plan before and after what a customer may ask for, as it would be booked.

The request is made, refused and previewed by the functions that the flows book with; the purchase
is the one a quote would show, all of it paid on time until the day of the request.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import zip_longest
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from fenqi.core.errors import Invalid
from fenqi.core.terms.allowances import Allowances
from fenqi.core.terms.cap import check_changed
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import Operation, Receive, Settle
from fenqi.core.terms.life.preview import preview as previewed
from fenqi.core.terms.life.view import View
from fenqi.core.terms.pack import Pack, allowances
from fenqi.core.terms.product import Product
from fenqi.core.terms.replay import life_of, stored_form
from fenqi.core.values.money import Currency, currency
from fenqi.report.folding import FoldingTable
from fenqi.report.ink import BRAND, inked, money_text
from fenqi.report.language import Speech
from fenqi.report.quote import Asked, paid_before, product_words, signed
from fenqi.report.words import Words

REVIEWER = "a person, when it is asked for"  # an extension names who looked at it


class PreviewUnclear(Invalid):
    """A preview is asked for no request, or for several."""

    code = "preview-unclear"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for on a day; exactly one of its fields beside the day is set."""

    on: date
    defer_days: int | None = None
    due_day: int | None = None
    extend_count: int | None = None
    split_through: date | None = None
    withdraws: bool | None = None
    settles: bool | None = None
    cancels: bool | None = None
    refund_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One instalment. Units: minor units; `moved_minor` is what another plan takes over."""

    number: int
    due_on: date
    due_minor: int
    open_minor: int
    moved_minor: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan before and after a request.

    Units: minor units. `to_pay_minor` is what ends the plan at once, where that was asked for;
    `cost_minor` what the customer pays more in all, below zero what is saved.
    """

    request: str
    product: str
    product_version: int
    price_ppm: int  # of the product's own price
    currency: str
    on: date
    cost_minor: int
    to_pay_minor: int | None
    moved_minor: int
    before: tuple[Part, ...]
    after: tuple[Part, ...]


def preview(asked: Asked, wish: Wish) -> Shown:
    """Return a plan before and after a request.

    Errors: those of a quote; PreviewUnclear; OperationSenseless, OperationUntimely, CapBroken, as
    the flow would refuse it.
    """
    terms, packs = signed(asked)
    life = life_of(terms, paid_before(terms, wish.on), allowances=_offered(terms.product, packs))
    operation = operation_of(life, wish)
    shown = previewed(life, operation)
    kind, amount, _ = stored_form(operation)
    if amount and not isinstance(operation, Receive):
        for pack in packs:
            check_changed(terms, shown.after, pack)
    is_paid = isinstance(operation, Settle)
    return Shown(
        request=kind.value,
        product=terms.product.product_id,
        product_version=terms.product.version,
        price_ppm=terms.product.price_ppm,
        currency=asked.currency,
        on=wish.on,
        cost_minor=shown.cost_minor,
        to_pay_minor=amount if is_paid else None,
        moved_minor=sum(sum(row.moved) for row in shown.after.rows),
        before=parts_of(shown.before),
        after=parts_of(shown.after),
    )


def _offered(product: Product, packs: Sequence[Pack]) -> Allowances:
    """Return what may be asked for under the newest pack made for the currency, if there is one."""
    if not packs:
        return product.allowances
    return allowances(product, max(packs, key=lambda one: one.version))


def check_single(wish: Wish) -> None:
    """Refuse a wish for nothing, or for several things. Errors: PreviewUnclear."""
    wishes = [getattr(wish, field.name) for field in dataclasses.fields(wish)[1:]]
    if sum(one is not None for one in wishes) != 1:
        raise PreviewUnclear()


def operation_of(life: Life, wish: Wish) -> Operation:
    """Return what is wished for as an operation of a plan.

    Errors: PreviewUnclear; OperationUntimely where nothing could be asked for.
    """
    check_single(wish)
    on = wish.on
    if wish.defer_days is not None:
        return customer.deferral(life, on, days=wish.defer_days)
    if wish.due_day is not None:
        return customer.due_day_change(life, on, day=wish.due_day)
    if wish.extend_count is not None:
        return customer.extension(life, on, count=wish.extend_count, reviewed_by=REVIEWER)
    if wish.split_through is not None:
        return customer.bill_instalment(life, on, through=wish.split_through)
    if wish.refund_minor is not None:
        return customer.refund(life, on, wish.refund_minor)
    if wish.cancels:
        return customer.cancellation(life, on)
    return customer.withdrawal(life, on) if wish.withdraws else customer.settlement(life, on)


def parts_of(plan: View) -> tuple[Part, ...]:
    """Return the instalments of a plan as they are shown."""
    return tuple(
        Part(
            number=place,
            due_on=row.due_on,
            due_minor=sum(row.due) - sum(row.relieved),
            open_minor=row.open_minor,
            moved_minor=sum(row.moved),
        )
        for place, row in enumerate(plan.rows, start=1)
    )


def to_json(shown: Shown) -> str:
    """Return both plans as JSON: days as ISO dates, amounts as integers of the minor unit."""
    return json.dumps(dataclasses.asdict(shown), default=str, ensure_ascii=False, indent=2)


def show(shown: Shown, console: Console, speech: Speech) -> None:
    """Print both plans side by side, and what the request costs."""
    unit = currency(shown.currency)
    console.print()
    console.print(Padding(_header(shown, unit, speech), (0, 1)))
    console.print(table_of(shown.before, shown.after, unit, speech))
    console.print(Padding(_sums(shown, unit, speech), (0, 2)))
    console.print()


def _header(shown: Shown, unit: Currency, speech: Speech) -> Text:
    of = product_words(shown.product, shown.product_version, shown.price_ppm, speech)
    return header_of(Heading(shown.request, of, shown.on, shown.cost_minor), unit, speech)


class Heading(NamedTuple):
    """What is asked for, of what, when, and what it costs. Units: minor units."""

    request: str
    of: str
    on: date
    cost_minor: int


def header_of(heading: Heading, unit: Currency, speech: Speech) -> Text:
    """Return what is asked for and what it costs, in two lines."""
    _ = speech.gettext
    cost = heading.cost_minor
    costs = _("costs nothing")
    if cost:
        costs = _("costs %(amount)s") if cost > 0 else _("saves %(amount)s")
    asked = Words(speech).asked_words.get(heading.request, heading.request)
    return Text.assemble(
        ("▌", BRAND),
        inked(
            _("%(request)s of %(plan)s on %(day)s"),
            "dim",
            request=(asked, "bold"),
            plan=heading.of,
            day=speech.day(heading.on),
        ),
        "\n  ",
        inked(costs, "dim", amount=(money_text(abs(cost), unit), "bold")),
    )


def table_of(
    before: Sequence[Part], after: Sequence[Part], unit: Currency, speech: Speech
) -> FoldingTable:
    """Return what is still to pay, before and after."""
    _ = speech.gettext
    table = FoldingTable(box=SIMPLE_HEAD, header_style="dim", border_style="dim", show_footer=True)
    table.add_column("", justify="right", style="dim", no_wrap=True)
    for label, parts in ((_("Due before"), before), (_("Due after"), after)):
        total = money_text(sum(part.open_minor for part in parts), unit)
        table.add_column(label, justify="right", no_wrap=True)
        table.add_column(_("To pay"), total, justify="right", no_wrap=True)
    for place, (was, will_be) in enumerate(zip_longest(before, after), start=1):
        cells = (*_cells(was, unit, speech), *_cells(will_be, unit, speech))
        table.add_row(str(place), *cells)
    return table


def _cells(part: Part | None, unit: Currency, speech: Speech) -> tuple[str, Text]:
    if part is None:
        return "", Text("")
    amount = money_text(part.open_minor, unit)
    return speech.day(part.due_on), Text(amount, "" if part.open_minor else "dim")


def _sums(shown: Shown, unit: Currency, speech: Speech) -> Text:
    _ = speech.gettext
    lines = (
        (_("to pay now %(amount)s"), shown.to_pay_minor),
        (_("becomes a plan of its own %(amount)s"), shown.moved_minor or None),
    )
    return sums_of(lines, unit)


def sums_of(lines: Sequence[tuple[str, int | None]], unit: Currency) -> Text:
    """Return sentences with an amount, one a line; one without its amount is left out."""
    return Text("\n").join(
        inked(said, "dim", amount=(money_text(amount, unit), "bold"))
        for said, amount in lines
        if amount is not None
    )

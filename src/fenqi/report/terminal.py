"""The report on a terminal: calm, in one colour of the house, harm only in red.

It fits 80 columns, and a narrower terminal folds its lines, so that no figure is ever cut; from
`WIDE` columns on it sets what is narrow side by side. Colours carry no meaning that the words and
figures beside them do not.
"""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from fenqi.core.values.money import Currency, currency
from fenqi.report.book import Book, Bucket, ReasonCount
from fenqi.report.ink import BAD, BRAND, GOLD, money_text, percent_text
from fenqi.report.purchases import ToldReason
from fenqi.report.rolls import RollRates

NARROW = 80
WIDE = 132
MONEY_COLUMNS = 70
BAR_EIGHTHS = " ▏▎▍▌▋▊▉█"
REASONS_SHOWN = 8
CODE_COLUMNS = 20
REASON_BAR_COLUMNS = 10
DAYS = ("on time", "1-30", "31-60", "61-90", "91-120", "121-150", "151-180", "over 180")
# Cells of the matrix from weak to strong: (least share in ppm, background, ink).
STAYS = (
    (750_000, "#0b6b57", "#ffffff"),
    (400_000, "#43937f", "#ffffff"),
    (100_000, "#a9d0c4", "#13231e"),
    (0, "#e2f1eb", "#13231e"),
)
WORSE = (
    (750_000, "#c0392f", "#ffffff"),
    (400_000, "#d97a5c", "#ffffff"),
    (100_000, "#eec08a", "#13231e"),
    (0, "#fbf1dd", "#13231e"),
)

MoneyGroup = tuple[str, list[tuple[str, int, str]]]  # title; label, minor units, note


def show(book: Book, console: Console) -> None:
    """Print the report."""
    unit = currency(book.currency)
    console.width = max(console.width, NARROW)
    console.print()
    console.print(_header(book))
    console.print()
    console.print(_key_figures(book, unit))
    is_wide = console.width >= WIDE
    console.print(_section("Days past due", _buckets(book.buckets, unit, 48 if is_wide else 18)))
    console.print(_rolls(book.roll_rates, 8 if is_wide else 5))
    money = _section(f"Money, {book.currency}", _money(book, unit))
    bought = Group(*_purchases(book))
    if is_wide:
        console.print(_pair(money, bought))
    else:
        console.print(money)
        console.print(bought)
    console.print(_footer(book))
    console.print()


def _header(book: Book) -> RenderableType:
    left = Text()
    left.append("▌", BRAND)
    left.append(book.legal_entity, "bold")
    # Spaces that do not break: on a narrow terminal the name and the book take a line each.
    left.append(f"   book\u00a0{book.book_id}\u00a0·\u00a0{book.currency}", "dim")
    right = Text(f"business date {book.business_date:%d %b %Y}", "dim")
    if book.as_of != book.business_date:
        right = Text.assemble((f"as of {book.as_of:%d %b %Y} · ", GOLD), right)
    grid = Table.grid(expand=True, padding=(0, 2))
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(left, right)
    return Padding(grid, (0, 1))


def _key_figures(book: Book, unit: Currency) -> RenderableType:
    """Return the row of four figures a person looks at first."""
    late = book.overdue.over_30_days_ppm
    figures = (
        (
            "Receivables",
            money_text(book.receivables.total_minor, unit),
            "bold",
            f"{book.plans:,} plans lent",
        ),
        (
            "Overdue 30+ days",
            percent_text(late, 2),
            f"bold {BAD if late else BRAND}",
            f"90+ {percent_text(book.overdue.over_90_days_ppm, 2)}",
        ),
        (
            "Written off",
            percent_text(book.bad_debt.written_off_ppm, 2),
            "bold",
            "of principal lent",
        ),
        (
            "Approval rate",
            percent_text(book.purchases.approved_ppm),
            "bold",
            f"of {book.purchases.tried:,} tried",
        ),
    )
    grid = Table.grid(expand=True, padding=(0, 1))
    for place in range(len(figures)):
        grid.add_column(ratio=4 if place == 0 else 3, no_wrap=True)
    grid.add_row(*(Text(label, "dim") for label, _, _, _ in figures))
    grid.add_row(*(Text(value, style) for _, value, style, _ in figures))
    grid.add_row(*(Text(note, "dim") for _, _, _, note in figures))
    return Padding(grid, (0, 1))


def _section(title: str, body: RenderableType, note: str = "") -> RenderableType:
    head = Table.grid(expand=True)
    head.add_column(no_wrap=True)
    head.add_column(justify="right", no_wrap=True)
    head.add_row(Text(title, "bold"), Text(note, "dim"))
    return Padding(Group(head, body), (1, 1, 0, 1))


def _pair(left: RenderableType, right: RenderableType) -> RenderableType:
    grid = Table.grid(expand=True)
    grid.add_column(width=MONEY_COLUMNS)
    grid.add_column(ratio=1)
    grid.add_row(left, right)
    return grid


def _plain_table() -> Table:
    return Table(
        box=SIMPLE_HEAD, expand=True, pad_edge=False, header_style="dim", border_style="dim"
    )


def _buckets(buckets: Sequence[Bucket], unit: Currency, bar_cells: int) -> RenderableType:
    table = _plain_table()
    table.add_column("Bucket", no_wrap=True)
    table.add_column("Days", no_wrap=True)
    table.add_column("Plans", justify="right", no_wrap=True)
    table.add_column("Open principal", justify="right", no_wrap=True)
    table.add_column("Share", justify="right", no_wrap=True)
    table.add_column("", ratio=1, no_wrap=True)
    for place, one in enumerate(buckets):
        colour = BRAND if place == 0 else GOLD if place == 1 else BAD
        is_empty = not one.plans
        table.add_row(
            one.name,
            Text(DAYS[place], "dim"),
            f"{one.plans:,}",
            money_text(one.principal_open_minor, unit),
            percent_text(one.share_ppm),
            Text(_bar(one.share_ppm, bar_cells), colour),
            style="dim" if is_empty else "",
        )
    return table


def _bar(ppm: int, width: int) -> str:
    """Return a bar of up to `width` cells, in eighths; something is never drawn as nothing."""
    eighths = -(-ppm * width * 8 // 1_000_000)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (BAR_EIGHTHS[rest] if rest else "")


def _rolls(rolls: RollRates | None, cell_columns: int) -> RenderableType:
    if rolls is None:
        return _section(
            "Roll rates", Text("\nNo month of this book has ended yet.", "dim"), "% of plans"
        )
    table = Table(
        box=SIMPLE_HEAD, pad_edge=False, header_style="dim", padding=0, border_style="dim"
    )
    table.add_column("from", no_wrap=True, width=5)
    arrivals = {"closed": "paid", "written-off": "lost"}
    for cell in rolls.rows[0].cells:
        name = arrivals.get(cell.to, cell.to)
        # Set to the right by hand: rich trims the space after a figure it sets to the right itself.
        table.add_column(f"{name:>{cell_columns - 1}}", no_wrap=True, width=cell_columns)
    table.add_column("plans", justify="right", no_wrap=True, width=9)
    for place, row in enumerate(rolls.rows):
        cells = [
            _cell(cell.plans_ppm, column, place, cell_columns, is_paid=cell.to == "closed")
            for column, cell in enumerate(row.cells)
        ]
        table.add_row(row.name, *cells, Text(f"{row.plans:,}", "dim"))
    before = f"{rolls.month_before:%d %b} to " if rolls.month_before else "to "
    return _section("Roll rates, % of plans", table, f"{before}{rolls.month_end:%d %b %Y}")


def _cell(ppm: int, column: int, row: int, width: int, *, is_paid: bool) -> Text:
    """Return one cell: green where the plan stayed or improved, warm where it got worse."""
    if not ppm:
        return Text("")
    shades = WORSE if column > row and not is_paid else STAYS
    background, ink = next((b, i) for least, b, i in shades if ppm >= least)
    figure = f"{ppm / 10_000:.1f}" if ppm < 1_000_000 else "100"
    return Text(f"{figure:>{width - 1}} ", Style(color=ink, bgcolor=background))


def _money_groups(book: Book) -> list[MoneyGroup]:
    """Return the lines of the money table with their amounts and notes."""
    return [
        (
            "Customers owe",
            [
                ("principal", book.receivables.principal_minor, ""),
                ("interest", book.receivables.interest_minor, ""),
                ("fees", book.receivables.fee_minor, ""),
                ("late charges", book.receivables.penalty_minor, ""),
                ("of it not yet earned", book.deferred_income_minor, ""),
            ],
        ),
        (
            "Cash",
            [
                ("own money put in", book.cash.funding_minor, ""),
                ("paid in by customers", book.cash.received_minor, ""),
                ("paid to merchants", -book.cash.paid_to_merchants_minor, ""),
                ("paid back to customers", -book.cash.paid_back_minor, ""),
                ("settled", book.cash.settled_minor, _below_zero(book)),
                ("in transit", book.cash.in_transit_minor, ""),
            ],
        ),
        (
            "Income",
            [
                ("interest", book.income.interest_minor, ""),
                ("fees", book.income.fee_minor, ""),
                ("late charges", book.income.penalty_minor, ""),
                ("merchant discount", book.income.merchant_discount_minor, ""),
            ],
        ),
        (
            "Lent and lost",
            [
                ("principal lent", book.bad_debt.lent_minor, _times(book.plans)),
                ("refunded", book.refunds.principal_minor, _times(book.refunds.count)),
                ("cost given back", book.refunds.cost_relieved_minor, ""),
                ("money returned", book.refunds.returned_minor, ""),
                ("written off", book.write_offs.principal_minor, _times(book.write_offs.count)),
                ("provided for losses", book.bad_debt.provision_minor, ""),
                ("allowance left", book.bad_debt.allowance_minor, ""),
                ("recovered", book.recoveries.amount_minor, _times(book.recoveries.count)),
            ],
        ),
        (
            "We owe",
            [
                ("merchants", book.liabilities.merchant_payable_minor, ""),
                ("credit balances", book.liabilities.credit_balance_minor, ""),
                ("refunds to pay", book.liabilities.refunds_payable_minor, ""),
                ("money not yet final", book.liabilities.suspense_minor, ""),
            ],
        ),
    ]


def _money(book: Book, unit: Currency) -> RenderableType:
    """Return the money table, amounts to the minor unit."""
    table = _plain_table()
    table.show_header = False
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, ratio=1)
    table.add_column(justify="right", no_wrap=True, style="dim")
    table.add_column(justify="right", no_wrap=True)
    for title, lines in _money_groups(book):
        for place, (label, minor, note) in enumerate(lines):
            table.add_row(
                title if place == 0 else "",
                label,
                note,
                money_text(minor, unit),
                style="" if minor else "dim",
                end_section=place == len(lines) - 1,
            )
    return table


def _below_zero(book: Book) -> str:
    """Return why cash is below zero, if it is."""
    if book.cash.settled_minor >= 0:
        return ""
    return "below zero" if book.cash.funding_minor else "no own money put in"


def _times(count: int) -> str:
    return f"{count:,} x"


def _purchases(book: Book) -> list[RenderableType]:
    """Return the sections on people: purchases with reasons, and lines left out."""
    purchases = book.purchases
    lines = [
        ("approved", purchases.approved, BRAND),
        ("  from a shorter menu", purchases.approved_from_fewer_plans, BRAND),
        ("  to be looked at by a person", purchases.approved_reviewed, BRAND),
        ("a check asked for first", purchases.checks_asked, GOLD),
        ("other plans offered", purchases.other_plans, GOLD),
        ("declined", purchases.declined, GOLD),
    ]
    people = f"{book.customers:,} customers · {book.statements:,} statements"
    table = _counts([one for one in lines if one[1] or not one[0].startswith(" ")], purchases.tried)
    parts = [_section("Purchases", table, people)]
    for title, reasons, whole in (
        ("Why declined", purchases.decline_reasons, purchases.declined),
        ("Why a check was asked for", purchases.check_reasons, purchases.checks_asked),
        ("Why other plans were offered", purchases.other_plan_reasons, purchases.other_plans),
    ):
        if reasons:
            parts.append(_section(title, _reasons(reasons, whole), "one may have several"))
    if book.requests:
        asked = [(one.reason.replace("-", " "), one.count, BRAND) for one in book.requests]
        total = sum(one.count for one in book.requests)
        parts.append(_section("Customers asked for", _counts(asked, total), f"{total:,} granted"))
    if book.paying:
        total = max(one.count for one in book.paying)
        told = [(one.reason.replace("-", " "), one.count, BRAND) for one in book.paying]
        parts.append(_section("Paid differently", _counts(told, total), f"{total:,} customers"))
    if book.exceptions is not None:
        parts.append(_exceptions(book.exceptions))
    return parts


def _reasons(reasons: Sequence[ToldReason], whole: int) -> RenderableType:
    """Return reasons in the words customers were told, their codes beside them."""
    table = _plain_table()
    table.show_header = False
    table.add_column(ratio=1, overflow="fold")
    table.add_column(style="dim", max_width=CODE_COLUMNS, overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, width=REASON_BAR_COLUMNS)
    for one in reasons[:REASONS_SHOWN]:
        share = _bar(one.count * 1_000_000 // whole if whole else 0, REASON_BAR_COLUMNS)
        text = one.texts.get("en", one.reason)
        code = one.reason if text != one.reason else ""
        table.add_row(text, code, f"{one.count:,}", Text(share, GOLD))
    if len(reasons) > REASONS_SHOWN:
        table.add_row("other reasons", "", f"{sum(one.count for one in reasons[REASONS_SHOWN:]):,}")
    return table


def _exceptions(exceptions: Sequence[ReasonCount]) -> RenderableType:
    total = sum(one.count for one in exceptions)
    if not total:
        return _section("Lines left out", Text("\nnone", "dim"))
    shown = [(one.reason, one.count, GOLD) for one in exceptions[:REASONS_SHOWN]]
    rest = sum(one.count for one in exceptions[REASONS_SHOWN:])
    if rest:
        shown.append(("other reasons", rest, GOLD))
    return _section("Lines left out", _counts(shown, total), f"{total:,} in exceptions.csv")


def _counts(lines: Sequence[tuple[str, int, str]], whole: int) -> RenderableType:
    table = _plain_table()
    table.show_header = False
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, ratio=1)
    for label, count, colour in lines:
        ppm = count * 1_000_000 // whole if whole else 0
        table.add_row(label, f"{count:,}", Text(_bar(ppm, 18), colour))
    return table


def _footer(book: Book) -> RenderableType:
    """Return the line that says which figures were never paid by anyone."""
    if not book.rests_on_drawn_payments:
        text = Text(
            "Who paid is not told here: this book does not say where its payments come from. If "
            "a replay drew them, its folder tells: give it with --out.",
            "dim",
        )
    else:
        seed = f", seed {book.provenance.seed}" if book.provenance.seed is not None else ""
        source = f" from {book.provenance.source}" if book.provenance.source else ""
        text = Text.assemble(
            ("◆ ", GOLD),
            (f"Payments were drawn{source}{seed}, not received. ", "bold"),
            ("These figures rest on them: ", "dim"),
            (", ".join(_spoken(one) for one in book.rests_on_drawn_payments) + ".", "dim"),
        )
    return Padding(text, (1, 1, 0, 1))


def _spoken(figure: str) -> str:
    return figure.removesuffix("_minor").replace("_", " ")

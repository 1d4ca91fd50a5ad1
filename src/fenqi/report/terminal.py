"""The report on a terminal: calm, in one colour of the house, harm only in red.

It fits 80 columns, and a narrower terminal folds its lines, so that no figure is ever cut; from
`WIDE` columns on it sets what is narrow side by side. Colours carry no meaning that the words and
figures beside them do not.
"""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from fenqi.core.values.money import Currency, currency
from fenqi.report.book import Book, Bucket, ReasonCount
from fenqi.report.ink import BAD, BRAND, GOLD, money_text, percent_text
from fenqi.report.language import Language, Speech
from fenqi.report.names import together
from fenqi.report.purchases import ToldReason
from fenqi.report.rolls import RollRates
from fenqi.report.words import Words

NARROW = 80
WIDE = 132
MONEY_COLUMNS = 70
BAR_EIGHTHS = " ▏▎▍▌▋▊▉█"
REASONS_SHOWN = 8
CODE_COLUMNS = 20
REASON_BAR_COLUMNS = 10
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


def show(book: Book, console: Console, speech: Speech) -> None:
    """Print the report in a language."""
    _ = speech.gettext
    unit = currency(book.currency)
    console.width = max(console.width, NARROW)
    console.print()
    console.print(_header(book, speech))
    console.print()
    console.print(_key_figures(book, unit, speech))
    is_wide = console.width >= WIDE
    buckets = _buckets(book.buckets, unit, 48 if is_wide else 18, speech)
    console.print(_section(_("Days past due"), buckets))
    console.print(_rolls(book.roll_rates, 8 if is_wide else 5, speech))
    title = _("Money, %(currency)s") % {"currency": book.currency}
    money = _section(title, _money(book, unit, speech))
    bought = Group(*_purchases(book, speech))
    if is_wide:
        console.print(_pair(money, bought))
    else:
        console.print(money)
        console.print(bought)
    console.print(_footer(book, speech))
    console.print()


def _header(book: Book, speech: Speech) -> RenderableType:
    _ = speech.gettext
    left = Text()
    left.append("▌", BRAND)
    left.append(book.legal_entity, "bold")
    # Spaces that do not break: on a narrow terminal the name and the book take a line each.
    named = _("book %(book)s") % {"book": book.book_id}
    left.append("   " + f"{named} · {book.currency}".replace(" ", "\u00a0"), "dim")
    day = _("business date %(day)s") % {"day": speech.day(book.business_date)}
    right = Text(day, "dim")
    if book.as_of != book.business_date:
        as_of = _("as of %(day)s") % {"day": speech.day(book.as_of)}
        right = Text.assemble((f"{as_of} · ", GOLD), right)
    grid = Table.grid(expand=True, padding=(0, 2))
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(left, right)
    return Padding(grid, (0, 1))


def _key_figures(book: Book, unit: Currency, speech: Speech) -> RenderableType:
    """Return the row of four figures a person looks at first."""
    _ = speech.gettext
    late = book.overdue.over_30_days_ppm
    plans = {"count": speech.count(book.plans)}
    figures = (
        (
            _("Receivables"),
            money_text(book.receivables.total_minor, unit),
            "bold",
            speech.ngettext("%(count)s plan lent", "%(count)s plans lent", book.plans) % plans,
        ),
        (
            _("Overdue 30+ days"),
            percent_text(late, 2),
            f"bold {BAD if late else BRAND}",
            f"90+ {percent_text(book.overdue.over_90_days_ppm, 2)}",
        ),
        (
            _("Written off"),
            percent_text(book.bad_debt.written_off_ppm, 2),
            "bold",
            _("of principal lent"),
        ),
        (
            _("Approval rate"),
            percent_text(book.purchases.approved_ppm),
            "bold",
            _("of %(count)s tried") % {"count": speech.count(book.purchases.tried)},
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


def _buckets(
    buckets: Sequence[Bucket], unit: Currency, bar_cells: int, speech: Speech
) -> RenderableType:
    _ = speech.gettext
    days = (_("on time"), *Words(speech).bucket_days[1:])
    table = _plain_table()
    table.add_column(_("Bucket"), no_wrap=True)
    table.add_column(_("Days"), no_wrap=True)
    table.add_column(_("Plans"), justify="right", no_wrap=True)
    table.add_column(_("Open principal"), justify="right", no_wrap=True)
    table.add_column(_("Share"), justify="right", no_wrap=True)
    table.add_column("", ratio=1, no_wrap=True)
    for place, one in enumerate(buckets):
        colour = BRAND if place == 0 else GOLD if place == 1 else BAD
        is_empty = not one.plans
        table.add_row(
            one.name,
            Text(days[place], "dim"),
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


def _rolls(rolls: RollRates | None, cell_columns: int, speech: Speech) -> RenderableType:
    _ = speech.gettext
    if rolls is None:
        none = Text("\n" + _("No month of this book has ended yet."), "dim")
        return _section(_("Roll rates"), none, _("%% of plans") % {})
    table = Table(
        box=SIMPLE_HEAD, pad_edge=False, header_style="dim", padding=0, border_style="dim"
    )
    table.add_column(_("from"), no_wrap=True, width=5)
    arrivals = {"closed": _("paid"), "written-off": _("lost")}
    for cell in rolls.rows[0].cells:
        name = arrivals.get(cell.to, cell.to)
        # Set to the right by hand: rich trims the space after a figure it sets to the right itself.
        set_right = " " * (cell_columns - 1 - cell_len(name)) + name
        table.add_column(set_right, no_wrap=True, width=cell_columns)
    table.add_column(_("plans"), justify="right", no_wrap=True, width=9)
    for place, row in enumerate(rolls.rows):
        cells = [
            _cell(cell.plans_ppm, column, place, cell_columns, is_paid=cell.to == "closed")
            for column, cell in enumerate(row.cells)
        ]
        table.add_row(row.name, *cells, Text(f"{row.plans:,}", "dim"))
    ended = {"last": speech.day(rolls.month_end)}
    span = _("to %(last)s") % ended
    if rolls.month_before:
        span = _("%(first)s to %(last)s") % {"first": speech.day(rolls.month_before), **ended}
    return _section(_("Roll rates, %% of plans") % {}, table, span)


def _cell(ppm: int, column: int, row: int, width: int, *, is_paid: bool) -> Text:
    """Return one cell: green where the plan stayed or improved, warm where it got worse."""
    if not ppm:
        return Text("")
    shades = WORSE if column > row and not is_paid else STAYS
    background, ink = next((b, i) for least, b, i in shades if ppm >= least)
    figure = f"{ppm / 10_000:.1f}" if ppm < 1_000_000 else "100"
    return Text(f"{figure:>{width - 1}} ", Style(color=ink, bgcolor=background))


def _money_groups(book: Book, speech: Speech) -> list[MoneyGroup]:
    """Return the lines of the money table with their amounts and notes."""
    _ = speech.gettext
    return [
        (
            _("Customers owe"),
            [
                (_("principal"), book.receivables.principal_minor, ""),
                (_("interest"), book.receivables.interest_minor, ""),
                (_("fees"), book.receivables.fee_minor, ""),
                (_("late charges"), book.receivables.penalty_minor, ""),
                (_("of it not yet earned"), book.deferred_income_minor, ""),
            ],
        ),
        (
            _("Cash"),
            [
                (_("own money put in"), book.cash.funding_minor, ""),
                (_("paid in by customers"), book.cash.received_minor, ""),
                (_("paid to merchants"), -book.cash.paid_to_merchants_minor, ""),
                (_("paid back to customers"), -book.cash.paid_back_minor, ""),
                (_("settled"), book.cash.settled_minor, _below_zero(book, speech)),
                (_("in transit"), book.cash.in_transit_minor, ""),
            ],
        ),
        (
            _("Income"),
            [
                (_("interest"), book.income.interest_minor, ""),
                (_("fees"), book.income.fee_minor, ""),
                (_("late charges"), book.income.penalty_minor, ""),
                (_("merchant discount"), book.income.merchant_discount_minor, ""),
            ],
        ),
        (
            _("Lent and lost"),
            [
                (_("principal lent"), book.bad_debt.lent_minor, _times(speech, book.plans)),
                (_("refunded"), book.refunds.principal_minor, _times(speech, book.refunds.count)),
                (_("cost given back"), book.refunds.cost_relieved_minor, ""),
                (_("money returned"), book.refunds.returned_minor, ""),
                (
                    _("written off"),
                    book.write_offs.principal_minor,
                    _times(speech, book.write_offs.count),
                ),
                (_("provided for losses"), book.bad_debt.provision_minor, ""),
                (_("allowance left"), book.bad_debt.allowance_minor, ""),
                (
                    _("recovered"),
                    book.recoveries.amount_minor,
                    _times(speech, book.recoveries.count),
                ),
            ],
        ),
        (
            _("We owe"),
            [
                (_("merchants"), book.liabilities.merchant_payable_minor, ""),
                (_("credit balances"), book.liabilities.credit_balance_minor, ""),
                (_("refunds to pay"), book.liabilities.refunds_payable_minor, ""),
                (_("money not yet final"), book.liabilities.suspense_minor, ""),
            ],
        ),
    ]


def _money(book: Book, unit: Currency, speech: Speech) -> RenderableType:
    """Return the money table, amounts to the minor unit."""
    table = _plain_table()
    table.show_header = False
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, ratio=1)
    table.add_column(justify="right", no_wrap=True, style="dim")
    table.add_column(justify="right", no_wrap=True)
    for title, lines in _money_groups(book, speech):
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


def _below_zero(book: Book, speech: Speech) -> str:
    """Return why cash is below zero, if it is."""
    _ = speech.gettext
    if book.cash.settled_minor >= 0:
        return ""
    return _("below zero") if book.cash.funding_minor else _("no own money put in")


def _times(speech: Speech, count: int) -> str:
    return speech.gettext("%(count)s x") % {"count": speech.count(count)}


def _purchases(book: Book, speech: Speech) -> list[RenderableType]:
    """Return the sections on people: purchases with reasons, and lines left out."""
    _ = speech.gettext
    purchases = book.purchases
    lines = [
        (_("approved"), purchases.approved, BRAND),
        ("  " + _("from a shorter menu"), purchases.approved_from_fewer_plans, BRAND),
        ("  " + _("to be looked at by a person"), purchases.approved_reviewed, BRAND),
        (_("a check asked for first"), purchases.checks_asked, GOLD),
        (_("other plans offered"), purchases.other_plans, GOLD),
        (_("declined"), purchases.declined, GOLD),
    ]
    counts = {
        "customers": speech.count(book.customers),
        "statements": speech.count(book.statements),
    }
    people = _("%(customers)s customers · %(statements)s statements") % counts
    table = _counts([one for one in lines if one[1] or not one[0].startswith(" ")], purchases.tried)
    parts = [_section(_("Purchases"), table, people)]
    for title, reasons, whole in (
        (_("Why declined"), purchases.decline_reasons, purchases.declined),
        (_("Why a check was asked for"), purchases.check_reasons, purchases.checks_asked),
        (_("Why other plans were offered"), purchases.other_plan_reasons, purchases.other_plans),
    ):
        if reasons:
            told = [_told(one, speech) for one in reasons]
            note = _("one may have several")
            parts.append(_section(title, _reasons(told, whole, speech), note))
    parts += _asked_and_paying(book, speech)
    if book.exceptions is not None:
        parts.append(_exceptions(book.exceptions, speech))
    return parts


def _asked_and_paying(book: Book, speech: Speech) -> list[RenderableType]:
    """Return what customers asked for, and what followed for those who paid differently."""
    _ = speech.gettext
    words, parts = Words(speech), list[RenderableType]()
    if book.requests:
        total = sum(one.count for one in book.requests)
        asked = [
            (words.request_words.get(one.reason, one.reason), one.count, BRAND)
            for one in book.requests
        ]
        note = _("%(count)s granted") % {"count": speech.count(total)}
        parts.append(_section(_("What customers asked for"), _counts(asked, total), note))
    if book.paying:
        most = max(one.count for one in book.paying)
        told = [
            (words.paying_words.get(one.reason, one.reason), one.count, BRAND)
            for one in book.paying
        ]
        title = _("Customers who began to pay differently")
        parts.append(_section(title, _counts(told, most)))
    return parts


Counted = tuple[str, str, int]  # what a person reads, its code, how often


def _told(reason: ToldReason, speech: Speech) -> Counted:
    """Return a reason in the words customers were told; its code alone if nobody wrote any."""
    language = "zh" if speech.language is Language.CHINESE else "en"
    text = reason.texts.get(language, reason.reason)
    return text, reason.reason if text != reason.reason else "", reason.count


def _reasons(reasons: Sequence[Counted], whole: int, speech: Speech) -> RenderableType:
    """Return reasons in words, their codes beside them."""
    table = _plain_table()
    table.show_header = False
    table.add_column(ratio=1, overflow="fold")
    table.add_column(style="dim", max_width=CODE_COLUMNS, overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, width=REASON_BAR_COLUMNS)
    for text, code, count in reasons[:REASONS_SHOWN]:
        share = _bar(count * 1_000_000 // whole if whole else 0, REASON_BAR_COLUMNS)
        table.add_row(text, code, speech.count(count), Text(share, GOLD))
    if len(reasons) > REASONS_SHOWN:
        rest = sum(count for _, _, count in reasons[REASONS_SHOWN:])
        table.add_row(speech.gettext("other reasons"), "", speech.count(rest))
    return table


def _exceptions(exceptions: Sequence[ReasonCount], speech: Speech) -> RenderableType:
    _ = speech.gettext
    title = _("Lines left out of the replay")
    total = sum(one.count for one in exceptions)
    if not total:
        return _section(title, Text("\n" + _("Every line of the file was booked."), "dim"))
    words = Words(speech).left_out_words
    shown = [(words.get(one.reason, ""), one.reason, one.count) for one in exceptions]
    note = _("%(count)s in exceptions.csv") % {"count": speech.count(total)}
    return _section(title, _reasons(shown, total, speech), note)


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


def _footer(book: Book, speech: Speech) -> RenderableType:
    """Return the line that says which figures were never paid by anyone."""
    _ = speech.gettext
    if not book.rests_on_drawn_payments:
        untold = _(
            "Who paid is not told here: this book does not say where its payments come from. If "
            "a replay drew them, its folder tells: give it with --out."
        )
        return Padding(Text(untold, "dim"), (1, 1, 0, 1))
    source, seed = book.provenance.source, book.provenance.seed
    drawn = _("Payments were drawn, not received.")
    if source and seed is not None:
        drawn = _("Payments were drawn from %(source)s, seed %(seed)s, not received.")
    elif source:
        drawn = _("Payments were drawn from %(source)s, not received.")
    words = Words(speech).figure_words
    named = [words.get(one, one) for one in book.rests_on_drawn_payments]
    figures = together(named, speech)
    text = Text.assemble(
        ("◆ ", GOLD),
        (speech.joined(drawn % {"source": source, "seed": seed}, ""), "bold"),
        (_("These figures rest on them: %(figures)s.") % {"figures": figures}, "dim"),
    )
    return Padding(text, (1, 1, 0, 1))

"""The pictures of a book: its figures as charts, with their words in one language.

Every number drawn is one of `Book`; the tables beside the charts print the same ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from fenqi.core.values.day import month_end
from fenqi.core.values.money import currency
from fenqi.report import chart
from fenqi.report.book import Book, Month
from fenqi.report.chart import Label, Series
from fenqi.report.language import Speech
from fenqi.report.rolls import ppm
from fenqi.report.vintage import Vintage

MONTHS_DRAWN = 24  # the newest; the tables beside the charts list as many
VINTAGES_DRAWN = 12
VINTAGE_AGES_MAX = 24
WORST_FIRST = tuple(range(1, 8))  # buckets past due
OVERDUE_HEIGHT = 300  # pixels, so that neighbouring cards end alike
CASH_HEIGHT = 330
LENT_HEIGHT = 360
COMPARED_DAYS_MIN = 28  # a month back: the newest month end at least that long ago


@dataclass(frozen=True, slots=True)
class Stand:
    """Open principal by bucket at the end of a day; the last one is the report's own day."""

    day: date
    is_today: bool
    principal_minor: tuple[int, ...]  # M0 to M7+

    @property
    def total_minor(self) -> int:
        """Return all open principal."""
        return sum(self.principal_minor)

    def share_ppm(self, bucket: int) -> int:
        """Return a bucket's share of the open principal."""
        return ppm(self.principal_minor[bucket], self.total_minor)

    def from_ppm(self, bucket: int) -> int:
        """Return the share of a bucket and all worse ones."""
        return ppm(sum(self.principal_minor[bucket:]), self.total_minor)


def stands(book: Book) -> list[Stand]:
    """Return the newest month ends and the report's day, oldest first."""
    ends = [
        Stand(month_end(one.month), is_today=False, principal_minor=one.principal_by_bucket)
        for one in book.months
        if one.principal_by_bucket
    ]
    now = tuple(one.principal_open_minor for one in book.buckets)
    before = [one for one in ends if one.day < book.as_of][-MONTHS_DRAWN:]
    return [*before, Stand(book.as_of, is_today=True, principal_minor=now)]


def compared(book: Book) -> Stand | None:
    """Return the month end that today's figures are compared with, or None in a young book."""
    latest = book.as_of - timedelta(days=COMPARED_DAYS_MIN)
    before = [one for one in stands(book) if not one.is_today and one.day <= latest]
    return before[-1] if before and before[-1].total_minor else None


def drawn_months(book: Book) -> Sequence[Month]:
    """Return the months that charts show."""
    return book.months[-MONTHS_DRAWN:]


def drawn_vintages(book: Book) -> list[Vintage]:
    """Return the vintages that charts show: the newest with at least one month on book."""
    return [one for one in book.vintages if len(one.over_30_days_minor) > 1][-VINTAGES_DRAWN:]


def curve_ppm(vintage: Vintage, stage: str) -> list[int]:
    """Return a vintage's curve as shares of the principal lent. `stage` names its list."""
    amounts = getattr(vintage, stage)[: VINTAGE_AGES_MAX + 1]
    return [ppm(amount, vintage.lent_minor) for amount in amounts]


class Pictures:
    """Draws the charts of one book in one language."""

    def __init__(self, book: Book, speech: Speech) -> None:
        self._book = book
        self._speech = speech
        self._unit = currency(book.currency)

    def overdue(self) -> Markup:
        """Return the share of open principal past due over time, by bucket."""
        _ = self._speech.gettext
        days = stands(self._book)
        percent = self._speech.percent
        tips = [
            _("%(day)s: %(share)s of the open principal is past due")
            % {"day": self._speech.day(one.day), "share": percent(one.from_ppm(1), 2)}
            for one in days
        ]
        return chart.columns(
            "overdue",
            _("Share of open principal past due, by bucket, at each month end"),
            "; ".join(tips),
            labels=self._day_labels(days),
            series=[
                Series(f"m{bucket}", f"M{bucket}", [one.share_ppm(bucket) for one in days])
                for bucket in WORST_FIRST
            ],
            tick_text=self._percent_tick,
            tips=tips,
            height=OVERDUE_HEIGHT,
        )

    def cash(self) -> Markup:
        """Return what customers paid in and merchants were paid, by month."""
        _ = self._speech.gettext
        months = drawn_months(self._book)
        tips = [
            _("%(month)s: %(received)s came in, %(paid)s went to merchants")
            % {
                "month": self._speech.month(one.month),
                "received": self._amount(one.received_minor),
                "paid": self._amount(one.paid_to_merchants_minor),
            }
            for one in months
        ]
        net = [one.received_minor - one.paid_to_merchants_minor for one in months]
        return chart.columns(
            "cash",
            _("Money in from customers and out to merchants, by month"),
            "; ".join(tips),
            labels=self._month_labels(months),
            series=[
                Series("in", _("in from customers"), [one.received_minor for one in months]),
                Series(
                    "out", _("out to merchants"), [-one.paid_to_merchants_minor for one in months]
                ),
            ],
            tick_text=self._amount_tick,
            tips=tips,
            net=Series("net", _("difference"), net),
            height=CASH_HEIGHT,
        )

    def lent(self) -> Markup:
        """Return the principal lent by month."""
        _ = self._speech.gettext
        months = drawn_months(self._book)
        tips = [
            _("%(month)s: %(lent)s lent")
            % {"month": self._speech.month(one.month), "lent": self._amount(one.lent_minor)}
            for one in months
        ]
        return chart.columns(
            "lent",
            _("Principal lent, by month"),
            "; ".join(tips),
            labels=self._month_labels(months),
            series=[Series("in", _("lent"), [one.lent_minor for one in months])],
            tick_text=self._amount_tick,
            tips=tips,
            height=LENT_HEIGHT,
        )

    def income(self) -> Markup:
        """Return the income earned by month."""
        _ = self._speech.gettext
        months = drawn_months(self._book)
        tips = [
            _("%(month)s: %(income)s earned")
            % {
                "month": self._speech.month(one.month),
                "income": self._amount(one.income_minor),
            }
            for one in months
        ]
        return chart.columns(
            "income",
            _("Income earned, by month"),
            "; ".join(tips),
            labels=self._month_labels(months),
            series=[Series("in", _("income"), [one.income_minor for one in months])],
            tick_text=self._amount_tick,
            tips=tips,
        )

    def vintages(self, stage: str, title: str) -> Markup:
        """Return the vintage curves of one stage: a list of `Vintage` by its field's name."""
        _ = self._speech.gettext
        shown = drawn_vintages(self._book)
        ages = max((len(curve_ppm(one, stage)) for one in shown), default=2)
        said = [
            _("%(month)s: %(share)s after %(ages)s months")
            % {
                "month": self._speech.month(one.month),
                "share": self._speech.percent(curve_ppm(one, stage)[-1], 2),
                "ages": len(curve_ppm(one, stage)) - 1,
            }
            for one in shown
        ]
        first = VINTAGES_DRAWN - len(shown) + 1  # the newest always has the same colour
        return chart.lines(
            f"vintage-{stage.replace('_', '-')}",
            title,
            "; ".join(said),
            labels=[Label(str(age)) for age in range(ages)],
            series=[
                Series(
                    f"v{first + place}",
                    self._speech.month(one.month),
                    curve_ppm(one, stage),
                )
                for place, one in enumerate(shown)
            ],
            tick_text=self._percent_tick,
        )

    def spark_principal(self) -> Markup:
        """Return the open principal at month ends."""
        _ = self._speech.gettext
        values = [one.total_minor for one in stands(self._book)]
        return chart.spark(_("Open principal at each month end"), values)

    def spark_overdue(self) -> Markup:
        """Return the share over 30 days past due at month ends."""
        _ = self._speech.gettext
        values = [one.from_ppm(2) for one in stands(self._book)]
        return chart.spark(_("Share over 30 days past due at each month end"), values)

    def spark_months(self, field: str, title: str) -> Markup:
        """Return one field of the months; a month that is still running is left out."""
        ended = [one for one in drawn_months(self._book) if one.principal_by_bucket]
        return chart.spark(title, [getattr(one, field) for one in ended])

    def _day_labels(self, days: Sequence[Stand]) -> list[Label]:
        today = self._speech.gettext("today")
        return [
            Label(
                today if one.is_today else self._speech.month_alone(one.day),
                str(one.day.year),
                is_today=one.is_today,
            )
            for one in days
        ]

    def _month_labels(self, months: Sequence[Month]) -> list[Label]:
        return [
            Label(
                self._speech.month_alone(one.month),
                str(one.month.year),
                is_today=month_end(one.month) > self._book.as_of,
            )
            for one in months
        ]

    def _percent_tick(self, ppm: int) -> str:
        """Return a share for an axis with no more digits than it needs."""
        digits = 0 if ppm % 10_000 == 0 else 1 if ppm % 1_000 == 0 else 2
        return self._speech.percent(ppm, digits)

    def _amount_tick(self, minor: int) -> str:
        return self._speech.compact(minor, self._unit)

    def _amount(self, minor: int) -> str:
        return f"{self._book.currency} {self._speech.amount(minor, self._unit)}"

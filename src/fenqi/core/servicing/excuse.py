"""Which days never count against a customer, because money or its channel was late and not he (P5).

Money on its way excuses the days after it was received for as long as it pays all that falls due;
a channel that failed excuses its day and those after, until it is back. Both end at a bound of the
pack: what nobody confirms for so long is a person's to look at. An incident is said by a person.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from fenqi.core.servicing.ageing import days_past_due, due_days_turning

A_DAY = timedelta(days=1)
PATIENCE_DAYS_MAX = 3_650  # beyond which no debt is looked back for


class ExcuseCause(StrEnum):
    """Why days of an account are excused."""

    MONEY = "money"  # it was paid, and the channel has not confirmed it yet
    CHANNEL = "channel"  # a payment was tried, and its channel failed
    INCIDENT = "incident"  # a person said so, of a whole book or of a channel


class Pending(NamedTuple):
    """Money on its way. Units: minor units."""

    amount_minor: int
    received_on: date


class Owed(NamedTuple):
    """What falls due on a day, without what being late costs. Units: minor units."""

    due_on: date
    amount_minor: int


class Span(NamedTuple):
    """Days from the first through the last."""

    from_on: date
    through_on: date

    @property
    def days(self) -> frozenset[date]:
        """The days themselves."""
        return days_of(self)


def days_of(span: Span | None) -> frozenset[date]:
    """Return the days of a span; of none, none."""
    if span is None:
        return frozenset()
    count = (span.through_on - span.from_on).days + 1
    return frozenset(span.from_on + timedelta(days=place) for place in range(count))


def money_excuses(pending: Iterable[Pending], owed: Iterable[Owed], days_max: int) -> list[Span]:
    """Return the days that money on its way excuses, given all that is owed before it arrives.

    From the day after it was received, for `days_max` days, and no longer than until the first due
    day of what it does not pay in full; money that does not pay the oldest debt excuses nothing.

    Units: minor units; days.
    """
    oldest_first = sorted(owed)
    spans: list[Span] = []
    together = 0
    for one in sorted(pending, key=lambda each: each.received_on):
        together += one.amount_minor
        last = one.received_on + timedelta(days=days_max)
        short_on = _short_on(oldest_first, together)
        through = last if short_on is None else min(last, short_on)
        first_on = oldest_first[0].due_on if oldest_first else last
        if first_on < through and short_on != first_on and one.received_on < through:
            spans.append(Span(one.received_on + A_DAY, through))
    return spans


def _short_on(owed: Sequence[Owed], amount_minor: int) -> date | None:
    """Return the due day of the first debt that an amount does not pay in full, None if all."""
    for due_on, asked_minor in owed:
        amount_minor -= asked_minor
        if amount_minor < 0:
            return due_on
    return None


def channel_excuse(failed_on: date, days_max: int) -> Span:
    """Return the days that a channel's failure excuses unless it is back before: its own as well.

    Units: days.
    """
    return Span(failed_on, failed_on + timedelta(days=days_max))


def granted_alone(span: Span, said: Collection[date], days_max: int) -> date:
    """Return the last day of a span that one person may excuse alone, the day before it if none.

    `said` are the days near it that this person excuses alone already: days asked for in pieces
    are no more than days asked for at once.

    Units: days.
    """
    left, last = days_max - len(said), span.from_on - A_DAY
    while last < span.through_on:
        if last + A_DAY not in said:
            left -= 1
        if left < 0:
            break
        last += A_DAY
    return last


def overdue_anew(days: int, on: date, *, before: Collection[date], after: Collection[date]) -> int:
    """Return how late on a day was what seemed `days` late, now that more days are excused.

    `before` are the days excused when that was said, `after` those excused now.

    Units: days past due.
    """
    if not 0 < days <= PATIENCE_DAYS_MAX:
        return days
    seen = on
    while seen in before:  # an excused day turns nothing; it seemed as late the day before
        seen -= A_DAY
    return days_past_due(due_days_turning(days, seen, before)[0], on, after)

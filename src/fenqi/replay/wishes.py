"""What shoppers ask for besides buying and paying: later, another day, longer, early, not at all.

Also whether they answer a check that a purchase asks for.

Drawn by name like everything here, so a person wishes the same in a replay of any size. How often
they do is ours, not measured: often enough that a small demo has rows of all of them.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum

from fenqi.core.values.day import add_months
from fenqi.replay.chance import pick


class Wish(StrEnum):
    """One kind of request."""

    DEFER = "defer"
    DUE_DAY = "due-day"
    EXTEND = "extend"
    SPLIT = "split"
    SETTLE = "settle"
    WITHDRAW = "withdraw"


# Of a thousand months of a person; many find nothing to ask it of.
MONTHLY = {
    None: 910,
    Wish.DEFER: 25,
    Wish.DUE_DAY: 10,
    Wish.EXTEND: 5,
    Wish.SPLIT: 30,
    Wish.SETTLE: 20,
}
WITHDRAWN = (985, 15)  # of a thousand purchases: kept, withdrawn from
ANSWERED = (300, 700)  # of a thousand checks asked for at a purchase: left alone, answered at once
WITHDRAW_DAYS = 5  # after a purchase at most
DAYS = 28  # of any month


class Wishes:
    """Who wishes what on which day of a replay that ends on `last_on`."""

    def __init__(self, seed: int, last_on: date) -> None:
        self._seed = seed
        self._last_on = last_on
        self._by_day: dict[date, list[tuple[str, Wish]]] = defaultdict(list)

    def meet(self, person: str, opened_on: date) -> None:
        """Draw what a person will wish for in the months after the account was opened."""
        kinds, weights = list(MONTHLY), list(MONTHLY.values())
        month = add_months(opened_on.replace(day=1), 1)
        while month <= self._last_on:
            names = (self._seed, "wish", person, month)
            wish = kinds[pick(weights, *names)]
            if wish is not None:
                day = month + timedelta(days=pick([1] * DAYS, *names, "day"))
                self._by_day[day].append((person, wish))
            month = add_months(month, 1)

    def bought(self, person: str, purchase_key: str, on: date) -> None:
        """Draw whether a person will withdraw from a purchase, and when."""
        names = (self._seed, "withdraw", purchase_key)
        if pick(WITHDRAWN, *names):
            later = timedelta(days=pick([1] * WITHDRAW_DAYS, *names, "day"))
            self._by_day[on + later].append((person, Wish.WITHDRAW))

    def answers(self, purchase_key: str) -> bool:
        """Draw whether a person answers the check that a purchase asks for."""
        return pick(ANSWERED, self._seed, "check", purchase_key) == 1

    def on(self, day: date) -> Sequence[tuple[str, Wish]]:
        """Return who wishes what on a day, each person once; earlier days are forgotten."""
        wishes: dict[str, Wish] = {}
        for person, wish in sorted(self._by_day.pop(day, [])):
            wishes.setdefault(person, wish)
        return list(wishes.items())

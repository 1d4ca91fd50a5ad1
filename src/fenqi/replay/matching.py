"""Which purchase a cancellation takes back, when the file does not say.

The rule: lines of the same customer and the same item, bought no later than the cancellation,
latest first; never more units than are left of a purchase line, never more money than was paid for
those units. What finds no purchase is not booked and says why.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from fenqi.core.values.rate import Rounding, divide
from fenqi.replay.lines import Entry, times


class Shortfall(StrEnum):
    """Why a cancellation line is not, or not wholly, a refund."""

    UNMATCHED = "refund-unmatched"  # nothing bought earlier is left to take back
    WORTHLESS = "refund-worth-nothing"  # units matched, but their share rounds to no money
    PARTLY_UNMATCHED = "refund-partly-unmatched"  # more units than are left
    ABOVE_PAID = "refund-above-paid"  # all units matched, at a higher price than was paid


WHOLLY_SHORT = frozenset({Shortfall.UNMATCHED, Shortfall.WORTHLESS})


@dataclass(frozen=True, slots=True)
class Take:
    """Units of one purchase line that one cancellation line takes back, and their money.

    Units: `amount_minor` in minor units, not negative, at most what was paid for `quantity`.
    """

    cancellation: Entry
    purchase: Entry
    quantity: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Short:
    """A cancellation line of which something is left over."""

    cancellation: Entry
    why: Shortfall
    detail: str


@dataclass(slots=True)
class _Bought:
    entry: Entry
    quantity_left: int


def match(
    purchases: Iterable[Entry], cancellations: Iterable[Entry], *, digits: int
) -> tuple[list[Take], list[Short]]:
    """Return what the cancellations take back, in their order of time, and what is left over.

    An entry's `at` is its invoice's instant; a cancellation at a purchase's very instant follows
    it. `digits` are those of the currency's minor unit.
    """
    events = chain(
        ((entry.at, 0, entry.number, entry) for entry in purchases),
        ((entry.at, 1, entry.number, entry) for entry in cancellations),
    )
    shelves: defaultdict[tuple[str, str], list[_Bought]] = defaultdict(list)
    takes: list[Take] = []
    shorts: list[Short] = []
    for _, is_cancellation, _, entry in sorted(events):
        shelf = shelves[entry.customer, entry.item]
        if is_cancellation:
            taken = _take_back(entry, shelf, digits=digits)
            takes += [take for take in taken if take.amount_minor > 0]
            shorts += _short(entry, taken)
        else:
            shelf.append(_Bought(entry, entry.quantity))
    return takes, shorts


def _take_back(cancellation: Entry, shelf: list[_Bought], *, digits: int) -> list[Take]:
    taken = []
    asked = cancellation.quantity
    while asked and shelf:
        bought = shelf[-1]
        quantity = min(asked, bought.quantity_left)
        # Both sums are differences of rounded totals, so parts never exceed the whole.
        claim = times(cancellation.price, asked, digits=digits) - times(
            cancellation.price, asked - quantity, digits=digits
        )
        paid = _paid(bought, bought.quantity_left) - _paid(bought, bought.quantity_left - quantity)
        taken.append(Take(cancellation, bought.entry, quantity, min(claim, paid)))
        asked -= quantity
        bought.quantity_left -= quantity
        if bought.quantity_left == 0:
            shelf.pop()
    return taken


def _paid(bought: _Bought, quantity: int) -> int:
    entry = bought.entry
    return divide(entry.amount_minor * quantity, entry.quantity, rounding=Rounding.HALF_UP)


def _short(cancellation: Entry, taken: list[Take]) -> list[Short]:
    units = sum(take.quantity for take in taken)
    amount_minor = sum(take.amount_minor for take in taken)
    if units == cancellation.quantity and amount_minor == cancellation.amount_minor:
        return []
    detail = (
        f"{units} of {cancellation.quantity} units matched; "
        f"{amount_minor} of {cancellation.amount_minor} minor units booked"
    )
    if units == 0:
        return [Short(cancellation, Shortfall.UNMATCHED, detail)]
    if amount_minor == 0:
        return [Short(cancellation, Shortfall.WORTHLESS, detail)]
    if units < cancellation.quantity:
        return [Short(cancellation, Shortfall.PARTLY_UNMATCHED, detail)]
    return [Short(cancellation, Shortfall.ABOVE_PAID, detail)]

"""What ends many plans on a day; twin of `replay.settle_quote` and `settlement.earned_minor`.

A life of repayments alone that settles by the day is replayed on arrays, late charges and excused
days with it. Plans that something else happened to, that settle by another method, or whose late
charge could overflow 64 bits, are handed to the scalar.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from fenqi.core.terms.batch.allocation import takes
from fenqi.core.terms.batch.arrays import (
    DAY,
    MINOR_MAX,
    PRODUCT_MAX,
    AmountsOutOfRange,
    Days,
    Flags,
    Minor,
    ShapeInvalid,
    require,
)
from fenqi.core.terms.batch.schedule import schedules
from fenqi.core.terms.operation import Operation, OperationKind
from fenqi.core.terms.product import CONTRACT, COST, Component, Product, Settlement
from fenqi.core.terms.replay import settle_quote
from fenqi.core.terms.schedule import PRINCIPAL_MINOR_MAX, Terms
from fenqi.core.values.rate import PPM

KINDS = tuple(OperationKind)  # a column of kinds holds places in it, -1 where nothing happened
REPAY = KINDS.index(OperationKind.REPAY)


@dataclass(frozen=True, slots=True)
class Lives:
    """Plans of one product and count, and what happened to each after its disbursement.

    Units: minor units. Shapes: `principal_minor` and `starts_on` (plans,); `due_on` (plans, count);
    `kind` (plans, steps) of int8, places in `KINDS`, with `effective_on` and `amount_minor` of the
    same shape, the steps of a plan in the order of booking; -1, NaT and 0 where it had fewer.
    """

    product: Product
    count: int
    principal_minor: Minor
    starts_on: Days
    due_on: Days
    kind: NDArray[np.int8]
    effective_on: Days
    amount_minor: Minor

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together. Errors: ShapeInvalid."""
        plans = len(self.principal_minor)
        require("principal_minor", self.principal_minor, "int64", (-1,))
        require("starts_on", self.starts_on, DAY, (plans,))
        require("due_on", self.due_on, DAY, (plans, self.count))
        require("kind", self.kind, "int8", (plans, -1))
        require("effective_on", self.effective_on, DAY, self.kind.shape)
        require("amount_minor", self.amount_minor, "int64", self.kind.shape)
        has_day = ~np.isnat(self.effective_on)
        is_known = (self.kind >= -1) & (self.kind < len(KINDS)) & ((self.kind >= 0) == has_day)
        if not is_known.all() or np.isnat(self.due_on).any() or np.isnat(self.starts_on).any():
            raise ShapeInvalid(array="lives", wants="known kinds, each with a day; days of terms")

    def of(self, places: NDArray[np.intp] | Flags) -> "Lives":
        """Return some of the plans, by place or by a flag for each."""
        return Lives(
            self.product,
            self.count,
            self.principal_minor[places],
            self.starts_on[places],
            self.due_on[places],
            self.kind[places],
            self.effective_on[places],
            self.amount_minor[places],
        )


def settle_quotes(lives: Lives, on: date, *, excused: Collection[date] = frozenset()) -> Minor:
    """Return what customers pay to end their plans on the day `on`; twin of `settle_quote`.

    Units: minor units in and out. Shapes: -> (plans,).
    Errors: those of the scalar; AmountsOutOfRange for a quote that 64 bits do not hold.
    """
    quotes = np.zeros(len(lives.principal_minor), dtype=np.int64)
    places = np.flatnonzero(_plain(lives, on))
    plain = lives.of(places)
    due = schedules(lives.product, lives.count, plain.principal_minor)
    is_small = _small(plain, due, on)
    if not is_small.all():
        places, plain, due = places[is_small], plain.of(is_small), due[is_small]
    if places.size:
        quotes[places] = _quotes(plain, due, on, excused)
    for place in np.delete(np.arange(len(quotes)), places):
        terms, operations = _scalar(lives, int(place))
        quote = settle_quote(terms, operations, on, excused=excused)
        if quote > MINOR_MAX:
            raise AmountsOutOfRange(array="quotes", least=0, most=MINOR_MAX)
        quotes[place] = quote
    return quotes


def earned(due_minor: Minor, starts_on: Days, due_on: Days, on: date | Days) -> Minor:
    """Return the cost that time has earned by `on`; twin of `earned_minor`.

    Units: minor units in and out. Shapes: all (instalments,), `on` also one day. Amounts times
    days must stay below 2**63, which amounts up to 10**13 minor units and ten years of days do.
    Errors: ShapeInvalid.
    """
    require("due_minor", due_minor, "int64", (-1,))
    require("starts_on", starts_on, DAY, due_minor.shape)
    require("due_on", due_on, DAY, due_minor.shape)
    if isinstance(on, np.ndarray):
        require("on", on, DAY, due_minor.shape)
    return _earned(due_minor, starts_on, due_on, on)


def _earned(due_minor: Minor, starts_on: Days, due_on: Days, on: date | Days) -> Minor:
    whole = (due_on - starts_on).astype(np.int64)
    gone = np.clip((np.asarray(on, dtype=DAY) - starts_on).astype(np.int64), 0, whole)
    return due_minor * gone // whole


def _plain(lives: Lives, on: date) -> Flags:
    """Return which plans have terms that can be and only repayments until the day `on`."""
    happened = (lives.kind >= 0) & (lives.effective_on <= np.datetime64(on, "D"))
    is_repayment = (lives.kind == REPAY) & (lives.effective_on >= lives.starts_on[:, None])
    is_repayment &= (lives.amount_minor >= 0) & (lives.amount_minor <= PRODUCT_MAX)
    is_plain: Flags = (is_repayment | ~happened).all(axis=1)
    is_plain &= (_lengths(lives) > 0).all(axis=1) & (lives.starts_on <= np.datetime64(on, "D"))
    is_plain &= lives.product.settlement is Settlement.BY_THE_DAY
    is_plain &= (lives.principal_minor >= 1) & (lives.principal_minor <= PRINCIPAL_MINOR_MAX)
    return is_plain


def _small(lives: Lives, due: Minor, on: date) -> Flags:
    """Return which plans ask for so little that no product with days or rates overflows."""
    rule = lives.product.late
    age = (np.datetime64(on, "D") - lives.starts_on).astype(np.int64)
    factor = np.maximum(age, 1) * max(rule.rate_ppm_per_day, 1) + rule.cap_ppm
    is_small: Flags = _asked(due).max(axis=1) <= PRODUCT_MAX // factor
    return is_small


def _asked(due: Minor) -> Minor:
    """Return what each instalment asks for as signed; three sums beat one over so short an axis."""
    principal, interest, fee = (due[:, :, component] for component in CONTRACT)
    asked: Minor = principal + interest + fee
    return asked


def _lengths(lives: Lives) -> Minor:
    return np.diff(lives.due_on, axis=1, prepend=lives.starts_on[:, None]).astype(np.int64)


def _quotes(lives: Lives, due: Minor, on: date, excused: Collection[date]) -> Minor:
    """Return the quotes of plain lives whose schedules are known."""
    walk = _Walk(lives, due, on, excused)
    for days, amounts in _repayments(lives, on):
        walk.accrue(days - 1)
        walk.pay(amounts)
    walk.accrue(np.full(len(due), _number(on) - 1))
    owed: Minor = walk.asked[:, -1] - walk.paid
    starts_on = np.concatenate((lives.starts_on[:, None], lives.due_on[:, :-1]), axis=1)
    for component in COST:
        cost = due[:, :, component]
        if cost.any():
            owed -= (cost - _earned(cost, starts_on, lives.due_on, on)).sum(axis=1)
    return np.maximum(owed, 0)


def _repayments(lives: Lives, on: date) -> Iterator[tuple[Minor, Minor]]:
    """Yield the days and amounts of each plan's first repayment, of its second and so on.

    Where a plan had fewer until `on`, the day is its start and the amount 0.
    """
    order = np.argsort(lives.effective_on, axis=1, kind="stable")  # NaT last
    days = np.take_along_axis(lives.effective_on, order, axis=1)
    amounts = np.take_along_axis(lives.amount_minor, order, axis=1)
    happened = days <= np.datetime64(on, "D")
    numbers = np.where(happened, days, lives.starts_on[:, None]).astype(np.int64)
    for step in range(days.shape[1]):
        if happened[:, step].any():
            yield numbers[:, step], np.where(happened[:, step], amounts[:, step], 0)


def _number(on: date) -> int:
    return int(np.datetime64(on, "D").astype(np.int64))


class _Walk:
    """The state of many plans while their repayments count; twin of the walk of `life`.

    Money fills instalments in order, so what a plan was paid in all says which of its instalments
    are open. What is open of each component matters only where a late charge grows, and money is
    laid over the components only there and then.

    Shapes: `paid` (plans,); `asked` (plans, count), all instalments up to that one; `open`
    (plans, count, 4), its components in the order in which a payment fills them. Days are numbers,
    from 1970.
    """

    def __init__(self, lives: Lives, due: Minor, on: date, excused: Collection[date]) -> None:
        plans = len(due)
        self.rule = lives.product.late
        self.paid = np.zeros(plans, dtype=np.int64)
        self.laid = np.zeros(plans, dtype=np.int64)  # of what was paid, taken off `open`
        self.open = np.take(due, lives.product.allocation, axis=2)
        self.penalty = self.open[:, :, lives.product.allocation.index(Component.PENALTY)]
        each = _asked(due)
        self.asked = each.cumsum(axis=1)
        self.cap = each * self.rule.cap_ppm // PPM
        self.charged = np.zeros_like(each)
        self.overdue_minor_days = np.zeros_like(each)
        self.through = lives.starts_on.astype(np.int64)
        self.first = lives.due_on.astype(np.int64) + (self.rule.grace_days + 1)
        self.excused = np.array(sorted(excused), dtype=DAY).astype(np.int64)
        due_on = lives.due_on.astype(np.int64)
        for day in self.excused[self.excused <= _number(on)]:
            self.first += (due_on < day) & (day <= self.first)

    def accrue(self, through: Minor) -> None:
        """Count the overdue amounts of the days until `through`; twin of `life.late`.

        Shapes: `through` (plans,); a day already counted through changes nothing.
        """
        start = np.maximum(self.first, self.through[:, None] + 1)
        self.through = np.maximum(self.through, through)
        is_late = (start <= through[:, None]) & (self.paid[:, None] < self.asked)
        places, parts = np.nonzero(is_late)
        if not places.size:
            return
        self._lay(np.flatnonzero(is_late.any(axis=1)))
        until, begun = through[places], start[places, parts]
        counted = until - begun + 1
        if self.excused.size:
            counted -= np.searchsorted(self.excused, until, side="right")
            counted += np.searchsorted(self.excused, begun, side="left")
        base = self.open[places, parts].sum(axis=1) - self.penalty[places, parts]
        days = self.overdue_minor_days[places, parts] + base * counted
        charged = np.minimum(days * self.rule.rate_ppm_per_day // PPM, self.cap[places, parts])
        more = np.zeros_like(self.asked)
        more[places, parts] = charged - self.charged[places, parts]
        self.penalty += more
        self.asked += more.cumsum(axis=1)
        self.overdue_minor_days[places, parts] = days
        self.charged[places, parts] = charged

    def pay(self, amount_minor: Minor) -> None:
        """Put money onto what is owed; twin of `life.allocate`. What is beyond is in excess.

        Shapes: `amount_minor` (plans,).
        """
        self.paid += np.minimum(amount_minor, self.asked[:, -1] - self.paid)

    def _lay(self, places: NDArray[np.intp]) -> None:
        """Take off the components what was paid and is not yet taken off."""
        open_minor = self.open[places]
        taken = takes((self.paid - self.laid)[places], open_minor.reshape(len(places), -1))
        self.open[places] = open_minor - taken.reshape(open_minor.shape)
        self.laid[places] = self.paid[places]


def _scalar(lives: Lives, place: int) -> tuple[Terms, list[Operation]]:
    """Return one plan as the scalar takes it. Errors: those of `Terms`."""
    starts_on = lives.starts_on[place].item()
    terms = Terms(
        product=lives.product,
        count=lives.count,
        principal_minor=int(lives.principal_minor[place]),
        starts_on=starts_on,
        due_on=tuple(lives.due_on[place].tolist()),
    )
    steps = zip(
        lives.kind[place].tolist(),
        lives.effective_on[place].tolist(),
        lives.amount_minor[place].tolist(),
        strict=True,
    )
    happened = [(KINDS[kind], on, amount) for kind, on, amount in steps if kind >= 0]
    happened.insert(0, (OperationKind.DISBURSE, starts_on, terms.principal_minor))
    return terms, [
        Operation(number, kind, on, on, amount)
        for number, (kind, on, amount) in enumerate(happened, start=1)
    ]

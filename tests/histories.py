"""Random lives of plans, for laws that hold whatever happens: what was signed, and what happened.

A life's operations stand in the order of booking, so some are backdated. A settlement pays the
quote of the moment it was booked; what is booked later, even with an earlier day, never makes it
too small, and that is itself one of the laws. Everything shrinks towards few, small, early steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

from hypothesis import strategies as st

from fenqi.core.terms.life.view import View
from fenqi.core.terms.operation import Operation, OperationKind
from fenqi.core.terms.product import CostBearer, LateRule, Product, ScheduleKind
from fenqi.core.terms.replay import replay, settle_quote
from fenqi.core.terms.schedule import Terms, signed_cost
from fenqi.core.values.money import OddUnits
from fenqi.core.values.rate import Rounding
from make import DEFAULT_ALLOCATION, START, Step, life, operation, product

DAYS_AFTER = 200  # a life is watched this long after the last due day
STEPS_MAX = 6  # more say nothing new and shrink slowly

LATE_RULES = st.builds(
    LateRule,
    rate_ppm_per_day=st.sampled_from([500, 0, 1, 333, 20_000]),
    grace_days=st.integers(0, 5),
    cap_ppm=st.sampled_from([240_000, 0, 10_000, 1_000_000]),
)
PRODUCTS = st.builds(
    product,
    st.sampled_from(ScheduleKind),
    rate_ppm=st.sampled_from([5_000, 0, 1, 180_000]),
    rounding=st.sampled_from(Rounding),
    odd_units=st.sampled_from(OddUnits),
    allocation=st.one_of(st.just(DEFAULT_ALLOCATION), st.permutations(DEFAULT_ALLOCATION)),
    merchant_discount_ppm=st.sampled_from([0, 6_000, 30_000]),
    refund_cost_bearer=st.sampled_from(CostBearer),
    late=LATE_RULES,
)
PRINCIPALS = st.one_of(st.integers(1, 300), st.integers(1, 2_000_000), st.integers(1, 10**13))


@dataclass(frozen=True)
class History:
    """A plan, what happened to it, and the days that do not count."""

    terms: Terms
    operations: Sequence[Operation]
    excused: frozenset[date]
    through: date  # late charges are counted up to this day

    def seen(self, *, through: date | None = None) -> View:
        return replay(
            self.terms,
            self.operations,
            charged_through=through or self.through,
            excused=self.excused,
        )

    def quote(self, on: date) -> int:
        return settle_quote(self.terms, self.operations, on, excused=self.excused)

    def then(self, *steps: Step) -> "History":
        """Return the history with more booked after it."""
        first = len(self.operations) + 1
        more = [operation(number, *step) for number, step in enumerate(steps, start=first)]
        return History(self.terms, [*self.operations, *more], self.excused, self.through)

    def without(self, *kinds: OperationKind) -> "History":
        kept = [one for one in self.operations if one.kind not in kinds]
        return History(self.terms, kept, self.excused, self.through)

    @property
    def last_on(self) -> date:
        """The latest day on which something counts."""
        return max(one.effective_on for one in self.operations)

    @property
    def money_in(self) -> int:
        kinds = (OperationKind.REPAY, OperationKind.SETTLE)
        return sum(one.amount_minor for one in self.operations if one.kind in kinds)

    @property
    def refunded(self) -> int:
        kind = OperationKind.REFUND
        return sum(one.amount_minor for one in self.operations if one.kind is kind)

    def net_paid(self) -> int:
        """Return what the customer is poorer by, all money that is his taken out."""
        seen = self.seen()
        return self.money_in - seen.excess_minor - seen.returned_minor


@st.composite
def plans(draw: st.DrawFn, products: st.SearchStrategy[Product] = PRODUCTS) -> Terms:
    gaps = draw(st.lists(st.integers(1, 45), min_size=1, max_size=5))
    return Terms(
        product=draw(products),
        count=len(gaps),
        principal_minor=draw(PRINCIPALS),
        starts_on=START,
        due_on=tuple(START + timedelta(days=days) for days in accumulate(gaps)),
    )


def days_of(plan: Terms) -> st.SearchStrategy[date]:
    """Days from the first of the plan until long after its last due day."""
    return st.dates(plan.starts_on, plan.due_on[-1] + timedelta(days=DAYS_AFTER))


def excused_days(plan: Terms) -> st.SearchStrategy[frozenset[date]]:
    return st.one_of(st.just(frozenset()), st.frozensets(days_of(plan), max_size=12))


HAPPENS = (
    OperationKind.REPAY,
    OperationKind.REFUND,
    OperationKind.SETTLE,
    OperationKind.WRITE_OFF,
)


@st.composite
def histories(
    draw: st.DrawFn,
    kinds: Sequence[OperationKind] = HAPPENS,
    products: st.SearchStrategy[Product] = PRODUCTS,
    steps_max: int = STEPS_MAX,
) -> History:
    plan = draw(plans(products))
    days = days_of(plan)
    history = History(plan, life(plan), draw(excused_days(plan)), draw(days))
    whole = plan.principal_minor + signed_cost(plan)
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=steps_max)):
        on = draw(days)
        if kind is OperationKind.REPAY:
            amount = draw(st.integers(1, whole + whole // 4 + 1))
        elif kind is OperationKind.REFUND:
            left = plan.principal_minor - history.refunded
            if not left:
                continue
            amount = draw(st.integers(1, left))
        elif kind is OperationKind.SETTLE:
            amount = history.quote(on) + draw(st.integers(0, 3))
        else:
            amount = 0
        history = history.then((kind, on, amount))
    return history

"""What a product says about the life of its plans: settings as data, each with its choices named.

The schedule's arithmetic (rate, days, instalments) has its own settings in `terms.amortise`; here
is how money finds its way, what a refund or charge-off does, and when interest is counted again.
Source of the names: docs/reference/life.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fenqi.core.terms.allowances import NOTHING_OFFERED, Allowances
from fenqi.core.terms.life.operations import Receipt
from fenqi.core.terms.product import Component, LateRule, Settlement
from fenqi.core.values.rate import Rounding


class Timing(StrEnum):
    """Where an instalment stands on the day of a payment."""

    PAST_DUE = "past-due"
    DUE = "due"
    IN_ADVANCE = "in-advance"


class Future(StrEnum):
    """Which of the instalments not yet due a payment goes to."""

    NEXT = "next"  # the earliest unpaid
    LAST = "last"  # the latest unpaid, going backwards
    REAMORTISE = "reamortise"  # all unpaid, in equal parts
    NEXT_LAST = "next-last"  # the one running now, otherwise the latest


class Processing(StrEnum):
    """Whether a payment goes instalment by instalment or bucket by bucket."""

    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"


class Refund(StrEnum):
    """What a merchant's refund does."""

    PAYS = "pays"  # it is allocated like any other receipt
    NEVER_LENT = "never-lent"  # what was returned is taken out as if it had never been lent


class GivenUp(StrEnum):
    """What becomes of a claim that was written off."""

    ENDS = "ends"  # nothing more is asked for; what comes in is overpaid
    LIVES_ON = "lives-on"  # the customer still owes it; what comes in is a recovery


class Excess(StrEnum):
    """Whose money is what was paid beyond all that a plan asks for."""

    OF_PLAN = "of-plan"  # it waits on the plan for what falls due later
    OF_ACCOUNT = "of-account"  # it belongs to the customer's account at once


class ChargeOffBehaviour(StrEnum):
    """What a charge-off does to the schedule."""

    REGULAR = "regular"  # nothing: the accounts alone change
    ZERO_INTEREST = "zero-interest"  # no interest after the day
    ACCELERATE = "accelerate"  # everything falls due that day


Bucket = tuple[Timing, Component]


@dataclass(frozen=True, slots=True)
class Allocation:
    """The order in which a payment fills buckets, and its way among future instalments.

    Shapes: `order` names each of the twelve buckets once.
    """

    order: tuple[Bucket, ...]
    future: Future
    by_timing: tuple[tuple[Timing, tuple[Component, ...]], ...] = field(
        init=False, repr=False, compare=False
    )  # the same order, each timing once, as instalments are gone through

    def __post_init__(self) -> None:
        """Group the order by timing."""
        timings = dict.fromkeys(timing for timing, _ in self.order)
        grouped = ((one, tuple(part for at, part in self.order if at is one)) for one in timings)
        object.__setattr__(self, "by_timing", tuple(grouped))


@dataclass(frozen=True, slots=True)
class DownPayment:
    """The share of each disbursement that is due at once, in ppm of it."""

    share_ppm: int
    is_collected_at_once: bool  # a payment of that amount is derived with the disbursement


@dataclass(frozen=True, slots=True)
class SettlementRule:
    """How much of the cost an early end still asks for, and how long a quote of it holds.

    `rounding` is that of what is not asked for: up favours the customer.
    """

    method: Settlement = Settlement.BY_THE_DAY
    rounding: Rounding = Rounding.UP
    holds_days: int = 0  # days after the day of the quote on which it still stands


@dataclass(frozen=True, slots=True)
class LifeRules:
    """The settings of a product that its plans' lives follow.

    `credit_allocation` is the order in which a chargeback puts back what the payment had paid; None
    puts back principal only.
    """

    processing: Processing
    allocations: Mapping[Receipt, Allocation]  # where a kind of receipt has its own
    default_allocation: Allocation
    recalculates: bool = False  # interest follows what is really outstanding, day by day
    charges_interest_on_past_due: bool = True
    down_payment: DownPayment | None = None
    credit_allocation: tuple[Component, ...] | None = None
    interest_refund_for: frozenset[Receipt] = field(default_factory=frozenset)
    charge_off: ChargeOffBehaviour = ChargeOffBehaviour.REGULAR
    accrues: bool = True  # income is booked as time passes
    accrues_evenly: bool = False  # a row's interest in equal daily shares, not as it runs
    posts_activity: bool = False  # a row on each due day says what the instalment recognised
    settlement: SettlementRule = SettlementRule()
    allowances: Allowances = NOTHING_OFFERED
    late: LateRule | None = None  # what being late costs by itself, without a charge being added
    refund: Refund = Refund.PAYS
    given_up: GivenUp = GivenUp.ENDS
    excess: Excess = Excess.OF_PLAN

    def allocation(self, receipt: Receipt) -> Allocation:
        """Return the rule of a kind of receipt, or the default one."""
        return self.allocations.get(receipt, self.default_allocation)

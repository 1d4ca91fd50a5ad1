"""The replay: from what was signed and what happened to what is owed.

One pure function walks a plan's primary operations in the order in which they count and returns
its instalments, what each operation did to them, and what came out over. Nothing else in fenqi
computes a balance: a backdated payment is a replay of the longer list, and a flow books only the
difference between two replays.

Rules, each in one place below: allocation (`_pay`), late charge (`_accrue`), refund (`_refund`),
early settlement (`_settle`), write-off (`_write_off`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from fenqi.core.errors import Invalid, ensure
from fenqi.core.terms.operation import DERIVED, Operation, OperationKind
from fenqi.core.terms.product import COMPONENTS, Component, LateRule
from fenqi.core.terms.schedule import Terms, schedule
from fenqi.core.values.rate import PPM, Rounding, divide

Amounts = tuple[int, int, int, int]  # minor units by Component
NOTHING: Amounts = (0, 0, 0, 0)
COST = (Component.INTEREST, Component.FEE)
CONTRACT = (Component.PRINCIPAL, Component.INTEREST, Component.FEE)
RELIEF_ORDER = ("open", "written_off", "paid")  # what is owed is relieved before money comes back


class OperationInvalid(Invalid):
    """An operation makes no sense for this plan."""

    code = "operation-invalid"


class PlanState(StrEnum):
    """Where a plan is in its life."""

    ACTIVE = "active"
    CLOSED = "closed"  # nothing is owed
    WRITTEN_OFF = "written-off"  # given up in the accounts; the claim goes on


@dataclass(slots=True)
class Instalment:
    """One instalment and everything that happened to it.

    Units: minor units by Component. Always: due = paid + relieved + written off + open, in every
    component (M2). `relieved` is what the customer need no longer pay: refunded, or waived by an
    early settlement; the operation's lines say which.
    """

    number: int
    starts_on: date
    due_on: date
    due: list[int]
    paid: list[int] = field(default_factory=lambda: [0] * COMPONENTS)
    relieved: list[int] = field(default_factory=lambda: [0] * COMPONENTS)
    written_off: list[int] = field(default_factory=lambda: [0] * COMPONENTS)
    recovered_minor: int = 0  # of what was written off
    overdue_minor_days: int = 0  # sum over chargeable days of the amount overdue that day

    def open(self, component: int) -> int:
        """Return what is still to be paid of one component."""
        return (
            self.due[component]
            - self.paid[component]
            - self.relieved[component]
            - self.written_off[component]
        )

    @property
    def open_minor(self) -> int:
        """What is still to be paid, all components together."""
        return sum(self.due) - sum(self.paid) - sum(self.relieved) - sum(self.written_off)

    @property
    def contract_open_minor(self) -> int:
        """What is still to be paid without the penalty: the base of the late charge."""
        return self.open_minor - self.open(Component.PENALTY)

    @property
    def claim_minor(self) -> int:
        """What the customer owes in law: the open amount, or the unrecovered written-off one."""
        return self.open_minor + sum(self.written_off) - self.recovered_minor


@dataclass(frozen=True, slots=True)
class Line:
    """What one operation did to one instalment; minor units by Component."""

    operation: int
    instalment: int
    paid: Amounts = NOTHING  # negative where a refund freed money already paid
    relieved: Amounts = NOTHING
    written_off: Amounts = NOTHING
    recovered_minor: int = 0


@dataclass(slots=True)
class Projection:
    """A plan's state after its operations.

    Units: `excess_minor` is money repaid beyond what the plan asked; `returned_minor` is money
    that refunds freed and that goes back to the customer. `relieved_by` sums relief by the kind of
    operation that gave it.
    """

    instalments: list[Instalment]
    lines: list[Line]
    excess_minor: int = 0
    returned_minor: int = 0
    refunded_principal_minor: int = 0
    relieved_by: dict[OperationKind, list[int]] = field(default_factory=dict)
    is_written_off: bool = False

    @property
    def state(self) -> PlanState:
        """Closed when nothing is claimed any more, written off when the claim was given up."""
        if not any(part.claim_minor for part in self.instalments):
            return PlanState.CLOSED
        return PlanState.WRITTEN_OFF if self.is_written_off else PlanState.ACTIVE

    @property
    def open_minor(self) -> int:
        """What is still to be paid, all instalments together."""
        return sum(part.open_minor for part in self.instalments)

    @property
    def claim_minor(self) -> int:
        """What the customer owes in law, all instalments together."""
        return sum(part.claim_minor for part in self.instalments)

    def open_of(self, component: Component) -> int:
        """Return what is still to be paid of one component."""
        return sum(part.open(component) for part in self.instalments)

    def total(self, column: str, component: Component) -> int:
        """Return the sum over instalments of `due`, `paid`, `relieved` or `written_off`."""
        return sum(getattr(part, column)[component] for part in self.instalments)

    @property
    def oldest_claim_due_on(self) -> date | None:
        """The due day of the oldest instalment with a claim, or None if nothing is owed."""
        days = (part.due_on for part in self.instalments if part.claim_minor)
        return min(days, default=None)


def replay(
    terms: Terms,
    operations: Sequence[Operation],
    *,
    charged_through: date,
    excused: Collection[date] = frozenset(),
) -> Projection:
    """Return the plan's state after `operations`, late charges counted through a day.

    Operations count in the order of (effective day, number). Before each, the late charge is
    brought up to the day before it; at the end, up to `charged_through`. The late charge is a
    cumulative sum of amount times days, so booking it often or rarely gives the same total.
    Derived operations in the list are ignored: they follow from the others.

    Errors: OperationInvalid (no disbursement first, a refund above what was lent, a settlement
    that does not pay the quote).
    Source: docs/adr/0004-replay-plans-and-book-the-difference.md.
    """
    primary = sorted(
        (operation for operation in operations if operation.kind not in DERIVED),
        key=lambda operation: (operation.effective_on, operation.number),
    )
    if not primary or primary[0].kind is not OperationKind.DISBURSE:
        raise OperationInvalid(reason="the first operation must disburse")
    walk = _Walk(terms, excused)
    for operation in primary[1:]:
        walk.step(operation)
    walk.accrue(charged_through)
    return walk.projection


def settle_quote(
    terms: Terms,
    operations: Sequence[Operation],
    on: date,
    *,
    excused: Collection[date] = frozenset(),
) -> int:
    """Return what the customer pays to end the plan on the day `on`.

    Cost of time not used is waived, or counted as paid where it was paid ahead; the running period
    counts by the day. On the day of purchase that is the principal alone. The same rule books the
    settlement (`_settle`).

    Units: minor units of the plan's currency.
    Errors: OperationInvalid if `on` precedes the start.
    Source: reference table "No charge for unused time", docs/reference/products.md.
    """
    if on < terms.starts_on:
        raise OperationInvalid(reason="settled before it began", on=on, starts_on=terms.starts_on)
    projection = replay(
        terms,
        [one for one in operations if one.effective_on <= on],
        charged_through=on - timedelta(days=1),
        excused=excused,
    )
    unearned = sum(sum(_unearned(part, on)) for part in projection.instalments)
    return max(0, projection.claim_minor - unearned)


def earned_minor(due_minor: int, starts_on: date, due_on: date, on: date) -> int:
    """Return the part of an instalment's cost that the time until `on` has earned, by the day.

    Units: minor units; a fraction is dropped, in the customer's favour.
    """
    if on >= due_on:
        return due_minor
    if on <= starts_on:
        return 0
    return due_minor * (on - starts_on).days // (due_on - starts_on).days


def _unearned(part: Instalment, on: date) -> list[int]:
    """Return the cost of an instalment that a plan ending on `on` does not ask for."""
    unearned = [0] * COMPONENTS
    for component in COST:
        owed = part.due[component] - part.relieved[component]
        unearned[component] = owed - earned_minor(owed, part.starts_on, part.due_on, on)
    return unearned


def _amounts(parts: Sequence[int]) -> Amounts:
    principal, interest, fee, penalty = parts
    return (principal, interest, fee, penalty)


def chargeable_days(
    due_on: date, rule: LateRule, *, after: date, through: date, excused: Collection[date]
) -> int:
    """Return how many days in (after, through] a late charge counts for.

    A day counts if it is not excused and at its end the instalment is more than the grace days
    past due, excused days not counted (P5).
    """
    first = due_on + timedelta(days=rule.grace_days + 1)
    late = sorted(day for day in excused if due_on < day <= through)
    for day in late:  # each excused day up to the end of grace prolongs the grace by one
        if day <= first:
            first += timedelta(days=1)
    start = max(first, after + timedelta(days=1))
    counted = max(0, (through - start).days + 1)
    return counted - sum(start <= day <= through for day in late)


class _Walk:
    """The state while walking: the instalments so far and the day accrued to."""

    def __init__(self, terms: Terms, excused: Collection[date]) -> None:
        self.terms = terms
        self.excused = excused
        self.accrued_through = terms.starts_on
        self.projection = Projection(
            instalments=[
                Instalment(due.number, due.starts_on, due.due_on, list(due.amounts))
                for due in schedule(terms)
            ],
            lines=[],
        )

    def step(self, operation: Operation) -> None:
        """Bring the late charge up to the day before and apply one operation."""
        if operation.amount_minor < 0:
            raise OperationInvalid(reason="below zero", amount=operation.amount_minor)
        match operation.kind:
            case OperationKind.REPAY:
                self.accrue(operation.effective_on - timedelta(days=1))
                self._pay(operation)
            case OperationKind.REFUND:
                self.accrue(operation.effective_on - timedelta(days=1))
                self._refund(operation)
            case OperationKind.SETTLE:
                self.accrue(operation.effective_on - timedelta(days=1))
                self._settle(operation)
            case OperationKind.WRITE_OFF:
                self.accrue(operation.effective_on)
                self._write_off(operation)
            case OperationKind.DISBURSE | OperationKind.LATE_CHARGE:
                raise OperationInvalid(reason="cannot happen here", kind=operation.kind.value)

    def accrue(self, through: date) -> None:
        """Count the overdue amount of every day since the last one and set the penalty due."""
        if through <= self.accrued_through:
            return
        rule = self.terms.product.late
        for part in self.projection.instalments:
            if part.due_on >= through:
                break
            base = part.contract_open_minor
            if base:
                part.overdue_minor_days += base * chargeable_days(
                    part.due_on,
                    rule,
                    after=self.accrued_through,
                    through=through,
                    excused=self.excused,
                )
                _set_penalty(part, rule)
        self.accrued_through = through

    def _pay(self, operation: Operation) -> None:
        self.projection.excess_minor += self._allocate(operation, operation.amount_minor)

    def _allocate(self, operation: Operation, amount_minor: int) -> int:
        """Put money onto what is owed and return what is left.

        Oldest due first, inside an instalment in the product's order; what was written off is
        recovered, oldest first.
        """
        left = self._recover(operation, amount_minor)
        for part in self.projection.instalments:
            if not left:
                break
            taken = self._take(part, left)
            if any(taken):
                left -= sum(taken)
                self._line(Line(operation.number, part.number, paid=taken))
        return left

    def _recover(self, operation: Operation, amount_minor: int) -> int:
        if not self.projection.is_written_off:
            return amount_minor
        left = amount_minor
        for part in self.projection.instalments:
            take = min(left, sum(part.written_off) - part.recovered_minor)
            if take:
                part.recovered_minor += take
                left -= take
                self._line(Line(operation.number, part.number, recovered_minor=take))
        return left

    def _take(self, part: Instalment, amount_minor: int) -> Amounts:
        taken = [0] * COMPONENTS
        for component in self.terms.product.allocation:
            take = min(amount_minor, part.open(component))
            part.paid[component] += take
            taken[component] = take
            amount_minor -= take
        return _amounts(taken)

    def _refund(self, operation: Operation) -> None:
        """Take the returned part out as if it had never been lent.

        Principal and the cost that the smaller purchase would not have had come off the open
        amounts from the last instalment backwards (so unbilled ones first), then off a written-off
        claim, then off what was already paid; money freed that way pays what is still owed here
        and then goes back. After an early settlement the cost falls in proportion.
        """
        projection = self.projection
        before = self.terms.principal_minor - projection.refunded_principal_minor
        after = before - operation.amount_minor
        if operation.amount_minor < 1 or after < 0:
            raise OperationInvalid(
                reason="refund above what was lent", amount=operation.amount_minor, lent=before
            )
        cost_left = _cost_if_lent(self.terms, after)
        is_settled = OperationKind.SETTLE in projection.relieved_by
        targets = [0] * COMPONENTS
        targets[Component.PRINCIPAL] = operation.amount_minor
        for component in COST:
            owed = projection.total("due", component) - projection.total("relieved", component)
            left = owed * after // before if is_settled else cost_left[component]
            targets[component] = max(0, owed - left)
        projection.refunded_principal_minor += operation.amount_minor
        freed = 0
        for source in RELIEF_ORDER:
            for part in reversed(projection.instalments):
                freed += self._relieve(operation, part, targets, source)
        freed += self._shrink_penalties(operation, before=before, after=after)
        projection.returned_minor += self._allocate(operation, freed)

    def _relieve(
        self, operation: Operation, part: Instalment, targets: list[int], source: str
    ) -> int:
        """Relieve one instalment of what is left of the targets; return the money freed.

        `source` says what is relieved: the open amount, the written-off one or the paid one.
        """
        relieved = [0] * COMPONENTS
        for component in CONTRACT:
            there = part.open(component) if source == "open" else getattr(part, source)[component]
            relieved[component] = min(targets[component], there)
            targets[component] -= relieved[component]
            part.relieved[component] += relieved[component]
        if not any(relieved):
            return 0
        by = self.projection.relieved_by.setdefault(operation.kind, [0] * COMPONENTS)
        for component in CONTRACT:
            by[component] += relieved[component]
        back = [-amount for amount in relieved]
        return self._take_back(
            operation,
            part,
            relieved=relieved,
            paid=back if source == "paid" else NOTHING,
            written_off=back if source == "written_off" else NOTHING,
        )

    def _take_back(
        self,
        operation: Operation,
        part: Instalment,
        *,
        relieved: Sequence[int] = NOTHING,
        paid: Sequence[int],
        written_off: Sequence[int],
    ) -> int:
        """Lower what was paid and written off (amounts below zero); return the money freed."""
        for component in range(COMPONENTS):
            part.paid[component] += paid[component]
            part.written_off[component] += written_off[component]
        over = max(0, part.recovered_minor - sum(part.written_off))
        part.recovered_minor -= over
        self._line(
            Line(
                operation.number,
                part.number,
                paid=_amounts(paid),
                relieved=_amounts(relieved),
                written_off=_amounts(written_off),
                recovered_minor=-over,
            )
        )
        return over - sum(paid)

    def _shrink_penalties(self, operation: Operation, *, before: int, after: int) -> int:
        """Give back the late charge on the returned part; return the money freed."""
        freed = 0
        for part in self.projection.instalments:
            part.overdue_minor_days = part.overdue_minor_days * after // before
            _set_penalty(part, self.terms.product.late, may_fall=True)
            over = max(0, -part.open(Component.PENALTY))
            if over:
                unwritten = min(over, part.written_off[Component.PENALTY])
                freed += self._take_back(
                    operation,
                    part,
                    paid=(0, 0, 0, unwritten - over),
                    written_off=(0, 0, 0, -unwritten),
                )
        return freed

    def _settle(self, operation: Operation) -> None:
        """Waive the cost of time not used and pay everything else.

        Such cost that was paid ahead pays what is owed; if that is not enough to use it up, the
        rest is in excess like any money paid beyond what the plan asked.
        """
        projection, freed = self.projection, 0
        for part in projection.instalments:
            unearned = _unearned(part, operation.effective_on)
            for source in RELIEF_ORDER:
                freed += self._relieve(operation, part, unearned, source)
        projection.excess_minor += self._allocate(operation, freed)
        if operation.amount_minor < projection.claim_minor:
            raise OperationInvalid(
                reason="a settlement pays the whole quote",
                amount=operation.amount_minor,
                quote=projection.claim_minor,
            )
        self._pay(operation)

    def _write_off(self, operation: Operation) -> None:
        for part in self.projection.instalments:
            given_up = [part.open(component) for component in range(COMPONENTS)]
            if any(given_up):
                part.written_off = given_up
                self._line(Line(operation.number, part.number, written_off=_amounts(given_up)))
        self.projection.is_written_off = True

    def _line(self, line: Line) -> None:
        self.projection.lines.append(line)


def _set_penalty(part: Instalment, rule: LateRule, *, may_fall: bool = False) -> None:
    """Set the penalty due from the overdue sum so far, under the cap on what was asked for.

    The cap looks at what the instalment still asks, so a refund lowers it, but a payment does not.
    """
    asked = sum(part.due[component] - part.relieved[component] for component in CONTRACT)
    cap = divide(asked * rule.cap_ppm, PPM, rounding=Rounding.DOWN)
    charged = divide(part.overdue_minor_days * rule.rate_ppm_per_day, PPM, rounding=Rounding.DOWN)
    charged = min(charged, cap)
    ensure(may_fall or charged >= part.due[Component.PENALTY], "late-charge-falls")
    part.due[Component.PENALTY] = charged


def _cost_if_lent(terms: Terms, principal_minor: int) -> list[int]:
    """Return the cost by component that a purchase of this size would have had."""
    cost = [0] * COMPONENTS
    if principal_minor:
        smaller = Terms(
            product=terms.product,
            count=terms.count,
            principal_minor=principal_minor,
            starts_on=terms.starts_on,
            due_on=terms.due_on,
        )
        for due in schedule(smaller):
            for component in COST:
                cost[component] += due.amounts[component]
    return cost

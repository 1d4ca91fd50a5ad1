"""What a statement comes to if it becomes a plan: who gives over what, and within which bounds.

The same for showing and for booking (`flows/split_bill.py`). The plans that the statement names
give over exactly what falls due through its last day, and a plan of the chosen product lends that:
a product that takes over bills, and that the account is offered, as for a purchase. What a plan's
product does not offer to give over stays where it is, as does what was moved as often as may be. It
is easing and no purchase: neither hold nor freeze nor limit stops it (P1).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from fenqi.core.errors import Conflict
from fenqi.core.servicing.statement import due_days
from fenqi.core.terms.allowances import BillInstalmentRule, TakeOverRule
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.operations import BillInstalment
from fenqi.core.terms.life.preview import preview
from fenqi.core.terms.life.price import MONTHS_OF_A_YEAR
from fenqi.core.terms.pack import allowances, check_amount
from fenqi.core.terms.product import Product
from fenqi.core.terms.replay import life_of
from fenqi.core.terms.schedule import Frame, Terms
from fenqi.core.values.day import add_months
from fenqi.core.values.ids import AccountId
from fenqi.store import bills, plans, statements
from fenqi.store.accounts import Account
from fenqi.store.catalogue import Catalogue
from fenqi.store.plans import PlanRecord
from fenqi.store.pool import Session
from fenqi.store.statements import Named, StatementKey, StatementMissing

ANY_PART = BillInstalmentRule(least_minor=1)  # the least is asked of the whole bill


class StatementPast(Conflict):
    """Only the latest statement can become a plan."""

    code = "statement-past"


class BillTooSmall(Conflict):
    """What could become a plan is less than the products ask for."""

    code = "bill-too-small"


class TakesNoBills(Conflict):
    """No statement becomes a plan of this product."""

    code = "takes-no-bills"


class BillPlanNotOffered(Conflict):
    """The product takes over bills, but is not on the menu of the account's grade of price."""

    code = "bill-plan-not-offered"


class BillsSplitUsedUp(Conflict):
    """As many statements of the account became plans as the product allows in a year."""

    code = "bills-split-used-up"


class BillMovedUsedUp(Conflict):
    """All that the statement asks for was moved as often as the product allows."""

    code = "bill-moved-used-up"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which statement shall become a plan of which product, and when that is asked for."""

    statement: int
    product: str
    count: int
    asked_at: datetime


Part = tuple[PlanRecord, BillInstalment]


@dataclass(frozen=True, slots=True)
class Split:
    """A statement that may become a plan: which plans give over what, and the new plan's terms."""

    parts: list[Part]
    terms: Terms


class Splits:
    """The statements of some accounts, and what became plans of earlier ones."""

    def __init__(
        self, session: Session, keys: Collection[StatementKey], catalogue: Catalogue
    ) -> None:
        self._catalogue = catalogue
        self._named = statements.named(session, keys)
        asked = {(key[0], plan) for key, one in self._named.items() for plan in one.plan_ids}
        self._found = plans.load(session, asked, catalogue)
        self.history = bills.history(session, {account for account, _ in keys})

    def split(self, account: Account, wanted: Wanted) -> Split:
        """Return what would be booked of a statement.

        Errors: StatementMissing, StatementPast, ProductMissing, TakesNoBills, BillPlanNotOffered,
        BillsSplitUsedUp, BillMovedUsedUp, BillTooSmall, OperationUntimely, CountNotOffered,
        CapBroken.
        """
        named = self._named.get((account.account_id, wanted.statement))
        if named is None:
            raise StatementMissing(account=account.account_id, statement=wanted.statement)
        if wanted.statement != account.statement_count:
            raise StatementPast(statement=wanted.statement, latest=account.statement_count)
        on = account.book.day_of_lending(wanted.asked_at)
        product, rule = self._taking(account, wanted.product)
        self._check_times(account.account_id, product, rule, on)
        parts = self._parts(account.account_id, wanted, named, rule, on)
        amount = sum(part.amount_minor for _, part in parts)
        least = _least_minor(record for record, _ in parts)
        if amount < least:
            raise BillTooSmall(statement=wanted.statement, amount_minor=amount, least_minor=least)
        frame = Frame(
            product=product,
            count=wanted.count,
            starts_on=on,
            due_on=due_days(account.cycle, account.book.business_date, wanted.count),
        )
        book = account.book
        check_amount(frame, amount, self._catalogue.packs[book.pack, book.pack_version])
        return Split(parts, frame.terms(amount))

    def _taking(self, account: Account, name: str) -> tuple[Product, TakeOverRule]:
        """Return a product that takes over bills of this account."""
        product = self._catalogue.product(name)
        taking = _taking_over(self._catalogue)
        menu = self._catalogue.conduct().offered(taking, account.price_grade)
        if product.takes_over is None:
            raise TakesNoBills(product=name, offered=sorted(menu))
        if name not in menu:
            raise BillPlanNotOffered(product=name, offered=sorted(menu))
        return product, product.takes_over

    def _check_times(
        self, account: AccountId, product: Product, rule: TakeOverRule, on: date
    ) -> None:
        days = self.history.since(account, add_months(on, -MONTHS_OF_A_YEAR))
        if len(days) >= rule.times_a_year:
            raise BillsSplitUsedUp(
                product=product.product_id,
                used=len(days),
                allowed=rule.times_a_year,
                again_on=add_months(days[-rule.times_a_year], MONTHS_OF_A_YEAR),
            )

    def _parts(
        self, account: AccountId, wanted: Wanted, named: Named, rule: TakeOverRule, on: date
    ) -> list[Part]:
        """Return what the plans of a statement give over.

        Errors: OperationUntimely where something is overdue; BillMovedUsedUp if nothing is left.
        """
        parts: list[Part] = []
        times = []
        for plan in named.plan_ids:
            record = self._found[account, plan]
            part = _part(record, on, named.through)
            if part is None:
                continue
            moved = self.history.moved(account, plan)
            if moved > rule.again_max:
                times.append(moved)
            else:
                parts.append((record, part))
        if times and not parts:
            raise BillMovedUsedUp(
                statement=wanted.statement,
                product=wanted.product,
                moved=min(times),
                allowed=rule.again_max + 1,
            )
        return parts


def _taking_over(catalogue: Catalogue) -> list[str]:
    """Return the names of the products that take over bills."""
    names = sorted({name for name, _ in catalogue.products})
    return [name for name in names if catalogue.product(name).takes_over is not None]


def _part(record: PlanRecord, on: date, through: date) -> BillInstalment | None:
    """Return what a plan gives over, or None where it has nothing to give or does not offer it.

    Errors: OperationUntimely where something is overdue.
    """
    offered = allowances(record.terms.product, record.pack)
    if offered.bill_instalment is None or on < record.terms.starts_on:
        return None
    if record.contested_on is not None:
        return None  # nothing of it is claimed
    life = life_of(
        record.terms,
        record.operations,
        allowances=replace(offered, bill_instalment=ANY_PART),
        excused=record.excused,
    )
    part = customer.bill_instalment(life, on, through=through)
    if not part.amount_minor:
        return None
    preview(life, part)
    return part


def _least_minor(records: Iterable[PlanRecord]) -> int:
    """Return the least that may become a plan of those that give over."""
    rules = [record.terms.product.allowances.bill_instalment for record in records]
    return max((rule.least_minor for rule in rules if rule is not None), default=1)

"""The chart of accounts, and what a plan's state means in it.

A ledger line is a transfer: one debit account, one credit account, one positive amount. What a
plan has posted so far is a pure function of its state (`postings`), written as cumulative
amounts per (debit, credit) pair. A flow books the difference between the postings before and
after; a difference below zero is the same pair with its sides swapped. So books balance by
construction, and any past state can be computed again and compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from fenqi.core.terms.life.state import Kind, Status
from fenqi.core.terms.life.view import View
from fenqi.core.terms.product import COST, Component, CostBearer
from fenqi.core.terms.schedule import Terms
from fenqi.core.terms.settlement import earned_minor
from fenqi.core.values.rate import Rounding, apply_ppm


class Side(StrEnum):
    """The five kinds of account, named as the accounting text formats name them."""

    ASSETS = "Assets"
    LIABILITIES = "Liabilities"
    EQUITY = "Equity"
    INCOME = "Income"
    EXPENSES = "Expenses"


class Account(StrEnum):
    """The chart of accounts. A row of `CHART` says what each is."""

    RECEIVABLE_PRINCIPAL = "receivable-principal"
    RECEIVABLE_INTEREST = "receivable-interest"
    RECEIVABLE_FEE = "receivable-fee"
    RECEIVABLE_PENALTY = "receivable-penalty"
    ALLOWANCE = "allowance"
    CASH_IN_TRANSIT = "cash-in-transit"
    CASH_SETTLED = "cash-settled"
    MERCHANT_PAYABLE = "merchant-payable"
    CREDIT_BALANCE = "credit-balance"
    REFUNDS_PAYABLE = "refunds-payable"
    SUSPENSE = "suspense"
    BILL_INSTALMENT = "bill-instalment"
    DEFERRED_INCOME = "deferred-income"
    FUNDING = "funding"
    INCOME_INTEREST = "income-interest"
    INCOME_FEE = "income-fee"
    INCOME_PENALTY = "income-penalty"
    INCOME_MERCHANT_DISCOUNT = "income-merchant-discount"
    RECOVERY = "recovery"
    PROVISION = "provision"
    GOODWILL = "goodwill"


@dataclass(frozen=True, slots=True)
class ChartLine:
    """What an account is: its side, its name in an export, the tax code of its lines."""

    side: Side
    export_name: str
    tax_code: str = "none"  # "exempt": financial service; "standard": ordinary supply


CHART: Mapping[Account, ChartLine] = {
    Account.RECEIVABLE_PRINCIPAL: ChartLine(Side.ASSETS, "Receivable:Principal"),
    Account.RECEIVABLE_INTEREST: ChartLine(Side.ASSETS, "Receivable:Interest"),
    Account.RECEIVABLE_FEE: ChartLine(Side.ASSETS, "Receivable:Fee"),
    Account.RECEIVABLE_PENALTY: ChartLine(Side.ASSETS, "Receivable:Penalty"),
    Account.ALLOWANCE: ChartLine(Side.ASSETS, "Allowance"),
    Account.CASH_IN_TRANSIT: ChartLine(Side.ASSETS, "Cash:InTransit"),
    Account.CASH_SETTLED: ChartLine(Side.ASSETS, "Cash:Settled"),
    Account.MERCHANT_PAYABLE: ChartLine(Side.LIABILITIES, "MerchantPayable"),
    Account.CREDIT_BALANCE: ChartLine(Side.LIABILITIES, "CreditBalance"),
    Account.REFUNDS_PAYABLE: ChartLine(Side.LIABILITIES, "RefundsPayable"),
    Account.SUSPENSE: ChartLine(Side.LIABILITIES, "Suspense"),
    Account.BILL_INSTALMENT: ChartLine(Side.LIABILITIES, "BillInstalment"),
    Account.DEFERRED_INCOME: ChartLine(Side.LIABILITIES, "DeferredIncome"),
    Account.FUNDING: ChartLine(Side.EQUITY, "Funding"),
    Account.INCOME_INTEREST: ChartLine(Side.INCOME, "Interest", "exempt"),
    Account.INCOME_FEE: ChartLine(Side.INCOME, "Fee", "exempt"),
    Account.INCOME_PENALTY: ChartLine(Side.INCOME, "Penalty", "exempt"),
    Account.INCOME_MERCHANT_DISCOUNT: ChartLine(Side.INCOME, "MerchantDiscount", "standard"),
    Account.RECOVERY: ChartLine(Side.INCOME, "Recovery"),
    Account.PROVISION: ChartLine(Side.EXPENSES, "Provision"),
    Account.GOODWILL: ChartLine(Side.EXPENSES, "Goodwill"),
}

RECEIVABLE = {
    Component.PRINCIPAL: Account.RECEIVABLE_PRINCIPAL,
    Component.INTEREST: Account.RECEIVABLE_INTEREST,
    Component.FEE: Account.RECEIVABLE_FEE,
    Component.PENALTY: Account.RECEIVABLE_PENALTY,
}
INCOME = {
    Component.INTEREST: Account.INCOME_INTEREST,
    Component.FEE: Account.INCOME_FEE,
    Component.PENALTY: Account.INCOME_PENALTY,
}

Pair = tuple[Account, Account]  # (debit, credit)

# What signing a plan posts, whatever comes later; `_add_lending` says how much.
PRINCIPAL_LENT: Pair = (Account.RECEIVABLE_PRINCIPAL, Account.MERCHANT_PAYABLE)
DISCOUNT_TAKEN: Pair = (Account.MERCHANT_PAYABLE, Account.INCOME_MERCHANT_DISCOUNT)
COST_DEFERRED: Mapping[Component, Pair] = {
    component: (RECEIVABLE[component], Account.DEFERRED_INCOME) for component in INCOME
}

Postings = dict[Pair, int]  # cumulative minor units; zero amounts may be left out


@dataclass(frozen=True, slots=True)
class Transfer:
    """One ledger line: `amount_minor` above zero moves from the credit to the debit account."""

    debit: Account
    credit: Account
    amount_minor: int


def postings(
    terms: Terms,
    plan: View,
    recognised_through: date,
    *,
    lent_from: Account = Account.MERCHANT_PAYABLE,
) -> Postings:
    """Return everything a plan in this state has posted, income earned through that day.

    Cost is a receivable from the first day against deferred income; time moves it to income at
    month end (`recognised_through`). A late charge is income only when it is paid. A write-off
    takes principal from the allowance and cost from deferred income: cost never received is no
    income in the end.

    What another plan takes over leaves through `BILL_INSTALMENT`, and that plan lends it from there
    (`lent_from`): no merchant is paid again, and the account stands at zero. What a bill could not
    pay, because a payment found later had paid it, is the customer's credit.

    Units: minor units per (debit, credit) pair, cumulative since the plan began.
    Source: docs/adr/0004-replay-plans-and-book-the-difference.md.
    """
    posted: Postings = {}
    relieved_by = plan.relieved_by()
    _add_lending(posted, terms, plan, lent_from)
    for component, receivable in RECEIVABLE.items():
        unearned = _unearned_side(component)
        paid = plan.total("paid", component)
        written_off = plan.total("written_off", component)
        _add(posted, Account.SUSPENSE, receivable, paid)
        _add(posted, Account.BILL_INSTALMENT, receivable, plan.total("moved", component))
        _add(posted, unearned or Account.ALLOWANCE, receivable, written_off)
        for kind, relieved in relieved_by.items():
            payer = _relief_payer(terms, kind, component, lent_from)
            _add(posted, payer, receivable, relieved[component])
        if component is not Component.PRINCIPAL:
            earned = _earned(terms, plan, component, recognised_through, lent_from)
            _add(posted, Account.DEFERRED_INCOME, INCOME[component], earned)
    _add(posted, Account.SUSPENSE, Account.RECOVERY, plan.recovered_minor)
    in_vain = plan.taken_over_in_vain_minor
    _add(posted, Account.BILL_INSTALMENT, Account.CREDIT_BALANCE, in_vain)
    _add(posted, Account.SUSPENSE, Account.CREDIT_BALANCE, plan.excess_minor - in_vain)
    _add(posted, Account.SUSPENSE, Account.REFUNDS_PAYABLE, plan.returned_minor)
    return posted


def difference(before: Postings, after: Postings) -> list[Transfer]:
    """Return the transfers that lead from one cumulative state to another, in a fixed order."""
    transfers = []
    for debit, credit in sorted(before.keys() | after.keys()):
        amount = after.get((debit, credit), 0) - before.get((debit, credit), 0)
        if amount > 0:
            transfers.append(Transfer(debit, credit, amount))
        elif amount < 0:
            transfers.append(Transfer(credit, debit, -amount))
    return transfers


def unearned_minor(terms: Terms, plan: View, recognised_through: date) -> int:
    """Return the cost that time has still to move from deferred income to income.

    Units: minor units, interest and fee together.
    """
    whole = sum(_earned(terms, plan, component, date.max) for component in COST)
    return whole - sum(_earned(terms, plan, component, recognised_through) for component in COST)


def _add_lending(posted: Postings, terms: Terms, plan: View, lent_from: Account) -> None:
    """Add what the lending itself posts: the goods paid for, and the cost set up as deferred."""
    _add(posted, Account.RECEIVABLE_PRINCIPAL, lent_from, terms.principal_minor)
    if lent_from is Account.MERCHANT_PAYABLE:
        kept = terms.principal_minor - plan.refunded_minor
        discount = apply_ppm(kept, terms.product.merchant_discount_ppm, rounding=Rounding.HALF_EVEN)
        _add(posted, *DISCOUNT_TAKEN, discount)
    for component, pair in COST_DEFERRED.items():
        _add(posted, *pair, plan.total("due", component))


def _unearned_side(component: Component) -> Account | None:
    return None if component is Component.PRINCIPAL else Account.DEFERRED_INCOME


def _relief_payer(terms: Terms, kind: Kind, component: Component, lent_from: Account) -> Account:
    """Return who bears what the customer need not pay."""
    if kind is Kind.MERCHANT_REFUND and (
        component is Component.PRINCIPAL or _is_merchants(terms, lent_from)
    ):
        return lent_from
    return Account.DEFERRED_INCOME


def _is_merchants(terms: Terms, lent_from: Account) -> bool:
    """Return whether the merchant bears the cost of what was returned; a bill has none."""
    by_merchant = terms.product.refund_cost_bearer is CostBearer.MERCHANT
    return by_merchant and lent_from is Account.MERCHANT_PAYABLE


def _earned(
    terms: Terms,
    plan: View,
    component: Component,
    recognised_through: date,
    lent_from: Account = Account.MERCHANT_PAYABLE,
) -> int:
    """Return the income a component has earned through a day."""
    if component is Component.PENALTY:
        return plan.total("paid", component)
    is_closed = plan.status is Status.CLOSED
    earned = 0
    for row in plan.rows:
        base = row.due[component] - row.relieved[component] - row.written_off[component]
        if not is_closed:
            base = earned_minor(base, row.starts_on, row.due_on, recognised_through)
        earned += base
    if _is_merchants(terms, lent_from):
        relieved = plan.relieved_by().get(Kind.MERCHANT_REFUND)
        earned += relieved[component] if relieved else 0
    return earned


def _add(posted: Postings, debit: Account, credit: Account, amount_minor: int) -> None:
    if amount_minor:
        posted[debit, credit] = posted.get((debit, credit), 0) + amount_minor

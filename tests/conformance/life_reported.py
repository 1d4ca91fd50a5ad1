"""What is reported without a bar: the entries a life books, and since when it is behind.

Accounts and delinquency ranges are the source's own, so they are mapped here and nowhere else.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from conformance.life_compare import Seen, seen_by
from conformance.life_player import Player
from fenqi.core.terms.life.arrears import behind_since
from fenqi.core.terms.life.state import Kind, Transaction
from fenqi.core.terms.product import Component

REPORTED = {"journal": "journals", "delinquency": "delinquency"}  # the set of each figure
LOANS, RECEIVABLE, CASH, OVERPAID = "112601", "112603", "145023", "l1"
BAD_DEBT, RECOVERIES, WRITTEN_OFF = "744007", "744008", "e4"
GOODWILL, INTEREST_GIVEN_UP, FEES_GIVEN_UP = "744003", "404001", "404008"
INTEREST_INCOME, FEE_INCOME = "404000", "404007"
ACCOUNTS = {
    LOANS: ("ASSET", "Loans Receivable"),
    RECEIVABLE: ("ASSET", "Interest/Fee Receivable"),
    CASH: ("LIABILITY", "Suspense/Clearing account"),
    OVERPAID: ("LIABILITY", "Overpayment account"),
    BAD_DEBT: ("EXPENSE", "Credit Loss/Bad Debt"),
    RECOVERIES: ("INCOME", "Recoveries"),
    WRITTEN_OFF: ("EXPENSE", "Written off"),
    GOODWILL: ("EXPENSE", "Goodwill Expense Account"),
    INTEREST_GIVEN_UP: ("INCOME", "Interest Income Charge Off"),
    FEES_GIVEN_UP: ("INCOME", "Fee Charge Off"),
    INTEREST_INCOME: ("INCOME", "Interest Income"),
    FEE_INCOME: ("INCOME", "Fee Income"),
}
TYPES = {
    Kind.MERCHANT_REFUND: "MERCHANT_ISSUED_REFUND",
    Kind.GOODWILL: "GOODWILL_CREDIT",
    Kind.CREDIT_REFUND: "CREDIT_BALANCE_REFUND",
}
REFUNDS = (Kind.MERCHANT_REFUND, Kind.PAYOUT_REFUND)
RANGES = (0, 3, 30, 60, 90, 120, 150, 180, 240)  # each range begins after so many days
Side = tuple[str, int]  # an account, and what it is debited; a credit is below zero
Entry = tuple[str | None, ...]  # as printed: type, code and name of the account, debit, credit


def reported_faults(
    player: Player, expect: Mapping[str, Any], stopped: str | None
) -> Iterator[tuple[str, str | None]]:
    """Yield each reported figure of a step, with its first fault; `stopped` is one of all."""
    for name, what in REPORTED.items():
        if expect.get(name) is None:  # not asserted
            continue
        if stopped is not None:
            yield what, stopped
        elif name == "journal":
            yield what, next(journal(expect[name], seen_by(player)), None)
        else:
            product = player.products[player.loan["product"]]
            grace_days = product.get("grace_on_arrears_days") or 0
            yield what, next(delinquency(expect[name], player, grace_days), None)


def journal(wanted: Sequence[Mapping[str, Any]], seen: Seen) -> Iterator[str]:
    """Yield the transactions whose entries differ."""
    left = [(_type(one), one.on, one) for one in seen.view.transactions]
    for want in wanted:
        sides = Counter(tuple(entry) for entry in want["entries"])
        of_day = [one for one in left if one[:2] == (want["transaction_type"], want["date"])]
        ours = [(one, _printed(one[2], seen)) for one in of_day]
        found = next((one for one, entries in ours if entries == sides), None)
        if found is None:
            got = "; or ".join(_told(entries) for _, entries in ours) or "no such transaction"
            yield f"{want['transaction_type']} of {want['date']}: wanted {_told(sides)}, got {got}"
        else:
            left.remove(found)


def delinquency(wanted: Mapping[str, Any], player: Player, grace_days: int) -> Iterator[str]:
    """Yield what differs in the range of overdue days and the day they count from."""
    since = behind_since(player.view(), player.today, grace_days=grace_days)
    got = {"range": _range(since, player.today), "date": since}
    if got != wanted:
        yield f"wanted {wanted}, got {got}"


def _range(since: date | None, today: date) -> str:
    if since is None:
        return "NO_DELINQUENCY"
    edge = max(days for days in RANGES if days < (today - since).days)
    return f"RANGE_{edge or 1}"


def _type(one: Transaction) -> str:
    return TYPES.get(one.kind, one.kind.name)


def _told(entries: Counter[Entry]) -> str:
    return ", ".join(
        f"{code} {debit or '-'}/{credit or '-'}"
        for _, code, _, debit, credit in sorted(entries.elements(), key=str)
    )


def _printed(one: Transaction, seen: Seen) -> Counter[Entry]:
    """Return entries as they are printed; a reversed transaction has its mirror too."""
    sides = [side for side in _sides(one, _is_charged_off(one, seen)) if side[1]]
    if one.is_reversed:
        sides += [(account, -amount) for account, amount in sides]
    return Counter(_entry(account, amount, seen) for account, amount in sides)


def _entry(account: str, amount: int, seen: Seen) -> Entry:
    kind, name = ACCOUNTS[account]
    debit = seen.money(amount) if amount > 0 else None
    return (kind, account, name, debit, None if debit else seen.money(-amount))


def _is_charged_off(one: Transaction, seen: Seen) -> bool:
    """Return whether a transaction came after a charge-off."""
    return any(
        other.kind is Kind.CHARGE_OFF and (other.on, other.number) < (one.on, one.number)
        for other in seen.view.transactions
    )


def _sides(one: Transaction, is_charged_off: bool) -> list[Side]:
    principal = one.parts[Component.PRINCIPAL]
    others = sum(one.parts) - principal
    if one.kind is Kind.CHARGEBACK:  # an overpayment that was there has paid a part already
        principal = min(principal, one.amount_minor - one.overpaid_minor)
        others = one.amount_minor - one.overpaid_minor - principal
    claim = [(LOANS, principal), (RECEIVABLE, others), (OVERPAID, one.overpaid_minor)]
    if is_charged_off:
        account = BAD_DEBT if one.kind in (*REFUNDS, Kind.CREDIT_REFUND) else RECOVERIES
        claim = [(account, one.amount_minor)]
    against = [(account, -amount) for account, amount in claim]
    total = sum(amount for _, amount in claim)
    given_up = [
        (BAD_DEBT if one.kind is Kind.CHARGE_OFF else GOODWILL, principal),
        (INTEREST_GIVEN_UP, one.parts[Component.INTEREST]),
        (FEES_GIVEN_UP, one.parts[Component.FEE] + one.parts[Component.PENALTY]),
    ]
    match one.kind:
        case Kind.DISBURSEMENT:
            return [(LOANS, one.amount_minor), (CASH, -one.amount_minor)]
        case Kind.CHARGEBACK | Kind.CREDIT_REFUND:
            return [*claim, (CASH, -total)]
        case Kind.CHARGE_OFF | Kind.GOODWILL:
            return [*against, *given_up]
        case Kind.WRITE_OFF:
            return [*against, (WRITTEN_OFF, total)]
        case Kind.ACCRUAL:
            interest = one.parts[Component.INTEREST]
            income = [(INTEREST_INCOME, -interest), (FEE_INCOME, interest - sum(one.parts))]
            return [(RECEIVABLE, sum(one.parts)), *income]
        case _:
            return [*against, (CASH, total)]

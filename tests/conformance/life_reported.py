"""What is reported without a bar: the entries a life books, and since when it is behind.

Accounts and delinquency ranges are the source's own, so they are mapped here and nowhere else.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from conformance.life_compare import Seen
from conformance.life_player import Player
from fenqi.core.terms.life.arrears import behind_since
from fenqi.core.terms.life.state import Kind, Transaction
from fenqi.core.terms.product import Component

LOANS, RECEIVABLE, CASH, OVERPAID = "112601", "112603", "145023", "l1"
BAD_DEBT, RECOVERIES, WRITTEN_OFF = "744007", "744008", "e4"
GOODWILL, INTEREST_GIVEN_UP, FEES_GIVEN_UP = "744003", "404001", "404008"
INTEREST_INCOME, FEE_INCOME = "404000", "404007"
TYPES = {
    Kind.MERCHANT_REFUND: "MERCHANT_ISSUED_REFUND",
    Kind.GOODWILL: "GOODWILL_CREDIT",
    Kind.CREDIT_REFUND: "CREDIT_BALANCE_REFUND",
}
REFUNDS = (Kind.MERCHANT_REFUND, Kind.PAYOUT_REFUND)
RANGES = (0, 3, 30, 60, 90, 120, 150, 180, 240)  # each range begins after so many days
Side = tuple[str, int]  # an account, and what it is debited; a credit is below zero


def journal(wanted: Sequence[Mapping[str, Any]], seen: Seen) -> Iterator[str]:
    """Yield the transactions whose entries differ."""
    left = [(_type(one), one.on, one) for one in seen.view.transactions]
    for want in wanted:
        sides = Counter(
            (account, debit or f"-{credit}") for _, account, _, debit, credit in want["entries"]
        )
        of_day = [one for one in left if one[:2] == (want["transaction_type"], want["date"])]
        ours = [(one, _printed(one[2], seen)) for one in of_day]
        found = next((one for one, entries in ours if entries == sides), None)
        if found is None:
            got = [sorted(entries.elements()) for _, entries in ours]
            yield f"{want['transaction_type']} of {want['date']}: wanted {sides}, got {got}"
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


def _printed(one: Transaction, seen: Seen) -> Counter[Side]:
    """Return entries as they are printed; a reversed transaction has its mirror too."""
    sides = [side for side in _sides(one, _is_charged_off(one, seen)) if side[1]]
    if one.is_reversed:
        sides += [(account, -amount) for account, amount in sides]
    return Counter((account, seen.money(amount)) for account, amount in sides)


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

"""Which debts of many accounts their payments pay; twin of `core.servicing.allocation`."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from fenqi.core.terms.batch.arrays import DAY, AmountsOutOfRange, Days, Flags, Minor, require

NEVER = 2**62  # a day number past every day
TOTAL_MAX = 2**62  # of the debts of one account, so that no sum overflows


@dataclass(frozen=True, slots=True)
class Allocated:
    """What each debt is paid, and what is left of each payment for the credit balance.

    Units: minor units. Shapes: `taken_minor` (accounts, debts), `rest_minor` (accounts,).
    """

    taken_minor: Minor
    rest_minor: Minor


def allocations(
    amount_minor: Minor, claim_minor: Minor, due_on: Days, is_written_off: Flags, on: date
) -> Allocated:
    """Return what payments pay of the debts of their accounts; twin of `allocate`.

    Debts of one due day are paid in the order of their columns, so the columns of an account stand
    in the order of its plan ids, as the scalar sorts them.

    Units: minor units, none below zero; each account's takings and its rest sum to its amount.
    Shapes: `amount_minor` (accounts,); `claim_minor`, `due_on` and `is_written_off`
    (accounts, debts), NaT and a claim of 0 where an account has fewer debts.
    Errors: ShapeInvalid; AmountsOutOfRange for one below zero or too many to sum.
    """
    _check(amount_minor, claim_minor, due_on, is_written_off)
    today = np.datetime64(on, "D")
    # The next day is the least one ahead; where there is none, every debt is due by today.
    numbers = due_on.astype(np.int64)
    ahead = np.where(due_on > today, numbers, NEVER)
    is_payable = ~np.isnat(due_on) & (numbers <= ahead.min(axis=1, initial=NEVER)[:, None])
    order = np.lexsort((due_on, is_written_off), axis=1)  # stable, NaT last
    asked = np.take_along_axis(np.where(is_payable, claim_minor, 0), order, axis=1)
    taken = np.empty_like(claim_minor)
    np.put_along_axis(taken, order, takes(amount_minor, asked), axis=1)
    return Allocated(taken, amount_minor - taken.sum(axis=1))


def takes(amount_minor: Minor, open_minor: Minor) -> Minor:
    """Return how much of each amount its open parts take, first come first served.

    Twin of `take_in_order` for amounts and parts of at least zero.

    Units: minor units in and out. Shapes: (n,) and (n, parts) -> (n, parts).
    """
    through = open_minor.cumsum(axis=1)
    return np.minimum(
        np.maximum(amount_minor[:, None] - (through - open_minor), 0),
        open_minor,
    )


def _check(amount_minor: Minor, claim_minor: Minor, due_on: Days, is_written_off: Flags) -> None:
    require("amount_minor", amount_minor, "int64", (-1,))
    require("claim_minor", claim_minor, "int64", (len(amount_minor), -1))
    require("due_on", due_on, DAY, claim_minor.shape)
    require("is_written_off", is_written_off, "bool", claim_minor.shape)
    for name, amounts in (("amount_minor", amount_minor), ("claim_minor", claim_minor)):
        most = TOTAL_MAX // max(1, amounts.shape[-1] if amounts.ndim == 2 else 1)
        if amounts.size and not 0 <= amounts.min() <= amounts.max() <= most:
            raise AmountsOutOfRange(array=name, least=0, most=most)

"""One type per kind of id, so that a type checker catches a swapped one.

Ids are made by `runtime` (time-ordered, from clock and seeded randomness) and are UUIDs
everywhere inside; text forms such as `acc_...` exist at the doors only.
"""

from typing import NewType
from uuid import UUID

AccountId = NewType("AccountId", UUID)
PersonId = NewType("PersonId", UUID)
MerchantId = NewType("MerchantId", UUID)
OrderId = NewType("OrderId", UUID)
CaptureId = NewType("CaptureId", UUID)
PlanId = NewType("PlanId", UUID)
ReceiptId = NewType("ReceiptId", UUID)
DecisionId = NewType("DecisionId", UUID)

SLICES = 64  # an account's slice is 0..63; a day's close groups them into as many as its book asks


def id_text(raw: bytes) -> str:
    """Return the text of an id given as its sixteen bytes."""
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def slice_of(account_id: AccountId) -> int:
    """Return the slice an account belongs to for life, from the random end of its id."""
    return account_id.int % SLICES

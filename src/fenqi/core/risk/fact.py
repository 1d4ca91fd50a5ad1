"""What others tell us of an account: the kinds of facts, and what each of them may say.

A field nobody knows, a kind nobody knows or an amount nobody can mean is refused with its name; a
fact that comes late, or from a clock that is ahead, is kept and marked. Identity values are seals.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from fenqi.core.errors import Invalid
from fenqi.core.risk.identity import SEAL, Identifier
from fenqi.core.terms.reading import IDENTITY
from fenqi.core.values.phrase import Phrase

AMOUNT_MAX = 100_000_000_000  # minor units of one fact; a thousand million yuan
LATE_AFTER = timedelta(minutes=5)  # told later than that after it happened
STALE_AFTER = timedelta(days=3)  # longer than the files of a bank take over a weekend
AHEAD_AFTER = timedelta(minutes=2)  # told to happen later than that from now
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
REFERENCE = re.compile(r"[\x21-\x7e]{1,64}")


class FactKindUnknown(Invalid):
    """No kind of fact has this name."""

    code = "fact-kind-unknown"


class FactInvalid(Invalid):
    """A fact says something it may not, lacks something, or says it wrongly; names the field."""

    code = "fact-invalid"


class FactKind(StrEnum):
    """What others tell us; our own books write more kinds."""

    LOGIN = "login"
    DEVICE_CHANGED = "device-changed"
    PHONE_CHANGED = "phone-changed"
    CARD_CHANGED = "card-changed"
    ADDRESS_CHANGED = "address-changed"
    PAYMENT_FAILED = "payment-failed"
    CHANNEL_FAILED = "channel-failed"
    CHANNEL_RESTORED = "channel-restored"
    PURCHASE_ATTEMPTED = "purchase-attempted"
    BASKET = "basket"
    COMPLAINT = "complaint"


class Cause(StrEnum):
    """Whose failure a failed payment is; a channel's is never held against the customer (P5)."""

    CUSTOMER = "customer"
    CHANNEL = "channel"


class Says(StrEnum):
    """What a field holds."""

    SEAL = "seal"
    AMOUNT = "amount"
    WORD = "word"
    REFERENCE = "reference"
    CAUSE = "cause"


EXPECTED = {
    Says.SEAL: Phrase("a seal of 64 hexadecimal digits, never the value itself"),
    Says.AMOUNT: Phrase("whole minor units from {least} to {most}", least=1, most=AMOUNT_MAX),
    Says.WORD: Phrase("1 to 40 letters, digits and hyphens"),
    Says.REFERENCE: Phrase("1 to 64 visible characters"),
    Says.CAUSE: Phrase("customer or channel"),
}
IDENTIFIERS = {one.value: one for one in Identifier}
FIELDS: Mapping[str, Says] = {
    **dict.fromkeys(IDENTIFIERS, Says.SEAL),
    "amount_minor": Says.AMOUNT,
    "category": Says.WORD,
    "channel": Says.WORD,
    "reason": Says.WORD,
    "topic": Says.WORD,
    "merchant": Says.REFERENCE,
    "merchant_order": Says.REFERENCE,
    "cause": Says.CAUSE,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields a kind must have, those it may have, and what it says by itself."""

    must: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    fixed: Mapping[str, str] | None = None


FROM = ("ip", "device")
SHAPES: Mapping[FactKind, Shape] = {
    FactKind.LOGIN: Shape(may=FROM),
    FactKind.DEVICE_CHANGED: Shape(must=("device",), may=("ip",)),
    FactKind.PHONE_CHANGED: Shape(must=("phone",), may=FROM),
    FactKind.CARD_CHANGED: Shape(must=("card",), may=FROM),
    FactKind.ADDRESS_CHANGED: Shape(must=("address",), may=FROM),
    FactKind.PAYMENT_FAILED: Shape(
        must=("cause",), may=("amount_minor", "channel", "reason", *FROM)
    ),
    FactKind.CHANNEL_FAILED: Shape(
        must=("channel",), may=("reason",), fixed={"cause": Cause.CHANNEL.value}
    ),
    FactKind.CHANNEL_RESTORED: Shape(must=("channel",)),
    FactKind.PURCHASE_ATTEMPTED: Shape(
        must=("amount_minor",), may=("merchant", "merchant_order", *FROM)
    ),
    FactKind.BASKET: Shape(must=("category", "amount_minor"), may=("merchant", "merchant_order")),
    FactKind.COMPLAINT: Shape(must=("topic",), may=("channel",)),
}
KINDS = {one.value: one for one in FactKind}
ACCESS = frozenset(
    {
        FactKind.LOGIN,
        FactKind.DEVICE_CHANGED,
        FactKind.PHONE_CHANGED,
        FactKind.CARD_CHANGED,
        FactKind.ADDRESS_CHANGED,
    }
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that was read: what is kept of it, and the identifiers it names."""

    kind: FactKind
    happened_at: datetime
    said: Mapping[str, int | str]
    is_late: bool
    is_stale: bool  # so late that it says nothing of the last days
    is_skewed: bool

    @property
    def identifiers(self) -> list[tuple[Identifier, bytes]]:
        """Return the seals it holds."""
        return [
            (IDENTIFIERS[name], bytes.fromhex(str(value)))
            for name, value in self.said.items()
            if name in IDENTIFIERS
        ]


def read(kind: str, happened_at: datetime, said: Mapping[str, object], *, now: datetime) -> Fact:
    """Return a fact as it is kept.

    Errors: FactKindUnknown; FactInvalid with field and what is expected, and the value unless it
    should have been a seal.
    """
    known = KINDS.get(kind)
    if known is None:
        raise FactKindUnknown(kind=kind, known=", ".join(KINDS))
    shape = SHAPES[known]
    for name in shape.must:
        if name not in said:
            raise FactInvalid(
                kind=kind, field=name, value=Phrase("(missing)"), expected=_expected(name)
            )
    for name, value in said.items():
        if name not in shape.must and name not in shape.may:
            allowed = ", ".join((*shape.must, *shape.may))
            expected = Phrase("one of {choices}", choices=allowed)
            raise FactInvalid(kind=kind, field=name, value="", expected=expected)
        if not _holds(FIELDS[name], value):
            shown = "(not shown)" if FIELDS[name] is Says.SEAL else _short(value)
            raise FactInvalid(kind=kind, field=name, value=shown, expected=_expected(name))
    if happened_at.tzinfo is None or not EARLIEST <= happened_at < LATEST:
        raise FactInvalid(
            kind=kind,
            field="happened_at",
            value=happened_at.isoformat(),
            expected=Phrase("an instant with its zone, from 2000 to 2099"),
        )
    kept: dict[str, int | str] = {
        name: value for name, value in said.items() if isinstance(value, int | str)
    }
    return Fact(
        kind=known,
        happened_at=happened_at,
        said=kept | dict(shape.fixed or {}),
        is_late=now - happened_at > LATE_AFTER,
        is_stale=now - happened_at > STALE_AFTER,
        is_skewed=happened_at - now > AHEAD_AFTER,
    )


def _expected(name: str) -> Phrase:
    return EXPECTED[FIELDS[name]]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 64 else f"{text[:61]}..."


def _holds(says: Says, value: object) -> bool:
    match says:
        case Says.AMOUNT:
            is_number = isinstance(value, int) and not isinstance(value, bool)
            return is_number and 1 <= int(str(value)) <= AMOUNT_MAX
        case Says.CAUSE:
            return isinstance(value, str) and value in {one.value for one in Cause}
        case Says.SEAL:
            return isinstance(value, str) and SEAL.fullmatch(value) is not None
        case Says.WORD:
            return isinstance(value, str) and IDENTITY.fullmatch(value) is not None
        case Says.REFERENCE:
            return isinstance(value, str) and REFERENCE.fullmatch(value) is not None

"""Identity values as keyed hashes: enough to see that two are the same, not what they are.

A phone number has too few digits for a plain hash to hide it; with a key only the holder of the key
can try. The door seals a value before it builds a command, so that nothing behind it, no row and no
log, ever holds the value itself.
Source: HMAC (RFC 2104) with SHA-256.
"""

import hashlib
import hmac
import ipaddress
import re
import unicodedata
from enum import StrEnum

from fenqi.core.errors import Invalid
from fenqi.core.values.phrase import Phrase

KEY_BYTES_MIN = 32
SEAL_BYTES = 32
SEAL = re.compile(f"[0-9a-f]{{{2 * SEAL_BYTES}}}")
VALUE_LENGTH_MAX = 500
NETWORK_BITS = 64  # of an IPv6 address; the rest changes at the subscriber's will
FINGERPRINT = b"fenqi identity key"


class IdentityInvalid(Invalid):
    """An identity value cannot be read as what it is said to be; it is not repeated here."""

    code = "identity-invalid"


class IdentityKeyInvalid(Invalid):
    """The key that seals identity values is no key; it is not repeated here."""

    code = "identity-key-invalid"


class Identifier(StrEnum):
    """What two accounts may share. Strong ones are one person's; weak ones many people's."""

    IP = "ip"
    DEVICE = "device"
    CARD = "card"
    PHONE = "phone"
    ADDRESS = "address"


STRONG = frozenset({Identifier.DEVICE, Identifier.CARD, Identifier.PHONE})


class Sealer:
    """Seals identity values with one key."""

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES_MIN:
            raise IdentityKeyInvalid(bytes=len(key), bytes_min=KEY_BYTES_MIN)
        self._key = key

    @property
    def fingerprint(self) -> str:
        """Return what tells this key from another without telling the key."""
        return self._mac(FINGERPRINT).hex()

    def seal(self, kind: Identifier, value: str) -> str:
        """Return a value's seal: 64 hexadecimal digits, the same for the same thing.

        A phone number in any spelling with its country, a card number with or without blanks and
        an address in any case and spacing are the same thing; of an IPv6 address its network.

        Errors: IdentityInvalid, which does not repeat the value.
        """
        plain = _plain(kind, value)
        return self._mac(f"{kind.value}\0{plain}".encode()).hex()

    def seal_range(self, network: str) -> str:
        """Return the seal of a range of addresses in its canonical spelling."""
        return self._mac(f"ip-range\0{network}".encode()).hex()

    def national_id(self, value: str) -> str:
        """Return the seal of an identity card's number, in any spelling.

        Errors: IdentityInvalid, which does not repeat the value.
        """
        text = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", value)).upper()
        if not (text.isascii() and text.isalnum() and 4 <= len(text) <= 40):
            expected = Phrase("4 to 40 letters and digits")
            raise IdentityInvalid(kind="national-id", expected=expected)
        return self._mac(f"national-id\0{text}".encode()).hex()

    def _mac(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text, hashlib.sha256)


def _plain(kind: Identifier, value: str) -> str:
    text = unicodedata.normalize("NFKC", value).strip()
    if not 0 < len(text) <= VALUE_LENGTH_MAX:
        expected = Phrase("1 to {most} characters", most=VALUE_LENGTH_MAX)
        raise IdentityInvalid(kind=kind.value, expected=expected)
    match kind:
        case Identifier.IP:
            return _network(text)
        case Identifier.PHONE:
            return _digits(kind, text, least=5, most=17)
        case Identifier.CARD:
            return _digits(kind, text, least=10, most=24)
        case Identifier.ADDRESS:
            return " ".join(text.casefold().split())
    return text


def _network(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise IdentityInvalid(kind="ip", expected=Phrase("an IPv4 or IPv6 address")) from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), NETWORK_BITS), strict=False))
    return str(address)


def _digits(kind: Identifier, text: str, *, least: int, most: int) -> str:
    """Return the digits of a number that may be written with blanks, hyphens and a plus."""
    digits = re.sub(r"[\s().+-]", "", text)
    if kind is Identifier.PHONE and not text.startswith("+"):
        digits = digits.removeprefix("00")
    if not (digits.isascii() and digits.isdigit() and least <= len(digits) <= most):
        expected = Phrase("{least} to {most} digits", least=least, most=most)
        raise IdentityInvalid(kind=kind.value, expected=expected)
    return digits

"""Places that many honest people share: which addresses a range holds, sealed one by one.

Facts hold addresses as seals, which tell nothing of their neighbours; so a range is written down as
the seals of all its addresses, as long as they are not too many. Of an IPv6 address its /64 counts,
as it does everywhere (`identity.py`).
Source: docs/adr/0034-list-places-by-range.md.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from fenqi.core.errors import Invalid
from fenqi.core.risk.case import SYSTEM
from fenqi.core.risk.identity import NETWORK_BITS, Identifier, Sealer
from fenqi.core.values.name import NAME_CHARS_MAX, is_name
from fenqi.core.values.phrase import Phrase

ADDRESSES_MAX = 65_536  # of one range: a /16 of IPv4, a /48 of IPv6 in networks of /64
BITS = {4: 32, 6: NETWORK_BITS}  # of what is one address to us
NOTE_CHARS_MAX = 200
# What stands for an address in words, whatever is written beside it: of IPv4 also where only the
# last part is left open.
IN_WORDS = (
    re.compile(r"(?<![0-9])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9])"),
    re.compile(r"(?<![0-9])[0-9]{1,3}(?:\.[0-9]{1,3}){2}\.[*xX](?![0-9A-Za-z])"),
    re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?![0-9A-Za-z])"),
)
LEFT_OPEN = re.compile(r"[*xX]$")
DOTS = str.maketrans("\u3002", ".")  # the Chinese full stop, which no other spelling makes one

RANGE, NOTE = Phrase("its range"), Phrase("its note")
LAST_DAY, AUTHOR = Phrase("its last day"), Phrase("its author")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class PlaceInvalid(Invalid):
    """What is said of a place makes no sense; names the field. An address is not repeated."""

    code = "place-invalid"


@dataclass(frozen=True, slots=True)
class Range:
    """Addresses side by side: one, or all that share their first bits."""

    network: Network

    @classmethod
    def read(cls, text: str) -> "Range":
        """Return what an address, or a range such as 203.0.113.0/24, stands for.

        Errors: PlaceInvalid.
        """
        try:
            network = _network(text.strip())
        except ValueError:
            expected = Phrase(
                "an IPv4 or IPv6 address, or a range that begins at its first address, such as "
                "203.0.113.0/24"
            )
            raise PlaceInvalid(field=RANGE, expected=expected) from None
        least = BITS[network.version] - (ADDRESSES_MAX.bit_length() - 1)
        if not least <= network.prefixlen <= BITS[network.version]:
            most = BITS[network.version]
            expected = Phrase(
                "an IPv{version} range of /{least} to /{most}, or a single address without a "
                "slash; give a wider range as several",
                version=network.version,
                least=least,
                most=most,
            )
            raise PlaceInvalid(field=RANGE, expected=expected)
        return cls(network)

    @property
    def address_count(self) -> int:
        """Return how many addresses it holds, of IPv6 how many networks of /64."""
        return 1 << (BITS[self.network.version] - self.network.prefixlen)

    def seals(self, sealer: Sealer) -> Iterator[bytes]:
        """Yield the seal of each of its addresses, as facts hold it."""
        step = 1 << (self.network.max_prefixlen - BITS[self.network.version])
        first = int(self.network.network_address)
        kind = type(self.network.network_address)
        for number in range(self.address_count):
            yield bytes.fromhex(sealer.seal(Identifier.IP, str(kind(first + number * step))))

    def seal(self, sealer: Sealer) -> bytes:
        """Return the seal of the range itself: of a single address that of the address."""
        if self.address_count == 1:
            return next(self.seals(sealer))
        return bytes.fromhex(sealer.seal_range(str(self.network)))


def check_person(name: str) -> str:
    """Return the name of who says so. Errors: PlaceInvalid."""
    clean = name.strip()
    if not is_name(clean) or clean == SYSTEM:
        expected = Phrase("the name of a person, 1 to {most} characters", most=NAME_CHARS_MAX)
        raise PlaceInvalid(field=AUTHOR, expected=expected)
    return clean


def check_note(note: str) -> str:
    """Return why a place is believed to be one, which many read: no address stands in it.

    Errors: PlaceInvalid.
    """
    clean = note.strip()
    if not 0 < len(clean) <= NOTE_CHARS_MAX or not clean.isprintable():
        expected = Phrase("1 to {most} printable characters", most=NOTE_CHARS_MAX)
        raise PlaceInvalid(field=NOTE, expected=expected)
    if _names_address(clean):
        raise PlaceInvalid(field=NOTE, expected=Phrase("words without an address in them"))
    return clean


def _names_address(words: str) -> bool:
    """Whether an address stands somewhere in words, in any spelling of its digits and dots."""
    plain = unicodedata.normalize("NFKC", words).translate(DOTS)
    for shape in IN_WORDS:
        for found in shape.findall(plain):
            whole = LEFT_OPEN.sub("0", found).strip(".")
            if any(_is_address(one) for one in (whole, whole.strip(":"), whole.lstrip(":"))):
                return True
    return False


def _is_address(text: str) -> bool:
    parts = text.split(".")
    if ":" not in text:
        return len(parts) == 4 and all(int(one) <= 255 for one in parts)  # with zeros before, too
    try:
        return text.strip(":") != "" and bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def check_last(last_on: date | None, today: date) -> None:
    """Refuse a last day that is over. Errors: PlaceInvalid."""
    if last_on is not None and last_on < today:
        raise PlaceInvalid(field=LAST_DAY, expected=Phrase("{day} or later", day=today))


def _network(text: str) -> Network:
    """Return the network a text names. Errors: ValueError."""
    if "/" in text:
        return ipaddress.ip_network(text, strict=True)
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return ipaddress.ip_network(address.ipv4_mapped)
        return ipaddress.ip_network((int(address), NETWORK_BITS), strict=False)
    return ipaddress.ip_network(address)

"""Places that many honest people share: which addresses a range holds, sealed one by one.

Facts hold addresses as seals, which tell nothing of their neighbours; so a range is written down as
the seals of all its addresses, as long as they are not too many. Of an IPv6 address its /64 counts,
as it does everywhere (`identity.py`).
Source: docs/adr/0034-list-places-by-range.md.
"""

import ipaddress
import re
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
WORDS = re.compile(r"[^\s,;()\[\]]+")

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
            raise PlaceInvalid(field="range", expected=expected) from None
        least = BITS[network.version] - (ADDRESSES_MAX.bit_length() - 1)
        if not least <= network.prefixlen <= BITS[network.version]:
            most = BITS[network.version]
            expected = Phrase(
                "an IPv{version} range of /{least} to /{most}; give a wider one as several",
                version=network.version,
                least=least,
                most=most,
            )
            raise PlaceInvalid(field="range", expected=expected)
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
        raise PlaceInvalid(field="person", expected=expected)
    return clean


def check_note(note: str) -> str:
    """Return why a place is believed to be one, which many read: no address stands in it.

    Errors: PlaceInvalid.
    """
    clean = note.strip()
    if not 0 < len(clean) <= NOTE_CHARS_MAX or not clean.isprintable():
        expected = Phrase("1 to {most} printable characters", most=NOTE_CHARS_MAX)
        raise PlaceInvalid(field="note", expected=expected)
    for one in WORDS.findall(clean):
        try:
            _network(one.strip(".,:"))
        except ValueError:
            continue
        raise PlaceInvalid(field="note", expected=Phrase("words without an address in them"))
    return clean


def check_last(last_on: date | None, today: date) -> None:
    """Refuse a last day that is over. Errors: PlaceInvalid."""
    if last_on is not None and last_on < today:
        raise PlaceInvalid(field="last day", expected=Phrase("{day} or later", day=today))


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

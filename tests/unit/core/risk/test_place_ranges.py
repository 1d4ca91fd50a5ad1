"""Ranges of addresses: what they hold, sealed one by one as facts hold them."""

import secrets
from datetime import date

import pytest

from fenqi.core.risk.identity import Identifier, Sealer
from fenqi.core.risk.place import ADDRESSES_MAX, PlaceInvalid, Range, check_last, check_note

SEALER = Sealer(secrets.token_bytes(32))


def seal(address: str) -> bytes:
    return bytes.fromhex(SEALER.seal(Identifier.IP, address))


def held(text: str) -> set[bytes]:
    return set(Range.read(text).seals(SEALER))


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7", "::ffff:203.0.113.7"])
def test_a_single_address_is_sealed_as_facts_seal_it(address: str) -> None:
    assert held(address) == {seal(address)} == {Range.read(address).seal(SEALER)}


def test_a_range_holds_all_its_addresses_and_no_other() -> None:
    found = Range.read("203.0.112.0/23")
    assert found.address_count == 512
    every = {seal(f"203.0.{part}.{last}") for part in (112, 113) for last in range(256)}
    assert set(found.seals(SEALER)) == every
    assert found.seal(SEALER) not in every
    assert seal("203.0.114.0") not in every


def test_of_ipv6_a_range_holds_networks_of_64_bits() -> None:
    found = Range.read("2001:db8:0:100::/56")
    assert found.address_count == 256
    assert seal("2001:db8:0:1ff:dead::1") in set(found.seals(SEALER))
    assert seal("2001:db8:0:200::1") not in set(found.seals(SEALER))
    assert held("2001:db8::/64") == held("2001:db8::7")


def test_the_widest_ranges_are_those_that_are_said_to_be() -> None:
    assert Range.read("10.1.0.0/16").address_count == ADDRESSES_MAX
    assert Range.read("2001:db8:1::/48").address_count == ADDRESSES_MAX


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an IPv4 or IPv6 address"),
        ("203.0.113.7/24", "begins at its first address"),
        ("203.0.113.0/33", "an IPv4 or IPv6 address"),
        ("203.0.113", "an IPv4 or IPv6 address"),
        ("campus", "an IPv4 or IPv6 address"),
        ("0.0.0.0/0", "an IPv4 range of /16 to /32"),
        ("10.0.0.0/15", "an IPv4 range of /16 to /32"),
        ("2001:db8::/32", "an IPv6 range of /48 to /64"),
        ("2001:db8::/96", "an IPv6 range of /48 to /64"),
        ("::ffff:0:0/96", "an IPv6 range of /48 to /64"),
    ],
)
def test_what_is_no_range_is_refused_and_not_repeated(text: str, said: str) -> None:
    with pytest.raises(PlaceInvalid) as refused:
        Range.read(text)
    assert refused.value.fields["field"] == "range"
    assert said in str(refused.value.fields["expected"])
    assert "value" not in refused.value.fields


@pytest.mark.parametrize("note", ["", " ", "x" * 201, "red\x1b[31m", "at 203.0.113.7, they say"])
def test_a_note_is_words_without_an_address(note: str) -> None:
    with pytest.raises(PlaceInvalid):
        check_note(note)
    assert check_note(" library, floors 2-4 ") == "library, floors 2-4"


def test_a_place_does_not_end_before_it_begins() -> None:
    check_last(date(2026, 1, 5), date(2026, 1, 5))
    with pytest.raises(PlaceInvalid):
        check_last(date(2026, 1, 4), date(2026, 1, 5))

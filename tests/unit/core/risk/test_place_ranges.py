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
        ("2001:db8::/96", "an IPv6 range of /48 to /64, or a single address"),
        ("::ffff:0:0/96", "an IPv6 range of /48 to /64"),
    ],
)
def test_what_is_no_range_is_refused_and_not_repeated(text: str, said: str) -> None:
    with pytest.raises(PlaceInvalid) as refused:
        Range.read(text)
    assert refused.value.fields["field"] == "its range"
    assert said in str(refused.value.fields["expected"])
    assert "value" not in refused.value.fields


@pytest.mark.parametrize("note", ["", " ", "x" * 201, "red\x1b[31m", "at 203.0.113.7, they say"])
def test_a_note_is_words_without_an_address(note: str) -> None:
    with pytest.raises(PlaceInvalid):
        check_note(note)
    assert check_note(" library, floors 2-4 ") == "library, floors 2-4"


@pytest.mark.parametrize(
    "note",
    [
        "ip=203.0.113.7",
        "ip:203.0.113.7",
        "地址203.0.113.7号楼",
        "\uff08203.0.113.7\uff09、校园",
        "203.0.113.7:443",
        "'203.0.113.7'",
        "http://203.0.113.7/x",
        "203.0.113.7-203.0.113.9",
        "203.0.113.7/24",
        "a@203.0.113.7",
        "203.000.113.007",
        "203.0.113.*",
        "203.0.113.x",
        "\uff12\uff10\uff13.\uff10.\uff11\uff11\uff13.\uff17",
        "203。0。113。7",
        "ip=2001:db8::7",
        "地址2001:db8::7。",
        "[2001:db8::7]:443",
        "ip:2001:db8:0:0:0:0:0:7",
        "::ffff:203.0.113.7",
        "2001:DB8::/48",
    ],
)
def test_an_address_in_a_note_is_found_whatever_stands_beside_it(note: str) -> None:
    with pytest.raises(PlaceInvalid) as refused:
        check_note(note)
    assert "without an address" in str(refused.value.fields["expected"])


@pytest.mark.parametrize(
    "note",
    [
        "10:30 to 12:45:00",
        "校园\uff1a图书馆\uff0c二至四层",
        "room 10.1.2, desk 4.5",
        "rooms 1. 2. 3. 4.",
        "release 1.2.3.4567",
        "999.1.2.3 is nobody's",
        "cafe:bar :: x",
        "open 24/7, 2026-11-28",
        "std::vector club",
        "\N{SCHOOL}",
    ],
)
def test_a_note_may_hold_figures_times_and_colons(note: str) -> None:
    assert check_note(note) == note


def test_a_place_does_not_end_before_it_begins() -> None:
    check_last(date(2026, 1, 5), date(2026, 1, 5))
    with pytest.raises(PlaceInvalid):
        check_last(date(2026, 1, 4), date(2026, 1, 5))

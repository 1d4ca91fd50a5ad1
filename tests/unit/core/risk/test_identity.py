"""Identity values become seals: equal for the same thing, telling nothing of it."""

import pytest

from fenqi.core.risk.identity import (
    Identifier,
    IdentityInvalid,
    IdentityKeyInvalid,
    Sealer,
)

KEY = b"k" * 32
SEALER = Sealer(KEY)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("ip", "203.0.113.7", " 203.0.113.7 "),
        ("ip", "::ffff:203.0.113.7", "203.0.113.7"),
        ("ip", "2001:db8:1:2::1", "2001:0db8:1:2:ffff::9"),
        ("phone", "+86 138-0013 8000", "+8613800138000"),
        ("phone", "0086 138 0013 8000", "+86 138 0013 8000"),
        ("card", "6222 0200 0000 1234", "6222020000001234"),
        ("address", "7 Some  Street", "7 some street"),
        ("device", "abc", "\uff41\uff42\uff43"),
    ],
)
def test_spellings_of_one_thing_have_one_seal(kind: str, one: str, other: str) -> None:
    assert SEALER.seal(Identifier(kind), one) == SEALER.seal(Identifier(kind), other)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("ip", "203.0.113.7", "203.0.113.8"),
        ("ip", "2001:db8:1:2::1", "2001:db8:1:3::1"),
        ("device", "a", "A"),
        ("phone", "+86 138 0013 8000", "+86 138 0013 8001"),
    ],
)
def test_different_things_have_different_seals(kind: str, one: str, other: str) -> None:
    assert SEALER.seal(Identifier(kind), one) != SEALER.seal(Identifier(kind), other)


def test_a_seal_depends_on_key_and_kind() -> None:
    seals = {
        SEALER.seal(Identifier.DEVICE, "1380013800012"),
        SEALER.seal(Identifier.CARD, "1380013800012"),
        Sealer(b"l" * 32).seal(Identifier.DEVICE, "1380013800012"),
    }
    assert len(seals) == 3
    assert all(len(bytes.fromhex(one)) == 32 for one in seals)


def test_a_seal_is_the_keyed_hash_of_the_standard() -> None:
    # RFC 4231 has no case of our text; this one is openssl's own: printf 'device\0d' |
    # openssl dgst -sha256 -mac HMAC -macopt key:kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk
    expected = "fe8a8850e42bb37edb5c03b80050f103c41a194e67092585ed0638617d0a4fe1"
    assert SEALER.seal(Identifier.DEVICE, "d") == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ip", "300.1.1.1"),
        ("ip", "home"),
        ("phone", "12"),
        ("phone", "call me"),
        ("card", "1234"),
        ("device", " "),
        ("address", "x" * 501),
    ],
)
def test_what_is_none_is_refused_without_repeating_it(kind: str, value: str) -> None:
    with pytest.raises(IdentityInvalid) as caught:
        SEALER.seal(Identifier(kind), value)
    assert value.strip() == "" or value not in str(caught.value)


def test_a_short_key_is_no_key() -> None:
    with pytest.raises(IdentityKeyInvalid):
        Sealer(b"short")


def test_a_fingerprint_tells_keys_apart_and_is_not_the_key() -> None:
    assert SEALER.fingerprint != Sealer(b"l" * 32).fingerprint
    assert KEY.hex() not in SEALER.fingerprint

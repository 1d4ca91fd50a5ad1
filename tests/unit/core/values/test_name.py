"""Another writing of a name is the same name, and what nobody sees is none."""

import pytest

from fenqi.core.values.name import NAME_CHARS_MAX, as_heard, is_name

UNSEEN = (
    "\u034f",  # a joiner of marks
    "\u115f",  # fillers of Hangul, one of them narrow
    "\u3164",
    "\uffa0",
    "\u17b4",  # a vowel inherent
    "\u180b",  # selectors of a variant
    "\ufe0f",
    "\U000e0100",
    "\u2800",  # the blank of Braille
    "\u00ad",  # a soft hyphen
    "\u200b",  # zero-width signs
    "\u200d",
    "\u202e",  # a direction
    "\u2066",
    "\ufeff",
)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("mei", " MEI "),
        ("mei", "\uff4d\uff45\uff49"),
        ("Zhang Wei", "zhang\u3000\u00a0wei"),
        ("\u5f20\u4f1f", "\u5f20\U000e0101\u4f1f"),
        ("Ren\u00e9", "Rene\u0301"),
        ("Stra\u00dfe", "STRASSE"),
        ("\u0390", "\u03aa\u0301"),  # composed only once its case is folded
    ],
)
def test_another_writing_is_the_same_name(name: str, written: str) -> None:
    assert as_heard(name) == as_heard(written)


@pytest.mark.parametrize("unseen", UNSEEN)
def test_what_nobody_sees_makes_no_other_name_and_is_none_alone(unseen: str) -> None:
    assert as_heard(f"m{unseen}ei {unseen}li{unseen}") == as_heard("mei li")
    assert not is_name(unseen)
    assert not is_name(f" {unseen} {unseen}")


def test_other_letters_and_marks_are_another_name() -> None:
    assert as_heard("mei") != as_heard("me\u0301i")
    assert as_heard("mei li") != as_heard("meili")
    assert as_heard("\u5f20\u4f1f") != as_heard("\u5f20\u73ae")


def test_a_name_has_a_length_and_nothing_a_terminal_obeys() -> None:
    assert is_name("\u845b\U000e0100\u57ce")  # the variant of a sign is the bearer's own
    assert is_name(f" {'x' * NAME_CHARS_MAX} ")
    for text in ("", "  ", "x" * (NAME_CHARS_MAX + 1), "mei\u200b", "\u202eiem", "mei\x1b[2J"):
        assert not is_name(text)

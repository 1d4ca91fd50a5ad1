"""A text that is no TOML is told in one way, with its place, whatever the parser made of it."""

import pytest

from fenqi.core.values.toml import NotToml, table_of


def test_a_text_that_is_toml_is_its_table() -> None:
    assert table_of("a = 1\n[b]\nc = 'd'\n") == {"a": 1, "b": {"c": "d"}}


@pytest.mark.parametrize(
    ("text", "said", "place"),
    [
        ("a = 1\nb =\n", "Invalid value", {"line": 2, "column": 4}),
        ("a = 1\nb = " + "9" * 5000, "too many digits", {"line": 2, "column": 5}),
        ("a = " + "[" * 5000 + "]" * 5000, "too deep", {}),
        (
            "a = 1\n" + ".".join("b" * 50_000) + " = 1",
            "more than 100 parts",
            {"line": 2, "column": 1},
        ),
        (" . ".join(["'b'"] * 20_000) + " = 1", "more than 100 parts", {"line": 1, "column": 1}),
        ("[" + ".".join("b" * 20_000) + "]", "more than 100 parts", {"line": 1, "column": 2}),
        ("a = {" + ".".join("b" * 20_000) + " = 1}", "100 parts", {"line": 1, "column": 6}),
    ],
)
def test_a_text_that_is_none_says_why_and_where(
    text: str, said: str, place: dict[str, int]
) -> None:
    with pytest.raises(NotToml) as refusal:
        table_of(text)
    assert said in refusal.value.said
    assert "(at line" not in refusal.value.said
    assert refusal.value.place == place


def test_a_key_of_a_hundred_parts_is_read_and_so_is_what_has_more_dots() -> None:
    assert "b" in table_of(".".join("b" * 100) + " = 1")
    text = "a.b.c, " * 200 + "." * 500
    assert table_of(f"a = '{text}' # {text}") == {"a": text}

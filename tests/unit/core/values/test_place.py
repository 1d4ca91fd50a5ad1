"""A key of a TOML text is found by line and column."""

import tomllib

import pytest

from fenqi.core.values.place import fault_place, key_place

TEXT = """\
format = 1
[book]
  currency = "GBP" # zone = "not here"
[[plans.choices]]
count = 3
[[plans.choices]]
"count" = 6
late.cap = 2
"""


@pytest.mark.parametrize(
    ("key", "line", "column"),
    [
        ("format", 1, 1),
        ("book", 2, 1),
        ("book.currency", 3, 3),
        ("plans.choices[1].count", 5, 1),
        ("plans.choices[2].count", 7, 1),
        ("plans.choices[2].late.cap", 8, 1),
    ],
)
def test_a_key_is_found_in_its_table(key: str, line: int, column: int) -> None:
    assert key_place(TEXT, key) == {"line": line, "column": column}


@pytest.mark.parametrize(("key", "line"), [("book.zone", 2), ("plans.choices[2].weight", 6)])
def test_a_key_that_is_missing_has_the_place_of_its_table(key: str, line: int) -> None:
    assert key_place(TEXT, key) == {"line": line, "column": 1}


def test_a_key_outside_every_table_has_no_place() -> None:
    assert key_place(TEXT, "payments.seed") == {}


@pytest.mark.parametrize(
    ("text", "line", "column"), [("a = 1\n[book\n", 2, 6), ('a = 1\nb = """x\n', 3, 1)]
)
def test_the_place_of_broken_toml_is_where_the_parser_stopped(
    text: str, line: int, column: int
) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)

    assert fault_place(str(caught.value), text) == {"line": line, "column": column}

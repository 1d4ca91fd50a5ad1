"""MAP.toml is read as documented, and a mistake in it is named by file, key and what is allowed."""

import re
from pathlib import Path

import pytest

from fenqi.replay.keys import MappingInvalid
from fenqi.replay.mapping import Column, Condition, Limit, LimitRule, read_mapping

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "online_retail.toml"


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """Write the example with `old` replaced once by `new`."""
    text = EXAMPLE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "map.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_example_is_read() -> None:
    mapping = read_mapping(EXAMPLE)

    assert mapping.currency.code == "GBP"
    assert mapping.zone.key == "Europe/London"
    assert mapping.columns[Column.CUSTOMER] == "CustomerID"
    assert [one.condition for one in mapping.filters].count(Condition.REPEATED) == 1
    assert [(plan.product, plan.count) for plan in mapping.plans] == [
        ("unsplit", 1),
        ("flat", 3),
        ("flat", 6),
        ("flat", 12),
    ]
    assert mapping.days_after_last == 210


@pytest.mark.parametrize(
    ("old", "new", "key", "allowed"),
    [
        ("currency =", "curency =", "book.curency", "currency, zone, merchant"),
        ("[payments]", "[payment]", "payment", "payments"),
        ('"GBP"', '"GPB"', "book.currency", "GBP"),
        ('"Europe/London"', '"London"', "book.zone", "time zone"),
        ('"Europe/London"', '"../etc"', "book.zone", "time zone"),
        ("seed = 2011", "seed = true", "accounts.seed", "whole number"),
        ("seed = 2011", 'seed = "2011"', "accounts.seed", "whole number"),
        ("days_after_last = 210", "days_after_last = -1", "payments.days_after_last", "from 0"),
        ("days_after_last = 210", "", "payments.days_after_last", "whole number"),
        ("25, 31]", "25, 29]", "accounts.statement_days", "1 to 28, or 31"),
        ("weight = 30", "weight = 0", "plans.choices[2].weight", "from 1"),
        ('product = "flat"', "product = 3", "plans.choices[2].product", "text"),
        ('is = "missing"', 'is = "absent"', "filters[1].is", "missing"),
        ('"no-customer"', '"No customer"', "filters[1].reason", "no-customer"),
        ('"no-customer"', '"refund-unmatched"', "filters[1].reason", "matching"),
        ('is = "repeated"', 'is = "repeated"\ncolumn = "item"', "filters[6].column", "nothing"),
        ('column = "price"', 'column = "item"', "filters[3].column", "price"),
        ("floor_minor = 100_000", "floor_minor = 9_000_000", "limit.cap_minor", "9000000"),
        ("times = 3", "amount_minor = 5", "limit.amount_minor", "fixed"),
        ("format = 1", "format = 2", "format", "from 1 to 1"),
        ("[book]", "[file]\ndelimiter = ';;'\n[book]", "file.delimiter", "one character"),
        ("[book]", "[file]\nencoding = 'utf-9'\n[book]", "file.encoding", "utf-8"),
    ],
)
def test_a_mistake_names_its_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, key: str, allowed: str
) -> None:
    path = changed(tmp_path, old, new)

    with pytest.raises(MappingInvalid) as caught:
        read_mapping(path)

    assert caught.value.fields["file"] == str(path)
    assert caught.value.fields["key"] == key
    assert allowed in str(caught.value.fields["allowed"])


def test_broken_toml_is_named_by_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('format = 1\n[book\ncurrency = "GBP"\n', encoding="utf-8")

    with pytest.raises(MappingInvalid) as caught:
        read_mapping(path)

    assert (caught.value.fields["line"], caught.value.fields["column"]) == (2, 6)


def test_toml_that_ends_too_early_is_named_by_its_end(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('format = 1\nbook = "', encoding="utf-8")

    with pytest.raises(MappingInvalid) as caught:
        read_mapping(path)

    assert caught.value.fields["line"] == 2


def test_a_mapping_that_is_not_there_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(MappingInvalid) as caught:
        read_mapping(tmp_path / "none.toml")

    assert caught.value.fields["file"] == str(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("first_minor", "limit_minor"),
    [(1, 1_000), (500, 1_500), (501, 1_600), (10_000, 9_000)],
)
def test_a_limit_follows_the_first_purchase_in_steps_between_floor_and_cap(
    first_minor: int, limit_minor: int
) -> None:
    rule = Limit(
        LimitRule.FIRST_PURCHASE,
        amount_minor=0,
        times=3,
        step_minor=100,
        floor_minor=1_000,
        cap_minor=9_000,
    )

    assert rule.of(first_minor) == limit_minor


def test_a_fixed_limit_is_the_same_for_everybody(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    fixed = '[limit]\nrule = "fixed"\namount_minor = 70_000\n\n[accounts]'
    path = tmp_path / "map.toml"
    path.write_text(re.sub(r"\[limit\].*?\[accounts\]", fixed, text, flags=re.DOTALL), "utf-8")

    rule = read_mapping(path).limit

    assert (rule.of(1), rule.of(10**9)) == (70_000, 70_000)


def test_every_key_and_every_choice_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "mapping.md").read_text(encoding="utf-8")
    keys = re.findall(r"^([a-z_]+) =", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    wanted = {*keys, *Condition, *LimitRule, "time_format", "delimiter", "encoding", "amount_minor"}

    assert [name for name in sorted(wanted) if f"`{name}`" not in text] == []

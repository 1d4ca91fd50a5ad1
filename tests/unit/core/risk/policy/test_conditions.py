"""A condition is understood whole, or refused with its part, both units and what was meant."""

import pytest

from fenqi.core.risk.policy.expression import said
from fenqi.core.risk.policy.fault import PolicyInvalid
from fenqi.core.risk.policy.parse import DEPTH_MAX, parse, parse_cell, parse_column
from fenqi.core.risk.policy.tokens import TEXT_MAX
from fenqi.core.risk.policy.trace import truth_of
from make_policy import VOCABULARY

UNDERSTOOD = {
    "purchases_24h > 3 and not is_held": {"purchases_24h": 4, "is_held": 0},
    "amount_minor > 500.00 CNY": {"amount_minor": 50_001},
    "amount_minor >= 500 JPY": {"amount_minor": 500},
    "amount_minor == 50000 minor": {"amount_minor": 50_000},
    "overdue_days < 2 weeks": {"overdue_days": 13},
    "overdue_days == 1 day + 48 hours": {"overdue_days": 3},
    "overdue_days > 0": {"overdue_days": 1},
    "overdue_days between 3 and 5 days": {"overdue_days": 3},
    "amount_minor between 1 and 2 CNY": {"amount_minor": 100},
    "utilisation_ppm between 10 and 20 %": {"utilisation_ppm": 200_000},
    "utilisation_ppm = 2.5 %": {"utilisation_ppm": 25_000},
    "share(used_minor, limit_minor) > 90 %": {"used_minor": 91, "limit_minor": 100},
    "part(limit_minor, 20 %) < amount_minor": {"limit_minor": 100, "amount_minor": 21},
    "used_minor + amount_minor > limit_minor": {
        "used_minor": 60,
        "amount_minor": 41,
        "limit_minor": 100,
    },
    "2 * purchases_24h - 1 >= max(purchases_7d, 3)": {"purchases_24h": 2, "purchases_7d": 1},
    "amount_minor // instalment_count < 10.00 CNY": {"amount_minor": 5_999, "instalment_count": 6},
    "limit_minor // amount_minor >= 3": {"limit_minor": 300, "amount_minor": 100},
    "regime in ('tight', \"easing\")": {"regime": 2},
    "account_status != 'open'": {"account_status": 1},
    "purchases_1h between 2 and 4 or is_student": {"purchases_1h": 4, "is_student": 0},
    "bureau_score is unknown": {"bureau_score": None},
    "not (bureau_score is unknown) and bureau_score < 600 points": {"bureau_score": 599},
    "-purchases_1h < -2": {"purchases_1h": 3},
}
REFUSED = {
    "amount_minor > 500": (
        "amount_minor > 500",
        "the units differ: amount_minor is an amount in minor units, 500 is a plain number; "
        "write such as 500.00 CNY or 50000 minor",
    ),
    "amount_minor + overdue_days > 0": (
        "amount_minor + overdue_days",
        "the units differ: amount_minor is an amount in minor units, overdue_days is days",
    ),
    "amount_miner > 0": ("amount_miner", "there is no input amount_miner (is amount_minor meant?)"),
    "regime == 'tigth'": (
        "'tigth'",
        "regime is never tigth (is tight meant?); it is one of normal, easing, tight",
    ),
    "regime > 'normal'": (
        "regime > 'normal'",
        "a choice has no order; compare it with == or !=, or use in",
    ),
    "regime == 1": ("1", "a choice is compared with a word in quotes, not a plain number"),
    "purchases_1h": (
        "purchases_1h",
        "yes or no is needed here; this is a count: compare it",
    ),
    "is_held == 1": ("is_held == 1", "is_held is yes or no already: write is_held or not is_held"),
    "overdue_days > 25 hours": ("25 hours", "this counts whole days; write such as 3 days"),
    "1 < purchases_1h < 3": (
        "1 < purchases_1h < 3",
        "comparisons are not chained; write: x between 3 and 5",
    ),
    "amount_minor * utilisation_ppm > 0": (
        "amount_minor * utilisation_ppm",
        "these are not multiplied: amount_minor is an amount in minor units, utilisation_ppm is a "
        "share in ppm; a share of an amount is part(amount, share)",
    ),
    "purchases_1h // 0 > 1": ("purchases_1h // 0", "this divides by zero"),
    "purchases_1h / 2 > 1": (
        "purchases_1h / 2 > 1",
        "/ would leave fractions; // divides and rounds down",
    ),
    "amount_minor > 1.005 CNY": ("1.005 CNY", "this is no whole number of the smallest unit"),
    "purchases_1h > 9223372036854775808": (
        "9223372036854775808",
        "this number does not fit into 64 bits",
    ),
    "purchases_1h > 3 is_held": (
        "purchases_1h > 3 is_held",
        "nothing may follow here, but is_held does",
    ),
    "purchases_1h >": ("purchases_1h >", "a value is missing here, before the end"),
    "(purchases_1h > 3": ("(purchases_1h > 3", "this parenthesis is not closed"),
    "purchases_1h > 3 && is_held": (
        "purchases_1h > 3 && is_held",
        "& is written as a word: and, or, not",
    ),
    "regime == 'tight": ("regime == 'tight", "this quote is not closed"),
    "purchases_1h is new": (
        "purchases_1h is new",
        "after is stands known or unknown; values are compared with ==",
    ),
    "purchases_1h in (1, purchases_24h)": (
        "purchases_24h",
        "a list holds numbers or words as they stand, nothing computed",
    ),
    "purchases_1h between 3": ("purchases_1h between 3", "between needs two ends: between 3 and 5"),
    "part(limit_minor, 3) > 0": (
        "part(limit_minor, 3)",
        "part takes a value and a share in ppm or %: limit_minor is an amount in minor units, "
        "3 is a plain number",
    ),
    "__import__('os') == 1": ("__import__", "there is no input __import__"),
}


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_a_condition_is_understood(text: str) -> None:
    truth = parse(text, VOCABULARY).truth
    assert truth_of(truth, UNDERSTOOD[text]) is True
    again = parse(said(truth), VOCABULARY).truth
    assert again == truth


@pytest.mark.parametrize("text", REFUSED)
def test_a_condition_is_refused_by_its_part(text: str) -> None:
    with pytest.raises(PolicyInvalid) as refusal:
        parse(text, VOCABULARY)
    fields = refusal.value.fields
    assert (fields["said"], fields["fault"]) == REFUSED[text]


def test_amounts_of_two_currencies_are_seen() -> None:
    parsed = parse("amount_minor > 5.00 CNY and used_minor > 3 JPY", VOCABULARY)
    assert parsed.currencies == {"CNY", "JPY"}


def test_a_condition_is_bounded_in_length_and_depth() -> None:
    deep = "(" * (DEPTH_MAX + 1) + "is_held" + ")" * (DEPTH_MAX + 1)
    denied = "not " * (DEPTH_MAX + 1) + "is_held"
    long = "is_held" + " or is_held" * (TEXT_MAX // 10)
    for text, told in ((deep, "in one another"), (denied, "in one another"), (long, "characters")):
        with pytest.raises(PolicyInvalid, match=told):
            parse(text, VOCABULARY)


CELLS = {
    "any": "otherwise",
    "": "otherwise",
    ">= 3": "purchases_24h >= 3",
    "between 1 and 3": "purchases_24h >= 1 and purchases_24h <= 3",
    "in (1, 2)": "purchases_24h in (1, 2)",
    "> purchases_1h": "purchases_24h > purchases_1h",
    "is unknown": "purchases_24h is unknown",
}


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_is_the_second_half_of_a_comparison(cell: str) -> None:
    column = parse_column("purchases_24h", VOCABULARY)
    assert said(parse_cell(cell, column, VOCABULARY).truth) == CELLS[cell]


def test_a_cell_of_a_flag_is_yes_or_no() -> None:
    column = parse_column("is_held", VOCABULARY)
    assert said(parse_cell("yes", column, VOCABULARY).truth) == "is_held"
    assert said(parse_cell("no", column, VOCABULARY).truth) == "not is_held"


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("3", "a cell is a comparison"),
        ("yes", "a cell is a comparison"),
        (">= 3 minor", "the units differ: the column is a count, 3 minor is an amount"),
        (">= 3 and is_held", "nothing may follow"),
    ],
)
def test_a_cell_that_is_none_is_refused(cell: str, told: str) -> None:
    column = parse_column("purchases_24h", VOCABULARY)
    with pytest.raises(PolicyInvalid, match=told):
        parse_cell(cell, column, VOCABULARY)

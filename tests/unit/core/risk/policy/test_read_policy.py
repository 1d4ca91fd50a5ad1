"""A policy is read whole, or refused with its line, the rule and what to do about it."""

import re

import pytest

from fenqi.core.risk.policy.fault import PolicyInvalid
from fenqi.core.risk.policy.read import SUPPRESSION_DEPTH_MAX, read, texts_of
from make_policy import HEAD, VOCABULARY, policy, policy_text

RULE = '[[rules]]\nid = "one"\nwhen = "{when}"\n{more}\n'
TABLE = """
[[tables]]
id = "menu"
hit = "first"
columns = ["utilisation_ppm"]
{more}
[[tables.rows]]
id = "low"
when = ["< 20 %"]
{low}
[[tables.rows]]
id = "rest"
otherwise = true
{rest}
"""
OFFER = 'offers = [{product = "flat", counts = [3]}]'
HOLD = 'effects = [{effect = "hold", hours = 4}]'
DECLINE = 'effects = [{effect = "decline"}]'


def rule(when: str = "is_held", more: str = "") -> str:
    return RULE.format(when=when, more=more)


def table(more: str = "", low: str = "", rest: str = "") -> str:
    return TABLE.format(more=more, low=low, rest=rest)


def refusal(body: str, **around: str) -> dict[str, object]:
    with pytest.raises(PolicyInvalid) as raised:
        read(policy_text(body, **around), VOCABULARY, file="tried.toml")
    return dict(raised.value.fields)


def line(body: str, fields: dict[str, object]) -> str:
    """Return the line of the policy that a refusal names."""
    number = fields["line"]
    assert isinstance(number, int)
    return policy_text(body).split("\n")[number - 1]


def test_a_policy_is_read_whole() -> None:
    found = policy(
        rule("is_held and amount_minor > 5.00 CNY", f'reason = "busy"\npoints = 20\n{HOLD}')
        + table('if_unknown = "rest"', OFFER, OFFER)
        + '[[thresholds]]\nat_least = 10\neffects = [{effect = "review", priority = 2}]\n'
        + '[[examples]]\nsays = "a"\noutcome = "approve"\ngiven = {is_held = false}\n'
    )
    assert [one.name for one in found.inputs] == ["amount_minor", "is_held", "utilisation_ppm"]
    assert [line.name for line in found.lines] == ["one", "menu.low", "menu.rest"]
    assert found.lines[0].acts[0].word == "hold:4"
    assert found.thresholds[0].at_least == 10
    assert found.examples[0].given == {"is_held": 0}
    assert texts_of(found, "zh") == {"busy": "原因", "late": "原因"}


def test_a_type_error_names_file_line_part_and_types() -> None:
    fields = refusal(rule("amount_minor > 500"))
    assert fields == {
        "file": "tried.toml",
        "line": 21,
        "column": 1,
        "where": "rule one",
        "said": "amount_minor > 500",
        "at": 1,
        "fault": (
            "the units differ: amount_minor is an amount in minor units, 500 is a plain number; "
            "write such as 500.00 CNY or 50000 minor"
        ),
    }


@pytest.mark.parametrize(
    ("body", "where", "told"),
    [
        (rule(more=DECLINE), "rule one", "decline harms the customer, who is told a reason"),
        (rule(more='reason = "other"'), "rule one", "there is no reason other; there are: busy"),
        (rule(more='effects = [{effect = "call"}]'), "rule one, effects 1", "must be one of nudge"),
        (
            rule(more='effects = [{effect = "hold", hours = 100}]\nreason = "busy"'),
            "rule one, effects 1",
            "a whole number from 1 to 72",
        ),
        (rule(more="effects = []"), "rule one", "effects is empty"),
        (rule() + rule(), "rule one", "there are two lines one"),
        (rule(more='suppressed_by = ["two"]'), "rule one", "two is no rule above this one"),
        (rule("channel_failures_30d > 3"), "rule one", "channel_failures_30d serves service"),
        (
            rule("complaints_90d > 3", f'purpose = "service"\nreason = "busy"\n{DECLINE}'),
            "rule one",
            "a line that serves service cannot lead to decline",
        ),
        (
            rule(
                "logins_24h > 3",
                'purpose = "fraud"\nreason = "busy"\n'
                'effects = [{effect = "smaller-limit", limit_ppm = 3}]',
            ),
            "rule one",
            "a line that serves fraud cannot lead to smaller-limit",
        ),
        (
            rule("overdue_days is unknown", f'reason = "busy"\n{DECLINE}'),
            "rule one",
            "must not turn true by not knowing",
        ),
        (
            rule("not (overdue_days is known and is_held)", f'reason = "busy"\n{DECLINE}'),
            "rule one",
            "must not turn true by not knowing",
        ),
        (
            rule("is_held or not (3 > 5)", f'reason = "busy"\n{DECLINE}'),
            "rule one",
            "it holds of somebody of whom nothing is known",
        ),
        (
            rule("accounts_per_ip_10m > 30", f'purpose = "fraud"\nreason = "busy"\n{DECLINE}'),
            "rule one",
            "accounts_per_ip_10m says too little of one person for decline",
        ),
        (
            rule(
                "accounts_per_ip_10m > 30",
                'purpose = "fraud"\nreason = "busy"\neffects = [{effect = "hold", hours = 25}]',
            ),
            "rule one",
            "too little of one person for hold 25",
        ),
        (
            rule(more="points = 5")
            + '[[thresholds]]\nat_least = 5\neffects = [{effect = "decline"}]\n',
            "rule one",
            "its points may lead to threshold 5, which harms; give it a reason",
        ),
        (
            rule("overdue_days is known", 'points = -5\nreason = "busy"')
            + '[[thresholds]]\nat_least = 5\neffects = [{effect = "decline"}]\n',
            "rule one",
            "must not turn true by not knowing",
        ),
        (table(low=OFFER, rest=OFFER), "table menu", "says by if_unknown which row counts"),
        (table('if_unknown = "none"'), "table menu", "the table has no row none"),
        (
            table('if_unknown = "rest"', rest=f'reason = "busy"\n{HOLD}'),
            "table menu",
            "row rest harms or has points",
        ),
        (
            table(low='effects = [{effect = "hold", hours = 4}]'),
            "table menu, row low",
            "hold harms",
        ),
        (
            table(low="points = 3") + "[[thresholds]]\nat_least = 0\n",
            "thresholds 1",
            "at_least is 0; it must be a whole number from 1",
        ),
        (
            rule("amount_minor > 5.00 CNY") + rule("amount_minor > 5 JPY").replace("one", "two"),
            "rule two",
            "in one currency; here are CNY, JPY",
        ),
        (
            rule() + '[[examples]]\nsays = "x"\ngiven = {is_hold = true}\noutcome = "approve"\n',
            "example x",
            "there is no input is_hold",
        ),
        (
            rule() + '[[examples]]\nsays = "x"\ngiven = {is_held = 7}\noutcome = "approve"\n',
            "example x",
            "is_held is 7; it must be true or false",
        ),
        (
            rule() + '[[examples]]\nsays = "x"\ngiven = {is_held = true}\noutcome = "maybe"\n',
            "example x",
            'outcome is "maybe"; it must be one of approve',
        ),
        (
            rule(more='points = "3"'),
            "rule one",
            'points is "3"; it must be a whole number from -1000 to 1000',
        ),
        (rule(more="point = 3"), "rule one", "take it away (is points meant?)"),
        (rule().replace("when", "wen"), "rule one", "when is missing; it must be a text (is wen"),
        (
            rule()
            + '[[examples]]\nsays = "x"\noutcome = "approve"\n'
            + "given = {overdue_days = 9223372036854775808}\n",
            "example x",
            "it must be a whole number of 64 bits (days)",
        ),
        (rule("overdue_days > " + "-" * 900 + "5"), "rule one", "signs in one another"),
        (rule("purchases_24h > \uff15"), "rule one", "\uff15 has no meaning in a condition"),
    ],
)
def test_a_policy_is_refused_with_where_and_why(body: str, where: str, told: str) -> None:
    fields = refusal(body)
    assert fields["where"] == where
    assert told in str(fields["fault"])
    assert fields["file"] == "tried.toml"
    assert isinstance(fields["line"], int)


def test_cells_and_columns_must_be_as_many() -> None:
    body = table().replace('["< 20 %"]', '["< 20 %", "any"]')
    fields = refusal(body)
    assert fields["fault"] == "when has 2 cells, the table 1 columns"
    assert line(body, fields) == 'when = ["< 20 %", "any"]'


def test_rows_of_the_second_table_have_their_own_lines() -> None:
    second = table().replace("menu", "other").replace('["< 20 %"]', '["< 20"]')
    fields = refusal(table() + second)
    assert fields["where"] == "table other, row low"
    assert line(table() + second, fields) == 'when = ["< 20"]'
    inline = table(rest='effects = [{effect = "hold"}]')
    assert line(inline, refusal(inline)) == 'effects = [{effect = "hold"}]'


def test_suppression_is_bounded() -> None:
    body = rule()
    for number in range(SUPPRESSION_DEPTH_MAX + 1):
        above = f"n{number - 1}" if number else "one"
        body += rule(more=f'suppressed_by = ["{above}"]').replace('id = "one"', f'id = "n{number}"')
    assert "suppress one another in a row" in str(refusal(body)["fault"])


def test_a_policy_without_bound_is_refused() -> None:
    long = " or ".join(["purchases_24h > 3"] * 90)
    rules = "".join(rule(long).replace('"one"', f'"r{number}"') for number in range(80))
    assert "more than 20000 steps" in str(refusal(rules)["fault"])
    many = "".join(rule().replace('"one"', f'"r{number}"') for number in range(1001))
    assert "at most 1000 are read" in str(refusal(many)["fault"])
    assert "500000 bytes" in str(refusal("#" * 500_001)["fault"])


def test_what_is_no_toml_is_told_with_its_line() -> None:
    fields = refusal("[[rules]\n")
    assert str(fields["fault"]).startswith("this is no TOML")
    assert fields["line"] == 19


def test_what_is_no_toml_for_its_depth_is_told_too() -> None:
    assert "too deep" in str(refusal("a = " + "[" * 5000 + "]" * 5000)["fault"])


def test_a_policy_says_who_owns_it_and_when_it_begins() -> None:
    assert refusal(rule(), head=HEAD.replace('owner = "risk"', ""))["where"] == "the policy"
    backwards = HEAD + "valid_until = 2025-01-01\n"
    assert "a day after 2026-01-01" in str(refusal(rule(), head=backwards)["fault"])


@pytest.mark.parametrize("author", ["\u3164", "mei\u200b", "\ufe0f", "x" * 81])
def test_the_author_of_a_policy_is_a_name_that_is_seen(author: str) -> None:
    written = re.sub('author = ".*"', f'author = "{author}"', HEAD)
    assert "the name of a person" in str(refusal(rule(), head=written)["fault"])

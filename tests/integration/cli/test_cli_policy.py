"""The commands of policies, through the program's own door."""

import json
import shlex
from pathlib import Path

import pytest
from make_program import Run, program

from fenqi.store.policies import SHIPPED
from make_policy import one_rule

PURCHASE = SHIPPED / "purchase.toml"


@pytest.fixture
def fenqi(lived_url: str) -> Run:
    """Runs the program on the lived book's database."""
    return program(lived_url, columns=120)


@pytest.fixture
def alone() -> Run:
    """Runs the program without any database."""
    return program("postgresql://nobody@localhost:1/none", columns=120)


def own(tmp_path: Path, *changes: tuple[str, str], version: int = 4) -> Path:
    """Write the shipped purchase policy with changes, as another version by another author."""
    text = PURCHASE.read_text("utf-8")
    for old, new in (("version = 3", f"version = {version}"), ('"fenqi"', '"Li Wei"'), *changes):
        assert old in text
        text = text.replace(old, new, 1)
    file = tmp_path / f"purchase{version}.toml"
    file.write_text(text, "utf-8")
    return file


def test_check_tells_rules_coverage_and_cost_without_a_database(alone: Run) -> None:
    ended = alone("policy", "check", str(PURCHASE))
    assert ended.exit_code == 0
    assert "purchase 3: decides purchase" in ended.stdout
    assert "identity-changed" in ended.stdout
    assert "steps" in ended.stdout
    told = json.loads(alone("policy", "check", str(PURCHASE), "--json").stdout)
    assert told["findings"] == []
    assert told["steps"] <= told["steps_max"]


def test_a_type_error_ends_with_2_and_tells_file_line_part_and_units(
    alone: Run, tmp_path: Path
) -> None:
    file = own(tmp_path, ("amount_minor > 200000 minor", "amount_minor > 200000"))
    ended = alone("policy", "check", str(file))
    assert ended.exit_code == 2
    line = 1 + file.read_text("utf-8").split("\n").index(
        'when = "purchases_30d >= 3 and amount_minor > 3 * purchase_amount_max_90d '
        'and amount_minor > 200000"'
    )
    assert f"{file}, line {line}: rule far-above-habit: in `amount_minor > 200000`" in ended.output
    assert "amount_minor is an amount in minor units, 200000 is a plain number" in ended.output
    chinese = alone("policy", "check", str(file), FENQI_LANGUAGE="zh")
    assert f"第 {line} 行" in chinese.output


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("overdue_days > 0", "overdue_day > 0", "there is no input overdue_day (is overdue_days"),
        ("overdue_days > 0", "overdue_days is unknown", "must not turn true by not knowing"),
        ("payments_late_180d >= 3", "channel_failures_30d >= 3", "serves service"),
        ('reason = "payment-overdue"\n', "", "harms the customer, who is told a reason"),
        ("[[rules]]", "[[rules]", "this is no TOML"),
    ],
)
def test_what_is_wrong_is_told_and_ends_with_2(
    alone: Run, tmp_path: Path, old: str, new: str, told: str
) -> None:
    ended = alone("policy", "check", str(own(tmp_path, (old, new))))
    assert ended.exit_code == 2
    assert told in ended.output
    assert "Traceback" not in ended.output


def test_all_conditions_that_cannot_be_read_are_named_at_once(alone: Run, tmp_path: Path) -> None:
    wrong = [
        ("overdue_days > 0", "overdue_day > 0"),
        ("applications_24h >= 5", "aplications_24h >= 5"),
    ]
    file = own(tmp_path, *wrong)
    ended = alone("policy", "check", str(file))
    assert ended.exit_code == 2
    lines = file.read_text("utf-8").split("\n")
    for name in ("overdue_day", "aplications_24h"):
        line = 1 + next(place for place, one in enumerate(lines) if f"{name} " in one)
        assert f"{file}, line {line}: " in ended.stderr
        assert f"there is no input {name} (is " in ended.stderr
    chinese = alone("policy", "check", str(file), FENQI_LANGUAGE="zh").stderr
    assert chinese.count("行") == 2


def test_a_fault_of_the_check_is_told_and_ends_with_2(alone: Run, tmp_path: Path) -> None:
    file = own(tmp_path, ("applications_24h >= 5", "applications_24h >= 6"))
    ended = alone("policy", "check", str(file))
    assert ended.exit_code == 2
    assert "example five applications in a day" in ended.output
    text = file.read_text("utf-8")
    line = 1 + text[: text.index('says = "five applications')].count("\n")
    told = json.loads(alone("policy", "check", str(file), "--json").stdout)
    fault = next(one for one in told["findings"] if one["is_fault"])
    assert (fault["file"], line < fault["line"] <= line + 6) == (str(file), True)
    assert f"{file}, line {fault['line']}: example five" in ended.stderr
    missing = alone("policy", "check", str(tmp_path / "none.toml"))
    assert (missing.exit_code, "No such file" in missing.output) == (2, True)


def test_adopt_list_diff_and_rollback(fenqi: Run, tmp_path: Path) -> None:
    file = own(tmp_path, ("used_minor + amount_minor > limit_minor", "amount_minor > 1 minor"))
    refused = fenqi("policy", "adopt", str(file), "--by", "li wei")
    assert refused.exit_code == 2
    assert "li wei wrote purchase 4 and cannot adopt it" in refused.output
    refused = fenqi("policy", "adopt", str(own(tmp_path, version=5)), "--by", " ")
    assert refused.exit_code == 2
    unsound = fenqi("policy", "adopt", str(file), "--by", "Wang Fang")
    assert unsound.exit_code == 2  # its examples do not come out any more
    file = own(tmp_path, ("counts_max = 12", "counts_max = 9"))
    adopted = fenqi("policy", "adopt", str(file), "--by", "Wang Fang", "--because", "shorter")
    assert adopted.exit_code == 0, adopted.output
    assert "purchase 4 decides purchase from now on" in adopted.stdout
    listed = json.loads(fenqi("policy", "list", "--json").stdout)
    kinds = [one for one in listed if one["kind"] == "purchase"]
    assert [(one["version"], one["adopted_by"]) for one in kinds] == [
        (3, "operator"),
        (4, "Wang Fang"),
    ]
    told = fenqi("policy", "list")
    assert "live, shorter" in told.stdout
    found = fenqi("policy", "diff", "purchase:3", "purchase:4", "--days", "3650", "--json")
    assert json.loads(found.stdout)["changed"] == 0
    lines = json.loads(found.stdout)["lines"]
    assert lines["menu.low"]["first_reason"] == lines["menu.low"]["second_reason"] == "score-low"
    program, *words = shlex.split(adopted.stdout.splitlines()[-1])
    assert program == "fenqi"
    back = fenqi(*words)  # as it was printed
    assert "purchase 3 decides purchase again" in back.stdout
    again = fenqi("policy", "rollback", "purchase", "--by", "Wang Fang", "--because", "more")
    assert again.exit_code == 2
    assert "nothing to go back to" in again.output


def test_diff_tells_what_another_policy_would_have_decided(fenqi: Run, tmp_path: Path) -> None:
    small = tmp_path / "small.toml"
    text = one_rule("small", "amount_minor > 100000 minor", "decline", reason="large")
    small.write_text(text, "utf-8")
    smaller = tmp_path / "smaller.toml"
    smaller.write_text(small.read_text("utf-8").replace("100000", "10000"), "utf-8")
    ended = fenqi("policy", "diff", str(small), str(smaller), "--days", "3650")
    assert ended.exit_code == 0, ended.output
    assert "come out otherwise" in ended.stdout
    told = json.loads(
        fenqi("policy", "diff", str(small), str(smaller), "--days", "3650", "--json").stdout
    )
    assert told["compared"] == told["seen"] > 0
    assert sum(one["decisions"] for one in told["outcomes"]) == told["compared"]
    assert told["lines"]["large"]["second"] - told["lines"]["large"]["first"] == told["changed"]
    other = fenqi("policy", "diff", str(small), str(SHIPPED / "limit.toml"))
    assert other.exit_code == 2
    assert "only policies of one kind are compared" in other.output
    none = fenqi("policy", "diff", "nothing:7", str(small))
    assert none.exit_code == 2
    assert "nothing 7 was never adopted" in none.output


def test_a_policy_is_checked_against_what_a_book_sells_where_one_is_named(
    fenqi: Run, tmp_path: Path
) -> None:
    products = tmp_path / "own" / "products"
    products.mkdir(parents=True)
    text = (SHIPPED.parent / "products" / "annuity18.toml").read_text("utf-8")
    (products / "ours.toml").write_text(text.replace('"annuity18"', '"ours"', 1), "utf-8")
    file = own(
        tmp_path, ('{ product = "unsplit", counts = [1] }', '{ product = "ours", counts = [3] }')
    )
    alone = fenqi("policy", "check", str(file), FENQI_LANGUAGE="en")
    assert alone.exit_code == 2
    assert "there is no product ours; there are: annuity18, flat" in alone.stderr
    assert "Checked against what the files sell; --book NAME" in alone.stdout
    assert fenqi("report", FENQI_CATALOGUE=str(products.parent)).exit_code == 0  # installs it
    of_book = fenqi("policy", "check", str(file), "--book", "small", FENQI_LANGUAGE="en")
    assert of_book.exit_code == 0, of_book.output
    assert "Checked against what the book small sells." in of_book.stdout
    nowhere = fenqi("policy", "check", str(file), "--book", "nowhere", FENQI_LANGUAGE="en")
    assert (nowhere.exit_code, nowhere.stdout) == (2, "")
    assert "There is no book nowhere. There are: small." in nowhere.stderr

"""A change in how somebody pays, at the door: the duty runs, and what it decided is told."""

import json
from datetime import date, timedelta
from pathlib import Path

from make_book import World, buy, enrol, pay, row, until
from make_paying import fails, settle, told
from make_program import Run

from fenqi.core.values.ids import AccountId
from fenqi.store.policies import SHIPPED

REPAYMENT = SHIPPED / "repayment.toml"


def late(world: World) -> AccountId:
    """Let somebody be five days late with three debits that failed."""
    account = enrol(world)
    buy(world, account, 300_000, "flat", 3)
    until(world, date(2026, 2, 15))
    for _ in range(3):
        fails(world, account, "customer")
    settle(world)
    return account


def test_an_operator_runs_the_duty_and_reads_shows_and_makes_again_what_it_decided(
    world: World, fenqi: Run, tmp_path: Path
) -> None:
    account = late(world)
    for _ in range(2):  # what is decided is decided once
        ran = fenqi("worker", "run", "--once", FENQI_DUTIES="repayment")
        assert ran.exit_code == 0, ran.output
    listed = json.loads(fenqi("decision", "list", "--json", "--kind", "repayment").output)
    assert [one["outcome"] for one in listed] == ["hold"]
    decision = listed[0]["decision_id"]
    assert listed == json.loads(
        fenqi("decision", "list", "--json", "--account", account, "--outcome", "hold").output
    )
    shown = fenqi("decision", "show", decision).output
    for words in (
        "payments-keep-failing",
        "Payments failed several times while something is late",
        "debits-fail-while-late",
        "late_spells_365d",
    ):
        assert words in shown
    chinese = fenqi("decision", "show", decision, FENQI_LANGUAGE="zh").output
    assert "扣款多次未成功" in chinese
    again = fenqi("decision", "replay", decision)
    assert (again.exit_code, "The same" in again.output) == (0, True)
    file = tmp_path / "decision.json"
    file.write_text(fenqi("decision", "show", "--json", decision).output, "utf-8")
    nowhere = "postgresql://nobody@127.0.0.1:1/nowhere"
    again = fenqi("decision", "replay", file, FENQI_DATABASE_URL=nowhere)
    assert (again.exit_code, "The same" in again.output) == (0, True)
    assert [kind for kind, _ in told(world, account)] == ["nudged", "protection-placed"]
    assert json.loads(fenqi("case", "list", "--json", "--account", account).output)
    assert fenqi("ledger", "check").exit_code == 0


def test_a_policy_is_compared_with_the_live_one_on_what_was_decided_and_runs_in_the_shadow(
    world: World, fenqi: Run, tmp_path: Path
) -> None:
    late(world)
    began = fenqi("shadow", "start", milder(tmp_path), "--by", "Li Na", "--days", "9")
    assert began.exit_code == 0, began.output
    fenqi("worker", "run", "--once", FENQI_DUTIES="repayment")
    ran = fenqi("worker", "run", "--once", FENQI_DUTIES="shadow")
    assert ran.exit_code == 0, ran.output
    pairs = """
        SELECT d.outcome || ' ' || v.outcome
        FROM shadow_verdicts AS v JOIN decisions AS d USING (account_id, decision_id)
    """
    assert row(world.store, pairs) == "hold review"
    found = fenqi("policy", "diff", "repayment", milder(tmp_path), "--days", "9")
    assert found.exit_code == 0, found.output
    assert "hold" in found.output
    assert "debits-fail-while-late" in found.output


def milder(tmp_path: Path) -> Path:
    """Write the shipped policy without its hold, as another version by another author."""
    text = REPAYMENT.read_text("utf-8")
    for old, new in (
        ("version = 2", "version = 3"),
        ('author = "fenqi"', 'author = "Li Wei"'),
        ('{ effect = "hold", hours = 12 }, ', ""),
        ('outcome = "hold"\neffects = ["hold:12", "review:2", "nudge"]\n', 'outcome = "review"\n'),
        ('reasons = ["payments-keep-failing", "debit-failed"]\n', ""),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    file = tmp_path / "milder.toml"
    file.write_text(text, "utf-8")
    return file


def test_what_nothing_carries_out_cannot_be_adopted(fenqi: Run, tmp_path: Path) -> None:
    text = REPAYMENT.read_text("utf-8").replace('{ effect = "relief" }', '{ effect = "step-up" }')
    file = tmp_path / "checks.toml"
    file.write_text(text, "utf-8")
    found = fenqi("policy", "check", file)
    assert found.exit_code == 2
    assert "step-up" in found.output


def test_who_paid_is_released_by_the_next_round(world: World, fenqi: Run) -> None:
    account = late(world)
    fenqi("worker", "run", "--once", FENQI_DUTIES="repayment")
    world.clock.set(world.clock.now() + timedelta(minutes=1))
    pay(world, account, 102_500)
    settle(world)
    ran = fenqi("worker", "run", "--once", FENQI_DUTIES="repayment")
    assert ran.exit_code == 0, ran.output
    assert told(world, account)[-1][1]["finding"] == "cured"
    listed = json.loads(fenqi("decision", "list", "--json", "--kind", "repayment").output)
    assert [one["outcome"] for one in listed] == ["nudge", "hold"]

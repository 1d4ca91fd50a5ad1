"""The three scenes of the mission, told from the doors to the ledger, by what is shipped.

A customer who changes phone and device after borrowing; forty accounts at one address; five
applications in a day. Nothing here is a stand-in: the server is embedded, commands and the worker
are programs of their own, and every decision is made by the shipped policies and rules.
"""

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from town import BOOK, Town, town

from fenqi.core.values.ids import AccountId
from fenqi.store.server import Server
from make_form import CONSENTS, form_of

pytestmark = pytest.mark.timeout(1800)  # seconds: each scene is dozens of whole programs
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
IDENTITY_ZH = "您在借款后两天内多次更换手机号和设备。"
IDENTITY_EN = "Phone and device were changed several times within two days after borrowing."
ADDRESS_ZH = "短时间内有大量账户从您登录所用的网络登录。"
ADDRESS_EN = "Very many accounts signed in within minutes from the network you used."
SHARED_ZH = "使用了相同的设备、银行卡或手机号。"
SHARED_EN = "A device, bank card or phone number of your account was also in use"
OFTEN_ZH = "今天有多次申请来自您本人"
OFTEN_EN = "Several applications came today from you,"
HELD = """
SELECT kind, account_id FROM protections
WHERE kind IN ('hold', 'freeze') AND ended_at IS NULL AND ends_at > %(now)s
"""
PLACED = "SELECT DISTINCT placed_at FROM protections WHERE kind IN ('hold', 'freeze')"
# Whoever is frozen may have been held for a moment before, while others were still to come.
ENDED = """
SELECT kind, finding, COUNT(*)::int FROM protections
WHERE kind IN ('hold', 'freeze') AND finding <> 'replaced' AND ended_at IS NOT NULL
GROUP BY 1, 2 ORDER BY 1, 2
"""


@pytest.fixture
def here(private_folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Town]:
    data = private_folder / request.node.name.partition("[")[0][:40]
    try:
        with town(data, tmp_path / "clock") as opened:
            yield opened
    finally:
        Server(data / "postgres").stop()


def told(here: Town, account: object) -> tuple[str, str]:
    """Return all that a customer was told, in English and in Chinese."""
    words = ("decision", "told", account)
    return here.fenqi(*words), here.fenqi(*words, language="zh-CN")


def protected(here: Town) -> dict[str, set[AccountId]]:
    """Return who is held and who is frozen now."""
    found: dict[str, set[AccountId]] = {"hold": set(), "freeze": set()}
    for kind, account in here.rows(HELD, now=here.clock.now()):
        found[kind].add(account)
    return found


def processor_seconds(pid: int) -> float:
    """Return the processor time a program has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def test_phone_and_device_changed_thrice_after_borrowing(here: Town) -> None:
    (account,) = here.enrol(["ann"])
    assert here.buy(account, 90_000).outcome == "approve"
    here.wait(hours=1)
    here.observe(here.fact(account, "login", ip="203.0.113.5", device="old phone"))
    here.wait(hours=8)
    assert here.observe(here.fact(account, "device-changed", device="new phone"))["outcomes"] == {
        "approve": 1
    }
    here.wait(hours=9)
    first = here.observe(here.fact(account, "phone-changed", phone="+86 138 0013 8000"))
    assert first["outcomes"] == {"step-up": 1}
    here.wait(hours=9)
    second = here.observe(here.fact(account, "phone-changed", phone="+86 138 0013 8001"))
    # Nobody else is at work: all of this stands when the third change is stored.
    assert second["outcomes"] == {"hold": 1}
    assert protected(here) == {"hold": {account}, "freeze": set()}
    (case,) = here.asked("case", "list", "--account", account)
    assert (case["kind"], case["priority"]) == ("review", 1)
    assert here.buy(account, 10_000).outcome == "decline"
    # Repaying goes on: the money arrives and pays what is owed.
    paid = here.pay(account, 20_000)
    assert (paid.paid_minor, paid.credit_minor) == (20_000, 0)
    here.assert_sound()
    english, chinese = told(here, account)
    assert IDENTITY_EN in english
    assert "New purchases wait until" in english
    assert "It can be contested until" in english
    assert IDENTITY_ZH in chinese
    assert "前申诉" in chinese
    # The hold ends by itself; the check that was asked for is answered, and purchases go on.
    with here.working():
        here.wait(hours=12, minutes=1)
        here.until(lambda: bool(here.rows(ENDED)))
    assert protected(here) == {"hold": set(), "freeze": set()}
    assert here.rows(ENDED) == [("hold", "expired", 1)]
    assert here.buy(account, 10_000).outcome == "step-up"
    here.fenqi("verify", account, "--by", "mei")
    assert here.buy(account, 10_000).outcome == "approve"
    here.fenqi("case", "close", case["case_id"], "confirmed", "spoke to her", "--by", "mei")
    here.close_days(here.clock.now().date() - timedelta(days=1))
    here.assert_sound()


def logins(here: Town, accounts: list[AccountId], ip: str, **shared: str) -> None:
    """Let accounts log in from one address, each with a device of its own unless they share one."""
    here.observe(
        *(
            here.fact(one, "login", ip=ip, device=shared.get("device", f"of {one}"))
            for one in accounts
        )
    )


def test_forty_accounts_log_in_from_one_address_in_ten_minutes(here: Town) -> None:
    old = here.enrol([f"old-{number}" for number in range(12)])
    for one in old:
        here.pay(one, 1)
    here.wait(days=100)
    here.close_days(here.clock.now().date() - timedelta(days=1))
    ring = here.enrol([f"ring-{number}" for number in range(40)])
    students = here.enrol([f"student-{number}" for number in range(40)])
    debtor, free, tied = ring[0], ring[:35], ring[35:]
    assert here.buy(debtor, 90_000).outcome == "approve"
    here.fenqi(
        *("place", "add", "198.51.100.0/24", "--kind", "campus"),
        *("--note", "halls of the north campus", "--by", "mei"),
    )
    with here.working() as worker:
        logins(here, free[:9], "203.0.113.9")
        here.wait(minutes=4)
        assert protected(here) == {"hold": set(), "freeze": set()}
        began, before = here.clock.now(), processor_seconds(worker.pid)
        logins(here, free[9:], "203.0.113.9")
        here.until(lambda: protected(here)["hold"] >= set(free))
        here.wait(minutes=4)
        logins(here, tied, "203.0.113.9", device="farm")
        everybody = {"hold": set(free), "freeze": set(tied)}
        here.until(lambda: protected(here) == everybody)
        # The clock did not move between a login and the hold, and the work of it was no second's.
        assert {one for (one,) in here.rows(PLACED)} == {began, here.clock.now()}
        assert processor_seconds(worker.pid) - before < 1.0
        (case,) = here.asked("case", "list")
        assert (case["kind"], case["subject"]) == ("investigation", "ring")
        story = here.asked("case", "show", case["case_id"])
        assert graph(story) == set(tied)
        assert {here.buy(one).outcome for one in (free[0], tied[0])} == {"decline"}
        assert here.pay(debtor, 30_000).paid_minor == 30_000
        the_customers_are_told_why(here, free[1], tied[1], ring)

        # A campus that is written down, and a crowd of long-standing customers: a person looks.
        logins(here, students, "198.51.100.77")
        logins(here, old, "192.0.2.8")
        here.until(lambda: len(here.asked("case", "list")) == 3)
        places = [one for one in here.asked("case", "list") if one["subject"] == "crowded-place"]
        assert [one["kind"] for one in places] == ["review", "review"]
        assert protected(here) == everybody
        assert {here.buy(one).outcome for one in (students[0], old[0])} == {"approve"}

        # Holds end by themselves, freezes when a person finds that nothing is wrong.
        here.wait(hours=6, minutes=1)
        here.until(lambda: here.rows(ENDED) == [("hold", "expired", len(free))])
        assert protected(here) == {"hold": set(), "freeze": set(tied)}
        assert here.buy(free[0]).outcome == "approve"
        assert here.buy(tied[0]).outcome == "decline"
        words = ("false-alarm", "a wedding, and the couple's tablet", "--by", "mei")
        here.fenqi("case", "close", case["case_id"], *words)
    assert protected(here) == {"hold": set(), "freeze": set()}
    assert here.buy(tied[0]).outcome == "approve"
    assert here.rows(ENDED) == [
        ("freeze", "false-alarm", len(tied)),
        ("hold", "expired", len(free)),
    ]
    closed = here.asked("case", "show", case["case_id"])
    assert closed["line"]["outcome"] == "false-alarm"
    here.assert_sound()


def graph(story: Any) -> set[AccountId]:
    """Return whom the links in a case's evidence tie together."""
    drawn = [each for entry in story["entries"] for each in entry["evidence"].get("links", ())]
    assert {kind for _, kind, *_ in drawn} == {"device"}
    return {AccountId(UUID(account)) for account, *_ in drawn}


def the_customers_are_told_why(
    here: Town, held: AccountId, frozen: AccountId, ring: list[AccountId]
) -> None:
    for account, english, chinese in (
        (held, ADDRESS_EN, ADDRESS_ZH),
        (frozen, SHARED_EN, SHARED_ZH),
    ):
        said = told(here, account)
        assert english in said[0]
        assert chinese in said[1]
        for other in ring:
            assert str(other) not in said[0].replace(str(account), "")


def test_five_applications_in_a_day(here: Town, tmp_path: Path) -> None:
    form = tmp_path / "form.toml"
    made = []
    for number in range(5):
        text = form_of(f"customer-{number}", key=f"form-{number}")
        form.write_text(text + CONSENTS, "utf-8")
        made.append(here.asked("apply", form, "--book", BOOK))
        here.wait(hours=2)
    # Not one is declined, and a person is told.
    assert [one["state"] for one in made] == ["offered"] * 5
    (case,) = here.asked("case", "list")
    assert (case["kind"], case["subject"], case["priority"]) == ("review", "many-applications", 2)
    assert made[4]["outcome"] == "review"
    # Every open offer waits for a check and has a cooler menu, the first as well as the last.
    for one in made:
        shown = here.asked("application", "show", one["application_id"])
        assert (shown["needs_step_up"], shown["counts_max"]) == (True, 3)
        assert OFTEN_EN in " ".join(shown["texts"])
        chinese = here.fenqi("application", "show", one["application_id"], language="zh-CN")
        assert OFTEN_ZH in chinese
        sign = ("application", "sign", one["application_id"], "--costs", one["cost_table"])
        assert "a second factor" in here.fenqi(*sign, code=2)
    sign = ("application", "sign", made[0]["application_id"], "--costs", made[0]["cost_table"])
    assert json.loads(here.fenqi(*sign, "--checked", "--json"))["state"] == "accepted"
    account = AccountId(UUID(made[0]["application_id"]))
    asked = here.buy(account, 60_000, "flat", 12)
    assert asked.outcome == "other-plan"
    assert {offer[1] for offer in asked.offers} == {1, 3}
    assert here.buy(account, 60_000, "flat", 3).outcome == "approve"
    here.pay(account, 10_000)
    english, chinese = told(here, account)
    assert "another plan is to be chosen" in english
    assert OFTEN_EN in english
    assert OFTEN_ZH in chinese
    here.assert_sound()

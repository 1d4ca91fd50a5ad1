"""Facts at the door: a file told whole or not at all, once, and nobody's number repeated."""

import csv
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from make_book import World, assert_sound, enrol, kinds, row, rows
from make_program import Run

from fenqi.channels import fact_file
from fenqi.cli import observe as door
from fenqi.core.errors import FenqiError
from fenqi.core.values.ids import AccountId
from fenqi.desk import FLOWS, Desk
from fenqi.flows.observe import Observe, Observed, observe
from fenqi.store.ground import Ground
from fenqi.store.pool import DatabaseGone, OutcomeUnknown

ADDRESS, DEVICE, PHONE, CARD = (
    "203.0.113.77",
    "android-4711",
    "+86 138 0013 8000",
    "6222020200112233",
)
HOME = "8 Long Lane, Shanghai"
IDENTITIES = (ADDRESS, DEVICE, PHONE, "13800138000", CARD, HOME, HOME.casefold())


def one(account: AccountId, kind: str, at: datetime, **said: Any) -> dict[str, Any]:
    return {"account": str(account), "kind": kind, "happened_at": at.isoformat(), **said}


def every_kind(account: AccountId, at: datetime) -> list[dict[str, Any]]:
    """Return a fact of every kind."""
    where = {"ip": ADDRESS, "device": DEVICE}
    told: list[tuple[str, dict[str, Any]]] = [
        ("login", where),
        ("device-changed", {"device": DEVICE}),
        ("phone-changed", {"phone": PHONE}),
        ("card-changed", {"card": CARD, **where}),
        ("address-changed", {"address": HOME}),
        ("payment-failed", {"cause": "customer", "amount_minor": 1_200, "channel": "wechat"}),
        ("purchase-attempted", {"amount_minor": 99_00, "merchant": "shop", **where}),
        ("basket", {"category": "phones", "amount_minor": 99_00}),
        ("channel-failed", {"channel": "wechat"}),
        ("channel-restored", {"channel": "wechat"}),
        ("complaint", {"topic": "fees"}),
    ]
    return [one(account, kind, at, **said) for kind, said in told]


def write(file: Path, facts: list[Any]) -> Path:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in facts]
    file.write_text("".join(f"{each}\n" for each in lines), encoding="utf-8")
    return file


def facts_stored(world: World) -> int:
    return int(row(world.store, "SELECT COUNT(*) FROM commands WHERE kind = 'observe'"))


def everything_kept(world: World) -> str:
    """Return every row of every table as text."""
    tables = rows(world.store, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = [rows(world.store, f"SELECT t::text FROM {name} AS t") for (name,) in tables]
    return "\n".join(sorted(text for table in found for (text,) in table))


def test_every_kind_of_fact_is_told_once_and_told_again_nothing_changes(
    world: World, fenqi: Run, tmp_path: Path
) -> None:
    account, at = enrol(world), world.clock.now()
    file = write(tmp_path / "facts.jsonl", every_kind(account, at))
    ended = fenqi("observe", file)
    assert (ended.exit_code, ended.stdout.splitlines()[0]) == (
        0,
        f"{file}: new facts stored: 11",
    )
    told = [each["kind"] for each in every_kind(account, at)]
    assert [kind for kind in kinds(world, account) if kind in told] == told
    before = everything_kept(world)
    again = fenqi("observe", file)
    assert again.stdout.splitlines() == [
        f"{file}: new facts stored: 0",
        "        11 were known already",
        "Nothing was changed: all of it was known already.",
    ]
    assert everything_kept(world) == before
    assert_sound(world)


def test_the_same_facts_as_csv_or_from_standard_input_are_the_same_facts(
    world: World, fenqi: Run, tmp_path: Path
) -> None:
    facts = every_kind(enrol(world), world.clock.now())
    text = write(tmp_path / "facts.jsonl", facts).read_text()
    told = json.loads(fenqi("observe", "-", "--json", taken=text).stdout)
    assert (told["stored"], told["known"]) == (11, 0)
    file = tmp_path / "facts.csv"
    with file.open("w", encoding="utf-8-sig", newline="") as opened:
        table = csv.DictWriter(opened, fact_file.OF_LINES)
        table.writeheader()
        table.writerows(facts)
    told = json.loads(fenqi("observe", file, "--json").stdout)
    assert (told["stored"], told["known"]) == (0, 11)
    told = json.loads(fenqi("observe", "-", "--csv", "--json", taken=file.read_text()).stdout)
    assert (told["stored"], told["known"]) == (0, 11)


def test_identity_values_are_kept_and_repeated_nowhere(
    world: World, fenqi: Run, tmp_path: Path
) -> None:
    account, at = enrol(world), world.clock.now()
    facts = every_kind(account, at)
    said = [fenqi("observe", write(tmp_path / "good.jsonl", facts)).output]
    misplaced = [
        one(account, PHONE, at),
        one(account, "login", at) | {"account": PHONE},
        one(account, "login", at, ip=PHONE),
        one(account, "login", at, **{PHONE: "x"}),
        one(account, "login", at) | {"happened_at": CARD},
        one(account, "phone-changed", at, phone=f"{CARD}{CARD}"),
        one(account, "card-changed", at, card=PHONE[:6]),
        one(account, "basket", at, category=HOME, amount_minor=1),
        one(account, "basket", at, category="phones", amount_minor=CARD),
        one(account, "basket", at, category="phones", amount_minor=int(CARD)),
        one(account, "complaint", at, topic=PHONE),
        one(account, "purchase-attempted", at, amount_minor=1, merchant=PHONE),
        one(account, "login", at, id=HOME),
        f'{{"phone": "{PHONE}"',
        PHONE,
    ]
    bad = write(tmp_path / "bad.jsonl", misplaced)
    refused = fenqi("observe", bad)
    assert refused.exit_code == 2
    assert "Lines that make no sense: 15" in refused.stderr
    for number in range(1, 16):
        assert f"line {number}, " in refused.stderr
    headless = tmp_path / "headless.csv"
    headless.write_text(f"{PHONE},{CARD}\n")
    said += [refused.output, fenqi("observe", headless).output]
    left_out = tmp_path / "left-out.csv"
    said.append(fenqi("observe", bad, "--skip-bad", left_out).output)
    said += [left_out.read_text(), everything_kept(world)]
    said += [log.read_text() for log in (tmp_path / "log").glob("*")]
    for value in IDENTITIES:
        assert not [text for text in said if value in text], value


def test_one_bad_line_refuses_the_whole_file_until_it_is_left_out(
    world: World, fenqi: Run, tmp_path: Path
) -> None:
    account, at = enrol(world), world.clock.now()
    stranger = AccountId(uuid4())
    file = write(
        tmp_path / "facts.jsonl",
        [
            one(account, "login", at),
            one(account, "logout", at),
            one(stranger, "login", at),
            one(account, "basket", at, category="food", amount_minor=10**12),
            one(account, "login", at.replace(tzinfo=None)),
            one(account, "complaint", at, topic="fees", device=DEVICE),
        ],
    )
    ended = fenqi("observe", file)
    assert (ended.exit_code, ended.stdout) == (2, "")
    said = ended.stderr
    assert f"{file}: nothing of it was stored. Lines that make no sense: 5." in said
    assert "line 2, kind is logout: it must be one of login, device-changed" in said
    assert f"line 3, account is {stranger}: it must be the account of a customer that" in said
    assert "line 4, amount_minor: it must be whole minor units from 1 to 100000000000" in said
    assert "line 5, happened_at is 2026-01-05T04:00:00: it must be an instant with its zone" in said
    assert "line 6, device: it must be one of topic, channel" in said
    assert facts_stored(world) == 0
    left_out = tmp_path / "left-out.csv"
    told = json.loads(fenqi("observe", file, "--skip-bad", left_out, "--json").stdout)
    assert (told["stored"], told["left_out"]) == (1, 5)
    with left_out.open() as opened:
        named = {(each["line"], each["field"]) for each in csv.DictReader(opened)}
    assert named == {
        ("2", "kind"),
        ("3", "account"),
        ("4", "amount_minor"),
        ("5", "happened_at"),
        ("6", "device"),
    }
    assert facts_stored(world) == 1


def test_a_file_is_refused_in_the_language_of_the_person(world: World, fenqi: Run) -> None:
    line = json.dumps(one(enrol(world), "login", world.clock.now(), ip="nowhere"))
    ended = fenqi("observe", "-", taken=line, FENQI_LANGUAGE="zh-CN")
    western = ended.stderr.translate(str.maketrans("\uff0c\uff1a", ",:"))
    assert "第 1 行,ip:应为 IPv4 或 IPv6 地址" in western
    assert "没有任何内容被保存" in western
    ended = fenqi("observe", "-", taken="{}", FENQI_LANGUAGE="zh-CN")
    assert "account 为\uff08缺失\uff09\uff1a应为账户编号" in ended.stderr


def test_late_facts_and_those_of_a_clock_that_is_ahead_are_kept_and_marked(
    world: World, fenqi: Run, tmp_path: Path
) -> None:
    account, at = enrol(world), world.clock.now()
    spread = (timedelta(hours=-1), timedelta(minutes=-1), timedelta(hours=1))
    facts = [one(account, "login", at + some, ip=ADDRESS) for some in spread]
    told = json.loads(fenqi("observe", write(tmp_path / "f.jsonl", facts), "--json").stdout)
    assert (told["stored"], told["late"], told["skewed"]) == (3, 1, 1)
    sql = """
        SELECT payload ? 'is_late', payload ? 'is_skewed' FROM events
        WHERE account_id = %(account)s AND kind = 'login' ORDER BY number
    """
    assert rows(world.store, sql, account=account) == [(True, False), (False,) * 2, (False, True)]


def test_lines_that_say_the_same_are_one_fact_unless_an_id_tells_them_apart(
    world: World, fenqi: Run, tmp_path: Path
) -> None:
    account, at = enrol(world), world.clock.now()
    fact = one(account, "basket", at, category="food", amount_minor=100)
    elsewhere = {**fact, "happened_at": at.astimezone().isoformat()}
    file = write(tmp_path / "f.jsonl", [fact, elsewhere, {**fact, "id": "2"}, {**fact, "id": "3"}])
    told = json.loads(fenqi("observe", file, "--json").stdout)
    assert (told["stored"], told["known"]) == (3, 1)


def test_ten_thousand_facts_of_one_account_are_told_and_none_is_refused_or_lost(
    world: World, fenqi: Run, tmp_path: Path
) -> None:
    account, at = enrol(world), world.clock.now()
    count = 10_000
    facts = [
        one(account, "basket", at - timedelta(milliseconds=n), category="food", amount_minor=1)
        for n in range(count)
    ]
    told = json.loads(fenqi("observe", write(tmp_path / "f.jsonl", facts), "--json").stdout)
    assert told["stored"] == count
    sql = "SELECT COUNT(*) FROM events WHERE kind = 'basket' AND account_id = %(account)s"
    assert row(world.store, sql, account=account) == count


def test_a_file_that_was_cut_off_goes_on_with_what_is_not_known(
    world: World, fenqi: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, at = enrol(world), world.clock.now()
    facts = [one(account, "login", at - timedelta(seconds=n)) for n in range(300)]
    file = write(tmp_path / "f.jsonl", facts)
    whole, sent = Desk.submit, []

    def cut_off(desk: Desk, command: Observe) -> Any:
        if len(sent) == 200:
            raise KeyboardInterrupt
        sent.append(command)
        return whole(desk, command)

    monkeypatch.setattr(Desk, "submit", cut_off)
    ended = fenqi("observe", file)
    assert ended.exit_code == 130
    assert "run the same command again" in ended.stderr
    assert facts_stored(world) == 200  # those under way are finished
    monkeypatch.setattr(Desk, "submit", whole)
    told = json.loads(fenqi("observe", file, "--json").stdout)
    assert (told["stored"], told["known"]) == (100, 200)
    sql = "SELECT occurred_at FROM events WHERE kind = 'login' ORDER BY number"
    assert [each for (each,) in rows(world.store, sql)] == [
        at - timedelta(seconds=n) for n in range(300)
    ]


def test_two_runs_over_one_file_each_count_what_they_told_themselves(
    world: World, fenqi: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, at = enrol(world), world.clock.now() - timedelta(hours=1)
    facts = [one(account, "login", at - timedelta(seconds=n)) for n in range(300)]
    file = write(tmp_path / "f.jsonl", facts)
    whole, sent, others = Desk.submit, [], []

    def meanwhile(desk: Desk, command: Observe) -> Any:
        if len(sent) == 100:
            sent[-1].result()
            monkeypatch.setattr(Desk, "submit", whole)
            others.append(fenqi("observe", file, "--json"))
            monkeypatch.setattr(Desk, "submit", meanwhile)
        sent.append(whole(desk, command))
        return sent[-1]

    monkeypatch.setattr(Desk, "submit", meanwhile)
    own = json.loads(fenqi("observe", file, "--json").stdout)
    other = json.loads(others[0].stdout)
    assert (own["stored"], own["known"], own["late"]) == (100, 200, 100)
    assert (other["stored"], other["known"], other["late"]) == (200, 100, 200)
    assert sum(own["outcomes"].values()) == 100
    assert facts_stored(world) == 300


def test_a_fact_whose_answer_was_lost_on_the_way_counts_for_the_run_that_told_it(
    world: World, fenqi: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, at = enrol(world), world.clock.now()
    file = write(tmp_path / "f.jsonl", [one(account, "login", at)])
    tries = []

    def lost(ground: Ground, commands: Sequence[Observe]) -> list[Observed | FenqiError]:
        answers = observe(ground, commands)
        tries.append(answers)
        if len(tries) == 1:
            raise OutcomeUnknown(said="gone as it was committed")
        return answers

    monkeypatch.setitem(FLOWS, Observe, lost)
    told = json.loads(fenqi("observe", file, "--json").stdout)
    assert (told["stored"], told["known"], len(tries)) == (1, 0, 2)


def test_a_database_that_goes_away_is_told_and_the_file_goes_on_afterwards(
    world: World, fenqi: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, at = enrol(world), world.clock.now()
    file = write(tmp_path / "f.jsonl", [one(account, "login", at)])
    whole = Desk.submit

    def gone(desk: Desk, command: Observe) -> Any:
        future = whole(desk, command)
        future.result()
        refused: FenqiError = DatabaseGone(said="gone")
        raise refused

    monkeypatch.setattr(Desk, "submit", gone)
    assert fenqi("observe", file).exit_code == 3
    monkeypatch.setattr(Desk, "submit", whole)
    told = json.loads(fenqi("observe", file, "--json").stdout)
    assert (told["stored"], told["known"]) == (0, 1)


GOOD = '{"account": "%s", "kind": "login", "happened_at": "2026-01-05T12:00:00+08:00"}'
BAD_TEXTS = {
    "": "it holds no fact",
    "\n\n": "it holds no fact",
    "x": "line 1, (whole line): it must be one JSON object",
    "[]": "one JSON object",
    "{}": "line 1, account is (missing): it must be the id of an account",
    '{"account": 1}': "line 1, kind is (missing)",
    '{"kind": "login", "kind": "login"}': "each of its names once",
    "[" * 60_000: "one JSON object",
    '{"a": %s}' % ("9" * 5_000): "one JSON object",
    "z" * 70_000: "a line of 65536 bytes at most",
    '{"account": null, "kind": "login"}': "line 1, account is (missing)",
    '{"accuont": "1"}': "line 1, accuont: it must be one of account, kind",
}
BAD_TEXTS |= {
    json.dumps(
        {
            "account": "01975f3e-8c00-7abc-8def-0123456789ab",
            "kind": f"{name}-changed",
            "happened_at": "2026-01-05T12:00:00+08:00",
        }
    ): f"line 1, {name} is (missing): it must be the value as it is, 1 to 500 characters"
    for name in ("device", "phone", "card", "address")
}
LINES = {
    '"ip": 7': "line 1, ip: it must be a text in quotes",
    '"ip": "1.2.3"': "line 1, ip: it must be an IPv4 or IPv6 address",
    '"ip": ""': "line 1, ip: it must be 1 to 500 characters",
    '"device": "\\ud800"': "line 1, device: it must be text in utf-8",
    '"phone": "+8613800138000"': "line 1, phone: it must be one of ip, device",
    '"amount_minor": 1': "line 1, amount_minor: it must be one of ip, device",
    '"id": "a b"': "line 1, id: it must be 1 to 64 visible characters",
    '"happened_at": 1': "each of its names once",
}
HEADINGS = {
    "account,kind\n": "line 1, happened_at: a column of the heading",
    "account,kind,happened_at,ip,ip\n": "line 1, ip: each of these columns once",
    "account;kind;happened_at\n": "line 1, (not shown): each of these columns once",
    "account,kind,happened_at,colour\n": "line 1, colour: each of these columns once",
    'account,"kind\n': "line 1, (not shown): each of these columns once",
    "account,kind,happened_at\n1,2\n": "line 2, (whole line): it must be a line of 3 values",
    'account,kind,happened_at\n"1,login,x\n': "line 2, (whole line): it must be a whole line",
}


def test_whatever_makes_no_sense_is_named_by_line_field_and_what_is_expected(
    world: World, fenqi: Run
) -> None:
    good = GOOD % enrol(world)
    texts = BAD_TEXTS | {f"{good[:-1]}, {more}}}": said for more, said in LINES.items()}
    wrong = [(text, (), said) for text, said in texts.items()]
    wrong += [(text, ("--csv",), said) for text, said in HEADINGS.items()]
    for text, words, said in wrong:
        ended = fenqi("observe", "-", *words, taken=text)
        assert (ended.exit_code, ended.stdout) == (2, ""), text[:80]
        assert said in ended.stderr, text[:80]
        assert len(ended.stderr) < 1_000
    assert facts_stored(world) == 0


def test_bytes_that_are_no_text_and_files_that_are_none_are_named(
    world: World, fenqi: Run, tmp_path: Path
) -> None:
    file = tmp_path / "f.jsonl"
    for content in (b"\xff\xfea\x00", b"\x1f\x8b\x08\x00", b"\x00" * 10, b"PK\x03\x04\n\n"):
        file.write_bytes(content)
        ended = fenqi("observe", file)
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert "line 1, (whole line): it must be one JSON object" in ended.stderr
    at = world.clock.now()
    line = json.dumps(one(enrol(world), "address-changed", at, address="#"))
    file.write_bytes(line.encode().replace(b"#", b"\xff\xfe"))
    assert "line 1, address: it must be text in utf-8" in fenqi("observe", file).stderr
    assert "No such file" in fenqi("observe", tmp_path / "none.jsonl").stderr
    assert fenqi("observe", tmp_path).exit_code == 2
    write(file, [one(enrol(world, "bea"), "login", at)])
    same = fenqi("observe", file, "--skip-bad", file)
    assert (same.exit_code, "what is read" in same.stderr) == (2, True)


def test_a_line_without_an_end_refuses_the_file_instead_of_being_read_for_ever(
    world: World, fenqi: Run, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "f.jsonl", [one(enrol(world), "login", world.clock.now()), "z" * 70_000]
    )
    assert fenqi("observe", file, "--skip-bad", tmp_path / "bad.csv").exit_code == 0
    for words in ((), ("--csv",), ("--skip-bad", tmp_path / "none.csv")):
        ended = fenqi("observe", "/dev/zero", *words)
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert "line 1 has no end within 16777216 bytes" in ended.stderr
    assert not (tmp_path / "none.csv").exists()
    assert facts_stored(world) == 1


def test_an_input_that_is_closed_is_told(
    world: World, fenqi: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world
    monkeypatch.setattr(door, "sys", SimpleNamespace(stdin=None))
    ended = fenqi("observe", "-")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "-: nothing comes in: standard input is closed." in ended.stderr


def test_the_house_and_odd_spellings_of_an_id_are_no_account_of_a_customer(
    world: World, fenqi: Run
) -> None:
    account, at = enrol(world), world.clock.now()
    house = AccountId(row(world.store, "SELECT house_account_id FROM books"))
    ended = fenqi("observe", "-", taken=json.dumps(one(house, "login", at)))
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert f"account is {house}: it must be the account of a customer" in ended.stderr
    plain = str(account).replace("-", "")
    for odd in (f"{plain[:32]}----", f"{plain}", f"{{{account}}}", f"urn:uuid:{account}"):
        line = json.dumps(one(account, "login", at) | {"account": odd})
        ended = fenqi("observe", "-", taken=line)
        assert "line 1, account: it must be the id of an account" in ended.stderr
    assert facts_stored(world) == 0
    told = one(account, "login", at) | {"account": str(account).upper()}
    assert fenqi("observe", "-", taken=json.dumps(told)).exit_code == 0


def test_all_of_a_refusal_is_in_the_language_of_the_person(world: World, fenqi: Run) -> None:
    assert world
    taken = '{"account": null}\nx\n{"13800138000": 1}\n'
    said = fenqi("observe", "-", taken=taken, FENQI_LANGUAGE="zh-CN").stderr
    for ours in ("\uff08整行\uff09", "\uff08缺失\uff09", "\uff08未显示\uff09"):
        assert ours in said
    assert "(" not in said.replace("(--csv", "")


def test_a_file_of_too_many_lines_is_refused_before_anything_is_told(
    world: World, fenqi: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fact_file, "LINES_MAX", 2)
    line = GOOD % enrol(world)
    assert fenqi("observe", "-", taken=f"{line}\n" * 2).exit_code == 0
    ended = fenqi("observe", "-", taken=f"{line}\n" * 3)
    assert "it has more than 2 lines" in ended.stderr
    assert facts_stored(world) == 1

"""The commands of cases, through the program's own door: from a ring to its end."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest
from make_book import World, enrol, open_book, rows
from make_crowd import log_in, only_case, people
from make_program import Run, ended

from fenqi.flows.protect import protect
from fenqi.store.pool import Store


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def running(world: World) -> int:
    sql = "SELECT COUNT(*) FROM protections WHERE ended_at IS NULL"
    return int(rows(world.store, sql)[0][0])


def test_an_officer_works_a_ring_from_the_queue_to_its_end(world: World, fenqi: Run) -> None:
    ring = people(world, 11)
    log_in(world, ring[:8], "1.2.3.4")
    log_in(world, ring[8:], "1.2.3.4", device="farm")
    said = ended(fenqi("watch", "--once"))
    assert "1 rings, 0 places, 8 held, 3 frozen" in said
    case = only_case(world)[0]
    (line,) = json.loads(ended(fenqi("case", "list", "--json")))
    assert (line["case_id"], line["subject"], line["accounts"]) == (str(case), "ring", 11)
    assert str(case) in ended(fenqi("case", "list"))
    told = ended(fenqi("case", "show", case))
    assert "investigation: ring" in told
    assert "place: accounts before 0, kind unknown, long standing 0" in told
    assert re.search(r"from: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n", told)
    assert "groups that share a device, card or phone: 3" in told
    some = "|".join(map(str, ring[8:]))
    assert re.search(rf"({some}) -> device [0-9a-f]{{12}} \(since .*\) ({some})", told)
    assert "is with li" in ended(fenqi("case", "assign", case, "li", "--by", "mei"))
    assert "line 3" in ended(fenqi("case", "note", case, "asked the school", "--by", "li"))
    assert ended(fenqi("case", "list", "--with", "mei")) == "No case waits.\n"
    said = ended(
        fenqi(*("case", "close", case, "false-alarm", "an exam", "--by", "li", "--place", "campus"))
    )
    assert "11 protections ended" in said
    assert running(world) == 0
    story = json.loads(ended(fenqi("case", "show", case, "--json")))
    assert [one["kind"] for one in story["entries"]] == ["opened", "assigned", "note", "closed"]
    assert {one["finding"] for one in story["measures"]} == {"false-alarm"}
    assert ended(fenqi("case", "list")) == "No case waits.\n"
    assert str(case) in ended(fenqi("case", "list", "--all"))


def test_the_queue_is_read_page_by_page_and_says_that_there_is_more(
    world: World, fenqi: Run
) -> None:
    account = enrol(world)
    about = ("--account", account, "--by", "mei")
    for number in range(5):
        priority = ("--priority", 1 + number % 4)
        ended(fenqi("case", "open", "odd", *about, "--subject", f"basket-{number}", *priority))
    whole = [one["case_id"] for one in json.loads(ended(fenqi("case", "list", "--json")))]
    assert len(whole) == 5
    first = ended(fenqi("case", "list", "--most", 2))
    assert first.endswith(f"more with --before {whole[1]}\n")
    # A case that is closed between two pages still has its place among the open ones.
    ended(fenqi("case", "close", whole[1], "confirmed", "seen", "--by", "mei"))
    pages = [whole[:2]]
    while page := json.loads(
        ended(fenqi("case", "list", "--most", 2, "--before", pages[-1][-1], "--json"))
    ):
        pages.append([one["case_id"] for one in page])
    assert [one for page in pages for one in page] == whole
    last = ended(fenqi("case", "list", "--most", 2, "--before", whole[3], "--all"))
    assert [one for one in whole if one in last] == [whole[1], whole[4]]
    assert "There is no case" in ended(fenqi("case", "list", "--before", account), code=2)


def test_four_eyes_through_the_door(world: World, fenqi: Run) -> None:
    account = enrol(world)
    opened = ("case", "open", "odd", "--account", account, "--subject", "basket", "--by", "mei")
    case = ended(fenqi(*opened)).split()[-1]
    freeze = (
        "case",
        "freeze",
        case,
        "--account",
        account,
        "--days",
        20,
        "--reason",
        "shared-identifier",
    )
    refused = ended(fenqi(*freeze[:-1], "odd-basket", "--by", "mei"), 2)
    assert "nobody wrote a text for it" in refused
    assert "shared-identifier" in refused.replace("\n", "")
    said = ended(fenqi(*freeze, "--by", "mei"))
    assert "once a second person agrees" in said
    assert f"fenqi case second {said.split(chr(10))[0].split()[-1]} --account {account}" in said
    assert "reasons: shared-identifier" in ended(fenqi("case", "show", case))
    protection = said.split("\n")[0].split()[-1]
    second = ("case", "second", protection, "--account", account, "--by")
    assert "took part" in ended(fenqi(*second, "mei"), 2)
    assert "frozen until" in ended(fenqi(*second, "li"))
    assert "purchases are possible" in ended(
        fenqi("case", "lift", protection, "--account", account, "--by", "li")
    )
    assert "No protection" in ended(
        fenqi("case", "lift", protection, "--account", account, "--by", "li"), 2
    )
    appeal = (*opened[:2], "why me", *opened[3:], "--appeal", case)
    found = ended(fenqi(*appeal)).split()[-1]
    assert "kept out" in ended(fenqi("case", "assign", found, "mei", "--by", "zhao"), 2)
    assert "is with zhao" in ended(fenqi("case", "assign", found, "zhao", "--by", "zhao"))


def test_a_stranger_to_a_case_is_not_frozen_and_both_are_named(world: World, fenqi: Run) -> None:
    account, stranger = enrol(world), enrol(world, "stranger")
    about = ("--account", account, "--subject", "basket", "--by", "mei")
    case = ended(fenqi("case", "open", "odd", *about)).split()[-1]
    how = ("--days", 2, "--reason", "shared-identifier", "--by", "mei")
    freeze = ("case", "freeze", case, "--account", stranger, *how)
    said = " ".join(ended(fenqi(*freeze), 2).split())
    assert f"The case {case} is not about the account {stranger}" in said
    assert f"fenqi case open TEXT --account {stranger}" in said
    assert f"案件 {case} 与账户 {stranger} 无关" in ended(fenqi(*freeze, FENQI_LANGUAGE="zh"), 2)
    assert running(world) == 0
    assert str(stranger) not in ended(fenqi("case", "show", case))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", uuid4()), "There is no case"),
        (("note", uuid4(), "text", "--by", "mei"), "There is no case"),
        (("close", uuid4(), "confirmed", "text", "--by", "mei"), "There is no case"),
    ],
)
def test_a_case_that_is_not_there_gets_a_sentence(
    world: World, fenqi: Run, words: tuple[Any, ...], said: str
) -> None:
    assert world
    assert said in ended(fenqi("case", *words), 2)


def test_a_note_without_words_is_refused(world: World, fenqi: Run) -> None:
    ring = people(world, 10)
    log_in(world, ring, "1.2.3.4")
    assert protect(world.ground).held == 10
    case = only_case(world)[0]
    said = ended(fenqi("case", "note", case, "  ", "--by", "mei"), 2)
    assert "it must be 1 to 4000 characters" in said
    said = ended(fenqi("case", "note", case, "fine", "--by", "system"), 2)
    assert "the name of a person" in said
    words = ("case", "open", "odd", "--account", ring[0], "--subject", " ")
    said = ended(fenqi(*words, "--by", "mei"), 2)
    assert "The subject of a case is  ; it must be a few words, 1 to 80 characters." in said


def test_a_case_is_told_in_chinese_with_its_evidence_and_money(world: World, fenqi: Run) -> None:
    ring = people(world, 10)
    log_in(world, ring[:7], "1.2.3.4")
    log_in(world, ring[7:], "1.2.3.4", device="farm")
    ended(fenqi("watch", "--once"))
    case = only_case(world)[0]
    with world.store.transaction() as session:
        session.run("SET LOCAL ROLE NONE")  # the program itself may not
        session.run("UPDATE case_entries SET evidence = evidence || '{\"amount_minor\": 1234567}'")
    chinese = {"FENQI_LANGUAGE": "zh", "COLUMNS": "80"}
    told = ended(fenqi("case", "show", case, **chinese)).replace("\uff1a", ": ")
    for said in (
        "调查 investigation: ring",
        "立案 opened",
        "金额: 12,345.67 CNY",
        "场所: 此前账户数 0、种类未知、长期账户数 0",
        "共用设备、银行卡或手机号的组",
        "账户总数: 10",
    ):
        assert said in told, said
    assert re.search(r"-> 设备 device [0-9a-f]{12}", "".join(told.splitlines()))
    assert "冻结 freeze" in told
    queue = ended(fenqi("case", "list", **chinese)).replace("\uff1a", ": ")
    assert "调查 investigation: ring" in queue
    assert max(len(line) for line in queue.splitlines()) <= 80

"""A decision is told from its record, handed out whole, and made again from that alone."""

import hashlib
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from make_book import World, buy, done, enrol, open_book, purchase, rows
from rich.console import Console

from fenqi.core.risk import record as keeping
from fenqi.core.values.phrase import Phrase
from fenqi.flows.authorise import authorise
from fenqi.report import decision as telling
from fenqi.report.language import Language
from fenqi.store.accounts import AccountMissing
from fenqi.store.decision_records import DecisionMissing
from fenqi.store.pool import Store


@pytest.fixture
def world(store: Store) -> World:
    world = open_book(store)
    account = enrol(world, limit_minor=500_000)
    buy(world, account, 300_000, "flat", 3)
    command = purchase(world, account, 300_000, "flat", 3)
    assert done(authorise(world.ground, [command])[0]).outcome == "decline"
    return world


def decisions(world: World) -> list[UUID]:
    return [one[0] for one in rows(world.store, "SELECT decision_id FROM decisions ORDER BY 1")]


def shown(record: keeping.Record, language: Language = Language.ENGLISH) -> str:
    console = Console(width=120, record=True, file=StringIO())
    telling.show(record, console, language)
    return console.export_text()


def test_every_decision_of_a_book_is_made_again_from_its_record(world: World) -> None:
    found = [telling.read(world.store, one) for one in decisions(world)]
    assert [one.outcome for one in found] == ["approve", "decline"]
    assert [keeping.replay(one) for one in found] == [None, None]


def test_an_exported_record_is_the_record_and_the_text_is_the_same_each_time(world: World) -> None:
    record = telling.read(world.store, decisions(world)[1])
    text = keeping.to_json(record)
    again = keeping.from_json(text, file="record.json")
    assert again == record
    assert keeping.to_json(again) == text
    assert keeping.replay(again) is None


def test_a_person_reads_what_was_decided_from_what_and_why(world: World) -> None:
    record = telling.read(world.store, decisions(world)[1])
    text = shown(record)
    for wanted in (
        str(record.decision_id),
        f"{record.rulebook.name} {record.rulebook.version}",
        "limit used",
        "3,000.00",
        "limit-exceeded",
        "flat x 12",
    ):
        assert wanted in text
    assert "已用额度" in shown(record, Language.CHINESE)


def test_what_differs_first_is_named(world: World) -> None:
    record = telling.read(world.store, decisions(world)[1])
    body = json.loads(keeping.to_json(record))
    body["decision"]["reasons"] = ["payment-overdue"]
    body["sha256"] = keeping._digest({key: body[key] for key in body if key != "sha256"})
    forged = keeping.from_json(json.dumps(body), file="forged.json")
    assert keeping.replay(forged) == keeping.Difference(
        "reasons", ("payment-overdue",), ("limit-exceeded",)
    )


def test_an_altered_export_is_refused(world: World, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    text = keeping.to_json(telling.read(world.store, decisions(world)[1]))
    file.write_text(text.replace('"limit_minor": 500000', '"limit_minor": 900000'))
    with pytest.raises(keeping.RecordAltered):
        telling.read_file(file)
    file.write_text(text[:-50])
    with pytest.raises(keeping.RecordUnreadable) as refused:
        telling.read_file(file)
    assert refused.value.fields["line"] > 10
    assert isinstance(refused.value.fields["fault"], Phrase)  # told in the reader's language
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(keeping.RecordUnreadable):
        telling.read_file(file)
    file.write_text("[]")
    with pytest.raises(keeping.RecordUnreadable):
        telling.read_file(file)


@pytest.mark.parametrize("offer", [None, "flat", [], {"count": []}])
def test_a_record_that_somebody_wrote_with_its_digest_is_refused_where_it_is_none(
    world: World, tmp_path: Path, offer: Any
) -> None:
    file = tmp_path / "record.json"
    known = telling.read(world.store, decisions(world)[0])
    file.write_text(keeping.to_json(replace(known, offers=(offer,))))
    with pytest.raises(keeping.RecordUnreadable):
        telling.read_file(file)


def test_a_rulebook_that_somebody_wrote_with_its_id_is_refused_where_no_judge_is_named(
    world: World,
) -> None:
    record = telling.read(world.store, decisions(world)[0])
    content = dict(record.rulebook.content) | {"judge": {}}
    digest = hashlib.sha256(keeping.canonical(content).encode()).digest()
    made = replace(record.rulebook, rulebook_id=UUID(bytes=digest[:16]), content=content)
    with pytest.raises(keeping.RulebookUnknown):
        keeping.replay(replace(record, rulebook=made))


def test_a_rulebook_that_is_not_the_one_its_id_says_is_refused(world: World) -> None:
    record = telling.read(world.store, decisions(world)[0])
    body = json.loads(keeping.to_json(record))
    body["rulebook"]["content"]["choices"] = {}
    body["sha256"] = keeping._digest({key: body[key] for key in body if key != "sha256"})
    forged = keeping.from_json(json.dumps(body), file="forged.json")
    with pytest.raises(keeping.RecordAltered):
        keeping.replay(forged)


def test_a_decision_nobody_made_is_missing(world: World) -> None:
    with pytest.raises(DecisionMissing):
        telling.read(world.store, uuid4())


def test_decisions_are_listed_by_account_kind_outcome_and_days(world: World) -> None:
    def listed(**wanted: object) -> list[str]:
        asked = {"days": None, "account_id": None, "kind": None, "outcome": None, "most": 9}
        lines = telling.listed(world.store, world.clock, **(asked | wanted))  # type: ignore[arg-type]
        return [one.outcome for one in lines]

    assert listed() == ["decline", "approve"]
    assert listed(outcome="decline", days=1, kind="purchase") == ["decline"]
    assert listed(kind="limit") == []
    with pytest.raises(AccountMissing):
        listed(account_id=uuid4())
    assert listed(most=1) == ["decline"]

"""A policy is adopted by a second person, kept as it was, and taken back as fast."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from make_book import World, buy, enrol, open_book, rows
from rich.console import Console

from fenqi.core.errors import FenqiError
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.fair import InputForbidden
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.risk.policy.read import read
from fenqi.flows.adopt import AdopterIsAuthor, PolicyNotDue, PolicyUnsound, adopt, roll_back
from fenqi.report import policies as telling
from fenqi.report import policy_difference
from fenqi.report.language import Language, Speech
from fenqi.report.policy_difference import KindsDiffer, differ
from fenqi.store import policies
from fenqi.store.features import shipped
from fenqi.store.policies import (
    NothingBefore,
    PolicyMissing,
    PolicyVersionChanged,
    PolicyVersionPassed,
)
from fenqi.store.pool import Refused, Store

TEXT = """
id = "own"
version = {version}
kind = "{kind}"
purpose = "credit"
owner = "risk"
author = "Analyst One"
valid_from = 2020-01-01

[[rules]]
id = "large"
when = "amount_minor > {above} minor"
effects = [{{ effect = "decline" }}]
reason = "large"

[[reasons]]
code = "large"
zh = "金额较大。"
en = "The amount is large."

[[examples]]
says = "a large amount"
given = {{ amount_minor = 900000 }}
outcome = "{outcome}"
"""


def own(
    version: int = 1, *, above: int = 100_000, kind: str = "purchase", outcome: str = "decline"
) -> Policy:
    text = TEXT.format(version=version, above=above, kind=kind, outcome=outcome)
    return read(text, shipped().vocabulary, file="own.toml")


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store, slices=1)


def live(world: World, kind: DecisionKind = DecisionKind.PURCHASE) -> tuple[str, int]:
    with world.ground.store.transaction() as session:
        book = policies.live(session, kind)
    return book.name, book.version


def test_what_is_shipped_decides_until_a_person_adopts_something(world: World) -> None:
    for kind in DecisionKind:
        assert live(world, kind) == (kind.value, policies.shipped(kind).version)
    adopted = adopt(world.ground, own(), by="Second Person")
    assert (adopted.number, adopted.kind) == (1, DecisionKind.PURCHASE)
    assert live(world) == ("own", 1)
    assert live(world, DecisionKind.LIMIT) == ("limit", 1)


def test_a_program_that_opens_adopts_what_is_shipped_once(world: World) -> None:
    store, now = world.ground.store, world.ground.clock.now()
    with store.transaction() as session:
        assert len(policies.install(session, now)) == len(DecisionKind)
    adopt(world.ground, own(), by="Second Person")
    with store.transaction() as session:
        assert policies.install(session, now) == []
    assert live(world) == ("own", 1)


def test_the_author_is_no_second_person(world: World) -> None:
    for name in ("Analyst One", "  analyst   ONE ", "\uff21nalyst\u3000One"):
        with pytest.raises(AdopterIsAuthor):
            adopt(world.ground, own(), by=name)
    for name in ("", " ", "x" * 81, "a\nb\x07"):
        with pytest.raises(FenqiError, match="adopter-invalid"):
            adopt(world.ground, own(), by=name)
    assert live(world) == ("purchase", policies.shipped(DecisionKind.PURCHASE).version)


def test_a_policy_with_a_fault_is_not_adopted_and_nothing_is_kept(world: World) -> None:
    with pytest.raises(PolicyUnsound, match="should be approve, decided was decline"):
        adopt(world.ground, own(outcome="approve"), by="Second Person")
    late = read(
        own().text.replace("2020-01-01", "2099-01-01"), shipped().vocabulary, file="own.toml"
    )
    with pytest.raises(PolicyNotDue):
        adopt(world.ground, late, by="Second Person")
    assert rows(world.ground.store, "SELECT 1 FROM adoptions LIMIT 1") == []
    assert rows(world.ground.store, "SELECT 1 FROM catalogue WHERE kind = 'policy'") == []


@pytest.mark.parametrize(
    ("offer", "told"),
    [
        ('product = "flatt", counts = [3]', "there is no product flatt; there are: annuity18"),
        ('product = "flat", counts = [3, 5]', "flat is not sold in 5 instalments; it is in 3"),
    ],
)
def test_a_menu_of_what_nobody_sells_is_not_adopted(world: World, offer: str, told: str) -> None:
    text = own().text.replace('reason = "large"', f'reason = "large"\noffers = [{{ {offer} }}]', 1)
    with pytest.raises(PolicyUnsound) as refused:
        adopt(world.ground, read(text, shipped().vocabulary, file="own.toml"), by="Second Person")
    assert told in str(refused.value.fields["faults"])
    assert "own.toml, line 15" in str(refused.value.fields["faults"])
    assert live(world) == ("purchase", policies.shipped(DecisionKind.PURCHASE).version)


def test_the_policy_of_the_handbook_decides_in_another_program_too(world: World) -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "policies.md"
    text = page.read_text("utf-8").partition("```toml\n")[2].partition("```")[0]
    adopted = adopt(world.ground, read(text, shipped().vocabulary), by="Second Person")
    with world.ground.store.transaction() as session:
        book = policies.Shelf().get(session, adopted.rulebook_id)
    assert book.decide(book.policy.row({})).outcome == "approve"


def test_what_a_pack_forbids_is_not_adopted(world: World) -> None:
    (known,) = world.ground.catalogue.newest_packs()
    key = (known.pack_id, known.version)
    for purpose in ("credit", "all"):
        pack = replace(known, forbidden_inputs={purpose: ("amount_minor",)})
        catalogue = replace(world.ground.catalogue, packs={key: pack})
        with pytest.raises(InputForbidden):
            adopt(replace(world.ground, catalogue=catalogue), own(), by="Second Person")
    pack = replace(known, forbidden_inputs={"fraud": ("amount_minor",)})
    catalogue = replace(world.ground.catalogue, packs={key: pack})
    adopt(replace(world.ground, catalogue=catalogue), own(), by="Second Person")


def test_a_version_is_never_edited(world: World) -> None:
    adopt(world.ground, own(), by="Second Person")
    with pytest.raises(PolicyVersionChanged):
        adopt(world.ground, own(above=200_000), by="Second Person")
    adopt(world.ground, own(2, above=200_000), by="Second Person")
    adopt(world.ground, own(1), by="Second Person")  # the same text may come back
    assert live(world) == ("own", 1)
    kept = rows(
        world.ground.store,
        "SELECT version, body ->> 'text' FROM catalogue WHERE kind = 'policy' ORDER BY version",
    )
    assert kept == [(1, own().text), (2, own(2, above=200_000).text)]


def test_a_new_text_is_newer_than_all_that_were_adopted(world: World) -> None:
    adopt(world.ground, own(3), by="Second Person")
    with pytest.raises(PolicyVersionPassed) as refused:
        adopt(world.ground, own(2, above=200_000), by="Second Person")
    assert (refused.value.fields["version"], refused.value.fields["newest"]) == (2, 3)
    adopt(world.ground, own(4, above=200_000), by="Second Person")
    roll_back(world.ground, "own", by="Third Person", because="too many declines")
    with pytest.raises(PolicyVersionPassed):  # what was taken back keeps its number
        adopt(world.ground, own(2, above=200_000), by="Second Person")
    assert live(world) == ("own", 3)


@pytest.mark.parametrize("statement", ["UPDATE adoptions SET version = 9", "DELETE FROM adoptions"])
def test_the_program_cannot_change_who_adopted_what(world: World, statement: str) -> None:
    adopt(world.ground, own(), by="Second Person")
    with pytest.raises(Refused), world.ground.store.transaction() as session:
        session.run(statement)


def test_a_rollback_goes_back_step_by_step(world: World) -> None:
    for version in (1, 2, 3):
        adopt(world.ground, own(version, above=100_000 * version), by="Second Person")
    gone, back = roll_back(world.ground, "own", by="Analyst One", because="too many declines")
    assert (gone.version, back.version, back.is_rollback) == (3, 2, True)
    assert live(world) == ("own", 2)
    roll_back(world.ground, "purchase", by="Third Person", because="still")
    assert live(world) == ("own", 1)
    with pytest.raises(NothingBefore):
        roll_back(world.ground, "own", by="Third Person", because="still")
    with pytest.raises(PolicyMissing):
        roll_back(world.ground, "other", by="Third Person", because="why not")
    with pytest.raises(FenqiError, match="adopter-invalid"):
        roll_back(world.ground, "own", by="Third Person", because=" ")
    adopt(world.ground, own(3, above=300_000), by="Second Person")
    with world.ground.store.transaction() as session:
        fallback = next(policies.earlier(session, DecisionKind.PURCHASE))
        assert (fallback.name, fallback.version) == ("own", 1)
        numbers = [one.number for one in policies.history(session, DecisionKind.PURCHASE)]
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_nothing_before_the_first_adoption_is_a_last_good_version(world: World) -> None:
    with world.ground.store.transaction() as session:
        assert list(policies.earlier(session, DecisionKind.PURCHASE)) == []


def test_a_stored_rulebook_that_was_altered_is_not_decided_by(world: World) -> None:
    book = policies.book_of(own(above=123_456))
    entry = {
        "id": book.rulebook_id,
        "content": json.dumps(json.loads(book.text) | {"features": ""}),
    }
    with world.ground.store.transaction() as session:
        session.run(
            "INSERT INTO rulebooks (rulebook_id, kind, name, version, content) "
            "VALUES (%(id)s, 'purchase', 'own', 1, %(content)s)",
            entry,
        )
        with pytest.raises(FenqiError, match="rulebook-altered"):
            policies.Shelf().get(session, book.rulebook_id)
        with pytest.raises(FenqiError, match="rulebook-altered"):
            policies.Shelf().get(session, UUID(int=7))


def test_the_last_days_are_decided_again_by_two_policies(world: World) -> None:
    account = enrol(world)
    for amount in (50_000, 120_000, 250_000):
        buy(world, account, amount, "flat", 3)
    first, second = own(above=100_000), own(2, above=200_000)
    store, clock = world.ground.store, world.ground.clock
    found = differ(store, clock, first, second, days=3650)
    assert (found.seen, found.compared, found.changed) == (3, 3, 1)
    assert dict(found.pairs) == {
        ("approve", "approve"): 1,
        ("decline", "approve"): 1,
        ("decline", "decline"): 1,
    }
    assert found.lines == {"large": (2, 1)}
    (example,) = found.examples
    assert (example.first.reasons, example.second.reasons) == (("large",), ())
    with pytest.raises(KindsDiffer):
        differ(store, clock, first, own(kind="limit"), days=3)


def test_decisions_without_a_needed_input_are_left_out_and_counted(world: World) -> None:
    buy(world, enrol(world), 50_000, "flat", 3)
    found = differ(
        world.ground.store, world.ground.clock, own(), needing("account_age_days", 3), days=9
    )
    assert (found.seen, found.compared) == (1, 0)
    assert (found.left_out, found.filled) == ({"account_age_days": 1}, {})


def test_a_feature_nobody_recorded_is_computed_from_the_events_and_told(world: World) -> None:
    account = enrol(world)
    for _ in range(3):
        buy(world, account, 50_000, "flat", 3)
    other = needing("purchases_24h", 1)
    found = differ(world.ground.store, world.ground.clock, own(), other, days=9)
    assert (found.seen, found.compared, found.left_out) == (3, 3, {})
    assert found.filled == {"purchases_24h": 3}
    # Before the third there were two; the first and second saw fewer than two.
    assert dict(found.pairs) == {("approve", "approve"): 2, ("approve", "nudge"): 1}
    console = Console(width=140, record=True, file=StringIO())
    telling.show_difference(found, console, Speech(Language.ENGLISH))
    said = "for 3 computed from the events they had seen: purchases_24h"
    assert said in console.export_text()
    assert policy_difference.to_json(found)["filled"] == {"purchases_24h": 3}


def needing(name: str, above: int) -> Policy:
    """Return a policy that nudges whoever has more of an input."""
    unit = " days" if name.endswith("_days") else ""
    text = own().text.replace("amount_minor > 100000 minor", f"{name} > {above}{unit}")
    text = text.replace('{ effect = "decline" }', '{ effect = "nudge" }')
    text = text.replace("amount_minor = 900000", f"{name} = {above + 1}")
    return read(text.replace('"decline"', '"nudge"'), shipped().vocabulary, file="other.toml")


def test_older_decisions_are_not_decided_again(world: World) -> None:
    buy(world, enrol(world), 50_000, "flat", 3)
    with world.ground.store.transaction() as session:
        later = world.ground.clock.now() + timedelta(days=5)
        assert list(policies.decided(session, DecisionKind.PURCHASE, later)) == []


def test_two_who_adopt_at_once_follow_one_another(world: World) -> None:
    # In whatever order they come: each under a name of its own.
    texts = [own(number, above=1_000 * number).text for number in range(1, 7)]
    versions = [
        read(text.replace('id = "own"', f'id = "own-{number}"', 1), shipped().vocabulary)
        for number, text in enumerate(texts, start=1)
    ]
    with ThreadPoolExecutor(max_workers=3) as pool:
        made = list(pool.map(lambda one: adopt(world.ground, one, by="Second Person"), versions))
    assert sorted(one.number for one in made) == [1, 2, 3, 4, 5, 6]
    last = max(made, key=lambda one: one.number)
    assert live(world) == (last.policy, last.version)


def test_what_decides_is_asked_in_the_round_trip_of_a_batch(world: World) -> None:
    adopted = adopt(world.ground, own(), by="Second Person")
    with world.ground.store.transaction() as session:
        with session.pipeline():
            answers = [policies.asking(session, kind) for kind in DecisionKind]
        books = {book.kind: book for book in (answer() for answer in answers)}
    assert set(books) == set(DecisionKind)
    assert books[DecisionKind.PURCHASE].rulebook_id == adopted.rulebook_id
    assert books[DecisionKind.PURCHASE].decide([100_001]).outcome == "decline"


def test_a_program_that_never_saw_a_rulebook_decides_by_it_from_the_database(world: World) -> None:
    adopted = adopt(world.ground, own(), by="Second Person")
    with world.ground.store.transaction() as session:
        book = policies.Shelf().get(session, adopted.rulebook_id)
    assert book.decide([100_001]) == policies.book_of(own()).decide([100_001])
    assert book.policy.text == own().text

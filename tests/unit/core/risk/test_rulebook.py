"""A rulebook decides again from its text alone."""

import json
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from fenqi.core.risk import record as keeping
from fenqi.core.risk.rulebook import (
    RulebookInvalid,
    policy_of,
    restored,
    rulebook,
    rulebook_id_of,
    vocabulary_of,
)
from make_policy import VOCABULARY, policy

BODY = """
[[rules]]
id = "over"
when = "used_minor + amount_minor > limit_minor and account_status == 'open'"
effects = [{effect = "decline"}]
reason = "late"
points = 3

[[examples]]
says = "a week late, and nothing else is known"
given = {overdue_days = 7}
outcome = "approve"
"""


def content() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(rulebook(policy(BODY), VOCABULARY, features="name = 1").text)
    return made


def test_a_rulebook_comes_back_from_what_the_database_gives() -> None:
    book = rulebook(policy(BODY), VOCABULARY, features="name = 1")
    shuffled = dict(reversed(content().items()))
    again = restored(shuffled)
    assert (again.rulebook_id, again.text) == (book.rulebook_id, book.text)
    assert book.rulebook_id == rulebook_id_of(book.text)
    assert (again.kind, again.name, again.version) == ("purchase", "tried", 1)
    row = again.policy.row(
        {"used_minor": 5, "amount_minor": 6, "limit_minor": 10, "account_status": 0}
    )
    assert again.decide(row) == book.decide(row)
    assert again.decide(row).reasons == ("late",)


def test_a_policy_with_a_column_that_no_cell_asks_about_comes_back_too() -> None:
    table = """
    [[tables]]
    id = "menu"
    hit = "first"
    columns = ["amount_minor + used_minor", "regime"]
    if_unknown = "rest"
    [[tables.rows]]
    id = "much"
    when = ["> 1000 minor", "any"]
    offers = [{ product = "flat", counts = [3] }]
    [[tables.rows]]
    id = "rest"
    otherwise = true
    offers = [{ product = "flat", counts = [3, 6] }]
    """
    book = rulebook(policy(BODY + table), VOCABULARY)
    again = restored(json.loads(book.text))
    assert (again.rulebook_id, again.policy.inputs) == (book.rulebook_id, book.policy.inputs)
    assert "regime" not in {one.name for one in book.policy.inputs}  # nothing is decided by it


def test_it_declares_what_the_policy_and_its_examples_name() -> None:
    assert set(vocabulary_of(content())) == {
        "account_status",
        "amount_minor",
        "limit_minor",
        "overdue_days",
        "used_minor",
    }
    assert content()["inputs"] == ["account_status", "amount_minor", "limit_minor", "used_minor"]


NO_WORDS = content()["declared"]["account_status"] | {"choices": ["open", None]}


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": ["amount_minor"]},
        {"declared": {"amount_minor": {"unit": "yuan"}}},
        {"declared": None},
        {"declared": content()["declared"] | {"account_status": NO_WORDS}},
    ],
)
def test_a_content_that_was_changed_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(RulebookInvalid):
        policy_of(content() | change)


def test_another_text_is_another_rulebook() -> None:
    other = rulebook(policy(BODY.replace("points = 3", "points = 4")), VOCABULARY)
    assert other.rulebook_id != rulebook(policy(BODY), VOCABULARY).rulebook_id


def test_a_record_made_by_a_policy_is_replayed_from_itself() -> None:
    book = rulebook(policy(BODY), VOCABULARY)
    row = (0, 6, 10, 5)
    verdict = book.decide(row)
    record = keeping.Record(
        decision_id=UUID(int=1),
        account_id=UUID(int=2),
        currency="CNY",
        kind=book.kind.value,
        outcome=verdict.outcome,
        effects=tuple(act.word for act in verdict.effects),
        reasons=verdict.reasons,
        points=verdict.points,
        hits=verdict.hits,
        inputs=row,
        offers=(),
        would_change=None,
        as_of_number=3,
        regime="normal",
        decided_at="2026-11-27T20:00:00+00:00",
        booked_on=str(date(2026, 11, 27)),
        latency_us=None,
        rulebook=keeping.Rulebook(book.rulebook_id, "purchase", "tried", 1, json.loads(book.text)),
    )
    again = keeping.from_json(keeping.to_json(record), file="record.json")
    assert keeping.replay(again) is None
    assert record.points == 3

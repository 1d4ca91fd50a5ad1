"""Every purchase that was tried is counted as what became of it, with its reasons in words."""

import dataclasses
import re
from io import StringIO

import pytest
from make_book import World, done, enrol, open_book, purchase
from rich.console import Console

from fenqi.core.account import Reason
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.rulebook import rulebook
from fenqi.flows.authorise import authorise
from fenqi.report import book, page, purchases, terminal
from fenqi.report.language import Language
from fenqi.report.purchases import ToldReason
from fenqi.store import features, reasons
from fenqi.store.pool import Store

POLICY = """
id = "ours"
version = 7
kind = "purchase"
purpose = "fraud"
owner = "risk"
author = "fenqi"
valid_from = 2026-01-01

[[rules]]
id = "looked-at"
when = "amount_minor == 100000 minor"
effects = [{ effect = "review", priority = 3 }]
reason = "odd"

[[rules]]
id = "asked"
when = "amount_minor == 200000 minor"
effects = [{ effect = "step-up" }, { effect = "review", priority = 3 }]
reason = "odd"

[[rules]]
id = "cool"
when = "amount_minor == 300000 minor"
effects = [{ effect = "cooler-menu", counts_max = 3 }]
reason = "often"

[[rules]]
id = "held"
when = "amount_minor == 400000 minor"
effects = [{ effect = "hold", hours = 1 }]
reason = "odd"

[[reasons]]
code = "odd"
zh = "这笔金额不寻常。"
en = "The amount is unusual."

[[reasons]]
code = "often"
zh = "较频繁。"
en = "Often."
"""
TRIED = (
    (50_000, 3, "approve"),
    (100_000, 3, "approve"),  # and a person looks at it
    (300_000, 3, "approve"),  # from a shorter menu
    (200_000, 3, "step-up"),
    (200_000, 3, "step-up"),
    (300_000, 12, "other-plan"),
    (9_900_000, 3, "decline"),  # above the limit, whatever the policy says
    (400_000, 3, "decline"),  # a hold
)
ODD = {"zh": "这笔金额不寻常。", "en": "The amount is unusual."}


@pytest.fixture
def world(store: Store) -> World:
    known = features.shipped()
    policy = read(POLICY, known.vocabulary, file="ours.toml")
    rules = {DecisionKind.PURCHASE: rulebook(policy, known.vocabulary, features=known.text)}
    world = open_book(store)
    world = dataclasses.replace(world, ground=dataclasses.replace(world.ground, rulebooks=rules))
    account = enrol(world, limit_minor=5_000_000)
    for amount, count, outcome in TRIED:
        (answer,) = authorise(world.ground, [purchase(world, account, amount, "flat", count)])
        assert done(answer).outcome == outcome
    return world


def test_the_ways_purchases_end_sum_to_all_that_were_tried(world: World) -> None:
    told = book.read(world.store).purchases
    assert told.tried == len(TRIED)
    assert told.tried == told.approved + told.checks_asked + told.other_plans + told.declined
    assert (told.approved, told.checks_asked, told.other_plans, told.declined) == (3, 2, 1, 2)
    assert (told.approved_reviewed, told.approved_from_fewer_plans) == (1, 1)
    assert told.approved_ppm == 375_000


def test_reasons_have_the_words_that_customers_read(world: World) -> None:
    told = book.read(world.store).purchases
    assert told.check_reasons == (ToldReason("odd", 2, ODD),)
    assert told.other_plan_reasons == (ToldReason("often", 1, {"zh": "较频繁。", "en": "Often."}),)
    above = reasons.of_purchases()["limit-exceeded"]
    assert told.decline_reasons == (
        ToldReason("limit-exceeded", 1, above),
        ToldReason("odd", 1, ODD),
    )


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (Language.ENGLISH, ("The amount is unusual. odd", "other plans offered 1")),
        (Language.CHINESE, ("这笔金额不寻常。 odd", "需改选其他方案 1", "需先核实身份 2")),
    ],
)
def test_the_page_tells_reasons_in_its_language_with_the_code_beside(
    world: World, language: Language, said: tuple[str, ...]
) -> None:
    text = re.sub(r"<style>.*?</style>", "", page.render(book.read(world.store), language), count=1)
    words = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    for one in said:
        assert one in words


@pytest.mark.parametrize("width", [80, 132])
def test_the_terminal_tells_the_same_and_cuts_nothing(world: World, width: int) -> None:
    console = Console(file=StringIO(), width=width)
    terminal.show(book.read(world.store), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for one in ("a check asked for first +2", "to be looked at by a person +1", "declined +2"):
        assert re.search(one, text), one
    assert re.search(r"The amount is unusual\. +odd +2", text)


def test_the_house_has_words_for_whatever_it_stops_a_purchase_for() -> None:
    known = reasons.of_purchases()
    assert set(known) == {one.value for one in Reason}
    assert all(set(texts) == set(purchases.LANGUAGES) for texts in known.values())

"""The published lives of loans, each played through and held against every published cell.

A life has passed if nothing differs after any of its steps; a life cut short is compared up to its
cut. The first difference of a failed one is named: step, what, wanted, got.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from conformance.life_compare import Seen, differences
from conformance.life_player import NotPlayed, Player
from conformance.life_reported import delinquency, journal
from fenqi.core.errors import FenqiError

DAY = re.compile(r"\d{4}-\d\d-\d\d")
TIERS = ("progressive_zero_rate", "progressive_rate", "progressive_recalc", "cumulative")
Reported = dict[str, str | None]  # by set, the first fault of a life
FAULTS = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class LifeVerdict:
    """What came of one life: it passed if there is no fault."""

    case: str
    tier: str
    operations: frozenset[str]
    fault: str | None


def read_lives(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the lives of all files, days as days."""
    for file in sorted(folder.glob("life_*.json")):
        yield from _days(json.loads(file.read_text(encoding="utf-8")))["cases"]


def read_products(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the products by name."""
    file = folder / "products.json"
    products = json.loads(file.read_text(encoding="utf-8"))["products"]
    return {product["name"]: product for product in products}


def judge_life(life: Mapping[str, Any], products: Mapping[str, Mapping[str, Any]]) -> LifeVerdict:
    """Play a life and return its first fault."""
    kinds = frozenset(step["op"] for step in life["steps"])
    return LifeVerdict(life["id"], life["tier"], kinds, _fault(life, products))


def _fault(life: Mapping[str, Any], products: Mapping[str, Mapping[str, Any]]) -> str | None:
    player = Player(products)
    for number, step in enumerate(life["steps"]):
        try:
            player.play(step)
            found = next(differences(player, step.get("expect") or {}), None)
        except NotPlayed as fault:
            found = f"not played: {fault}"
        except FenqiError as fault:
            found = f"refused: {fault}"
        except FAULTS as fault:
            found = f"{type(fault).__name__}: {fault}"
        if found:
            return f"step {number} {step['op']}: {found}"
    return None


def judge_reported(life: Mapping[str, Any], products: Mapping[str, Mapping[str, Any]]) -> Reported:
    """Play a life and return the first fault of each of its figures that have no bar."""
    player, faults, grace_days = Player(products), dict[str, str | None](), 0
    for step in life["steps"]:
        if step["op"] == "create_loan":
            grace_days = products[step["product"]].get("grace_on_arrears_days") or 0
        try:
            player.play(step)
        except (NotPlayed, FenqiError, *FAULTS) as fault:
            return {what: found or str(fault) for what, found in faults.items()}
        expect = step.get("expect") or {}
        if "journal" in expect:
            seen = Seen(player.view(), player.today, player.digits, player.is_lent)
            found = next(journal(expect["journal"], seen), None)
            faults["journals"] = faults.get("journals") or found
        if "delinquency" in expect:
            found = next(delinquency(expect["delinquency"], player, grace_days), None)
            faults["delinquency"] = faults.get("delinquency") or found
    return faults


@cache
def judge_lives(folder: Path) -> tuple[LifeVerdict, ...]:
    """Return the verdicts of all lives of a folder."""
    products = read_products(folder)
    return tuple(judge_life(life, products) for life in read_lives(folder))


def _days(value: Any) -> Any:
    """Return JSON with its days as days."""
    match value:
        case str() if DAY.fullmatch(value):
            return date.fromisoformat(value)
        case list():
            return [_days(one) for one in value]
        case dict():
            return {key: _days(one) for key, one in value.items()}
        case _:
            return value

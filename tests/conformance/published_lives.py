"""The published lives of loans, each played through and held against every published cell.

A life has passed if all it says is understood and nothing differs after any of its steps; a life
cut short is compared up to its cut. The first fault of a failed one is named: step, what, wanted,
got. Journals and delinquency have no bar and are judged apart, in the same play.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from conformance.life_compare import differences
from conformance.life_player import NotPlayed, Player
from conformance.life_reported import REPORTED, reported_faults
from conformance.life_words import COLUMNS, unknown_in
from conformance.reading import Unreadable, read_object
from fenqi.core.errors import FenqiError

DAY = re.compile(r"\d{4}-\d\d-\d\d")
PLAIN_NAME = re.compile(r"[\w.-]+")
NO_TIER = "lives-without-tier"
Life = Mapping[str, Any]
Products = Mapping[str, Any]
Reported = Mapping[str, str | None]  # by set, the first fault of a life


@dataclass(frozen=True, slots=True)
class LifeVerdict:
    """What came of one life: it passed if there is no fault."""

    case: str
    tier: str
    operations: frozenset[str]
    fault: str | None
    reported: Reported = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdicts of a folder, and what of it could not be read."""

    verdicts: tuple[LifeVerdict, ...]
    unreadable: tuple[str, ...]


def judge_lives(folder: Path) -> Judged:
    """Return the verdicts of all lives of a folder; a broken file leaves the others alone."""
    unreadable: list[str] = []
    products: Products = {}
    try:
        products = read_products(folder)
    except Unreadable as fault:
        unreadable.append(str(fault))
    files = sorted(folder.glob("life_*.json"))
    if not files:
        unreadable.append(f"{folder / 'life_*.json'}: there is no such file")
    verdicts: list[LifeVerdict] = []
    for file in files:
        try:
            lives = read_file(file)
        except Unreadable as fault:
            unreadable.append(str(fault))
            continue
        for number, life in enumerate(lives, start=1):
            verdicts.append(judge_life(life, products, name=f"{file.stem} case {number}"))
    return Judged(tuple(verdicts), tuple(unreadable))


def read_lives(folder: Path) -> Iterator[Life]:
    """Yield the lives of all files, days as days. Errors: Unreadable."""
    for file in sorted(folder.glob("life_*.json")):
        yield from read_file(file)


def read_file(file: Path) -> list[Any]:
    """Return the cases of a file, days as days. Errors: Unreadable."""
    whole, cases = read_object(file, "cases")
    meta = whole.get("meta")
    for name, columns in COLUMNS.items():
        if not isinstance(meta, Mapping) or meta.get(name) != columns:
            raise Unreadable(f"{file}: its {name} are not {', '.join(columns)}")
    return [_days(case) for case in cases]


def read_products(folder: Path) -> Products:
    """Return the products by name. Errors: Unreadable."""
    file = folder / "products.json"
    products: dict[str, Any] = {}
    for number, product in enumerate(read_object(file, "products")[1], start=1):
        name = product.get("name") if isinstance(product, Mapping) else None
        if not isinstance(name, str) or name in products:
            raise Unreadable(f"{file}: product {number} has no name of its own")
        products[name] = product
    return products


def judge_life(life: object, products: Products, *, name: str = "life") -> LifeVerdict:
    """Play a life and return its first faults; nothing that it says makes this fail."""
    if not isinstance(life, Mapping):
        return LifeVerdict(name, NO_TIER, frozenset(), "is no object")
    case, tier = str(life.get("id") or name), life.get("tier")
    tier_name = NO_TIER if tier is None else str(tier)
    if not PLAIN_NAME.fullmatch(tier_name):
        tier_name = repr(tier_name)
    unknown = next(unknown_in(life, products), None)
    if unknown is not None:
        return LifeVerdict(case, tier_name, operations_of(life), unknown)
    fault, reported = _play(life, products)
    return LifeVerdict(case, tier_name, operations_of(life), fault, reported)


def operations_of(life: Life) -> frozenset[str]:
    """Return the kinds of a life's steps, as far as it has steps."""
    steps = life.get("steps")
    steps = steps if isinstance(steps, list) else []
    return frozenset(str(step["op"]) for step in steps if isinstance(step, Mapping) if "op" in step)


def _play(life: Life, products: Products) -> tuple[str | None, Reported]:
    """Return the first fault of what has a bar, and the first of each figure that has none."""
    player, fault = Player(products), None
    reported: dict[str, str | None] = {}
    for number, step in enumerate(life["steps"]):
        at, expect = f"step {number} {step['op']}", step.get("expect", {})
        stopped = _act(player, step)
        if stopped is None and fault is None:
            found = next(differences(player, expect), None)
            fault = found and f"{at}: {found}"
        for what, found in reported_faults(player, expect, stopped):
            reported[what] = reported.get(what) or (found and f"{at}: {found}")
        if stopped is not None:
            fault = fault or f"{at}: {stopped}"
            _leave_out(life["steps"][number + 1 :], reported, f"{at}: {stopped}")
            break
    return fault, reported


def _act(player: Player, step: Mapping[str, Any]) -> str | None:
    """Let a step happen and be looked at; return why it cannot."""
    try:
        player.play(step)
        if step.get("expect"):
            player.view()
    except NotPlayed as fault:
        return f"not played: {fault}"
    except FenqiError as fault:
        return f"refused: {fault}"
    except Exception as fault:  # whatever the engine raises is a fault of this life alone
        return f"{type(fault).__name__}: {fault}"
    return None


def _leave_out(
    steps: Sequence[Mapping[str, Any]], reported: dict[str, str | None], why: str
) -> None:
    """Note figures of steps that were not reached as not met."""
    for step in steps:
        for name, what in REPORTED.items():
            if step.get("expect", {}).get(name) is not None:
                reported[what] = reported.get(what) or why


def _days(value: Any) -> Any:
    """Return JSON with its days as days; text that only looks like one stays text."""
    match value:
        case str() if DAY.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                return value
        case list():
            return [_days(one) for one in value]
        case dict():
            return {key: _days(one) for key, one in value.items()}
        case _:
            return value

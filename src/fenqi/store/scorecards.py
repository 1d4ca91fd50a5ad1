"""Scorecards, read once and checked against what a decision may look at.

A rulebook names the card that gives its points, so a newer card scores nobody until a person adopts
a policy over it; the shipped one is that of a rulebook that names none.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fenqi.core.risk.input import Value
from fenqi.core.risk.pulls import SCORE_INPUT
from fenqi.core.risk.scorecard import Points, Scorecard, compile_points, read
from fenqi.store import features

STARTER = Path(__file__).parents[1] / "data" / "scorecards" / "starter.toml"
CARDS_MAX = 64  # of rulebooks, read once
SCORINGS_MAX = 64  # of different lists of inputs, compiled once
NOTHING: Mapping[str, Value] = {}


@lru_cache(maxsize=1)
def shipped() -> Scorecard:
    """Return the card that comes with fenqi. Errors: ScorecardInvalid, FeaturesInvalid."""
    vocabulary = features.shipped().vocabulary
    return read(STARTER.read_text("utf-8"), vocabulary, file=STARTER.name)


@lru_cache(maxsize=CARDS_MAX)
def of(text: str | None) -> Scorecard:
    """Return the card of a rulebook. Errors: ScorecardInvalid, FeaturesInvalid."""
    if text is None:
        return shipped()
    return read(text, features.shipped().vocabulary, file=STARTER.name)


class Scoring(NamedTuple):
    """How the row of a policy's inputs comes to its score.

    `names` are the policy's inputs and, behind its `own`, those that only the card looks at;
    `score` is the place of the points among them.
    """

    names: tuple[str, ...]
    own: int
    score: int
    points: Points

    @classmethod
    def of(cls, names: Sequence[str], card: str | None = None) -> "Scoring | None":
        """Return how a policy's inputs get their score, None if it does not look at one.

        `card` is the text of its rulebook's card. Errors: those of `of`.
        """
        if SCORE_INPUT not in names:
            return None
        return _scoring(tuple(names), card)

    def complete(self, row: list[Value], instead: Mapping[str, Value] = NOTHING) -> list[Value]:
        """Return the values of the policy's inputs, the score among them, of those of `names`.

        `instead` are values the card sees in place of what the policy is told.
        """
        seen = row
        if instead:
            seen = [instead.get(name, value) for name, value in zip(self.names, row, strict=True)]
        row[self.score] = self.points(seen)
        del row[self.own :]
        return row


@lru_cache(maxsize=SCORINGS_MAX)
def _scoring(names: tuple[str, ...], text: str | None) -> Scoring:
    card = of(text)
    every = tuple(dict.fromkeys([*names, *card.inputs]))
    points = compile_points(card, [every.index(one) for one in card.inputs])
    return Scoring(every, len(names), every.index(SCORE_INPUT), points)

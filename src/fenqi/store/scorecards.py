"""Scorecards of the files, read once and checked against what a decision may look at."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fenqi.core.risk.input import Value
from fenqi.core.risk.pulls import SCORE_INPUT
from fenqi.core.risk.scorecard import Points, Scorecard, compile_points, read
from fenqi.store import features

STARTER = Path(__file__).parents[1] / "data" / "scorecards" / "starter.toml"
SCORINGS_MAX = 64  # of different lists of inputs, compiled once
NOTHING: Mapping[str, Value] = {}


@lru_cache(maxsize=1)
def shipped() -> Scorecard:
    """Return the card that comes with fenqi. Errors: ScorecardInvalid, FeaturesInvalid."""
    vocabulary = features.shipped().vocabulary
    return read(STARTER.read_text("utf-8"), vocabulary, file=STARTER.name)


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
    def of(cls, names: Sequence[str]) -> "Scoring | None":
        """Return how a policy's inputs get their score, None if it does not look at one.

        Errors: those of `shipped`.
        """
        if SCORE_INPUT not in names:
            return None
        return _scoring(tuple(names))

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
def _scoring(names: tuple[str, ...]) -> Scoring:
    card = shipped()
    every = tuple(dict.fromkeys([*names, *card.inputs]))
    points = compile_points(card, [every.index(one) for one in card.inputs])
    return Scoring(every, len(names), every.index(SCORE_INPUT), points)

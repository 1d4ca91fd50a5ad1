"""Scorecards of the files, read once and checked against what a decision may look at."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fenqi.core.risk.input import Value
from fenqi.core.risk.pulls import SCORE_INPUT
from fenqi.core.risk.scorecard import Scorecard, points_of, read
from fenqi.store import features

STARTER = Path(__file__).parents[1] / "data" / "scorecards" / "starter.toml"
NOTHING: Mapping[str, Value] = {}


@lru_cache(maxsize=1)
def shipped() -> Scorecard:
    """Return the card that comes with fenqi. Errors: ScorecardInvalid, FeaturesInvalid."""
    vocabulary = features.shipped().vocabulary
    return read(STARTER.read_text("utf-8"), vocabulary, file=STARTER.name)


class Scoring(NamedTuple):
    """How the row of a policy's inputs comes to its score.

    `names` are the policy's inputs and, behind its `own`, those that only the card looks at;
    `places` are those of the card's inputs in its order, `score` that of the points.
    """

    card: Scorecard
    names: tuple[str, ...]
    own: int
    places: tuple[int, ...]
    score: int

    @classmethod
    def of(cls, names: Sequence[str]) -> "Scoring | None":
        """Return how a policy's inputs get their score, None if it does not look at one."""
        if SCORE_INPUT not in names:
            return None
        card = shipped()
        every = tuple(dict.fromkeys([*names, *card.inputs]))
        places = tuple(every.index(one) for one in card.inputs)
        return cls(card, every, len(names), places, every.index(SCORE_INPUT))

    def complete(self, row: list[Value], instead: Mapping[str, Value] = NOTHING) -> list[Value]:
        """Return the values of the policy's inputs, the score among them, of those of `names`.

        `instead` are values the card sees in place of what the policy is told.
        """
        if instead:
            looked_at = [
                instead.get(name, row[place])
                for name, place in zip(self.card.inputs, self.places, strict=True)
            ]
        else:
            looked_at = [row[place] for place in self.places]
        row[self.score] = points_of(self.card, looked_at)
        del row[self.own :]
        return row

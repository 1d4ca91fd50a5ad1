"""Scorecards of the files, read once and checked against what a decision may look at."""

from functools import lru_cache
from pathlib import Path

from fenqi.core.risk.scorecard import Scorecard, read
from fenqi.store import features

STARTER = Path(__file__).parents[1] / "data" / "scorecards" / "starter.toml"


@lru_cache(maxsize=1)
def shipped() -> Scorecard:
    """Return the card that comes with fenqi. Errors: ScorecardInvalid, FeaturesInvalid."""
    vocabulary = features.shipped().vocabulary
    return read(STARTER.read_text("utf-8"), vocabulary, file=STARTER.name)

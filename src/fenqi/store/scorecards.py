"""Scorecards of the files, read once and checked against what a decision may look at."""

from functools import lru_cache
from pathlib import Path

from fenqi.core.risk.policy.read import read as read_policy
from fenqi.core.risk.rulebook import Rulebook, rulebook
from fenqi.core.risk.scorecard import Scorecard, read, to_json
from fenqi.store import features

POLICY = Path(__file__).parents[1] / "data" / "policies" / "application.toml"
STARTER = Path(__file__).parents[1] / "data" / "scorecards" / "starter.toml"


@lru_cache(maxsize=1)
def shipped() -> Scorecard:
    """Return the card that comes with fenqi. Errors: ScorecardInvalid, FeaturesInvalid."""
    vocabulary = features.shipped().vocabulary
    return read(STARTER.read_text("utf-8"), vocabulary, file=STARTER.name)


@lru_cache(maxsize=1)
def application_policy() -> Rulebook:
    """Return the policy about applications that comes with fenqi. Errors: PolicyInvalid."""
    declared = features.shipped()
    policy = read_policy(POLICY.read_text("utf-8"), declared.vocabulary, file=POLICY.name)
    card = to_json(shipped())
    return rulebook(policy, declared.vocabulary, features=declared.text, scorecard=card)

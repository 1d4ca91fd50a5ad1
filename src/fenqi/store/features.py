"""Features of the files: what a decision may look at, read once."""

from functools import lru_cache
from pathlib import Path

from fenqi.core.risk.features.declaration import FeatureSet
from fenqi.core.risk.features.reading import read

SHIPPED = Path(__file__).parents[1] / "data" / "features" / "shipped.toml"


@lru_cache(maxsize=1)
def shipped() -> FeatureSet:
    """Return the features that come with fenqi. Errors: FeaturesInvalid."""
    return read(SHIPPED.read_text("utf-8"), file=SHIPPED.name)

"""What the benches share: where they keep their databases."""

from pathlib import Path

from fenqi.runtime import Config

ROOT = Path(__file__).parents[2]


def folder(name: str) -> Path:
    """Return the data folder of one bench, below the folder of everything fenqi keeps."""
    return Config.from_environment().data_folder / "bench" / name

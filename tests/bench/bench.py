"""What the benches share: where they keep their databases."""

from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from fenqi.machine import Config
from fenqi.store.accounts import ADD_COST_LINES, ADD_COST_TABLE, cost_entry
from fenqi.store.catalogue import Catalogue

ROOT = Path(__file__).parents[2]


def folder(name: str) -> Path:
    """Return the data folder of one bench, below the folder of everything fenqi keeps."""
    return Config.from_environment().data_folder / "bench" / name


def add_cost_table(connection: "psycopg.Connection[Any]", catalogue: Catalogue) -> UUID:
    """Add the cost table that all who open an account now agree to; return its id."""
    entry = cost_entry(catalogue)
    connection.execute(ADD_COST_TABLE, entry)
    connection.execute(ADD_COST_LINES, entry)
    costs = entry["cost_table"]
    assert isinstance(costs, UUID)
    return costs

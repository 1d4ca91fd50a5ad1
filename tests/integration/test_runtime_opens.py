"""A program that cannot open leaves nothing of it behind."""

import threading
from pathlib import Path

import pytest

from fenqi.core.errors import Invalid
from fenqi.runtime import Config, Runtime


@pytest.mark.parametrize(
    ("folder", "name"), [("products", "flat.toml"), ("crowds", "shipped.toml")]
)
def test_a_catalogue_that_cannot_be_read_leaves_no_connection(
    database_url: str, tmp_path: Path, folder: str, name: str
) -> None:
    own = tmp_path / "own"
    (own / folder).mkdir(parents=True)
    (own / folder / name).write_text("x =\n")
    config = Config.from_environment(
        {
            "FENQI_DATABASE_URL": database_url,
            "FENQI_DATA": str(tmp_path / "data"),
            "FENQI_CATALOGUE": str(own),
        }
    )
    before = set(threading.enumerate())
    with pytest.raises(Invalid, match="line"):
        Runtime.open(config)
    assert set(threading.enumerate()) <= before

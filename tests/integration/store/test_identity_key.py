"""The key of identity values: made once, kept to its owner, never changed by accident."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fenqi.core.risk.identity import Identifier, IdentityKeyInvalid
from fenqi.store.identity_key import FILE, IdentityKeyChanged, sealer
from fenqi.store.pool import Store

NOW = datetime(2026, 1, 5, tzinfo=UTC)
OLD, NEW = "01" * 32, "02" * 32


def seal(store: Store, folder: Path, given: str | None = None) -> str:
    found = sealer(store, given=given, folder=folder, now=NOW)
    return found.seal(Identifier.DEVICE, "d")


def test_a_key_is_made_once_and_only_its_owner_may_read_it(store: Store, tmp_path: Path) -> None:
    first = seal(store, tmp_path / "data")
    kept = tmp_path / "data" / FILE
    assert kept.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(kept.read_text())) == 32
    assert seal(store, tmp_path / "data") == first
    assert [one.name for one in (tmp_path / "data").iterdir()] == [FILE]


def test_another_key_is_refused_until_the_one_before_is_named(store: Store, tmp_path: Path) -> None:
    before = seal(store, tmp_path, OLD)
    with pytest.raises(IdentityKeyChanged) as caught:
        seal(store, tmp_path, NEW)
    assert NEW not in str(caught.value)
    with pytest.raises(IdentityKeyChanged):
        seal(store, tmp_path)  # of the folder: another one too
    assert seal(store, tmp_path, f"{NEW},{OLD}") != before
    assert seal(store, tmp_path, NEW) != before  # by now it is known


@pytest.mark.parametrize("given", ["xyz", "01" * 31, ",", f"{NEW},"])
def test_what_is_no_key_is_refused(store: Store, tmp_path: Path, given: str) -> None:
    with pytest.raises(IdentityKeyInvalid):
        seal(store, tmp_path, given)


def test_a_file_that_was_damaged_is_not_replaced(store: Store, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("half")
    with pytest.raises(IdentityKeyInvalid):
        seal(store, tmp_path)
    assert (tmp_path / FILE).read_text() == "half"

"""A lender's own conduct lies over the shipped one; a wrong one is named by its file."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import fenqi
from fenqi.store import catalogue
from fenqi.store.catalogue import FileUnreadable, VersionChanged
from fenqi.store.pool import Store

SHIPPED = Path(fenqi.__file__).parent / "data" / "conduct" / "standard.toml"
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def own(folder: Path, text: str) -> Path:
    (folder / "conduct").mkdir()
    (folder / "conduct" / "standard.toml").write_text(text, "utf-8")
    return folder


def install(store: Store, folder: Path) -> int:
    with store.transaction() as session:
        catalogue.install(session, NOW, folder)
        return catalogue.load(session).conduct().limit.cool_down_days


def test_an_own_conduct_with_a_higher_version_is_followed(store: Store, tmp_path: Path) -> None:
    text = SHIPPED.read_text("utf-8").replace("version = 2", "version = 3")
    text = text.replace("cool_down_days = 30", "cool_down_days = 60")
    assert install(store, own(tmp_path, text)) == 60


def test_a_figure_that_changed_under_its_version_is_refused(store: Store, tmp_path: Path) -> None:
    with store.transaction() as session:
        catalogue.install(session, NOW)
    text = SHIPPED.read_text("utf-8").replace("cool_down_days = 30", "cool_down_days = 60")
    with pytest.raises(VersionChanged):
        install(store, own(tmp_path, text))


def test_a_grade_that_offers_no_product_is_named_with_the_file(
    store: Store, tmp_path: Path
) -> None:
    text = SHIPPED.read_text("utf-8").replace('["unsplit", "annuity18"]', '["anuity18"]')
    with pytest.raises(FileUnreadable) as refused:
        install(store, own(tmp_path, text))
    assert "anuity18" in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_a_mistyped_key_is_named_with_its_line(store: Store, tmp_path: Path) -> None:
    text = SHIPPED.read_text("utf-8").replace("cool_down_days = 30", "cooldown_days = 30")
    with pytest.raises(FileUnreadable) as refused:
        install(store, own(tmp_path, text))
    assert "cool_down_days" in str(refused.value)

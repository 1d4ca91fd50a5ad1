"""A program that cannot open leaves nothing of it behind, nor half of what it would install."""

import threading
from pathlib import Path

import psycopg
import pytest

from fenqi.cli.errors import sentence
from fenqi.core.errors import Conflict, Invalid
from fenqi.core.risk.decision import DecisionKind
from fenqi.runtime import Config, Runtime
from fenqi.store import policies
from fenqi.store.catalogue import SHIPPED


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


OWN = """
id = "ours"
version = 1
kind = "limit"
purpose = "credit"
owner = "risk"
author = "Li Wei"
valid_from = 2020-01-01

[[rules]]
id = "full"
when = "utilisation_ppm > 90 %"
effects = [{ effect = "review", priority = 2 }]
reason = "full"

[[reasons]]
code = "full"
zh = "额度已用完。"
en = "The limit is used up."

[[examples]]
says = "nothing is left"
given = { utilisation_ppm = 1000000 }
outcome = "review"
"""


def opened(url: str, tmp_path: Path, **files: str) -> Runtime:
    """Open a program over an operator's folder with these policies."""
    folder = tmp_path / "own" / "policies"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    settings = {
        "FENQI_DATABASE_URL": url,
        "FENQI_DATA": str(tmp_path / "data"),
        "FENQI_CATALOGUE": str(folder.parent),
    }
    return Runtime.open(Config.from_environment(settings))


def installed(url: str) -> tuple[int, int]:
    """Return how many adoptions and how many versions of anything a database holds."""
    with psycopg.connect(url) as connection:
        counted = "SELECT (SELECT count(*) FROM adoptions), (SELECT count(*) FROM catalogue)"
        adoptions, versions = connection.execute(counted).fetchone() or (0, 0)
    return adoptions, versions


def test_an_operators_sound_policy_is_adopted_at_a_first_start(
    database_url: str, tmp_path: Path
) -> None:
    with (
        opened(database_url, tmp_path, limit=OWN) as runtime,
        runtime.store.transaction() as session,
    ):
        assert policies.live(session, DecisionKind.LIMIT).name == "ours"
        assert policies.live(session, DecisionKind.PRICE).name == "price"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('outcome = "review"', 'outcome = "approve"', "line 24: example nothing is left: outcome"),
        ("> 90 %", "> 90", "line 12: rule full"),
        ('"review", priority = 2', '"freeze", days = 2', "line 13: rule full"),
        ("utilisation_ppm > 90 %", "utilisation_ppm > 90 % and", "line 12"),
    ],
)
def test_an_operators_policy_with_a_fault_installs_nothing(
    database_url: str, tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in OWN
    with pytest.raises(Invalid) as refused:
        opened(database_url, tmp_path, a_limit=OWN.replace(old, new)).close()
    told = sentence(refused.value)
    assert str(tmp_path / "own" / "policies" / "a_limit.toml") in told
    assert said in told
    assert installed(database_url) == (0, 0)


def test_what_is_shipped_is_installed_only_where_it_suits_the_operators_grades(
    database_url: str, tmp_path: Path
) -> None:
    conduct = (SHIPPED / "conduct" / "standard.toml").read_text("utf-8")
    own = tmp_path / "own" / "conduct"
    own.mkdir(parents=True)
    only_free = conduct.replace('products = ["unsplit", "annuity18"]', 'products = ["unsplit"]')
    (own / "standard.toml").write_text(only_free.replace("version = 2", "version = 3"), "utf-8")
    opened(database_url, tmp_path).close()
    assert installed(database_url)[0] == len(DecisionKind)


def test_what_is_shipped_is_refused_where_it_leaves_an_operators_grade_nothing(
    database_url: str, tmp_path: Path
) -> None:
    conduct = (SHIPPED / "conduct" / "standard.toml").read_text("utf-8")
    own = tmp_path / "own" / "conduct"
    own.mkdir(parents=True)
    of_ours = conduct.replace('products = ["unsplit", "annuity18"]', 'products = ["annuity18"]')
    (own / "standard.toml").write_text(of_ours.replace("version = 2", "version = 3"), "utf-8")
    with pytest.raises(Invalid) as refused:
        opened(database_url, tmp_path).close()
    told = sentence(refused.value)
    assert (
        "customers of price grade 1 could choose nothing: that grade is offered annuity18" in told
    )
    assert "purchase.toml" in told
    assert installed(database_url) == (0, 0)


def test_two_policies_for_one_kind_install_nothing(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="policy-twice"):
        opened(database_url, tmp_path, one=OWN, two=OWN.replace('"ours"', '"other"')).close()
    assert installed(database_url) == (0, 0)


def test_a_folder_that_comes_later_is_not_looked_at(database_url: str, tmp_path: Path) -> None:
    opened(database_url, tmp_path).close()
    before = installed(database_url)
    opened(database_url, tmp_path, limit=OWN.replace("> 90 %", "> 90")).close()
    assert installed(database_url) == before

"""The shipped products and packs are whole, say where they are from, and keep the caps."""

import tomllib
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from fenqi.core.servicing.ageing import bucket_of
from fenqi.core.terms.cost import cost_table
from fenqi.core.terms.pack import Pack, check_product
from fenqi.core.terms.product import Product
from make import terms

SHIPPED = Path(str(resources.files("fenqi"))) / "data"
PRODUCTS = sorted((SHIPPED / "products").glob("*.toml"))
PACKS = sorted((SHIPPED / "packs").glob("*.toml"))


def table(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def product(name: str) -> Product:
    return Product.read(table(SHIPPED / "products" / f"{name}.toml"))


def test_the_shipped_names_are_the_promised_ones() -> None:
    assert {"unsplit", "flat", "free4", "annuity18"} <= {file.stem for file in PRODUCTS}
    assert {"cn"} <= {file.stem for file in PACKS}


@pytest.mark.parametrize("file", [*PRODUCTS, *PACKS], ids=lambda file: file.name)
def test_a_file_is_named_as_its_id_and_titled_in_both_languages(file: Path) -> None:
    assert table(file)["id"] == file.stem
    assert set(table(file)["title"]) == {"zh", "en"}
    assert all(table(file)["title"].values())


@pytest.mark.parametrize("file", PRODUCTS, ids=lambda file: file.name)
def test_a_product_says_where_it_is_from(file: Path) -> None:
    assert table(file)["source"].strip()


@pytest.mark.parametrize("pack", PACKS, ids=lambda file: file.name)
@pytest.mark.parametrize("file", PRODUCTS, ids=lambda file: file.name)
def test_every_product_keeps_every_cap(file: Path, pack: Path) -> None:
    check_product(Product.read(table(file)), Pack.read(table(pack)))


@pytest.mark.parametrize(
    ("name", "count", "percent"),
    [
        ("unsplit", 1, "0.00"),
        ("free4", 4, "0.00"),
        ("flat", 3, "8.98"),
        ("flat", 12, "10.90"),
        ("flat", 24, "11.13"),
        ("annuity18", 12, "18.00"),
    ],
)
def test_a_product_costs_a_year_what_its_page_says(name: str, count: int, percent: str) -> None:
    shown = cost_table(terms(product(name), 10**9, count)).nominal_annual * 100
    assert round(shown, 2) == Decimal(percent)


@pytest.mark.parametrize(
    ("days", "bucket"), [(0, 0), (1, 1), (30, 1), (31, 2), (90, 3), (180, 6), (181, 7)]
)
def test_the_buckets_are_the_usual_ones(days: int, bucket: int) -> None:
    pack = Pack.read(table(SHIPPED / "packs" / "cn.toml"))
    assert bucket_of(days, pack.bucket_bounds) == bucket

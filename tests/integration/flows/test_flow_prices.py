"""Requests at a price: named by the cost table, capped by the pack, income of their time."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from make_book import (
    World,
    assert_sound,
    bill_split,
    buy,
    deferred,
    done,
    enrol,
    extended,
    open_book,
    pay,
    row,
    rows,
    until,
)

from fenqi.core.errors import Broken, FenqiError
from fenqi.core.terms.life.refusal import OperationSenseless
from fenqi.core.terms.pack import CapBroken
from fenqi.flows.defer import defer
from fenqi.flows.extend import extend
from fenqi.flows.split_bill import split_bill
from fenqi.report import beancount
from fenqi.report.beancount import By
from fenqi.store import catalogue
from fenqi.store.ground import Ground
from fenqi.store.pool import Store
from fenqi.store.requests import CostNotAgreed

PRICES = """
deferral_cost_ppm = {deferral}
deferrals_free_a_year = 1
extension_cost_ppm_per_period = {extension}
"""
BEAN_CHECK = Path(sys.executable).parent / "bean-check"


def priced(folder: Path, *, deferral: int = 10_000, extension: int = 5_000, rate: int = 0) -> Path:
    """Write a product whose requests have a price, and return the folder it is in."""
    text = (catalogue.SHIPPED / "products" / "flat.toml").read_text(encoding="utf-8")
    text = text.replace('id = "flat"', 'id = "priced"')
    if rate:
        text = text.replace("fee_ppm_per_period = 5000", f"fee_ppm_per_period = {rate}")
    (folder / "products").mkdir()
    file = folder / "products" / "priced.toml"
    file.write_text(text + PRICES.format(deferral=deferral, extension=extension), encoding="utf-8")
    return folder


def adopt(world: World, folder: Path) -> World:
    """Return the world with an operator's own products."""
    with world.store.transaction() as session:
        catalogue.install(session, world.clock.now(), folder)
        known = catalogue.load(session)
    old = world.ground
    world.ground = Ground(old.store, old.clock, old.ids, known)
    return world


@pytest.fixture
def world(store: Store, tmp_path: Path) -> World:
    return adopt(open_book(store, opened=date(2026, 1, 5)), priced(tmp_path))


EARNED = """
    SELECT SUM(CASE credit WHEN 'income-fee' THEN amount_minor ELSE -amount_minor END)::bigint
    FROM transfers WHERE 'income-fee' IN (debit, credit)
"""
LINE = """
    SELECT cost_line, amount_minor, parameters FROM operations WHERE kind = %(kind)s
    ORDER BY number
"""


def test_the_first_deferral_is_free_and_the_second_costs_what_was_shown(world: World) -> None:
    account = enrol(world)
    lines = rows(world.store, "SELECT cost_line, rate_ppm, rate_period FROM cost_lines ORDER BY 1")
    assert ("deferral-fee", 10_000, "deferral") in lines
    assert ("extension-fee", 5_000, "instalment") in lines
    _, plan = buy(world, account, 120_000, "priced", 12)
    until(world, date(2026, 2, 5))
    assert done(defer(world.ground, [deferred(world, account, plan, 5)])[0]).cost_minor == 0
    until(world, date(2026, 2, 15))
    pay(world, account, 10_600)
    until(world, date(2026, 3, 5))
    (free,) = defer(world.ground, [deferred(world, account, plan, 5)])
    assert isinstance(free, OperationSenseless)
    assert free.fields["reason"] == "not the disclosed cost"
    granted = done(defer(world.ground, [deferred(world, account, plan, 5, cost_minor=106)])[0])
    assert (granted.cost_minor, granted.open_minor[0]) == (106, 10_706)
    assert rows(world.store, LINE, kind="defer") == [
        (None, 0, {"due_on": "2026-02-10", "days": 5}),
        ("deferral-fee", 106, {"due_on": "2026-03-10", "days": 5}),
    ]
    assert_sound(world)
    until(world, date(2026, 3, 15))
    pay(world, account, 10_706)
    until(world, date(2026, 4, 2))
    assert row(world.store, EARNED) == 600 + 706 + 600 * 16 // 26
    assert_sound(world)


def test_an_extension_costs_by_its_instalments_and_stays_under_the_yearly_cap(
    world: World,
) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "priced", 6)
    cost = 60_000 * 5_000 * 2 // 1_000_000
    (answer,) = extend(world.ground, [extended(world, account, plan, 2, cost_minor=cost)])
    assert done(answer).cost_minor == cost
    assert rows(world.store, LINE, kind="extend")[0][:2] == ("extension-fee", cost)
    assert_sound(world)


def test_a_price_that_lifts_a_plan_above_the_yearly_cap_is_refused(
    store: Store, tmp_path: Path
) -> None:
    dear = priced(tmp_path, rate=11_200)  # in 24 instalments it is 24 % a year
    world = adopt(open_book(store, opened=date(2026, 1, 5)), dear)
    account = enrol(world)
    _, plan = buy(world, account, 2_400_000, "priced", 24)
    free = done(defer(world.ground, [deferred(world, account, plan, 1)])[0])
    until(world, date(2026, 2, 11))
    pay(world, account, free.open_minor[0])
    cost = free.open_minor[1] * 10_000 // 1_000_000
    (refused,) = defer(world.ground, [deferred(world, account, plan, 1, cost_minor=cost)])
    assert isinstance(refused, CapBroken)
    assert refused.fields["what"] == "nominal_annual_ppm"
    assert int(str(refused.fields["value"])) > 240_000
    assert row(world.store, "SELECT COUNT(*) FROM operations WHERE kind = 'defer'") == 1
    assert_sound(world)


def test_an_agreement_that_names_no_price_is_charged_none(store: Store, tmp_path: Path) -> None:
    world = open_book(store, opened=date(2026, 1, 5))
    account = enrol(world)  # agreed before the product was there
    adopt(world, priced(tmp_path))
    _, plan = buy(world, account, 60_000, "priced", 6)
    (refused,) = extend(world.ground, [extended(world, account, plan, 1, cost_minor=300)])
    assert isinstance(refused, CostNotAgreed)
    assert refused.fields["cost_line"] == "extension-fee"
    forged = (
        "INSERT INTO operations (account_id, plan_id, number, kind, is_derived, effective_on,"
        " booked_on, amount_minor, parameters, cause_number, agreement_version, cost_table,"
        " cost_line) SELECT account_id, plan_id, 2, 'extend', FALSE, effective_on, booked_on, 300,"
        " '{\"count\": 1}', cause_number, {agreed} FROM plans JOIN operations USING"
        " (account_id, plan_id)"
    )
    for agreed in ("1, cost_table, 'extension-fee'", "NULL, NULL, NULL"):
        agreed = agreed.replace("cost_table", "plans.cost_table")
        with pytest.raises(FenqiError) as broken, store.transaction() as session:
            session.run(forged.replace("{agreed}", agreed))
        assert isinstance(broken.value, Broken)
    assert_sound(world)


@pytest.mark.parametrize(
    ("deferral", "extension", "what"),
    [(10_001, 0, "deferral_cost_ppm"), (0, 5_001, "extension_cost_ppm_per_period")],
)
def test_a_price_above_the_cap_of_the_pack_is_refused_by_its_file(
    tmp_path: Path, deferral: int, extension: int, what: str
) -> None:
    folder = priced(tmp_path, deferral=deferral, extension=extension)
    with pytest.raises(CapBroken) as refusal:
        catalogue.from_files(folder)
    assert refusal.value.fields["what"] == what
    assert refusal.value.fields["line"]


@pytest.mark.parametrize("by", list(By))
def test_a_strangers_tool_arrives_at_our_balances(world: World, tmp_path: Path, by: By) -> None:
    account = enrol(world)
    buy(world, account, 70_000)
    _, plan = buy(world, account, 60_000, "priced", 6)
    done(extend(world.ground, [extended(world, account, plan, 2, cost_minor=600)])[0])
    until(world, date(2026, 2, 3))
    done(defer(world.ground, [deferred(world, account, plan, 2)])[0])
    (refused,) = split_bill(world.ground, [bill_split(world, account, 1, 0)])
    asked = int(str(refused.fields["asked_minor"]))  # type: ignore[union-attr] # a refusal
    done(split_bill(world.ground, [bill_split(world, account, 1, asked)])[0])
    until(world, date(2026, 3, 2))
    assert_sound(world)
    path = tmp_path / "book.beancount"
    beancount.export(world.store, None, path, by)
    command = [str(BEAN_CHECK), "--no-cache", str(path)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")

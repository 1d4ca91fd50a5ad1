"""The Beancount export: a stranger's tool adds it up and arrives at our balances."""

import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path

import pytest

from fenqi.core.ledger import CHART, Account
from fenqi.report import beancount
from fenqi.report.beancount import By
from fenqi.report.book import BookUnclear
from fenqi.report.whole import PathUnwritable
from fenqi.runtime import Ids, MovingClock
from fenqi.store import books
from fenqi.store.pool import Store

BEAN_CHECK = Path(sys.executable).parent / "bean-check"
SECONDS_MAX = 240  # against what hangs


def bean_check(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the stranger's tool on a file."""
    command = [str(BEAN_CHECK), "--no-cache", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX)


@pytest.mark.parametrize("by", list(By))
def test_bean_check_arrives_at_our_balances(lived_store: Store, tmp_path: Path, by: By) -> None:
    path = tmp_path / "small.beancount"
    assert beancount.export(lived_store, None, path, by) is by
    checked = bean_check(path)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.parametrize("by", list(By))
def test_a_cent_moved_in_the_file_is_found(lived_store: Store, tmp_path: Path, by: By) -> None:
    path = tmp_path / "small.beancount"
    beancount.export(lived_store, None, path, by)
    text = path.read_text(encoding="utf-8")
    # Both sides of the opening transfer, so that the transaction still balances.
    forged = text.replace("1000000.00", "1000000.01", 2)
    assert forged.count("1000000.01") == 2
    path.write_text(forged, encoding="utf-8")
    checked = bean_check(path)
    assert checked.returncode == 1
    assert "Balance failed" in checked.stderr


def test_a_missing_transaction_is_found(lived_store: Store, tmp_path: Path) -> None:
    path = tmp_path / "small.beancount"
    beancount.export(lived_store, None, path, By.EVENT)
    head, *transactions = path.read_text(encoding="utf-8").split("\n\n2026-")
    path.write_text("\n\n2026-".join([head, *transactions[1:]]), encoding="utf-8")
    assert bean_check(path).returncode == 1


def test_the_same_ledger_gives_the_same_bytes(lived_store: Store) -> None:
    first, second = StringIO(), StringIO()
    beancount.export(lived_store, None, first)
    beancount.export(lived_store, None, second)
    assert first.getvalue() == second.getvalue()
    assert "one transaction per event" in first.getvalue()


def test_an_event_names_its_account_plan_and_the_day_it_counts_from(lived_store: Store) -> None:
    out = StringIO()
    beancount.export(lived_store, "small", out, By.EVENT)
    late = re.search(
        r"2026-04-02 \* \"receipt-final\" \^acc-[0-9a-f-]{36} \^pln-[0-9a-f-]{36}\n"
        r"  event: \d+\n  effective_on: 2026-03-30\n"
        r"  Assets:Cash:Settled +605\.00 CNY\n  Liabilities:Suspense +-605\.00 CNY\n",
        out.getvalue(),
    )
    assert late is not None


def test_every_account_of_the_chart_is_opened_and_asserted(lived_store: Store) -> None:
    out = StringIO()
    beancount.export(lived_store, None, out, By.DAY)
    for account in Account:
        name = beancount.account_name(account)
        assert f"2026-01-05 open {name} CNY\n" in out.getvalue()
        assert re.search(rf"2026-10-15 balance {name} +-?[\d.]+ ~ 0 CNY\n", out.getvalue())


def test_account_names_are_those_of_the_chart_and_of_the_database(lived_store: Store) -> None:
    with lived_store.transaction() as session:
        rows = session.rows("SELECT code, side, export_name FROM chart ORDER BY code")
    assert rows == sorted(
        (one.value, CHART[one].side.value, CHART[one].export_name) for one in Account
    )


def test_a_currency_without_minor_units_is_written_whole(store: Store, tmp_path: Path) -> None:
    clock = MovingClock(datetime(2026, 1, 5, tzinfo=UTC))
    with store.transaction() as session:
        book = books.NewBook(
            book_id="yen",
            legal_entity="Yen Ltd",
            currency="JPY",
            zone="Asia/Tokyo",
            opened_on=date(2026, 1, 5),
            pack="cn",
            pack_version=1,
            funding_minor=1_000_000,
        )
        books.create(session, book, ids=Ids(clock, seed=1), now=clock.now())
    path = tmp_path / "yen.beancount"
    beancount.export(store, "yen", path)
    assert "1000000 JPY" in path.read_text(encoding="utf-8")
    assert bean_check(path).returncode == 0


def test_a_book_must_be_named_where_there_is_none(store: Store) -> None:
    with pytest.raises(BookUnclear):
        beancount.export(store, None, StringIO())


def test_a_place_that_cannot_be_written_is_named(lived_store: Store, tmp_path: Path) -> None:
    with pytest.raises(PathUnwritable) as refusal:
        beancount.export(lived_store, None, tmp_path / "no" / "such.beancount")
    assert refusal.value.fields["path"] == str(tmp_path / "no" / "such.beancount")


def test_a_pipe_or_a_device_is_never_replaced_by_a_ledger(
    lived_store: Store, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(PathUnwritable):
        beancount.export(lived_store, None, pipe)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]

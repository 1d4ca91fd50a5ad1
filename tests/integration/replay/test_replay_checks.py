"""Shoppers of the demo answer checks, the same ones each time; a challenger is judged beside."""

import itertools
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from fenqi.core.errors import Broken
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.check import check
from fenqi.flows.found import Found
from fenqi.machine import Config
from fenqi.replay import challenger, run
from fenqi.replay.drive import Driven
from fenqi.replay.facts import Fact, Opening, Purchase, Refund
from fenqi.report import shadow as shadowing
from fenqi.runtime import MovingClock, Runtime
from fenqi.store import policies
from fenqi.worker.close import close_through
from fenqi.worker.shadow import follow

DAY = date(2026, 1, 5)
MORNING = datetime(2026, 1, 5, 1, tzinfo=UTC)
PEOPLE = 40
BOOK = Found(
    book_id="checks", legal_entity="Checks", currency="CNY", zone="Asia/Shanghai", opened_on=DAY
)


def facts() -> tuple[Fact, ...]:
    """Everybody is declined five times, then buys twice for little, and gives one back."""
    people = [f"person-{number}" for number in range(PEOPLE)]
    made: list[Fact] = [Opening(person, MORNING, 10_000, 1) for person in people]
    for person, place in itertools.product(people, range(7)):
        amount = 20_000 if place < 5 else 1_000
        key = f"{person}/{place}"
        made.append(Purchase(key, person, "shop", MORNING, amount, "free4", 4, ()))
    later = MORNING + timedelta(days=1)
    made += [Refund(f"back/{one}", f"{one}/5", one, later, 1_000, ()) for one in people]
    return tuple(made)


class Silent:
    def begin(self, first_on: date, last_on: date) -> None:
        """Tell nobody."""

    def lived(self, day: date) -> None:
        """Tell nobody."""


def live(runtime: Runtime, clock: MovingClock, file: Path) -> Driven:
    plan = run.Plan(
        *(BOOK, facts(), DAY, DAY + timedelta(days=1)),
        payments_seed=1,
        has_wishes=True,
        asks_policies=True,
        challenger=file,
    ).signed()

    def close(day: date) -> None:
        close_through(runtime.ground, BOOK.book_id, day)

    return run.live(runtime, clock, plan, close, Silent())


COUNTS = "SELECT kind, COUNT(*) FROM events GROUP BY kind"


def test_some_answer_their_check_and_buy_the_others_do_not(
    database_url: str, tmp_path: Path
) -> None:
    clock = MovingClock(datetime(2000, 1, 1, tzinfo=UTC))
    file = tmp_path / challenger.FILE
    with Runtime.open(Config(tmp_path, database_url), clock=clock) as runtime:
        driven = live(runtime, clock, file)
        with runtime.store.transaction() as session:
            kinds = dict(session.rows(COUNTS))
        assert PEOPLE // 2 < driven.checks_passed < PEOPLE
        assert kinds["step-up-passed"] == driven.checks_passed
        assert kinds["purchase-paused"] == 2 * PEOPLE
        # Of two purchases each one draws; one check passed is enough for both.
        assert driven.checks_passed <= kinds["purchase-captured"] <= 2 * driven.checks_passed
        assert driven.refunds > PEOPLE // 2

        again = live(runtime, clock, file)  # a demo that goes on sends the same and books nothing
        with runtime.store.transaction() as session:
            assert dict(session.rows(COUNTS)) == kinds
        assert again.checks_passed == driven.checks_passed

        follow(runtime.ground)
        found = shadowing.read(runtime.store, challenger.find(runtime))
        assert len(shadowing.every(runtime.store)) == 1
        assert found.comparison.decisions == 7 * PEOPLE + kinds["purchase-captured"]


def test_the_challengers_file_is_whole_and_says_what_it_changed(tmp_path: Path) -> None:
    file = tmp_path / challenger.FILE
    file.write_text(challenger.text(), encoding="utf-8")
    policy = policies.read_file(file)
    assert (policy.name, policy.version, policy.author) == ("purchase", 4, challenger.STARTED_BY)
    shipped = policies.shipped(DecisionKind.PURCHASE).policy.text.splitlines()
    own = challenger.text().splitlines()
    changed = [one for one, other in zip(own, shipped, strict=True) if one != other]
    figures = [one for one in changed if not one.startswith(("# The", "version", "author"))]
    assert len(figures) >= 3
    assert sum("# was" in one for one in figures) == 3
    assert any("4 * purchase_amount_max_90d" in one and "# was 3" in one for one in figures)
    checked = check(policy)
    assert [one for one in checked.findings if one.is_fault] == []


def test_a_shipped_policy_that_says_something_else_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(challenger, "CHANGES", (("nowhere in it", "x"),))
    with pytest.raises(Broken):
        challenger.text()

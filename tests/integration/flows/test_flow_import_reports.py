"""Reports by file: kept once, of those who consented, and used as a bureau's own answer is."""

from dataclasses import replace
from datetime import timedelta

import pytest
from make_application import EVERYTHING, SaidBureau, applied, consents
from make_book import World, done, open_book, row, rows

from fenqi.core.values.bureau import BureauReport
from fenqi.flows.import_reports import Delivered, Imported, ReportAhead, import_reports
from fenqi.store.pool import Store
from fenqi.worker.admit import admit


@pytest.fixture
def world(store: Store) -> World:
    world = open_book(store)
    applied(world, "ann")
    applied(world, "bob", consents=consents(world, *(set(EVERYTHING) - {"bureau"})))
    return world


def lines(world: World, *people: str) -> list[Delivered]:
    report = BureauReport(world.clock.now() - timedelta(days=2), 710, overdue_accounts=3)
    return [Delivered(2 + place, one, report) for place, one in enumerate(people)]


def test_a_file_is_kept_once_and_of_those_who_consented(world: World) -> None:
    told = lines(world, "ann", "bob", "nobody")
    first = import_reports(world.ground, told, name="north")
    assert first == Imported(stored=1, known=0, nobody=1, without_consent=1)
    again = import_reports(world.ground, told, name="north")
    assert again == Imported(stored=0, known=1, nobody=1, without_consent=1)
    kept = rows(
        world.store, "SELECT bureau, source, finding, score, cost_minor, said FROM bureau_reports"
    )
    assert kept == [("north", "file", "report", 710, None, "line 2")]
    other = [replace(told[0], report=replace(told[0].report, score=711))]
    assert import_reports(world.ground, other, name="north").stored == 1


def test_a_report_of_the_future_keeps_nothing(world: World) -> None:
    told = lines(world, "ann", "ann")
    ahead = replace(told[1].report, as_of=world.clock.now() + timedelta(seconds=1))
    told[1] = replace(told[1], report=ahead)
    with pytest.raises(ReportAhead) as refusal:
        import_reports(world.ground, told, name="north")
    assert refusal.value.fields["line"] == 3
    assert row(world.store, "SELECT COUNT(*) FROM bureau_reports") == 0


def test_a_report_of_a_file_decides_and_nobody_is_asked(world: World) -> None:
    import_reports(world.ground, lines(world, "ann"), name="north")
    bureau = SaidBureau()
    answers = admit(world.ground, bureau)
    assert bureau.asked == []
    outcomes = {done(one).outcome: done(one).reasons for one in answers.values()}
    assert outcomes == {"decline": ["overdue-elsewhere"], "smaller-limit": ["no-bureau-report"]}

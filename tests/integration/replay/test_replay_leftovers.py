"""Lines that were read but not booked are named with the reason the book itself gave."""

from datetime import UTC, date, datetime
from pathlib import Path

from fenqi.flows.found import Found
from fenqi.machine import Config
from fenqi.replay import run
from fenqi.replay.facts import Opening, Purchase, Refund
from fenqi.replay.source import Stream, Tally
from fenqi.runtime import MovingClock, Runtime
from fenqi.worker.close import close_through

DAY = date(2026, 1, 5)
MORNING = datetime(2026, 1, 5, 1, tzinfo=UTC)
FACTS = (
    Opening("ann", MORNING, 10_000, 1),
    Purchase("invoice-1", "ann", "shop", MORNING, 20_000, "free4", 4, (2, 3)),
    Refund("invoice-2", "invoice-1", "ann", MORNING, 20_000, (4,)),
)


class Silent:
    def begin(self, first_on: date, last_on: date) -> None:
        """Tell nobody."""

    def lived(self, day: date) -> None:
        """Tell nobody."""


def test_a_declined_line_says_why_the_purchase_was_declined(
    database_url: str, tmp_path: Path
) -> None:
    book = Found(
        book_id="left", legal_entity="Left", currency="CNY", zone="Asia/Shanghai", opened_on=DAY
    )
    plan = run.Plan(book, FACTS, DAY, DAY, payments_seed=1).signed()
    clock = MovingClock(datetime(2000, 1, 1, tzinfo=UTC))
    config = Config(tmp_path, database_url)
    with Runtime.open(config, clock=clock) as runtime:
        driven = run.live(runtime, clock, plan, lambda day: _close(runtime, "left", day), Silent())
    tally = Tally(total=3, booked=3, partly={}, left_out={})
    rows, told = run.account(Stream(FACTS, (), tally, DAY, DAY), driven)
    assert [(row.line, row.reason, row.detail) for row in rows] == [
        (2, "purchase-declined", "limit-exceeded"),
        (3, "purchase-declined", "limit-exceeded"),
        (4, "refund-of-declined", "limit-exceeded"),
    ]
    assert told["booked"] == 0


def _close(runtime: Runtime, book_id: str, day: date) -> None:
    close_through(runtime.ground, book_id, day)

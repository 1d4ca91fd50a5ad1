"""A whole replay: a history or an invented population lived through a book, and what it leaves.

In the folder it is given it leaves `exceptions.csv` (lines not booked, with reasons), `tally.json`
(what became of every line), `provenance.json` (where the payments came from) and `report.json`.
"""

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from fenqi.core.errors import Invalid, Missing
from fenqi.core.terms.schedule import CountNotOffered
from fenqi.desk import Desk
from fenqi.flows.found import Found, enlist, found
from fenqi.replay import asking, challenger, drive, figures, leftovers, population
from fenqi.replay.behaviour import Behaviour
from fenqi.replay.drive import Drive, Driven, World
from fenqi.replay.facts import Fact, Purchase
from fenqi.replay.leftovers import LeftOut
from fenqi.replay.mapping import Mapping, place_of
from fenqi.replay.source import Stream
from fenqi.replay.wishes import Wishes
from fenqi.report import book as book_report
from fenqi.report.book import Book
from fenqi.report.dues import due_on, is_paid
from fenqi.report.purchases import why_stopped
from fenqi.runtime import MovingClock, Runtime

DEMO_ZONE = "Asia/Shanghai"
PAYMENTS_SOURCE = "UCI Default of Credit Card Clients (Yeh & Lien 2009), measured roll rates"


class NothingToReplay(Invalid):
    """No line of the file became a purchase."""

    code = "nothing-to-replay"


class Progress(Protocol):
    """Is told how far a replay is."""

    def begin(self, first_on: date, last_on: date) -> None:
        """The days to live are known."""

    def lived(self, day: date) -> None:
        """A day is done and closed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to live: facts up to a day, in a book, with payments drawn from a seed."""

    book: Found
    facts: Collection[Fact]
    first_on: date
    last_on: date
    payments_seed: int
    has_wishes: bool = False  # whether people ask for more than to buy, pay and return
    asks_policies: bool = False  # whether purchases are decided by the policies, as live ones are
    challenger: Path | None = (
        None  # the file of a policy judged beside them, which is written there
    )

    def signed(self) -> "Plan":
        """Return the plan with the digest of all it does in its book, and who draws payments.

        A replay started again finds it there; with other facts it is refused before anything is
        booked, instead of somewhere on the way.
        """
        digest = hashlib.sha256(f"{self.last_on} {self.payments_seed}\n".encode())
        for fact in self.facts:
            digest.update(f"{fact}\n".encode())
        book = dataclasses.replace(
            self.book,
            origin=digest.hexdigest(),
            drawn_from=PAYMENTS_SOURCE,
            drawn_seed=self.payments_seed,
        )
        return dataclasses.replace(self, book=book)


def of_file(stream: Stream, mapping: Mapping, *, book_id: str, name: str) -> Plan:
    """Return the plan that replays a file's stream. Errors: NothingToReplay."""
    if not stream.facts:
        raise NothingToReplay(file=name, lines=stream.tally.total)
    return Plan(
        book=Found(
            book_id=book_id,
            legal_entity=f"Replay of {name}",
            currency=mapping.currency.code,
            zone=mapping.zone.key,
            opened_on=stream.first_on,
            is_trial=True,
        ),
        facts=stream.facts,
        first_on=stream.first_on,
        last_on=drive.last_day(stream.last_on, mapping.days_after_last),
        payments_seed=mapping.payments_seed,
    ).signed()


def of_population(*, size: int, seed: int, first_on: date, days: int, book_id: str) -> Plan:
    """Return the plan that lives `days` days of an invented population of `size` shoppers."""
    return Plan(
        book=Found(
            book_id=book_id,
            legal_entity="Demo Instalments",
            currency="CNY",
            zone=DEMO_ZONE,
            opened_on=first_on,
            funding_minor=1_000_000_000,
        ),
        facts=population.invent(size=size, seed=seed, first_on=first_on, days=days, zone=DEMO_ZONE),
        first_on=first_on,
        last_on=first_on + timedelta(days=days - 1),
        payments_seed=seed,
        has_wishes=True,
        asks_policies=True,
    ).signed()


def make_room(out: Path) -> None:
    """Make the folder of a replay and prove that it can be written, before anything is booked.

    Errors: OSError, which names the folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    probe = out / ".fenqi.part"
    try:
        probe.write_bytes(b"\0")
    except OSError as fault:
        raise OSError(fault.errno, fault.strerror, str(out)) from fault
    finally:
        probe.unlink(missing_ok=True)


def check_offers(runtime: Runtime, mapping: Mapping, file: Path) -> None:
    """Refuse a mapping that draws plans nobody offers, before anything is booked.

    Errors: ProductMissing, CountNotOffered, naming the key and where it stands.
    """
    catalogue = runtime.ground.catalogue
    for number, choice in enumerate(mapping.plans, start=1):
        key = f"plans.choices[{number}]"
        try:
            product = catalogue.product(choice.product)
        except Missing as fault:
            where = {"file": str(file), "key": f"{key}.product"}
            place = place_of(file, where["key"])
            raise type(fault)(**where, **place, **fault.fields) from fault
        if choice.count not in product.counts:
            raise CountNotOffered(
                file=str(file),
                key=f"{key}.count",
                **place_of(file, f"{key}.count"),
                product=choice.product,
                count=choice.count,
                offered=product.counts,
            )


def live(
    runtime: Runtime,
    clock: MovingClock,
    plan: Plan,
    close_day: Callable[[date], None],
    progress: Progress,
) -> Driven:
    """Live the plan's days on the runtime's store; `clock` is the runtime's own.

    Errors: BookDiffers if another history already lives in the book; what the flows raise.
    """
    # Whoever lent a file's purchases has decided them: what he did not ask is not asked now. Of
    # invented people nobody has, so the policies decide.
    ground = dataclasses.replace(runtime.ground, asks_policies=plan.asks_policies)
    book_id = plan.book.book_id
    founded = found(ground, plan.book)
    merchants = enlist(
        ground, book_id, {fact.merchant for fact in plan.facts if isinstance(fact, Purchase)}
    )
    if plan.challenger is not None:
        clock.set(datetime.combine(plan.first_on, time(), ZoneInfo(plan.book.zone)))
        challenger.begin(runtime, plan.challenger, days=(plan.last_on - plan.first_on).days + 1)
    progress.begin(plan.first_on, plan.last_on)
    with Desk(ground) as desk:
        world = World(
            desk=desk,
            clock=clock,
            book_id=book_id,
            zone=ZoneInfo(plan.book.zone),
            open_day=founded.business_date,
            merchants=merchants,
            dues=lambda day: due_on(ground, book_id, day),
            close_day=close_day,
            command_of=partial(asking.command_of, runtime),
            is_paid=partial(is_paid, runtime.ground),
        )
        wishes = Wishes(plan.payments_seed, plan.last_on) if plan.has_wishes else None
        behaviour = Behaviour(figures.read_repayment(), plan.payments_seed)
        driven = Drive(world, behaviour, wishes).run(
            plan.facts, plan.first_on, plan.last_on, progress.lived
        )
    # A merchant's answer does not say why; the file's own exceptions are for the lender.
    why = why_stopped(runtime.store, book_id) if driven.declined_lines else {}
    driven.declined_lines = [
        (line, fact, what, " ".join(why.get(key, ())))
        for line, fact, what, key in driven.declined_lines
    ]
    return driven


def leave(runtime: Runtime, plan: Plan, driven: Driven, stream: Stream | None, out: Path) -> Book:
    """Write what the replay leaves into `out` and return the book's report."""
    out.mkdir(parents=True, exist_ok=True)
    provenance = {
        "payments": "drawn",
        "seed": plan.payments_seed,
        "source": PAYMENTS_SOURCE,
    }
    _write(out / "provenance.json", provenance)
    if stream is not None:
        rows, tally = account(stream, driven)
        leftovers.write_exceptions(out / "exceptions.csv", rows)
        _write(out / "tally.json", tally)
    read = book_report.read(runtime.store, plan.book.book_id, None, folder=out)
    (out / "report.json").write_text(book_report.to_json(read) + "\n", encoding="utf-8")
    return read


def account(stream: Stream, driven: Driven) -> tuple[Iterable[LeftOut], dict[str, object]]:
    """Return the rows of exceptions.csv and the tally, purchases declined on the way included.

    A line of a declined purchase, or of its return, is moved from the booked lines to its reason;
    one that was booked only in part keeps the reason it has.
    """
    declined = {line: LeftOut(line, *told) for line, *told in driven.declined_lines}
    for row in stream.exceptions:
        declined.pop(row.line, None)
    reasons = Counter(row.reason for row in declined.values())
    left_out = Counter(stream.tally.left_out) + reasons
    tally: dict[str, object] = {
        "lines": stream.tally.total,
        "booked": stream.tally.booked - len(declined),
        "partly_booked": dict(sorted(stream.tally.partly.items())),
        "left_out": dict(sorted(left_out.items())),
        "bad_lines": dict(stream.tally.bad),
    }
    by_line = attrgetter("line")
    return merge(stream.exceptions, sorted(declined.values(), key=by_line), key=by_line), tally


def _write(path: Path, table: dict[str, object]) -> None:
    path.write_text(json.dumps(table, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

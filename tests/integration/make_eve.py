"""A book on the eve of a month's end, when every step of the day close has something to do."""

from datetime import date, timedelta

from make_book import BOOK, World, buy, enrol, give_back, hold, open_book, pay, until

from fenqi.store.pool import Store
from fenqi.worker.close import close_through

EVE = date(2026, 8, 31)
# Account -> its statement day; who is touched on the eve, and who is not.
TOUCHED = {"lost": 23, "late": 21, "saver": 22, "billed": 31, "held": 5, "returns": 10, "fee": 12}
BYSTANDERS = {"idle": 1, "unbilled": 15, "paid-up": 3, "long-late": 7}


def live_to_the_eve(store: Store) -> None:
    world = open_book(store, opened=date(2026, 2, 5))
    people = TOUCHED | BYSTANDERS
    ids = {name: enrol(world, name, statement_day=day) for name, day in people.items()}
    buy(world, ids["lost"], 90_000, "annuity18", 3)  # first due on 4 March, 180 days before the eve
    until(world, date(2026, 6, 20))
    buy(world, ids["long-late"], 50_000)  # M1 in July, M2 from 16 August on
    until(world, date(2026, 8, 1))
    buy(world, ids["fee"], 120_000, "flat", 12)
    hold(world, ids["held"], 7_000)  # ends on the eve
    pay(world, ids["saver"], 3_000)
    buy(world, ids["saver"], 10_000)  # due on the eve
    buy(world, ids["late"], 20_000)  # due on the day before the eve
    until(world, date(2026, 8, 2))
    buy(world, ids["paid-up"], 5_000)
    until(world, date(2026, 8, 5))
    pay(world, ids["paid-up"], 5_000)
    until(world, date(2026, 8, 16))
    buy(world, ids["billed"], 30_000, "free4", 4)
    buy(world, ids["unbilled"], 15_000)
    until(world, EVE - timedelta(days=1))
    order, _ = buy(world, ids["returns"], 8_000)  # the merchant is paid for it on the eve
    until(world, EVE)
    pay(world, ids["returns"], 8_000)
    give_back(world, ids["returns"], order, 3_000)


def close_eve(world: World) -> dict[str, int]:
    return dict(close_through(world.ground, BOOK, EVE).touched)

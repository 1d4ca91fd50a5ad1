"""A program that tells facts, buys and pays, and writes down every feature it sees, until killed.

Run as `python observer.py DATA_FOLDER SEED DAY`, the day on which its book was opened; its lines on
stdout are JSON: what was answered, and what the features of an account were after which event at
which moment.
"""

import dataclasses
import json
import random
import sys
import time
from concurrent.futures import Future
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from fenqi.core.errors import FenqiError, Unavailable
from fenqi.core.risk.features.moment import moment_of
from fenqi.core.risk.identity import Identifier
from fenqi.core.values.ids import AccountId
from fenqi.desk import Desk
from fenqi.flows.authorise import Authorise
from fenqi.flows.enrol import Enrol
from fenqi.flows.found import Found, enlist, found
from fenqi.flows.observe import Observe, Told
from fenqi.flows.receive import Receive
from fenqi.machine import Config
from fenqi.runtime import Runtime
from fenqi.store import accounts
from fenqi.store.commands import Command
from fenqi.store.trails import Trails

BOOK = "watched"
PEOPLE = 12
IN_FLIGHT = 24  # commands on their way at a time
LOOK_EVERY = 1  # answered rounds
AGAIN_SECONDS = 0.2
WRITTEN_EVENTS = 8  # so that each life reads what the one before has written of trails


class Observer:
    """One life of the program."""

    def __init__(self, runtime: Runtime, seed: str, opened_on: date) -> None:
        self.runtime, self.seed = runtime, seed
        ground = dataclasses.replace(runtime.ground, trails=Trails(written_events=WRITTEN_EVENTS))
        self.ground = ground
        self.chance = random.Random(seed)
        self.desk = Desk(ground)
        self.sealer = runtime.sealer()
        self.sent = 0
        found(
            runtime.ground,
            Found(
                book_id=BOOK,
                legal_entity="Watched Credit Ltd",
                currency="CNY",
                zone="UTC",
                opened_on=opened_on,
                funding_minor=10_000_000_000,
            ),
        )
        self.merchants = list(enlist(runtime.ground, BOOK, ["shop", "mall", "fair"]).values())
        self.people = [self.enrolled(f"person-{number}") for number in range(PEOPLE)]

    def enrolled(self, person: str) -> AccountId:
        command = Enrol(
            scope_kind="book",
            scope_id=BOOK,
            key=person,
            book_id=BOOK,
            person_reference=person,
            limit_minor=100_000_000,
            statement_day=1,
        )
        return AccountId(UUID(self.answer(command, self.desk.submit(command)).account_id))

    def answer(self, command: Command, future: "Future[Any]") -> Any:
        """Wait for an answer, asking again with the same key as long as nobody knows."""
        while True:
            try:
                return future.result()
            except Unavailable:
                time.sleep(AGAIN_SECONDS)
                future = self.desk.submit(command)

    def command(self) -> Command:
        self.sent += 1
        account, now = self.chance.choice(self.people), datetime.now(UTC)
        common: dict[str, Any] = {
            "scope_id": str(account),
            "key": f"{self.seed}-{self.sent}",
            "account_id": account,
        }
        match self.chance.randrange(8):
            case 0 | 1:
                return Authorise(
                    **common,
                    merchant_id=self.chance.choice(self.merchants),
                    merchant_order="order",
                    amount_minor=self.chance.randrange(1_000, 9_000),
                    product="unsplit",
                    count=1,
                    placed_at=now,
                    capture_now=self.chance.random() < 0.5,
                )
            case 2:
                return Receive(
                    **common,
                    channel="bank",
                    channel_reference=common["key"],
                    amount_minor=self.chance.randrange(100, 2_000),
                    received_at=now,
                )
        return Observe(**common, facts=tuple(self.fact(now) for _ in range(3)))

    def fact(self, now: datetime) -> Told:
        def sealed(kind: str) -> str:
            value = f"10.0.0.{self.chance.randrange(3)}" if kind == "ip" else None
            return self.sealer.seal(Identifier(kind), value or f"d{self.chance.randrange(5)}")

        match self.chance.randrange(4):
            case 0 | 1:
                said: dict[str, Any] = {"ip": sealed("ip"), "device": sealed("device")}
                return Told(kind="login", happened_at=now, said=said)
            case 2:
                return Told("device-changed", now, {"device": sealed("device")})
        category = self.chance.choice(("gold", "food", "toys"))
        return Told("basket", now, {"category": category, "amount_minor": 700})

    def look(self, account_id: AccountId) -> None:
        """Write down all features of an account as they are now."""
        trails = self.ground.trails
        names = [one.name for one in trails.features.features]
        try:
            with self.runtime.store.transaction() as session:
                account = accounts.lock(session, [account_id])[account_id]
                trail = trails.follow(session, [account]).of(account)
                moment = moment_of(datetime.now(UTC))
                seen = [account_id.hex, account.event_count, moment]
                tell({"seen": [*seen, trails.row(names)(trail, moment)]})
        except Unavailable:
            time.sleep(AGAIN_SECONDS)

    def run(self) -> None:
        rounds = 0
        while True:
            commands = [self.command() for _ in range(IN_FLIGHT)]
            futures = [self.desk.submit(one) for one in commands]
            for command, future in zip(commands, futures, strict=True):
                try:
                    self.answer(command, future)
                except FenqiError as refusal:
                    tell({"refused": [command.key, refusal.code]})
                else:
                    tell({"answered": [command.kind, command.key]})
            rounds += 1
            if rounds % LOOK_EVERY == 0:
                for account_id in self.people:
                    self.look(account_id)


def tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with Runtime.open(Config(data_folder=Path(sys.argv[1]))) as opened:
        Observer(opened, sys.argv[2], date.fromisoformat(sys.argv[3])).run()

"""What people of the soak do besides buying and paying: they are seen, apply, and contest.

Everything is drawn from the caller's chance; commands carry keys, so that whatever was under way
when a kill came is asked for again.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from fenqi.core.risk.identity import Identifier as Kind
from fenqi.core.risk.identity import Sealer
from fenqi.core.servicing.contest import Finding, Ground
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.flows.apply import Apply, ConsentGiven, Identifier
from fenqi.flows.contest import CloseContest, OpenContest
from fenqi.flows.decide import Decide
from fenqi.flows.observe import Observe, Told
from fenqi.flows.sign import Sign
from fenqi.store.commands import Command

FACTS_MAX = 4  # of one command
RING = 10  # accounts of a ring, the size of a crowd
CONSENTED = ("bureau", "contact", "device", "identity", "income", "payment")
WORDING = hashlib.sha256(b"I agree").hexdigest()
CATEGORIES = ("food", "gold", "toys")
Send = Callable[[Command], Any]


class People:
    """A caller's people."""

    def __init__(
        self, book_id: str, sealer: Sealer, chance: random.Random, now: Callable[[], datetime]
    ) -> None:
        self._book_id, self._sealer = book_id, sealer
        self._chance, self._now = chance, now
        self._contests: list[tuple[AccountId, UUID]] = []

    def told(self, account: AccountId, key: str) -> Observe:
        """Return a batch of facts about one account."""
        facts = tuple(self._fact(account) for _ in range(self._chance.randint(1, FACTS_MAX)))
        return _about(account, key, facts)

    def ring(self, accounts: Sequence[AccountId], key: str) -> list[Observe]:
        """Return the logins of accounts that meet at an address nobody knows, with one device."""
        said = {"ip": self._seal("ip", f"den {key}"), "device": self._seal("device", f"farm {key}")}
        members = self._chance.sample(list(accounts), min(RING, len(accounts)))
        return [
            _about(one, f"{key}-{place}", (Told("login", self._now(), said),))
            for place, one in enumerate(members)
        ]

    def apply(self, key: str, send: Send) -> list[AccountId]:
        """Apply, hear the decision and sign the offer; return the account if one is open then."""
        received = send(self._application(key))
        if received is None:
            return []
        account = AccountId(UUID(received.application_id))
        scope: dict[str, Any] = {"scope_id": str(account), "account_id": account}
        decided = send(Decide(**scope, key="decide"))
        if decided is None or decided.cost_table is None:
            return []
        signing = Sign(**scope, key="sign", cost_table=decided.cost_table, is_stepped_up=True)
        return [] if send(signing) is None else [account]

    def contest(self, account: AccountId, plan: PlanId, key: str, send: Send) -> None:
        """Contest a purchase; a person finds for or against it later."""
        opened = send(
            OpenContest(
                **_of(account, key),
                plan_id=plan,
                ground=self._chance.choice(list(Ground)),
                text="it never came",
                asked_at=self._now(),
            )
        )
        if opened is not None:
            self._contests.append((account, UUID(opened.contest_id)))

    def find(self, key: str, send: Send) -> None:
        """Let a person find for or against what was contested first."""
        if not self._contests:
            return
        account, contest = self._contests.pop(0)
        finding = CloseContest(
            **_of(account, key),
            actor="mei",
            contest_id=contest,
            outcome=self._chance.choice(list(Finding)),
            text="the carrier was asked",
            found_at=self._now(),
        )
        send(finding)

    def _fact(self, account: AccountId) -> Told:
        now = self._now()
        match self._chance.randrange(16):
            case 0:
                changed = {"device": self._seal("device", f"new {self._chance.randrange(10**6)}")}
                return Told("device-changed", now, changed)
            case 1:
                changed = {"phone": self._seal("phone", f"{self._chance.randrange(10**6)}")}
                return Told("phone-changed", now, changed)
            case 2 | 3:
                amount = self._chance.randrange(100, 9_000)
                bought = {"category": self._chance.choice(CATEGORIES), "amount_minor": amount}
                return Told("basket", now, bought)
            case 4:
                failed = {"cause": self._chance.choice(("customer", "channel")), "channel": "card"}
                return Told("payment-failed", now, failed)
            case 5:
                return Told("complaint", now, {"topic": "waiting"})
        shared = self._chance.random() < 0.1
        place = f"exit {self._chance.randrange(20)}" if shared else f"home {account}"
        seen = {"ip": self._seal("ip", place), "device": self._seal("device", f"of {account}")}
        return Told("login", now, seen)

    def _application(self, key: str) -> Apply:
        at = self._now() - timedelta(minutes=1)
        income = self._chance.randrange(200_000, 2_000_000)
        return Apply(
            scope_kind="book",
            scope_id=self._book_id,
            key=f"application-{key}",
            book_id=self._book_id,
            person_reference=f"applicant-{key}",
            legal_name=f"Applicant {key}",
            born_on=date(1995, 6, 1),
            asked_minor=2_000_000,
            income_declared_minor=income,
            income_evidenced_minor=income,
            evidence="payslip",
            obligations_minor=50_000,
            is_student=False,
            national_id=hashlib.sha256(f"card {key}".encode()).hexdigest(),
            identifiers=(Identifier(kind="phone", hash=self._seal("phone", f"of {key}")),),
            consents=tuple(
                ConsentGiven(data_class=one, stated_at=at, text_sha256=WORDING) for one in CONSENTED
            ),
            statement_day=self._chance.randint(1, 28),
        )

    def _seal(self, kind: str, value: str) -> str:
        digest = hashlib.sha256(value.encode()).digest()
        match kind:
            case "ip":
                value = ".".join(["10", *map(str, digest[:3])])
            case "phone":
                value = f"139{int.from_bytes(digest[:4], 'big') % 10**8:08}"
        return self._sealer.seal(Kind(kind), value)


def _of(account: AccountId, key: str) -> dict[str, Any]:
    return {"scope_id": str(account), "key": key, "account_id": account}


def _about(account: AccountId, key: str, facts: tuple[Told, ...]) -> Observe:
    return Observe(**_of(account, key), facts=facts)

"""Access: what follows from a login, or from another device, phone, card or address.

Each account that something of this kind was told of is decided about once, after the facts of its
command: features from its trail, the policy, the circuit breaker for what harms, the decision as it
is kept, the responses told to the customer. All of it happens in the transaction of the facts, so
whoever is to be held is held when they are stored.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple
from uuid import UUID

from fenqi.core.risk.consequence import shared_causes
from fenqi.core.risk.features.moment import moment_of
from fenqi.core.risk.given import CHECKS_PASSED
from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.policy import Verdict
from fenqi.core.risk.policy.turn import told
from fenqi.core.risk.rulebook import Rulebook
from fenqi.core.values.ids import AccountId
from fenqi.store import places
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.consequences import Consequences
from fenqi.store.deciding import Deciding
from fenqi.store.decisions import Decisions, latency_us
from fenqi.store.ground import Ground
from fenqi.store.joints import Joints
from fenqi.store.pool import Session
from fenqi.store.trails import Followed


class Ruled(NamedTuple):
    """What was decided about one account: the strongest effect or approve, and why."""

    decision_id: UUID
    outcome: str
    effects: tuple[str, ...]
    reasons: tuple[str, ...]


class AccessRulings:
    """The decisions of one batch; its accounts are locked and followed."""

    def __init__(
        self,
        ground: Ground,
        booking: Booking,
        session: Session,
        *,
        followed: Followed,
        deciding: Deciding,
        accounts: Mapping[AccountId, Account],
        addresses: Collection[bytes],
        devices: Collection[bytes],
    ) -> None:
        self._ground, self._booking, self._session = ground, booking, session
        self._addresses, self._devices = addresses, devices
        self._joints: Joints | None = None  # most batches find nothing about shared identifiers
        self._followed = followed
        self._moment = moment_of(booking.now)
        self._shared = ground.trails.features.over_identifiers
        self._checks = ground.trails.row([CHECKS_PASSED])
        self._decisions = Decisions(booking)
        self._consequences = Consequences(ground, booking, session, accounts.values(), followed)
        self._accounts, self._is_prepared = accounts, False
        books = {one.book.book_id: one.book for one in accounts.values()}
        with session.pipeline():
            allowed = places.asking_allowed(
                session, books.keys(), addresses, booking.now, ground.crowd
            )
        self._allowed = allowed()
        self._rulebooks = {name: deciding.of(book) for name, book in sorted(books.items())}

    def rule(
        self,
        account: Account,
        *,
        addresses: Collection[bytes],
        devices: Collection[bytes],
        evidence: Mapping[str, object],
    ) -> Ruled:
        """Decide about one account as it stands now, keep the decision and give the responses.

        `addresses` and `devices` are those its facts name; `evidence` is what a reviewer is shown.
        """
        rulebook = self._rulebooks[account.book.book_id]
        as_of = account.event_count
        row = self._ground.trails.row([one.name for one in rulebook.policy.inputs])
        values = row(self._followed.of(account), self._moment, self._given(account, addresses))
        said = rulebook.decide(values)
        if said.effects and not self._is_prepared:  # for all of the batch, before the first
            self._is_prepared = True
            self._consequences.prepare(self._accounts.keys(), rulebook)
        self._join(rulebook, account, said, addresses, devices)
        weighed = self._consequences.weigh(rulebook, account, said)
        decision_id = self._ground.ids.new()
        turn = told(rulebook.policy, rulebook.decide, values) if said.effects else None
        kept = weighed.decision(
            account,
            said,
            values,
            decision_id=decision_id,
            as_of_number=as_of,
            would_change=turn,
            latency_us=latency_us(self._booking.now, self._ground.clock.now()),
        )
        self._decisions.add(rulebook, kept)
        self._consequences.carry_out(
            rulebook, account, said, weighed.acts, decision_id=decision_id, evidence=evidence
        )
        return Ruled(decision_id, weighed.outcome, weighed.words, weighed.reasons)

    def _join(
        self,
        rulebook: Rulebook,
        account: Account,
        said: Verdict,
        addresses: Collection[bytes],
        devices: Collection[bytes],
    ) -> None:
        """Let what is found of shared identifiers go into one case for all who share them."""
        causes = shared_causes(rulebook.policy, said, self._shared)
        if not causes:
            return
        give = self._consequences.responses
        if self._joints is None:
            self._joints = Joints(
                self._session,
                give.docket,
                self._ground.crowd,
                accounts=self._accounts.values(),
                addresses=self._addresses,
                devices=self._devices,
            )
        joint = self._joints.of(account, addresses=addresses, devices=devices)
        if joint is not None:
            for cause in causes:
                give.join(account, cause, joint)

    def _given(self, account: Account, addresses: Collection[bytes]) -> dict[str, Value]:
        (passed,) = self._checks(self._followed.of(account), self._moment)
        return {
            **account.given(account.standing_at(self._booking.now)),
            "is_stepped_up": int(bool(passed)),
            # Of facts that name no address nobody knows where they came from.
            "is_allowed_address": (
                int(all(self._allowed.has(account.book.book_id, one) for one in addresses))
                if addresses
                else None
            ),
        }

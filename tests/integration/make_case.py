"""Cases, holds and freezes of one day, and what people do with them: a batch per command."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from make_book import BOOK, World, done, enrol, key
from make_crowd import log_in, only_ring, people

from fenqi.core.risk.case import CaseOutcome
from fenqi.core.risk.crowd import PlaceKind
from fenqi.core.values.ids import AccountId
from fenqi.flows.freeze import Freeze, Second, freeze
from fenqi.flows.lift import Lift
from fenqi.flows.protect import protect
from fenqi.flows.review import AssignCase, CloseCase, NoteCase, OpenCase, open_case
from fenqi.store.commands import Command

REASONS = ("shared-identifier",)


def about(world: World, account: AccountId, **how: Any) -> dict[str, Any]:
    """Return what a person's command about an account says."""
    named = {"scope_id": str(account), "key": key(world), "account_id": account}
    return named | {"actor": "mei"} | how


def of_case(world: World, case: UUID, **how: Any) -> dict[str, Any]:
    """Return what a person's command about a case says."""
    named = {"scope_kind": "book", "scope_id": BOOK, "key": key(world), "case_id": case}
    return named | {"actor": "mei"} | how


def opened(world: World, account: AccountId, **how: Any) -> UUID:
    """Open a case about an account."""
    said: dict[str, Any] = {"subject": "odd basket", "text": "looks odd"} | how
    (answer,) = open_case(world.ground, [OpenCase(**about(world, account, **said))])
    return UUID(done(answer).case_id)


def frozen(world: World, account: AccountId, case: UUID, days: int) -> UUID:
    """Freeze an account for some days."""
    how = {"case_id": case, "days": days, "reasons": REASONS}
    (answer,) = freeze(world.ground, [Freeze(**about(world, account, **how))])
    return UUID(done(answer).protection_id)


def working(world: World) -> dict[type[Command], Sequence[Command]]:
    """Let some things be suspected, and return what people do about them on the day.

    One crowd is left that nobody has answered yet.
    """
    nobody, noon = AccountId(UUID(int=9)), world.clock.now()
    world.clock.set(noon - timedelta(hours=1))
    odd, cold, warm, short = (enrol(world, name) for name in ("odd", "cold", "warm", "short"))
    ring = people(world, 10, "ring")
    log_in(world, ring, "1.2.3.4", device="farm")
    protect(world.ground)
    case, found = opened(world, odd), only_ring(world)
    second = frozen(world, cold, opened(world, cold), 30)
    lifted, other = frozen(world, warm, opened(world, warm), 2), opened(world, short)
    log_in(world, people(world, 11, "next"), "5.6.7.8", every=timedelta(seconds=3))
    world.clock.set(noon)
    text: dict[str, Any] = {"text": "looked at it"}
    asked: dict[str, Any] = {"case_id": case, "days": 20, "reasons": REASONS}
    return {
        Freeze: [
            Freeze(**about(world, odd, **asked)),
            Freeze(**about(world, short, **asked | {"case_id": other, "days": 0})),
            Freeze(**about(world, short, **asked)),
            Freeze(**about(world, nobody, **asked)),
        ],
        Second: [
            Second(**about(world, cold, protection_id=second, actor="li")),
            Second(**about(world, cold, protection_id=second, actor="wu")),
        ],
        Lift: [
            Lift(**about(world, warm, protection_id=lifted)),
            Lift(**about(world, warm, protection_id=lifted)),
        ],
        OpenCase: [
            OpenCase(**about(world, short, subject="late", **text)),
            OpenCase(**about(world, ring[0], subject="me", about_case_id=found, **text)),
            OpenCase(**about(world, short, subject="late", text=" ")),
        ],
        AssignCase: [
            AssignCase(**of_case(world, case, assignee="li", priority=1)),
            AssignCase(**of_case(world, UUID(int=9), assignee="li")),
        ],
        NoteCase: [NoteCase(**of_case(world, case, **text)) for _ in range(2)],
        CloseCase: [
            CloseCase(
                **of_case(
                    *(world, found),
                    outcome=CaseOutcome.FALSE_ALARM,
                    place=PlaceKind.CAMPUS,
                    **text,
                )
            ),
            CloseCase(**of_case(world, found, outcome=CaseOutcome.CONFIRMED, **text)),
        ],
    }

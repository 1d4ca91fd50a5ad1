"""Relief: what a customer need no longer pay, and the money that comes free by it.

What is owed is relieved before money comes back: first the open amount, then a claim that was given
up, then what another plan took over, then what was paid. Who asks for relief says how much: a
refund of goods (`never_lent`), an early settlement (`settle`).
Source: docs/adr/0006-give-refunds-as-if-never-lent.md.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import assert_never

from fenqi.core.terms.life.pay import forget_timing
from fenqi.core.terms.life.state import Effect, Parts, Row, Transaction
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import COMPONENTS, CONTRACT, Component


class Source(StrEnum):
    """Which amount of a row is relieved, in the order in which they are."""

    OPEN = "open"
    WRITTEN_OFF = "written-off"
    MOVED = "moved"  # the other plan is refunded as much
    PAID = "paid"


OF_THIS_PLAN = (Source.OPEN, Source.WRITTEN_OFF, Source.PAID)


def relieve(
    walk: Walk, transaction: Transaction, row: Row, targets: Parts, sources: Iterable[Source]
) -> int:
    """Relieve a row of at most what is left of the targets, which fall; return the money freed."""
    freed = 0
    for source in sources:
        relieved = [0] * COMPONENTS
        for component in CONTRACT:
            if targets[component]:
                relieved[component] = min(targets[component], _there(row, source, component))
                targets[component] -= relieved[component]
        if any(relieved):
            freed += _relieve(walk, transaction, row, relieved, source)
    return freed


def _there(row: Row, source: Source, component: Component) -> int:
    match source:
        case Source.OPEN:
            return row.open(component)
        case Source.WRITTEN_OFF:
            return row.written_off[component]
        case Source.MOVED:
            return row.moved[component]
        case Source.PAID:
            return row.paid[component]
        case _:
            assert_never(source)


def _relieve(
    walk: Walk, transaction: Transaction, row: Row, relieved: Parts, source: Source
) -> int:
    _add(row.relieved, relieved)
    _add(walk.line(transaction, row, Effect.RELIEVED), relieved)
    freed = 0
    back = [-amount for amount in relieved]
    if source is Source.OPEN:  # the part of the transaction that lowers the debt
        _add(transaction.parts, relieved)
    elif source is Source.MOVED:
        _add(row.moved, back)
        _add(walk.line(transaction, row, Effect.MOVED), back)
    elif source is Source.PAID:
        freed = take_back(walk, transaction, row, Effect.PAID, back)
    else:
        freed = take_back(walk, transaction, row, Effect.WRITTEN_OFF, back)
    row.meet(transaction.on)
    return freed


def take_back(
    walk: Walk, transaction: Transaction, row: Row, effect: Effect, parts: Sequence[int]
) -> int:
    """Lower what was paid or written off by parts below zero; return the money freed.

    What was recovered beyond the smaller written-off claim comes free too.
    """
    _add(row.paid if effect is Effect.PAID else row.written_off, parts)
    _add(walk.line(transaction, row, effect), parts)
    forget_timing(row)
    over = max(0, row.recovered_minor - sum(row.written_off))
    if over:
        row.recovered_minor -= over
        walk.line(transaction, row, Effect.RECOVERED)[0] -= over
    return over - sum(parts) if effect is Effect.PAID else over


def _add(to: Parts, parts: Sequence[int]) -> None:
    for component, amount in enumerate(parts):
        to[component] += amount

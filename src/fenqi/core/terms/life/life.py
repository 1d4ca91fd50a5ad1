"""A life: operations as they were recorded, and the state that follows from them.

An operation that comes last in order continues from the kept state; a backdated or undone one
replays the list. Nothing else in fenqi computes a balance.
"""

from bisect import bisect_right, insort
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date
from operator import itemgetter
from typing import NamedTuple

from fenqi.core.terms.life import balance
from fenqi.core.terms.life.check import check
from fenqi.core.terms.life.finish import finish
from fenqi.core.terms.life.laws import hold
from fenqi.core.terms.life.operations import (
    CHARGING,
    ChangeRate,
    Disburse,
    NightlyRun,
    Operation,
    Settle,
    Undo,
)
from fenqi.core.terms.life.order import Key, changed, order_of
from fenqi.core.terms.life.recognition import Recognition
from fenqi.core.terms.life.refusal import OperationSenseless, OperationUntimely, of_offered
from fenqi.core.terms.life.state import Kind, Name, Transaction
from fenqi.core.terms.life.step import step, walk_through
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.life.view import View, view_of
from fenqi.core.terms.life.walk import Walk


class _Kept(NamedTuple):
    """A life before an operation: all of it is replaced, never changed, but the walk and lists.

    An appended operation changes the walk, and is taken into the lists where they stand.
    """

    walk: Walk
    recognition: Recognition
    ordered: list[Operation]
    keys: list[Key]
    undone: frozenset[Name]
    replayed: frozenset[Name]
    reversed: tuple[Transaction, ...]


class Life:
    """The operations of one plan and the state after them."""

    def __init__(
        self,
        terms: LifeTerms,
        *,
        without: frozenset[Name] = frozenset(),
        excused: Collection[date] = frozenset(),
    ) -> None:
        """Begin a life.

        `without` names derived transactions that do not happen, `excused` days that never count
        against the customer.
        """
        self.terms = terms
        self.excused = excused
        self.recorded: list[Operation] = []
        self.recognition = Recognition()
        self._ordered: list[Operation] = []  # those that count, in their order
        self._keys: list[Key] = []
        self._charges: dict[int, Operation] = {}  # what may have made a charge
        self._undone = without
        self._reversed: tuple[Transaction, ...] = ()  # as they stood when they were undone
        self._replayed: frozenset[Name] = frozenset()
        self._shown: list[Transaction] = []  # what views have been given of transactions
        self.walk = self._walk_through([])  # after the last operation

    @classmethod
    def resumed(
        cls,
        terms: LifeTerms,
        operations: Sequence[Operation],
        *,
        excused: Collection[date] = frozenset(),
    ) -> "Life":
        """Return the life after operations that were recorded elsewhere, numbered from 1.

        None is asked again whether it makes sense, and none of them undoes another.

        Errors: OperationSenseless, OperationUntimely.
        """
        life = cls(terms, excused=excused)
        life.recorded = list(operations)
        life._charges = {one.number: one for one in operations if isinstance(one, CHARGING)}
        life._ordered = sorted(operations, key=lambda one: order_of(one, life._charges))
        life._keys = [order_of(one, life._charges) for one in life._ordered]
        life._replay(life._ordered)
        life.recognition.counted_on = max(one.booked_on for one in operations)
        return life

    def record(self, operation: Operation) -> None:
        """Take an operation in; if it is refused or fails, the life is unchanged.

        Errors: OperationSenseless, OperationUntimely; Broken if it would break a law of `laws`.
        """
        check(self.walk, operation, self.recorded)
        kept = self._keep()
        try:
            self._follow(operation)
        except (OperationSenseless, OperationUntimely) as refused:
            self._return_to(kept, operation)
            raise of_offered(operation, refused) from refused
        except BaseException:
            self._return_to(kept, operation)
            raise
        self.recorded.append(operation)

    def copy(self) -> "Life":
        """Return a life that goes on alone."""
        twin = Life.__new__(Life)
        twin.__dict__.update(self.__dict__)
        twin.recorded, twin._ordered = self.recorded[:], self._ordered[:]
        twin._keys, twin._charges = self._keys[:], dict(self._charges)
        twin._shown = self._shown[:]
        twin.walk = self.walk.copy()
        return twin

    def view(self, as_of: date | None = None) -> View:
        """Return the plan as it stands on a day; by default the day interest was counted to."""
        walk = finish(self.walk, as_of or self.recognition.counted_on)
        return view_of(walk, self._transactions())

    def _transactions(self) -> list[Transaction]:
        """Return all transactions as they are shown, by day and as they count; views share them.

        Each is copied once, until a later operation changes past ones.
        """
        standing = self.walk.transactions
        if not self._shown:
            shown = _placed(standing, self._reversed)
            self._shown = [self._show(one) for one in shown]
        else:
            for one in standing[len(self._shown) - len(self._reversed) :]:
                insort(self._shown, self._show(one), key=_by_day)
        recognised = self.recognition.transactions()
        return _placed(self._shown, recognised) if recognised else self._shown

    def _show(self, transaction: Transaction) -> Transaction:
        shown = transaction.copy()
        if self._replayed:
            shown.is_replayed = shown.name in self._replayed
        return shown

    def _keep(self) -> _Kept:
        """Return what the life goes back to if the next operation fails."""
        return _Kept(
            self.walk,
            self.recognition,
            self._ordered,
            self._keys,
            self._undone,
            self._replayed,
            self._reversed,
        )

    def _return_to(self, kept: _Kept, operation: Operation) -> None:
        """Be as if an operation had never been offered; a walk that continued is half changed."""
        has_continued = self.walk is kept.walk and not isinstance(operation, NightlyRun)
        self.walk, self.recognition = kept.walk, kept.recognition
        self._ordered, self._keys, self._undone = kept.ordered, kept.keys, kept.undone
        self._replayed, self._reversed = kept.replayed, kept.reversed
        self._charges.pop(operation.number, None)
        self._shown = []
        for place in range(len(self._ordered) - 1, -1, -1):
            if self._ordered[place] is operation:
                del self._ordered[place], self._keys[place]
        if has_continued:
            self.walk = self._walk_through(self._ordered)
            balance.fill(self.walk)

    def _follow(self, operation: Operation) -> None:
        """Let an operation count and be recognised."""
        if isinstance(operation, NightlyRun):
            recognition = self.recognition.copy()
            recognition.run_night(self.walk, operation)
            self.recognition = recognition
        elif not _is_idle(operation):
            was_closed = self.terms.rules.posts_activity and self.walk.is_closed
            has_replayed = self._take_in(operation)
            hold(self.walk)
            rules = self.terms.rules
            is_booked = rules.accrues or rules.posts_activity  # else only a day is noted
            recognition = self.recognition.copy() if is_booked else self.recognition
            recognition.follow(
                self.walk, operation, was_closed=was_closed, has_replayed=has_replayed
            )
            self.recognition = recognition

    def _take_in(self, operation: Operation) -> bool:
        """Let an operation count; return whether earlier ones had to be replayed."""
        if isinstance(operation, Undo):
            self._undo(operation)
            return True
        if isinstance(operation, CHARGING):
            self._charges[operation.number] = operation
        key = order_of(operation, self._charges)
        place = bisect_right(self._keys, key)
        is_first_rate = isinstance(operation, ChangeRate) and not self.walk.bears_interest
        has_to_replay = place < len(self._keys) or is_first_rate
        if has_to_replay:
            self._replay([*self._ordered[:place], operation, *self._ordered[place:]])
        else:
            self._append(operation)
        self._ordered.insert(place, operation)
        self._keys.insert(place, key)
        return has_to_replay

    def _append(self, operation: Operation) -> None:
        """Continue from the kept state."""
        step(self.walk, operation)
        if self.walk.touched:
            self._replayed |= self.walk.touched
            self.walk.touched = set()
            self.walk.balanced = 0
            self._shown = []
        balance.fill(self.walk)

    def _replay(self, ordered: Sequence[Operation]) -> None:
        walk = self._walk_through(ordered)
        balance.fill(walk)
        self._replayed |= changed(self.walk.transactions, walk.transactions)
        self.walk, self._shown = walk, []

    def _undo(self, undo: Undo) -> None:
        """Take an operation, or a receipt derived from one, out of the list."""
        if undo.of_receipt is None:
            ordered = [one for one in self._ordered if one.number != undo.of]
            gone = [one for one in self.walk.transactions if one.number == undo.of]
        else:
            name = (undo.of, Kind(undo.of_receipt.value))
            ordered = self._ordered
            gone = [one for one in self.walk.transactions if one.name == name]
        self._undone |= {one.name for one in gone}
        self._replay(ordered)
        self._reversed += tuple(
            replace(one.copy(), is_reversed=True)
            for one in gone
            if one.kind is not Kind.DISBURSEMENT
        )
        self._ordered = ordered
        self._keys = [order_of(one, self._charges) for one in ordered]

    def _walk_through(self, operations: Sequence[Operation]) -> Walk:
        return walk_through(self.terms, operations, undone=self._undone, excused=self.excused)


def replay(terms: LifeTerms, operations: Iterable[Operation], as_of: date) -> View:
    """Return a plan as it stands on a day after operations in the order of recording.

    Errors: OperationSenseless, OperationUntimely.
    """
    life = Life(terms)
    for operation in operations:
        life.record(operation)
    return life.view(as_of)


def planned(terms: LifeTerms, amount_minor: int, on: date) -> View:
    """Return the plan as it would stand if an amount were lent on a day and nothing paid."""
    life = Life(terms, without=frozenset({(1, Kind.DOWN_PAYMENT)}))
    life.record(Disburse(number=1, on=on, booked_on=on, amount_minor=amount_minor))
    return life.view(on)


def _placed(counting: Iterable[Transaction], others: Iterable[Transaction]) -> list[Transaction]:
    """Return transactions by day: some in the order in which they count, others by their numbers.

    So a waiver stands where its charge was made, in front of what came between.
    """
    last: dict[date, int] = {}
    keyed = []
    for one in counting:
        last[one.on] = max(last.get(one.on, one.number), one.number)
        keyed.append((one.on, last[one.on], one))
    keyed += [(one.on, one.number, one) for one in others]
    keyed.sort(key=itemgetter(0, 1))
    return [one for _, _, one in keyed]


def _by_day(transaction: Transaction) -> tuple[date, int]:
    return transaction.on, transaction.number


def _is_idle(operation: Operation) -> bool:
    """Return whether an operation moves nothing, so that nothing happens.

    A settlement may cost nothing, where everything was paid ahead, and still ends the plan.
    """
    return getattr(operation, "amount_minor", None) == 0 and not isinstance(operation, Settle)

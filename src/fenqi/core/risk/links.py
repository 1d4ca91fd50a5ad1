"""Links: which accounts strong identifiers tie together, and by what path.

A device, a bank card or a phone number is a strong identifier; a network address is none and never
appears here, because everybody hangs together through addresses. Two things keep chance out of it:
an identifier that more accounts share than its kind allows is a hub and ties nobody, and a link not
seen for long is forgotten.

A union-find answers at once whether two accounts may be tied. It cannot forget: after an identifier
became a hub it says "perhaps" too often, never "no" too often. So what is claimed is always a path
that was walked, and each night the groups are made anew (`components.py`).
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from fenqi.core.risk.identity import STRONG, Identifier
from fenqi.core.values.ids import AccountId

WALKED_MAX = 20_000  # accounts looked at for one path or group; beyond it nothing is claimed


# In one order, so that they can be told by number.
TYING = tuple(sorted(STRONG))


class Link(NamedTuple):
    """An account was seen with a strong identifier, from a first to a last day."""

    account_id: AccountId
    identifier: bytes  # its keyed hash
    kind: Identifier
    first_on: date
    last_on: date


@dataclass(frozen=True, slots=True)
class LinkRule:
    """What ties accounts together.

    `accounts_max` is how many accounts an identifier of each kind ties; shared by more, it is a
    hub. `decay_days` is how long after its last day a link still counts.
    """

    decay_days: int
    accounts_max: Mapping[Identifier, int]

    def is_fresh(self, link: Link, on: date) -> bool:
        """Whether a link still counts on a day."""
        return link.last_on + timedelta(days=self.decay_days) >= on


class Step(NamedTuple):
    """One step of a path: from one account over what both were seen with to another."""

    before: Link
    after: Link


class Web:
    """Accounts and the identifiers they share, as of a day; links are added one by one."""

    def __init__(self, rule: LinkRule, on: date, links: Iterable[Link] = ()) -> None:
        self._rule = rule
        self._on = on
        self._by_account: dict[AccountId, dict[bytes, Link]] = {}
        self._by_identifier: dict[bytes, dict[AccountId, Link]] = {}
        self._parents: dict[AccountId, AccountId] = {}
        self._sizes: dict[AccountId, int] = {}
        for link in links:
            self.add(link)

    def add(self, link: Link) -> None:
        """Take up a link, or what is new about one; one that is forgotten already is left out."""
        if not self._rule.is_fresh(link, self._on):
            return
        known = self._by_account.setdefault(link.account_id, {}).get(link.identifier)
        if known is not None:
            first_on, last_on = min(known.first_on, link.first_on), max(known.last_on, link.last_on)
            link = link._replace(first_on=first_on, last_on=last_on)
        self._by_account[link.account_id][link.identifier] = link
        sharing = self._by_identifier.setdefault(link.identifier, {})
        sharing[link.account_id] = link
        self._root(link.account_id)
        if known is None and len(sharing) > 1 and not self.is_hub(link.identifier):
            self._join(link.account_id, next(iter(sharing)))

    def is_hub(self, identifier: bytes) -> bool:
        """Whether so many accounts share an identifier that it says nothing about any of them."""
        sharing = self._by_identifier.get(identifier)
        if not sharing:
            return False
        kind = next(iter(sharing.values())).kind
        return len(sharing) > self._rule.accounts_max[kind]

    def may_be_tied(self, one: AccountId, other: AccountId) -> bool:
        """Whether a path between two accounts is possible; False is certain."""
        is_known = one in self._parents and other in self._parents
        return one == other or (is_known and self._root(one) == self._root(other))

    def path(self, one: AccountId, other: AccountId) -> tuple[Step, ...] | None:
        """Return the shortest path from one account to another, None if there is none.

        Of several the one over the smallest identifiers is taken, so that it is always the same.
        """
        if one == other or not self.may_be_tied(one, other):
            return None
        came: dict[AccountId, Step | None] = {one: None}
        waiting = deque([one])
        while waiting and len(came) <= WALKED_MAX:
            at = waiting.popleft()
            for step in self._steps(at):
                if step.after.account_id not in came:
                    came[step.after.account_id] = step
                    waiting.append(step.after.account_id)
            if other in came:
                return _walked_back(came, other)
        return None

    def group(self, account_id: AccountId) -> frozenset[AccountId]:
        """Return all accounts that paths tie to one, with itself."""
        found = {account_id}
        waiting = deque([account_id])
        while waiting and len(found) <= WALKED_MAX:
            for step in self._steps(waiting.popleft()):
                if step.after.account_id not in found:
                    found.add(step.after.account_id)
                    waiting.append(step.after.account_id)
        return frozenset(found)

    def groups(self, account_ids: Iterable[AccountId]) -> list[frozenset[AccountId]]:
        """Return the groups some accounts fall into, each group whole, in the accounts' order."""
        found: list[frozenset[AccountId]] = []
        seen: set[AccountId] = set()
        for one in account_ids:
            if one not in seen:
                group = self.group(one)
                found.append(group)
                seen |= group
        return found

    def _steps(self, at: AccountId) -> Iterable[Step]:
        for identifier, link in sorted(self._by_account.get(at, {}).items()):
            if not self.is_hub(identifier):
                for other, after in sorted(self._by_identifier[identifier].items()):
                    if other != at:
                        yield Step(link, after)

    def _root(self, one: AccountId) -> AccountId:
        root = self._parents.setdefault(one, one)
        while root != self._parents[root]:
            root = self._parents[root]
        while one != root:  # whoever comes again finds it at once
            self._parents[one], one = root, self._parents[one]
        return root

    def _join(self, one: AccountId, other: AccountId) -> None:
        left, right = self._root(one), self._root(other)
        if left == right:
            return
        sizes = self._sizes
        if sizes.get(left, 1) < sizes.get(right, 1):
            left, right = right, left
        self._parents[right] = left
        sizes[left] = sizes.get(left, 1) + sizes.get(right, 1)


def _walked_back(came: Mapping[AccountId, Step | None], end: AccountId) -> tuple[Step, ...]:
    steps = []
    step = came[end]
    while step is not None:
        steps.append(step)
        step = came[step.before.account_id]
    return tuple(reversed(steps))

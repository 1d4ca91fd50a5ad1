"""What another policy would have decided: stored decisions made again by two policies.

A feature that a decision did not record is computed from the events it had seen, and told; of what
is handed in and was not recorded nobody knows what it was, so such a decision is left out and told.
A value that was unknown stays unknown. Of an application law, means and card have their say first,
as they had it then.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from fenqi.core.errors import Invalid
from fenqi.core.ports import Clock
from fenqi.core.risk.application import JUDGE, Ruling, opinion_by, ruler
from fenqi.core.risk.input import Input
from fenqi.core.risk.policy.columns import Verdicts, compile_columns
from fenqi.core.risk.policy.conclude import Conclusion
from fenqi.core.risk.policy.policy import Policy, Verdict
from fenqi.core.risk.policy.rows import compile_row
from fenqi.core.risk.purchase import Moved, moved, offered
from fenqi.report.book import refuse_none
from fenqi.store import policies
from fenqi.store.policies import Kept
from fenqi.store.pool import Session, Store
from fenqi.store.recall import Moment, recall, told_of

EXAMPLES_SHOWN = 10
MENUS_KEPT = 65_536  # pairs of hits whose menus were compared


class KindsDiffer(Invalid):
    """Two policies decide about different things, so nothing can be compared."""

    code = "policy-kinds-differ"


class Example(NamedTuple):
    """A decision that comes out otherwise."""

    decision_id: UUID
    account_id: UUID
    first: Verdict | Ruling
    second: Verdict | Ruling


@dataclass(slots=True)
class Difference:
    """How two policies decide the same decisions.

    `outcomes` are pairs of outcomes with their counts, `lines` how often each line of the one and
    of the other is hit, None where a policy has no such line; `menus` how many decisions offer
    other plans, or the same at another price, and `plans` which; `limits` how many applications get
    a first limit that is `higher` or `lower` by the second; `left_out` how many decisions do
    not name which inputs, `filled` for how many which were computed from events.
    """

    first: str
    second: str
    days: int
    seen: int = 0
    compared: int = 0
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    lines: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    reasons: dict[str, tuple[str, str]] = field(default_factory=dict)
    menus: int = 0
    plans: Counter[Moved] = field(default_factory=Counter)
    limits: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """How many decisions come out otherwise."""
        return sum(count for (one, other), count in self.pairs.items() if one != other)

    @property
    def outcomes(self) -> list[tuple[tuple[str, str], int]]:
        """The pairs of outcomes, what changed first, the most frequent first."""
        return sorted(self.pairs.items(), key=lambda one: (one[0][0] == one[0][1], -one[1], one[0]))


def differ(store: Store, clock: Clock, first: Policy, second: Policy, *, days: int) -> Difference:
    """Decide the decisions of the last days by both policies.

    Errors: KindsDiffer; BookUnclear without a book.
    """
    if first.kind is not second.kind:
        raise KindsDiffer(first=first.kind.value, second=second.kind.value)
    found = Difference(_name(first), _name(second), days)
    pair = _Pair(first, second, found)
    with store.transaction() as session:
        refuse_none(session)
        contents: dict[UUID, Mapping[str, Any]] = {}
        for page in policies.decided(session, first.kind, clock.now() - timedelta(days=days)):
            found.seen += len(page)
            by_book: dict[UUID, list[Kept]] = {}
            for one in page:
                by_book.setdefault(one.rulebook_id, []).append(one)
            for rulebook_id, kept in by_book.items():
                if rulebook_id not in contents:
                    contents[rulebook_id] = policies.content(session, rulebook_id)
                pair.add(session, contents[rulebook_id], kept)
    found.lines, found.reasons = pair.lines(), pair.reasons()
    return found


class _Pair:
    """Two policies, compiled for columns, and what they hit so far."""

    def __init__(self, first: Policy, second: Policy, found: Difference) -> None:
        self._policies = (first, second)
        self._decide = tuple(compile_columns(one) for one in self._policies)
        self._opine = tuple(opinion_by(one, compile_row(one)) for one in self._policies)
        self._hits = tuple(np.zeros(len(one.lines), np.int64) for one in self._policies)
        self._needed = {one.name: one for policy in self._policies for one in policy.inputs}
        self._found = found
        self._conclusions = tuple(Conclusion(one) for one in self._policies)
        self._known: dict[tuple[bytes, bytes], tuple[Moved, ...]] = {}

    def add(self, session: Session, content: Mapping[str, Any], kept: Sequence[Kept]) -> None:
        """Decide decisions of one rulebook by both policies."""
        missing = [one.name for one in self._needed.values() if not _is_recorded(one, content)]
        features = told_of(self._policies[0].kind, content, missing)
        lost = [one for one in missing if one not in features]
        moments = [Moment(one.account_id, one.as_of_number, one.decided_at) for one in kept]
        if features and not lost:
            left_out = sum(not one.is_known for one in moments)
            if left_out:
                self._leave_out(features, left_out)
                kept = [one for one, at in zip(kept, moments, strict=True) if at.is_known]
                moments = [one for one in moments if one.is_known]
        if lost:
            self._leave_out(lost, len(kept))
            return
        if not kept:
            return
        if content.get("judge") == JUDGE:
            self._rule(content, kept)
            return
        recorded: list[str] = list(content["inputs"])
        rows = np.array([[value or 0 for value in one.inputs] for one in kept], np.int64)
        known = np.array([[value is not None for value in one.inputs] for one in kept], np.bool_)
        rows, known = rows.reshape(len(kept), -1), known.reshape(len(kept), -1)
        if features:
            computed = recall(session, features, moments)
            rows, known = np.hstack([rows, computed.values]), np.hstack([known, computed.known])
            recorded += features
            self._found.filled[", ".join(sorted(features))] += len(kept)
        verdicts = []
        for policy, decide, hits in zip(self._policies, self._decide, self._hits, strict=True):
            places = [recorded.index(one.name) for one in policy.inputs]
            values = np.ascontiguousarray(rows[:, places].T)
            verdict = decide(values, np.ascontiguousarray(known[:, places].T))
            hits += verdict.hits.sum(axis=1)
            verdicts.append(verdict)
        self._found.compared += len(kept)
        self._count(kept, *verdicts)

    def _rule(self, content: Mapping[str, Any], kept: Sequence[Kept]) -> None:
        """Rule on applications with either policy in the place of the one that decided."""
        ruled = ruler(content)
        for one in kept:
            given = dict(zip(content["inputs"], one.inputs, strict=True))
            first, second = (ruled(given, opine, frozenset()) for opine in self._opine)
            for ruling, hits in zip((first, second), self._hits, strict=True):
                hits[list(ruling.hits)] += 1
            self._found.pairs[first.outcome, second.outcome] += 1
            if first.limit_minor != second.limit_minor:
                is_higher = second.limit_minor > first.limit_minor
                self._found.limits["higher" if is_higher else "lower"] += 1
            if first.outcome != second.outcome and len(self._found.examples) < EXAMPLES_SHOWN:
                example = Example(one.decision_id, one.account_id, first, second)
                self._found.examples.append(example)
        self._found.compared += len(kept)

    def _leave_out(self, names: Sequence[str], decisions: int) -> None:
        self._found.left_out[", ".join(sorted(names))] += decisions

    def _count(self, kept: Sequence[Kept], first: Verdicts, second: Verdicts) -> None:
        for place, one in enumerate(kept):
            pair = first.outcome(place), second.outcome(place)
            self._found.pairs[pair] += 1
            moved = self._moved(first.hits[:, place], second.hits[:, place])
            self._found.menus += bool(moved)
            self._found.plans.update(moved)
            if pair[0] != pair[1] and len(self._found.examples) < EXAMPLES_SHOWN:
                made = first.verdict(place), second.verdict(place)
                self._found.examples.append(Example(one.decision_id, one.account_id, *made))

    def _moved(self, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[Moved, ...]:
        """Return the plans on which the menus differ after these hits; many share theirs."""
        key = (first.tobytes(), second.tobytes())
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MENUS_KEPT:
                self._known.clear()
            one, other = (
                offered(conclusion.menu_after(_in_order(conclusion, hits)))
                for conclusion, hits in zip(self._conclusions, (first, second), strict=True)
            )
            found = self._known[key] = moved(one, other)
        return found

    def lines(self) -> dict[str, tuple[int | None, int | None]]:
        """Return how often each line is hit, those that differ first."""
        by_name: dict[str, list[int | None]] = {}
        for side, (policy, hits) in enumerate(zip(self._policies, self._hits, strict=True)):
            for line in policy.lines:
                by_name.setdefault(line.name, [None, None])[side] = int(hits[line.number])
        changes = ((name, (one[0], one[1])) for name, one in by_name.items())
        return dict(sorted(changes, key=lambda one: (one[1][0] == one[1][1], one[0])))

    def reasons(self) -> dict[str, tuple[str, str]]:
        """Return the reason of each line in either policy, empty where it has none."""
        first, second = (
            {line.name: line.reason or "" for line in one.lines} for one in self._policies
        )
        names = dict.fromkeys([*first, *second])
        return {name: (first.get(name, ""), second.get(name, "")) for name in names}


def _in_order(conclusion: Conclusion, hits: NDArray[np.bool_]) -> list[int]:
    """Return the numbers of the lines that were hit, as a conclusion takes them."""
    return sorted(np.flatnonzero(hits).tolist(), key=conclusion.rank.__getitem__)


def _is_recorded(wanted: Input, content: Mapping[str, Any]) -> bool:
    """Return whether a rulebook's decisions hold an input, a choice with the same words."""
    if wanted.name not in content["inputs"]:
        return False
    if not wanted.choices:
        return True
    return tuple(content.get("choices", {}).get(wanted.name, ())) == wanted.choices


def _name(policy: Policy) -> str:
    return f"{policy.name} {policy.version}"


def to_json(found: Difference) -> dict[str, Any]:
    """Return a difference for programs."""
    return {
        "first": found.first,
        "second": found.second,
        "days": found.days,
        "seen": found.seen,
        "compared": found.compared,
        "changed": found.changed,
        "left_out": dict(found.left_out),
        "filled": dict(found.filled),
        "outcomes": [
            {"first": one, "second": other, "decisions": count}
            for (one, other), count in found.outcomes
        ],
        "lines": dict(_lines(found)),
        "menus": found.menus,
        "plans": moved_to_json(found.plans),
        "limits": dict(found.limits),
        "examples": [
            {
                "decision_id": str(one.decision_id),
                "account_id": str(one.account_id),
                "first": {"outcome": one.first.outcome, "reasons": list(one.first.reasons)},
                "second": {"outcome": one.second.outcome, "reasons": list(one.second.reasons)},
            }
            for one in found.examples
        ],
    }


def moved_to_json(plans: Mapping[Moved, int]) -> list[dict[str, Any]]:
    """Return which plans two policies offer differently, the most frequent first, for programs."""
    ordered = sorted(plans.items(), key=lambda one: (-one[1], one[0][:2]))
    return [one._asdict() | {"decisions": count} for one, count in ordered]


def _lines(found: Difference) -> Iterator[tuple[str, dict[str, int | str | None]]]:
    for name, (first, second) in found.lines.items():
        one, other = found.reasons.get(name, ("", ""))
        reasons = {"first_reason": one or None, "second_reason": other or None}
        yield name, {"first": first, "second": second, **reasons}

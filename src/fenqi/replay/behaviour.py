"""Repayment behaviour: which of their instalments people leave unpaid, drawn month by month.

A person moves between five buckets (inactive, full, revolving, late by 1 or 2 as the source counts,
late by 3 or more). The chain has memory: the next bucket depends on the last two. Inactive, full
and revolving all pay what fell due; depth inside the late buckets follows the source's finer codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fenqi.core.errors import ensure
from fenqi.replay.chance import pick
from fenqi.replay.figures import Repayment

OBSERVATIONS_MIN = 30  # fewer moves than this say nothing; the shorter memory is used instead

_SHARES_SCALE = 100_000  # the figures' shares have five digits
_LATE, _LATE_DEEP = 3, 4  # places of late1_2 and late3plus among the buckets
_CODE_LATE, _CODE_DEEP = 2, 3  # first codes of those buckets, code 1 being merged into 2
_REVOLVING = 2


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where a person is: the bucket of the month before (if known), this one, its code, steps."""

    before: int | None
    now: int
    code: int
    months: int


class Behaviour:
    """The repayment behaviour of everybody in a replay.

    Deterministic for a seed and a person, whoever else is asked about and in whatever order.
    """

    def __init__(self, figures: Repayment, seed: int) -> None:
        self._figures = figures
        self._seed = seed
        self._standings: dict[str, _Standing] = {}
        self._start = [
            round(share * _SHARES_SCALE) for share in figures.first_month_shares[: _REVOLVING + 1]
        ]
        self._deeper = _depths(figures)

    def missed_after(self, person: str) -> int:
        """Return how many of the latest monthly instalments `person` leaves unpaid after a month.

        Each call is one month of that person's life. Everybody starts in good standing.
        """
        standing = self._step(person, self._standings.get(person) or self._begin(person))
        self._standings[person] = standing
        return max(0, standing.code - 1)

    def _begin(self, person: str) -> _Standing:
        bucket = pick(self._start, self._seed, "repayment-start", person)
        return _Standing(before=None, now=bucket, code=bucket - _REVOLVING, months=0)

    def _step(self, person: str, standing: _Standing) -> _Standing:
        names = (self._seed, "repayment", person, standing.months)
        bucket = pick(self._row(standing), *names)
        code = bucket - _REVOLVING if bucket <= _REVOLVING else _CODE_LATE
        if bucket == _LATE_DEEP:
            row = self._deeper.get(standing.code, [1])
            code = _CODE_DEEP + pick(row, *names, "depth")
        return _Standing(standing.now, bucket, code, standing.months + 1)

    def _row(self, standing: _Standing) -> Sequence[int]:
        if standing.before is not None:
            row = self._figures.second_order_counts[standing.before][standing.now]
            if sum(row) >= OBSERVATIONS_MIN:
                return row
        return self._figures.first_order_counts[standing.now]


def payment(missed: int, open_by_month_minor: Sequence[int]) -> int:
    """Return what a person pays who leaves the latest `missed` months' amounts unpaid.

    `open_by_month_minor` are the amounts that fell due and are open, one a month, oldest first.
    Units: minor units in and out.
    """
    ensure(missed >= 0, "missed-not-negative", missed=missed)
    return sum(open_by_month_minor[: max(0, len(open_by_month_minor) - missed)])


def _depths(figures: Repayment) -> dict[int, list[int]]:
    """Return, by late code, how often each code from 3 upwards came next to those still there."""
    place = {code: index for index, code in enumerate(figures.codes)}
    first = place[_CODE_DEEP]
    rows = {
        code: list(figures.code_counts[place[code]][first:])
        for code in figures.codes
        if code >= _CODE_LATE
    }
    merged = figures.code_counts[place[_CODE_LATE - 1]][first:]
    rows[_CODE_LATE] = [sum(pair) for pair in zip(rows[_CODE_LATE], merged, strict=True)]
    # A code nobody was seen to stay late from says nothing: who enters there begins at the least.
    return {code: row for code, row in rows.items() if sum(row)}

"""Rows that bear no interest close together, with the same result as one by one."""

from datetime import date
from typing import Any

import pytest

from fenqi.core.terms.amortise import leftover
from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.life.rules import Future
from random_lives import allocation, lend, receive, terms

COUNT = 36
SETTLES_MAX = 10 * COUNT  # of the model and its copies: some for each row paid ahead, not COUNT


def paid_ahead(future: Future) -> Any:
    agreed = terms(
        "0.24", count=COUNT, recalculates=True, default_allocation=allocation(future=future)
    )
    life = lend(agreed, 6_000_000)
    receive(life, date(2024, 2, 10), 2_000_000)
    receive(life, date(2024, 6, 20), 500_000)
    return [(row.due, row.paid, row.met_on) for row in life.view().rows]


@pytest.mark.parametrize("future", Future)
def test_closing_together_is_closing_one_by_one(
    future: Future, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = paid_ahead(future)
    monkeypatch.setattr(leftover, "_close_idle", lambda *_: False)
    assert paid_ahead(future) == together


def test_a_large_payment_settles_the_model_a_few_times_a_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settle, calls = Model.settle, 0

    def count(model: Model, **words: Any) -> None:
        nonlocal calls
        calls += 1
        settle(model, **words)

    monkeypatch.setattr(Model, "settle", count)
    paid_ahead(Future.NEXT)
    assert calls <= SETTLES_MAX, calls

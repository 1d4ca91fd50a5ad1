"""Whether an account may buy: each reason alone, and all of them together."""

import pytest

from fenqi.core.account import (
    REASONS_MAX,
    AccountStatus,
    Outcome,
    Reason,
    Standing,
    Verdict,
    judge,
)


def standing(
    *,
    status: AccountStatus = AccountStatus.OPEN,
    limit_minor: int = 1_000,
    used_minor: int = 400,
    overdue_days: int = 0,
) -> Standing:
    return Standing(status, limit_minor, used_minor, overdue_days)


def test_a_purchase_of_exactly_what_is_left_is_approved() -> None:
    assert judge(standing(), 600) == Verdict(Outcome.APPROVE, ())


def test_one_unit_above_the_limit_is_declined() -> None:
    assert judge(standing(), 601) == Verdict(Outcome.DECLINE, (Reason.LIMIT_EXCEEDED,))


def test_a_limit_cut_below_its_use_declines_everything() -> None:
    assert judge(standing(limit_minor=300), 1).reasons == (Reason.LIMIT_EXCEEDED,)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": AccountStatus.FROZEN}, Reason.ACCOUNT_FROZEN),
        ({"status": AccountStatus.CLOSED}, Reason.ACCOUNT_CLOSED),
        ({"overdue_days": 1}, Reason.PAYMENT_OVERDUE),
    ],
)
def test_each_reason_alone_declines(change: dict[str, object], reason: Reason) -> None:
    verdict = judge(standing(**change), 1)  # type: ignore[arg-type]
    assert verdict == Verdict(Outcome.DECLINE, (reason,))


def test_all_true_reasons_are_told_and_never_more_than_four() -> None:
    verdict = judge(standing(status=AccountStatus.FROZEN, overdue_days=9), 9_999)
    assert verdict.reasons == (
        Reason.ACCOUNT_FROZEN,
        Reason.PAYMENT_OVERDUE,
        Reason.LIMIT_EXCEEDED,
    )
    assert len(verdict.reasons) <= REASONS_MAX

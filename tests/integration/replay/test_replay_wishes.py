"""Shoppers of the demo ask for more than goods: what they wish is drawn, asked, booked, sound."""

from collections import Counter
from datetime import date, timedelta

from fenqi.replay.wishes import MONTHLY, WITHDRAW_DAYS, WITHDRAWN, Wish, Wishes

FIRST_ON = date(2026, 1, 5)
LAST_ON = date(2026, 12, 31)


def drawn(people: int, seed: int = 1) -> list[tuple[date, str, Wish]]:
    wishes = Wishes(seed, LAST_ON)
    for number in range(people):
        wishes.meet(f"person-{number}", FIRST_ON)
        wishes.bought(f"person-{number}", f"purchase-{number}", FIRST_ON)
    days = [FIRST_ON + timedelta(days=place) for place in range((LAST_ON - FIRST_ON).days + 1)]
    return [(day, *one) for day in days for one in wishes.on(day)]


def test_everybody_wishes_the_same_whoever_else_is_there() -> None:
    few, many = drawn(100), drawn(300)
    names = {f"person-{number}" for number in range(100)}
    assert [one for one in many if one[1] in names] == few
    assert drawn(100, seed=2) != few


def test_wishes_come_as_often_as_they_are_said_to() -> None:
    people = 2_000
    counts = Counter(wish for _, _, wish in drawn(people))
    months = people * 11
    for wish, share in MONTHLY.items():
        if wish is not None:
            assert abs(counts[wish] - months * share / 1_000) < 4 * (months * share / 1_000) ** 0.5
    expected = people * WITHDRAWN[1] / sum(WITHDRAWN)
    assert abs(counts[Wish.WITHDRAW] - expected) < 4 * expected**0.5


def test_a_withdrawal_comes_within_some_days_of_the_purchase() -> None:
    days = {day for day, _, wish in drawn(2_000) if wish is Wish.WITHDRAW}
    assert max(days) < FIRST_ON + timedelta(days=WITHDRAW_DAYS)


def test_a_wish_is_told_once() -> None:
    wishes = Wishes(1, LAST_ON)
    for number in range(500):
        wishes.meet(f"person-{number}", FIRST_ON)
    day = next(
        day for day in (date(2026, 2, 1) + timedelta(days=n) for n in range(28)) if wishes.on(day)
    )
    assert wishes.on(day) == []

"""On which days a policy may see a customer differently, and how often somebody was late."""

from datetime import date, timedelta

import pytest

from fenqi.core.risk.paying import DAYS_MAX, Step, spells, turning_days
from make_policy import policy

ON = date(2026, 6, 1)


def rule(when: str) -> str:
    effects = 'effects = [{effect = "nudge"}]'
    return f'[[rules]]\nid = "one"\nwhen = "{when}"\n{effects}\nreason = "late"\n'


@pytest.mark.parametrize(
    ("when", "days"),
    [
        ("overdue_days > 10 days", (11,)),
        ("overdue_days >= 10 days", (10,)),
        ("overdue_days < 4 days", (4,)),
        ("overdue_days <= 4 days", (5,)),
        ("overdue_days between 1 and 3 days", (1, 4)),
        ("overdue_days == 7 days", (7, 8)),
        ("overdue_days in (2 days, 5 days)", (2, 3, 5, 6)),
        ("10 days < overdue_days", (11,)),
        ("10 days >= overdue_days", (11,)),
        ("not (overdue_days > 3 days) or purchases_24h > 5", (4,)),
        ("overdue_days == 0", (1,)),
        ("purchases_24h > 5", ()),
        (f"overdue_days > {DAYS_MAX} days", ()),
    ],
)
def test_a_condition_turns_on_the_days_past_due_it_names(when: str, days: tuple[int, ...]) -> None:
    assert turning_days(policy(rule(when))) == days


def test_every_day_past_due_between_two_turns_is_seen_alike() -> None:
    made = policy(rule("overdue_days between 3 and 9 days"))
    turns = turning_days(made)
    seen = [3 <= days <= 9 for days in range(30)]
    changes = [days for days in range(1, 30) if seen[days] != seen[days - 1]]
    assert tuple(changes) == turns


def steps(*told: tuple[int, int]) -> list[Step]:
    """Steps so many days before ON, which count from their own day."""
    days = [(ON - timedelta(days=ago), by) for ago, by in told]
    return [Step(on, by, on) for on, by in days]


def test_plans_that_are_late_together_are_one_time_of_being_late() -> None:
    assert spells(steps((60, 1), (60, 1), (50, 1), (40, -1), (40, -1), (40, -1)), ON) == 1
    assert spells(steps((60, 1), (30, 1), (29, -1)), ON) == 1  # the first is late still


def test_a_time_of_being_late_ends_when_nothing_is_late_any_more() -> None:
    assert spells(steps((60, 1), (50, -1), (30, 1)), ON) == 2
    assert spells(steps((60, 1), (50, -1), (30, 1), (20, -1), (20, 1)), ON) == 3
    assert spells([], ON) == 0


def test_only_times_that_began_within_the_year_count() -> None:
    assert spells(steps((366, 1), (365, -1), (30, 1)), ON) == 1
    assert spells(steps((365, 1)), ON) == 0
    assert spells(steps((364, 1)), ON) == 1


def test_an_end_without_a_beginning_is_none() -> None:
    assert spells(steps((60, -1), (50, 1)), ON) == 1


def test_money_that_a_channel_kept_for_days_was_never_late() -> None:
    late = Step(ON - timedelta(days=60), 1, ON - timedelta(days=60))
    paid = Step(ON - timedelta(days=55), -1, ON - timedelta(days=61))  # received on the due day
    assert spells([late, paid], ON) == 0
    assert spells([late, paid._replace(effective_on=late.on)], ON) == 1
    assert spells([late, late, paid, paid], ON) == 0
    # Of what began before the year nothing is taken away.
    old = [Step(ON - timedelta(days=366), 1, ON), Step(ON, -1, ON - timedelta(days=400))]
    assert spells([*steps((500, 1), (490, -1)), *old], ON) == 0

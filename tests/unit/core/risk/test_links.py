"""What ties accounts together: paths over shared identifiers, no hubs, no old links."""

from datetime import date, timedelta
from uuid import UUID

from fenqi.core.risk.identity import Identifier
from fenqi.core.risk.links import Link, LinkRule, Web
from fenqi.core.values.ids import AccountId

ON = date(2026, 3, 1)
RULE = LinkRule(
    decay_days=30,
    accounts_max={Identifier.DEVICE: 3, Identifier.CARD: 3, Identifier.PHONE: 3},
)


def account(number: int) -> AccountId:
    return AccountId(UUID(int=number))


def link(number: int, identifier: str, *, days_ago: int = 0) -> Link:
    day = ON - timedelta(days=days_ago)
    return Link(account(number), identifier.encode(), Identifier.DEVICE, day, day)


def test_the_path_names_each_identifier_with_its_days() -> None:
    web = Web(RULE, ON, [link(1, "a"), link(2, "a"), link(2, "b"), link(3, "b", days_ago=5)])
    path = web.path(account(1), account(3))
    assert path is not None
    assert [step.before.identifier for step in path] == [b"a", b"b"]
    assert [step.after.account_id for step in path] == [account(2), account(3)]
    assert path[1].after.last_on == ON - timedelta(days=5)


def test_the_shortest_of_several_paths_is_shown_and_always_the_same() -> None:
    links = [link(1, "a"), link(2, "a"), link(2, "b"), link(3, "b"), link(1, "z"), link(3, "z")]
    for order in (links, links[::-1]):
        path = Web(RULE, ON, order).path(account(1), account(3))
        assert path is not None
        assert [step.before.identifier for step in path] == [b"z"]


def test_an_identifier_shared_by_too_many_ties_nobody_even_those_it_tied_before() -> None:
    web = Web(RULE, ON, [link(number, "kiosk") for number in (1, 2, 3)])
    assert web.group(account(1)) == {account(1), account(2), account(3)}
    web.add(link(4, "kiosk"))
    assert web.is_hub(b"kiosk")
    assert web.group(account(1)) == {account(1)}
    assert web.path(account(1), account(2)) is None
    assert web.may_be_tied(account(1), account(2))  # it cannot forget until tonight


def test_a_link_not_seen_for_long_is_forgotten() -> None:
    links = [link(1, "a"), link(2, "a", days_ago=30)]
    assert Web(RULE, ON, links).path(account(1), account(2))
    assert Web(RULE, ON + timedelta(days=1), links).path(account(1), account(2)) is None


def test_a_link_seen_again_keeps_its_first_day() -> None:
    web = Web(RULE, ON, [link(1, "a", days_ago=9), link(1, "a"), link(2, "a")])
    path = web.path(account(2), account(1))
    assert path is not None
    assert (path[0].after.first_on, path[0].after.last_on) == (ON - timedelta(days=9), ON)


def test_nobody_is_tied_to_a_stranger_or_to_themselves() -> None:
    web = Web(RULE, ON, [link(1, "a"), link(2, "b")])
    assert not web.may_be_tied(account(1), account(2))
    assert web.path(account(1), account(9)) is None
    assert web.path(account(1), account(1)) is None
    assert web.groups([account(1), account(2)]) == [{account(1)}, {account(2)}]

"""Files of features: what they may say, and how they are told what is wrong."""

from typing import Any

import pytest

from fenqi.core.risk.features.declaration import Aggregate, Condition, Key
from fenqi.core.risk.features.reading import FeaturesInvalid, read
from fenqi.core.risk.input import Purpose

SMALL = """
name = "small"
version = 3

[[given]]
name = "regime"
unit = "choice"
choices = ["normal", "tight"]
purposes = ["credit"]
title = { zh = "状态", en = "regime" }

[[stream]]
name = "logins"
kinds = ["login"]
where = [{ field = "hour", from = 0, below = 6 }, { field = "is_late", absent = true }]

[[stream]]
name = "changes"
kinds = ["phone-changed", "device-changed"]
after = "logins"
within = "90m"

[[stream]]
name = "visits"
kinds = ["login"]

[[feature]]
name = "changes_2d"
of = "changes"
aggregate = "count"
window = "2d"
known_by = ["login"]
unit = "count"
purposes = ["fraud", "service"]
title = { zh = "更换", en = "changes" }

[[feature]]
name = "accounts_per_ip_10m"
key = "ip"
of = "visits"
aggregate = "distinct"
window = "10m"
cap = 50
unit = "count"
purposes = ["fraud"]
title = { zh = "账户数", en = "accounts" }
"""


def refused(old: str, new: str) -> dict[str, Any]:
    assert old in SMALL
    with pytest.raises(FeaturesInvalid) as caught:
        read(SMALL.replace(old, new, 1), file="small.toml")
    return caught.value.fields


def test_a_file_becomes_inputs_streams_and_features() -> None:
    small = read(SMALL, file="small.toml")
    assert (small.name, small.version, small.text) == ("small", 3, SMALL)
    assert list(small.vocabulary) == ["regime", "changes_2d", "accounts_per_ip_10m"]
    assert small.vocabulary["regime"].choices == ("normal", "tight")
    assert small.streams["logins"].conditions == (
        Condition("hour", least=0, below=6),
        Condition("is_late", is_absent=True),
    )
    changes, accounts = small.features
    assert small.streams[changes.stream].within == 90 * 60 * 1_000_000
    assert (changes.aggregate, changes.window) == (Aggregate.COUNT, 2 * 86_400 * 1_000_000)
    assert changes.input.purposes == {Purpose.FRAUD, Purpose.SERVICE}
    assert changes.known_by == ("login",)
    assert (accounts.key, accounts.cap) == (Key.IP, 50)
    assert small.measures == (accounts,)
    assert small.kinds == {"login", "phone-changed", "device-changed"}


@pytest.mark.parametrize(
    ("old", "new", "line", "entry", "field"),
    [
        ('window = "2d"', 'window = "2w"', 31, "changes_2d", "window"),
        ('window = "2d"', 'window = "401d"', 31, "changes_2d", "window"),
        ('window = "10m"\n', "", 37, "accounts_per_ip_10m", "window"),
        ('aggregate = "count"', 'aggregate = "mean"', 30, "changes_2d", "aggregate"),
        ('aggregate = "distinct"', 'aggregate = "count"', 41, "accounts_per_ip_10m", "aggregate"),
        ('unit = "count"', 'unit = "days"', 33, "changes_2d", "unit"),
        ('of = "changes"', 'of = "change"', 29, "changes_2d", "of"),
        ('of = "changes"', 'of = "changes"\nfeild = "x"', 30, "changes_2d", "feild"),
        ('name = "changes_2d"', 'name = "regime"', 28, "regime", "name"),
        ('name = "changes_2d"', 'name = "Changes"', 28, "Changes", "name"),
        ('after = "logins"', 'after = "later"', 20, "changes", "after"),
        ('within = "90m"\n', "", 17, "changes", "within"),
        ('kinds = ["login"]', "kinds = []", 14, "logins", "kinds"),
        ("from = 0, below = 6", "from = 6, below = 6", 15, "logins", "where"),
        ("from = 0, below = 6", "is = []", 15, "logins", "where"),
        ("absent = true", "absent = false", 15, "logins", "where"),
        ('["normal", "tight"]', '["normal"]', 8, "regime", "choices"),
        ('purposes = ["fraud"]', 'purposes = ["profit"]', 45, "accounts_per_ip_10m", "purposes"),
        ('purposes = ["fraud"]', "purposes = []", 45, "accounts_per_ip_10m", "purposes"),
        ('zh = "更换", ', "", 35, "changes_2d", "title.zh"),
        ('of = "visits"', 'of = "logins"', 40, "accounts_per_ip_10m", "of"),
        ('of = "visits"', 'of = "changes"', 40, "accounts_per_ip_10m", "of"),
        ("cap = 50", "cap = 1", 43, "accounts_per_ip_10m", "cap"),
        ("version = 3", "version = 0", 3, "", "version"),
        ("version = 3", "version = 3\nauthor = 1", 4, "", "author"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    old: str, new: str, line: int, entry: str, field: str
) -> None:
    fields = refused(old, new)
    assert (fields["line"], fields["entry"], fields["field"]) == (line, entry, field)
    assert fields["file"] == "small.toml"
    assert fields["expected"]


PARTS = """
name = "parts"
version = 1

[[stream]]
name = "borrowings"
kinds = ["purchase", "drawdown"]

[[stream]]
name = "changes"
kinds = ["phone", "card"]
where = [{ field = "score", from = 0, below = 9 }, { field = "is_late", absent = true }]
after = "borrowings"
within = "7d"

[[stream]]
name = "some"
kinds = ["card"]
where = [{ field = "is_late", absent = true }, { field = "score", from = 3, below = 9 }]
after = "borrowings"
within = "2d"

[[feature]]
name = "some_share"
of = "changes"
part = "some"
aggregate = "share"
window = "30d"
unit = "ppm"
purposes = ["fraud"]
title = { zh = "占比", en = "share" }
"""
SOME_SCORE = '{ field = "score", from = 3, below = 9 }'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("share", "share"),
        (SOME_SCORE, '{ field = "score", is = [0, 8] }'),
        (SOME_SCORE, '{ field = "score", from = 0 }, { field = "score", is = [4] }'),
        ('within = "2d"', 'within = "7d"'),
        ('aggregate = "share"', 'aggregate = "ratio"'),
    ],
)
def test_the_part_of_a_share_may_ask_more_than_its_whole(old: str, new: str) -> None:
    (share,) = read(_replaced_last(old, new), file="parts.toml").features
    assert share.part == "some"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('kinds = ["card"]', 'kinds = ["card", "refund"]'),
        (SOME_SCORE, '{ field = "score", from = 3 }'),
        (SOME_SCORE, '{ field = "score", from = -1, below = 9 }'),
        (SOME_SCORE, '{ field = "score", is = [0, 9] }'),
        (SOME_SCORE, '{ field = "score", is = ["high"] }'),
        (SOME_SCORE, '{ field = "score", absent = true }'),
        (SOME_SCORE, '{ field = "points", from = 3, below = 9 }'),
        ('{ field = "is_late", absent = true }, ', ""),
        ('{ field = "is_late", absent = true }', '{ field = "is_late", is = [0] }'),
        ('within = "2d"', 'within = "8d"'),
        ('after = "borrowings"\nwithin = "2d"', ""),
        ('after = "borrowings"\nwithin = "2d"', 'after = "changes"\nwithin = "2d"'),
    ],
)
def test_a_share_of_facts_outside_its_whole_is_refused(old: str, new: str) -> None:
    text = _replaced_last(old, new)
    with pytest.raises(FeaturesInvalid) as caught:
        read(text, file="parts.toml")
    said = caught.value.fields
    assert (said["file"], said["entry"], said["field"]) == ("parts.toml", "some_share", "part")
    assert (said["value"], said["line"]) == ("some", 1 + text[: text.index("part =")].count("\n"))
    assert "all facts of changes" in str(said["expected"])
    assert "a ratio is told" in str(said["expected"])
    read(text.replace('"share"', '"ratio"', 1), file="parts.toml")  # nothing else is wrong


def _replaced_last(old: str, new: str) -> str:
    """Return the file with the last such text replaced, which is that of the part."""
    before, found, after = PARTS.rpartition(old)
    assert found == old
    return before + new + after


def test_what_is_no_toml_is_named_with_its_line() -> None:
    fields = refused('of = "changes"', 'of = "changes')
    assert (fields["line"], fields["expected"]) == (29, "TOML")


def test_a_section_that_is_no_list_is_refused() -> None:
    with pytest.raises(FeaturesInvalid) as caught:
        read('name = "x"\nversion = 1\nfeature = 7\n', file="x.toml")
    assert caught.value.fields["field"] == "feature"


def test_a_count_over_an_address_stays_weak_however_it_is_gathered_again() -> None:
    again = """
[[feature]]
name = "most_accounts_7d"
of = "visits"
aggregate = "max"
field = "accounts_per_ip_10m"
window = "7d"
unit = "count"
purposes = ["fraud"]
title = { zh = "账户数", en = "accounts" }
"""
    made = read(SMALL + again, file="small.toml")
    assert made.vocabulary["most_accounts_7d"].is_weak
    assert not made.vocabulary["changes_2d"].is_weak
    assert made.over_identifiers == {"accounts_per_ip_10m", "most_accounts_7d"}

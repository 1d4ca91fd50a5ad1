"""Rows gathered as columns arrive in their tables as they were given, however they are sent."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from fenqi.store.columns import GAP, ids
from fenqi.store.decisions import MENUS
from fenqi.store.pool import Session, Store
from fenqi.store.rows import Change, Ragged, Rows, Sheet, Table, Upsert, lists

TABLES = """
CREATE TEMPORARY TABLE things (
    id UUID, n INTEGER PRIMARY KEY, amount BIGINT, small SMALLINT, word TEXT, day DATE,
    maybe_day DATE, maybe_id UUID, note TEXT, body JSONB, parts BIGINT[], days DATE[],
    is_on BOOLEAN, at TIMESTAMPTZ
) ON COMMIT DROP
"""
LINES = "CREATE TEMPORARY TABLE lines (id UUID, n INTEGER, word TEXT, note TEXT) ON COMMIT DROP"
NAMES = (
    *("id", "n", "amount", "small", "word", "day", "maybe_day", "maybe_id", "note", "body"),
    *("parts", "days", "is_on", "at"),
)
KINDS = (
    *("uuid", "integer", "bigint", "smallint", "word", "date", "date?", "uuid?", "text", "jsonb"),
    *("bigint[]", "date[]", "boolean", "timestamptz"),
)
THINGS = Table(
    "things", ",".join(f"{name} {kind}" for name, kind in zip(NAMES, KINDS, strict=True))
)
KEPT = """
SELECT id, n, amount, small, word, day, maybe_day, maybe_id, note, body::text, parts, days, is_on,
    at
FROM things ORDER BY n
"""
ID, N, AMOUNT, SMALL, WORD, DAY, MAYBE_DAY, MAYBE_ID, NOTE, BODY, PARTS, DAYS, IS_ON, AT = range(14)
NOTES = ("", "plain", 'quo"te', "back\\slash", "{braces, comma}", "NULL", "分期", "a\nb", None)
WAYS = ("one by one", "as lists", "as arrays", "in parts of every kind")
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)

Row = tuple[Any, ...]


@pytest.fixture
def session(store: Store) -> Iterator[Session]:
    with store.transaction() as session:
        session.run(TABLES)
        session.run(LINES)
        yield session


def thing(chance: random.Random, number: int) -> Row:
    day = date(2026, 1, 1) + timedelta(days=chance.randint(0, 3_000))
    return (
        UUID(int=chance.getrandbits(128)),
        number,
        chance.randint(-(2**62), 2**62),
        chance.randint(-9, 9),
        chance.choice(("active", "closed", "written-off", None)),
        day,
        chance.choice((day, date(1, 1, 1), None)),
        chance.choice((UUID(int=7), UUID(int=8), None)),
        chance.choice(NOTES),
        chance.choice(("{}", '{"a": [1, null, "分期"]}', None)),
        [chance.randint(-5, 5) for _ in range(chance.choice((0, 1, 3)))],
        [day + timedelta(days=n) for n in range(chance.randint(0, 2))],
        chance.random() < 0.5,
        NOON + timedelta(microseconds=chance.randint(0, 10**15)),
    )


def things(count: int, *, seed: int = 1) -> list[Row]:
    chance = random.Random(seed)
    return [thing(chance, number) for number in range(count)]


def columns(rows: Sequence[Row]) -> list[Any]:
    """Return columns as lists, but for those whose rows are arrays."""
    given: list[Any] = [list(column) for column in zip(*rows, strict=True)]
    for place, kind in ((PARTS, np.int64), (DAYS, "datetime64[D]")):
        given[place] = ragged(given[place], kind)
    return given


def ragged(rows: Sequence[Sequence[Any]], kind: Any) -> Ragged:
    return Ragged(
        np.array([one for row in rows for one in row], dtype=kind),
        np.array([len(row) for row in rows], dtype=np.int64),
    )


def as_arrays(rows: Sequence[Row]) -> list[Any]:
    """Return columns, as arrays where a flow may have computed them so."""
    given = columns(rows)
    given[ID] = ids(given[ID])
    for place in (N, AMOUNT, SMALL):
        given[place] = np.array(given[place], dtype=np.int64)
    given[DAY] = np.array(given[DAY], dtype="datetime64[D]")
    given[IS_ON] = np.array(given[IS_ON], dtype=bool)
    return given


def gathered(rows: Sequence[Row], way: str) -> Rows:
    gathered = Rows(THINGS)
    match way:
        case "one by one":
            for row in rows:
                gathered.extend(1, *columns([row]))
        case "as lists":
            gathered.extend(len(rows), *columns(rows))
        case "as arrays":
            gathered.extend(len(rows), *as_arrays(rows))
        case "in parts of every kind":
            for start in range(0, len(rows), 3):
                part = rows[start : start + 3]
                gathered.extend(len(part), *(as_arrays if start % 2 else columns)(part))
    return gathered


@pytest.mark.parametrize("count", [1, 2, 3, 500])
@pytest.mark.parametrize("way", ["one by one", "as lists", "as arrays", "in parts of every kind"])
def test_rows_arrive_as_they_were_given(session: Session, way: str, count: int) -> None:
    rows = things(count)
    gathered(rows, way).send(session)
    assert session.rows(KEPT) == rows


def test_rows_that_are_added_one_at_a_time_arrive_too(session: Session) -> None:
    plain = [place for place in range(len(THINGS.columns)) if place not in (PARTS, DAYS)]
    kinds = [f"{NAMES[n]} {KINDS[n]}" for n in plain]
    for count in (1, 2, 30):
        rows, given = Rows(Table("things", ",".join(kinds))), things(count)
        for row in given:
            rows.add(*(row[place] for place in plain))
        rows.send(session)
        found = session.rows(KEPT)
        assert [[row[place] for place in plain] for row in found] == [
            [row[place] for place in plain] for row in given
        ]
        session.run("TRUNCATE things")


def test_what_all_rows_share_is_given_once(session: Session) -> None:
    (one,) = things(1, seed=3)
    for count, value in ((1, one), (3, one), (2, (None,) * len(one))):
        rows = Rows(THINGS)
        shared = list(value)
        shared[N] = np.arange(count)
        shared[PARTS], shared[DAYS] = ragged([[]] * count, "i8"), ragged([[]] * count, "M8[D]")
        rows.extend(count, *shared)
        rows.send(session)
        expected = [*value]
        expected[PARTS], expected[DAYS] = [], []
        found = session.rows(KEPT)
        assert found == [(*expected[:N], n, *expected[N + 1 :]) for n in range(count)]
        session.run("TRUNCATE things")


def test_words_of_which_many_are_the_same_are_sent_once(session: Session) -> None:
    rows = things(300)
    rows = [(*row[:WORD], ("a", "b", None)[n % 3], *row[WORD + 1 :]) for n, row in enumerate(rows)]
    assert parameter_count(session, [gathered(rows, "as lists")]) <= len(THINGS.columns) + 10
    assert [row[WORD] for row in session.rows(KEPT)] == ["a", "b", None] * 100


def test_a_word_that_all_rows_happen_to_have_is_one_value(session: Session) -> None:
    for word in ("a", None):
        rows = [(*row[:WORD], word, *row[WORD + 1 :]) for row in things(40)]
        gathered(rows, "as lists").send(session)
        assert session.rows(KEPT) == rows
        session.run("TRUNCATE things")


@pytest.mark.parametrize("lengths", [(0, 0, 0), (1, 1, 1), (3, 0, 2), (0, 0, 5)])
def test_arrays_of_any_length_stay_with_their_row(
    session: Session, lengths: tuple[int, ...]
) -> None:
    rows = [
        (*row[:PARTS], [10 * n + k for k in range(length)], [row[DAY]] * length, *row[DAYS + 1 :])
        for n, (row, length) in enumerate(zip(things(3), lengths, strict=True))
    ]
    for way in WAYS:
        gathered(rows, way).send(session)
        assert session.rows(KEPT) == rows, way
        session.run("TRUNCATE things")


def test_two_free_texts_of_a_row_stay_together(session: Session) -> None:
    notes = [*NOTES, *reversed(NOTES)]
    rows = [
        (*row[:NOTE], note, None if note is None else f'["{n}"]', *row[BODY + 1 :])
        for n, (row, note) in enumerate(zip(things(len(notes)), notes, strict=True))
    ]
    gathered(rows, "as lists").send(session)
    assert session.rows(KEPT) == rows


def test_a_row_that_is_there_is_written_over_or_kept(session: Session) -> None:
    columns = "n integer, id uuid, word word, amount bigint"
    over = Upsert("things", columns, keys="n")
    kept = Upsert("things", columns, keys="n", keeps=True)
    session.run("INSERT INTO things (n, word, amount, small) VALUES (1, 'old', 10, 7)")
    for target, word, amount in ((over, "new", 11), (kept, "newer", 12)):
        rows = Rows(target)
        rows.extend(2, [1, amount], UUID(int=1), word, amount)
        rows.send(session)
        found = session.rows("SELECT n, word, amount, small FROM things ORDER BY n")
        assert found[0] == (1, "new", 11, 7)  # and what was not named stays
        assert (amount, word, amount, None) in found


def test_rows_that_last_are_sent_until_their_connection_has_committed_them(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def run(session: Session, statement: str, parameters: Sequence[object]) -> int:
        sent.append(statement)
        return run_numbered(session, statement, parameters)

    run_numbered = Session.run_numbered
    monkeypatch.setattr(Session, "run_numbered", run)

    def send(store: Store, *menus: int, fails: bool = False) -> list[int]:
        with store.transaction() as session:
            rows = Rows(MENUS)
            for one in menus:
                rows.add(UUID(int=one), "[]")
            rows.send(session)
            if fails:
                raise ZeroDivisionError
            found = session.rows("SELECT menu_id FROM menus ORDER BY 1")
        return [row[0].int for row in found]

    first, other = (Store.open(database_url, connections_max=1) for _ in range(2))
    try:
        with pytest.raises(ZeroDivisionError):
            send(first, 1, fails=True)
        assert send(first, 1) == [1]
        assert len(sent) == 2
        assert send(first, 1) == [1]
        assert len(sent) == 2
        assert send(first, 1, 2) == [1, 2]
        assert len(sent) == 3
        assert send(other, 1, 2) == [1, 2]  # it knows nothing of what the first has brought
        assert len(sent) == 4
    finally:
        first.close()
        other.close()


@pytest.mark.parametrize(
    "numbers",
    [
        [[1, None, 2**62], [], [None, None, -5], [0]],
        [[GAP, None], [None, GAP + 1]],
        [[None]],
    ],
    ids=["some unknown", "the number that stands for unknown", "nothing known"],
)
def test_unknown_numbers_of_an_array_are_null_and_no_other_is(
    session: Session, numbers: list[list[int | None]]
) -> None:
    rows = Rows(Table("things", "n integer, parts bigint[]"))
    rows.extend(len(numbers), list(range(len(numbers))), lists(numbers))
    rows.send(session)
    assert [row[0] for row in session.rows("SELECT parts FROM things ORDER BY n")] == numbers


def test_only_the_rows_with_these_keys_change(session: Session) -> None:
    gathered(before := things(5), "as lists").send(session)
    rows = Rows(
        Change(
            "things",
            keys="n integer, id uuid",
            columns="word word, maybe_day date?, small smallint",
        )
    )
    rows.extend(2, [1, 3], [before[1][ID], before[3][ID]], ["x", None], [None, date(2030, 1, 1)], 5)
    rows.add(4, before[0][ID], "nobody", None, 5)  # no row has both
    rows.send(session)
    after = session.rows(KEPT)
    assert [after[n] for n in (0, 2, 4)] == [before[n] for n in (0, 2, 4)]
    assert [(row[WORD], row[MAYBE_DAY], row[SMALL]) for row in (after[1], after[3])] == [
        ("x", None, 5),
        (None, date(2030, 1, 1), 5),
    ]


def parameter_count(session: Session, rows: Sequence[Rows]) -> int:
    """Send a sheet and return of how many parameters its one statement was."""
    sent: list[tuple[str, int]] = []

    class Watched:
        def run_numbered(self, statement: str, parameters: Sequence[object]) -> int:
            sent.append((statement, len(parameters)))
            return session.run_numbered(statement, parameters)

    Sheet(rows).send(Watched())  # type: ignore[arg-type] # all that a sheet asks of a session
    ((_, count),) = sent
    return count


def test_a_sheet_writes_several_tables_at_once_and_sends_what_they_share_once(
    session: Session,
) -> None:
    given = things(60)
    keys, words = ids([row[ID] for row in given]), [row[WORD] for row in given]
    lines = Table("lines", "id uuid, n integer, word word, note text")

    def sheet(own: Any, own_words: list[str | None]) -> list[Rows]:
        of_things, of_lines = Rows(THINGS), Rows(lines)
        shared = columns(given)
        shared[ID], shared[WORD] = keys, words  # type: ignore[call-overload] # arrays too
        of_things.extend(len(given), *shared)
        of_lines.extend(len(given), own, 7, own_words, shared[NOTE])
        return [of_things, of_lines, Rows(lines)]

    together = parameter_count(session, sheet(keys, words))
    assert session.rows(KEPT) == given
    expected = [(row[ID], 7, row[WORD], row[NOTE]) for row in given]
    found = session.rows("SELECT id, n, word, note FROM lines")
    assert sorted(found, key=str) == sorted(expected, key=str)
    session.run("TRUNCATE things, lines")
    apart = parameter_count(session, sheet(keys.copy(), list(words)))
    assert apart == together + 3  # the ids; the words and which of them each row has


def test_sheets_of_one_shape_keep_their_own_values(session: Session) -> None:
    for seed in range(20):
        rows = things(1 + seed % 4, seed=seed)
        gathered(rows, "as arrays" if seed % 2 else "as lists").send(session)
        assert session.rows(KEPT) == rows
        session.run("TRUNCATE things")


def test_an_empty_sheet_sends_nothing(session: Session) -> None:
    Sheet([Rows(THINGS)]).send(None)  # type: ignore[arg-type] # nobody is asked
    assert session.rows(KEPT) == []


WRONG: dict[str, dict[int, Any]] = {
    "a fraction among the elements of an array": {PARTS: ragged([[1], [1.5]], np.float64)},
    "a day missing in an array": {DAYS: ragged([["2026-01-01"], ["NaT"]], "datetime64[D]")},
    "fractions in an array of numbers": {AMOUNT: np.array([1.0, 1.5])},
    "a fraction among numbers": {AMOUNT: [1, 1.5]},
    "a day missing where none may": {DAY: np.array(["2026-01-01", "NaT"], dtype="datetime64[D]")},
    "a day missing where days are coded": {
        MAYBE_DAY: np.array(["2026-01-01", "NaT"], dtype="datetime64[D]")
    },
    "a number missing where none may": {AMOUNT: [1, None]},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_value_is_refused_before_it_is_sent(session: Session, what: str) -> None:
    given: list[Any] = columns(things(2))
    for place, column in WRONG[what].items():
        given[place] = column
    rows = Rows(THINGS)
    rows.extend(2, *given)
    with pytest.raises(TypeError):
        rows.send(session)

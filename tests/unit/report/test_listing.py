"""Lists: ids and words whole in any terminal, below one another in a narrow one."""

from io import StringIO
from uuid import UUID

import pytest
from rich.console import Console

from fenqi.report.listing import WIDE, listing

IDS = [str(UUID(int=number)) for number in range(1, 3)]
HEADS = (("offer", "account"), ("old", "effect"), ("until", "state"))
ROW = ((IDS[0], IDS[1]), ("10,000.00", "cooler-menu:12, hold:24"), ("2027-01-31", "open"))


def shown(columns: int) -> list[str]:
    told = StringIO()
    console = Console(file=told, width=columns, highlight=False, markup=False)
    console.print(listing(console, HEADS, [ROW]))
    return told.getvalue().splitlines()


@pytest.mark.parametrize("columns", [72, 80, 100, WIDE, 200])
def test_ids_and_words_stay_whole(columns: int) -> None:
    lines = shown(columns)
    assert all(len(one) <= columns for one in lines)
    words = " ".join(lines).replace(",", " ").split()
    for whole in (*IDS, "cooler-menu:12", "hold:24", "2027-01-31", "open"):
        assert whole in words


def test_groups_stand_below_one_another_only_where_it_is_narrow() -> None:
    assert any(IDS[0] in one and IDS[1] in one for one in shown(WIDE))
    assert not any(IDS[0] in one and IDS[1] in one for one in shown(80))

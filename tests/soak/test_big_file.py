"""A file of 200 MB is read in flat memory: what grows is what is kept of its lines.

Run it with `python -m pytest tests/soak/test_big_file.py`; it takes minutes and is no part of
`make test`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_BYTES = 200_000_000
HEADING = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
BOOKED_KIB_PER_LINE_MAX = 0.7  # an entry, its purchase and what the matching keeps

# In a process of its own, so that the peak is that of the reading alone.
READ = """
import json, resource, sys
from pathlib import Path
from fenqi.replay.lines import read_lines
from fenqi.replay.mapping import read_mapping
from fenqi.replay.source import load

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

file, mapping = Path(sys.argv[1]), read_mapping(Path(sys.argv[2]))
before = peak()
if sys.argv[3] == "read":
    lines = sum(1 for _ in read_lines(file, mapping))
else:
    lines = load(file, mapping, skip_bad=True).tally.total
print(json.dumps({"lines": lines, "before_kib": before, "peak_kib": peak()}))
"""


def measured(file: Path, how: str) -> dict[str, int]:
    example = ROOT / "examples" / "online_retail.toml"
    done = subprocess.run(
        [sys.executable, "-c", READ, str(file), str(example), how],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, int] = json.loads(done.stdout)
    print(how, found)  # noqa: T201 - the figure is what the run is for
    return found


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "lines.csv"
    with path.open("w", encoding="utf-8") as file:
        size = file.write(HEADING)
        number = 0
        while size < FILE_BYTES:
            number += 1
            day, customer = number % 28 + 1, number % 90_000
            size += file.write(
                f"I{number // 20},S{number % 4000},{'a thing ' * 12},2,2024-03-{day:02}"
                f" 09:{number % 60:02}:00,{number % 900 / 100 + 1:.2f},{customer // 20},UK\n"
            )
    return path


@pytest.mark.timeout(1200)
def test_reading_a_big_file_takes_no_more_memory_than_a_small_one(big_file: Path) -> None:
    found = measured(big_file, "read")

    assert found["lines"] > 1_000_000
    assert found["peak_kib"] - found["before_kib"] < 100_000


@pytest.mark.timeout(1200)
def test_what_is_kept_of_a_big_file_is_bounded_per_line(big_file: Path) -> None:
    found = measured(big_file, "load")

    kept_kib = found["peak_kib"] - found["before_kib"]
    assert kept_kib / found["lines"] < BOOKED_KIB_PER_LINE_MAX

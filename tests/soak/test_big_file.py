"""A file of 200 MB is read, and all its lines are kept, in the memory of a small one.

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
SMALL_BYTES = 10_000_000  # large enough to fill what is remembered of values
FLAT_KIB = 20_000  # a big file may take this much more than a small one
KEPT_KIB = 50_000  # and this much with its lines kept: a twelfth of what they would take
BAD_EVERY = 30  # lines; a third of what --skip-bad allows
HEADING = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

# In a process of its own, so that the peak is that of the reading alone. The peak that `getrusage`
# tells begins with that of the process that started it.
READ = """
import json, re, sys
from pathlib import Path
from fenqi.replay.leftovers import BadLines
from fenqi.replay.lines import read_lines
from fenqi.replay.mapping import read_mapping
from fenqi.replay.source import load

def peak():
    told = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    return int(told[1])

file, mapping = Path(sys.argv[1]), read_mapping(Path(sys.argv[2]))
before = peak()
if sys.argv[3] == "read":
    lines = sum(1 for _ in read_lines(file, mapping))
    bad = 0
else:
    with BadLines(file.with_suffix(".bad.csv"), file) as written:
        lines = load(file, mapping, on_bad=written.note).tally.total
    bad = written.count
print(json.dumps({"lines": lines, "bad": bad, "before_kib": before, "peak_kib": peak()}))
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


def write(path: Path, bytes_min: int) -> Path:
    """Write invoices of twenty lines, of which every thirtieth has no number as its price."""
    with path.open("w", encoding="utf-8") as file:
        size = file.write(HEADING)
        number = 0
        while size < bytes_min:
            number += 1
            day, customer = number % 28 + 1, number % 90_000
            price = f"{number % 900 / 100 + 1:.2f}" if number % BAD_EVERY else "n/a"
            size += file.write(
                f"I{number // 20},S{number % 4000},{'a thing ' * 12},2,2024-03-{day:02}"
                f" 09:{number % 60:02}:00,{price},{customer // 20},UK\n"
            )
    return path


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("big") / "lines.csv", FILE_BYTES)


@pytest.mark.timeout(1200)
def test_reading_a_big_file_takes_no_more_memory_than_a_small_one(
    big_file: Path, tmp_path: Path
) -> None:
    small = measured(write(tmp_path / "small.csv", SMALL_BYTES), "read")
    found = measured(big_file, "read")

    assert found["lines"] > 1_000_000
    assert found["peak_kib"] - small["peak_kib"] < FLAT_KIB


@pytest.mark.timeout(1200)
def test_keeping_all_lines_of_a_big_file_takes_no_more_memory_than_those_of_a_small_one(
    big_file: Path, tmp_path: Path
) -> None:
    small = measured(write(tmp_path / "small.csv", SMALL_BYTES), "load with --skip-bad")
    found = measured(big_file, "load with --skip-bad")

    assert found["bad"] == found["lines"] // BAD_EVERY
    with big_file.with_suffix(".bad.csv").open() as bad:
        assert sum(1 for _ in bad) == found["bad"] + 1
    assert found["peak_kib"] - small["peak_kib"] < KEPT_KIB

"""`make bench`: every bench after the other, each in a process of its own, and one table of bars.

    python tests/bench/run.py [--out out/bench] [--only NAME ...] [--quick] [--keep]

A bar is a ratio to a yardstick of the same run, higher is better, beside the figure that
docs/benchmarks.json kept from the last time. `--keep` writes this run's figures there. `--quick`
runs small and short, to see that the benches work; its figures say nothing.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import ROOT

KEPT = ROOT / "docs" / "benchmarks.json"
HERE = Path(__file__).parent
WORSE = 0.8  # of the last figure: below it a bar is called slower


@dataclass(frozen=True)
class Bench:
    """One script and its options."""

    name: str
    script: str
    options: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()


BENCHES = (
    Bench(
        "purchases", "authorise.py", ("--judge",), ("--judge", "--rounds", "1", "--seconds", "3")
    ),
    Bench("purchases-decided", "authorise.py", quick=("--rounds", "1", "--seconds", "3")),
    Bench("close", "close.py", quick=("--rounds", "1", "--plans", "20000")),
    Bench(
        "close-all-due",
        "close.py",
        ("--all-due", "--rounds", "1", "--plans", "200000"),
        ("--all-due", "--rounds", "1", "--plans", "20000"),
    ),
    Bench("schedules", "schedules.py", quick=("--rounds", "1")),
    Bench("life", "life.py", quick=("--rounds", "1", "--lives", "5")),
    Bench("policy", "policy.py", quick=("--rounds", "1", "--rows", "200")),
    Bench("replay", "replay.py"),
    Bench("rings", "rings.py", quick=("--share", "0.05", "--rings", "10", "--seconds", "8")),
)
# What the figures of a bench are called, and the floor of the ratio.
PURCHASES = {
    "purchases": ("purchases", 2.5),
    "purchases-decided": ("purchases decided by the policy", 1.5),
}


@dataclass(frozen=True)
class Bar:
    """One figure: `floor` is what it must reach, None where it is only told."""

    name: str
    figure: float
    unit: str
    spread: tuple[float, float] | None = None
    floor: float | None = None
    is_lower_better: bool = False

    @property
    def verdict(self) -> str:
        if self.floor is None:
            return ""
        is_met = self.figure <= self.floor if self.is_lower_better else self.figure >= self.floor
        return "met" if is_met else "MISSED"


def bars(name: str, found: dict[str, Any]) -> Iterator[Bar]:
    """Yield the figures of one bench's JSON."""
    if name in PURCHASES:
        spread = tuple(found["spread"])
        label, floor = PURCHASES[name]
        yield Bar(f"{label} / TPC-B", found["median_ratio_to_tpcb"], "x", spread, floor)
        slowest = [one["p99_ms"] for one in found["rounds"]]
        ordered = sorted(slowest)
        middle = ordered[len(ordered) // 2]
        yield Bar(
            *(f"{label}, p99", middle, "ms", (min(slowest), max(slowest)), 60),
            is_lower_better=True,
        )
    elif name.startswith("close"):
        floor = 0.7 if name == "close" else None
        label = f"{found['bench']} / SQL"
        yield Bar(label, found["median_ratio_to_sql"], "x", tuple(found["spread"]), floor)
    elif name == "schedules":
        for race in found["races"]:
            yield Bar(
                f"array {race['race']} / {race['against']}",
                race["median_ratio"],
                "x",
                tuple(race["spread"]),
                race["target"],
            )
    elif name == "life":
        spread = tuple(found["spread"])
        label = "life of 24 operations / schedule rebuilt after each"
        yield Bar(label, found["median_ratio"], "x", spread, found["target"])
    elif name == "policy":
        one, many = found["median_ratio"], found["batch_ratio"]
        floor, floor_many = found["floor"], found["batch_floor"]
        yield Bar("decision by 100 rules / zen-engine", one, "x", tuple(found["spread"]), floor)
        spread = tuple(found["batch_spread"])
        yield Bar("decisions in columns / zen-engine", many, "x", spread, floor_many)
    elif name == "rings":
        shipped, program = found["world"]["shipped"], found["program"]
        share = shipped["rings_found"] / shipped["rings"]
        yield Bar("rings looked at by their tenth login", 100 * share, "%", floor=100)
        yield Bar(
            "tenth login until all are held, p99",
            program["p99_s"],
            "s",
            None,
            1,
            is_lower_better=True,
        )
    else:
        yield Bar("replay of the real file", found["seconds"], "s", is_lower_better=True)


def run(bench: Bench, out: Path, *, is_quick: bool) -> dict[str, Any] | None:
    """Run one bench; None if it could not be measured, after saying why."""
    target = out / f"{bench.name}.json"
    target.unlink(missing_ok=True)
    options = bench.quick if is_quick else bench.options
    words = [sys.executable, str(HERE / bench.script), *options, "--json", str(target)]
    sys.stderr.write(f"== {bench.name}\n")
    builders = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(words, stdout=subprocess.DEVNULL, env=builders, check=False)
    if not target.exists():
        sys.stderr.write(f"{bench.name} was not measured (exit code {done.returncode})\n")
        return None
    found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    return found


def table(found: list[Bar], last: dict[str, float]) -> list[str]:
    """Return the bars as a Markdown table, with what was kept before."""
    lines = [
        "| Figure | Measured | Spread | Floor | | Last |",
        "|---|---:|---:|---:|---|---:|",
    ]
    for bar in found:
        spread = f"{bar.spread[0]:g} to {bar.spread[1]:g}" if bar.spread else ""
        floor = f"{bar.floor:g} {bar.unit}" if bar.floor is not None else ""
        before = last.get(bar.name)
        slower = ""
        if before:
            change = before / bar.figure if bar.is_lower_better else bar.figure / before
            slower = " slower" if change < WORSE else ""
        kept = f"{before:g}{slower}" if before is not None else ""
        lines.append(
            f"| {bar.name} | {bar.figure:g} {bar.unit} | {spread} | {floor} "
            f"| {bar.verdict} | {kept} |"
        )
    return lines


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--out", type=Path, default=ROOT / "out" / "bench")
    words.add_argument("--only", nargs="*", choices=[bench.name for bench in BENCHES])
    words.add_argument("--quick", action="store_true")
    words.add_argument("--keep", action="store_true")
    asked = words.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    chosen = [one for one in BENCHES if not asked.only or one.name in asked.only]
    results = {one.name: run(one, asked.out, is_quick=asked.quick) for one in chosen}
    found = [
        bar for name, result in results.items() if result is not None for bar in bars(name, result)
    ]
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {"bars": []}
    last = {bar["name"]: bar["figure"] for bar in kept["bars"]}
    sys.stdout.write("\n".join(table(found, last)) + "\n")
    cores = len(os.sched_getaffinity(0))
    whole = {
        "machine": f"{platform.machine()}, {cores} cores, Python {platform.python_version()}",
        "bars": [asdict(bar) for bar in found],
        "results": results,
    }
    text = json.dumps(whole, indent=1) + "\n"
    (asked.out / "bench.json").write_text(text, encoding="utf-8")
    if asked.keep and not asked.quick:
        names = {bar.name for bar in found}
        whole["bars"] += [bar for bar in kept["bars"] if bar["name"] not in names]
        whole["results"] = {**kept.get("results", {}), **results}
        KEPT.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(result is None for result in results.values()))


if __name__ == "__main__":
    main()

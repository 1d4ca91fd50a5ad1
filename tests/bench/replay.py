"""The replay of the real file: how long it takes, and where the time goes.

    python tests/bench/replay.py [--json FILE]

The program runs as a person runs it, in this process; beside it a sampler looks a hundred times a
second at what the thread that is at work does, and counts the room of the house it is in. A sample
in the driver's wait for the server counts as the database.
"""

import argparse
import json
import os
import shutil
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from bench import ROOT, folder
from fenqi.cli import app
from fenqi.desk import Waiting

SECONDS_BETWEEN = 0.01
FILE = ROOT.parent / "shared" / "data" / "online_retail.parquet"
MAPPING = ROOT / "examples" / "online_retail.toml"
WAITS_FOR_SERVER = {"wait", "_communicate", "_fetch_many", "_sync_gen"}


class Sampler(threading.Thread):
    """Counts the rooms in which the program's time is spent."""

    def __init__(self) -> None:
        super().__init__(name="sampler", daemon=True)
        self.rooms: Counter[str] = Counter()
        self._is_over = threading.Event()

    def run(self) -> None:
        names = {}
        while not self._is_over.wait(SECONDS_BETWEEN):
            names = {one.ident: one.name for one in threading.enumerate()}
            frames = sys._current_frames()
            desk = [frame for ident, frame in frames.items() if names.get(ident, "")[:4] == "desk"]
            busy = [room for frame in desk if (room := room_of(frame)) != "waiting"]
            main = frames.get(threading.main_thread().ident or 0)
            self.rooms[busy[0] if busy else room_of(main)] += 1

    def stop(self) -> None:
        self._is_over.set()
        self.join()

    def shares(self) -> dict[str, float]:
        """Return the share of the samples in each room, largest first."""
        whole = sum(self.rooms.values())
        return {room: round(count / whole, 3) for room, count in self.rooms.most_common()}


def room_of(frame: FrameType | None) -> str:
    """Return the innermost room of the house that a thread is in."""
    is_driver = False
    place = frame
    while place is not None:
        module = place.f_globals.get("__name__", "")
        if place is frame and (module == "threading" or place.f_code is Waiting.take.__code__):
            return "waiting"
        if module.startswith("psycopg") and place.f_code.co_name in WAITS_FOR_SERVER:
            return "the database"
        is_driver = is_driver or module.startswith("psycopg")
        if module.startswith("fenqi."):
            parts = module.split(".")
            room = ".".join(parts[1:3] if parts[1] == "core" else parts[1:2])
            return "the driver" if is_driver else room
        place = place.f_back
    return "the program's start and end"


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--json", type=Path)
    asked = words.parse_args()
    if not FILE.exists():
        raise SystemExit(f"not measured: there is no {FILE.name} in {FILE.parent}")
    data, out = folder("replay"), ROOT / "out" / "bench" / "replay"
    shutil.rmtree(data, ignore_errors=True)
    os.environ["FENQI_DATA"] = str(data)
    result = measured(out)
    shutil.rmtree(data, ignore_errors=True)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n")


def measured(out: Path) -> dict[str, Any]:
    sampler = Sampler()
    sampler.start()
    start = time.perf_counter()
    app(
        ["replay", str(FILE), "--map", str(MAPPING), "--out", str(out)],
        standalone_mode=False,
    )
    seconds = time.perf_counter() - start
    sampler.stop()
    tally = json.loads((out / "tally.json").read_text(encoding="utf-8"))
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return {
        "bench": "replay of the real file",
        "seconds": round(seconds, 1),
        "lines": tally["lines"],
        "plans": report["plans"],
        "statements": report["statements"],
        "last_day": report["as_of"],
        "where_the_time_goes": sampler.shares(),
    }


if __name__ == "__main__":
    main()

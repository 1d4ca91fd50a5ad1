"""Print the interpreter that the environment of this checkout is made with.

    python3 .ci/interpreter.py

Two builds of one Python differ in speed by half where one was compiled without profile-guided
optimisation, as version managers often do, and nothing a build says of itself tells for sure. So
the one that runs this is timed beside all others of its version on the path; another is taken only
if it is clearly faster and can make environments.
"""

import os
import subprocess
import sys
from pathlib import Path

ROUNDS = 3
TRIES = 9
CLEARLY = 0.8  # of the time; less than that is the noise of a busy machine
SECONDS_MAX = 20
TIMED = """
import sys, time, timeit

class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

def work():
    sums = {}
    for n in range(9999):
        point = Point(n, n + 1)
        sums[n % 97] = f"{point.x + point.y}"

took = min(timeit.repeat(work, "", time.process_time, int(sys.argv[1]), number=1))
import ensurepip, venv
print(*sys.version_info[:2], took, sys.executable)
"""


def timed(interpreter: str) -> tuple[str, float] | None:
    """Return an interpreter's own path and how long it takes for a piece of work, in seconds.

    None if it is of another version or cannot make environments.
    """
    try:
        done = subprocess.run(  # noqa: S603 - what the path of whoever runs this names
            [interpreter, "-c", TIMED, str(TRIES)],
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=True,
        )
        major, minor, took, own = done.stdout.rstrip("\n").split(" ", 3)
        is_same = (int(major), int(minor)) == sys.version_info[:2]
        return (own, float(took)) if is_same else None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def main() -> None:
    """Time each interpreter a few times in turn, so that all meet the same neighbours."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    folders = [Path(one) for one in os.environ.get("PATH", "").split(os.pathsep) if one]
    found = [str(one / name) for one in folders if os.access(one / name, os.X_OK)]
    least: dict[str, float] = {}
    for _ in range(ROUNDS):
        for one in (sys.executable, *found):
            measured = timed(one)
            if measured is not None:
                path, took = str(Path(measured[0]).resolve()), measured[1]
                least[path] = min(took, least.get(path, took))
    own = str(Path(sys.executable).resolve())
    best = min(least, key=least.__getitem__, default=own)
    is_clear = own not in least or least[best] < CLEARLY * least[own]
    sys.stdout.write(f"{best if is_clear else own}\n")


if __name__ == "__main__":
    main()

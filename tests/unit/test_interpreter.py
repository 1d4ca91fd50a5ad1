"""Which interpreter an environment is made with."""

import subprocess
import sys
from pathlib import Path

import pytest

CHOICE = Path(__file__).parents[2] / ".ci" / "interpreter.py"
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
OWN = str(Path(sys.executable).resolve())

pytestmark = pytest.mark.skipif(not CHOICE.is_file(), reason="this is no checkout of the project")


def chosen(folder: Path, says: str) -> str:
    """Return what is chosen where another interpreter on the path says how fast it is."""
    other = folder / f"python{VERSION}"
    other.write_text(f"#!/bin/sh\n{says}\n")
    other.chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(CHOICE)],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_clearly_faster_build_is_taken(tmp_path: Path) -> None:
    words = VERSION.replace(".", " ")
    assert chosen(tmp_path, f"echo {words} 0.000001 {tmp_path}/fast") == f"{tmp_path}/fast"


@pytest.mark.parametrize(
    "says",
    [
        f"echo {VERSION.replace('.', ' ')} 1000 /slow/python",
        "echo 2 7 0.000001 /old/python",
        "echo what is this",
        "echo it cannot make environments >&2; exit 1",
    ],
)
def test_one_that_is_slower_older_or_broken_is_not(tmp_path: Path, says: str) -> None:
    assert chosen(tmp_path, says) == OWN

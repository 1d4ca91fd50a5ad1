"""An ordinary user takes a copy of the checkout and runs the database there, as that user.

The copy is of the files git tracks. The packages are those of the running interpreter, reached
through an environment of the user's own; the server, its data and its processes are the user's.
"""

import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

USER = "fenqi-visitor"
ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 240

pytestmark = [
    pytest.mark.skipif(
        os.geteuid() != 0,
        reason="only root can act as another user; without root every test here is one already",
    ),
    pytest.mark.skipif(shutil.which("useradd") is None, reason="there is no useradd here"),
    pytest.mark.skipif(
        not (ROOT / ".git").exists() or shutil.which("git") is None,
        reason="this is no git checkout, so which files belong to it is not known",
    ),
]


@pytest.fixture(scope="module")
def visitor() -> pwd.struct_passwd:
    """An ordinary user, made if absent."""
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        command = ["useradd", "--user-group", "--no-create-home", "--shell", "/bin/sh", USER]
        subprocess.run(command, check=True)
        return pwd.getpwnam(USER)


@pytest.fixture(scope="module")
def copy(visitor: pwd.struct_passwd) -> Iterator[Path]:
    """The tracked files and the installed packages, all owned by the visitor."""
    home = Path(tempfile.mkdtemp(prefix="fenqi-visitor-"))
    checkout = home / "fenqi"
    listing = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    tracked = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():  # a file may be deleted and not committed yet
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
    shutil.copytree(sysconfig.get_path("purelib"), home / "packages", symlinks=True)
    for editable in (home / "packages").glob("*fenqi*"):  # the copy is what must run
        shutil.rmtree(editable) if editable.is_dir() else editable.unlink()
    for place in (home, *home.rglob("*")):
        os.chown(place, visitor.pw_uid, visitor.pw_gid, follow_symlinks=False)
    yield checkout
    run(checkout, visitor, "-m", "fenqi", "db", "stop", expected=None)
    shutil.rmtree(home)


def python_for(visitor: pwd.struct_passwd) -> str:
    """Return a Python the visitor can run, of the same version as this one."""
    same = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, os.path.realpath(sys.executable), f"/usr/bin/{same}"):
        command = [candidate, "-c", "import sys; print(sys.version_info[:2])"]
        try:
            found = subprocess.run(
                command,
                user=visitor.pw_uid,
                group=visitor.pw_gid,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        if found.stdout.strip() == str(tuple(sys.version_info[:2])):
            return candidate
    pytest.skip(f"no Python {same} that an ordinary user can run: this one belongs to root")


def run(
    checkout: Path, visitor: pwd.struct_passwd, *arguments: str, expected: int | None = 0
) -> str:
    """Run Python in the copy, truly as the visitor; return what it printed."""
    done = subprocess.run(
        [python_for(visitor), "-s", *arguments],
        user=visitor.pw_uid,
        group=visitor.pw_gid,
        extra_groups=[],
        cwd=checkout,
        env={
            "PATH": os.defpath,
            "HOME": str(checkout.parent),
            "PYTHONPATH": f"{checkout / 'src'}:{checkout.parent / 'packages'}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        umask=0o022,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert expected is None or done.returncode == expected, done.stdout + done.stderr
    return done.stdout


QUERY = """
import fenqi.runtime
with fenqi.runtime.Runtime.open() as runtime, runtime.store.transaction() as session:
    print(session.rows("SELECT current_user, count(*) FROM transfers"))
"""


def test_an_ordinary_user_starts_asks_and_stops_a_database_of_their_own(
    copy: Path, visitor: pwd.struct_passwd
) -> None:
    assert "started" in run(copy, visitor, "-m", "fenqi", "db", "start")
    status = json.loads(run(copy, visitor, "-m", "fenqi", "db", "status", "--json"))
    assert status["is_running"] is True
    assert status["folder"] == str(copy / ".fenqi" / "postgres")
    assert Path(f"/proc/{status['pid']}").stat().st_uid == visitor.pw_uid
    data = (copy / ".fenqi" / "postgres").stat()
    assert (data.st_uid, stat.S_IMODE(data.st_mode)) == (visitor.pw_uid, 0o700)
    assert run(copy, visitor, "-c", QUERY).strip() == "[('fenqi_app', 0)]"
    assert "stopped" in run(copy, visitor, "-m", "fenqi", "db", "stop")
    status = json.loads(run(copy, visitor, "-m", "fenqi", "db", "status", "--json"))
    assert status["is_running"] is False

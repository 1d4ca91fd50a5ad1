"""Agreement with published figures, one plain line per set: `tier NAME: passed N of M`.

Sets are the files of `apr/` in the folder FENQI_VECTORS (by default `../shared/vectors` beside the
checkout), one tier `apr-STEM` each, and the table `published.csv` beside this file, one tier
`table-FAMILY` per family. A case of unknown kind has failed and is named; so is a file that cannot
be read, and a set without a case. The sets about contracts come last (`contracts.py`). What failed
is told first, the lines of all sets come together at the end. Exit code: 0 if every case of these
passed and every set about contracts reached its bar, else 1. An absent folder is said to be
skipped.

Run by `make conformance`; the same cases run one by one under pytest (`test_published.py`).
"""

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
from conformance.outcome import EVERY, Outcome
from conformance.reading import Unreadable, read_object
from conformance.table import read_table
from fenqi.core.errors import FenqiError

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
SETTING = "FENQI_VECTORS"
COMPARING = Context(prec=50)
NUMBER = re.compile(r"-?\d+(\.\d+)?")
FAULTS_OF_INPUT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


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
    return Tier(f"apr-{file.stem}", read_object(file, "cases")[1])


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
    """Print what failed, then one line per set; return the exit code."""
    folder = vectors_folder()
    contract = contracts.report(folder)
    outcomes = [*(outcome_of_tier(tier) for tier in table_tiers()), *rate_outcomes(folder / "apr")]
    outcomes += contract.outcomes
    for outcome in outcomes:
        for line in outcome.explanation:
            _say(line)
    for line in contract.table:
        _say(line)
    if not (folder / "apr").is_dir():
        _say(
            f"skipped: there is no {folder / 'apr'} with published figures; {SETTING} names another"
        )
    for line in contract.skipped:
        _say(line)
    for outcome in outcomes:
        _say(outcome.line)
    return 0 if all(outcome.is_enough for outcome in outcomes) else 1


def rate_outcomes(folder: Path) -> Iterator[Outcome]:
    """Yield the outcome of every file of rates."""
    files = sorted(folder.glob("*.json"))
    if folder.is_dir() and not files:
        yield Outcome("apr-files", 0, 0, (f"  unreadable {folder}: holds no file of cases",), EVERY)
    for file in files:
        try:
            yield outcome_of_tier(read_vectors(file))
        except Unreadable as fault:
            yield Outcome(f"apr-{file.stem}", 0, 0, (f"  unreadable {fault}",), EVERY)


def outcome_of_tier(tier: Tier) -> Outcome:
    """Return the outcome of a tier: every case of it must pass."""
    verdicts = [judge(case, number=number) for number, case in enumerate(tier.cases, start=1)]
    failed = [verdict for verdict in verdicts if verdict.faults]
    details = [f"  failed {one.case}: {fault}" for one in failed for fault in one.faults]
    return Outcome(tier.name, len(verdicts), len(failed), details, EVERY)


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


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())

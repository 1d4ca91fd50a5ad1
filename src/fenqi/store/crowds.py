"""The crowd rule, read from its file: the shipped one, or an operator's own laid over it."""

import tomllib
from functools import cache
from importlib import resources
from pathlib import Path

from fenqi.core.risk.crowd import CrowdRule, CrowdRuleInvalid

FOLDER = "crowds"
FILE = "shipped.toml"
SHIPPED = Path(str(resources.files("fenqi"))) / "data" / FOLDER / FILE


@cache
def shipped() -> CrowdRule:
    """Return the shipped rule."""
    return read(SHIPPED)


def own(folder: Path | None) -> CrowdRule:
    """Return the rule in an operator's folder, or the shipped one. Errors: CrowdRuleInvalid."""
    file = folder / FOLDER / FILE if folder is not None else SHIPPED
    return read(file) if file.is_file() else shipped()


def read(file: Path) -> CrowdRule:
    """Return the rule of a file. Errors: CrowdRuleInvalid, naming the file."""
    try:
        return CrowdRule.read(tomllib.loads(file.read_text(encoding="utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        problem = {"field": "text", "value": str(fault), "expected": "TOML in UTF-8"}
        raise CrowdRuleInvalid(file=str(file), **problem) from fault
    except CrowdRuleInvalid as fault:
        raise CrowdRuleInvalid(file=str(file), **fault.fields) from fault

"""The crowd rule, read from its file: the shipped one, or an operator's own laid over it."""

from functools import cache
from importlib import resources
from pathlib import Path

from fenqi.core.risk.crowd import CrowdRule, CrowdRuleInvalid
from fenqi.core.values.place import key_place
from fenqi.store.catalogue import parse, read_text

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
    """Return the rule of a file. Errors: FileUnreadable, CrowdRuleInvalid, naming the place."""
    table = parse(file)
    try:
        return CrowdRule.read(table)
    except CrowdRuleInvalid as fault:
        place = key_place(read_text(file), str(fault.fields["field"]))
        raise CrowdRuleInvalid(file=str(file), **place, **fault.fields) from fault

"""Products, packs and conducts: shipped as TOML files, kept in the database as versions.

A version once installed never changes; a changed file must carry a new version number. An
operator's own folder (`FENQI_CATALOGUE`) lies over the shipped one, file by file.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from fenqi.core.errors import Conflict, Invalid, Missing
from fenqi.core.risk.conduct import Conduct
from fenqi.core.terms.pack import CapBroken, Pack, check_product
from fenqi.core.terms.product import Product
from fenqi.core.terms.reading import NO_SUCH_FIELD
from fenqi.core.values.phrase import Phrase
from fenqi.core.values.place import Place, key_place
from fenqi.core.values.toml import NotToml, table_of

if TYPE_CHECKING:  # the files are read where no database is, without its driver
    from fenqi.store.pool import Session

CONDUCT = "standard"  # the one every book follows
SHIPPED = Path(str(resources.files("fenqi"))) / "data"
FOLDERS = {"product": "products", "pack": "packs", "conduct": "conduct"}
OTHER_FOLDERS = ("policies", "crowds")  # of an operator's folder, read by those modules
FILE_BYTES_MAX = 1 << 20
CAPPED_FIELDS = {  # what a cap other than the yearly one is about, and the key that sets it
    "late_rate_ppm_per_day": "late_charge.rate_ppm_per_day",
    "late_cap_ppm": "late_charge.cap_ppm",
    "late_grace_days": "late_charge.grace_days",
    "deferral_cost_ppm": "customer.deferral_cost_ppm",
    "extension_cost_ppm_per_period": "customer.extension_cost_ppm_per_period",
}


TOO_LARGE = Phrase("it is larger than {most} bytes", most=FILE_BYTES_MAX)


class FileUnreadable(Invalid):
    """A catalogue file is no TOML, or its table is refused; names the file and the place."""

    code = "catalogue-file-unreadable"


class FolderMissing(Invalid):
    """The operator's folder is not there, or has no folder of ours in it."""

    code = "catalogue-folder-missing"


class Twice(Invalid):
    """Two files say they are the same version of the same thing."""

    code = "catalogue-twice"


class VersionChanged(Conflict):
    """A file's content changed but its version number did not."""

    code = "catalogue-version-changed"


class ProductMissing(Missing):
    """No such product, or not in that number of instalments."""

    code = "product-missing"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every version of every product and pack, and the newest version of each name."""

    products: Mapping[tuple[str, int], Product]
    packs: Mapping[tuple[str, int], Pack]
    conducts: Mapping[tuple[str, int], Conduct] = field(default_factory=dict)
    _newest: dict[str, Product] = field(default_factory=dict, repr=False, compare=False)

    def product(self, name: str) -> Product:
        """Return the newest version of a product. Errors: ProductMissing."""
        if name not in self._newest:
            versions = [version for known, version in self.products if known == name]
            if not versions:
                known_names = sorted({known for known, _ in self.products})
                raise ProductMissing(product=name, known=known_names)
            self._newest[name] = self.products[name, max(versions)]
        return self._newest[name]

    def sold(self) -> dict[str, tuple[int, ...]]:
        """Return every product's name with the numbers of instalments it may be taken in now."""
        names = sorted({name for name, _ in self.products})
        return {name: self.product(name).counts for name in names}

    def conduct(self, name: str = CONDUCT) -> Conduct:
        """Return the newest version of a conduct. Errors: Missing."""
        versions = [version for known, version in self.conducts if known == name]
        if not versions:
            raise Missing(conduct=name, known=sorted({known for known, _ in self.conducts}))
        return self.conducts[name, max(versions)]

    def graded(self) -> tuple[frozenset[str], ...]:
        """Return the products that each grade of price is offered now, from grade 0 on.

        Errors: Missing.
        """
        conduct, names = self.conduct(), self.sold().keys()
        return tuple(conduct.offered(names, grade) for grade in range(len(conduct.grades)))

    def newest_packs(self) -> list[Pack]:
        """Return the newest version of every pack."""
        return [self.pack(name) for name in sorted({known for known, _ in self.packs})]

    def hold_hours_max(self) -> int | None:
        """Return how many hours a protective hold may last under every pack, None without one."""
        return min((one.protective_hold_hours_max for one in self.newest_packs()), default=None)

    def pack(self, name: str) -> Pack:
        """Return the newest version of a pack. Errors: Missing."""
        versions = [version for known, version in self.packs if known == name]
        if not versions:
            raise Missing(pack=name, known=sorted({known for known, _ in self.packs}))
        return self.packs[name, max(versions)]


def read_files(own: Path | None = None) -> dict[tuple[str, str], dict[str, object]]:
    """Return the parsed tables by (kind, file name), an operator's own files over the shipped.

    Errors: FileUnreadable naming the file, line and column.
    """
    return {key: table for key, (table, _) in _read(own).items()}


def from_files(own: Path | None = None) -> Catalogue:
    """Return the catalogue of the files alone, each product checked against each pack.

    Errors: FolderMissing, FileUnreadable, Twice; CapBroken, all of them naming the file.
    """
    read = sorted(_read(own).items())
    return _build([(kind, table, str(path)) for (kind, _), (table, path) in read])


def _read(own: Path | None) -> dict[tuple[str, str], tuple[dict[str, object], Path]]:
    """Return table and place of each file by kind and name."""
    if own is not None and not any(
        (own / folder).is_dir() for folder in (*FOLDERS.values(), *OTHER_FOLDERS)
    ):
        raise FolderMissing(setting="FENQI_CATALOGUE", folder=str(own))
    tables: dict[tuple[str, str], tuple[dict[str, object], Path]] = {}
    for root in (SHIPPED, own):
        if root is None:
            continue
        for kind, folder in FOLDERS.items():
            for file in sorted((root / folder).glob("*.toml")):
                tables[kind, file.name] = parse(file), file
    return tables


def read_text(file: Path) -> str:
    """Return the text of a person's file, of a size a person writes. Errors: FileUnreadable."""
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise FileUnreadable(file=str(file), fault=TOO_LARGE)
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as fault:
        raise FileUnreadable(file=str(file), fault="it is not written in UTF-8") from fault
    except OSError as fault:
        raise FileUnreadable(file=str(file), fault=fault.strerror) from fault


def parse(file: Path) -> dict[str, object]:
    """Return the table of a person's file. Errors: FileUnreadable, with line and column."""
    text = read_text(file)
    try:
        return table_of(text)
    except NotToml as fault:
        said = Phrase("this is no TOML: {said}", said=fault.said)
        raise FileUnreadable(file=str(file), fault=said, **fault.place) from fault


def _place_of(file: str, field: str) -> Place:
    """Return where a file sets a field, if it is a file; what the database keeps has no place."""
    with suppress(OSError, UnicodeDecodeError):
        return key_place(Path(file).read_text(encoding="utf-8-sig"), field)
    return {}


def _refusal_of(file: str, table: Mapping[str, object], refusal: Invalid) -> FileUnreadable:
    """Return a refused table's error with the file, the place, and the key that was meant."""
    field, value = str(refusal.fields.get("field")), refusal.fields.get("value")
    expected = refusal.fields.get("expected")
    told = {"field": field, "value": value, "expected": expected}
    fault = Phrase("{field} is {value}; it must be {expected}", **told)
    if expected == NO_SUCH_FIELD:
        fault = Phrase("{field} is no key that is known here; take it away", field=field)
    parent, _, name = field.rpartition(".")
    within = table.get(parent) if parent else table
    keys = [str(key) for key in within] if isinstance(within, Mapping) else []
    close = [] if name in keys else get_close_matches(name, keys, n=1)
    if close:
        field = f"{parent}.{close[0]}".lstrip(".")
        fault = Phrase("{fault} (is {meant} meant?)", fault=fault, meant=close[0])
    return FileUnreadable(file=file, fault=fault, **_place_of(file, field))


def _with_place(file: str, product: Product, refusal: CapBroken) -> CapBroken:
    rate = "fee_ppm_per_period" if product.fee_ppm_per_period else "interest_ppm_per_year"
    known = {name: value for name, value in refusal.fields.items() if value is not None}
    field = CAPPED_FIELDS.get(str(refusal.fields["what"]), rate)
    return CapBroken(file=file, **_place_of(file, field), **known)


def _build(tables: list[tuple[str, dict[str, object], str]]) -> Catalogue:
    products: dict[tuple[str, int], Product] = {}
    packs: dict[tuple[str, int], Pack] = {}
    conducts: dict[tuple[str, int], Conduct] = {}
    files: dict[tuple[str, str, int], str] = {}
    for kind, table, file in tables:
        try:
            if kind == "product":
                product = Product.read(table)
                products[product.product_id, product.version] = product
                named = (kind, product.product_id, product.version)
            elif kind == "conduct":
                conduct = Conduct.read(table)
                conducts[conduct.conduct_id, conduct.version] = conduct
                named = (kind, conduct.conduct_id, conduct.version)
            else:
                pack = Pack.read(table)
                packs[pack.pack_id, pack.version] = pack
                named = (kind, pack.pack_id, pack.version)
        except Invalid as refusal:
            raise _refusal_of(file, table, refusal) from refusal
        if named in files:
            raise Twice(file=file, other=files[named], kind=kind, name=named[1], version=named[2])
        files[named] = file
    for (name, version), product in products.items():
        for pack in packs.values():
            try:
                check_product(product, pack)
            except CapBroken as refusal:
                raise _with_place(files["product", name, version], product, refusal) from refusal
    _check_grades(conducts, products, files)
    return Catalogue(products, packs, conducts)


def _check_grades(
    conducts: Mapping[tuple[str, int], Conduct],
    products: Mapping[tuple[str, int], Product],
    files: Mapping[tuple[str, str, int], str],
) -> None:
    """Refuse a grade of price that offers a product nobody has. Errors: FileUnreadable."""
    known = {name for name, _ in products}
    for (name, version), conduct in conducts.items():
        for number, grade in enumerate(conduct.grades):
            strange = sorted(grade.products - known)
            if strange and products:
                file = files["conduct", name, version]
                fault = f"price.grade.{number} offers {strange[0]}, which is no product"
                raise FileUnreadable(file=file, fault=fault)


KNOWN = """
SELECT body_sha256 FROM catalogue
WHERE kind = %(kind)s AND name = %(name)s AND version = %(version)s
"""
ADD = """
INSERT INTO catalogue
    (kind, name, version, body, body_sha256, author, adopted_by, adopted_at)
VALUES
    (%(kind)s, %(name)s, %(version)s, %(body)s, %(sha)s, 'shipped', 'operator', %(now)s)
"""


def install(session: "Session", now: datetime, own: Path | None = None) -> None:
    """Add the files' versions to the database; what is there already must be the same.

    Errors: FileUnreadable, VersionChanged.
    """
    from_files(own)  # refuse the whole lot before adding any
    for (kind, file), table in sorted(read_files(own).items()):
        body = json.dumps(table, sort_keys=True, ensure_ascii=False)
        entry = {
            "kind": kind,
            "name": table["id"],
            "version": table["version"],
            "body": body,
            "sha": hashlib.sha256(body.encode()).hexdigest(),
            "now": now,
        }
        known = session.rows(KNOWN, entry)
        if not known:
            session.run(ADD, entry)
        elif known[0][0] != entry["sha"]:
            raise VersionChanged(file=file, version=table["version"])


ALL = """
SELECT kind, body, name FROM catalogue WHERE kind IN ('product', 'pack', 'conduct') LIMIT 10000
"""


def load(session: "Session") -> Catalogue:
    """Return every installed version."""
    return _build([(kind, body, name) for kind, body, name in session.rows(ALL)])

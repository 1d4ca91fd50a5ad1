"""`fenqi apply` and `fenqi application`: from the wish for credit to the signed agreement."""

import json
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer
from rich.console import Console

from fenqi.cli.errors import tell_of
from fenqi.core.errors import FenqiError, Invalid
from fenqi.core.risk.identity import Identifier as Kind
from fenqi.core.risk.identity import Sealer
from fenqi.core.values.ids import AccountId
from fenqi.core.values.place import fault_place
from fenqi.flows.apply import Apply, ConsentGiven, Identifier, apply
from fenqi.flows.readmit import Readmit, readmit
from fenqi.flows.resolve import Resolve, resolve
from fenqi.flows.sign import Sign, sign
from fenqi.lines import open_bureau
from fenqi.machine import Config, speaks_chinese
from fenqi.report.application import Shown, shown
from fenqi.report.application import parked as parked_ones
from fenqi.runtime import Runtime
from fenqi.worker.admit import admit

IDENTIFIERS = ("phone", "device", "card")
PLAIN = {  # what is taken as it stands, and of which type
    "legal_name": str,
    "asked_minor": int,
    "income_declared_minor": int,
    "income_evidenced_minor": int,
    "evidence": str,
    "obligations_minor": int,
    "is_student": bool,
    "statement_day": int,
}
NEEDED = ("person", "legal_name", "born_on", "asked_minor", "income_declared_minor", "consents")
FIELDS = frozenset({*PLAIN, *NEEDED, *IDENTIFIERS, "national_id"})
JSON_HELP = "Print JSON for programs."
OfApplication = Annotated[UUID, typer.Argument(help="The id that `fenqi apply` printed.")]
AsJson = Annotated[bool, typer.Option("--json", help=JSON_HELP)]


class ApplicationUnreadable(Invalid):
    """A file of `fenqi apply` cannot be read; names the file and the field or place."""

    code = "application-unreadable"


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the program."""
    app.command("apply")(apply_for)
    group = typer.Typer(no_args_is_help=True, help="Applications: show, sign, decide in person.")
    group.command("show")(show)
    group.command("sign")(sign_offer)
    group.command("resolve")(resolve_one)
    group.command("parked")(parked)
    group.command("retry")(retry)
    app.add_typer(group, name="application")


def apply_for(
    file: Annotated[Path, typer.Argument(help="What the person says, as TOML.")],
    book_id: Annotated[str, typer.Option("--book", help="In which book.")],
    is_checked: Annotated[
        bool, typer.Option("--checked", help="A second factor showed who applies.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Apply for an account: take in FILE, ask the bureau if there is one, tell the decision."""
    table = _read(file)
    config = Config.from_environment()
    with Runtime.open(config, stop_after=True) as runtime, open_bureau(config) as bureau:
        tell_of(runtime.others)
        command = _command(file, table, book_id, runtime.sealer(), is_checked=is_checked)
        received = _done(apply(runtime.ground, [command])[0])
        done: dict[str, object] = {"": None}
        budget = config.bureau_budget_minor
        while done and received.application_id not in done:  # those who applied before come first
            done = {**admit(runtime.ground, bureau, budget_minor=budget)}
        _tell(shown(runtime.store, UUID(received.application_id), _language()), as_json=as_json)


def show(application: OfApplication, as_json: AsJson = False) -> None:
    """Tell where an application stands, and why."""
    with Runtime.open(stop_after=True) as runtime:
        _tell(shown(runtime.store, application, _language()), as_json=as_json)


def sign_offer(
    application: OfApplication,
    costs: Annotated[str, typer.Option("--costs", help="The digest of the costs that were shown.")],
    is_checked: Annotated[
        bool, typer.Option("--checked", help="A second factor showed who signs.")
    ] = False,
) -> None:
    """Sign the offered agreement; the account opens."""
    with Runtime.open(stop_after=True) as runtime:
        tell_of(runtime.others)
        command = Sign(
            scope_id=str(application),
            key="sign",
            account_id=AccountId(application),
            cost_table=costs,
            is_stepped_up=is_checked,
        )
        signed = _done(sign(runtime.ground, [command])[0])
    Console(highlight=False).print(
        f"The account {signed.account_id} is open, with a limit of {signed.limit_minor:,} minor "
        "units."
    )


def resolve_one(
    application: OfApplication,
    by: Annotated[str, typer.Option("--by", help="Who decides.")],
    limit_minor: Annotated[
        int | None, typer.Option("--limit", help="Offer this limit; without it, decline.")
    ] = None,
    reasons: Annotated[
        list[str] | None, typer.Option("--reason", help="Why, 1 to 4 times to decline.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Decide an application that waits for a person."""
    with Runtime.open(stop_after=True) as runtime:
        tell_of(runtime.others)
        command = Resolve(
            scope_id=str(application),
            key="resolve",
            actor=by,
            account_id=AccountId(application),
            limit_minor=limit_minor,
            reasons=tuple(reasons or ()),
        )
        _done(resolve(runtime.ground, [command])[0])
        _tell(shown(runtime.store, application, _language()), as_json=as_json)


def parked(as_json: AsJson = False) -> None:
    """List the applications that could not be decided and why; nobody tries them any more."""
    with Runtime.open(stop_after=True) as runtime:
        found = parked_ones(runtime.store)
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in found], default=str, indent=2))
        return
    console = Console(highlight=False)
    if not found:
        console.print("No application is parked.")
    for one in found:
        console.print(
            f"{one.account_id}  received {one.received_at:%Y-%m-%d %H:%M}, book {one.book_id}"
        )
        console.print(
            f"  parked {one.parked_at:%Y-%m-%d %H:%M} after {one.failures} tries: {one.fault}",
            markup=False,
        )
        console.print(f"  once that is mended: fenqi application retry {one.account_id} --by YOU")


def retry(
    application: OfApplication,
    by: Annotated[str, typer.Option("--by", help="Who looked at it.")],
) -> None:
    """Let a parked application be tried again, once what went wrong is mended."""
    with Runtime.open(stop_after=True) as runtime:
        tell_of(runtime.others)
        command = Readmit(
            scope_id=str(application),
            key=f"cli-{runtime.ids.new()}",
            actor=by,
            account_id=AccountId(application),
        )
        _done(readmit(runtime.ground, [command])[0])
    Console(highlight=False).print(f"The application {application} waits for its turn again.")


def _done(answer: Any) -> Any:
    if isinstance(answer, FenqiError):
        raise answer
    return answer


def _language() -> str:
    return "zh" if speaks_chinese() else "en"


def _read(file: Path) -> dict[str, Any]:
    """Return a file's table. Errors: ApplicationUnreadable."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        return tomllib.loads(text)
    except UnicodeDecodeError as fault:
        raise ApplicationUnreadable(file=str(file), fault="it is not written in UTF-8") from fault
    except OSError as fault:
        raise ApplicationUnreadable(file=str(file), fault=fault.strerror) from fault
    except tomllib.TOMLDecodeError as fault:
        place = fault_place(str(fault), text)
        problem = f"this is no TOML, {fault}"
        raise ApplicationUnreadable(file=str(file), fault=problem, **place) from fault


def _command(
    file: Path, table: Mapping[str, Any], book_id: str, sealer: Sealer, *, is_checked: bool
) -> Apply:
    """Return the command of a table; what could be guessed is sealed here. Its key is given or new.

    Errors: ApplicationUnreadable, IdentityInvalid.
    """
    for name in sorted(set(table) - FIELDS - {"key"}):
        raise _fault(file, name, "a field there is: " + ", ".join(sorted(FIELDS)))
    for name in NEEDED:
        if name not in table:
            raise _fault(file, name, "given")
    for name, kind in PLAIN.items():
        if name in table and type(table[name]) is not kind:
            raise _fault(file, name, f"a value of type {kind.__name__}")
    texts = ("person", "national_id", "key", *IDENTIFIERS)
    for name in texts:
        if name in table and not isinstance(table[name], str):
            raise _fault(file, name, "a text")
    if type(table["born_on"]) is not date:
        raise _fault(file, "born_on", "a day such as 1995-06-01")
    marks = tuple(
        Identifier(kind=name, hash=sealer.seal(Kind(name), table[name]))
        for name in IDENTIFIERS
        if name in table
    )
    national_id = table.get("national_id")
    return Apply(
        scope_kind="book",
        scope_id=book_id,
        key=table.get("key") or str(uuid4()),
        actor="operator",
        book_id=book_id,
        person_reference=table["person"],
        born_on=table["born_on"],
        national_id=None if national_id is None else sealer.national_id(national_id),
        identifiers=marks,
        consents=_consents(file, table["consents"]),
        is_stepped_up=is_checked,
        **{name: table[name] for name in PLAIN if name in table},
    )


def _consents(file: Path, table: object) -> tuple[ConsentGiven, ...]:
    """Return the consents of a table: class = { stated_at, text_sha256 }."""
    expected = "a table of classes, each with stated_at and text_sha256"
    if not isinstance(table, dict):
        raise _fault(file, "consents", expected)
    given = []
    for name, one in table.items():
        if not isinstance(one, dict) or set(one) != {"stated_at", "text_sha256"}:
            raise _fault(file, f"consents.{name}", expected)
        at, text = one["stated_at"], one["text_sha256"]
        if not isinstance(at, datetime) or not isinstance(text, str):
            raise _fault(file, f"consents.{name}", "an instant, and the sha256 of a text")
        given.append(ConsentGiven(data_class=name, stated_at=at, text_sha256=text))
    return tuple(given)


def _fault(file: Path, field: str, expected: str) -> ApplicationUnreadable:
    return ApplicationUnreadable(file=str(file), field=field, expected=expected)


def _tell(one: Shown, *, as_json: bool) -> None:
    if as_json:
        names = one.__dataclass_fields__
        table = {name: getattr(one, name) for name in names}
        typer.echo(json.dumps(table, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False)
    console.print(f"application {one.application_id}: {one.state}")
    for text in one.texts:
        console.print(f"  - {text}")
    if one.state != "offered":
        return
    console.print(f"  limit {one.limit_minor:,} minor units, to be signed by {one.offer_ends_on}")
    console.print("  costs, nothing else is ever charged:")
    for line, rate_ppm, period in one.costs:
        console.print(f"    {line:12} up to {rate_ppm:>9,} ppm per {period}")
    check = " --checked" if one.needs_step_up else ""
    console.print(
        f"  sign with: fenqi application sign {one.application_id} --costs {one.cost_table}{check}"
    )

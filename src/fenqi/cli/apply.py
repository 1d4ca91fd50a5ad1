"""`fenqi apply` and `fenqi application`: from the wish for credit to the signed agreement."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer
from rich.console import Console

from fenqi.cli import answers
from fenqi.cli.errors import tell_of
from fenqi.cli.language import preferred_language, say
from fenqi.cli.sending import send
from fenqi.core.errors import Invalid
from fenqi.core.risk.identity import Identifier as Kind
from fenqi.core.risk.identity import IdentityInvalid, Sealer
from fenqi.core.values.ids import AccountId
from fenqi.core.values.phrase import Phrase
from fenqi.core.values.place import key_place
from fenqi.core.values.toml import NotToml, table_of
from fenqi.flows.apply import ApplicationInvalid, Apply, ConsentGiven, Identifier, apply
from fenqi.flows.readmit import Readmit, readmit
from fenqi.flows.resolve import Resolve, resolve
from fenqi.flows.sign import Sign, sign
from fenqi.lines import open_bureau
from fenqi.machine import Config, speaks_chinese
from fenqi.report import application as telling
from fenqi.report.application import Shown, shown
from fenqi.report.application import parked as parked_ones
from fenqi.runtime import Runtime
from fenqi.worker.admit import admit

IDENTIFIERS = ("phone", "device", "card")
FILE_BYTES_MAX = 1 << 20
KINDS = {
    str: Phrase("a text in quotes"),
    int: Phrase("a whole number, without quotes"),
    bool: Phrase("true or false"),
}
AS_IN_THE_FILE = {"person_reference": "person"}  # what the flow names otherwise
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
REPEATED = frozenset({*PLAIN, "consents", "key"} - {"legal_name"})  # what names nobody
NEEDED = ("person", "legal_name", "born_on", "asked_minor", "income_declared_minor", "consents")
TEXTS = ("person", "national_id", "key", *IDENTIFIERS)
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
    form = Form.read(file)
    config = Config.from_environment()
    with Runtime.open(config, stop_after=True) as runtime, open_bureau(config) as bureau:
        tell_of(runtime.others)
        command = form.command(book_id, runtime.sealer(), is_checked=is_checked)
        try:
            received = send(runtime, apply, command)
        except ApplicationInvalid as refusal:
            raise form.placed(refusal) from refusal
        done: dict[str, object] = {"": None}
        budget = config.bureau_budget_minor
        while done and received.application_id not in done:  # those who applied before come first
            done = {**admit(runtime.ground, bureau, budget_minor=budget)}
        _tell(shown(runtime.ground, UUID(received.application_id), _language()), as_json=as_json)


def show(application: OfApplication, as_json: AsJson = False) -> None:
    """Tell where an application stands, and why."""
    with Runtime.open(stop_after=True) as runtime:
        _tell(shown(runtime.ground, application, _language()), as_json=as_json)


def sign_offer(
    application: OfApplication,
    costs: Annotated[str, typer.Option("--costs", help="The digest of the costs that were shown.")],
    is_checked: Annotated[
        bool, typer.Option("--checked", help="A second factor showed who signs.")
    ] = False,
    as_json: AsJson = False,
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
        send(runtime, sign, command)
        _tell(shown(runtime.ground, application, _language()), as_json=as_json)


def resolve_one(
    application: OfApplication,
    by: Annotated[str, typer.Option("--by", help="Who decides.")],
    limit_minor: Annotated[
        int | None,
        typer.Option(
            "--limit",
            help="Offer this limit, in minor units (300000 is 3,000.00 CNY); else decline.",
        ),
    ] = None,
    reasons: Annotated[
        list[str] | None,
        typer.Option("--reason", help="Why, by its code; 1 to 4 times to decline."),
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
        send(runtime, resolve, command)
        _tell(shown(runtime.ground, application, _language()), as_json=as_json)


def parked(as_json: AsJson = False) -> None:
    """List the applications that could not be decided and why; nobody tries them any more."""
    with Runtime.open(stop_after=True) as runtime:
        found = parked_ones(runtime.store)
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in found], default=str, indent=2))
        return
    console = Console(highlight=False, markup=False)
    if not found:
        console.print(say(answers.NONE_PARKED))
    for one in found:
        about = {"application": one.account_id, "at": f"{one.received_at:%Y-%m-%d %H:%M}"}
        console.print(say(answers.RECEIVED, book=one.book_id, **about), soft_wrap=True)
        parked_at = f"{one.parked_at:%Y-%m-%d %H:%M}"
        console.print(say(answers.PARKED, at=parked_at, count=one.failures, fault=one.fault))
        console.print(say(answers.TO_RETRY, application=one.account_id), soft_wrap=True)


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
        send(runtime, readmit, command)
    console = Console(highlight=False, markup=False)
    console.print(say(answers.WAITS_AGAIN, application=application), soft_wrap=True)


def _language() -> str:
    return "zh" if speaks_chinese() else "en"


@dataclass(frozen=True, slots=True)
class Form:
    """What a person says, as a file says it: its text tells where something stands.

    Errors: ApplicationUnreadable with file, line and column, of every method.
    """

    file: Path
    text: str
    table: Mapping[str, Any]

    @classmethod
    def read(cls, file: Path) -> "Form":
        """Return a file's form, not looked at yet."""
        try:
            with file.open("rb") as opened:
                content = opened.read(FILE_BYTES_MAX + 1)
            text = content.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as fault:
            raise ApplicationUnreadable(
                file=str(file), fault="it is not written in UTF-8"
            ) from fault
        except OSError as fault:
            raise ApplicationUnreadable(file=str(file), fault=fault.strerror) from fault
        if len(content) > FILE_BYTES_MAX:
            problem = Phrase("it is larger than {most} bytes", most=FILE_BYTES_MAX)
            raise ApplicationUnreadable(file=str(file), fault=problem)
        try:
            return cls(file, text, table_of(text))
        except NotToml as fault:
            problem = Phrase("this is no TOML: {said}", said=fault.said)
            raise ApplicationUnreadable(file=str(file), fault=problem, **fault.place) from fault

    def command(self, book_id: str, sealer: Sealer, *, is_checked: bool) -> Apply:
        """Return the command; what could be guessed is sealed here. Its key is given or new."""
        self._check()
        table = self.table
        marks = tuple(
            Identifier(kind=name, hash=self._sealed(name, partial(sealer.seal, Kind(name))))
            for name in IDENTIFIERS
            if name in table
        )
        is_named = "national_id" in table
        return Apply(
            scope_kind="book",
            scope_id=book_id,
            key=table.get("key", str(uuid4())),
            actor="operator",
            book_id=book_id,
            person_reference=table["person"],
            born_on=table["born_on"],
            national_id=self._sealed("national_id", sealer.national_id) if is_named else None,
            identifiers=marks,
            consents=self._consents(),
            is_stepped_up=is_checked,
            **{name: table[name] for name in PLAIN if name in table},
        )

    def placed(self, refusal: ApplicationInvalid) -> ApplicationUnreadable:
        """Return a refusal of the flow with the place of what it is about."""
        field, expected = str(refusal.fields["field"]), refusal.fields["expected"]
        return self._fault(AS_IN_THE_FILE.get(field, field), expected)

    def _check(self) -> None:
        for name in sorted(set(self.table) - FIELDS - {"key"}):
            close = get_close_matches(name, FIELDS, n=1)
            known = ", ".join(sorted(FIELDS))
            wanted = Phrase("one of the fields there are")
            if close:
                wanted = Phrase("{fault} (is {meant} meant?)", fault=wanted, meant=close[0])
            raise self._fault(name, Phrase("{wanted}: {known}", wanted=wanted, known=known))
        for name in NEEDED:
            if name not in self.table:
                raise self._fault(name, Phrase("given"))
        for name, kind in (PLAIN | dict.fromkeys(TEXTS, str)).items():
            if name in self.table and type(self.table[name]) is not kind:
                raise self._fault(name, KINDS[kind])
        if type(self.table["born_on"]) is not date:
            raise self._fault("born_on", Phrase("a day such as 1995-06-01, without quotes"))

    def _sealed(self, name: str, seal: Callable[[str], str]) -> str:
        try:
            return seal(self.table[name])
        except IdentityInvalid as refusal:
            raise self._fault(name, refusal.fields["expected"]) from refusal

    def _consents(self) -> tuple[ConsentGiven, ...]:
        """Return the consents of a table: class = { stated_at, text_sha256 }."""
        expected = Phrase("a table of classes, each with stated_at and text_sha256")
        table = self.table["consents"]
        if not isinstance(table, dict):
            raise self._fault("consents", expected)
        given = []
        for name, one in table.items():
            if not isinstance(one, dict) or set(one) != {"stated_at", "text_sha256"}:
                raise self._fault(f"consents.{name}", expected)
            at, text = one["stated_at"], one["text_sha256"]
            if not isinstance(at, datetime) or not isinstance(text, str):
                wanted = Phrase("an instant, and the sha256 of a text")
                raise self._fault(f"consents.{name}", wanted)
            given.append(ConsentGiven(data_class=name, stated_at=at, text_sha256=text))
        return tuple(given)

    def _fault(self, field: str, expected: object) -> ApplicationUnreadable:
        """Return a refusal of a field; what could tell who applies is not repeated."""
        place = key_place(self.text, field)
        told: dict[str, object] = {"field": field, "expected": expected}
        value = self.table.get(field)
        if value is not None and field in REPEATED:
            told["value"] = f'"{value}"' if isinstance(value, str) else str(value).lower()
        return ApplicationUnreadable(file=str(self.file), **place, **told)


def _tell(one: Shown, *, as_json: bool) -> None:
    if as_json:
        names = one.__dataclass_fields__
        table = {name: getattr(one, name) for name in names}
        typer.echo(json.dumps(table, ensure_ascii=False, indent=2))
        return
    telling.show(one, Console(highlight=False, markup=False), preferred_language())

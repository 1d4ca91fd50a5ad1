"""Cases, told in a terminal: the queue, and one case with its evidence and history."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.text import Text

from fenqi.core.ports import Clock
from fenqi.core.values.money import Currency, currency
from fenqi.report.book import refuse_none
from fenqi.report.folding import FoldingTable
from fenqi.report.ink import BAD, BRAND, GOLD, money_text
from fenqi.report.language import Speech
from fenqi.report.listing import listing
from fenqi.report.names import label, pair, sense, subject, together, word
from fenqi.store import accounts, case_records
from fenqi.store.case_records import Line, Measure, Story, Wanted
from fenqi.store.pool import Store

URGENCY = {1: BAD, 2: GOLD, 3: BRAND, 4: "dim"}
SHOWN_MAX = 40  # accounts of a case in a terminal; `--json` has all
WIDE = 130  # columns of a terminal in which a case fits on one line
ID_CHARS = 36
HOUR = timedelta(hours=1)
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*")


def listed(
    store: Store,
    clock: Clock,
    *,
    assignee: str | None = None,
    account_id: UUID | None = None,
    with_closed: bool = False,
    most: int,
    before: UUID | None = None,
) -> list[Line]:
    """Return the queue, what is most urgent first; closed cases only `with_closed`.

    The next page goes on after the last case of this one (`before`).

    Errors: BookUnclear without a book; AccountMissing; CaseMissing if nobody knows `before`.
    """
    wanted = Wanted(assignee, account_id, with_closed, most, before)
    with store.transaction() as session:
        refuse_none(session)
        if account_id is not None:
            accounts.refuse_unknown(session, account_id, but_applied=True)
        return case_records.queue(session, wanted, clock.now())


def read(store: Store, clock: Clock, case_id: UUID) -> Story:
    """Return one case with all that belongs to it. Errors: CaseMissing."""
    with store.transaction() as session:
        return case_records.read(session, case_id, clock.now())


def to_json(told: Story | Sequence[Line]) -> str:
    """Return a case or the queue for programs."""
    plain = asdict(told) if isinstance(told, Story) else [asdict(one) for one in told]
    return json.dumps(plain, default=str, ensure_ascii=False, indent=1)


def show_list(lines: Sequence[Line], clock: Clock, console: Console, speech: Speech) -> None:
    """Print the queue: two lines a case where the terminal is narrow. Ids are never cut."""
    _ = speech.gettext
    if not lines:
        console.print(_("No case waits."))
        return
    priority, accounts_, held = _("Priority"), _("Accounts"), _("Held")
    due, who, outcome = _("Due"), _("With"), _("Outcome")
    is_wide = console.width >= WIDE
    table = FoldingTable(box=SIMPLE_HEAD, header_style="dim")
    table.add_column(priority if is_wide else "")
    case = _("Case") if is_wide else f"{_('Case')}\n{_('What')}"
    table.add_column(case, overflow="fold", min_width=ID_CHARS, no_wrap=is_wide)
    if is_wide:
        table.add_column(_("What"), overflow="fold")
    for one, other in ((accounts_, held), (due, who)):
        for head in (one, other) if is_wide else (f"{one}\n{other}",):
            table.add_column(head, justify="right" if one == accounts_ else "left")
    table.add_column(outcome, overflow="fold")
    for line in lines:
        what, left = (
            pair(word(line.kind, speech), subject(line.subject, speech), speech),
            _due(line, clock.now(), speech),
        )
        with_ = line.assignee or "-"
        ended = word(line.outcome, speech) if line.outcome else _("open")
        counts = str(line.accounts), str(line.running)
        urgency = Text(str(line.priority), style=URGENCY[line.priority])
        if is_wide:
            table.add_row(urgency, str(line.case_id), what, *counts, left, with_, ended)
        else:
            first, second = f"{line.case_id}\n{what}", "\n".join(counts)
            table.add_row(urgency, first, second, left.append(f"\n{with_}"), ended)
    console.print(table)


def show(story: Story, clock: Clock, console: Console, speech: Speech) -> None:
    """Print one case: what is known, who is held, who did what."""
    _, line = speech.gettext, story.line
    console.print(
        Text.assemble(
            (pair(word(line.kind, speech), subject(line.subject, speech), speech), "bold"),
            f"  {line.case_id}",
        )
    )
    outcome = _("open")
    if line.outcome:
        named = {"outcome": word(line.outcome, speech), "person": story.closed_by}
        outcome = _("%(outcome)s (by %(person)s)") % named
    said = speech.fill(
        _("priority %(priority)s, %(outcome)s, with %(person)s, due "),
        priority=line.priority,
        outcome=outcome,
        person=line.assignee or _("nobody"),
    )
    console.print(said, _due(line, clock.now(), speech), end="\n", sep="")
    if story.about_case_id is not None:
        console.print(_("an appeal against %(case)s") % {"case": story.about_case_id})
    if story.decision_id is not None:
        console.print(_("from the decision %(decision)s") % {"decision": story.decision_id})
    _show_accounts(story, console, speech)
    for sentence in _stated(story, speech):
        console.print(sentence, markup=False)
    for entry in story.entries:
        kind = word(entry.kind, speech)
        head = f"{entry.number:>3}  {entry.written_at:%Y-%m-%d %H:%M:%S}  {kind}"
        console.print(Text.assemble((head, "dim"), f"  {entry.author}  {entry.text}"))
        for sentence in _evidence(entry.evidence, currency(story.currency), speech):
            console.print(f"     {sentence}", markup=False)


def _stated(story: Story, speech: Speech) -> list[str]:
    """Return what was stated of who it is, a sentence each, where that is looked at."""
    _ = speech.gettext
    if not story.statements:
        return []
    told = [_("What was stated in applications:")]
    for one in story.statements:
        said = _("%(name)s (%(person)s), %(at)s: born on %(day)s, identity card %(card)s")
        values = {"name": one.legal_name, "person": one.person, "day": one.born_on.isoformat()}
        card = _("none") if one.card is None else f"#{one.card}"
        told.append("  " + said % (values | {"at": f"{one.given_at:%Y-%m-%d %H:%M}", "card": card}))
    return told


def _show_accounts(story: Story, console: Console, speech: Speech) -> None:
    _ = speech.gettext
    by_account: dict[UUID, list[Measure]] = {one: [] for one in story.accounts}
    for measure in story.measures:
        by_account.setdefault(measure.account_id, []).append(measure)
    if not by_account:
        return
    heads = ((_("Account"), _("Protection")), (_("What"), _("Reasons")), (_("Until"),))
    rows = []
    for account_id, measures in list(by_account.items())[:SHOWN_MAX]:
        for what, reasons, until, protection in [_measure(one, speech) for one in measures] or [
            ("", "", "", "")
        ]:
            rows.append(((str(account_id), protection), (what, reasons), (until,)))
    console.print(listing(console, heads, rows))
    if len(by_account) > SHOWN_MAX:
        more = {"count": speech.count(len(by_account) - SHOWN_MAX)}
        console.print(_("and %(count)s more; --json prints them all") % more)


def _measure(one: Measure, speech: Speech) -> tuple[str, str, str, str]:
    _ = speech.gettext
    if one.finding is not None:
        until = f"{word(one.finding, speech)} {one.ended_at:%Y-%m-%d %H:%M}"
    else:
        until = f"{one.ends_at:%Y-%m-%d %H:%M}"
        if one.asked_until > one.ends_at:
            asked = _("(asked until %(day)s, waits for a second person)")
            until += " " + asked % {"day": f"{one.asked_until:%Y-%m-%d}"}
    return word(one.kind, speech), ", ".join(one.reasons), until, str(one.protection_id)


def _evidence(evidence: Mapping[str, object], unit: Currency, speech: Speech) -> list[str]:
    """Return evidence as sentences; what is long is counted, or told as paths."""
    _ = speech.gettext
    told = []
    for name, value in evidence.items():
        if name == "accounts" and isinstance(value, list):
            told.append(_("accounts: %(count)s") % {"count": len(value)})
            told += [text for one in value[:SHOWN_MAX] if (text := _path(one, speech))]
        elif name == "links" and isinstance(value, list):
            told.append(_("links: %(count)s") % {"count": len(value)})
        elif name == "groups" and isinstance(value, list):
            sizes = ", ".join(str(len(one)) for one in value)
            said = _("groups that share a device, card or phone: %(sizes)s")
            told.append(said % {"sizes": sizes or _("none")})
        elif name.endswith("_minor") and isinstance(value, int):
            amount = f"{money_text(value, unit)} {unit.code}"
            told.append(pair(label(name, speech), amount, speech))
        else:
            shown = sense(name, str(value), speech) if name == "span" else _plain(value, speech)
            told.append(pair(label(name, speech), shown, speech))
    return told


def _plain(value: object, speech: Speech) -> str:
    """Return a value of the evidence as a person reads it: no brackets, instants to the second."""
    _ = speech.gettext
    if isinstance(value, Mapping):
        named = sorted(value.items())
        parts = (
            speech.fill("%(what)s %(one)s", what=label(str(name), speech), one=_plain(one, speech))
            for name, one in named
        )
        return together(parts, speech)
    if isinstance(value, list):
        return together((_plain(one, speech) for one in value), speech) or _("none")
    if isinstance(value, str) and INSTANT.fullmatch(value):
        return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, str) and value != "unknown":
        return word(value, speech)
    return _("unknown") if value in (None, "unknown") else str(value)


def _path(one: object, speech: Speech) -> str:
    """Return why an account is tied to another: each identifier with its days."""
    _ = speech.gettext
    if not isinstance(one, Mapping) or not one.get("path"):
        return ""
    said = _("%(kind)s %(identifier)s (since %(day)s) %(account)s")
    steps = [
        said
        % {
            "kind": word(str(step["kind"]), speech),
            "identifier": step["identifier"],
            "day": step["from_days"][0],
            "account": step["to"],
        }
        for step in one["path"]
    ]
    return f"  {one['account_id']} -> " + " -> ".join(steps)


def _due(line: Line, now: datetime, speech: Speech) -> Text:
    _ = speech.gettext
    hours = (line.due_at - now) / HOUR
    if line.outcome is not None:
        return Text("-")
    if hours < 0:
        return Text(_("%(hours)s h late") % {"hours": f"{-hours:.0f}"}, style=BAD)
    return Text(_("in %(hours)s h") % {"hours": f"{hours:.0f}"}, style=GOLD if hours < 1 else "")

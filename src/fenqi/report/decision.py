"""One decision, told so that a person understands it: what, when, by what, from what, and why.

The record alone is read. What its rulebook says about rules, titles and the customer's texts is in
it; nothing is looked up elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.text import Text

from fenqi.core.errors import Invalid
from fenqi.core.ports import Clock
from fenqi.core.risk import application
from fenqi.core.risk import record as keeping
from fenqi.core.risk.change import Subject
from fenqi.core.risk.consequence import menu_reasons, reasons_of
from fenqi.core.risk.input import Input, Unit, Vocabulary
from fenqi.core.risk.policy.policy import Policy, Verdict
from fenqi.core.risk.policy.read import texts_of
from fenqi.core.risk.policy.rows import compile_row
from fenqi.core.risk.policy.trace import Status, Told, trace
from fenqi.core.risk.policy.turn import CAN_DO, Turn, turned
from fenqi.core.risk.record import Difference, Record
from fenqi.core.risk.rulebook import JUDGE, policy_of, vocabulary_of
from fenqi.core.risk.scorecard import from_json
from fenqi.core.values.ids import AccountId
from fenqi.core.values.money import Currency, currency
from fenqi.core.values.rate import PPM
from fenqi.report.book import refuse_none
from fenqi.report.folding import FoldingTable
from fenqi.report.ink import BAD, BRAND, GOLD, exact_text, money_text, percent_text
from fenqi.report.language import Language, Speech
from fenqi.report.names import measure, pair, sense, word, words
from fenqi.store import accounts, changes, decision_records, features, reasons, scorecards
from fenqi.store.decision_records import Line, Wanted
from fenqi.store.pool import Store

FILE_BYTES_MAX = 16 * 1024 * 1024
WIDE = 110  # columns of a terminal in which a decision fits on one line
ID_CHARS = 36


class FileTooLarge(Invalid):
    """A file of a record is larger than any record."""

    code = "record-too-large"


def read(store: Store, decision_id: UUID) -> Record:
    """Return a kept decision. Errors: DecisionMissing."""
    with store.transaction() as session:
        return decision_records.read(session, decision_id)


def read_file(file: Path) -> Record:
    """Return the record an export wrote; no database is needed.

    Errors: FileTooLarge, RecordUnreadable, RecordAltered.
    """
    with file.open("rb") as opened:  # a device says no size, and has no end
        content = opened.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise FileTooLarge(file=str(file), bytes_max=FILE_BYTES_MAX)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise keeping.RecordUnreadable(
            file=str(file), line=1, column=1, fault="it is not written in UTF-8"
        ) from fault
    return keeping.from_json(text, file=str(file))


def listed(
    store: Store,
    clock: Clock,
    *,
    days: int | None,
    account_id: UUID | None,
    kind: str | None,
    outcome: str | None,
    most: int,
    before: UUID | None = None,
) -> list[Line]:
    """Return the decisions of the last days, the latest first; the next page is before the last.

    Errors: BookUnclear without a book; AccountMissing if nobody has that id, nor applied under it.
    """
    wanted = Wanted(
        since=clock.now() - timedelta(days=days) if days is not None else None,
        account_id=AccountId(account_id) if account_id else None,
        kind=kind,
        outcome=outcome,
        before=before,
        most=most,
    )
    with store.transaction() as session:
        refuse_none(session)
        if account_id is not None:
            accounts.refuse_unknown(session, account_id, but_applied=True)
        return decision_records.listed(session, wanted)


def story(store: Store, account_id: UUID) -> tuple[list[changes.Told], Currency]:
    """Return how an account's limit and price changed, the latest first, and its currency.

    Errors: AccountMissing.
    """
    with store.transaction() as session:
        accounts.refuse_unknown(session, account_id)
        unit = currency(accounts.currency_of(session, account_id))
        return changes.story(session, AccountId(account_id)), unit


@dataclass(frozen=True, slots=True)
class _Known:
    """What a record's rulebook says beyond the decision: inputs, the policy, what became of it."""

    vocabulary: Vocabulary
    policy: Policy | None
    told: tuple[Told, ...]
    said: Verdict | None = None

    @classmethod
    def of(cls, record: Record) -> "_Known":
        """Read the rulebook; the built-in judge has no policy, its inputs are the shipped ones."""
        content = record.rulebook.content
        if content.get("judge") == application.JUDGE:  # law and means, and then a policy
            content = content["policy"]
        if content.get("judge") != JUDGE:
            return cls(features.shipped().vocabulary, None, ())
        policy = policy_of(content)
        said, told = trace(policy, [record.given.get(one.name) for one in policy.inputs])
        return cls({**features.shipped().vocabulary, **vocabulary_of(content)}, policy, told, said)


def show(record: Record, console: Console, language: Language) -> None:
    """Print a decision for a person."""
    _ = Speech(language).gettext
    known = _Known.of(record)
    console.print(_head(record, Speech(language)))
    if record.reasons:
        console.print(_reasons(record, known, _, language))
    if known.policy is not None and known.said is not None:
        menu = menu_reasons(known.policy, known.said) if record.offers else ()
        if len(known.said.effects) + bool(menu) > 1:
            console.print(_because(known.policy, known.said, menu, Speech(language)))
    console.print(_inputs(record, known.vocabulary, Speech(language)))
    if known.policy is not None:
        console.print(_rules(known, currency(record.currency), Speech(language)))
    for part in _rest(record, known, _, language):
        console.print(part)


def _rules(known: _Known, unit: Currency, speech: Speech) -> RenderableType:
    """Return what became of each rule, those that were hit or unknown first."""
    _ = speech.gettext
    table = _table(_("Rule"), _("What became of it"), _("Condition, and the values it saw"))
    order = list(Status)
    said = {
        Status.HIT: _("hit"),
        Status.NOT_HIT: _("not hit"),
        Status.UNKNOWN: _("unknown"),
        Status.SUPPRESSED: _("suppressed"),
        Status.ERROR: _("in error"),
        Status.NOT_ASKED: _("not asked"),
    }
    for one in sorted(known.told, key=lambda told: order.index(told.status)):
        colour = {Status.HIT: BRAND, Status.UNKNOWN: GOLD, Status.ERROR: BAD}.get(one.status, "")
        seen = Text("\n".join([one.line.text, *_seen(one, known.vocabulary, unit, speech)]))
        seen.stylize("dim", len(one.line.text))
        table.add_row(
            f"{one.line.number} {one.line.name}", Text(said[one.status], style=colour), seen
        )
    return table


def _seen(told: Told, vocabulary: Vocabulary, unit: Currency, speech: Speech) -> list[str]:
    """Return the inputs a condition looked at with their values, one a line.

    What was computed from them can be seen from these; the parts are in `trace` for programs.
    """
    _ = speech.gettext
    return [
        f"{name} = "
        + (_("unknown") if value is None else _value(value, vocabulary[name], unit, speech))
        for name, value in told.parts
        if name in vocabulary
    ]


def _head(record: Record, speech: Speech) -> RenderableType:
    _ = speech.gettext
    grid = FoldingTable.grid(padding=(0, 2))
    rulebook = record.rulebook
    took = "" if record.latency_us is None else f"{record.latency_us / 1000:,.1f} ms"
    rows = (
        (_("Decision"), f"{word(record.kind, speech)} {record.decision_id}"),
        (_("Account"), str(record.account_id)),
        (_("Decided at"), record.decided_at),
        (_("Booked on"), record.booked_on),
        (_("By"), f"{rulebook.name} {rulebook.version} ({rulebook.rulebook_id})"),
        (_("Saw events up to"), "" if record.as_of_number is None else str(record.as_of_number)),
        (_("Regime"), sense("regime", record.regime, speech)),
        (_("Took"), took),
        (_("Points"), "" if record.points is None else str(record.points)),
        (_("Effects"), words(record.effects, speech)),
    )
    for label, value in rows:
        if value:
            grid.add_row(Text(label, style="dim"), value)
    colour = BRAND if record.outcome == keeping.APPROVE else BAD
    grid.add_row(
        Text(_("Outcome"), style="dim"), Text(word(record.outcome, speech), style=f"bold {colour}")
    )
    return grid


def _reasons(
    record: Record, known: _Known, _: Callable[[str], str], language: Language
) -> RenderableType:
    said = _texts(record, known, language)
    table = _table(_("Why"), _("What the customer is told"))
    for code in record.reasons:
        table.add_row(code, said.get(code, ""))
    return table


def _because(policy: Policy, said: Verdict, menu: Sequence[str], speech: Speech) -> RenderableType:
    """Return the reasons of each effect that was asked for, strongest first, and of a menu."""
    table = _table(speech.gettext("Effects"), speech.gettext("Why"))
    for act in said.effects:
        table.add_row(word(act.word, speech), ", ".join(reasons_of(policy, said, act.effect)))
    if menu:
        table.add_row(speech.gettext("Plans offered"), ", ".join(menu))
    return table


def texts(record: Record, language: Language) -> dict[str, str]:
    """Return what a customer reads for the reasons a decision may have, by code."""
    return _texts(record, _Known.of(record), language)


def _texts(record: Record, known: _Known, language: Language) -> dict[str, str]:
    house = {**reasons.of_purchases(), **reasons.of_law(), **_of_card(record)}
    said = {code: one[_tag(language)] for code, one in house.items()}
    own = texts_of(known.policy, _tag(language)) if known.policy else _own_texts(record, language)
    return {**said, **own}


def _of_card(record: Record) -> Mapping[str, Mapping[str, str]]:
    """Return the texts of the card a record names: what a score lost is told in its words."""
    content = record.rulebook.content
    card = content.get("scorecard")
    if card is None:
        return {}
    if content.get("judge") == application.JUDGE:
        return from_json(card).reasons
    return scorecards.of(card).reasons


def _own_texts(record: Record, language: Language) -> dict[str, str]:
    """Return the texts that a rulebook without a policy brings itself, as that of the crowds."""
    told = record.rulebook.content.get("reasons", {})
    return {code: texts.get(_tag(language), "") for code, texts in told.items()}


def _tag(language: Language) -> str:
    """Return how policies and features name a language."""
    return "zh" if language is Language.CHINESE else "en"


def _inputs(record: Record, vocabulary: Vocabulary, speech: Speech) -> RenderableType:
    _, language = speech.gettext, speech.language
    table = _table(_("Input"), _("Value"), _("Name"))
    unit = currency(record.currency)
    for name, value in record.given.items():
        known = vocabulary.get(name)
        title = known.title.get(_tag(language), "") if known else ""
        if value is None:
            shown = Text(_("unknown"), style=GOLD)
        else:
            shown = Text(_value(value, known, unit, speech))
        table.add_row(title or name, shown, name)
    return table


def _value(value: int, known: Input | None, unit: Currency, speech: Speech) -> str:
    """Return a value as its unit is read."""
    _ = speech.gettext
    if known is None:
        return f"{value:,}"
    match known.unit:
        case Unit.CHOICE:
            if not 0 <= value < len(known.choices):
                return str(value)
            return sense(known.name, known.choices[value], speech)
        case Unit.FLAG:
            return _("yes") if value else _("no")
        case Unit.MINOR:
            return money_text(value, unit)
        case Unit.PPM:
            return percent_text(value, 2)
        case Unit.COUNT:
            return f"{value:,}"
        case _:
            return measure(value, known.unit, speech)


def _rest(
    record: Record, known: _Known, _: Callable[[str], str], language: Language
) -> Iterator[RenderableType]:
    if record.offers:
        yield Group(Text(_("Plans offered"), style="dim"), ", ".join(offers_of(record)))
    turn = _turn_of(record, known.policy)
    if turn is not None:
        shown = _turn_text(turn, record, known, Speech(language))
        yield Group(Text(_("What would change it"), style="dim"), shown)


def offers_of(record: Record) -> list[str]:
    """Return the plans of a record's menu, each in a few words."""
    return [_offer(one) for one in record.offers]


def change_text(record: Record, speech: Speech) -> str | None:
    """Return what a record keeps of what would change it, in words; None if it keeps nothing."""
    if record.would_change is None:
        return None
    return _turn_text(Turn(**record.would_change), record, _Known.of(record), speech)


def _turn_text(turn: Turn, record: Record, known: _Known, speech: Speech) -> str:
    _, unit = speech.gettext, currency(record.currency)
    one = known.vocabulary[turn.name]
    was, would = (_value(value, one, unit, speech) for value in (turn.value, turn.would_be))
    title = one.title.get(_tag(speech.language), turn.name)
    return pair(title, pair(f"{was} -> {would}", word(turn.outcome, speech), speech), speech)


def _turn_of(record: Record, policy: Policy | None) -> Turn | None:
    """Return what a record says would change it; where it says nothing, as once, what would."""
    if record.would_change is not None:
        turn = Turn(**record.would_change)
        return turn if turn.name in CAN_DO else None
    if policy is None or len(policy.inputs) != len(record.inputs):
        return None  # law and means had a say beside the policy: what turns it alone turns nothing
    return turned(policy, compile_row(policy), record.inputs)


def _offer(offer: Mapping[str, Any]) -> str:
    counts = offer["counts"] if "counts" in offer else [offer["count"]]
    price = offer.get("price_ppm", PPM)
    at = "" if price == PPM else f" @ {exact_text(price)}"
    return f"{offer['product']} x {', '.join(map(str, counts))}{at}"


def show_list(lines: Sequence[Line], console: Console, language: Language) -> None:
    """Print decisions, one a line; two lines each where the terminal is narrow. Ids stay whole."""
    speech = Speech(language)
    _ = speech.gettext
    if not lines:
        console.print(_("No decision was made like that."))
        return
    by, kind, reasons = _("by"), _("kind"), _("reasons")
    if console.width >= WIDE:
        table = _table(_("decided at"), _("decision"), kind, _("outcome"), reasons, by)
    else:
        table = _table(f"{_('decided at')}\n{by}", f"{_('decision')}\n{reasons}")
        table.add_column(f"{_('outcome')}\n{kind}", overflow="fold")
    table.columns[1].no_wrap = console.width >= WIDE
    table.columns[1].min_width = ID_CHARS  # to be copied, so never folded
    for one in lines:
        at, decision, why = f"{one.decided_at:%Y-%m-%d %H:%M}", str(one.decision_id), one.reasons
        policy = f"{one.policy} {one.policy_version}"
        what, outcome = word(one.kind, speech), word(one.outcome, speech)
        if console.width >= WIDE:
            table.add_row(at, decision, what, outcome, ", ".join(why), policy)
        else:
            told = f"{decision}\n{', '.join(why)}"
            table.add_row(f"{at}\n{policy}", told, f"{outcome}\n{what}")
    console.print(table)


def show_difference(
    difference: Difference | None, record: Record, console: Console, language: Language
) -> None:
    """Print whether a record was computed again exactly, or what differs first."""
    speech = Speech(language)
    _ = speech.gettext
    by = f"{record.rulebook.name} {record.rulebook.version}"
    if difference is None:
        said = _("The same: %(kind)s %(decision)s, %(outcome)s, made again by %(by)s.")
        made = {"kind": word(record.kind, speech), "outcome": word(record.outcome, speech)}
        console.print(said % (made | {"decision": str(record.decision_id), "by": by}))
        return
    said = _("It differs in %(what)s: recorded %(recorded)s, computed %(computed)s (%(by)s).")
    named = {"what": difference.what, "recorded": difference.recorded}
    console.print(Text(said % (named | {"computed": difference.computed, "by": by}), style=BAD))


def show_story(
    told: Sequence[changes.Told], unit: Currency, console: Console, language: Language
) -> None:
    """Print how an account's limit and price changed; the parts of each sum to the change.

    Limits are printed as money of `unit`, prices in per cent a year.
    """
    speech = Speech(language)
    _ = speech.gettext
    if not told:
        console.print(_("Neither limit nor price ever changed."))
        return
    amounts = _("amounts in %(currency)s, prices in %% a year") % {"currency": unit.code}
    console.print(Text(amounts, style="dim"))
    table = _table(_("booked on"), _("old"), _("new"), _("by which parts"))
    for place in (1, 2):  # figures are never cut
        table.columns[place].no_wrap, table.columns[place].justify = True, "right"
    table.columns[0].no_wrap = True
    reasons, held = _("reasons"), _("held back by")
    table.add_column(f"{reasons}\n({held})", overflow="fold")
    subjects = {Subject.LIMIT: _("limit"), Subject.PRICE: _("price")}
    for one in told:
        value = partial(_changed, one.subject, unit)
        table.add_row(
            f"{one.booked_on.isoformat()}\n{subjects[one.subject]}",
            value(one.old),
            value(one.new),
            "\n".join(f"{name} {value(part, is_part=True)}" for name, part in one.parts.items()),
            "\n".join([*one.reasons, *(f"({word(bound, speech)})" for bound in one.bounds)]),
        )
    console.print(table)


def _changed(subject: Subject, unit: Currency, value: int, *, is_part: bool = False) -> str:
    """Return a limit, a price, or the signed part of a change of one."""
    text = money_text(value, unit) if subject is Subject.LIMIT else percent_text(value, 2)
    return f"+{text}" if is_part and value > 0 else text


def _table(*labels: str) -> FoldingTable:
    table = FoldingTable(box=SIMPLE_HEAD, header_style="dim")
    for label in labels:
        table.add_column(label, overflow="fold")
    return table

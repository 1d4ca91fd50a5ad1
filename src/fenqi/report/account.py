"""Accounts, told in a terminal: which there are, and one with all an officer looks at first.

What stands is what decisions see: the same row, the same protections, the same replay of plans that
would count a payment of today. Nothing is locked and nothing is written.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fenqi.core.ports import Clock
from fenqi.core.risk.response import ProtectionKind
from fenqi.core.servicing.ageing import days_past_due
from fenqi.core.terms.life.state import Status
from fenqi.core.terms.pack import BUCKETS_MAX
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.core.values.money import Currency, currency
from fenqi.report import case as of_cases
from fenqi.report import decision as of_decisions
from fenqi.report.book import choose, refuse_none
from fenqi.report.folding import FoldingTable
from fenqi.report.ink import BAD, GOLD, money_text
from fenqi.report.language import Language, Speech
from fenqi.report.listing import listing
from fenqi.report.names import pair, sense, together, word
from fenqi.report.rolls import LAST_BUCKET, bucket_name
from fenqi.report.told import Origins
from fenqi.store import account_records, case_records, decision_records, plans, protections, views
from fenqi.store.account_records import PlanLine
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanRecord
from fenqi.store.pool import Store
from fenqi.store.protections import Protection

DECISIONS_SHOWN = 5
CASES_SHOWN = 5
PLANS_SHOWN = 40  # of one account in a terminal; `--json` has all
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Line:
    """How an account stands now. What keeps purchases back is None if it is over.

    Units: minor units of `currency`; `used_minor` is principal and holds of orders.
    """

    account_id: AccountId
    book_id: str
    person: str
    currency: str
    opened_on: date
    status: str
    limit_minor: int
    used_minor: int
    price_grade: int
    bucket: str  # of its worst plan, as it was last closed
    overdue_days: int
    held_until: datetime | None
    frozen_until: datetime | None
    step_up_until: datetime | None
    ceiling_minor: int | None
    ceiling_until: datetime | None


@dataclass(frozen=True, slots=True)
class Measure:
    """A protection that runs, and why in the words its customer reads."""

    protection_id: UUID
    kind: str
    reasons: tuple[str, ...]
    because: tuple[str, ...]
    ceiling_minor: int | None
    placed_by: str
    placed_at: datetime
    ends_at: datetime
    asked_until: datetime
    decision_id: UUID | None
    case_id: UUID | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What is asked of a plan now, late charges to the open day included.

    Units: minor units. `overdue_minor` is past its due day by days that count, since `since`;
    `next_minor` is due next, on `next_on`, which has gone by if the days since then are excused.
    """

    plan_id: PlanId
    overdue_minor: int
    since: date | None
    next_minor: int
    next_on: date | None


@dataclass(frozen=True, slots=True)
class Story:
    """One account with all that belongs to it; of decisions and cases only the latest."""

    line: Line
    business_date: date
    statement_day: int
    principal_open_minor: int
    held_minor: int
    credit_minor: int
    refunds_payable_minor: int
    measures: tuple[Measure, ...]
    plans: tuple[PlanLine, ...]
    claims: tuple[Claim, ...]
    decisions: tuple[decision_records.Line, ...]
    cases: tuple[case_records.Line, ...]

    @property
    def overdue_minor(self) -> int:
        """What is overdue in all."""
        return sum(one.overdue_minor for one in self.claims)

    @property
    def due_next(self) -> tuple[date, int] | None:
        """The day on which something falls due next, and how much on it; None if nothing does."""
        days = [one.next_on for one in self.claims if one.next_on is not None]
        if not days:
            return None
        return min(days), sum(one.next_minor for one in self.claims if one.next_on == min(days))


def listed(
    store: Store,
    clock: Clock,
    *,
    book_id: str | None = None,
    status: str | None = None,
    under: ProtectionKind | None = None,
    bucket: int | None = None,
    person: str | None = None,
    most: int,
    before: UUID | None = None,
) -> list[Line]:
    """Return accounts, those opened last first; the next page goes on after `before`.

    Of buckets the last holds all beyond it, as in the report.
    Errors: BookUnclear without a book; BookMissing; AccountMissing if nobody knows `before`.
    """
    buckets = None
    if bucket is not None:
        buckets = (bucket, bucket if bucket < LAST_BUCKET else BUCKETS_MAX)
    with store.transaction() as session:
        views.snapshot(session)
        refuse_none(session)
        if book_id is not None:
            choose(session, book_id)
        wanted = account_records.Wanted(book_id, status, under, buckets, person, before, most)
        now = clock.now()
        return [_line(one, now) for one in account_records.listed(session, wanted, now)]


def read(ground: Ground, account_id: UUID, language: Language) -> Story:
    """Return one account with all that belongs to it. Errors: AccountMissing."""
    now = ground.clock.now()
    with ground.store.transaction() as session:
        views.snapshot(session)
        found = account_records.read(session, account_id)
        account = found.account
        today = account.book.business_date
        owing = plans.owing(session, [account.account_id], ground.catalogue)
        made = decision_records.Wanted(account_id=account.account_id, most=DECISIONS_SHOWN)
        about = case_records.Wanted(account_id=account_id, with_closed=True, most=CASES_SHOWN)
        return Story(
            line=_line(found, now),
            business_date=today,
            statement_day=account.statement_day,
            principal_open_minor=account.principal_open_minor,
            held_minor=account.held_minor,
            credit_minor=account.credit_minor,
            refunds_payable_minor=account.refunds_payable_minor,
            measures=_measures(
                protections.of(session, [account.account_id], now)[account.account_id],
                Origins(ground, session, account.book, language),
                now,
            ),
            plans=tuple(account_records.plans(session, account_id)),
            claims=tuple(_claim(one, today) for one in owing.get(account.account_id, ())),
            decisions=tuple(decision_records.listed(session, made)),
            cases=tuple(case_records.queue(session, about, now)),
        )


def _line(found: account_records.Line, now: datetime) -> Line:
    account, standing = found.account, found.account.standing_at(now)
    is_lower = account.ceiling_until is not None and now < account.ceiling_until
    return Line(
        account_id=account.account_id,
        book_id=account.book.book_id,
        person=found.person,
        currency=account.currency,
        opened_on=account.opened_on,
        status=standing.status.value,
        limit_minor=account.limit_minor,
        used_minor=standing.used_minor,
        price_grade=account.price_grade,
        bucket=bucket_name(found.bucket),
        overdue_days=standing.overdue_days,
        held_until=_running(account.held_until, now),
        frozen_until=_running(account.frozen_until, now),
        step_up_until=_running(account.step_up_until, now),
        ceiling_minor=account.ceiling_minor if is_lower else None,
        ceiling_until=_running(account.ceiling_until, now),
    )


def _running(until: datetime | None, now: datetime) -> datetime | None:
    return until if until is not None and now < until else None


def _measures(found: Iterable[Protection], origins: Origins, now: datetime) -> tuple[Measure, ...]:
    """Return what runs, what lasts longest first."""
    running = sorted((one for one in found if one.is_running(now)), key=lambda one: one.ends_at)
    return tuple(_measure(one, origins) for one in reversed(running))


def _measure(one: Protection, origins: Origins) -> Measure:
    origin = origins.of(one.decision_id) if one.decision_id else origins.of_freeze()
    return Measure(
        protection_id=one.protection_id,
        kind=one.kind.value,
        reasons=one.reasons,
        because=tuple(origin.words.get(code, code) for code in one.reasons),
        ceiling_minor=one.ceiling_minor,
        placed_by=one.placed_by,
        placed_at=one.placed_at,
        ends_at=one.ends_at,
        asked_until=one.asked_until,
        decision_id=one.decision_id,
        case_id=one.case_id,
    )


def _claim(record: PlanRecord, today: date) -> Claim:
    """Return what a plan asks for now: what a payment of today would be told to close."""
    rows = [] if record.contested_on else record.tried([], today - A_DAY).rows
    claimed = [row for row in rows if row.claim_minor]
    days = [days_past_due(row.due_on, today, record.excused) for row in claimed]
    late = [row for row, count in zip(claimed, days, strict=True) if count]
    waiting = [row for row, count in zip(claimed, days, strict=True) if not count]
    next_on = min((row.due_on for row in waiting), default=None)
    return Claim(
        plan_id=record.plan_id,
        overdue_minor=sum(row.claim_minor for row in late),
        since=min((row.due_on for row in late), default=None),
        next_minor=sum(row.claim_minor for row in waiting if row.due_on == next_on),
        next_on=next_on,
    )


def to_json(told: Story | Sequence[Line]) -> str:
    """Return an account or a list for programs: amounts in minor units, days and ids as text."""
    plain = asdict(told) if isinstance(told, Story) else [asdict(one) for one in told]
    return json.dumps(plain, default=str, ensure_ascii=False, indent=1)


def show_list(
    lines: Sequence[Line], console: Console, speech: Speech, *, asked: Sequence[str] = ()
) -> None:
    """Print accounts: two lines each where the terminal is narrow. Ids are never cut.

    `asked` is what they were asked for by, which is repeated if there are none.
    """
    _ = speech.gettext
    if not lines and asked:
        said = _("No account is under all that was asked: %(asked)s")
        console.print(said % {"asked": together(asked, speech)}, soft_wrap=True)
        return
    if not lines:
        console.print(_("There is no account yet."))
        return
    heads = (
        (_("Account"), _("Person")),
        (_("Limit"), _("Used")),
        (_("Overdue"), _("State")),
    )
    console.print(listing(console, heads, [_row(one, speech) for one in lines]))


def _row(one: Line, speech: Speech) -> Sequence[Sequence[str | Text]]:
    unit = currency(one.currency)
    status = sense("account_status", one.status, speech)
    kept = [word(kind, speech) for kind, until in _kept(one) if until is not None]
    return (
        (str(one.account_id), one.person),
        (money_text(one.limit_minor, unit), money_text(one.used_minor, unit)),
        (_late(one, speech), Text(together([status, *kept], speech), GOLD if kept else "")),
    )


def _kept(one: Line) -> Sequence[tuple[ProtectionKind, datetime | None]]:
    """Return what keeps purchases back, until when if it runs; a freeze is told by the status."""
    return (
        (ProtectionKind.HOLD, one.held_until),
        (ProtectionKind.STEP_UP, one.step_up_until),
        (ProtectionKind.SMALLER_LIMIT, one.ceiling_until),
    )


def _late(one: Line, speech: Speech) -> Text:
    """Return the bucket and the days past due; nothing late is a dash."""
    if not one.overdue_days:
        return Text("-" if one.bucket == bucket_name(0) else one.bucket)
    days = speech.ngettext("%(count)s day", "%(count)s days", one.overdue_days)
    return Text(f"{one.bucket} {days % {'count': speech.count(one.overdue_days)}}", BAD)


def show(story: Story, clock: Clock, console: Console, speech: Speech) -> None:
    """Print one account: how it stands, what keeps purchases back, plans, decisions, cases."""
    _ = speech.gettext
    unit = currency(story.line.currency)
    console.print(_head(story, unit, speech))
    for measure in story.measures:
        _show_measure(measure, unit, console, speech)
    if story.plans:
        console.print(_plans(story, unit, console, speech))
    if len(story.plans) > PLANS_SHOWN:
        more = {"count": speech.count(len(story.plans) - PLANS_SHOWN)}
        console.print(_("and %(count)s more; --json prints them all") % more)
    if story.decisions:
        of_decisions.show_list(story.decisions, console, speech.language)
    if story.cases:
        of_cases.show_list(story.cases, clock, console, speech)


def _head(story: Story, unit: Currency, speech: Speech) -> Table:
    """Return how an account stands, a line each; what there is none of has no line."""
    _, line = speech.gettext, story.line
    rows: Sequence[tuple[str, str | Text]] = (
        (_("Account"), str(line.account_id)),
        (_("Person"), line.person),
        (_("Book"), line.book_id),
        (_("Open day"), str(story.business_date)),
        (_("Opened on"), str(line.opened_on)),
        (_("Statement day"), str(story.statement_day)),
        (_("State"), sense("account_status", line.status, speech)),
        *_sums(story, unit, speech),
        (_("Price grade"), str(line.price_grade)),
        (_("Overdue"), _overdue(story, unit, speech)),
        (_("Due next"), _next(story, unit, speech)),
    )
    grid = _pairs(2)
    for label, value in rows:
        if value:
            grid.add_row(Text(label, style="dim"), value)
    return grid


def _pairs(gap: int) -> Table:
    """Return an empty table of two columns, so many blanks apart; nothing in it is cut."""
    grid = FoldingTable.grid(padding=(0, gap))
    for _column in range(2):
        grid.add_column(overflow="fold")
    return grid


def _sums(story: Story, unit: Currency, speech: Speech) -> Sequence[tuple[str, str]]:
    """Return the limit, what uses it and what is left of it, and money that is the customer's."""
    _, line = speech.gettext, story.line

    def money(minor: int) -> str:
        return f"{money_text(minor, unit)} {unit.code}"

    used = _("%(used)s: principal %(lent)s, held for orders %(held)s") % {
        "used": money(line.used_minor),
        "lent": money_text(story.principal_open_minor, unit),
        "held": money_text(story.held_minor, unit),
    }
    limit = line.limit_minor if line.ceiling_minor is None else line.ceiling_minor
    left = min(limit, line.limit_minor) - line.used_minor
    return (
        (_("Limit"), money(line.limit_minor)),
        (_("For a while"), _ceiling(line, unit, speech)),
        (_("Used"), used),
        (_("Left"), money(max(0, left))),
        (_("Credit balance"), money(story.credit_minor) if story.credit_minor else ""),
        (
            _("To be paid back"),
            money(story.refunds_payable_minor) if story.refunds_payable_minor else "",
        ),
    )


def _ceiling(line: Line, unit: Currency, speech: Speech) -> str:
    if line.ceiling_minor is None or line.ceiling_until is None:
        return ""
    said = speech.gettext("%(ceiling)s until %(until)s")
    ceiling = f"{money_text(line.ceiling_minor, unit)} {unit.code}"
    return speech.fill(said, ceiling=ceiling, until=_minute(line.ceiling_until))


def _overdue(story: Story, unit: Currency, speech: Speech) -> Text:
    """Return how late, how much with late charges to the open day, and since when."""
    since = min((one.since for one in story.claims if one.since is not None), default=None)
    if since is None:
        return _late(story.line, speech)
    said = speech.gettext("%(late)s, %(amount)s due since %(day)s")
    amount = f"{money_text(story.overdue_minor, unit)} {unit.code}"
    late = _late(story.line, speech)
    return Text(speech.fill(said, late=late.plain, amount=amount, day=since), BAD)


def _next(story: Story, unit: Currency, speech: Speech) -> str:
    if story.due_next is None:
        return ""
    on, minor = story.due_next
    said = speech.gettext("%(amount)s on %(day)s")
    return speech.fill(said, amount=f"{money_text(minor, unit)} {unit.code}", day=on)


def _show_measure(one: Measure, unit: Currency, console: Console, speech: Speech) -> None:
    """Print what keeps purchases back, until when, why, and what to follow it by."""
    _ = speech.gettext
    said = _("%(what)s until %(until)s, since %(since)s by %(person)s")
    kind = word(one.kind, speech)
    if one.ceiling_minor is not None:
        kind = pair(kind, f"{money_text(one.ceiling_minor, unit)} {unit.code}", speech)
    values = {"until": _minute(one.ends_at), "since": _minute(one.placed_at)}
    told = Text(speech.fill(said, what=kind, person=one.placed_by, **values), GOLD)
    if one.asked_until > one.ends_at:
        asked = _("(asked until %(day)s, waits for a second person)")
        told = Text(speech.joined(told.plain, asked % {"day": f"{one.asked_until:%Y-%m-%d}"}), GOLD)
    console.print()
    console.print(told)
    grid = _pairs(1)
    for code, sentence in zip(one.reasons, one.because, strict=True):
        grid.add_row("  -", code if sentence == code else f"{sentence} ({code})")
    console.print(grid)
    console.print(f"  {pair(_('Protection'), str(one.protection_id), speech)}")
    if one.decision_id is not None:
        console.print(f"  fenqi decision show {one.decision_id}")
    if one.case_id is not None:
        console.print(f"  fenqi case show {one.case_id}")


def _plans(story: Story, unit: Currency, console: Console, speech: Speech) -> FoldingTable:
    """Return a line for each plan, those that owe something first."""
    _ = speech.gettext
    claims = {one.plan_id: one for one in story.claims}
    heads = (
        (_("Plan"), _("Product")),
        (_("Lent"), _("Open principal")),
        (_("State"), _("Due next")),
        (_("Overdue"),),
    )
    shown = story.plans[:PLANS_SHOWN]
    rows = [_plan(one, claims.get(one.plan_id), unit, speech) for one in shown]
    return listing(console, heads, rows)


def _plan(
    one: PlanLine, claim: Claim | None, unit: Currency, speech: Speech
) -> Sequence[Sequence[str | Text]]:
    state = sense("plan", "contested" if one.contested_on else one.state, speech)
    if one.state == Status.ACTIVE.value and one.bucket:
        state = pair(state, bucket_name(one.bucket), speech)
    late = money_text(claim.overdue_minor, unit) if claim and claim.overdue_minor else ""
    return (
        (str(one.plan_id), f"{one.product} v{one.product_version} x {one.count}"),
        (money_text(one.principal_minor, unit), money_text(one.principal_open_minor, unit)),
        (state, str(claim.next_on) if claim and claim.next_on else ""),
        (Text(late, BAD),),
    )


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"

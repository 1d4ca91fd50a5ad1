"""Policies for people: what one says, what its check found, who adopted what, how two differ."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.text import Text

from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.check import Checked
from fenqi.core.risk.policy.policy import Line, Offer, Policy
from fenqi.core.risk.purchase import Moved
from fenqi.core.values.phrase import Phrase, told
from fenqi.core.values.rate import PPM
from fenqi.report.folding import FoldingTable as Grid
from fenqi.report.ink import BAD, BRAND, GOLD, exact_text
from fenqi.report.language import Speech
from fenqi.report.names import together, word, words
from fenqi.report.policy_difference import Difference
from fenqi.store import books, policies
from fenqi.store.catalogue import Catalogue, from_files
from fenqi.store.deciding import Deciding
from fenqi.store.policies import Adoption
from fenqi.store.pool import Store

Known = Catalogue  # what policies are checked against


def read_file(file: Path) -> Policy:
    """Return the policy of a file. Errors: FileUnreadable, PolicyInvalid."""
    return policies.read_file(file)


def of_files(own: Path | None) -> Known:
    """Return what the files sell, an operator's own over the shipped.

    Errors: those of `catalogue.from_files`.
    """
    return from_files(own)


def find(store: Store, which: str) -> Policy:
    """Return a policy by file, or by name and version such as purchase:2, or by what it decides.

    Errors: FileUnreadable, PolicyInvalid, PolicyMissing.
    """
    name, colon, number = which.rpartition(":")
    if Path(which).is_file() or which.endswith(".toml"):
        return read_file(Path(which))
    with store.transaction() as session:
        if colon and number.isascii() and number.isdigit():
            return policies.version(session, name, int(number)).policy
        return policies.live(session, policies.kind_of(session, which)).policy


def listed(store: Store) -> list[Adoption]:
    """Return every adoption, the oldest of each kind first."""
    with store.transaction() as session:
        return policies.history(session)


class Now(NamedTuple):
    """What decides about a kind in a book now; `because` of what the live version should not."""

    kind: str
    book_id: str
    policy: str
    version: int
    ends_on: date | None
    because: str


TRIPPED = Phrase("a breaker is open")
OVER = Phrase("its time is over")
NOT_BEGUN = Phrase("its time has not begun")
FOREIGN = Phrase("its amounts are in another currency")
ALL_THE_SAME = Phrase("it decides all the same, as nothing else does")


def deciding(store: Store) -> list[Now]:
    """Return what decides about each kind in each book."""
    found = []
    with store.transaction() as session:
        all_books = [books.read(session, name) for name in books.names(session)]
        for kind in DecisionKind:
            asked = Deciding(session, kind)
            for book in all_books:
                chosen = asked.chosen(book)
                policy, live = chosen.rulebook.policy, chosen.live.policy
                why = [TRIPPED] * chosen.is_tripped
                if chosen.is_over:
                    why.append(NOT_BEGUN if book.business_date < live.valid_from else OVER)
                why += [FOREIGN] * chosen.is_foreign
                if why and chosen.rulebook.rulebook_id == chosen.live.rulebook_id:
                    why.append(ALL_THE_SAME)
                named = f"{live.name} {live.version}"
                because = (
                    Phrase("of {policy}: {why}", policy=named, why=_joined(why)) if why else ""
                )
                now = (policy.name, policy.version, policy.valid_until, because)
                found.append(Now(kind.value, book.book_id, *now))
    return found


def _joined(phrases: Sequence[Phrase]) -> Phrase:
    """Return phrases as one."""
    *before, last = phrases
    return Phrase("{first}, and {second}", first=_joined(before), second=last) if before else last


def show_deciding(found: Sequence[Now], console: Console, speech: Speech) -> None:
    """Print what decides, and whatever does not decide though it was adopted last."""
    if not found:
        return
    _ = speech.gettext
    grid = _grid(_("decides now"), _("book"), _("policy"), _("until"), "")
    for one in found:
        until = str(one.ends_on) if one.ends_on else ""
        style = f"bold {GOLD}" if one.because else ""
        named, because = f"{one.policy} {one.version}", str(told(one.because, _))
        grid.add_row(word(one.kind, speech), one.book_id, named, until, because, style=style)
    console.print(grid)


def show_check(
    policy: Policy,
    checked: Checked,
    console: Console,
    speech: Speech,
    *,
    book_id: str | None = None,
) -> None:
    """Print what a policy says, how much of it its examples show, and what it may cost.

    `book_id` is the book whose products it was checked against, None for those of the files.
    """
    _ = speech.gettext
    about = {
        "kind": word(policy.kind.value, speech),
        "purpose": word(policy.purpose.value, speech),
        "owner": policy.owner,
        "author": policy.author,
        "day": policy.valid_from,
        "until": policy.valid_until,
    }
    said = _("decides %(kind)s, serves %(purpose)s, of %(owner)s, by %(author)s, from %(day)s")
    if policy.valid_until:
        said = _(
            "decides %(kind)s, serves %(purpose)s, of %(owner)s, by %(author)s, from %(day)s "
            "until %(until)s"
        )
    name = (f"{policy.name} {policy.version}", f"bold {BRAND}")
    console.print(Text.assemble(name, ": ", said % about))
    console.print(_lines(policy.lines, checked, speech))
    for threshold in sorted(policy.thresholds, key=lambda one: one.at_least):
        acts = words((act.word for act in threshold.acts), speech)
        console.print(
            _("  from %(points)s points: %(effects)s")
            % {"points": threshold.at_least, "effects": acts}
        )
    console.print(_("Looks at %(count)s inputs.") % {"count": len(policy.inputs)})
    shown = {"shown": len(checked.shown), "all": len(policy.lines), "count": checked.examples}
    console.print(_("%(count)s examples show %(shown)s of %(all)s rules and rows.") % shown)
    steps = {"steps": checked.steps, "most": checked.steps_max}
    console.print(_("A decision takes at most %(steps)s of %(most)s steps.") % steps)
    of_files = _("Checked against what the files sell; --book NAME takes what a book sells.")
    of_book = _("Checked against what the book %(book)s sells.") % {"book": book_id}
    console.print(of_files if book_id is None else of_book)
    for one in checked.findings:
        sort = (_("fault"), f"bold {BAD}") if one.is_fault else (_("note"), GOLD)
        console.print(Text.assemble("  ", sort, f" {one.sentence().told(_)}"))


def _lines(lines: Sequence[Line], checked: Checked, speech: Speech) -> Grid:
    _ = speech.gettext
    grid = _grid(_("number"), _("line"), _("when"), _("then"), _("reason"), _("shown"))
    for line in lines:
        then = [word(act.word, speech) for act in line.acts]
        then += [points_text(line.points, speech)] if line.points else []
        then += [offer_text(one) for one in line.offers]
        shown = _("yes") if line.number in checked.shown else "-"
        grid.add_row(
            str(line.number), line.name, line.text, together(then, speech), line.reason or "", shown
        )
    return grid


def points_text(points: int, speech: Speech) -> str:
    """Return what a row adds to the score, with its sign; never to be read as percentage points."""
    said = speech.ngettext("%(count)s point", "%(count)s points", abs(points))
    return said % {"count": f"{points:+}"}


def offer_text(offer: Offer) -> str:
    """Return an offer in a few words, with its price where it is below the product's own."""
    at = "" if offer.price_ppm == PPM else f" @ {exact_text(offer.price_ppm)}"
    return f"{offer.product} x {'/'.join(map(str, offer.counts))}{at}"


def check_to_json(policy: Policy, checked: Checked) -> dict[str, Any]:
    """Return what a check found, for programs."""
    return {
        "policy": policy.name,
        "version": policy.version,
        "kind": policy.kind.value,
        "inputs": [one.name for one in policy.inputs],
        "lines": [line.name for line in policy.lines],
        "examples": checked.examples,
        "shown": [policy.lines[one].name for one in sorted(checked.shown)],
        "steps": checked.steps,
        "steps_max": checked.steps_max,
        "findings": [
            {
                "where": one.where,
                "told": one.told,
                "is_fault": one.is_fault,
                "said": one.said,
                "file": one.file,
                "line": one.line or None,
                "column": one.column or None,
            }
            for one in checked.findings
        ],
    }


def show_adoptions(adoptions: Sequence[Adoption], console: Console, speech: Speech) -> None:
    """Print who adopted what; the last of each kind decides."""
    _ = speech.gettext
    last = {one.kind: one.number for one in adoptions}
    grid = _grid(_("decides"), _("number"), _("policy"), _("adopted by"), _("at"), "")
    for one in adoptions:
        words = [_("live")] if last[one.kind] == one.number else []
        words += [_("rollback")] if one.is_rollback else []
        shipped = one.because == policies.BECAUSE_SHIPPED
        words += [_("shipped") if shipped else one.because] if one.because else []
        grid.add_row(
            word(one.kind.value, speech),
            str(one.number),
            f"{one.policy} {one.version}",
            one.adopted_by,
            f"{one.adopted_at:%Y-%m-%d %H:%M}",
            together(words, speech),
        )
    console.print(grid if adoptions else _("Nobody adopted a policy yet."))


def adoption_to_json(one: Adoption) -> dict[str, Any]:
    """Return an adoption for programs."""
    return {
        "kind": one.kind.value,
        "number": one.number,
        "policy": one.policy,
        "version": one.version,
        "rulebook_id": str(one.rulebook_id),
        "author": one.author,
        "adopted_by": one.adopted_by,
        "adopted_at": one.adopted_at.isoformat(),
        "is_rollback": one.is_rollback,
        "because": one.because,
    }


def show_difference(found: Difference, console: Console, speech: Speech) -> None:
    """Print how two policies decide the same decisions."""
    _ = speech.gettext
    said = _(
        "%(compared)s of %(seen)s decisions of %(days)s days were made again; %(changed)s come out "
        "otherwise."
    )
    counts = {"compared": found.compared, "seen": found.seen, "changed": found.changed}
    shown = {name: speech.count(count) for name, count in counts.items()}
    console.print(said % (shown | {"days": found.days}))
    if found.menus:
        console.print(
            _("%(count)s of them offer another menu.") % {"count": speech.count(found.menus)}
        )
    if found.limits:
        moved_limits = _("A first limit is higher for %(higher)s of them and lower for %(lower)s.")
        sides = {side: speech.count(found.limits[side]) for side in ("higher", "lower")}
        console.print(moved_limits % sides)
    for names, count in found.filled.items():
        computed = _("for %(count)s computed from the events they had seen: %(names)s")
        named = {"count": speech.count(count), "names": names}
        console.print(Text(f"  {computed % named}", style="dim"))
    for names, count in found.left_out.items():
        lacking = _("%(count)s left out: not recorded for them: %(names)s")
        named = {"count": speech.count(count), "names": names}
        console.print(Text(f"  {lacking % named}", style=GOLD))
    if not found.compared:
        return
    matrix = _grid(found.first, found.second, _("decisions"), _("share"))
    for (first, second), count in found.outcomes:
        style = "" if first == second else f"bold {GOLD}"
        share = f"{count / found.compared:.2%}"
        both = (word(first, speech), word(second, speech))
        matrix.add_row(*both, f"{count:,}", share, style=style)
    console.print(matrix)
    if found.lines:
        heads = (_("hits in %(policy)s") % {"policy": one} for one in (found.first, found.second))
        lines = _grid(_("line"), *heads, _("change"), _("reason"))
        for name, (first_hits, second_hits) in found.lines.items():
            told = tuple("-" if one is None else f"{one:,}" for one in (first_hits, second_hits))
            change = f"{(second_hits or 0) - (first_hits or 0):+,}"
            lines.add_row(name, *told, change, _reason_of(found.reasons.get(name, ("", ""))))
        console.print(lines)
    show_moved(found.plans, (found.first, found.second), console, speech)
    for one in found.examples:
        console.print(
            f"  {one.decision_id}: {word(one.first.outcome, speech)} "
            f"({_reasons(one.first.reasons, _)}) -> {word(one.second.outcome, speech)} "
            f"({_reasons(one.second.reasons, _)})"
        )


def show_moved(
    plans: Mapping[Moved, int], names: tuple[str, str], console: Console, speech: Speech
) -> None:
    """Print which plans two policies offer differently, the most frequent first."""
    if not plans:
        return
    _ = speech.gettext
    grid = _grid(_("plan"), *names, _("decisions"))
    for one, count in sorted(plans.items(), key=lambda one: (-one[1], one[0][:2])):
        prices = (_price_text(one.first_ppm, _), _price_text(one.second_ppm, _))
        grid.add_row(f"{one.product} x {one.instalments}", *prices, f"{count:,}")
    console.print(grid)


def _price_text(price_ppm: int | None, _: Callable[[str], str]) -> str:
    if price_ppm is None:
        return _("not offered")
    if price_ppm == PPM:
        return _("as listed")
    return _("%(share)s of its price") % {"share": exact_text(price_ppm)}


def _reason_of(reasons: tuple[str, str]) -> str:
    """Return the reason of a line in two policies, both where they differ."""
    first, second = reasons
    return first if first == second else f"{first or '-'} -> {second or '-'}"


def _reasons(codes: Sequence[str], _: Callable[[str], str]) -> str:
    return ", ".join(codes) or _("no reason")


def _grid(*heads: str) -> Grid:
    grid = Grid(box=SIMPLE_HEAD, header_style="dim", pad_edge=False)
    for head in heads:
        grid.add_column(head, overflow="fold")
    return grid

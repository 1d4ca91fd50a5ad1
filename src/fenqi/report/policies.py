"""Policies for people: what one says, what its check found, who adopted what, how two differ."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.check import Checked
from fenqi.core.risk.policy.policy import Line, Offer, Policy
from fenqi.core.risk.purchase import Moved
from fenqi.core.values.rate import PPM
from fenqi.report.ink import BAD, BRAND, GOLD, percent_text
from fenqi.report.policy_difference import Difference
from fenqi.store import books, policies
from fenqi.store.deciding import Deciding
from fenqi.store.policies import Adoption
from fenqi.store.pool import Store


def read_file(file: Path) -> Policy:
    """Return the policy of a file. Errors: FileUnreadable, PolicyInvalid."""
    return policies.read_file(file)


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
    """What decides about a kind in a book now; `because` it is not the live version, else empty."""

    kind: str
    book_id: str
    policy: str
    version: int
    ends_on: date | None
    because: str


TRIPPED = "a breaker is open"
OVER = "its time is over"


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
                why = [TRIPPED] * chosen.is_tripped + [OVER] * chosen.is_over
                told = f"{live.name} {live.version}: {', '.join(why)}" if why else ""
                now = (policy.name, policy.version, policy.valid_until, told)
                found.append(Now(kind.value, book.book_id, *now))
    return found


def show_deciding(found: Sequence[Now], console: Console) -> None:
    """Print what decides, and whatever does not decide though it was adopted last."""
    if not found:
        return
    grid = _grid("decides now", "book", "policy", "until", "")
    for one in found:
        until = str(one.ends_on) if one.ends_on else ""
        style = f"bold {GOLD}" if one.because else ""
        named = f"{one.policy} {one.version}"
        grid.add_row(one.kind, one.book_id, named, until, one.because, style=style)
    console.print(grid)


def show_check(policy: Policy, checked: Checked, console: Console) -> None:
    """Print what a policy says, how much of it its examples show, and what it may cost."""
    until = f" until {policy.valid_until}" if policy.valid_until else ""
    console.print(
        Text.assemble(
            (f"{policy.name} {policy.version}", f"bold {BRAND}"),
            f": decides {policy.kind.value}, serves {policy.purpose.value}, of {policy.owner}, "
            f"by {policy.author}, from {policy.valid_from}{until}",
        )
    )
    console.print(_lines(policy.lines, checked))
    for threshold in sorted(policy.thresholds, key=lambda one: one.at_least):
        acts = ", ".join(act.word for act in threshold.acts)
        console.print(f"  from {threshold.at_least} points: {acts}")
    shown = f"{len(checked.shown)} of {len(policy.lines)} rules and rows"
    console.print(f"Looks at {len(policy.inputs)} inputs.")
    console.print(f"{checked.examples} examples show {shown}.")
    console.print(f"A decision takes at most {checked.steps} of {checked.steps_max} steps.")
    for one in checked.findings:
        word = ("fault", f"bold {BAD}") if one.is_fault else ("note", GOLD)
        console.print(Text.assemble("  ", word, f" {one.where}: {one.told}"))


def _lines(lines: Sequence[Line], checked: Checked) -> Grid:
    grid = _grid("no", "line", "when", "then", "reason", "shown")
    for line in lines:
        then = [act.word for act in line.acts]
        then += [f"{line.points:+} points"] if line.points else []
        then += [offer_text(one) for one in line.offers]
        shown = "yes" if line.number in checked.shown else "-"
        grid.add_row(
            str(line.number), line.name, line.text, ", ".join(then), line.reason or "", shown
        )
    return grid


def offer_text(offer: Offer) -> str:
    """Return an offer in a few words, with its price where it is below the product's own."""
    at = "" if offer.price_ppm == PPM else f" @ {percent_text(offer.price_ppm, 2)}"
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
            {"where": one.where, "told": one.told, "is_fault": one.is_fault}
            for one in checked.findings
        ],
    }


def show_adoptions(adoptions: Sequence[Adoption], console: Console) -> None:
    """Print who adopted what; the last of each kind decides."""
    last = {one.kind: one.number for one in adoptions}
    grid = _grid("decides", "no", "policy", "adopted by", "at", "")
    for one in adoptions:
        words = ["live"] if last[one.kind] == one.number else []
        words += ["rollback"] if one.is_rollback else []
        words += [one.because] if one.because else []
        grid.add_row(
            one.kind.value,
            str(one.number),
            f"{one.policy} {one.version}",
            one.adopted_by,
            f"{one.adopted_at:%Y-%m-%d %H:%M}",
            ", ".join(words),
        )
    console.print(grid if adoptions else "Nobody adopted a policy yet.")


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


def show_difference(found: Difference, console: Console) -> None:
    """Print how two policies decide the same decisions."""
    console.print(
        f"{found.compared:,} of {found.seen:,} decisions of {found.days} days were made again; "
        f"{found.changed:,} come out otherwise."
    )
    if found.menus:
        console.print(f"{found.menus:,} of them offer another menu.")
    for names, count in found.left_out.items():
        lacking = f" {count:,}: not recorded for them: {names}"
        console.print(Text.assemble("  ", ("left out", GOLD), lacking))
    if not found.compared:
        return
    matrix = _grid(found.first, found.second, "decisions", "share")
    for (first, second), count in found.outcomes:
        style = "" if first == second else f"bold {GOLD}"
        share = f"{count / found.compared:.2%}"
        matrix.add_row(first, second, f"{count:,}", share, style=style)
    console.print(matrix)
    if found.lines:
        lines = _grid("line", f"hits in {found.first}", f"hits in {found.second}", "change")
        for name, (first_hits, second_hits) in found.lines.items():
            told = tuple("-" if one is None else f"{one:,}" for one in (first_hits, second_hits))
            lines.add_row(name, *told, f"{(second_hits or 0) - (first_hits or 0):+,}")
        console.print(lines)
    show_moved(found.plans, (found.first, found.second), console)
    for one in found.examples:
        console.print(
            f"  {one.decision_id}: {one.first.outcome} ({_reasons(one.first.reasons)}) -> "
            f"{one.second.outcome} ({_reasons(one.second.reasons)})"
        )


def show_moved(plans: Mapping[Moved, int], names: tuple[str, str], console: Console) -> None:
    """Print which plans two policies offer differently, the most frequent first."""
    if not plans:
        return
    grid = _grid("plan", *names, "decisions")
    for one, count in sorted(plans.items(), key=lambda one: (-one[1], one[0][:2])):
        prices = (_price_text(one.first_ppm), _price_text(one.second_ppm))
        grid.add_row(f"{one.product} x {one.instalments}", *prices, f"{count:,}")
    console.print(grid)


def _price_text(price_ppm: int | None) -> str:
    if price_ppm is None:
        return "not offered"
    return "as listed" if price_ppm == PPM else f"{percent_text(price_ppm, 2)} of its price"


def _reasons(codes: Sequence[str]) -> str:
    return ", ".join(codes) or "no reason"


def _grid(*heads: str) -> Grid:
    grid = Grid(box=SIMPLE_HEAD, header_style="dim", pad_edge=False)
    for head in heads:
        grid.add_column(head, overflow="fold")
    return grid

"""From the lines that were hit to the verdict: effects, reasons, menu. Shared by both compilations.

Both compilations find which lines are hit or unknown; what follows from that is here, once.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from fenqi.core.risk.decision import HARMFUL, Effect
from fenqi.core.risk.policy.policy import (
    APPROVE,
    PARAMETERS,
    REASONS_MAX,
    STRENGTH,
    WEIGHT,
    Act,
    Line,
    Offer,
    Policy,
    Verdict,
)

KEPT_MAX = 4096  # combinations of lines whose effects are kept ready


class Followed(NamedTuple):
    """What a combination of lines and thresholds leads to.

    `threshold` is the weight of the weightiest effect a sum of points led to, 0 for none;
    `counts_max` how far a cooler menu goes, 0 for none.
    """

    outcome: str
    effects: tuple[Act, ...]
    threshold: int
    counts_max: int


class Conclusion:
    """What follows from which lines of one policy.

    `order` are the numbers of the lines as their reasons are told: those that harm first, by
    effect, by how strong its parameter is, by points. Lists of hits are in this order.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.thresholds = tuple(sorted(policy.thresholds, key=lambda one: one.at_least))
        lines = policy.lines
        self.order = tuple(sorted(range(len(lines)), key=lambda one: _rank(lines[one])))
        self.rank = _places(self.order)
        codes = [line.reason for line in lines if line.reason is not None]
        self.is_code_shared = {code: codes.count(code) > 1 for code in codes}
        self.acting = frozenset(line.number for line in lines if line.acts)
        self._ranks: dict[int, tuple[int, ...]] = {}  # by the weight of a reached threshold
        self._followed: dict[tuple[tuple[int, ...], int, int], Followed] = {}
        self._menus: dict[tuple[tuple[int, ...], int], tuple[Offer, ...]] = {}

    def followed(self, acting: tuple[int, ...], reached: int, reached_surely: int) -> Followed:
        """Return what lines with effects and the lowest thresholds lead to.

        `reached` thresholds are reached by the points; only the `reached_surely` lowest of them
        are whatever the unknown lines would say, and only those may harm.
        """
        key = (acting, reached, reached_surely)
        found = self._followed.get(key)
        if found is None:
            if len(self._followed) >= KEPT_MAX:
                self._followed.clear()
            found = self._followed[key] = self._follow(*key)
        return found

    def _follow(self, acting: Iterable[int], reached: int, reached_surely: int) -> Followed:
        by_points = [
            act
            for place, threshold in enumerate(self.thresholds[:reached])
            for act in threshold.acts
            if place < reached_surely or act.effect not in HARMFUL
        ]
        acts = [act for number in acting for act in self.policy.lines[number].acts] + by_points
        effects = tuple(strongest(acts))
        cooler = next((act.amount for act in effects if act.effect is Effect.COOLER_MENU), 0)
        return Followed(
            outcome=effects[0].effect.value if effects else APPROVE,
            effects=effects,
            threshold=max((WEIGHT[act.effect] for act in by_points), default=0),
            counts_max=cooler,
        )

    def leading(self, threshold: int) -> tuple[int, ...]:
        """Return the lines that can lead to an effect, strongest first.

        `threshold` is the weight of the effect that points led to, 0 if they led to none.
        """
        lines = self.policy.lines
        led = [
            one for one in self.order if lines[one].acts or (threshold and lines[one].points > 0)
        ]
        return tuple(sorted(led, key=self._rank_under(threshold).__getitem__) if threshold else led)

    def reasons(self, hits: Sequence[int], threshold: int) -> tuple[str, ...]:
        """Return the codes of the lines that led to the effects, strongest first, each once."""
        lines = self.policy.lines
        led = [one for one in hits if one in self.acting or (threshold and lines[one].points > 0)]
        if threshold:
            led.sort(key=self._rank_under(threshold).__getitem__)
        codes: list[str] = []
        for number in led:
            code = lines[number].reason
            if code is not None and code not in codes:
                codes.append(code)
                if len(codes) == REASONS_MAX:
                    break
        return tuple(codes)

    def _rank_under(self, threshold: int) -> tuple[int, ...]:
        """Return the places of the lines if points led to an effect of this weight."""
        rank = self._ranks.get(threshold)
        if rank is None:
            lines = self.policy.lines
            order = sorted(self.order, key=lambda one: _led(lines[one], threshold))
            rank = self._ranks[threshold] = _places(order)
        return rank

    def is_order_kept(self, threshold: int) -> bool:
        """Return whether the lines that points led from stand in `order` already."""
        rank = self._rank_under(threshold)
        lines = self.policy.lines
        led = [one for one in self.order if lines[one].acts or lines[one].points > 0]
        return led == sorted(led, key=rank.__getitem__)

    def menu(self, offering: tuple[int, ...], counts_max: int) -> tuple[Offer, ...]:
        """Return the offers of some lines, cooled to `counts_max` instalments unless that is 0."""
        key = (offering, counts_max)
        found = self._menus.get(key)
        if found is None:
            if len(self._menus) >= KEPT_MAX:
                self._menus.clear()
            offers = [one for number in offering for one in self.policy.lines[number].offers]
            found = self._menus[key] = cooled(_merged(offers), counts_max)
        return found

    def menu_after(self, hits: Sequence[int]) -> tuple[Offer, ...]:
        """Return the menu that followed when these lines, in `order`, were hit.

        What is unknown may keep points from harming, never from making a menu cooler, so hits
        alone tell it.
        """
        lines = self.policy.lines
        points = sum(lines[one].points for one in hits)
        taken = [one for one in hits if lines[one].offers]
        return self.verdict(hits, (), points=points, surely=points, taken=taken).offers

    def verdict(
        self,
        hits: Sequence[int],
        unknown: Sequence[int],
        *,
        points: int,
        surely: int,
        taken: Sequence[int],
    ) -> Verdict:
        """Return the verdict on lines in `order`; `surely` is the least the points can be.

        `taken` are the rows whose offers are on the menu.
        """
        acting = tuple(one for one in hits if one in self.acting)
        reached = sum(points >= one.at_least for one in self.thresholds)
        surely_reached = sum(surely >= one.at_least for one in self.thresholds)
        found = self.followed(acting, reached, min(reached, surely_reached))
        return Verdict(
            outcome=found.outcome,
            effects=found.effects,
            reasons=self.reasons(hits, found.threshold),
            points=points,
            hits=tuple(hits),
            unknown=tuple(unknown),
            offers=self.menu(tuple(taken), found.counts_max),
        )


def strongest(acts: Iterable[Act]) -> list[Act]:
    """Return each effect once with its strongest parameter, the strongest effect first."""
    best: dict[Effect, Act] = {}
    for act in acts:
        other = best.get(act.effect)
        if other is None or _force(act) > _force(other):
            best[act.effect] = act
    return sorted(best.values(), key=lambda act: -STRENGTH[act.effect])


def cooled(offers: Sequence[Offer], counts_max: int) -> tuple[Offer, ...]:
    """Return a menu without the counts above `counts_max`, but never an empty one.

    A cooler menu is no silent decline: if every count is above, the shortest of all stays.
    """
    if not counts_max or not offers:
        return tuple(offers)
    kept = [
        one._replace(counts=tuple(count for count in one.counts if count <= counts_max))
        for one in offers
    ]
    left = tuple(one for one in kept if one.counts)
    if left:
        return left
    shortest = min(min(one.counts) for one in offers)
    return tuple(one._replace(counts=(shortest,)) for one in offers if shortest in one.counts)


def _merged(offers: Sequence[Offer]) -> list[Offer]:
    """Return each product at each price once, its counts together."""
    counts: dict[tuple[str, int], set[int]] = {}
    for one in offers:
        counts.setdefault((one.product, one.price_ppm), set()).update(one.counts)
    return [Offer(name, tuple(sorted(found)), price) for (name, price), found in counts.items()]


def _force(act: Act) -> int:
    parameter = PARAMETERS.get(act.effect)
    return act.amount if parameter is None or parameter.is_highest_strongest else -act.amount


def _rank(line: Line) -> tuple[int, ...]:
    first = max(line.acts, key=lambda act: WEIGHT[act.effect], default=None)
    force = _force(first) if first else 0
    return (-line.weight, -force, -line.points, line.number)


def _led(line: Line, threshold: int) -> tuple[int, int]:
    return (-max(line.weight, threshold if line.points > 0 else 0), -line.points)


def _places(order: Sequence[int]) -> tuple[int, ...]:
    """Return for each number its place in an order."""
    places = [0] * len(order)
    for place, number in enumerate(order):
        places[number] = place
    return tuple(places)

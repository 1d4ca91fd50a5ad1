"""The yearly cap after a change: periods are months as at signing, later days cost less a year."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from fenqi.core.terms.allowances import Allowances, DeferralRule, ExtensionRule
from fenqi.core.terms.cap import check_changed
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.preview import preview
from fenqi.core.terms.life.view import View
from fenqi.core.terms.pack import CapBroken, Pack, check_plan
from fenqi.core.terms.replay import life_of, replay
from fenqi.core.terms.schedule import Terms
from make import annuity, flat, life, product, refund, terms

CN = Pack(
    pack_id="cn",
    version=1,
    currencies=("CNY",),
    nominal_annual_max_ppm=240_000,
    late_rate_ppm_per_day_max=500,
    late_cap_ppm_max=240_000,
    late_grace_days_min=3,
    write_off_dpd=180,
    non_accrual_dpd=90,
    hold_days=30,
    bucket_bounds=(0,),
    provision_ppm=(0, 0),
)
ASKED = date(2026, 12, 20)


def changed(plan: Terms, *, cost_ppm: int, count: int = 0, days: int = 3) -> View:
    """Return a plan of which the next instalment was deferred, or to which some were added."""
    offered = Allowances(
        deferral=DeferralRule(31, 9, cost_ppm=cost_ppm),
        extension=ExtensionRule(60, 9, cost_ppm_per_period=cost_ppm),
    )
    lived = life_of(plan, life(plan), allowances=offered)
    if count:
        asked = customer.extension(lived, ASKED, count=count, reviewed_by="officer")
        return preview(lived, asked).after
    return preview(lived, customer.deferral(lived, ASKED, days=days)).after


def rate(plan: Terms, view: View, pack: Pack) -> int:
    with pytest.raises(CapBroken) as refusal:
        check_changed(plan, view, pack)
    return int(str(refusal.value.fields["value"]))


@pytest.mark.parametrize("of", [product(), flat(5_000), annuity(180_000)])
def test_what_was_fit_to_be_signed_is_fit_when_it_changes_for_free(of: object) -> None:
    plan = terms(of, 600_000, 6)  # type: ignore[arg-type] # a product
    check_plan(plan, CN)
    check_changed(plan, changed(plan, cost_ppm=0), CN)
    check_changed(plan, changed(plan, cost_ppm=0, count=6), CN)


def test_a_plan_at_the_cap_has_no_room_for_a_price() -> None:
    plan = terms(annuity(240_000), 1_200_000, 12)
    pack = replace(CN, nominal_annual_max_ppm=240_010)  # what rounding needs
    check_plan(plan, pack)
    assert rate(plan, changed(plan, cost_ppm=1_000, days=1), pack) > 240_010


def test_the_rate_that_is_told_is_the_first_the_plan_is_under() -> None:
    plan = terms(product(), 1_000_000, 1)
    view = changed(plan, cost_ppm=30_000, days=1)
    pack = replace(CN, nominal_annual_max_ppm=0)
    told = rate(plan, view, pack)
    # 3 % for a month and a day is 3 % x 12 x 365 / (365 + 12) a year, told within the straight line
    assert told == pytest.approx(30_000 * 12 * 365 / (365 + 12), rel=0.002)
    check_changed(plan, view, replace(pack, nominal_annual_max_ppm=told))
    with pytest.raises(CapBroken):
        check_changed(plan, view, replace(pack, nominal_annual_max_ppm=told - 1))


def test_days_later_make_the_same_price_cheaper_a_year() -> None:
    plan = terms(product(), 1_000_000, 2)
    pack = replace(CN, nominal_annual_max_ppm=0)
    rates = [rate(plan, changed(plan, cost_ppm=10_000, days=days), pack) for days in (1, 10, 25)]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == len(rates)


def test_what_was_taken_back_counts_neither_as_lent_nor_as_asked() -> None:
    plan = terms(flat(5_000), 600_000, 6)
    half = replay(
        plan,
        life(plan, refund(ASKED, 300_000)),
        charged_through=ASKED - timedelta(days=1),
    )
    check_changed(plan, half, CN)

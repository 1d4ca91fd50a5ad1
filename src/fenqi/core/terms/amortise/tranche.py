"""A drawdown with its own full term: it brings as many instalments as the plan began with.

Its rows are those of a plan of its own, begun with the period it falls in; rows with the days of
one that is there already are added to it, the others follow at the end.

Source: README of the published vectors, "Later disbursement".
"""

from dataclasses import replace
from datetime import date

from fenqi.core.terms.amortise.dates import spans
from fenqi.core.terms.amortise.events import disburse
from fenqi.core.terms.amortise.level import place_leftover
from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.amortise.period import Period
from fenqi.core.terms.amortise.settings import Accrual


def disburse_full_term(model: Model, on: date, amount_minor: int, count: int) -> None:
    """Lend an amount on a day over a full term of `count` instalments of its own."""
    running = next((p for p in model.periods if p.starts_on <= on < p.due_on), None)
    start = model.periods[-1].due_on if running is None else running.starts_on
    alone = replace(model.settings, multiple=0, accrual=Accrual.DAILY)
    own = Model(alone, spans(start, model.settings.interval, count))
    disburse(own, on, amount_minor)
    model.disbursements.append((on, amount_minor))
    model.change_balance(on, disbursed_minor=amount_minor)
    known = {(period.starts_on, period.due_on): period for period in model.periods}
    for row in own.rows():
        amount = row.principal_minor + row.interest_minor
        period = known.get((row.starts_on, row.due_on))
        if period is None:
            period = Period(model.periods[-1].due_on, row.due_on)
            model.periods.append(period)
        period.instalment_minor += amount
        period.signed_minor = period.instalment_minor
        model.refresh_factor(period)
    place_leftover(model, on)

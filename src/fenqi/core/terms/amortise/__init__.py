"""The interest model: instalment periods, the interest that runs in them, level instalments.

A `Model` is built from settings and periods, is told events in the order in which they happened,
and can be asked at any moment what each period asks for. It is the one mutable thing here; a walk
that replays a contract owns it and copies it where it must remember a moment.

    settings  what a product says: day counts, frequency, rounding
    dates     due days
    factor    the rate factor of a span of days
    rounding  how an amount becomes money, and an instalment a multiple
    period    a period, its segments, and what follows from its facts
    model     the periods of one plan, their balances, splitting and copying
    deferral  interest that ran in later, paid periods
    leftover  the row that takes what instalments leave over
    flat      instalments of flat interest
    level     the level instalment and its smoothing
    events    disburse, pay, credit, correct, change the rate, pause
    as_of     the model up to a day: amounts due, pay-off, overdue principal
    shift     moved due days, extra periods, a plan that ends at once
    re_age, re_amortise   what is outstanding, levelled or shared out over other rows
    down_payment          the part of a disbursement due at once

The settings and rules in words: docs/reference/interest.md. Source: the semantics of Apache
Fineract's progressive loan engine (state of June 2026), in our words; each rule stands once, where
its file says.
"""

"""Charge-off, write-off and termination: how a life ends when the claim is not paid."""

from fenqi.core.terms.life.operations import ChargeOff, Terminate, WriteOff
from fenqi.core.terms.life.state import Kind
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component


def charge_off(walk: Walk, operation: ChargeOff | Terminate) -> None:
    """Give the claim up in the accounts: the transaction holds everything still open."""
    kind = Kind.CHARGE_OFF if isinstance(operation, ChargeOff) else Kind.TERMINATION
    transaction = walk.begin(operation, kind, walk.open_minor)
    for component in Component:
        transaction.parts[component] = sum(row.open(component) for row in walk.rows)
    walk.is_charged_off |= kind is Kind.CHARGE_OFF
    walk.is_terminated |= kind is Kind.TERMINATION


def write_off(walk: Walk, operation: WriteOff) -> None:
    """Write everything open off, row by row."""
    transaction = walk.begin(operation, Kind.WRITE_OFF, walk.open_minor)
    for row in walk.rows:
        for component in Component:
            given_up = row.open(component)
            row.written_off[component] += given_up
            transaction.parts[component] += given_up
        row.met_on = row.met_on or operation.on
    walk.is_written_off = True

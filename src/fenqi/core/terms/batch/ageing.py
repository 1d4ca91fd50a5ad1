"""How late many plans are, and their buckets; twin of `core.servicing.ageing`."""

from collections.abc import Collection
from datetime import date

import numpy as np
from numpy.typing import NDArray

from fenqi.core.terms.batch.arrays import DAY, Days, require


def days_past_due(
    oldest_due_on: Days, on: date, excused: Collection[date] = ()
) -> NDArray[np.int64]:
    """Return how late debts are at the end of `on`, excused days not counted; twin of the scalar.

    Shapes: days (plans,) of type datetime64[D], NaT where nothing is owed -> (plans,) of int64.
    Errors: ShapeInvalid.
    """
    require("oldest_due_on", oldest_due_on, DAY, (-1,))
    today = np.datetime64(on, "D")
    late = (today - oldest_due_on).astype(np.int64)
    if excused:
        days = np.array(sorted(excused), dtype=DAY)
        before = np.searchsorted(days, oldest_due_on, side="right")
        late -= np.searchsorted(days, today, side="right") - before
    return np.where(today > oldest_due_on, late, 0)


def buckets(days: NDArray[np.int64], upper_bounds: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the bucket of each number of days past due; twin of `bucket_of`.

    Shapes: (plans,) -> (plans,). Errors: ShapeInvalid.
    """
    require("days", days, "int64", (-1,))
    return np.searchsorted(np.asarray(upper_bounds), days, side="left").astype(np.int64)

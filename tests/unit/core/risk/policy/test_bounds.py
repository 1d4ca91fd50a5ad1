"""The largest policy that may be read is compiled and decides; one line more is refused."""

import numpy as np

from fenqi.core.risk.policy.columns import compile_columns
from fenqi.core.risk.policy.parse import DEPTH_MAX
from fenqi.core.risk.policy.rows import compile_row
from make_policy import policy


def test_the_deepest_condition_is_compiled() -> None:
    depth = DEPTH_MAX - 2
    deep = "is_held"
    for place in range(depth):
        deep = f"({deep}) {'or' if place % 2 else 'and'} is_student"
    names = ["one", "two", "three", "four"]
    body = f'[[rules]]\nid = "zero"\nwhen = "{deep}"\n'
    for above, name in zip(["zero", *names], names, strict=False):
        body += f'[[rules]]\nid = "{name}"\nwhen = "{deep}"\nsuppressed_by = ["{above}"]\n'
    made = policy(body)
    verdict = compile_row(made)(made.row({"is_held": 1, "is_student": 1}))
    assert verdict.hits == (0, 2, 4)
    assert compile_row(made)(made.row({})).unknown == (0, 1, 2, 3, 4)


def test_a_table_of_a_thousand_rows_is_compiled() -> None:
    body = '[[tables]]\nid = "t"\nhit = "first"\ncolumns = ["purchases_24h"]\n'
    body += "".join(f'[[tables.rows]]\nid = "r{one}"\nwhen = ["== {one}"]\n' for one in range(999))
    body += '[[tables.rows]]\nid = "end"\notherwise = true\n'
    made = policy(body)
    decide = compile_row(made)
    assert decide([998]).hits == (998,)
    assert decide([5000]).hits == (999,)
    assert decide([None]).hits == ()
    assert len(decide([None]).unknown) == 999
    found = compile_columns(made)(np.array([[3, 998, 7000]], np.int64), None)
    assert [found.verdict(one).hits for one in range(3)] == [(3,), (998,), (999,)]

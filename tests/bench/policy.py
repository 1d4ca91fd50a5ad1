"""A decision by 100 rules, reasons included, against zen-engine on the same rules.

    PYTHONPATH=src:tests python tests/bench/policy.py [--rounds 5] [--rows 2000] [--json FILE]

The rules have two to four comparisons over 22 inputs; about 17 are hit per decision, each adds
points and has a reason. zen-engine gets them as one table that collects (its fast form: the codes
and points are columns of the answer, no trace), behind an engine with a loader of its own, which
is its fastest way; it decides nothing but which rules are hit, while we also sum the points, apply
the thresholds and pick the reasons. That both hit the same rules is checked before anything is
timed. Time is that of the processor, so other programs on the machine count for little.
"""

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import zen

from fenqi.core.risk.input import Input, Purpose, Unit
from fenqi.core.risk.policy.columns import compile_columns
from fenqi.core.risk.policy.policy import Policy, Verdict
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.policy.rows import compile_row
from make_policy import policy_text

INPUTS = 22
RULES = 100
HIT_SHARE = 0.5  # of one comparison; about 17 of 100 rules are hit
MOST = 1000
FLOOR, AIM, BATCH_FLOOR = 6, 9, 150
BATCH_ROWS = 200_000

Rule = list[tuple[int, str, int]]  # input, order, number


def rules(chance: random.Random) -> list[Rule]:
    """Return the rules: comparisons, each of them true of the same share of values."""
    made = []
    for _ in range(RULES):
        rule = []
        for one in chance.sample(range(INPUTS), chance.choice([2, 2, 3, 4])):
            share = HIT_SHARE + chance.uniform(-0.2, 0.25)
            is_above = chance.random() < 0.5
            number = int(MOST * (1 - share)) if is_above else int(MOST * share)
            rule.append((one, ">" if is_above else "<=", number))
        made.append(rule)
    return made


def our_policy(made: list[Rule]) -> Policy:
    vocabulary = {
        f"i{one}": Input(f"i{one}", Unit.COUNT, frozenset(Purpose)) for one in range(INPUTS)
    }
    body = "".join(
        f'[[rules]]\nid = "rule-{number}"\npoints = {5 + number % 20}\nreason = "r{number}"\n'
        f'when = "{" and ".join(f"i{one} {order} {value}" for one, order, value in rule)}"\n'
        for number, rule in enumerate(made)
    )
    body += '[[thresholds]]\nat_least = 120\neffects = [{effect = "review", priority = 2}]\n'
    body += '[[thresholds]]\nat_least = 260\neffects = [{effect = "decline"}]\n'
    return read(policy_text(body, reasons=" ".join(f"r{one}" for one in range(RULES))), vocabulary)


def zen_graph(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a graph of one node between input and output."""
    inner = nodes[0]["id"]
    return {
        "nodes": [
            {"id": "in", "type": "inputNode", "name": "in"},
            *nodes,
            {"id": "out", "type": "outputNode", "name": "out"},
        ],
        "edges": [
            {"id": "e1", "sourceId": "in", "targetId": inner, "type": "edge"},
            {"id": "e2", "sourceId": inner, "targetId": "out", "type": "edge"},
        ],
    }


def zen_table(made: list[Rule]) -> dict[str, Any]:
    """Return the rules as a table that collects the number of every row that holds."""
    table = {
        "hitPolicy": "collect",
        "inputs": [
            {"id": f"c{one}", "name": f"i{one}", "field": f"i{one}"} for one in range(INPUTS)
        ],
        "outputs": [{"id": "code", "name": "code", "field": "code"}],
        "rules": [
            {
                "_id": f"row{number}",
                **{f"c{one}": "" for one in range(INPUTS)},
                **{f"c{one}": f"{order} {value}" for one, order, value in rule},
                "code": str(number),
            }
            for number, rule in enumerate(made)
        ],
    }
    node = {"id": "table", "type": "decisionTableNode", "name": "table", "content": table}
    return zen_graph([node])


def zen_expressions(made: list[Rule]) -> dict[str, Any]:
    """Return the rules as expressions that give the points of each."""
    expressions = [
        {
            "id": f"e{number}",
            "key": f"r{number}",
            "value": " and ".join(f"i{one} {order} {value}" for one, order, value in rule)
            + f" ? {5 + number % 20} : 0",
        }
        for number, rule in enumerate(made)
    ]
    total = " + ".join(f"$.r{number}" for number in range(RULES))
    expressions.append({"id": "total", "key": "points", "value": total})
    content = {"expressions": expressions}
    return zen_graph([{"id": "x", "type": "expressionNode", "name": "x", "content": content}])


def seconds(run: Callable[[], object]) -> float:
    gc.collect()
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--rows", type=int, default=2000)
    words.add_argument("--json", type=Path)
    asked = words.parse_args()
    chance = random.Random(7)
    made = rules(chance)
    policy = our_policy(made)
    decide, decide_all = compile_row(policy), compile_columns(policy)
    names = [one.name for one in policy.inputs]
    take = itemgetter(*names)
    named = [{name: chance.randint(1, MOST) for name in names} for _ in range(asked.rows)]
    content = {"table": zen_table(made), "expressions": zen_expressions(made)}
    engine = zen.ZenEngine({"loader": {"type": "static", "content": content}})
    check(engine, named, [decide(take(one)) for one in named])
    batch = np.random.default_rng(7).integers(1, MOST, (INPUTS, BATCH_ROWS), endpoint=True)
    ways: dict[str, Callable[[], object]] = {
        "zen_table": lambda: [engine.evaluate("table", one) for one in named],
        "zen_expressions": lambda: [engine.evaluate("expressions", one) for one in named],
        "row": lambda: [decide(take(one)) for one in named],
        "batch": lambda: decide_all(batch, None),
        "batch_reasons": lambda: decide_all(batch, None).reasons(),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(asked.rounds):
        for name, way in ways.items():
            took[name].append(seconds(way))
    result = told(took, asked.rows, statistics.mean(len(decide(take(one)).hits) for one in named))
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(not result["is_met"])


def check(engine: Any, named: list[dict[str, int]], ours: list[Verdict]) -> None:
    """Refuse to time what does not agree."""
    for one, verdict in zip(named, ours, strict=True):
        rows = engine.evaluate("table", one)["result"]
        hits = sorted(int(row["code"]) for row in rows)
        points = engine.evaluate("expressions", one)["result"]["points"]
        if hits != sorted(verdict.hits) or points != verdict.points:
            raise SystemExit("the engines do not agree; nothing is timed")


def told(took: dict[str, list[float]], rows: int, hits: float) -> dict[str, Any]:
    each = {name: [one / rows for one in found] for name, found in took.items()}
    for name in ("batch", "batch_reasons"):
        each[name] = [one / BATCH_ROWS for one in took[name]]
    ratios = {
        f"{way}_against_{other}": sorted(
            slow / fast for slow, fast in zip(each[other], each[way], strict=True)
        )
        for way in ("row", "batch", "batch_reasons")
        for other in ("zen_table", "zen_expressions")
    }
    ratio = statistics.median(ratios["row_against_zen_table"])
    batch = statistics.median(ratios["batch_reasons_against_zen_table"])
    return {
        "bench": "a decision by 100 rules, reasons included, against zen-engine 2.1.3",
        "hits_mean": round(hits, 1),
        "us_each_median": {
            name: round(statistics.median(found) * 1e6, 3) for name, found in each.items()
        },
        "ratios": {
            name: {
                "median": round(statistics.median(found), 2),
                "spread": [round(found[0], 2), round(found[-1], 2)],
            }
            for name, found in ratios.items()
        },
        "median_ratio": round(ratio, 2),
        "spread": [round(ratios["row_against_zen_table"][place], 2) for place in (0, -1)],
        "batch_ratio": round(batch, 1),
        "batch_spread": [
            round(ratios["batch_reasons_against_zen_table"][place], 1) for place in (0, -1)
        ],
        "floor": FLOOR,
        "aim": AIM,
        "batch_floor": BATCH_FLOOR,
        "is_met": ratio >= FLOOR and batch >= BATCH_FLOOR,
    }


if __name__ == "__main__":
    main()

"""One process that measures one tree of the program, on request: a line of JSON in, a line of JSON out.

    python benchmarks/worker.py ROOT

The program is imported from ROOT, the benchmarks are always those of this file's own tree, so that an older revision is
measured by the same yardstick. The driver (bench.py) alternates between two such processes.

    {"case": "plan()", "size": 100}                      => {"ready": true} or {"missing": "why"}
    {"seconds": 0.2}   time the case that is ready        => {"value": 0.0012, "calls": 17, "note": null}
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path[0] = sys.argv[1]
import copytrade  # noqa: E402  # from ROOT, before this tree's comes into sight

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import cases  # noqa: E402


def main() -> None:
    """Answer requests until the input ends."""
    assert copytrade.__file__ is not None
    assert Path(copytrade.__file__).is_relative_to(Path(sys.argv[1]).resolve()), copytrade.__file__
    ready: tuple[cases.Case, cases.Call] | None = None
    try:
        for line in sys.stdin:
            asked = json.loads(line)
            if "case" in asked:
                ready = None
                case = cases.CASES[asked["case"]]
                try:
                    ready = case, case.prepare(asked["size"])
                    ready[1]()  # whatever is imported or cached at the first call
                except (ImportError, AttributeError, TypeError) as error:
                    _say({"missing": f"{type(error).__name__}: {error}"})
                    continue
                _say({"ready": True})
            else:
                assert ready is not None
                _say(_timed(*ready, asked["seconds"]))
    finally:
        cases.clean_up()


def _timed(case: cases.Case, call: cases.Call, seconds: float) -> dict[str, Any]:
    """Call for about so long, at least once; the figure of one call."""
    if case.clock == "own":
        value, note = call()
        return {"value": value, "calls": 1, "note": note}
    clock = time.process_time if case.clock == "cpu" else time.perf_counter
    gc.collect()
    calls, began = 0, clock()
    while True:
        call()
        calls += 1
        passed = clock() - began
        if passed >= seconds:
            return {"value": passed / calls / case.per, "calls": calls, "note": None}


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

"""What each version that ships answers, kept so that published numbers stay reproducible.

python tests/contract/answers.py            # add the answers of versions that are new
python tests/contract/answers.py --renew    # replace all: only before a version is released
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from eahas import api
from eahas.benchmark.benchmark import Benchmark

ANSWERS = Path(__file__).with_suffix(".json")
CONFIGURATIONS = 8


def answers(bench: Benchmark) -> list[dict[str, Any]]:
    """Of a few configurations predictions, deviations and one run; a curve by its ends."""
    found = []
    for config in bench.space.sample(CONFIGURATIONS, seed=0):
        prediction, run = bench.predict(config), bench.predict(config, noise_seed=7)
        values = {}
        for target in bench.targets:
            name, curve = target.name, target.kind == "curve"
            told = [p.curves[name] if curve else getattr(p, name) for p in (prediction, run)]
            parts = (told[0], prediction.std[name], told[1])
            values[name] = [[p[0], p[-1]] if curve else [p] for p in parts]
        found.append({"config": config, "targets": values})
    return found


def main() -> None:
    known = {} if "--renew" in sys.argv else json.loads(ANSWERS.read_text(encoding="utf-8"))
    for listed in api.list_benchmarks():
        bench = api.load_benchmark(f"{listed['name']}@{listed['version']}")
        known.setdefault(bench.id, answers(bench))
    ANSWERS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

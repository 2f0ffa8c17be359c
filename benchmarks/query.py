"""Compare the query speed of ours and of YAHPO Gym's lcbench surrogate in one run.

    python -m benchmarks.query --peer-python VENV/bin/python --peer-data DATA/yahpo

YAHPO Gym needs numpy < 2, so it has its own interpreter: a virtual environment with
`pip install yahpo-gym "numpy<2"`. Without --peer-python only ours is measured. A round starts a
fresh interpreter for each of the two in turn; its figure is the median of many queries. The output
contains the best round of each, because other work on a shared host can only make a round slower,
and the ratio of the medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import textwrap

ROUNDS = 11

OURS = """
import json, resource, sys, time
start = time.perf_counter()
from eahas import api
bench = api.load_benchmark("regnet-digits")
config = bench.space.sample(seed=0)
bench.predict(config).runtime_s
first_s = time.perf_counter() - start
torch_loaded = "torch" in sys.modules
configs = bench.space.sample(300, seed=1)

def median(call, items):
    call(items[0])
    taken = []
    for item in items:
        begun = time.perf_counter()
        call(item)
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[len(taken) // 2]

def scalars(config):
    p = bench.predict(config)
    return [(getattr(p, t.name), p.std[t.name]) for t in bench.spec.scalars]

def curves(config):
    p = bench.predict(config)
    return [(getattr(p, t.name), p.std[t.name]) for t in bench.spec.scalars], dict(p.curves)

single_s = median(scalars, configs)
curves_s = median(curves, configs)
memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
many = bench.space.sample(10_000, seed=2)
bench.predict(many[:100])

def throughput(call):
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        call(bench.predict(many))
        taken.append(time.perf_counter() - begun)
    return len(many) / sorted(taken)[1]

print(json.dumps({
    "first_s": first_s, "torch_loaded": torch_loaded, "single_s": single_s, "curves_s": curves_s,
    "list_per_s": throughput(lambda p: [getattr(p, t.name) for t in bench.spec.scalars]),
    "list_with_curves_per_s": throughput(lambda p: [p.runtime_s, p.learning_curve]),
    "memory_mb": memory_mb,
}))
"""

PEER = """
import json, sys, time
start = time.perf_counter()
from yahpo_gym import BenchmarkSet, local_config
local_config.init_config()
local_config.set_data_path(sys.argv[1])
bench = BenchmarkSet("lcbench", instance="3945")
space = bench.get_opt_space()
space.seed(0)
bench.objective_function(space.sample_configuration().get_dictionary())
first_s = time.perf_counter() - start
configs = [c.get_dictionary() for c in space.sample_configuration(1000)]
taken = []
for config in configs[:300]:
    begun = time.perf_counter()
    bench.objective_function(config)
    taken.append(time.perf_counter() - begun)
rates = []
for _ in range(3):
    begun = time.perf_counter()
    bench.objective_function(configs)
    rates.append(len(configs) / (time.perf_counter() - begun))
single_s, list_per_s = sorted(taken)[150], sorted(rates)[1]
print(json.dumps({"first_s": first_s, "single_s": single_s, "list_per_s": list_per_s}))
"""


def run(python: str, code: str, *arguments: str) -> dict[str, float]:
    """Run code in a fresh interpreter, and return the JSON that it prints last."""
    done = subprocess.run(
        [python, "-W", "ignore", "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def best(key: str, values: list[float]) -> float:
    """The shortest time, or the highest rate."""
    return max(values) if key.endswith("per_s") else min(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", help="interpreter of an environment with yahpo-gym")
    parser.add_argument("--peer-data", help="folder that contains lcbench/")
    arguments = parser.parse_args()
    if bool(arguments.peer_python) != bool(arguments.peer_data):
        parser.error("--peer-python and --peer-data go together")
    ours, peers = [], []
    for _ in range(ROUNDS):
        ours.append(run(sys.executable, OURS))
        if arguments.peer_python:
            peers.append(run(arguments.peer_python, PEER, arguments.peer_data))

    def line(name: str, key: str, unit: str, factor: float, theirs: str, requirement: str) -> None:
        mine = [factor * r[key] for r in ours]
        text = f"{name:32}{best(key, mine):12.1f} {unit}"
        if theirs and peers:
            other = [factor * r[theirs] for r in peers]
            ratio = best(key, mine) / best(key, other)
            median_ratio = statistics.median(mine) / statistics.median(other)
            text += f"{best(key, other):12.1f} {unit}{ratio:9.2f}{median_ratio:9.2f}"
        print(f"{text}   ({requirement})")

    heads = f"{'YAHPO lcbench':>15}{'ratio':>9}{'medians':>9}" if peers else ""
    print(f"{f'best of {ROUNDS} rounds':32}{'ours':>15}{heads}")
    line("import, load, first predict", "first_s", "ms", 1e3, "first_s", "required: ours <= 250 ms")
    line("one predict, scalars with std", "single_s", "us", 1e6, "single_s", "required: <= 0.5")
    line("one predict, and all curves", "curves_s", "us", 1e6, "single_s", "required: <= 1")
    line("list of 10,000, scalars", "list_per_s", "/s", 1, "list_per_s", "required: >= 10")
    line(
        "list of 10,000, and curves",
        "list_with_curves_per_s",
        "/s",
        1,
        "list_per_s",
        "no requirement",
    )
    line("resident memory, one at a time", "memory_mb", "MB", 1, "", "required: <= 120")
    print(f"torch loaded: {any(r['torch_loaded'] for r in ours)}")


if __name__ == "__main__":
    main()

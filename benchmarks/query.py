"""Compare the query speed of ours and of YAHPO Gym's lcbench surrogate in one run.

    python -m benchmarks.query --peer-python VENV/bin/python --peer-data DATA/yahpo

YAHPO Gym needs numpy < 2, so it has its own interpreter: a virtual environment with
`pip install yahpo-gym "numpy<2"`. Without --peer-python only ours is measured. A round starts a
fresh interpreter for each of the two in turn; its figure is the median of many queries. The output
contains the best round of each, because other work on a shared host can only make a round slower,
and the ratio of the medians over the rounds.

A second table has the long lists, each with what is required and the ratio of the two:

- how much four processes that share two cores predict together, as a share of what two processes
  predict, without any variable that sets a number of threads (median of five);
- the support of 20,000 configurations, for each benchmark that ships;
- the interval of one curve for 100,000 configurations: the time, and the peak of the resident
  memory beyond what was there before and what is returned.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import textwrap

ROUNDS = 11
LOADED_ROUNDS, LOADED_S = 5, 3.0
CORES = 2

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

# It waits for a line before it predicts, so that all processes of a round predict at the same time.
LOADED = """
import json, os, sys, time
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, [int(core) for core in sys.argv[2].split(",")])
from eahas import api
from eahas.space.sampling import sample_columns
bench = api.load_benchmark("regnet-digits")
many = bench.predict_columns(sample_columns(bench.space, 10_000, seed=2)).configs

def scalars():
    p = bench.predict(many)
    return [getattr(p, t.name) for t in bench.spec.scalars]

scalars()
print("ready", flush=True)
sys.stdin.readline()
begun, done = time.perf_counter(), 0
while time.perf_counter() - begun < float(sys.argv[1]):
    scalars()
    done += len(many)
print(json.dumps({"list_per_s": done / (time.perf_counter() - begun)}))
"""

SUPPORT = """
import json, time
from eahas import api
from eahas.space.sampling import sample_columns
taken = {}
for name in (described["name"] for described in api.list_benchmarks()):
    bench = api.load_benchmark(name)
    prediction = bench.predict_columns(sample_columns(bench.space, 20_000, seed=3))
    begun = time.perf_counter()
    prediction.support
    taken[name] = time.perf_counter() - begun
print(json.dumps(taken))
"""

INTERVAL = """
import json, resource, time
from eahas import api
from eahas.space.sampling import sample_columns
bench = api.load_benchmark("regnet-digits")
columns = sample_columns(bench.space, 100_000, seed=3)
name = bench.main_curve
few = bench.predict_columns({key: column[:100] for key, column in columns.items()})
few.interval(0.9)[name]
with open("/proc/self/statm") as memory:
    before = int(memory.read().split()[1]) * resource.getpagesize()
begun = time.perf_counter()
low, high = bench.predict_columns(columns).interval(0.9)[name]
taken = time.perf_counter() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
working = peak - before - low.nbytes - high.nbytes
print(json.dumps({"interval_s": taken, "working_mb": working / 1e6}))
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


def environment() -> dict[str, str]:
    """Ours without what sets a number of threads."""
    return {k: v for k, v in os.environ.items() if not k.upper().endswith("_NUM_THREADS")}


def together(processes: int) -> float:
    """Configurations a second that so many processes predict together on two cores."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(CORES)
    cores = ",".join(map(str, list(allowed)[:CORES]))
    command = [sys.executable, "-W", "ignore", "-c", LOADED, str(LOADED_S), cores]
    running = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for _ in range(processes)
    ]
    for process in running:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise SystemExit("a process of the loaded case failed")
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [json.loads(process.communicate()[0]) for process in running]
    return float(sum(result["list_per_s"] for result in results))


def long_lists() -> None:
    """Print the rows of the long lists."""
    print(f"\n{'long lists':44}{'ours':>15}{'required':>12}{'ratio':>12}")

    def line(name: str, value: float, unit: str, sign: str, required: float) -> None:
        limit = f"{sign} {required:g}"
        print(f"{name:44}{value:12.2f} {unit:2}{limit:>12}{value / required:12.2f}")

    rates = [(together(2), together(4)) for _ in range(LOADED_ROUNDS)]
    for processes, of_rounds in zip((2, 4), zip(*rates, strict=True), strict=True):
        rate = statistics.median(of_rounds)
        print(f"{f'lists of 10,000, {processes} processes on 2 cores':44}{rate:12.0f} /s")
    share = statistics.median(four / two for two, four in rates)
    line("4 processes / 2 processes, median of 5", share, "", ">=", 0.8)
    for name, taken in run(sys.executable, SUPPORT).items():
        line(f"support of 20,000, {name}", taken, "s", "<", 1.0)
    interval = run(sys.executable, INTERVAL)
    line("interval of a curve of 100,000", interval["interval_s"], "s", "<", 10.0)
    line("working memory of that interval", interval["working_mb"], "MB", "<", 200.0)


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
    long_lists()


if __name__ == "__main__":
    main()

"""Measure the time and the memory of `fit_model.py` for 1,000 runs, including calibration.

    python -m benchmarks.fitting [--model NAME ...] [--runs 1000] [--accel-nasbench PATH]

The runs are the first train and valid runs that ship with `regnet-digits`. With `--accel-nasbench`,
the model `xgb` is also fitted to the accuracies of the 4,100 networks of that data set. Each fit is
a separate process with two threads.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from eahas import api
from eahas.benchmark.benchmark import RECORDS
from eahas.records.parquet import read_records, records_bytes

ROOT = Path(__file__).parents[1]
MODELS = ("bezier_nn_STAR", "lc_nn_STAR", "svd_lgb", "xgb", "nn_E")
THREADS = 2
REQUIREMENTS = {"bezier_nn_STAR": "180 s", "xgb": "30 s"}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", action="append", metavar="NAME")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--accel-nasbench", metavar="PATH")
    arguments = parser.parse_args(argv)
    print("| model | fitted to | wall time | CPU time | peak memory | requirement |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records.parquet"
        count = _write_runs(records, arguments.runs)
        for name in arguments.model or MODELS:
            words = ("--model", name, "--data_path", str(records))
            _row(name, f"{count} runs", words, Path(folder) / name)
        if arguments.accel_nasbench is not None:
            root = ("--dataset_root", arguments.accel_nasbench, "--split", "default")
            _row("xgb", "4,100 networks", ("--model", "xgb", *root), Path(folder) / "accel")


def _write_runs(path: Path, count: int) -> int:
    """Write the first `count` runs to fit to and all held-out runs; return the number of former."""
    bench = api.load_benchmark("regnet-digits")
    records = read_records(bench.folder / RECORDS, bench.spec).in_splits
    learned = records.where(lambda row: row["split"] != "test")[:count]
    held_out = records.where(lambda row: row["split"] == "test")
    path.write_bytes(records_bytes([*learned, *held_out], bench.spec))
    return len(learned)


def _row(name: str, what: str, words: Sequence[str], out: Path) -> None:
    command = [sys.executable, str(ROOT / "fit_model.py"), *words, "--log_dir", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS)}
    log_file = out.with_suffix(".txt")
    with log_file.open("wb") as file:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)
        _, status, used = os.wait4(process.pid, 0)  # the resources of this process only
        wall = time.perf_counter() - start
    if status:
        raise SystemExit(log_file.read_text(encoding="utf-8", errors="replace")[-2000:])
    cpu, memory_mb = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    print(
        f"| `{name}` | {what} | {wall:.0f} s | {cpu:.0f} s | {memory_mb:,.0f} MB | "
        f"{REQUIREMENTS.get(name, '')} |",
        flush=True,
    )


if __name__ == "__main__":
    main()

"""`eahas import`: convert a public data set to records."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any

from eahas.cli.arguments import add_command, whole

DATA_SETS = ("accel-nasbench",)


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "import",
        run,
        "convert a public data set to records",
        "eahas import accel-nasbench anb_dataset_jsons.tar.gz --out accel-nasbench.parquet",
    )
    command.add_argument("name", metavar="NAME", choices=DATA_SETS, help=", ".join(DATA_SETS))
    command.add_argument("path", metavar="PATH", help="the archive, or the folder it unpacks to")
    command.add_argument(
        "--out", metavar="FILE", required=True, help="the Parquet file of the records"
    )
    command.add_argument(
        "--split-seed",
        metavar="N",
        type=whole(0),
        help="sample a split of 0.8, 0.1 and 0.1 with this seed; default: the data set's own split",
    )


def run(arguments: Namespace) -> None:
    from eahas.records.parquet import write_records
    from sweeps.importers.accel_nasbench import accel_nasbench_rows
    from sweeps.specs import load_spec

    spec, out = load_spec("mnasnet"), Path(arguments.out)
    rows = accel_nasbench_rows(Path(arguments.path), spec, split_seed=arguments.split_seed)
    write_records(out, rows, spec)
    sides = Counter(row["split"] or row["role"] for row in rows)
    counts = ", ".join(f"{count} {side}" for side, count in sides.items())
    print(f"{out}: {len(rows)} runs of {spec.name} ({counts})")
    print(f"next: eahas fit {spec.name} {out} --out my-benchmark")

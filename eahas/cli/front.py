"""`eahas front`: the predicted Pareto fronts of a benchmark, over many sampled configurations."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from eahas import api
from eahas.benchmark.fronts import Fronts, predicted_fronts
from eahas.cli.arguments import add_benchmark, add_command, whole
from eahas.cli.progress import Bars
from eahas.errors import MissingExtraError
from eahas.report.text import quantity


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "front",
        run,
        "print the best predicted trade-offs of a benchmark, over many sampled configurations",
        "eahas front regnet-digits --samples 20000 --plot front.png",
        "eahas front accel-nasbench --objective accuracy --cost throughput_a100 --out f.parquet",
    )
    add_benchmark(command)
    command.add_argument(
        "--samples",
        metavar="N",
        type=whole(1),
        default=100_000,
        help="number of configurations; default: 100000",
    )
    command.add_argument("--seed", type=whole(0), default=0, help="seed of the samples; default: 0")
    command.add_argument(
        "--objective",
        "--aim",
        metavar="TARGET",
        help="default: the last epoch of the learning curve, or the first scalar",
    )
    command.add_argument(
        "--cost",
        "--against",
        dest="costs",
        metavar="TARGET",
        action="append",
        default=[],
        help="may be given several times; default: every other scalar",
    )
    command.add_argument("--out", metavar="FILE", help="write the fronts to a Parquet file")
    command.add_argument("--plot", metavar="FILE", help="plot the fronts as .png, .svg, .pdf, ...")


def run(arguments: Namespace) -> None:
    bench = api.load_benchmark(arguments.benchmark, task=arguments.task, device=arguments.device)
    with Bars() as bars:
        fronts = predicted_fronts(
            bench,
            arguments.samples,
            objective=arguments.objective,
            costs=arguments.costs,
            seed=arguments.seed,
            progress=lambda done, total: bars("predict", done, total),
        )
    written = []
    if arguments.out is not None:
        written.append(write_fronts(fronts, Path(arguments.out)))
    if arguments.plot is not None:
        from eahas.report.plotting import plot_fronts, save_figure

        written.append(save_figure(plot_fronts(fronts.view()), arguments.plot))
    print(summary(fronts))
    for path in written:
        print(f"wrote {path}")


def summary(fronts: Fronts) -> str:
    """One line per front: its number of points, and its two ends."""
    objective, count = fronts.objective, len(fronts.values[fronts.objective.name])
    lines = [f"{fronts.benchmark.id}: fronts of {objective.name} over {count:,} configurations"]
    for target in fronts.costs:
        rows = fronts.fronts[target.name]
        ends = [
            f"{quantity(fronts.values[target.name][i], target.unit)} at "
            f"{quantity(fronts.values[objective.name][i], objective.unit)}"
            for i in (rows[0], rows[-1])
        ]
        lines.append(f"  {target.name:20}{len(rows):>5} points, from {ends[0]} to {ends[1]}")
    return "\n".join(lines)


def write_fronts(fronts: Fronts, path: Path) -> Path:
    """Write the points of all fronts to one Parquet file; needs the extra `records`."""
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise MissingExtraError("writing Parquet", "pyarrow", "records") from None
    import io

    from eahas.files import write_bytes

    buffer = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(fronts.table()), buffer, compression="zstd")
    write_bytes(path, buffer.getvalue())
    return path

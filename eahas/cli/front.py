"""`eahas front`: the predicted fronts of a benchmark, over very many drawn configurations."""

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
        "the best trade-offs that a benchmark predicts, over many drawn configurations",
        "eahas front regnet-digits --samples 20000 --plot front.png",
        "eahas front accel-nasbench --objective accuracy --cost throughput_a100 --out f.parquet",
    )
    add_benchmark(command)
    command.add_argument(
        "--samples", metavar="N", type=whole(1), default=100_000, help="default: 100000"
    )
    command.add_argument("--seed", type=whole(0), default=0, help="of the drawing; default: 0")
    command.add_argument(
        "--objective",
        "--aim",
        metavar="TARGET",
        help="default: the learning curve's end, or the first scalar",
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
    command.add_argument("--out", metavar="FILE", help="the fronts as a Parquet file")
    command.add_argument("--plot", metavar="FILE", help="draw the fronts as .png, .svg, .pdf, ...")


def run(arguments: Namespace) -> None:
    bench = api.load_benchmark(arguments.benchmark, task=arguments.task, device=arguments.device)
    with Bars() as bars:
        found = predicted_fronts(
            bench,
            arguments.samples,
            objective=arguments.objective,
            costs=arguments.costs,
            seed=arguments.seed,
            progress=lambda done, total: bars("predict", done, total),
        )
    written = []
    if arguments.out is not None:
        written.append(write_fronts(found, Path(arguments.out)))
    if arguments.plot is not None:
        from eahas.report.plotting import plot_fronts, save_figure

        written.append(save_figure(plot_fronts(found.view()), arguments.plot))
    print(summary(found))
    for path in written:
        print(f"wrote {path}")


def summary(found: Fronts) -> str:
    """A line a front: how many points it has, and its two ends."""
    objective, count = found.objective, len(found.values[found.objective.name])
    lines = [f"{found.benchmark.id}: fronts of {objective.name} over {count:,} configurations"]
    for target in found.costs:
        rows = found.fronts[target.name]
        ends = [
            f"{quantity(found.values[target.name][i], target.unit)} at "
            f"{quantity(found.values[objective.name][i], objective.unit)}"
            for i in (rows[0], rows[-1])
        ]
        lines.append(f"  {target.name:20}{len(rows):>5} points, from {ends[0]} to {ends[1]}")
    return "\n".join(lines)


def write_fronts(found: Fronts, path: Path) -> Path:
    """The points of all fronts as one Parquet file; needs the extra `records`."""
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise MissingExtraError("writing Parquet", "pyarrow", "records") from None
    import io

    from eahas.files import write_bytes

    buffer = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(found.table()), buffer, compression="zstd")
    write_bytes(path, buffer.getvalue())
    return path

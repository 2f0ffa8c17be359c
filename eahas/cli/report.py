"""`eahas sweep report`: summarise the runs of a sweep, as text or JSON, and plot its front."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from eahas.cli.arguments import add_command, path
from eahas.cli.inputs import add_records_args, read_with_spec
from eahas.energy.energy_source import KNOWN_SOURCES
from eahas.energy.reading import ESTIMATED
from eahas.errors import SweepError, warn_estimated, warn_not_measured
from eahas.report.text import UNITS, label

if TYPE_CHECKING:
    from eahas.records.records import Records
    from eahas.spec.spec import Spec


def add_to(stages: Any) -> None:
    command = add_command(
        stages,
        "report",
        report,
        "summarise the runs of a sweep, and its Pareto front of error and cost",
        "eahas sweep report my-sweep --plot front.png",
        "eahas sweep report records.parquet --spec my-space.yaml --json",
    )
    add_records_args(command, "a sweep folder or a Parquet file")
    command.add_argument(
        "--plot", metavar="FILE", type=path, help="plot the front as .png, .svg, .pdf, ..."
    )
    command.add_argument("--json", action="store_true", help="print JSON, for programs")


def report(arguments: Namespace) -> None:
    from sweeps.report import facts, page

    spec, rows = read_with_spec(arguments.records, arguments.spec)
    summary = facts(spec, rows)
    if "front" in summary:
        _warn(summary, summary["front"]["cost"])
    image = None
    if arguments.plot is not None:
        from eahas.report.plotting import save_figure

        image = save_figure(front_figure(spec, rows, summary), arguments.plot)
    print(json.dumps(summary, allow_nan=False) if arguments.json else page(summary))
    if image is not None and not arguments.json:
        print(f"\nwrote {image}")


def _warn(summary: dict[str, Any], cost: str) -> None:
    """Warn if the cost of a front is an energy that was not measured."""
    source = summary["sources"].get(cost)
    if source == ESTIMATED:
        warn_estimated(summary["space"], KNOWN_SOURCES[ESTIMATED].description)
    elif source is not None and not summary["energies"][cost]["measured"]:
        warn_not_measured(summary["space"], f"{cost} {source}")


def front_figure(spec: Spec, rows: Records, summary: dict[str, Any]) -> Any:
    """A plot of the error and the cost of every run, coloured by its epochs, with the front."""
    from eahas.report.plotting import plot_front
    from sweeps.report import shortfall

    if "front" not in summary:
        raise SweepError(f"{spec.name}: a front needs a curve, a cost and a finished run")
    front = summary["front"]
    curve = next(t for t in spec.curves if t.name == front["curve"])
    cost = next(t for t in spec.scalars if t.name == front["cost"])
    error = label(curve).replace("accuracy", "error")
    unit = UNITS.get(curve.unit, curve.unit)
    finished = [row for row in rows if row["status"] == "ok" and row.get("role") != "anchor"]
    source = f" ({summary['sources'][cost.name]})" if cost.is_energy else ""
    return plot_front(
        [(row[cost.name], shortfall(curve, row)) for row in finished],
        front["points"],
        [int(row["epochs"]) for row in finished],
        title=summary["space"],
        cost=f"{label(cost)} [{cost.unit}]{source}",
        error=f"{error if error != label(curve) else front['error']} [{unit}]",
    )

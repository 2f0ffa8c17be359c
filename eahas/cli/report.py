"""`eahas sweep report`: what a sweep covers, as a page, as JSON, as a picture of its front."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from eahas.cli.arguments import add_command, path
from eahas.cli.inputs import add_records, read_with_spec
from eahas.errors import SweepError, warn_estimated
from eahas.report.text import UNITS, label

if TYPE_CHECKING:
    from eahas.records.records import Records
    from eahas.spec.spec import Spec


def add_to(stages: Any) -> None:
    command = add_command(
        stages,
        "report",
        report,
        "what a sweep covers, and its front of error against cost",
        "eahas sweep report my-sweep --plot front.png",
        "eahas sweep report records.parquet --spec my-space.yaml --json",
    )
    add_records(command, "a sweep folder or a Parquet file")
    command.add_argument(
        "--plot", metavar="FILE", type=path, help="draw the front as .png, .svg, .pdf, ..."
    )
    command.add_argument("--json", action="store_true", help="as JSON, for programs")


def report(arguments: Namespace) -> None:
    from sweeps.report import facts, page

    spec, rows = read_with_spec(arguments.records, arguments.spec)
    found = facts(spec, rows)
    if "front" in found and "estimated" in found["energy_source"]:
        cost = next(t for t in spec.targets if t.name == found["front"]["cost"])
        if cost.is_energy:
            warn_estimated(found["space"], "CPU time x stated power")
    picture = None
    if arguments.plot is not None:
        from eahas.report.plotting import save_figure

        picture = save_figure(front_figure(spec, rows, found), arguments.plot)
    print(json.dumps(found, allow_nan=False) if arguments.json else page(found))
    if picture is not None and not arguments.json:
        print(f"\nwrote {picture}")


def front_figure(spec: Spec, rows: Records, found: dict[str, Any]) -> Any:
    """Error against cost of every run, with its front, coloured by the number of epochs."""
    from eahas.report.plotting import plot_front
    from sweeps.report import shortfall

    if "front" not in found:
        raise SweepError(f"{spec.name}: a front needs a curve, a cost and a finished run")
    front = found["front"]
    curve = next(t for t in spec.curves if t.name == front["curve"])
    cost = next(t for t in spec.scalars if t.name == front["cost"])
    error = label(curve).replace("accuracy", "error")
    unit = UNITS.get(curve.unit, curve.unit)
    shown = [row for row in rows if row["status"] == "ok" and row.get("role") != "anchor"]
    source = f" ({', '.join(found['energy_source'])})" if cost.is_energy else ""
    return plot_front(
        [(row[cost.name], shortfall(curve, row)) for row in shown],
        front["points"],
        [int(row["epochs"]) for row in shown],
        title=found["space"],
        cost=f"{label(cost)} [{cost.unit}]{source}",
        error=f"{error if error != label(curve) else front['error']} [{unit}]",
    )

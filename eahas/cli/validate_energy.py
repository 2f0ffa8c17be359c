"""`eahas sweep validate-energy`: the window of a run beside the whole of it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from eahas.cli.arguments import UsageError, add_command, path, seconds, whole
from eahas.cli.inputs import add_records, read_with_spec
from eahas.cli.progress import Bars
from eahas.cli.run_args import add_machine


def add_to(stages: Any) -> None:
    command = add_command(
        stages,
        "validate-energy",
        validate_energy,
        "how far a window of a run, scaled to all epochs, is from the whole run",
        "eahas sweep validate-energy records.parquet --spec my-space.yaml --device cuda",
    )
    add_records(command, "runs with energies, to choose from")
    command.add_argument(
        "--runs", metavar="N", type=whole(1), help="default: 30, or all where there are fewer"
    )
    command.add_argument(
        "--window-s", metavar="S", type=seconds, default=4.0, help="at least; default: 4"
    )
    command.add_argument(
        "--out",
        metavar="FILE",
        type=path,
        help="all numbers as JSON; until the end in FILE.partial",
    )
    add_machine(command, workers=False)


def validate_energy(arguments: Namespace) -> None:
    from eahas.files import write_json
    from regnet_hpo.preflight import default_device, preflight
    from sweeps import validate_energy as validation
    from sweeps.launch import require_no_other_processes

    spec, rows = read_with_spec(arguments.records, arguments.spec)
    device = default_device(spec) if arguments.device is None else arguments.device
    data = preflight(spec, device, arguments.data_dir)
    if device != "cpu" and not arguments.allow_company:
        require_no_other_processes(spec, {device})
    min_s = validation.min_run_s(spec, device)
    chosen = validation.spread_by_power(rows, arguments.runs, min_s=min_s)

    out = None if arguments.out is None else Path(arguments.out)
    partial = None if out is None else out.with_name(f"{out.name}.partial")
    if out is not None and out.is_dir():
        raise UsageError(f"--out: {out} is a folder; name a file")

    def keep(found: validation.Result) -> None:
        if partial is not None:
            write_json(partial, validation.summary(*found), indent=1)

    def after_run(done: int, total: int, found: validation.Result) -> None:
        keep(found)
        bars("runs", done, total)

    keep(([], {}))  # what cannot be written is told before hours of training
    with Bars() as bars:
        found = validation.validate_energy(
            spec,
            chosen,
            data,
            device=device,
            window_s=arguments.window_s,
            progress=after_run,
        )
    facts = validation.summary(*found)
    print(validation.page(facts))
    if out is not None and partial is not None:
        write_json(out, facts, indent=1)
        partial.unlink()

"""`eahas sweep validate-energy`: compare the scaled energy of a window with that of a whole run."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from eahas.cli.arguments import UsageError, add_command, path, seconds, whole
from eahas.cli.inputs import add_records_args, read_with_spec
from eahas.cli.progress import Bars
from eahas.cli.run_args import add_run_options


def add_to(stages: Any) -> None:
    command = add_command(
        stages,
        "validate-energy",
        validate_energy,
        "compare the energy of a window, scaled to all epochs, with that of the whole run",
        "eahas sweep validate-energy records.parquet --spec my-space.yaml --device cuda",
    )
    add_records_args(command, "records with energies, from which runs are selected")
    command.add_argument(
        "--runs", metavar="N", type=whole(1), help="default: 30, or all if there are fewer"
    )
    command.add_argument(
        "--window-s",
        metavar="S",
        type=seconds,
        default=4.0,
        help="minimum length of the window; default: 4",
    )
    command.add_argument(
        "--out",
        metavar="FILE",
        type=path,
        help="write all values as JSON; during the runs to FILE.partial",
    )
    add_run_options(command, workers=False)


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

    def save_partial(result: validation.Result) -> None:
        if partial is not None:
            write_json(partial, validation.summary(*result), indent=1)

    def after_run(done: int, total: int, result: validation.Result) -> None:
        save_partial(result)
        bars("runs", done, total)

    save_partial(([], {}))  # fail before hours of training if the file cannot be written
    with Bars() as bars:
        result = validation.validate_energy(
            spec,
            chosen,
            data,
            device=device,
            window_s=arguments.window_s,
            progress=after_run,
        )
    facts = validation.summary(*result)
    print(validation.page(facts))
    if out is not None and partial is not None:
        write_json(out, facts, indent=1)
        partial.unlink()

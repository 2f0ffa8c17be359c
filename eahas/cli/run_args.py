"""Options for the device, the data and the processes of training runs."""

from __future__ import annotations

from typing import Any

from eahas.cli.arguments import whole


def add_run_options(command: Any, *, workers: bool = True) -> None:
    """Add the options; `workers` is whether the command can use several processes."""
    if workers:
        command.add_argument(
            "--workers",
            metavar="N",
            type=whole(0),
            help="number of worker processes; 0: train in this process; default: one per core, or "
            "one per GPU with --device cuda",
        )
    command.add_argument(
        "--device",
        help="cpu, cuda, cuda:0, ...; default: cuda if there is one, unless the spec's runtime is "
        "CPU time",
    )
    command.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder of the data sets; default: $EAHAS_DATA, or else they are downloaded",
    )
    command.add_argument(
        "--allow-company",
        action="store_true",
        help="meter a GPU even if other processes use it; their energy is then included",
    )

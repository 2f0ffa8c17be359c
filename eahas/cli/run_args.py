"""Options of what runs are made with."""

from __future__ import annotations

from typing import Any

from eahas.cli.arguments import whole


def add_machine(command: Any, *, workers: bool = True) -> None:
    """Device, images and company; and how many processes, where a command takes several."""
    if workers:
        command.add_argument(
            "--workers",
            metavar="N",
            type=whole(0),
            help="processes; 0: this one; default: one a core, on cuda one a GPU",
        )
    command.add_argument(
        "--device",
        help="cpu, cuda, cuda:0, ...; default: cuda where there is one, unless the spec's runtime "
        "is CPU time",
    )
    command.add_argument(
        "--data-dir",
        metavar="DIR",
        help="where data sets lie; default: $EAHAS_DATA, else they are downloaded",
    )
    command.add_argument(
        "--allow-company",
        action="store_true",
        help="meter a GPU on which other processes are, with their energy",
    )

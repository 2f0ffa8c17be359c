"""`eahas list`: list the benchmarks that ship."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from eahas import api
from eahas.cli.arguments import add_command
from eahas.report.text import UNITS


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "list",
        run,
        "list the benchmarks that ship",
        "eahas list",
        "eahas list --json",
    )
    command.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(arguments: Namespace) -> None:
    benchmarks = api.list_benchmarks()
    if arguments.json:
        print(json.dumps(benchmarks))
        return
    if not benchmarks:
        print("this installation contains no benchmark")
    for bench in benchmarks:
        energies = bench["energies"]
        targets = (
            f"{name} [{', '.join(filter(None, (UNITS.get(u, u), energies.get(name))))}]"
            for name, u in bench["targets"].items()
        )
        print(f"{bench['name']}@{bench['version']}")
        if bench["description"]:
            print(f"  about    {bench['description']}")
        for axis in ("tasks", "devices"):
            if axis in bench:
                print(f"  {axis:8} {', '.join(bench[axis])}")
        print(f"  targets  {', '.join(targets)}")
        print(f"  energy   {bench['energy_source']}")
        print(f"  runs     {bench['runs']:,}")

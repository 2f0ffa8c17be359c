"""`eahas energy`: the joules of any command, by the meter that sweeps use."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from eahas.cli.arguments import UsageError, add_command, seconds, watts, whole

if TYPE_CHECKING:
    from eahas.energy.command import CommandEnergy


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "energy",
        energy,
        "measure the energy of any command",
        "eahas energy -- sleep 3",
        "eahas energy --repeat 5 --json -- python train.py",
    )
    command.add_argument(
        "--device", default="auto", help="auto (all there is), cpu, cuda, cuda:1; default: auto"
    )
    command.add_argument(
        "--repeat", metavar="N", type=whole(1), default=1, help="run it so often; gives the mean"
    )
    command.add_argument(
        "--idle-s", metavar="S", type=seconds, help="measure the idle power so long before it"
    )
    command.add_argument(
        "--watts-per-core",
        metavar="W",
        type=watts,
        default=10.0,
        help="of one busy core, where nothing measures the processor; default: 10",
    )
    command.add_argument(
        "--allow-mig", action="store_true", help="meter a GPU in MIG mode as a whole"
    )
    command.add_argument("--json", action="store_true", help="as JSON, on stderr")
    command.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")


def energy(arguments: Namespace) -> None:
    from eahas.energy.command import meter_command, open_parts

    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise UsageError("which command? eahas energy -- COMMAND")
    meters, passed_over = open_parts(
        arguments.device,
        estimate_w_per_core=arguments.watts_per_core,
        allow_mig=arguments.allow_mig,
    )
    try:
        if arguments.idle_s is not None:
            for part, meter in meters.items():
                if meter.measure_idle(arguments.idle_s) is None:
                    print(f"{part}: an estimate knows no idle power", file=sys.stderr)
        found = meter_command(command, meters, repeats=arguments.repeat, passed_over=passed_over)
    finally:
        for meter in meters.values():
            meter.close()
    # The command's own output is on stdout; ours must not get between it and a pipe.
    print(
        json.dumps(found.to_dict()) if arguments.json else page(found, arguments.repeat),
        file=sys.stderr,
    )
    if found.exit_code:
        sys.exit(found.exit_code if found.exit_code > 0 else 128 - found.exit_code)


def page(found: CommandEnergy, asked: int = 1) -> str:
    """What a command used, as text for a terminal."""
    times = f", the mean of {found.repeats} runs" if found.repeats > 1 else ""
    if found.exit_code and asked > found.repeats:
        times += f" (run {found.repeats} of {asked} failed)"
    lines = [
        f"\n{shlex.join(found.command)}: {found.energy_j:.4g} J of {_parts(found)} "
        f"({found.energy_j / 3.6e6:.3g} kWh) in {found.duration_s:.4g} s{times}"
    ]
    for part, reading in found.readings.items():
        band = (
            "" if reading.systematic is None else f" +- {100 * reading.systematic:.0f} % (sensor)"
        )
        band += "" if not reading.statistical else f" +- {100 * reading.statistical:.2g} % (edges)"
        idle = "" if reading.idle_power_w is None else f", idle {reading.idle_power_w:.4g} W"
        lines.append(
            f"  {part}  {reading.energy_j:.4g} J{band}, "
            f"{reading.mean_power_w:.4g} W{idle}  ({reading.source}: {reading.formula})"
        )
        if reading.dram_j is not None:
            lines.append(f"       of it memory: {reading.dram_j:.4g} J")
        lines += _flags(reading.flags)
    for part, why in found.passed_over.items():
        how = "not by" if part in found.readings else "not metered:"
        lines += [f"  {part}: {how} {reason}" for reason in why]
    if found.exit_code:
        code = found.exit_code
        ended = f"with {code}" if code > 0 else f"by signal {-code} ({_signal(-code)})"
        lines.append(f"  the command ended {ended}")
    return "\n".join(lines)


def _parts(found: CommandEnergy) -> str:
    """Of what the joules are: a part that was not metered must not go unnoticed."""
    parts = " and ".join(found.readings) or "nothing"
    return f"{parts} alone" if len(found.readings) == 1 else parts


def _signal(number: int) -> str:
    return signal.strsignal(number) or "unknown"


def _flags(flags: tuple[str, ...]) -> list[str]:
    from eahas.energy import FLAGS

    return [f"       {flag}: {FLAGS[flag]}" for flag in flags]

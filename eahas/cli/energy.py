"""`eahas energy`: the energy of any command, measured by the meter that sweeps use."""

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
        "--device",
        default="auto",
        help="auto (the CPU and every GPU), cpu, cuda, cuda:1; default: auto",
    )
    command.add_argument(
        "--repeat", metavar="N", type=whole(1), default=1, help="number of runs; prints the mean"
    )
    command.add_argument(
        "--idle-s",
        metavar="S",
        type=seconds,
        help="seconds for which the idle power is measured before the command",
    )
    command.add_argument(
        "--watts-per-core",
        metavar="W",
        type=watts,
        default=10.0,
        help="power of one busy core, if no sensor measures the processor; default: 10",
    )
    command.add_argument(
        "--allow-mig", action="store_true", help="meter the whole GPU if it is in MIG mode"
    )
    command.add_argument("--json", action="store_true", help="print JSON, on stderr")
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
                    print(f"{part}: an estimate has no idle power", file=sys.stderr)
        result = meter_command(command, meters, repeats=arguments.repeat, passed_over=passed_over)
    finally:
        for meter in meters.values():
            meter.close()
    # The output of the command is on stdout and may be piped, so the energy goes to stderr.
    print(
        json.dumps(result.to_dict()) if arguments.json else format_energy(result, arguments.repeat),
        file=sys.stderr,
    )
    if result.exit_code:
        sys.exit(result.exit_code if result.exit_code > 0 else 128 - result.exit_code)


def format_energy(result: CommandEnergy, requested: int = 1) -> str:
    """The energy of a command as text; `requested` is the number of runs that were requested."""
    times = f", the mean of {result.repeats} runs" if result.repeats > 1 else ""
    if result.exit_code and requested > result.repeats:
        times += f" (run {result.repeats} of {requested} failed)"
    lines = [
        f"\n{shlex.join(result.command)}: {result.energy_j:.4g} J of {_parts(result)} "
        f"({result.energy_j / 3.6e6:.3g} kWh) in {result.duration_s:.4g} s{times}"
    ]
    for part, reading in result.readings.items():
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
            lines.append(f"       including memory: {reading.dram_j:.4g} J")
        lines += _flags(reading.flags)
    for part, why in result.passed_over.items():
        how = "not used:" if part in result.readings else "not metered:"
        lines += [f"  {part}: {how} {reason}" for reason in why]
    if result.exit_code:
        code = result.exit_code
        ended = f"with {code}" if code > 0 else f"by signal {-code} ({_signal(-code)})"
        lines.append(f"  the command ended {ended}")
    return "\n".join(lines)


def _parts(result: CommandEnergy) -> str:
    """The parts of the machine that the energy covers; "only" shows that a part is missing."""
    parts = " and ".join(result.readings) or "nothing"
    return f"{parts} only" if len(result.readings) == 1 else parts


def _signal(number: int) -> str:
    return signal.strsignal(number) or "unknown"


def _flags(flags: tuple[str, ...]) -> list[str]:
    from eahas.energy import FLAGS

    return [f"       {flag}: {FLAGS[flag]}" for flag in flags]

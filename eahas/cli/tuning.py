"""`--tune N`: settings searched before a fit, for every command that fits."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eahas.cli.arguments import Parser, UsageError, whole
from eahas.cli.progress import Bars
from eahas.files import write_json

if TYPE_CHECKING:
    from surrogates.data.dataset import Runs
    from surrogates.fitting import Part

SETTINGS, STUDY = ".settings.json", ".study.db"  # beside the folder that is written


def add_tuning(command: Parser) -> None:
    command.add_argument(
        "--tune",
        metavar="N",
        type=whole(1),
        help="first search for settings, N trials a model, fitted on train and judged on valid; "
        f"the best go to DIR{SETTINGS}",
    )
    command.add_argument(
        "--study",
        metavar="FILE",
        help="SQLite file of the trials, which a later call goes on with; trials that are "
        f"finished count; default: DIR{STUDY}",
    )


def tuned(
    parts: Sequence[Part],
    runs: Runs,
    arguments: Namespace,
    folder: Path,
    *,
    seed: int,
    held: frozenset[str] = frozenset(),
) -> tuple[list[Part], list[str]]:
    """The parts with the best settings found, and a word on each; as they are without `--tune`."""
    if arguments.tune is None:
        if arguments.study is not None:
            raise UsageError("--study is for --tune N")
        return list(parts), []
    from surrogates.tuning.study import tune

    study = Path(arguments.study) if arguments.study else beside(folder, STUDY)
    found = []
    with Bars() as bars:
        for part in parts:
            found.append(
                tune(
                    part,
                    runs,
                    trials=arguments.tune,
                    study=study,
                    seed=seed,
                    held=held,
                    report=bars,
                )
            )
    for part, best in zip(parts, found, strict=True):
        print(f"tuned {part.family.name}: {best.about}")
        for reason in dict.fromkeys(best.failed):
            print(f"  failed {best.failed.count(reason)} times: {reason}")
    better = [replace(p, settings=best.settings) for p, best in zip(parts, found, strict=True)]
    return better, [best.about for best in found]


def write_settings(folder: Path, content: Any) -> Path:
    """Settings in a file beside the folder, in the format that the command reads."""
    path = beside(folder, SETTINGS)
    write_json(path, content, indent=2)
    return path


def beside(folder: Path, suffix: str) -> Path:
    """A file named after a folder, in the folder around it."""
    named = folder if folder.name else folder.absolute()
    named.parent.mkdir(parents=True, exist_ok=True)
    return named.with_name(named.name + suffix)

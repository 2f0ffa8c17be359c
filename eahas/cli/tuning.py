"""`--tune N`: a search for settings before a fit, for every command that fits."""

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
    from surrogates.fitting import Component

SETTINGS, STUDY = ".settings.json", ".study.db"  # suffixes of files next to the output folder


def add_tuning_options(command: Parser) -> None:
    command.add_argument(
        "--tune",
        metavar="N",
        type=whole(1),
        help="first search for settings, with N trials per model, fitted on train and evaluated on "
        f"valid; the best settings are written to DIR{SETTINGS}",
    )
    command.add_argument(
        "--study",
        metavar="FILE",
        help="SQLite file of the trials, with which a later call continues; finished trials "
        f"count; default: DIR{STUDY}",
    )


def tune_components(
    components: Sequence[Component],
    runs: Runs,
    arguments: Namespace,
    folder: Path,
    *,
    seed: int,
    fixed: frozenset[str] = frozenset(),
) -> tuple[list[Component], list[str]]:
    """The components with tuned settings, and a comment on each tuning; unchanged without `--tune`.

    The settings named in `fixed` are not tuned.
    """
    if arguments.tune is None:
        if arguments.study is not None:
            raise UsageError("--study needs --tune N")
        return list(components), []
    from surrogates.tuning.study import tune

    study = Path(arguments.study) if arguments.study else sibling_path(folder, STUDY)
    results = []
    with Bars() as bars:
        for component in components:
            results.append(
                tune(
                    component,
                    runs,
                    trials=arguments.tune,
                    study=study,
                    seed=seed,
                    fixed=fixed,
                    report=bars,
                )
            )
    for component, result in zip(components, results, strict=True):
        print(f"tuned {component.family.name}: {result.about}")
        for reason in dict.fromkeys(result.failed):
            print(f"  failed {result.failed.count(reason)} times: {reason}")
    tuned = [replace(c, settings=r.settings) for c, r in zip(components, results, strict=True)]
    return tuned, [result.about for result in results]


def write_settings(folder: Path, content: Any) -> Path:
    """Write settings to a file next to the folder, in the format that the command reads."""
    path = sibling_path(folder, SETTINGS)
    write_json(path, content, indent=2)
    return path


def sibling_path(folder: Path, suffix: str) -> Path:
    """The path of a file next to a folder, named after the folder; creates the parent folder."""
    named = folder if folder.name else folder.absolute()
    named.parent.mkdir(parents=True, exist_ok=True)
    return named.with_name(named.name + suffix)

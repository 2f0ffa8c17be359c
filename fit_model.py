"""Fit one surrogate to records and judge it on held-out runs: the command of two benchmarks.

EA-HAS-Bench's command and options:

    python fit_model.py --model bezier_nn_STAR --search_space regnet-digits \
        --data_path my-sweep/records.parquet --log_dir my-curves

Accel-NASBench's:

    python fit_model.py --dataset_root anb_dataset_jsons.tar.gz --model xgb_accel \
        --device zcu102 --metric throughput --log_dir experiments --seed 3

The folder that it names at its end is loaded with `eahas.api.load_ensemble("my-curves")`. A whole
benchmark, curves and costs with the records behind them, is fitted by `eahas fit`.
"""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
from collections.abc import Sequence

from eahas.benchmark.storage import ensemble_folder as ensembles
from eahas.benchmark.storage.folder import replaceable
from eahas.cli import accelerators, run_command
from eahas.cli.arguments import Parser, whole
from eahas.cli.format_metrics import summary
from eahas.cli.inputs import read_records_of
from eahas.cli.progress import Bars
from eahas.cli.tuning import add_tuning, tuned, write_settings

EXAMPLE = """example:
  python fit_model.py --model bezier_nn_STAR --search_space regnet-digits \\
      --data_path my-sweep/records.parquet --log_dir my-curves
  python fit_model.py --dataset_root anb_dataset_jsons.tar.gz --model xgb --log_dir experiments
"""


def parser() -> Parser:
    """The options of EA-HAS-Bench and Accel-NASBench, and what the data are."""
    command = Parser(
        prog="fit_model.py",
        description="Fit one surrogate to records.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--model",
        default="bezier_nn_STAR",
        help="bezier_nn_STAR for learning curves (default), nn_E for time and energy; a wrong name "
        "lists all",
    )
    command.add_argument(
        "--search_space", help="a spec that ships, or a .yaml or .json file; default: regnet-digits"
    )
    command.add_argument("--data_path", help="records: a Parquet file or a sweep folder")
    command.add_argument(
        "--log_dir",
        metavar="DIR",
        help="where the ensemble is written; with --dataset_root, and without this option, the "
        f"folder (default: {accelerators.LOG_DIR}) gets one for each fit: "
        "MODEL[/DEVICE/METRIC]/TIME-SEED",
    )
    command.add_argument("--seed", type=whole(0), default=6, help="default: 6")
    command.add_argument("--model_config_path", help="JSON object of fit settings")
    command.add_argument("--ensemble", metavar="N", type=whole(2), help="members of the ensemble")
    add_tuning(command)
    accelerators.add_accelerators(command)
    return command


def fit_one(arguments: Namespace) -> None:
    """Fit, judge on held-out runs, save.

    Records are learned from on train and valid and judged on test; Accel-NASBench's data set is
    learned from on train alone, and all three sides are judged.
    """
    accelerators.check(arguments)
    folder = replaceable(str(accelerators.folder_of(arguments)))
    changes = accelerators.settings(arguments)

    from surrogates.benchmark import LEARN_FROM, learnable
    from surrogates.components import written
    from surrogates.data.dataset import controls_from_records, runs_from_records
    from surrogates.data.energies import checked_energies
    from surrogates.evaluation.quality import quality
    from surrogates.evaluation.side_metrics import side_metrics
    from surrogates.families import configured, family
    from surrogates.fitting import Part, fit_parts
    from sweeps.specs import load_spec

    chosen = family(arguments.model)
    settings = configured(chosen.settings, {"seed": arguments.seed})
    settings = configured(settings, changes)
    if arguments.ensemble is not None:
        settings = configured(settings, {"members": arguments.ensemble})
    if arguments.dataset_root is not None:
        spec, rows = accelerators.dataset(arguments)
    else:
        spec = load_spec(arguments.search_space or "regnet-digits")
        rows = read_records_of(arguments.data_path, spec)
    energies = checked_energies(rows, spec)
    runs = runs_from_records(rows, spec)
    part = Part(chosen, settings, accelerators.targets(arguments, spec))
    (part,), words = tuned([part], runs, arguments, folder, seed=arguments.seed)
    for word in words:
        wrote = write_settings(folder, written(part, word))
        print(f"wrote {wrote}, to be given to --model_config_path\n", flush=True)
    others = arguments.dataset_root is not None
    with Bars() as bars:
        (model,), _ = fit_parts(
            [part],
            learnable(runs, ("train",) if others else LEARN_FROM),
            bars,
            controls=controls_from_records(rows, spec),
        )
        judged = quality([model], runs.side("test"), report=bars)
    if others:
        for side in accelerators.SIDES:
            print(f"{side} metrics: {side_metrics(model, runs.side(side))}")
        print()
    print(summary(judged, model.targets, energies))
    ensembles.save(model, folder)
    print(f'\nwrote {folder}; load it: eahas.api.load_ensemble("{folder}")')


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status, as of the `eahas` command."""
    return run_command("fit_model.py", lambda: fit_one(parser().parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())

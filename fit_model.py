"""Fit one surrogate to records and evaluate it, with the command line options of two benchmarks.

EA-HAS-Bench's command and options:

    python fit_model.py --model bezier_nn_STAR --search_space regnet-digits \
        --data_path my-sweep/records.parquet --log_dir my-curves

Accel-NASBench's:

    python fit_model.py --dataset_root anb_dataset_jsons.tar.gz --model xgb_accel \
        --device zcu102 --metric throughput --log_dir experiments --seed 3

`eahas.api.load_ensemble("my-curves")` loads the folder that the command writes. `eahas fit` fits a
whole benchmark: curves, costs and their records.
"""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
from collections.abc import Sequence

from eahas.benchmark.storage.benchmark_folder import model_contents
from eahas.benchmark.storage.folder import replaceable, save_folder
from eahas.cli import accelerators, run_command
from eahas.cli.arguments import Parser, whole
from eahas.cli.format_metrics import summary
from eahas.cli.inputs import read_records_of
from eahas.cli.progress import Bars
from eahas.cli.tuning import add_tuning_options, tune_components, write_settings
from eahas.models.ensemble import Ensemble

EXAMPLE = """example:
  python fit_model.py --model bezier_nn_STAR --search_space regnet-digits \\
      --data_path my-sweep/records.parquet --log_dir my-curves
  python fit_model.py --dataset_root anb_dataset_jsons.tar.gz --model xgb --log_dir experiments
"""


def parser() -> Parser:
    """The options of EA-HAS-Bench and Accel-NASBench."""
    command = Parser(
        prog="fit_model.py",
        description="Fit one surrogate to records.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--model",
        default="bezier_nn_STAR",
        help="bezier_nn_STAR for learning curves (default), nn_E for time and energy; an unknown "
        "name lists all",
    )
    command.add_argument(
        "--search_space", help="a spec that ships, or a .yaml or .json file; default: regnet-digits"
    )
    command.add_argument("--data_path", help="records: a Parquet file or a sweep folder")
    command.add_argument(
        "--log_dir",
        metavar="DIR",
        help="the folder of the ensemble; with --dataset_root, or without this option, each fit "
        f"has a folder inside it (default: {accelerators.LOG_DIR}): "
        "MODEL[/DEVICE/METRIC]/TIME-SEED",
    )
    command.add_argument("--seed", type=whole(0), default=6, help="default: 6")
    command.add_argument("--model_config_path", help="a JSON file with settings of the fit")
    command.add_argument("--ensemble", metavar="N", type=whole(2), help="members of the ensemble")
    add_tuning_options(command)
    accelerators.add_accelerator_options(command)
    return command


def fit_one(arguments: Namespace) -> None:
    """Fit, evaluate on held-out runs, and save.

    A fit to records uses the train and valid parts of the split, and is evaluated on test. A fit to
    Accel-NASBench's data set uses the train part only, and is evaluated on all three parts. If
    curves have several schedules, those with the schedule of the learning curve are fitted.
    """
    accelerators.check(arguments)
    folder = replaceable(str(accelerators.ensemble_folder(arguments)))
    changes = accelerators.settings(arguments)

    from surrogates.benchmark import LEARN_FROM, learnable
    from surrogates.components import file_settings
    from surrogates.data.dataset import controls_from_records, runs_from_records
    from surrogates.data.energies import checked_energies
    from surrogates.evaluation.quality import quality
    from surrogates.evaluation.side_metrics import side_metrics
    from surrogates.families import configured, family
    from surrogates.fitting import Component, fit_components, split_components
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
    component = Component(chosen, settings, accelerators.targets(arguments, spec))
    component = split_components([component], spec)[0]
    (component,), comments = tune_components(
        [component], runs, arguments, folder, seed=arguments.seed
    )
    for comment in comments:
        path = write_settings(folder, file_settings(component, comment))
        print(f"wrote {path}; use it with --model_config_path\n", flush=True)
    is_accel_nasbench = arguments.dataset_root is not None
    with Bars() as bars:
        (model,), _ = fit_components(
            [component],
            learnable(runs, ("train",) if is_accel_nasbench else LEARN_FROM),
            bars,
            controls=controls_from_records(rows, spec),
        )
        metrics = quality([model], runs.side("test"), report=bars)
    if is_accel_nasbench:
        assert isinstance(model, Ensemble)  # the targets of Accel-NASBench are scalars
        for side in accelerators.SIDES:
            print(f"{side} metrics: {side_metrics(model, runs.side(side))}")
        print()
    print(summary(metrics, model.targets, energies))
    save_folder(folder, *model_contents(model))
    print(f'\nwrote {folder}; load it with eahas.api.load_ensemble("{folder}")')


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status, as for the `eahas` command."""
    return run_command("fit_model.py", lambda: fit_one(parser().parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())

"""`eahas sweep`: the stages from a spec to records; each stage reads and writes a folder."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eahas.cli import report
from eahas.cli import validate_energy as validation
from eahas.cli.arguments import UsageError, add_command, path, seconds, whole
from eahas.cli.progress import Bars
from eahas.cli.run_args import add_run_options


def add_to(commands: Any) -> None:
    group = add_command(
        commands,
        "sweep",
        _no_stage,
        "train many configurations and collect them",
        "eahas sweep sample regnet-digits --out my-sweep --configs 200 --repeats-test 20",
        "eahas sweep launch my-sweep",
        "eahas sweep collect my-sweep",
    )
    stages = group.add_subparsers(title="stages", metavar="STAGE", required=True)

    command = add_command(
        stages,
        "sample",
        sample,
        "plan a sweep: a fixed, seeded list of runs in a new folder",
        "eahas sweep sample regnet-digits --out my-sweep --configs 200 --repeats-test 20",
        "eahas sweep sample regnet-digits-table --out my-table --all",
    )
    command.add_argument("spec", metavar="SPEC", help="a spec that ships, or a .yaml or .json file")
    command.add_argument("--out", metavar="DIR", type=path, required=True, help="the sweep folder")
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--configs", metavar="N", type=whole(1), help="number of random configurations"
    )
    what.add_argument("--all", action="store_true", help="every configuration of a small space")
    command.add_argument("--seed", type=whole(0), default=0, help="seed of the sample; default: 0")
    for side in ("train", "test"):
        command.add_argument(
            f"--repeats-{side}",
            metavar="N",
            type=whole(0),
            default=0,
            help=f"number of {side} configurations to train with more seeds; default: 0",
        )
    command.add_argument(
        "--repeat-seeds",
        metavar="N",
        type=whole(1),
        default=2,
        help="number of additional seeds of these; default: 2",
    )

    command = add_command(
        stages,
        "launch",
        launch,
        "train all runs that are not finished; call it again to continue",
        "eahas sweep launch my-sweep",
        "eahas sweep launch my-sweep --workers 1 --device cuda --budget-s 3600",
    )
    command.add_argument("folder", metavar="DIR", type=path, help="a sweep folder")
    add_run_options(command)
    command.add_argument(
        "--budget-s", metavar="S", type=seconds, help="start no run after this many seconds"
    )
    command.add_argument("--retry-failed", action="store_true", help="train failed runs again")

    command = add_command(
        stages,
        "run",
        run,
        "train the next runs of a spec's fixed list, and append them to a records file",
        "eahas sweep run regnet-cifar10-16px --budget-s 500 --device cuda --data-dir data",
    )
    command.add_argument("spec", metavar="SPEC", help="a spec that ships, or a .yaml or .json file")
    command.add_argument(
        "--budget-s",
        metavar="S",
        type=seconds,
        required=True,
        help="stop after this many seconds; the next call continues an interrupted run",
    )
    command.add_argument(
        "--store",
        metavar="FILE",
        type=path,
        help="the Parquet file of the records; default: NAME.parquet, with the name in the spec",
    )
    command.add_argument("--retry-failed", action="store_true", help="train failed runs again")
    add_run_options(command)

    command = add_command(
        stages,
        "restore",
        restore,
        "put the runs of a records file back into a sweep folder, to continue on another machine",
        "eahas sweep restore my-sweep records.parquet",
    )
    command.add_argument(
        "folder", metavar="DIR", type=path, help="a folder with the same plan, sampled again"
    )
    command.add_argument(
        "records", metavar="RECORDS", type=path, help="a Parquet file of the same sweep"
    )

    command = add_command(
        stages,
        "collect",
        collect,
        "check every finished run and write all to one Parquet file",
        "eahas sweep collect my-sweep",
    )
    command.add_argument("folder", metavar="DIR", type=path, help="a sweep folder")
    command.add_argument("--out", metavar="FILE", type=path, help="default: DIR/records.parquet")

    validation.add_to(stages)
    report.add_to(stages)


def _no_stage(arguments: Namespace) -> None:
    raise AssertionError("a stage is required")


def sample(arguments: Namespace) -> None:
    from regnet_hpo.data import check_known
    from regnet_hpo.preflight import check_trainable
    from sweeps import plan
    from sweeps.specs import load_spec

    folder, spec = Path(arguments.out), load_spec(arguments.spec)
    check_trainable(spec)
    check_known(spec.data)
    seeds = {"seed": arguments.seed, "repeat_seeds": arguments.repeat_seeds}
    if arguments.all:
        if arguments.repeats_train or arguments.repeats_test:
            raise UsageError("--all trains every configuration with more seeds; omit --repeats-*")
        runs = plan.plan_all(spec, **seeds)
        plan.write_plan(spec, runs, folder)
    else:
        with Bars() as bars:
            runs = plan.sample(
                spec,
                folder,
                arguments.configs,
                repeats_train=arguments.repeats_train,
                repeats_test=arguments.repeats_test,
                progress=lambda done, total: bars("sample configurations", done, total),
                **seeds,
            )
    roles = Counter(run.role for run in runs)
    print(f"{folder}: {len(runs)} runs planned ({format_counts(roles)})")
    print(f"next: eahas sweep launch {folder}")


def launch(arguments: Namespace) -> None:
    folder = Path(arguments.folder)
    try:
        finished, planned = make_runs(
            folder,
            arguments.workers,
            arguments.device,
            arguments.budget_s,
            data_dir=arguments.data_dir,
            retry_failed=arguments.retry_failed,
            allow_company=arguments.allow_company,
        )
    except KeyboardInterrupt:
        print(f"finished runs are saved; continue with: eahas sweep launch {folder}")
        raise
    print(f"{folder}: {finished} of {planned} runs finished")
    again = f"launch {folder} to continue" if finished < planned else f"collect {folder}"
    print(f"next: eahas sweep {again}")


def make_runs(
    folder: Path,
    workers: int | None,
    device: str | None,
    budget_s: float | None = None,
    *,
    data_dir: str | None = None,
    retry_failed: bool = False,
    allow_company: bool = False,
) -> tuple[int, int]:
    """Launch a sweep with a progress bar; return the numbers of finished and of planned runs."""
    from sweeps.launch import launch
    from sweeps.plan import load_plan

    _, runs = load_plan(folder)
    with Bars() as bars:
        finished = launch(
            folder,
            workers=workers,
            device=device,
            data_dir=data_dir,
            budget_s=budget_s,
            retry_failed=retry_failed,
            allow_company=allow_company,
            progress=lambda done, total: bars("runs", done, total),
        )
    return finished, len(runs)


def run(arguments: Namespace) -> None:
    from regnet_hpo.preflight import check_trainable
    from sweeps.incremental import run_increment, work_folder
    from sweeps.specs import load_spec

    spec = load_spec(arguments.spec)
    check_trainable(spec)
    store = Path(f"{spec.name}.parquet" if arguments.store is None else arguments.store)
    try:
        with Bars() as bars:
            result = run_increment(
                spec,
                store,
                arguments.budget_s,
                device=arguments.device,
                workers=arguments.workers,
                data_dir=arguments.data_dir,
                retry_failed=arguments.retry_failed,
                allow_company=arguments.allow_company,
                progress=lambda done, total: bars("runs", done, total),
            )
    except KeyboardInterrupt:
        kept = f"finished runs are in {store}; " if store.exists() else ""
        print(f"{kept}call it again to continue")
        raise
    print(
        f"{store}: {result.after} of {result.planned} runs ({format_counts(result.status)}), "
        f"{result.made} of them trained in {result.seconds:.0f} s"
    )
    if "failed" in result.status:
        print("--retry-failed trains failed runs again")
    for machine, count in result.unrelated.items():
        print(
            f"machine {machine} has {count} runs but no anchor (machine-speed reference run) yet: "
            "their times are not corrected until its next call makes one"
        )
    if result.after == result.planned:
        print(f"next: eahas fit {arguments.spec} {store} --out my-benchmark")
    else:
        print(f"call it again to continue; interrupted runs are kept in {work_folder(store)}")


def restore(arguments: Namespace) -> None:
    from sweeps.restore import restore as restore_runs

    count = restore_runs(Path(arguments.folder), arguments.records)
    print(f"{arguments.folder}: {count} runs restored")
    print(f"next: eahas sweep launch {arguments.folder}")


def collect(arguments: Namespace) -> None:
    from sweeps.collect import RECORDS_FILE
    from sweeps.collect import collect as collect_runs
    from sweeps.plan import SPEC_FILE
    from sweeps.specs import list_specs, load_spec

    folder = Path(arguments.folder)
    out = folder / RECORDS_FILE if arguments.out is None else Path(arguments.out)
    spec, rows = collect_runs(folder, out)
    print(f"{out}: {len(rows)} runs of {spec.name} ({format_counts(rows.counts('status'))})")
    ships = spec.name in list_specs() and load_spec(spec.name).source == spec.source
    name_or_path = spec.name if ships else folder / SPEC_FILE
    print(f"next: eahas fit {name_or_path} {out} --out my-benchmark")


def format_counts(counts: Mapping[str, int]) -> str:
    """Counts as text, such as "3 ok, 1 failed"."""
    return ", ".join(f"{count} {name}" for name, count in counts.items())

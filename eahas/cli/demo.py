"""`eahas demo`: query the benchmark that ships, then make a small one from scratch."""

from __future__ import annotations

import copy
import os
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eahas import api
from eahas.benchmark.benchmark import Benchmark
from eahas.benchmark.prediction import prediction_view
from eahas.benchmark.storage.folder import replaceable
from eahas.cli import terminal
from eahas.cli.arguments import add_command, whole
from eahas.cli.format_metrics import summary
from eahas.cli.format_prediction import format_prediction
from eahas.cli.progress import Bars
from eahas.cli.sweep import format_counts, make_runs
from eahas.records.records import Record, Records
from eahas.report.text import label, number, unit_of
from eahas.spec.spec import Spec, spec_from_dict

if TYPE_CHECKING:
    from surrogates.benchmark import Fitted

BENCHMARK = "regnet-digits"
EPOCHS = (10, 25)  # of the small sweep, which then takes a minute or two
MIN_CONFIGS = 6  # the first six contain one validation and two test configurations
MEMBERS, FOLDS, STEPS, MAX_WORKERS = 3, 4, 400, 4


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "demo",
        run,
        "query the benchmark that ships, then sweep, fit and evaluate a small one",
        "eahas demo",
        "eahas demo --out /tmp/demo --configs 32",
    )
    command.add_argument("--out", metavar="DIR", default="demo-out", help="default: demo-out")
    command.add_argument(
        "--configs",
        metavar="N",
        type=whole(MIN_CONFIGS),
        default=16,
        help=f"configurations of the small sweep, {MIN_CONFIGS} or more; default: 16",
    )


def run(arguments: Namespace) -> None:
    out = Path(arguments.out)
    bench = api.load_benchmark(BENCHMARK)
    query(bench, out)
    make(bench, out, arguments.configs)


def query(bench: Benchmark, out: Path) -> None:
    """The first half: one prediction, as text and as an image."""
    _heading(1, "Query the benchmark that ships")
    prediction = bench.predict(bench.space.sample(seed=0))
    view = prediction_view(prediction)
    say(format_prediction(view, drawn=terminal.can_draw(), columns=terminal.width()))
    _draw(prediction, out / "prediction.png")


def make(shipped: Benchmark, out: Path, configs: int) -> None:
    """The second half: sample, train, collect, fit, load and evaluate."""
    from sweeps import plan
    from sweeps.collect import RECORDS_FILE, collect

    spec = small_spec(shipped.spec)
    sweep, folder = out / f"sweep-{configs}", out / f"benchmark-{configs}"
    _heading(2, "Make a small benchmark")
    say(
        f"It has the space of {shipped.name}, with trainings of only "
        f"{' or '.join(map(str, EPOCHS))} epochs."
    )
    replaceable(folder)

    runs = plan.sample(spec, sweep, configs, seed=0)
    say(f"sample   {configs} configurations, {len(runs)} runs: {sweep}")
    finished, _ = make_runs(sweep, min(MAX_WORKERS, len(os.sched_getaffinity(0))), "cpu")
    say(f"launch   {finished} runs trained on handwritten digits")
    spec, rows = collect(sweep)
    say(f"collect  {format_counts(rows.counts('status'))}: {sweep / RECORDS_FILE}")
    fitted = fit_small(spec, rows, folder)
    say(f"fit      {MEMBERS} networks for the curves, {MEMBERS} for the costs: {folder}")

    bench = api.load_benchmark(folder)
    say(f"load     {bench.id}; its predictions for configurations that it was not fitted to:\n")
    say(side_by_side(bench, rows))
    say("\n" + summary(fitted.quality["held_out"], spec.targets, bench.energies))
    say(
        f"\nWith {configs} configurations, these values only show that the pipeline works. For the "
        f"quality of a\nreal benchmark, run: eahas evaluate {shipped.name}"
    )
    row = held_out(rows)[-1]
    observed = {t.name: row[t.name] for t in spec.curves}
    _draw(bench.predict(config_of(row, spec)), out / "held-out.png", observed)


def small_spec(shipped: Spec) -> Spec:
    """The shipped space with short trainings only, under another name."""
    source = copy.deepcopy(dict(shipped.source))
    source["name"] += "-demo"
    source["description"] = f"{shipped.name} with short trainings only, for a demonstration"
    source["parameters"][shipped.space.fidelity]["choices"] = list(EPOCHS)
    return spec_from_dict(source)


def fit_small(spec: Spec, rows: Records, folder: Path) -> Fitted:
    """Fit with settings for a small number of runs, and save the benchmark folder."""
    from surrogates.benchmark import default_components, fit, save
    from surrogates.families import CURVES, SCALARS, configured

    small = {"members": MEMBERS, "steps": STEPS}
    settings = {"curves": configured(CURVES, small), "scalars": configured(SCALARS, small)}
    with Bars() as bars:
        components = default_components(spec, settings=settings)
        fitted = fit(spec, rows, components=components, folds=FOLDS, report=bars)
    save(fitted, rows, folder)
    return fitted


def held_out(rows: Records) -> Records:
    """The successful runs of the test split."""
    return rows.ok.where(lambda row: row.get("split") == "test")


def config_of(row: Record, spec: Spec) -> dict[str, Any]:
    from eahas.records.schema import config_of

    return config_of(row, spec)


def side_by_side(bench: Benchmark, rows: Records) -> str:
    """Predicted and observed values of the held-out runs, one line each."""
    main = next(t for t in bench.curves if t.name == bench.main_curve)
    targets = [main, *bench.scalars]
    units = [unit_of(t, bench.energy_source_of(t) or "") for t in targets]
    lines = [
        f"{'':8}" + "".join(f"{label(t):>28}" for t in targets),
        f"{'':8}" + "".join(f"{unit:>28}" for unit in units),
        f"{'epochs':8}" + f"{'predicted':>18}{'real':>10}" * len(targets),
    ]
    for row in held_out(rows):
        prediction = bench.predict(config_of(row, bench.spec))
        cells = f"{prediction.epochs:<8}"
        for target in targets:
            curve = target.kind == "curve"
            value = prediction.learning_curve[-1] if curve else getattr(prediction, target.name)
            real = row[target.name][-1] if curve else row[target.name]
            cells += f"{number(value):>18}{number(real):>10}"
        lines.append(cells)
    return "\n".join(lines)


def _draw(prediction: Any, path: Path, seen: Any = None) -> None:
    """Write an image of a prediction, if matplotlib is installed."""
    from eahas.errors import MissingExtraError
    from eahas.report.plotting import plot_prediction, save_figure

    try:
        figure = plot_prediction(prediction_view(prediction), seen=seen)
    except MissingExtraError as missing:
        say(f"\nno image: {missing}")
        return
    say(f"\nwrote {save_figure(figure, path)}")


def say(text: str) -> None:
    """Print a text and flush, so that it precedes the following progress output in a log too."""
    print(text, flush=True)


def _heading(step: int, text: str) -> None:
    title = f"{step} of 2: {text}"
    say(f"\n{title}\n{'=' * len(title)}")

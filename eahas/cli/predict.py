"""`eahas predict`: predict the runs of a configuration, or of a list of configurations."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from eahas import api
from eahas.benchmark.prediction import prediction_view
from eahas.cli import terminal
from eahas.cli.arguments import UsageError, add_benchmark, add_command, probability, whole
from eahas.cli.format_prediction import format_list, format_prediction, format_query
from eahas.cli.inputs import read_json


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "predict",
        run,
        "predict the learning curve, time and energy of a configuration",
        "eahas predict regnet-digits --sample 0",
        "eahas predict regnet-digits --config config.json --plot prediction.png",
        "eahas predict regnet-digits --config - --at 10 --json < config.json",
    )
    add_benchmark(command)
    given = command.add_mutually_exclusive_group(required=True)
    given.add_argument(
        "--config", metavar="FILE", help="JSON: a configuration, or a list of them; - reads stdin"
    )
    given.add_argument(
        "--sample", metavar="SEED", type=whole(0), help="a random configuration of the space"
    )
    command.add_argument(
        "--at",
        metavar="EPOCH",
        type=whole(1),
        help="predict the values at this epoch; default: end",
    )
    command.add_argument(
        "--level", type=probability, default=0.9, help="level of the intervals; default: 0.9"
    )
    command.add_argument(
        "--noise-seed", metavar="N", type=whole(0), help="predict one sampled run, not the mean"
    )
    command.add_argument("--plot", metavar="FILE", help="plot the curves as .png, .svg, .pdf, ...")
    command.add_argument("--json", action="store_true", help="print everything as JSON")


def run(arguments: Namespace) -> None:
    bench = api.load_benchmark(arguments.benchmark, task=arguments.task, device=arguments.device)
    if arguments.config is not None:
        config = read_json(arguments.config)
    else:
        config = bench.space.sample(seed=arguments.sample)
    prediction = bench.predict(config, noise_seed=arguments.noise_seed)
    values = None
    if arguments.at is not None:
        if not prediction.single:
            raise UsageError("--at takes one configuration, not a list")
        values = bench.query(config, at=arguments.at, noise_seed=arguments.noise_seed)
    image = None
    if arguments.plot is not None:
        from eahas.report.plotting import save_figure

        image = save_figure(prediction.plot(arguments.level), arguments.plot)
    if arguments.json:
        at = {} if values is None else {"at": values}
        print(json.dumps(prediction.to_dict(arguments.level) | at, allow_nan=False))
    elif values is not None:
        print(format_query(bench, values, prediction.epochs))
    elif prediction.single:
        view = prediction_view(prediction, arguments.level)
        drawn, columns = terminal.can_draw(), terminal.width()
        if arguments.sample is not None:
            print(json.dumps(config))
        print(format_prediction(view, drawn=drawn, columns=columns))
    else:
        print(format_list(prediction_view(prediction, arguments.level)))
    if image is not None and not arguments.json:
        print(f"\nwrote {image}")

"""Spaces and files that are odd but legal: from Parquet to a benchmark that answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from eahas import api
from eahas.cli.evaluate import evaluate
from eahas.errors import FitError
from eahas.records.parquet import read_records
from eahas.spec.spec import spec_from_dict
from surrogates.benchmark import default_components, fit, save
from surrogates.data.dataset import runs_from_records
from surrogates.families import CURVES, SCALARS
from surrogates.fitting import fit_components

pytestmark = pytest.mark.integration

QUICK = {
    "curves": replace(CURVES, members=2, steps=20, hidden=(16,)),
    "scalars": replace(SCALARS, members=2, steps=20, hidden=(16,)),
}
NAN = float("nan")

LR = {"lr": {"type": "float", "low": 1e-4, "high": 1.0, "log": True}}
WIDTH = {"width": {"type": "integer", "low": 1, "high": 64}}
EPOCHS = {"max_epoch": {"type": "choice", "choices": [3, 9]}}
LOSS = {"loss": {"unit": "nat", "low": 0}}
COST = {"fit_s": {"unit": "s", "low": 0, "cumulative": True}}


def spec_of(parameters, curves=None, scalars=None):
    fidelity = {"fidelity": "max_epoch"} if "max_epoch" in parameters else {}
    targets = {"curves": curves or {}, "scalars": scalars or {}}
    return spec_from_dict({"name": "odd", "parameters": parameters, "targets": targets, **fidelity})


def runs_of(spec, count, seeds=1, **values):
    """A frame of `count` sampled configurations; `values` of (config, epochs, rng)."""
    rng = np.random.default_rng(0)
    told = {"loss": loss, "fit_s": cost} | values
    rows = []
    for at, nested in enumerate(spec.space.sample(count, seed=0)):
        config = spec.space.check(nested)
        epochs = np.arange(1, config.get("max_epoch", 1) + 1)
        for _ in range(seeds(at) if callable(seeds) else seeds):
            found = {t.name: told[t.name](config, epochs, rng) for t in spec.targets}
            rows.append(config | found)
    return pd.DataFrame(rows)


def loss(config, epochs, rng):
    height = 1.0 + abs(np.log10(config.get("lr", 0.01)) + 2)
    return 0.3 + height * np.exp(-epochs / 3) + 0.02 * rng.random(len(epochs))


def cost(config, epochs, rng):
    return len(epochs) * (1.0 + config.get("width", 1) / 64) * rng.lognormal(0, 0.05)


def constant(value):
    return lambda config, epochs, rng: np.full(len(epochs), value)


def single(value):
    return lambda config, epochs, rng: value


def no_curves():
    spec = spec_of(LR | WIDTH, scalars={"ms": {"low": 0}, "score": {"direction": "maximize"}})
    return spec, runs_of(
        spec, 40, ms=cost, score=lambda c, e, rng: -c["width"] + float(rng.normal())
    )


def zero_and_negative():
    spec = spec_of(LR | EPOCHS, scalars={"drift": {"cumulative": True}, "kelvin": {"high": 0}})
    of_both = {
        name: lambda c, e, rng: 0.0 if c["lr"] < 0.01 else -3.0 for name in ("drift", "kelvin")
    }
    return spec, runs_of(spec, 40, **of_both)


def every_run_of_another_length():
    spec = spec_of(LR | {"max_epoch": {"type": "integer", "low": 1, "high": 40}}, LOSS, COST)
    return spec, runs_of(spec, 40)


def one_curve_alone():
    spec = spec_of(LR | EPOCHS, {"reward": {"direction": "maximize"}})
    return spec, runs_of(spec, 40, reward=lambda c, e, rng: -loss(c, e, rng))


def conditions_of_conditions():
    spec = spec_of(
        {
            "use": {"type": "boolean"},
            "kind": {"type": "choice", "choices": ["x", "y", 0.5], "when": {"use": [True]}},
            "rate": {"type": "float", "low": 0.1, "high": 1, "log": True, "when": {"kind": ["y"]}},
            **WIDTH,
            **EPOCHS,
        },
        LOSS,
        COST,
    )
    frame = runs_of(spec, 40)
    return spec, frame.assign(kind=frame.kind.map(str, na_action="ignore"))


def few_runs():
    spec = spec_of(LR | WIDTH | EPOCHS, LOSS, COST)
    return spec, runs_of(spec, 15)


def nothing_varies():
    spec = spec_of(LR | EPOCHS, LOSS, COST | {"size": {"unit": "B", "low": 0}, "nothing": {}})
    values = {"loss": constant(0.0), "fit_s": single(2.0), "size": single(8), "nothing": single(0)}
    return spec, runs_of(spec, 40, **values)


def huge_values():
    spec = spec_of(LR | WIDTH | EPOCHS, LOSS, {"flops": {"low": 0}, "joined": {}})
    values = {
        "loss": lambda c, e, rng: 1e6 * loss(c, e, rng),
        "flops": lambda c, e, rng: 1e21 * cost(c, e, rng),
        "joined": lambda c, e, rng: 1e30 * cost(c, e, rng),
    }
    return spec, runs_of(spec, 40, **values)


def spikes():
    def spiky(config, epochs, rng):
        found = loss(config, epochs, rng)
        found[rng.integers(len(found))] *= 1e6 if rng.random() < 0.1 else 1
        return found

    spec = spec_of(LR | WIDTH | EPOCHS, LOSS, COST)
    return spec, runs_of(spec, 40, loss=spiky)


def only_repeats():
    spec = spec_of(LR | WIDTH | EPOCHS, LOSS, COST)
    return spec, runs_of(spec, 20, seeds=3)


def lacking_and_failed():
    spec = spec_of(LR | WIDTH | EPOCHS, LOSS, COST | {"mem": {"unit": "B", "optional": True}})
    frame = runs_of(spec, 50, seeds=lambda at: 1 + at % 2, mem=single(1e9))
    lacks = np.random.default_rng(1).random(len(frame)) < 0.3
    frame.loc[lacks, "mem"] = NAN
    frame.loc[[1, 2, 5], "fit_s"] = NAN  # 1 and 2 are all the runs of their configuration
    frame.at[1, "loss"] = None
    frame.at[2, "loss"] = [2.0, NAN]
    return spec, frame


def types_of_all_kinds():
    spec = spec_of(
        LR
        | WIDTH
        | EPOCHS
        | {
            "flag": {"type": "boolean"},
            "depth": {"type": "integer", "low": 1, "high": 5, "when": {"flag": [True]}},
            "share": {"type": "choice", "choices": [0.1, 0.25, 0.3]},
        },
        LOSS,
        COST,
    )
    frame = runs_of(spec, 30, seeds=2)
    return spec, frame.assign(
        lr=frame.lr.astype("float32"),
        width=frame.width.astype("int32"),
        max_epoch=frame.max_epoch.astype("category"),
        flag=frame.flag.astype("boolean"),
        depth=frame.depth.astype("Int64"),
        share=frame.share.astype("float32"),
        seed=np.arange(len(frame)) % 2,
        run_id=np.arange(len(frame)),
        when=pd.Timestamp("2024-01-01"),
        started_at=pd.Timestamp("2024-01-01", tz="UTC"),
    )


@pytest.mark.parametrize(
    "made",
    [
        no_curves,
        zero_and_negative,
        every_run_of_another_length,
        one_curve_alone,
        conditions_of_conditions,
        few_runs,
        nothing_varies,
        huge_values,
        spikes,
        only_repeats,
        lacking_and_failed,
        types_of_all_kinds,
    ],
    ids=lambda made: made.__name__,
)
def test_an_odd_space_becomes_a_benchmark_that_answers(made, tmp_path) -> None:
    spec, frame = made()
    frame.to_parquet(tmp_path / "runs.parquet")
    rows = read_records(tmp_path / "runs.parquet", spec)
    fitted = fit(spec, rows, components=default_components(spec, settings=QUICK), resamples=5)
    save(fitted, rows, tmp_path / "b")
    bench = api.load_benchmark(tmp_path / "b")
    assert len(bench.records()) == len(frame)
    found = evaluate(bench, None, 5)
    assert {key: found[key] for key in bench.manifest["quality"]} == bench.manifest["quality"]
    configs = bench.space.sample(30, seed=1)
    for noise_seed in (None, 7):
        many = bench.predict(configs, noise_seed=noise_seed)
        assert ((many.support > 0) & (many.support <= 1)).all()
        for target in bench.targets:
            check_answers(many, target)
        one = bench.predict(configs[0], noise_seed=noise_seed)
        assert None not in (one.to_dict()["support"], bench.query(configs[0])["epoch"])
        for target in bench.targets:
            alone, among = value_of(one, target), value_of(many, target)[0]
            size = np.nanmax(np.abs(value_of(many, target)))
            among = among[: one.epochs] if target.kind == "curve" else among
            np.testing.assert_allclose(alone, among, rtol=1e-4, atol=1e-5 * size)


def value_of(prediction, target):
    return (
        prediction.curves[target.name]
        if target.kind == "curve"
        else getattr(prediction, target.name)
    )


def check_answers(many, target):
    """Finite up to the end of each run, inside the bounds, values and intervals alike."""
    low, high = many.interval(0.9)[target.name]
    values = value_of(many, target)
    deviations = [
        getattr(many, f"{kind}std")[target.name] for kind in ("", "epistemic_", "aleatoric_")
    ]
    there = np.ones(len(values), dtype=bool)
    if target.kind == "curve":
        there = np.arange(values.shape[1]) < many.epochs[:, None]
    for array in (values, low, high, *deviations):
        np.testing.assert_array_equal(np.isfinite(array), there)
    for array in (values, low, high):
        assert target.low is None or (array[there] >= target.low).all()
        assert target.high is None or (array[there] <= target.high).all()
    assert (low[there] <= high[there]).all()
    assert all((deviation[there] >= 0).all() for deviation in deviations)


@pytest.mark.parametrize(
    ("scalar", "value", "message"),
    [
        ({"low": 0}, single(0), "odd_one has low: 0 .* runs have .* such as 0; remove its low"),
        (
            {"optional": True},
            single(NAN),
            "odd_one has values for 0 configurations; a fit needs 10: add some, or remove",
        ),
        (
            {"optional": True},
            lambda c, e, rng: 1.0 if c["width"] < 8 else NAN,
            r"odd_one has values for \d configurations; a fit needs 10",
        ),
    ],
)
def test_what_cannot_be_fitted_is_said_before_anything_is(scalar, value, message, tmp_path) -> None:
    spec = spec_of(LR | WIDTH | EPOCHS, LOSS, {"odd_one": scalar})
    runs_of(spec, 30, odd_one=value).to_parquet(tmp_path / "runs.parquet")
    rows = read_records(tmp_path / "runs.parquet", spec)
    begun = []
    with pytest.raises(FitError, match=message):
        fit(
            spec,
            rows,
            components=default_components(spec, settings=QUICK),
            report=lambda *_: begun.append(1),
        )
    assert not begun


def test_only_failed_runs_are_nothing_to_learn_from(tmp_path) -> None:
    spec = spec_of(LR | WIDTH | EPOCHS, LOSS, COST)
    runs_of(spec, 5).assign(status="failed").to_parquet(tmp_path / "runs.parquet")
    rows = read_records(tmp_path / "runs.parquet", spec)
    with pytest.raises(FitError, match="none of the 5 records can be used"):
        fit(spec, rows)


def test_intervals_hold_with_few_runs_and_no_repeats() -> None:
    """The noise is what models miss, and must not be learned by heart from the runs it scales."""
    spec = spec_of(
        LR | WIDTH | EPOCHS | {"kind": {"type": "choice", "choices": ["a", "b"]}},
        LOSS,
        COST | {"reward": {}},
    )

    def reward(config, epochs, rng):
        return float(rng.normal() - config["width"] / 10)

    def runs(count):
        frame = runs_of(spec, count, reward=reward)
        rows = [
            {name: value for name, value in row.items() if value is not None}
            | {"run_id": str(at), "config_id": str(at), "seed": 0, "status": "ok"}
            for at, row in enumerate(frame.to_dict("records"))
        ]
        return runs_from_records(rows, spec)

    seen, unseen = runs(30), runs(330)
    unseen = unseen.where(np.arange(len(unseen)) >= 30)
    models, sources = fit_components(default_components(spec, settings=QUICK), seen)
    assert set(sources.values()) == {"residuals"}
    for model in models:
        beliefs = model.distribution(unseen.configs)
        for target in model.targets:
            values = unseen.values_of(target)
            low, high = beliefs[target.name].interval(0.9)
            held = ((low <= values) & (values <= high))[np.isfinite(values)].mean()
            assert held > 0.8, target.name


def test_names_of_targets_may_have_dots(tmp_path) -> None:
    spec = spec_of(
        LR | EPOCHS, {"val.loss": {"low": 0}, "val.loss.ema": {}}, {"fit.time": {"low": 0}}
    )
    told = {"val.loss": loss, "val.loss.ema": loss, "fit.time": cost}
    runs_of(spec, 30, **told).to_parquet(tmp_path / "runs.parquet")
    rows = read_records(tmp_path / "runs.parquet", spec)
    fitted = fit(spec, rows, components=default_components(spec, settings=QUICK), resamples=2)
    save(fitted, rows, tmp_path / "odd")
    bench = api.load_benchmark(tmp_path / "odd")
    answer = bench.predict(spec.space.sample(seed=0))
    assert set(answer.curves) == {"val.loss", "val.loss.ema"}
    assert answer.interval(0.9)["fit.time"][0] > 0


def test_a_zero_among_held_out_runs_is_found_before_the_fit(tmp_path) -> None:
    spec = spec_of(LR | WIDTH, None, COST)
    frame = runs_of(spec, 40)
    frame["split"] = ["train"] * 30 + ["test"] * 10
    frame.loc[35, "fit_s"] = 0.0
    frame.to_parquet(tmp_path / "runs.parquet")
    with pytest.raises(FitError, match="1 of 40 runs have a value that is not positive, such as 0"):
        fit(spec, read_records(tmp_path / "runs.parquet", spec), resamples=2)

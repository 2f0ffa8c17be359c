"""Tables: what was measured is what is answered, one configuration or many."""

from __future__ import annotations

import numpy as np
import pytest

from eahas import api
from eahas.errors import ConfigError, EahasError
from eahas.models.table import Table


@pytest.fixture(scope="module")
def table(tabled) -> Table:
    return tabled()


@pytest.fixture(scope="module")
def bench(tabled, saved_table, tmp_path_factory):
    return api.load_benchmark(saved_table(tmp_path_factory.mktemp("t") / "listed", tabled()))


def nested(table: Table, row: int):
    return table.space.nest(table.flats[row])


def test_the_value_is_the_mean_over_the_seeds(table, bench) -> None:
    for row in range(len(table.flats)):
        config, epochs = nested(table, row), table.flats[row]["epochs"]
        p = bench.predict(config)
        for name in ("valid", "loss"):
            runs = table.values[name][row].astype(float)[:, :epochs]
            np.testing.assert_allclose(p.curves[name], np.nanmean(runs, axis=0))
        for name in ("runtime_s", "test_energy_j"):
            logs = np.log(table.values[name][row])
            assert getattr(p, name) == pytest.approx(np.exp(np.nanmean(logs)))
        assert p.score == pytest.approx(np.nanmean(table.values["score"][row]))
        assert type(p.score) is type(p.runtime_s) is float


def test_one_and_many_agree(table, bench) -> None:
    configs = [nested(table, row) for row in range(len(table.flats))]
    for noise_seed in (None, 1):
        many = bench.predict(configs, noise_seed=noise_seed)
        for k, config in enumerate(configs):
            one = bench.predict(config, noise_seed=noise_seed)
            for name in bench.target_names:
                curve = name in bench.curve_names
                a, b = (p.curves[name] if curve else getattr(p, name) for p in (one, many))
                at = (k, slice(one.epochs)) if curve else k
                np.testing.assert_allclose(a, b[at], rtol=1e-15, err_msg=name)
                for part in ("std", "epistemic_std", "aleatoric_std"):
                    np.testing.assert_allclose(
                        getattr(one, part)[name], getattr(many, part)[name][at], err_msg=name
                    )
                for end, ends in zip(
                    one.interval(0.8)[name], many.interval(0.8)[name], strict=True
                ):
                    np.testing.assert_allclose(end, ends[at], err_msg=name)


def test_the_mean_is_known_the_better_the_more_seeds_there_are(table) -> None:
    for name in table.values:
        summary = table.summary(name)
        count = np.isfinite(table.values[name]).sum(axis=1)
        known = count > 0
        np.testing.assert_allclose(
            summary.epistemic[known], summary.aleatoric[known] / np.sqrt(count[known])
        )
        assert (summary.aleatoric[known] > 0).all()
        assert np.isnan(summary.location[~known]).all()


def test_a_noise_seed_names_a_measured_run(table, bench) -> None:
    for row, runs in ((0, (0, 1, 2)), (len(table.flats) - 1, (1, 2))):
        config, epochs = nested(table, row), table.flats[row]["epochs"]
        for seed in (*range(6), 2**63 - 1):
            p, column = bench.predict(config, noise_seed=seed), runs[seed % len(runs)]
            for name in bench.curve_names:
                np.testing.assert_array_equal(
                    p.curves[name], table.values[name][row, column, :epochs]
                )
            for name in bench.scalar_names:
                np.testing.assert_array_equal(getattr(p, name), table.values[name][row, column])
    model = bench.model("runtime_s")
    drawn = {model.predict(nested(table, 0), with_noise=True) for _ in range(60)}
    assert drawn == set(table.values["runtime_s"][0])


def test_members_are_the_seeds(table, bench) -> None:
    model, config = bench.model("loss"), nested(table, 15)
    assert model.members == 3
    for name, found in model.predict_members(config).items():
        width = 5 if name in bench.curve_names else None
        np.testing.assert_array_equal(found, table.values[name][15, :, ...][..., :width])
    many = model.predict_members([config, nested(table, 0)])
    assert many["loss"].shape == (3, 2, 5)
    assert many["score"].shape == (3, 2)
    np.testing.assert_array_equal(many["score"][:, 1], table.values["score"][0])


def test_it_is_sure_of_its_support(table, bench) -> None:
    assert bench.predict(nested(table, 0)).support == 1.0
    np.testing.assert_array_equal(bench.predict([nested(table, k) for k in (0, 3)]).support, 1.0)


def test_answers_are_the_caller_s_own(table, bench) -> None:
    config = nested(table, 0)
    for part in ("curves", "std", "aleatoric_std"):
        before = getattr(bench.predict(config), part)["valid"].copy()
        getattr(bench.predict(config), part)["valid"][:] = -1.0
        np.testing.assert_array_equal(getattr(bench.predict(config), part)["valid"], before)


def test_a_configuration_without_a_run_is_refused(tabled, saved_table, tmp_path) -> None:
    whole, folder = tabled(), saved_table(tmp_path / "part", tabled(rows=slice(0, 9)))
    bench = api.load_benchmark(folder)
    there, absent = nested(whole, 0), nested(whole, 12)
    assert bench.predict(there).support == 1.0
    with pytest.raises(ConfigError, match=r"'opt.kind': 'adam'.* has no run .* 9 of the 16 conf"):
        bench.predict(absent)
    with pytest.raises(ConfigError, match=r"configs\[1\]: .* has no run in this table"):
        bench.predict([there, absent])
    with pytest.raises(ConfigError, match=r"has no run in this table"):
        bench.query(absent, at=1)
    with pytest.raises(ConfigError, match=r"width=4 is out of range"):
        bench.predict({**there, "width": 4})


def test_a_table_of_one_seed_knows_no_deviation(tabled, saved_table, tmp_path) -> None:
    folder = saved_table(tmp_path / "one", tabled(seeds=1, knots=0))
    bench = api.load_benchmark(folder)
    p = bench.predict(bench.space.sample(seed=0))
    assert np.isnan(p.std["runtime_s"]) and np.isnan(p.std["valid"]).all()
    assert p.to_dict()["targets"]["runtime_s"]["std"] is None
    assert np.isfinite(p.runtime_s) and np.isfinite(p.learning_curve).all()


def test_targets_are_chosen_by_name(table, bench) -> None:
    assert bench.model("table").primary == "valid"
    assert bench.model("learning_curve").primary == "valid"
    assert api.load_ensemble(bench.folder / "runtime_s").primary == "runtime_s"
    assert api.load_ensemble(bench.folder / "table").select("score").primary == "score"
    with pytest.raises(EahasError, match=r"table: target 'scores' .* did you mean 'score'"):
        table.select("scores")
    for bad in ({"representation": "tree"}, {"search_space": "nas"}):
        with pytest.raises(EahasError, match=r"is unknown; allowed"):
            table.predict(nested(table, 0), **bad)


def test_columns_codes_queries_and_json_work_as_elsewhere(table, bench) -> None:
    config = nested(table, 0)
    np.testing.assert_array_equal(
        bench.predict_columns(bench.space.columns([config])).runtime_s,
        bench.predict([config]).runtime_s,
    )
    model = bench.model("runtime_s")
    assert model.predict(bench.space.encode(config), encoded=True) == model.predict(config)
    assert model.epochs_of(config) == config["epochs"]
    whole = bench.query(config)
    assert bench.query(config, at=1)["runtime_s"] == pytest.approx(whole["runtime_s"] / 2)
    assert bench.predict(config).to_dict()["support"] == 1.0

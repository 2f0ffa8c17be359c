"""The contract of a benchmark: its interface, its evidence, its folder.

A plug-in tests its own benchmark with a subclass and a fixture:

    from eahas.contract.benchmark import BenchmarkContract

    class TestMine(BenchmarkContract):
        @pytest.fixture(scope="class")
        @classmethod
        def bench(cls):
            return api.load_benchmark("path/to/mine")
"""

from __future__ import annotations

import hashlib
import json
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.benchmark import NOTICE, RECORDS, Benchmark
from eahas.errors import EstimatedEnergyWarning
from eahas.records.parquet import read_records
from eahas.records.schema import config_of

PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def files_of(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


class BenchmarkContract:
    """Every test takes the fixture `bench`, which a subclass defines."""

    @pytest.fixture(scope="class")
    @classmethod
    def bench(cls) -> Benchmark:
        raise NotImplementedError("a subclass defines the fixture bench")

    @pytest.fixture(scope="class")
    @classmethod
    def configs(cls, bench: Benchmark) -> list[dict[str, Any]]:
        return bench.space.sample(40, seed=0)

    @pytest.fixture(scope="class")
    @classmethod
    def rows(cls, bench: Benchmark) -> list[dict[str, Any]]:
        pytest.importorskip("pyarrow")
        if RECORDS not in bench.manifest["files"]:
            pytest.skip(f"the records behind {bench.id} are not distributed")
        return read_records(bench.folder / RECORDS, bench.spec)

    # The interface

    def test_sampled_configurations_belong_to_the_space(self, bench: Benchmark, configs) -> None:
        assert bench.space.sample(seed=0) == configs[0]
        assert len(bench.space.sample(n=100)) == 100
        assert all(bench.space.contains(config) for config in configs)

    def test_every_prediction_is_finite_and_bounded(self, bench: Benchmark, configs) -> None:
        many = bench.predict(configs)
        for config in configs[:10]:
            p = bench.predict(config)
            interval = p.interval(0.9)
            for target in bench.targets:
                value = p[target.name]
                low, high = interval[target.name]
                for number in (value, low, high, p.std[target.name]):
                    assert np.shape(number) == ((p.epochs,) if target.kind == "curve" else ())
                    assert np.isfinite(number).all()
                assert np.all(low <= value) and np.all(value <= high)
                assert target.low is None or np.all(low >= target.low)
                assert target.high is None or np.all(high <= target.high)
                assert np.all(p.std[target.name] > 0)
        for target in bench.targets:
            value = (
                many.curves[target.name] if target.kind == "curve" else getattr(many, target.name)
            )
            past = np.zeros(value.shape, dtype=bool)
            if target.kind == "curve":
                past = np.arange(value.shape[1]) >= many.epochs[:, None]
            np.testing.assert_array_equal(np.isnan(value), past)

    def test_one_and_many_agree(self, bench: Benchmark, configs) -> None:
        many = bench.predict(configs)
        for k, config in enumerate(configs):
            p = bench.predict(config)
            for name in bench.scalar_names:
                assert getattr(p, name) == pytest.approx(getattr(many, name)[k], rel=1e-5, abs=1e-6)
                assert p.std[name] == pytest.approx(many.std[name][k], rel=1e-3)
            for name, curve in p.curves.items():
                np.testing.assert_allclose(many.curves[name][k, : p.epochs], curve, rtol=1e-6)

    def test_predictions_tell_configurations_apart(self, bench: Benchmark, configs) -> None:
        many = bench.predict(configs)
        for name in bench.scalar_names:
            assert len(set(getattr(many, name).tolist())) > len(configs) / 2
        for curve in many.curves.values():
            assert len(set(curve[:, 0].tolist())) > len(configs) / 2

    def test_a_query_grows_with_the_epoch(self, bench: Benchmark, configs) -> None:
        config = min(configs, key=lambda config: bench.predict(config).epochs)
        p = bench.predict(config)
        steps = [bench.query(config, at=epoch) for epoch in range(1, p.epochs + 1)]
        assert bench.query(config) == steps[-1]
        for target in bench.targets:
            told = [step[target.name] for step in steps]
            if target.kind == "curve":
                np.testing.assert_allclose(told, p.curves[target.name])
            elif target.cumulative:
                assert all(a < b for a, b in pairwise(told))
                assert told[-1] == getattr(p, target.name)
            else:
                assert set(told) == {getattr(p, target.name)}
        for at in (0, p.epochs + 1):
            with pytest.raises(api.ConfigError, match=rf"at={at}: allowed are whole epochs in 1.."):
                bench.query(config, at=at)

    def test_a_prediction_as_json_has_units_and_sources(self, bench: Benchmark, configs) -> None:
        for asked in (configs[0], configs[:3]):
            found = bench.predict(asked).to_dict()
            assert json.loads(json.dumps(found, allow_nan=False)) == found
            assert {name: t["unit"] for name, t in found["targets"].items()} == {
                t.name: t.unit for t in bench.targets
            }
            for target in found["targets"].values():
                assert target.get("source") == (
                    bench.energy_source if target["unit"] == "J" else None
                )

    def test_its_models_answer_for_themselves(self, bench: Benchmark, configs) -> None:
        p = bench.predict(configs[0])
        for target in bench.targets:
            model = api.load_ensemble(bench.folder / target.name)
            value = p[target.name]
            np.testing.assert_array_equal(model.predict(config=configs[0]), value)
            members = model.predict_members(configs[0])[target.name]
            assert members.shape == (model.members, *np.shape(value))
            assert model.members > 1

    def test_noise_is_drawn_by_its_seed(self, bench: Benchmark, configs) -> None:
        for model in (bench.model(name) for name in bench.target_names):
            one = model.predict(configs, with_noise=True, noise_seed=0)
            again = model.predict(configs, with_noise=True, noise_seed=0)
            other = model.predict(configs, with_noise=True, noise_seed=1)
            np.testing.assert_array_equal(one, again)
            assert not np.array_equal(one, other, equal_nan=True)

    def test_bad_input_is_refused(self, bench: Benchmark, configs) -> None:
        name = bench.space.names[0]
        flat = bench.space.check(configs[0])
        missing = {k: v for k, v in flat.items() if k != name}
        for given in (
            missing,
            {**flat, "no.such": 1},
            {**flat, name: float("nan")},
            [],
            None,
            [{}],
        ):
            with pytest.raises(api.ConfigError):
                bench.predict(given)
        with pytest.raises(api.ConfigError, match=name):
            bench.predict(missing)

    def test_ea_has_bench_interface(self, bench: Benchmark, configs) -> None:
        wanted = {"runtime_s", "train_energy_j", "test_energy_j"}
        if not wanted <= set(bench.scalar_names) or not {"test", "test_ema"} & set(
            bench.curve_names
        ):
            pytest.skip(f"{bench.name} has other targets")
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            models = api.get_ea_has_bench_api(str(bench.folder))["ea_has_bench_model"]
        energy_warnings = [w for w in seen if w.category is EstimatedEnergyWarning]
        assert len(energy_warnings) == (bench.energy_source == "estimated")
        p = bench.predict(configs[0])
        curve, time, train, test = (model.predict(config=configs[0]) for model in models)
        assert curve.shape == (p.epochs,)
        assert ((curve >= 0) & (curve <= 100)).all()
        assert time * p.epochs == pytest.approx(p.runtime_s)
        assert train * p.epochs * 3.6e6 == pytest.approx(p.train_energy_j)
        assert test * 3.6e6 == pytest.approx(p.test_energy_j)

    # The evidence

    def test_the_records_are_those_of_the_manifest(self, bench: Benchmark, rows) -> None:
        made = bench.manifest["provenance"]
        content = (bench.folder / RECORDS).read_bytes()
        assert hashlib.sha256(content).hexdigest() == made["records_sha256"]
        assert len(rows) == made["runs"]
        assert len({row["config_id"] for row in rows}) == made["configurations"]
        assert sum(made["status"].values()) == made["runs"]
        for status, count in made["status"].items():
            assert sum(row["status"] == status for row in rows) == count

    def test_the_records_belong_to_the_space_and_to_the_source(
        self, bench: Benchmark, rows
    ) -> None:
        assert {row["space"] for row in rows} == {bench.spec.name}
        ok = [row for row in rows if row["status"] == "ok"]
        assert len(ok) > 0.5 * len(rows)
        sources = {row["energy_source"] for row in ok if "energy_source" in row}
        assert sources == {bench.energy_source} or bench.energy_source in ("mixed", "none")
        splits = {row.get("split", "") for row in ok}
        assert ({"train", "valid", "test"} if bench.table is None else {"test"}) <= splits

    def test_a_configuration_is_on_one_side_of_the_split(self, rows) -> None:
        sides: dict[str, set[str]] = {}
        for row in rows:
            if row.get("split"):  # anchors, which tell machines apart, are on no side
                sides.setdefault(row["config_id"], set()).add(row["split"])
        assert all(len(found) == 1 for found in sides.values())

    def test_the_records_come_as_a_frame(self, bench: Benchmark, rows) -> None:
        pytest.importorskip("pandas")
        frame = bench.records()
        assert len(frame) == len(rows)
        assert {*bench.space.names, *bench.target_names, "status", "seed"} <= set(frame.columns)

    def test_without_records_a_notice_says_whose_they_are(self, bench: Benchmark) -> None:
        if RECORDS in bench.manifest["files"]:
            pytest.skip(f"the records behind {bench.id} ship")
        notice = (bench.folder / NOTICE).read_text(encoding="utf-8")
        assert "icense" in notice
        assert "https://" in notice
        with pytest.raises(api.EahasError, match=r"are not distributed; .*NOTICE names"):
            bench.records()

    def test_predictions_are_plausible_beside_the_records(self, bench: Benchmark, rows) -> None:
        """Not how good the fit is, only that it is one: medians within a factor of two."""
        ok = [row for row in rows if row["status"] == "ok"]
        p = bench.predict([config_of(row, bench.spec) for row in ok])
        for target in bench.targets:
            if target.kind == "scalar":
                seen = np.median([row[target.name] for row in ok])
                assert 0.5 < np.median(getattr(p, target.name)) / seen < 2.0
            else:
                last = np.array([row[target.name][-1] for row in ok])
                told = p.curves[target.name][np.arange(len(ok)), p.epochs - 1]
                assert np.corrcoef(last, told)[0, 1] > 0.5

    def test_the_quality_is_stated_for_every_target(self, bench: Benchmark) -> None:
        judged = bench.manifest["quality"]["held_out"]
        assert judged["runs"] > 1
        for target in bench.targets:
            found = judged["targets"][target.name]["last" if target.kind == "curve" else "value"]
            assert found["r2"]["low"] <= found["r2"]["value"] <= found["r2"]["high"] <= 1.0

    def test_the_calibration_is_sane(self, bench: Benchmark) -> None:
        for model in bench.models:
            if isinstance(model, api.Ensemble):
                assert all(0.0 <= factor < 10.0 for factor in model.inflation)
            distributions = model.distribution(bench.space.sample(seed=0))
            assert all(0.1 < d.error_quantiles.std < 10.0 for d in distributions.values())

    def test_both_parts_of_a_deviation_are_there(self, bench: Benchmark, configs) -> None:
        p = bench.predict(configs)
        for name in bench.target_names:
            known = ~np.isnan(p.std[name])
            assert (p.aleatoric_std[name][known] > 0).all()
            assert (p.epistemic_std[name][known] >= 0).all()
            assert p.aleatoric_std[name][known].mean() < 20 * p.std[name][known].mean()

    def test_a_run_strays_as_a_whole(self, bench: Benchmark, configs) -> None:
        mean, run = bench.predict(configs), bench.predict(configs, noise_seed=1)
        again = bench.predict(configs, noise_seed=1)
        for target in bench.targets:
            told, drawn, same = (
                p.curves[target.name] if target.kind == "curve" else getattr(p, target.name)
                for p in (mean, run, again)
            )
            np.testing.assert_array_equal(drawn, same)
            assert not np.array_equal(drawn, told, equal_nan=True)
            assert target.low is None or np.nanmin(drawn) >= target.low
            assert target.high is None or np.nanmax(drawn) <= target.high

    def test_support_is_high_where_runs_were(self, bench: Benchmark, rows) -> None:
        side = "train" if bench.table is None else "test"
        learned = [row for row in rows if row["status"] == "ok" and row.get("split") == side]
        scores = bench.predict([config_of(row, bench.spec) for row in learned]).support
        assert scores.min() > 0
        assert np.median(scores) > 0.5
        assert 0 <= bench.predict(bench.space.sample(seed=3)).support <= 1

    def test_only_a_table_knows_what_is_truly_best(self, bench: Benchmark) -> None:
        if bench.table is None:
            with pytest.raises(api.EahasError, match="only for a table"):
                bench.best(bench.targets[0].name)
            return
        scalar = next(t for t in bench.scalars if t.direction == "minimize")
        found = bench.best(scalar.name)[0]
        told = getattr(bench.predict(bench.space.points()), scalar.name)
        assert found.values[scalar.name] == pytest.approx(told.min())
        assert bench.front(scalar.name)[0].values[scalar.name] == found.values[scalar.name]

    def test_the_source_of_the_noise_is_stated(self, bench: Benchmark) -> None:
        assert set(bench.manifest["noise"]) == set(bench.target_names)
        assert set(bench.manifest["noise"].values()) <= {"reported", "repeats", "residuals"}

    def test_an_estimate_states_its_formula(self, bench: Benchmark) -> None:
        if bench.energy_source == "estimated":
            assert bench.manifest["energy"]["formula"]

    # The folder

    def test_the_folder_holds_what_is_vouched_for_and_nothing_else(self, bench: Benchmark) -> None:
        files = files_of(bench.folder)
        assert set(files) == {"manifest.json", *bench.manifest["files"]}
        for name, vouched in bench.manifest["files"].items():
            assert len(files[name]) == vouched["bytes"]
            assert hashlib.sha256(files[name]).hexdigest() == vouched["sha256"]

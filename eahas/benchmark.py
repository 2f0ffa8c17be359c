"""A benchmark: a folder of ensembles over one space, and the real runs behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from eahas import ensemble as ensembles
from eahas.checkpoint import BENCHMARK, read_file, read_manifest
from eahas.ensemble import Belief, Ensemble
from eahas.errors import CheckpointError, ConfigError, EahasError, MissingExtraError, unknown
from eahas.heads import CurveHead, ScalarHead
from eahas.prediction import Prediction
from eahas.space import Space
from eahas.spec import Spec, Target, spec_from_dict

RECORDS = "records.parquet"


@dataclass(frozen=True)
class Benchmark:
    """What `load_benchmark` returns. `predict` and `query` answer; `records` shows the evidence."""

    folder: Path
    manifest: Mapping[str, Any] = field(repr=False)
    spec: Spec = field(repr=False)
    curve_model: Ensemble | None = field(repr=False)
    scalar_model: Ensemble | None = field(repr=False)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def id(self) -> str:
        """Name and version, as `regnet-digits@1`."""
        return f"{self.spec.name}@{self.manifest['version']}"

    @property
    def space(self) -> Space:
        return self.spec.space

    @property
    def energy_source(self) -> str:
        """Where the joules come from; `estimated` where nothing was measured."""
        return str(self.manifest["energy"]["source"])

    @cached_property
    def curve_targets(self) -> tuple[Target, ...]:
        return () if self.curve_model is None else self.curve_model.targets

    @cached_property
    def curve_names(self) -> tuple[str, ...]:
        return tuple(t.name for t in self.curve_targets)

    @cached_property
    def main_curve(self) -> str:
        """The curve that is called the learning curve."""
        names = self.curve_names
        if not names:
            raise EahasError(f"benchmark {self.id} has no curves")
        return next((name for name in ("valid_ema", "valid") if name in names), names[0])

    def predict(self, config: Any) -> Prediction:
        """The prediction for a configuration, or for a list of them with one more axis in front.

        Raises ConfigError naming the field, what was given and what is allowed.
        """
        if isinstance(config, Mapping):
            return self._predict_one(config)
        if isinstance(config, (list, tuple)):
            return self._predict_many(config)
        raise ConfigError(
            f"a configuration is a mapping, or a list of mappings; got {type(config).__name__}"
        )

    def _predict_one(self, config: Mapping[str, Any]) -> Prediction:
        flat = self.space.check(config)
        epochs = self._epochs(flat)
        for_curves, for_scalars = self._features_one(flat)
        scalars = {}
        if (model := self.scalar_model) is not None:
            belief = model.belief_one(model.mlp.one(for_scalars), epochs)
            ends = zip(model.targets, belief.location.tolist(), belief.scale.tolist(), strict=True)
            scalars = {t.name: model.wrap(t, location, scale) for t, location, scale in ends}

        def decode() -> Belief:
            model = self.curve_model
            assert model is not None
            return model.belief_one(model.mlp.one(for_curves), epochs)

        return Prediction(self, [config], True, epochs, scalars, decode)

    def _predict_many(self, configs: Sequence[Mapping[str, Any]]) -> Prediction:
        columns = self.space.columns(configs)
        epochs = (
            columns[self.space.fidelity].astype(int)
            if self.space.fidelity is not None
            else np.ones(len(configs), dtype=int)
        )
        seen = {
            model.features: model.features.many(columns)
            for model in (self.curve_model, self.scalar_model)
            if model is not None
        }
        scalars = {}
        if (model := self.scalar_model) is not None:
            belief = model.belief_many(model.mlp.many(seen[model.features]), epochs)
            scalars = {
                t.name: model.wrap(t, belief.location[:, k], belief.scale[:, k])
                for k, t in enumerate(model.targets)
            }

        def decode() -> Belief:
            model = self.curve_model
            assert model is not None
            return model.belief_many(model.mlp.many(seen[model.features]), epochs)

        return Prediction(self, list(configs), False, epochs, scalars, decode)

    def _features_one(self, flat: Mapping[str, Any]) -> tuple[Any, Any]:
        """The features of the curve and of the scalar model, computed once where they agree."""
        curves, scalars = self.curve_model, self.scalar_model
        if scalars is None:
            return (None if curves is None else curves.features.one(flat)), None
        x = scalars.features.one(flat)
        if curves is None or self._features_agree:
            return x, x
        return curves.features.one(flat), x

    @cached_property
    def _features_agree(self) -> bool:
        assert self.curve_model is not None and self.scalar_model is not None
        return self.curve_model.features == self.scalar_model.features

    def _epochs(self, flat: Mapping[str, Any]) -> int:
        return 1 if self.space.fidelity is None else int(flat[self.space.fidelity])

    def query(self, config: Mapping[str, Any], at: int | None = None) -> dict[str, float]:
        """What has been reached and spent at the end of epoch `at` (default: the last).

        Every curve at that epoch; of a cumulative scalar the share of the epochs, so that time and
        energy are monotone in `at`; any other scalar whole. Raises ConfigError for `at` outside
        1..MAX_EPOCH.
        """
        prediction = self.predict(config) if isinstance(config, Mapping) else None
        if prediction is None:
            raise ConfigError(f"query takes one configuration, got {type(config).__name__}")
        last = prediction.epochs
        epoch = last if at is None else at
        whole = isinstance(epoch, (int, np.integer)) and not isinstance(epoch, bool)
        if not whole or not 1 <= epoch <= last:
            raise ConfigError(f"at={at!r}: allowed are whole epochs in 1..{last}")
        found: dict[str, float] = {"epoch": int(epoch)}
        for name, curve in prediction.curves.items():
            found[name] = float(curve[epoch - 1])
        for target in self.spec.scalars:
            value = getattr(prediction, target.name)
            found[target.name] = value * epoch / last if target.cumulative else value
        return found

    def records(self) -> Any:
        """The real runs behind the benchmark as a pandas frame; needs the extra `records`.

        The columns are explained in docs/record-schema.md.
        """
        try:
            import pandas
            import pyarrow  # noqa: F401
        except ImportError:
            raise MissingExtraError("records()", "pandas with pyarrow", "records") from None
        import io

        return pandas.read_parquet(io.BytesIO(read_file(self.folder, RECORDS, self.manifest)))

    def model(self, name: str) -> Ensemble:
        """The ensemble behind a target, by the target's name or `learning_curve`."""
        models: dict[str, Ensemble] = {}
        for ensemble in (self.curve_model, self.scalar_model):
            if ensemble is not None:
                models |= {t.name: ensemble for t in ensemble.targets}
        if name == "learning_curve" and self.curve_model is not None:
            return self.curve_model.select(self.main_curve)
        if name not in models:
            raise EahasError(unknown(f"model of {self.id}", name, ("learning_curve", *models)))
        return models[name].select(name)


def load(folder: Path) -> Benchmark:
    """The benchmark of a folder; CheckpointError for anything that is not whole and right."""
    manifest = read_manifest(folder, BENCHMARK)
    try:
        spec = spec_from_dict(manifest["spec"])
        names = list(manifest["models"])
        source = manifest["energy"]["source"], manifest["version"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / 'manifest.json'}: {error!r} is not as it should be") from None
    del source
    loaded = [ensembles.load(folder / name) for name in names]
    for model in loaded:
        if model.spec.space != spec.space:
            raise CheckpointError(f"{folder / model.name} was fitted on another space")
    curves = next((m for m in loaded if isinstance(m.head, CurveHead)), None)
    scalars = next((m for m in loaded if isinstance(m.head, ScalarHead)), None)
    return Benchmark(Path(folder), manifest, spec, curves, scalars)

"""A benchmark: models over one search space, and the records of the runs they were fitted to."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from eahas.benchmark.energies import require_comparable
from eahas.benchmark.model_set import ModelSet
from eahas.benchmark.optima import Point, best_points, front_points
from eahas.benchmark.prediction import FloatArray, IntArray, Prediction
from eahas.benchmark.reached import cumulative_at, curve_of_total, values_at
from eahas.benchmark.storage.benchmark_folder import NOTICE as NOTICE
from eahas.benchmark.storage.benchmark_folder import RECORDS as RECORDS
from eahas.benchmark.storage.folder import read_file
from eahas.checks import is_whole
from eahas.errors import (
    CheckpointError,
    ConfigError,
    EahasError,
    MissingExtraError,
    RecordError,
    shown,
    unknown,
)
from eahas.models.protocol import Model
from eahas.models.query import make_column_query, make_query
from eahas.models.table import Table
from eahas.models.uncertainty.seed_noise import check_seed
from eahas.records.parquet import mixed_columns, read_table
from eahas.space.space import Config
from eahas.spec.fidelities import watched_epochs
from eahas.spec.schedule import EVERY_EPOCH
from eahas.spec.targets import Target


@dataclass(frozen=True, eq=False, repr=False)
class Benchmark(ModelSet):
    """A loaded benchmark: it predicts targets, and gives access to models, optima and records."""

    @overload
    def predict(
        self, config: Config, *, noise_seed: int | None = None
    ) -> Prediction[float, int]: ...
    @overload
    def predict(
        self, config: Sequence[Config], *, noise_seed: int | None = None
    ) -> Prediction[FloatArray, IntArray]: ...
    def predict(
        self, config: Config | Sequence[Config], *, noise_seed: int | None = None
    ) -> Prediction[Any, Any]:
        """The prediction for one configuration, or for a list of n configurations.

        For a list, every array has an additional first axis of length n.

        With a `noise_seed`, the prediction is one sampled run of each configuration. Curves, times
        and energies are sampled jointly, as in runs of one configuration with different training
        seeds. The same seed gives the same run. A table returns a measured run instead: run number
        `noise_seed` modulo r, where r is the number of runs of the configuration.

        Raises:
            ConfigError: a configuration is not in the space, or a table has no run of it. The
                message contains the field, the value and what is allowed.
            EahasError: `noise_seed` is not a whole number.
        """
        if noise_seed is not None:
            check_seed(noise_seed)
            noise_seed = int(noise_seed)
        return Prediction(self, make_query(self.spec.space, config), noise_seed)

    def predict_columns(self, columns: Mapping[str, Any]) -> Prediction[FloatArray, IntArray]:
        """`predict` for n configurations that are given as canonical columns of shape (n,).

        `eahas.space.sampling.sample_columns` and `Space.columns` return such columns. The values
        are not checked. Raises ConfigError if a column is missing or the lengths differ.
        """
        return Prediction(self, make_column_query(self.space, columns))

    def trajectory(
        self, config: Config | Sequence[Config], *, noise_seed: int | None = None
    ) -> dict[str, FloatArray]:
        """The curves and the cumulative scalars (time, energy) at the end of every epoch.

        The entry `epoch` is an array (E,) of the epochs from 1 to MAX_EPOCH; for a list of
        configurations, to the largest MAX_EPOCH. Every curve and every cumulative scalar is an
        array (E,), or (n, E) for a list, padded with NaN after the end of a run. The values are
        those of `query` at each epoch, and NaN before the first value of a curve. `noise_seed` and
        the errors are those of `predict`.
        """
        prediction = self.predict(config, noise_seed=noise_seed)
        epochs = np.atleast_1d(prediction.epochs)
        epoch = np.arange(1, int(epochs.max()) + 1)
        at = np.broadcast_to(epoch, (len(epochs), len(epoch)))
        fraction = epoch / np.asarray(prediction.epochs)[..., None]
        result: dict[str, FloatArray] = {"epoch": epoch.astype(float)}
        for target in self.targets:
            value = np.asarray(prediction[target.name])
            at_epochs = self._scheduled_values(prediction, target, at, epochs)
            if at_epochs is not None:
                result[target.name] = at_epochs[0] if prediction.single else at_epochs
            elif target.kind == "curve":
                result[target.name] = value
            elif target.cumulative:
                result[target.name] = np.where(fraction <= 1.0, value[..., None] * fraction, np.nan)
        return result

    def _scheduled_values(
        self, prediction: Prediction[Any, Any], target: Target, at: IntArray, epochs: IntArray
    ) -> FloatArray | None:
        """The values (n, A) of a target after the epochs `at` (n, A) in runs of `epochs` (n,).

        It covers the targets whose values follow a schedule: a curve with a schedule, and a scalar
        that is the total of a cumulative curve. It returns None for any other target.
        """
        if target.kind == "curve":
            if target.schedule.is_every_epoch:
                return None
            return values_at(target, np.atleast_2d(prediction[target.name]), at, epochs)
        curve = curve_of_total(target, self.curves)
        if curve is None:
            return None
        return cumulative_at(curve, np.atleast_2d(prediction[curve.name]), at, epochs)

    def query(
        self, config: Config, at: int | None = None, *, noise_seed: int | None = None
    ) -> dict[str, float]:
        """The values of all targets at the end of epoch `at` (by default the last epoch).

        - A curve has its value at epoch `at`; a curve with a schedule has its value at the last
          scheduled epoch up to `at`.
        - A cumulative scalar (time, energy) that is the total of a curve has the value of that
          curve. Without such a curve it is proportional to the epochs: total x at / MAX_EPOCH. In
          both cases it is monotone in `at`.
        - Any other scalar has its value for the whole run.

        `noise_seed` is that of `predict`. If the spec limits the epochs that can be watched, `at`
        must be one of them.

        Raises ConfigError if `at` is not a whole number in 1..MAX_EPOCH, if it cannot be watched,
        or if a curve has no value up to `at`.
        """
        if not isinstance(config, Mapping):
            raise ConfigError(f"query takes one configuration, got {type(config).__name__}")
        prediction = self.predict(config, noise_seed=noise_seed)
        last = prediction.epochs
        watched = watched_epochs(self.spec.fidelities) or EVERY_EPOCH
        epoch = watched.epoch_at(watched.counts(last) - 1, last) if at is None else at
        if not is_whole(epoch) or not 1 <= epoch <= last:
            raise ConfigError(f"at={shown(at)}: allowed are whole epochs in 1..{last}")
        if not watched.includes(int(epoch), last):
            raise ConfigError(f"at={shown(at)}: a run of {last} epochs is watched at {watched}")
        result: dict[str, float] = {"epoch": int(epoch)}
        at_epoch, epochs, fraction = np.array([[int(epoch)]]), np.array([last]), int(epoch) / last
        for target in self.curves:
            if not target.schedule.reached(int(epoch), last):
                raise ConfigError(f"at={shown(at)}: {target.name} has values at {target.schedule}")
        for target in self.curves + self.scalars:
            value: Any = prediction[target.name]
            scheduled = self._scheduled_values(prediction, target, at_epoch, epochs)
            if scheduled is not None:
                result[target.name] = float(scheduled[0, 0])
            elif target.kind == "curve":
                result[target.name] = float(value[epoch - 1])
            else:
                result[target.name] = float(value) * fraction if target.cumulative else float(value)
        return result

    def best(self, target: str, n: int = 1, at: int | None = None) -> list[Point]:
        """The n configurations of a table with the best true values of a target, the best first.

        The true value is the mean over the training seeds at the end of epoch `at`, by default of
        the last epoch of each configuration. See `eahas.benchmark.optima.best_points`.

        Raises EahasError if the benchmark has no table, the target is unknown, or n or `at` is out
        of range.
        """
        return best_points(self._table_of, target, n, at)

    def front(
        self, cost: str | Sequence[str], target: str | None = None, at: int | None = None
    ) -> list[Point]:
        """The true Pareto front of a table in one target and one or more costs, the cheapest first.

        The true value is the mean over the training seeds. `target` is by default the learning
        curve. `at` and the errors are those of `best`; it also raises EahasError if two of the
        targets are energies that cover different things.
        """
        costs, target = [cost] if isinstance(cost, str) else list(cost), target or self.main_curve
        require_comparable(self.energies, *costs, target)
        return front_points(self._table_of, costs, target, at)

    def _table_of(self, target: str) -> Table:
        """The table that holds a target; EahasError for an unknown target and without a table."""
        if self.table is None:
            raise EahasError(
                f"{self.id} has no table: true optima are known only for a table, in which every "
                "configuration was trained"
            )
        if not isinstance(target, str) or target not in self.model_of:
            raise EahasError(f"{self.id}: {unknown('target', target, self.target_names)}")
        model = self.model_of[target]
        if not isinstance(model, Table):
            raise EahasError(f"{self.id}: {target} is predicted; no table has its true values")
        return model

    def select(self, *, task: str | None = None, device: str | None = None) -> Benchmark:
        """The same benchmark for another task or device; an omitted one stays as it is.

        Raises EahasError for an unknown task or device; the message lists the allowed ones.
        """
        chosen = (task or self.task, device or self.device)
        selected: Benchmark = self.loader(str(self.folder), self.id, None, *chosen)
        return selected

    def require_records(self) -> None:
        """Raise EahasError if the records may not be distributed with the benchmark."""
        for models in self.parts or (self,):
            if RECORDS not in models.manifest["files"] and NOTICE in models.manifest["files"]:
                raise EahasError(
                    f"the records of {self.id} are not distributed; {models.folder / NOTICE} names "
                    "their owner and where to get them"
                )

    def records(self) -> Any:
        """The runs that the models were fitted to, as a pandas frame; needs the extra `records`.

        docs/record-schema.md explains the columns. With several parts, the column `part` names the
        part of each run. Raises EahasError if the records are not distributed, and CheckpointError
        if their file is missing, altered, or not Parquet.
        """
        self.require_records()
        try:
            import pandas
            import pyarrow  # noqa: F401
        except ImportError:
            raise MissingExtraError("records()", "pandas with pyarrow", "records") from None
        if not self.parts:
            return _records_of(self)
        frames = [_records_of(part).assign(part=part.folder.name) for part in self.parts]
        return pandas.concat(frames, ignore_index=True)

    def model(self, name: str) -> Model:
        """The model behind a target, by the target's name or `learning_curve`.

        The name of a model itself means the target that it was saved for.
        """
        named = {model.name: model for model in self.models}
        if name == "learning_curve" and self.curves:
            return self.model_of[self.main_curve].select(self.main_curve)
        if name in self.model_of:
            return self.model_of[name].select(name)
        if name in named:
            return named[name]
        first = ["learning_curve"] if self.curves else []
        known = dict.fromkeys([*first, *self.target_names, *named])
        raise EahasError(f"{self.id}: {unknown('model', name, known)}")


def _records_of(models: ModelSet) -> Any:
    """The records of one folder as a pandas frame, with the JSON columns parsed."""
    content = read_file(models.folder, RECORDS, models.manifest)
    try:
        table = read_table(io.BytesIO(content), str(models.folder / RECORDS))
    except RecordError as error:
        raise CheckpointError(str(error)) from None
    frame = table.to_pandas()
    for name in mixed_columns(table):
        frame[name] = frame[name].map(json.loads, na_action="ignore")
    return frame

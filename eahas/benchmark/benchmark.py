"""A benchmark: a folder of models over one space, and the real runs behind them."""

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
from eahas.benchmark.reached import curve_of_total, reached_at, spent_at
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
    """What `load_benchmark` returns: predictions, true optima of a table, and the records."""

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
        """The prediction for a configuration, or for a list with one more axis in front.

        With a `noise_seed` it is one sampled run of each configuration: curves, times and energies
        vary together, as in runs of one configuration with different seeds. The same seed gives the
        same run. For a table it is a measured run: of a configuration with r runs, the one numbered
        `noise_seed` modulo r.

        Raises ConfigError naming the field, what was given and what is allowed, and where a table
        has no run of a configuration; EahasError for a seed that is no whole number.
        """
        if noise_seed is not None:
            check_seed(noise_seed)
            noise_seed = int(noise_seed)
        return Prediction(self, make_query(self.spec.space, config), noise_seed)

    def predict_columns(self, columns: Mapping[str, Any]) -> Prediction[FloatArray, IntArray]:
        """`predict` for many configurations, given as canonical columns of shape (n,).

        `eahas.space.sampling.sample_columns` and `Space.columns` return such columns; their values
        are not checked. Raises ConfigError where a column is missing or of another length.
        """
        return Prediction(self, make_column_query(self.space, columns))

    def trajectory(
        self, config: Config | Sequence[Config], *, noise_seed: int | None = None
    ) -> dict[str, FloatArray]:
        """What is reached and spent at the end of every epoch, as arrays.

        `epoch` is (E,), from 1 to MAX_EPOCH, or to the largest one of a list. Every curve and every
        cumulative scalar (time, energy) is (E,), or (n, longest) padded with NaN for a list: what
        `query` returns at each epoch, and NaN before the first value of a curve. `noise_seed` and
        errors: as `predict`.
        """
        prediction = self.predict(config, noise_seed=noise_seed)
        epochs = np.atleast_1d(prediction.epochs)
        epoch = np.arange(1, int(epochs.max()) + 1)
        at = np.broadcast_to(epoch, (len(epochs), len(epoch)))
        share = epoch / np.asarray(prediction.epochs)[..., None]
        found: dict[str, FloatArray] = {"epoch": epoch.astype(float)}
        for target in self.targets:
            value = np.asarray(prediction[target.name])
            reached = self._reached(prediction, target, at, epochs)
            if reached is not None:
                found[target.name] = reached[0] if prediction.single else reached
            elif target.kind == "curve":
                found[target.name] = value
            elif target.cumulative:
                found[target.name] = np.where(share <= 1.0, value[..., None] * share, np.nan)
        return found

    def _reached(
        self, prediction: Prediction[Any, Any], target: Target, at: IntArray, epochs: IntArray
    ) -> FloatArray | None:
        """A target after the epochs `at` (n, A) of runs of `epochs` (n,), where a schedule says.

        That is of a curve with a schedule, and of a scalar at which a curve ends; else None.
        """
        if target.kind == "curve":
            if target.schedule.is_every_epoch:
                return None
            return reached_at(target, np.atleast_2d(prediction[target.name]), at, epochs)
        curve = curve_of_total(target, self.curves)
        if curve is None:
            return None
        return spent_at(curve, np.atleast_2d(prediction[curve.name]), at, epochs)

    def query(
        self, config: Config, at: int | None = None, *, noise_seed: int | None = None
    ) -> dict[str, float]:
        """What has been reached and spent at the end of epoch `at` (default: the last).

        Every curve at that epoch, one with a schedule at its last epoch up to `at`; of a cumulative
        scalar what the curve that ends at it has come to, or without one the share of the epochs,
        so that time and energy are monotone in `at`; any other scalar whole. `noise_seed` is that
        of `predict`. Where the spec says which epochs can be watched, `at` is one of them. Raises
        ConfigError for `at` outside 1..MAX_EPOCH, and where a curve has no value up to `at`.
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
        found: dict[str, float] = {"epoch": int(epoch)}
        then, epochs, share = np.array([[int(epoch)]]), np.array([last]), int(epoch) / last
        for target in self.curves:
            if not target.schedule.reached(int(epoch), last):
                raise ConfigError(f"at={shown(at)}: {target.name} has values at {target.schedule}")
        for target in self.curves + self.scalars:
            value: Any = prediction[target.name]
            reached = self._reached(prediction, target, then, epochs)
            if reached is not None:
                found[target.name] = float(reached[0, 0])
            elif target.kind == "curve":
                found[target.name] = float(value[epoch - 1])
            else:
                found[target.name] = float(value) * share if target.cumulative else float(value)
        return found

    def best(self, target: str, n: int = 1, at: int | None = None) -> list[Point]:
        """The n configurations of a table that are truly best in a target, the best first.

        By the means over the seeds, after epoch `at` (default: each at its last): see
        `eahas.benchmark.optima.best_points`. Raises EahasError where there is no table, for an
        unknown target, and for n or `at` out of range.
        """
        return best_points(self._table_of, target, n, at)

    def front(
        self, cost: str | Sequence[str], target: str | None = None, at: int | None = None
    ) -> list[Point]:
        """The true Pareto front of a target against one cost or several, the cheapest first.

        By the means over the seeds; `target` is by default the learning curve. Otherwise as `best`;
        raises EahasError also for two energies that cover different things.
        """
        costs, target = [cost] if isinstance(cost, str) else list(cost), target or self.main_curve
        require_comparable(self.energies, *costs, target)
        return front_points(self._table_of, costs, target, at)

    def _table_of(self, target: str) -> Table:
        """The table that holds a target; EahasError for an unknown target and without a table."""
        if self.table is None:
            raise EahasError(
                f"{self.id} predicts: true optima are known only to a table, in which every "
                "configuration was trained"
            )
        if not isinstance(target, str) or target not in self.model_of:
            raise EahasError(f"{self.id}: {unknown('target', target, self.target_names)}")
        model = self.model_of[target]
        if not isinstance(model, Table):
            raise EahasError(f"{self.id}: {target} is predicted; no table holds its true values")
        return model

    def select(self, *, task: str | None = None, device: str | None = None) -> Benchmark:
        """The same benchmark for another task or another device; without a name, for this one.

        Raises EahasError naming the tasks or the devices for an unknown one.
        """
        chosen = (task or self.task, device or self.device)
        selected: Benchmark = self.loader(str(self.folder), self.id, None, *chosen)
        return selected

    def require_records(self) -> None:
        """Raise EahasError where the records may not be distributed."""
        for models in self.parts or (self,):
            if RECORDS not in models.manifest["files"] and NOTICE in models.manifest["files"]:
                raise EahasError(
                    f"the records behind {self.id} do not ship; {models.folder / NOTICE} says "
                    "whose they are and where to get them"
                )

    def records(self) -> Any:
        """The runs behind the benchmark as a pandas frame; needs the extra `records`.

        The columns are explained in docs/record-schema.md. With several parts, a column `part`
        names the part of each run. Raises EahasError where the records may not be distributed,
        CheckpointError for a file that is missing, altered, or no Parquet.
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
    """The records in one folder as a pandas frame, with JSON columns as values."""
    content = read_file(models.folder, RECORDS, models.manifest)
    try:
        table = read_table(io.BytesIO(content), str(models.folder / RECORDS))
    except RecordError as error:
        raise CheckpointError(str(error)) from None
    frame = table.to_pandas()
    for name in mixed_columns(table):
        frame[name] = frame[name].map(json.loads, na_action="ignore")
    return frame

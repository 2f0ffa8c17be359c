"""A benchmark: a folder of models over one space, and the real runs behind them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from eahas.benchmark.optima import Point, best_points, front_points
from eahas.benchmark.prediction import Prediction
from eahas.benchmark.storage import ensemble_folder as ensembles
from eahas.benchmark.storage import table_folder as tables
from eahas.benchmark.storage.folder import read_file, read_tensors
from eahas.benchmark.storage.manifest import (
    BENCHMARK,
    ENSEMBLE,
    MANIFEST,
    MODELS,
    Manifest,
    name_of,
    parse_manifest,
    read_manifest,
)
from eahas.checks import is_number, is_whole
from eahas.errors import (
    CheckpointError,
    ConfigError,
    EahasError,
    MissingExtraError,
    RecordError,
    shown,
    unknown,
)
from eahas.models.ensemble import Ensemble
from eahas.models.protocol import Model
from eahas.models.query import ask, ask_columns
from eahas.models.support import Everywhere, Support, support_from_tensors
from eahas.models.table import Table
from eahas.models.uncertainty.seed_noise import check_seed
from eahas.records.parquet import mixed_columns, read_table
from eahas.records.schema import ENERGY_SOURCES, MIXED, NO_ENERGY
from eahas.space.space import Space
from eahas.spec.spec import Spec, Target, main_curve

RECORDS, SUPPORT, NOTICE = "records.parquet", "support.safetensors", "NOTICE"
NAME = r"[A-Za-z0-9._-]+"


@dataclass(frozen=True, eq=False)
class Benchmark:
    """What `load_benchmark` returns. `predict` and `query` answer; `records` shows the evidence."""

    folder: Path
    manifest: Mapping[str, Any] = field(repr=False)
    spec: Spec = field(repr=False)
    models: tuple[Model, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """Its own name; several benchmarks may share a space."""
        return name_of(self.manifest)

    @property
    def id(self) -> str:
        """Name and version, as `regnet-digits@1`."""
        return f"{self.name}@{self.manifest['version']}"

    @cached_property
    def model_of(self) -> Mapping[str, Model]:
        """The model of each target that is predicted, by the target's name."""
        return {target.name: model for model in self.models for target in model.targets}

    @property
    def space(self) -> Space:
        return self.spec.space

    @property
    def energy_source(self) -> str:
        """Where the joules come from; `estimated` where nothing was measured."""
        return str(self.manifest["energy"]["source"])

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """What is predicted, in the order of the spec."""
        return tuple(target for target in self.spec.targets if target.name in self.model_of)

    @cached_property
    def curve_names(self) -> tuple[str, ...]:
        return tuple(t.name for t in self.curves)

    @cached_property
    def scalar_names(self) -> tuple[str, ...]:
        return tuple(t.name for t in self.scalars)

    @cached_property
    def target_names(self) -> tuple[str, ...]:
        return self.curve_names + self.scalar_names

    @cached_property
    def curves(self) -> tuple[Target, ...]:
        """The curves that are predicted."""
        return tuple(t for t in self.targets if t.kind == "curve")

    @cached_property
    def scalars(self) -> tuple[Target, ...]:
        """The scalars that are predicted."""
        return tuple(t for t in self.targets if t.kind == "scalar")

    @cached_property
    def main_curve(self) -> str:
        """The curve that is called the learning curve."""
        found = main_curve(self.curves)
        if found is None:
            raise EahasError(f"benchmark {self.id} has no curves")
        return found.name

    @cached_property
    def table(self) -> Table | None:
        """The table of a benchmark that answers with one, else None."""
        return next((model for model in self.models if isinstance(model, Table)), None)

    @cached_property
    def support(self) -> Support | Everywhere:
        """Where the training runs lie; CheckpointError where its file is not whole and right."""
        if self.table is not None:
            return Everywhere()
        tensors = read_tensors(self.folder, SUPPORT, self.manifest)
        try:
            return support_from_tensors(self.space, tensors)
        except CheckpointError as error:
            raise CheckpointError(f"{self.folder / SUPPORT} {error}") from None

    def predict(self, config: Any, *, noise_seed: int | None = None) -> Prediction:
        """The prediction for a configuration, or for a list of them with one more axis in front.

        With a `noise_seed` it is one plausible run of each: curves, times and energies stray
        together, as runs of one configuration do. The same seed gives the same run. Of a table it
        is one that was measured: of r runs of a configuration that numbered `noise_seed` modulo r.

        Raises ConfigError naming the field, what was given and what is allowed, and where a table
        has no run of a configuration; EahasError for a seed that is no whole number.
        """
        if noise_seed is not None:
            check_seed(noise_seed)
            noise_seed = int(noise_seed)
        return Prediction(self, ask(self.spec.space, config), noise_seed)

    def predict_columns(self, columns: Mapping[str, Any]) -> Prediction:
        """`predict` of very many configurations, given as canonical columns of shape (n,).

        They come from `eahas.space.sampling.sample_columns` or `Space.columns`, and their values
        are taken as they are. Raises ConfigError where a column is missing or of another length.
        """
        return Prediction(self, ask_columns(self.space, columns))

    def query(
        self, config: Mapping[str, Any], at: int | None = None, *, noise_seed: int | None = None
    ) -> dict[str, float]:
        """What has been reached and spent at the end of epoch `at` (default: the last).

        Every curve at that epoch; of a cumulative scalar the share of the epochs, so that time and
        energy are monotone in `at`; any other scalar whole. `noise_seed` is that of `predict`.
        Raises ConfigError for `at` outside 1..MAX_EPOCH.
        """
        if not isinstance(config, Mapping):
            raise ConfigError(f"query takes one configuration, got {type(config).__name__}")
        prediction = self.predict(config, noise_seed=noise_seed)
        last = prediction.epochs
        epoch = last if at is None else at
        if not is_whole(epoch) or not 1 <= epoch <= last:
            raise ConfigError(f"at={shown(at)}: allowed are whole epochs in 1..{last}")
        found: dict[str, float] = {"epoch": int(epoch)}
        share = int(epoch) / last
        for name, curve in prediction.curves.items():
            found[name] = float(curve[epoch - 1])
        for target in self.scalars:
            value = getattr(prediction, target.name)
            found[target.name] = value * share if target.cumulative else value
        return found

    def best(self, target: str, n: int = 1, at: int | None = None) -> list[Point]:
        """The n configurations of a table that are truly best in a target, the best first.

        By the means over the seeds, after epoch `at` (default: each at its last): see
        `eahas.benchmark.optima.best_points`. Raises EahasError where there is no table, for an
        unknown target, and for n or `at` out of range.
        """
        return best_points(self._truth(), target, n, at)

    def front(self, cost: str, target: str | None = None, at: int | None = None) -> list[Point]:
        """The true Pareto front of a target against a cost, the cheapest configuration first.

        By the means over the seeds; `target` is by default the learning curve. Otherwise as `best`.
        """
        return front_points(self._truth(), cost, target or self.main_curve, at)

    def _truth(self) -> Table:
        if self.table is None:
            raise EahasError(
                f"{self.id} predicts: what is truly best only a table knows, in which every "
                "configuration was trained"
            )
        return self.table

    def require_records(self) -> None:
        """Raise EahasError where the records are not ours to ship."""
        if RECORDS not in self.manifest["files"] and NOTICE in self.manifest["files"]:
            raise EahasError(
                f"the records behind {self.id} do not ship; {self.folder / NOTICE} says whose they "
                "are and where to get them"
            )

    def records(self) -> Any:
        """The real runs behind the benchmark as a pandas frame; needs the extra `records`.

        The columns are explained in docs/record-schema.md. Raises EahasError where the records
        are not ours to ship, CheckpointError for a file that is missing, altered, or no Parquet.
        """
        self.require_records()
        try:
            import pandas  # noqa: F401
            import pyarrow  # noqa: F401
        except ImportError:
            raise MissingExtraError("records()", "pandas with pyarrow", "records") from None
        import io

        content = read_file(self.folder, RECORDS, self.manifest)
        try:
            table = read_table(io.BytesIO(content), str(self.folder / RECORDS))
        except RecordError as error:
            raise CheckpointError(str(error)) from None
        frame = table.to_pandas()
        for name in mixed_columns(table):
            frame[name] = frame[name].map(json.loads, na_action="ignore")
        return frame

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


def load(folder: Path, manifest: Manifest | None = None) -> Benchmark:
    """The benchmark of a folder, whose manifest may have been read already.

    Raises CheckpointError for anything that is not whole and right.
    """
    folder = Path(folder).absolute()
    manifest = manifest or read_manifest(folder, BENCHMARK)
    spec = manifest.spec()
    _check_facts(manifest)
    models: list[Model] = []
    taken: dict[str, str] = {}
    for name in manifest.folders("models"):
        content = read_file(folder, f"{name}/{MANIFEST}", manifest.content)
        inner = parse_manifest(content, folder / name / MANIFEST, MODELS)
        model = load_model(folder / name, inner)
        if model.space != spec.space or not set(model.targets) <= set(spec.targets):
            inner.refuse(f"its space or its targets are not those of {manifest.path}")
        for target in model.targets:
            other = taken.setdefault(target.name, name)
            if other != name:
                manifest.refuse(f"models: {other} and {name} both predict {target.name}")
        models.append(_sharing(model, models))
    return Benchmark(folder, manifest.content, spec, tuple(models))


def load_model(folder: Path, manifest: Manifest) -> Model:
    """The ensemble or the table of a folder; CheckpointError where it is not whole and right."""
    if manifest.kind == ENSEMBLE:
        return ensembles.load(folder, manifest)
    return tables.load(folder, manifest)


def _sharing(model: Model, others: Sequence[Model]) -> Model:
    """The model with the features of one that has the same, so that a query computes them once."""
    if isinstance(model, Ensemble):
        for other in others:
            if isinstance(other, Ensemble) and other.features == model.features:
                return replace(model, features=other.features)
    return model


def _check_facts(manifest: Manifest) -> None:
    """What is shown beside every answer must be there."""
    manifest.whole("version", 1)
    if "name" in manifest.content and not re.fullmatch(NAME, manifest.text("name")):
        manifest.refuse(
            f"name is of letters, digits, '.', '_' and '-', got {shown(manifest.text('name'))}"
        )
    source = manifest.text("energy.source")
    known = (*filter(None, ENERGY_SOURCES), MIXED, NO_ENERGY)
    if source not in known:
        manifest.refuse(unknown("energy.source", source, known))
    manifest.text("energy.formula")
    manifest.whole("provenance.runs", 0)
    manifest.whole("provenance.configurations", 0)
    manifest.whole("quality.held_out.runs", 0)
    for name, judged in manifest.section("quality.held_out.targets").items():
        part = f"quality.held_out.targets.{name}"
        if not isinstance(judged, Mapping) or not _is_judged(judged):
            manifest.refuse(f"{part} has no r2 of the last epoch or the value")


def _is_judged(judged: Mapping[str, Any]) -> bool:
    """Whether the R2 that is shown beside a target is a number, or None for not known."""
    of = judged.get("last", judged.get("value"))
    found = of.get("r2") if isinstance(of, Mapping) else None
    value = found.get("value", "") if isinstance(found, Mapping) else ""
    return value is None or is_number(value)

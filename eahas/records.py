"""The record schema: one row a run, checked when written and when read, Parquet on disk.

A row is a flat dictionary. The columns below stand in every row; beside them stand one column a
parameter (its dotted name), one list column a curve target and one float column a scalar target.
docs/record-schema.md explains each for users.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eahas.errors import ConfigError, MissingExtraError, RecordError
from eahas.files import write_bytes
from eahas.spec import Spec

STATUSES = ("ok", "diverged", "failed")
SPLITS = ("train", "valid", "test", "")


@dataclass(frozen=True)
class Column:
    """A column that is no parameter and no target: name, kind and meaning."""

    name: str
    kind: str  # "text", "int", "float", "bool" or "floats" (one number an epoch)
    meaning: str
    required: bool = False


COLUMNS = (
    Column("run_id", "text", "unique name of the run", required=True),
    Column("space", "text", "name of the spec", required=True),
    Column("space_version", "int", "version of the spec", required=True),
    Column("config_id", "text", "runs of one configuration share it", required=True),
    Column("seed", "int", "seed of initialisation, batches and augmentation", required=True),
    Column("status", "text", "ok, diverged or failed", required=True),
    Column("reason", "text", "why a run is not ok, else empty"),
    Column("split", "text", "train, valid or test side of the benchmark; empty: undecided"),
    Column("role", "text", "main, repeat or anchor"),
    Column("epochs", "int", "epochs that were finished", required=True),
    Column("epoch_time_s", "floats", "training wall time of each epoch"),
    Column("epoch_cpu_s", "floats", "training CPU time of each epoch"),
    Column("epoch_energy_j", "floats", "training energy of each epoch"),
    Column("wall_s", "float", "training wall time in total"),
    Column("cpu_time_s", "float", "training CPU time in total"),
    Column("eval_time_s", "float", "wall time of precise BN and evaluation in total"),
    Column("test_time_s", "float", "wall time of one inference pass over the test set"),
    Column("energy_source", "text", "nvml_counter, nvml_sampled, rapl or estimated"),
    Column("energy_flags", "text", "flags of the readings, comma-separated"),
    Column("energy_formula", "text", "how the joules were computed"),
    Column("idle_power_w", "float", "power before the run"),
    Column("energy_samples", "int", "power or counter readings behind the training energy"),
    Column("energy_disagreement", "float", "relative difference of counter and samples"),
    Column("flops", "float", "multiply-adds of one image"),
    Column("params", "float", "parameters"),
    Column("acts", "float", "output elements of convolutions and linears"),
    Column("device", "text", "what trained"),
    Column("machine", "text", "fingerprint of the machine"),
    Column("machine_facts", "text", "what the fingerprint is made of, as JSON"),
    Column("machine_factor", "float", "this machine's time over the reference machine's"),
    Column("started_at", "text", "start, ISO 8601, UTC"),
    Column("software", "text", "versions of eahas, torch and Python"),
)
KINDS = {c.name: c.kind for c in COLUMNS}


def check_row(row: Mapping[str, Any], spec: Spec) -> dict[str, Any]:
    """The canonical form of one row; RecordError naming the run, the field and what is allowed."""
    run = f"record {row.get('run_id', '?')!r}"
    for column in COLUMNS:
        if column.required and row.get(column.name) is None:
            raise RecordError(f"{run}: {column.name} is missing ({column.meaning})")
    if row["space"] != spec.name or row["space_version"] != spec.version:
        raise RecordError(
            f"{run}: belongs to {row['space']}@{row['space_version']}, "
            f"not to {spec.name}@{spec.version}"
        )
    if row["status"] not in STATUSES:
        raise RecordError(f"{run}: status {row['status']!r}; allowed: {', '.join(STATUSES)}")
    if row.get("split", "") not in SPLITS:
        raise RecordError(f"{run}: split {row['split']!r}; allowed: {', '.join(SPLITS[:3])}")
    try:
        config = spec.space.check(config_of(row, spec))
    except ConfigError as error:
        raise RecordError(f"{run}: {error}") from None
    _check_targets(run, row, spec, config)
    checked = {name: row[name] for name in KINDS if row.get(name) is not None}
    checked |= config
    checked |= {t.name: row[t.name] for t in spec.targets if row.get(t.name) is not None}
    return checked


def _check_targets(
    run: str, row: Mapping[str, Any], spec: Spec, config: Mapping[str, Any]
) -> None:
    epochs, ok = row["epochs"], row["status"] == "ok"
    if ok and spec.space.fidelity is not None and epochs != config[spec.space.fidelity]:
        raise RecordError(
            f"{run}: status ok with {epochs} of {config[spec.space.fidelity]} epochs; "
            "a run that ended early is diverged or failed"
        )
    for target in spec.targets:
        value = row.get(target.name)
        if value is None:
            if ok:
                raise RecordError(f"{run}: {target.name} is missing from a run with status ok")
            continue
        values = list(value) if target.kind == "curve" else [value]
        if target.kind == "curve" and len(values) != epochs:
            raise RecordError(f"{run}: {target.name} has {len(values)} values for {epochs} epochs")
        for number in values:
            low = -math.inf if target.low is None else target.low
            high = math.inf if target.high is None else target.high
            if not math.isfinite(number) or not low <= number <= high:
                raise RecordError(
                    f"{run}: {target.name} holds {number!r}; allowed: finite, {low:g}..{high:g}"
                )


def config_of(row: Mapping[str, Any], spec: Spec) -> dict[str, Any]:
    """The flat configuration of a row (unchecked); absent and null parameters are left out."""
    return {name: row[name] for name in spec.space.names if row.get(name) is not None}


def check_rows(rows: Iterable[Mapping[str, Any]], spec: Spec) -> list[dict[str, Any]]:
    """`check_row` on each, and no run twice."""
    checked = [check_row(row, spec) for row in rows]
    seen: set[str] = set()
    for row in checked:
        if row["run_id"] in seen:
            raise RecordError(f"record {row['run_id']!r} stands twice")
        seen.add(row["run_id"])
    if not checked:
        raise RecordError("no records; a sweep's collect stage writes them")
    return checked


def write_records(path: Path, rows: Sequence[Mapping[str, Any]], spec: Spec) -> None:
    """Check the rows and write them as Parquet, atomically."""
    write_bytes(Path(path), records_bytes(rows, spec))


def records_bytes(rows: Sequence[Mapping[str, Any]], spec: Spec) -> bytes:
    """Checked rows as the content of a Parquet file (zstd), the spec's name in its metadata."""
    pyarrow = _pyarrow()
    import io

    import pyarrow.parquet as parquet

    checked = check_rows(rows, spec)
    table = pyarrow.Table.from_pylist(checked, schema=_schema(spec, checked))
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="zstd", compression_level=15)
    return buffer.getvalue()


def read_records(path: Path | str, spec: Spec) -> list[dict[str, Any]]:
    """The checked rows of a Parquet file. Raises RecordError for a missing or broken file."""
    return check_rows(read_rows(path), spec)


def read_rows(path: Path | str) -> list[dict[str, Any]]:
    """The rows of a Parquet file as they stand there, nulls dropped."""
    pyarrow = _pyarrow()
    import pyarrow.parquet as parquet

    if not Path(path).is_file():
        raise RecordError(f"records file {path} does not exist")
    try:
        rows = parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise RecordError(f"records file {path} is not readable as Parquet: {reason}") from None
    return [{k: v for k, v in row.items() if v is not None} for row in rows]


def _schema(spec: Spec, rows: Sequence[Mapping[str, Any]]) -> Any:
    pyarrow = _pyarrow()
    types = {
        "text": pyarrow.string(),
        "int": pyarrow.int64(),
        "float": pyarrow.float64(),
        "bool": pyarrow.bool_(),
        "floats": pyarrow.list_(pyarrow.float32()),
    }
    present = set().union(*(row.keys() for row in rows))
    named = [(c.name, types[c.kind]) for c in COLUMNS if c.name in present]
    for name in spec.space.names:
        values = [row[name] for row in rows if name in row]
        named.append((name, pyarrow.array(values).type if values else pyarrow.null()))
    for target in spec.targets:
        named.append((target.name, types["floats" if target.kind == "curve" else "float"]))
    metadata = {"eahas.space": f"{spec.name}@{spec.version}"}
    return pyarrow.schema(named, metadata=metadata)


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise MissingExtraError("reading and writing records", "pyarrow", "records") from None
    return pyarrow

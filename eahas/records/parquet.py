"""Record files: the rows of a sweep in one Parquet file, which is written atomically.

`eahas.records.schema` defines the rows, `eahas.records.completion` the values that a file may leave
out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eahas.errors import MissingExtraError, RecordError
from eahas.files import write_bytes
from eahas.records.completion import completed
from eahas.records.records import Records
from eahas.records.schema import COLUMNS, KINDS, NO_RECORDS, check_rows, spread_of
from eahas.space.parameters import Choice, Parameter
from eahas.spec.spec import Spec

AS_JSON = b"eahas.json"  # metadata of a column of mixed types: its values are JSON text


def write_records(path: Path, rows: Sequence[Mapping[str, Any]], spec: Spec) -> None:
    """Write rows as a Parquet file, atomically. Rows that are not `Records` are checked first."""
    write_bytes(Path(path), records_bytes(rows, spec))


def records_bytes(rows: Sequence[Mapping[str, Any]], spec: Spec) -> bytes:
    """The content of a Parquet file (zstd) of the rows, with the name of the spec in its metadata.

    Rows that are not `Records` are checked first. Raises RecordError as `check_rows`.

    Numbers per epoch are stored in single precision. Times and energies rarely repeat, so their
    bytes are stored plane by plane (BYTE_STREAM_SPLIT) and not in a dictionary, which saves a third
    of the size.
    """
    pyarrow = _pyarrow()
    import io

    import pyarrow.parquet as parquet

    records = check_rows(rows, spec)
    if not records:
        raise RecordError(NO_RECORDS)
    mixed = [parameter.name for parameter in spec.space.parameters if _is_mixed(parameter)]
    checked = [
        {**row, **{name: json.dumps(row[name]) for name in mixed if name in row}} if mixed else row
        for row in records
    ]
    table = pyarrow.Table.from_pylist(checked, schema=_schema(spec, checked))
    targets = {target.name for target in spec.targets}
    lists = {name for name, kind in KINDS.items() if kind == "floats"} - targets
    path = {f.name: f"{f.name}.list.element" if _is_list(f) else f.name for f in table.schema}
    buffer = io.BytesIO()
    parquet.write_table(
        table,
        buffer,
        compression="zstd",
        compression_level=15,
        use_dictionary=[path[name] for name in path if name not in lists],
        use_byte_stream_split=[path[name] for name in path if name in lists],
    )
    return buffer.getvalue()


def read_records(path: Path | str, spec: Spec) -> Records:
    """The checked records of a Parquet file, read-only; `to_list()` gives copies to change.

    Values that a file may leave out are filled in (`eahas.records.completion`). Numbers per epoch
    are rounded to single precision, as they will be stored. Raises RecordError for a missing or
    broken file and for a row that does not follow the schema.
    """
    table = _table_of(path)
    read = {*KINDS, *spec.space.names, *(t.name for t in spec.targets)}
    read |= {spread_of(target) for target in spec.scalars}
    rows = _plain_rows(_as_doubles(table.select([n for n in table.column_names if n in read])))
    try:
        return as_stored(completed(rows, spec, table.column_names), spec)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from None


def _as_doubles(table: Any) -> Any:
    """Decimals as doubles; singles as the doubles with the same shortest decimals, such as 0.1."""
    import pyarrow

    for at, column in enumerate(table.schema):
        if pyarrow.types.is_decimal(column.type):
            table = table.set_column(at, column.name, table.column(at).cast(pyarrow.float64()))
        elif pyarrow.types.is_float16(column.type) or pyarrow.types.is_float32(column.type):
            singles = table.column(at).to_pylist()
            doubles = [None if v is None else float(str(np.float32(v))) for v in singles]
            table = table.set_column(at, column.name, pyarrow.array(doubles, pyarrow.float64()))
    return table


def read_rows(path: Path | str) -> list[dict[str, Any]]:
    """The rows of a Parquet file, unchecked; nulls and scalar NaNs are left out."""
    return _plain_rows(_table_of(path))


def _table_of(path: Path | str) -> Any:
    if not Path(path).is_file():
        problem = "is a folder" if Path(path).is_dir() else "does not exist"
        raise RecordError(f"records file {path} {problem}")
    return read_table(path, f"records file {path}")


def _plain_rows(table: Any) -> list[dict[str, Any]]:
    mixed = mixed_columns(table)
    return [
        {k: json.loads(v) if k in mixed else v for k, v in row.items() if v is not None and v == v}
        for row in table.to_pylist()
    ]


def as_stored(rows: Sequence[Mapping[str, Any]], spec: Spec) -> Records:
    """Checked records as a file would return them: numbers per epoch in single precision."""
    singles = {name for name, kind in KINDS.items() if kind == "floats"}
    singles |= {target.name for target in spec.curves}
    rounded = (
        {k: np.float32(v).astype(float).tolist() if k in singles else v for k, v in row.items()}
        for row in check_rows(rows, spec)
    )
    return Records._of_checked(rounded, spec)


def read_table(source: Any, what: str) -> Any:
    """The pyarrow table of a Parquet file (a path or an open file); RecordError names `what`."""
    pyarrow = _pyarrow()
    import pyarrow.parquet as parquet

    try:
        with parquet.ParquetFile(source) as file:
            return file.read()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        csv = isinstance(source, (str, Path)) and Path(source).suffix == ".csv"
        hint = "; convert it with pandas.read_csv(...).to_parquet(...)" if csv else ""
        raise RecordError(f"{what} is not readable as Parquet: {reason}{hint}") from None


def mixed_columns(table: Any) -> set[str]:
    """The columns whose values are JSON text."""
    return {f.name for f in table.schema if (f.metadata or {}).get(AS_JSON) == b"true"}


def _is_mixed(parameter: Parameter) -> bool:
    """Whether the choices are neither all text nor of one numeric type."""
    return (
        isinstance(parameter, Choice)
        and parameter.dtype == object
        and not all(isinstance(choice, str) for choice in parameter.choices)
    )


def _schema(spec: Spec, rows: Sequence[Mapping[str, Any]]) -> Any:
    pyarrow = _pyarrow()
    types = {
        "text": pyarrow.string(),
        "int": pyarrow.int64(),
        "float": pyarrow.float64(),
        "floats": pyarrow.list_(pyarrow.float32()),
    }
    plain = {"b": pyarrow.bool_(), "i": types["int"], "f": types["float"], "O": types["text"]}
    present = set().union(*(row.keys() for row in rows))
    targets = {t.name for t in spec.targets}
    named = [pyarrow.field(c.name, types[c.kind]) for c in COLUMNS if c.name in present - targets]
    for parameter in spec.space.parameters:
        mark = {AS_JSON: b"true"} if _is_mixed(parameter) else None
        named.append(pyarrow.field(parameter.name, plain[parameter.dtype.kind], metadata=mark))
    for target in spec.targets:
        kind = "floats" if target.kind == "curve" else "float"
        named.append(pyarrow.field(target.name, types[kind]))
    spreads = [spread_of(target) for target in spec.scalars]
    named += [pyarrow.field(name, types["float"]) for name in spreads if name in present]
    metadata = {"eahas.space": f"{spec.name}@{spec.version}"}
    return pyarrow.schema(named, metadata=metadata)


def _is_list(column: Any) -> bool:
    return str(column.type).startswith("list")


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise MissingExtraError("reading and writing records", "pyarrow", "records") from None
    return pyarrow

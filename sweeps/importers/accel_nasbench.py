"""Import the public data set of Accel-NASBench: 5,138 trained and measured networks.

Ahmad et al., "Accel-NASBench: Sustainable Benchmarking for Accelerator-Aware NAS", 2024;
github.com/afzalxo/Accel-NASBench, Apache-2.0. Accuracy is ImageNet top-1 in percent, training time
is in seconds, throughput in images per second, latency in milliseconds.
"""

from __future__ import annotations

import json
import math
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from eahas.errors import DataError, shown
from eahas.records.records import Records
from eahas.records.schema import check_rows, spread_of
from eahas.spec.spec import Spec

ARCHIVE = "anb_dataset_jsons.tar.gz"
SPLITS = {"train": "train_paths.json", "valid": "val_paths.json", "test": "test_paths.json"}
SHARES = (("train", 0.8), ("valid", 0.1), ("test", 0.1))
Row = dict[str, Any]


def accel_nasbench_rows(path: Path, spec: Spec, *, split_seed: int | None = None) -> Records:
    """The records of `anb_dataset_jsons.tar.gz`, or of the folder that it unpacks to.

    The split is the default one of the data set, whose three files are beside the archive. With
    `split_seed` a split of 0.8, 0.1 and 0.1 is drawn. Networks outside the default split get the
    role `control`: nearly all repeat a network inside it and show the noise. If a split is drawn
    and the files are missing, the first result of each network is inside the split. Values that a
    device did not measure are left out.

    Raises DataError for a file that is missing or not part of the data set.
    """
    path = Path(path)
    results = dict(sorted(_results(path)))
    if not results:
        raise DataError(f"{path} contains no result_*.json: it is not Accel-NASBench's data set")
    splits = _default_split(path, results, drawn=split_seed is not None)
    inside = [name for name in results if name in splits]
    if len(inside) < len(splits):
        missing = next(name for name in splits if name not in results)
        raise DataError(f"{path} lacks {missing}, which is in the split")
    if split_seed is not None:
        splits = _drawn_split(inside, split_seed)
    next_seed: dict[str, int] = {}
    rows = []
    for name in (*inside, *(name for name in results if name not in splits)):
        row = _row(name, results[name], spec)
        row["seed"] = next_seed.setdefault(row["config_id"], 0)
        next_seed[row["config_id"]] += 1
        split = splits.get(name, "")
        rows.append(row | {"split": split, "role": "main" if split else "control"})
    return check_rows(rows, spec)


def _results(path: Path) -> Iterator[tuple[str, Any]]:
    """The name and content of every result_*.json. Nothing is unpacked to disk."""
    if (path / ARCHIVE).is_file():
        path = path / ARCHIVE
    if path.is_dir():
        for file in path.rglob("result_*.json"):
            yield file.name, _parsed(file.read_bytes(), str(file))
        return
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = Path(member.name).name
                opened = archive.extractfile(member) if member.isfile() else None
                if opened is not None and name.startswith("result_") and name.endswith(".json"):
                    yield name, _parsed(opened.read(), f"{path}: {member.name}")
    except (OSError, tarfile.TarError, EOFError) as error:
        raise DataError(f"{path} cannot be read as an archive or a folder: {error}") from None


def _parsed(content: bytes, what: str) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise DataError(f"{what} is not JSON: {error}") from None


def _default_split(path: Path, results: Mapping[str, Any], *, drawn: bool) -> dict[str, str]:
    """The split of each result by the name of its file."""
    splits: dict[str, str] = {}
    files = {}
    for split, name in SPLITS.items():
        candidates = [folder / name for folder in (path, path.parent)]
        files[split] = next((file for file in candidates if file.is_file()), None)
    if drawn and not any(files.values()):
        return dict.fromkeys(_first_results(results), "train")
    for (split, name), file in zip(SPLITS.items(), files.values(), strict=True):
        if file is None:
            raise DataError(f"{name} of the default split is missing beside {path}")
        listed = _parsed(file.read_bytes(), str(file))
        if not isinstance(listed, list) or not all(isinstance(entry, str) for entry in listed):
            raise DataError(f"{file} must be a list of paths, got {shown(listed)}")
        splits |= {Path(entry).name: split for entry in listed}
    return splits


def _first_results(results: Mapping[str, Any]) -> list[str]:
    """The name of the first result of each network."""
    first: dict[str, str] = {}
    for name, result in results.items():
        valid = isinstance(result, Mapping)
        first.setdefault(json.dumps(result.get("architecture") if valid else name), name)
    return list(first.values())


def _drawn_split(names: list[str], seed: int) -> dict[str, str]:
    order = np.random.default_rng(seed).permutation(len(names))
    ends = np.cumsum([round(share * len(names)) for _, share in SHARES[:-1]])
    parts = np.split(order, ends)
    return {
        names[i]: split
        for (split, _), part in zip(SHARES, parts, strict=True)
        for i in part.tolist()
    }


def _row(name: str, result: Any, spec: Spec) -> Row:
    """One result as a record, without its split."""
    try:
        config = result["architecture"]
        values = {
            "accuracy": result["metrics"]["val_top1"],
            "train_time": result["metrics"]["train_time"],
            "flops": 1e6 * result["model_info"]["macs"],
            "params": 1e6 * result["model_info"]["params"],
        }
        for target, measured in result["platform_perf"].items():
            kind = target.partition("_")[0]
            values[target] = measured[f"{kind}_mean"]
            values[f"{target}_std"] = measured[f"{kind}_std"]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{name} is not a result of Accel-NASBench: {error!r} is missing") from None
    known = {t.name for t in spec.scalars} | {spread_of(t) for t in spec.scalars}
    known |= {"flops", "params"}
    return {
        "run_id": name.removesuffix(".json"),
        "space": spec.name,
        "space_version": spec.version,
        "config_id": _code(config),
        "status": "ok",
        "epochs": 1,
        **config,
        **{k: v for k, v in values.items() if k in known and v is not None and math.isfinite(v)},
    }


def _code(config: Mapping[str, Any]) -> str:
    """Seven groups of expansion, kernel, layers and squeeze-excite, such as `4510-6331-...`."""
    blocks = (
        "".join(str(int(config[f"block{b}_{part}"])) for part in ("e", "k", "l", "se"))
        for b in range(7)
    )
    return "-".join(blocks)

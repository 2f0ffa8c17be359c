"""`eahas fit` and `eahas evaluate`, on a benchmark of a user's own."""

from __future__ import annotations

import json
import shutil

import pytest

from eahas import api
from eahas.cli import main

pytestmark = pytest.mark.integration

SMALL = ("--members", 2, "--steps", 30, "--resamples", 30)


def fit(eahas, toy, out, *more):
    return eahas("fit", toy / "spec.json", toy / "records.parquet", "--out", out, *SMALL, *more)


def test_fit_writes_a_benchmark_and_prints_its_metrics(eahas, toy, tmp_path):
    status, out, _ = fit(eahas, toy, tmp_path / "b")
    assert status == 0
    assert "on 8 held-out configurations" in out
    for name in ("validation accuracy, last epoch", "training time", "training energy (estimated)"):
        assert name in out
    loaded = api.load_benchmark(tmp_path / "b")
    assert [model.members for model in loaded.models] == [2, 2]


def test_the_help_page_knows_the_defaults(capsys):
    pytest.importorskip("torch")
    from surrogates.families import CURVES, SCALARS

    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    page = " ".join(capsys.readouterr().out.split())
    assert CURVES.members == SCALARS.members
    assert CURVES.seed == SCALARS.seed
    for line in (
        f"of an ensemble; default: the family's, often {CURVES.members}",
        f"default: {CURVES.steps} for curves, {SCALARS.steps} for costs",
        f"weights and batches; default: {CURVES.seed}",
        f"Bezier curves; default: {CURVES.degree}",
    ):
        assert line in page


def test_the_same_seed_gives_the_same_weights_and_another_does_not(eahas, toy, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        fit(eahas, toy, tmp_path / name, "--seed", seed)
    a, b, c = (
        (tmp_path / name / "costs" / "weights.safetensors").read_bytes() for name in ("a", "b", "c")
    )
    assert a == b != c


def test_an_earlier_benchmark_is_replaced_and_nothing_else_is(eahas, refused, toy, tmp_path):
    out = tmp_path / "b"
    assert fit(eahas, toy, out)[0] == 0
    assert fit(eahas, toy, out)[0] == 0
    (out / "notes.txt").write_text("mine")
    given = (toy / "spec.json", toy / "records.parquet", "--out", out)
    assert "notes.txt" in refused("fit", *given)
    assert (out / "notes.txt").read_text() == "mine"
    assert "is a file" in refused("fit", *given[:3], out / "notes.txt")


def test_settings_come_from_a_file_too(eahas, refused, toy, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"curves": {"degree": 3, "hidden": [8]}, "scalars": {"hidden": [4, 4]}}')
    fit(eahas, toy, tmp_path / "b", "--settings", path)
    loaded = api.load_benchmark(tmp_path / "b")
    curves, costs = loaded.models
    assert curves.head.codec.degree == 3
    assert curves.manifest["settings"]["hidden"] == [8]
    assert costs.manifest["settings"]["hidden"] == [4, 4]
    given = (toy / "spec.json", toy / "records.parquet", "--out", tmp_path / "c")
    for content, named in (
        ("[]", "curves"),
        ('{"curve": {}}', "did you mean 'curves'"),
        ('{"curves": {"stepz": 1}}', "did you mean 'steps'"),
        (
            '{"curves": {"steps": "many"}}',
            "steps is a whole number from 1, got 'many'",
        ),
        (
            '{"curves": {"hidden": [0]}}',
            "hidden is a list of whole numbers from 1, got [0]",
        ),
        (
            '{"curves": {"dropout": 1}}',
            "dropout is a number from 0 to below 1, got 1",
        ),
        ('{"curves": 3}', "fit settings: a mapping of names to values, got 3"),
    ):
        path.write_text(content)
        assert named in refused("fit", *given, "--settings", path)


def test_bad_input_is_one_line(refused, toy, tmp_path):
    out = ("--out", tmp_path / "b")
    assert "spec" in refused("fit", "nope", toy / "records.parquet", *out)
    assert "does not exist" in refused("fit", toy / "spec.json", tmp_path / "no.parquet", *out)
    assert "belongs to toy@1" in refused("fit", "regnet-digits", toy / "records.parquet", *out)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    assert "Parquet" in refused("fit", toy / "spec.json", broken, *out)
    assert "folds" in refused(
        "fit", toy / "spec.json", toy / "records.parquet", *out, "--members", 99
    )
    assert not (tmp_path / "b").exists()


def test_evaluate_prints_every_target_with_lengths_and_references(eahas, bench):
    status, out, err = eahas("evaluate", bench, "--resamples", 30)
    assert status == 0
    assert "validation accuracy [%]" in out
    assert "mean over epochs" in out
    assert "training energy (estimated) [J]" in out
    assert "  3 epochs (" in out
    for reference in ("surrogate", "another seed's run", "mean of two other seeds"):
        assert reference in out
    assert [line for line in err.splitlines() if "note" in line] == [
        "eahas: note: toy@1: the energy is estimated (cpu_time_s x 10 W), not measured; rankings "
        "by it repeat the rankings by time"
    ]


def test_evaluate_recomputes_what_the_manifest_says(eahas, bench):
    _, out, _ = eahas("evaluate", bench, "--resamples", 30, "--json")
    found = json.loads(out)
    stored = api.load_benchmark(bench).manifest["quality"]
    assert {key: found[key] for key in stored} == stored
    assert found["energy_source"] == "estimated"


def test_evaluate_judges_on_other_records_too(eahas, refused, bench, toy):
    own = eahas("evaluate", bench, "--resamples", 30)
    other = eahas("evaluate", bench, "--resamples", 30, "--records", toy / "records.parquet")
    assert "to which nothing was fitted" in own[1]
    assert "of other records" in other[1]
    assert own[1].splitlines()[2:] == other[1].splitlines()[2:]
    assert "does not exist" in refused("evaluate", bench, "--records", "nowhere.parquet")


def test_altered_records_are_refused(refused, bench, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(bench, copy)
    with open(copy / "records.parquet", "ab") as file:
        file.write(b"x")
    assert "truncated or altered" in refused("evaluate", copy)


@pytest.mark.parametrize("name", ["nowhere", "regnet-digits/learning_curve"])
def test_evaluate_needs_a_benchmark(refused, name):
    refused("evaluate", name)


def test_the_help_names_the_folds_that_a_fit_has():
    from eahas.cli import fit as command
    from surrogates.uncertainty import crossfit

    assert command.FOLDS == crossfit.FOLDS


def test_others_records_stay_behind_and_a_notice_comes_along(eahas, toy, tmp_path):
    notice = tmp_path / "notice.txt"
    notice.write_text("Theirs; licence and place: https://example.org\n")
    status, _, _ = fit(eahas, toy, tmp_path / "b", "--notice", notice, "--name", "other")
    assert status == 0
    files = {path.name for path in (tmp_path / "b").rglob("*")}
    assert "NOTICE" in files
    assert "records.parquet" not in files
    status, out, _ = eahas("predict", tmp_path / "b", "--sample", 0)
    assert status == 0
    assert "other@1" in out

"""CIFAR-10 and Tiny ImageNet, from every layout in which people have them."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eahas.errors import DataError
from regnet_hpo.data import DATA_ENV, DataSet, load_dataset
from regnet_hpo.data.cifar_archive import read_archive
from regnet_hpo.data.options import SETS
from regnet_hpo.data.splits import stratified_splits

from .conftest import CIFAR, TINY, classes, encoded, image_of, write_parquet

REAL = Path(__file__).parents[4] / "shared" / "data"


def tells_the_label(data: DataSet, tolerance: int = 0) -> bool:
    """Whether every image has the colour of its label."""
    splits = (data.train, data.valid, data.test)
    return all(
        (abs(s.images[:, 0, 0, 0].astype(int) - s.labels % 200) <= tolerance).all() for s in splits
    )


def test_cifar_from_parquet(cifar: Path) -> None:
    data = load_dataset(CIFAR, cifar)
    assert [len(s) for s in (data.train, data.valid, data.test)] == [40, 20, 20]
    assert data.train.images.shape == (40, 32, 32, 3)
    assert data.source == "cifar10"
    assert tells_the_label(data)
    assert all((np.bincount(s.labels) == len(s) / 10).all() for s in (data.train, data.valid))


def test_validation_images_are_training_images_and_test_images_are_not(cifar: Path) -> None:
    data = load_dataset(CIFAR, cifar)
    rows = np.concatenate([data.train.images, data.valid.images]).reshape(60, -1)
    assert len(np.unique(rows, axis=0)) == 60
    again, other = (load_dataset(CIFAR | {"split_seed": s}, cifar) for s in (0, 1))
    assert again.fingerprint == data.fingerprint != other.fingerprint


def test_jpeg_is_not_what_the_authors_published(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", classes(10, 6), kind="JPEG")
    write_parquet(tmp_path / "test.parquet", classes(10, 2), kind="JPEG")
    data = load_dataset(CIFAR, tmp_path)
    assert data.source == "cifar10-jpeg"
    assert tells_the_label(data, tolerance=3)


def test_hugging_faces_own_names_and_shards(tmp_path: Path) -> None:
    folder = tmp_path / "cifar10" / "plain_text"
    for shard in range(2):
        path = folder / f"train-{shard:05d}-of-00002.parquet"
        write_parquet(path, classes(10, 3), image="image", label="fine_label")
    write_parquet(folder / "test-00000-of-00001.parquet", classes(10, 2))
    data = load_dataset(CIFAR, tmp_path)
    assert len(data.train) == 40
    assert tells_the_label(data)


def test_cifar_from_the_unpacked_archive(archive: Path) -> None:
    for given in (archive, archive / "cifar-10-batches-py"):
        data = load_dataset(CIFAR, given)
        assert [len(s) for s in (data.train, data.valid, data.test)] == [40, 20, 20]
        assert tells_the_label(data)
        assert (data.train.images[:, 20, 0, 2] != data.train.images[:, 0, 0, 2]).any()


def test_cifar_from_the_packed_archive(archive: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed" / "cifar-10-python.tar.gz"
    packed.parent.mkdir()
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(archive / "cifar-10-batches-py", "cifar-10-batches-py")
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    pools = read_archive(packed.parent, "cifar10", SETS["cifar10"], sha256=digest)
    assert (len(pools.train), len(pools.test)) == (60, 20)
    with pytest.raises(DataError, match=r"is not the official archive.*may be incomplete"):
        load_dataset(CIFAR, packed.parent)


def test_tiny_imagenet_from_its_folder(tiny_folder: Path) -> None:
    data = load_dataset(TINY | {"image_size": 32}, tiny_folder)
    assert [len(s) for s in (data.train, data.valid, data.test)] == [400, 200, 200]
    assert data.test.images.shape == (200, 32, 32, 3)
    assert data.source == "tinyimagenet"
    assert tells_the_label(data, tolerance=4)


def test_tiny_imagenet_from_parquet_with_valid_as_its_test_side(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data" / "train-0.parquet", classes(200, 3), kind="JPEG", side=64)
    write_parquet(tmp_path / "data" / "valid-0.parquet", classes(200, 1), kind="JPEG", side=64)
    data = load_dataset(TINY, tmp_path)
    assert data.test.images.shape == (200, 64, 64, 3)
    assert data.source == "tinyimagenet"


def test_the_environment_variable_names_the_folder(
    cifar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_ENV, str(cifar))
    assert load_dataset(CIFAR).fingerprint == load_dataset(CIFAR, cifar).fingerprint


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real files are not there: {REAL}")
@pytest.mark.parametrize(
    ("data", "folder", "source"),
    [
        (CIFAR, "cifar10", "cifar10-jpeg"),
        (TINY | {"train": 2000, "valid": 1000}, "tinyimagenet32", "tinyimagenet32-jpeg"),
    ],
)
def test_a_slice_of_the_real_files(data: dict, folder: str, source: str, tmp_path: Path) -> None:
    """Their first rows, so that the test does not wait for all of them."""
    (tmp_path / folder).mkdir()
    for side in ("train", "test"):
        file = pq.ParquetFile(REAL / folder / f"{side}.parquet")
        first = pa.Table.from_batches([next(file.iter_batches(5000))])
        pq.write_table(first, tmp_path / folder / f"{side}.parquet")
    found = load_dataset(data | {"image_size": 16}, tmp_path)
    assert found.train.images.shape[1:] == (16, 16, 3)
    assert found.source == source
    assert 60 < found.train.images.mean() < 190
    assert found.train.images.std() > 40


def test_only_requested_images_are_decoded(cifar: Path) -> None:
    """A sweep would otherwise spend most of its time on images that it does not train on."""
    few = CIFAR | {"train": 20, "valid": 10, "test": 10}
    labels = np.array(classes(10, 6))
    train, valid = stratified_splits(labels, (20, 10), 0, "all")
    wanted = {0, *train, *valid}  # the first one tells format and size
    whole = [encoded(image_of(int(y), k)) for k, y in enumerate(labels)]
    path = cifar / "cifar10" / "train.parquet"
    write_parquet(path, labels, images=whole)
    expected = load_dataset(few, cifar)
    write_parquet(path, labels, images=[p if k in wanted else b"?" for k, p in enumerate(whole)])
    assert load_dataset(few, cifar).fingerprint == expected.fingerprint


# What cannot be read


def with_row(path: Path, row: int, content: bytes) -> Path:
    """A file of 60 images, all valid but one."""
    labels = classes(10, 6)
    images = [encoded(image_of(y, k)) for k, y in enumerate(labels)]
    return write_parquet(path, labels, images=[*images[:row], content, *images[row + 1 :]])


@pytest.mark.parametrize(
    ("write_file", "message"),
    [
        (
            lambda f: write_parquet(f, classes(10, 6), label="digit"),
            "no column label or fine_label",
        ),
        (lambda f: write_parquet(f, classes(10, 6), image="picture"), "no column img or image"),
        (lambda f: write_parquet(f, [*classes(10, 6), 57]), "a label is 57; labels of cifar10 are"),
        (lambda f: write_parquet(f, [*classes(10, 6), -1]), "a label is -1"),
        (lambda f: write_parquet(f, classes(9, 6)), "9 of the 10 classes of cifar10 occur"),
        (
            lambda f: write_parquet(f, classes(10, 6), side=28),
            "the images are 28x28; allowed for cifar10: 32x32",
        ),
        (
            lambda f: with_row(f, 1, b"GIF89a?"),
            "train.parquet, row 1 (7 bytes) is not an image, or is damaged",
        ),
        (
            lambda f: with_row(f, 57, encoded(image_of(1, 1))[:60]),
            "train.parquet, row 57 (60 bytes) is not an image, or is damaged",
        ),
        (
            lambda f: with_row(f, 57, encoded(image_of(7, 1, 16))),
            "train.parquet, row 57 is 16x16 and",
        ),
        (lambda f: write_parquet(f, [0, None], images=[b"", b""]), "row 1 has no label"),
        (lambda f: write_parquet(f, [0, 1], images=[b"", None]), "row 1 has no image"),
        (lambda f: write_parquet(f, []), "contains no images"),
    ],
)
def test_a_bad_parquet_file_is_one_clear_line(
    cifar: Path, write_file: Callable[[Path], Path], message: str
) -> None:
    path = write_file(cifar / "cifar10" / "train.parquet")
    with pytest.raises(DataError) as raised:
        load_dataset(CIFAR, cifar)
    assert message in str(raised.value)
    assert str(path.parent) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_half_downloaded_file_says_so(cifar: Path) -> None:
    path = cifar / "cifar10" / "train.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"train.parquet is not a complete Parquet file.*download"):
        load_dataset(CIFAR, cifar)


def test_a_corrupt_row_group_is_named(cifar: Path) -> None:
    path = cifar / "cifar10" / "train.parquet"
    content = bytearray(path.read_bytes())
    content[4:40] = bytes(36)  # the head of the first column's first page
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"train.parquet: row group 0 of 4 is damaged"):
        load_dataset(CIFAR, cifar)


def test_a_missing_shard_is_told(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-00000-of-00003.parquet", classes(10, 6))
    with pytest.raises(
        DataError, match="contains 1 shards of train instead of 3; download the others"
    ):
        load_dataset(CIFAR, tmp_path)


def test_more_shards_than_there_are(tmp_path: Path) -> None:
    for shard in range(3):
        write_parquet(tmp_path / f"train-{shard:05d}-of-00002.parquet", classes(10, 6))
    with pytest.raises(DataError, match="contains 3 shards of train instead of 2; remove"):
        load_dataset(CIFAR, tmp_path)


def test_images_are_bytes_and_not_text(cifar: Path) -> None:
    path = cifar / "cifar10" / "train.parquet"
    pq.write_table(pa.table({"img": [{"bytes": "a picture"}] * 3, "label": [0, 1, 2]}), path)
    with pytest.raises(DataError, match="no column img or image of a struct with bytes"):
        load_dataset(CIFAR, cifar)


def test_lists_that_are_no_text_are_told(tiny_folder: Path) -> None:
    root = tiny_folder / "tiny-imagenet-200"
    (root / "val" / "val_annotations.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"val_annotations\.txt is damaged: it is not UTF-8 text"):
        load_dataset(TINY, tiny_folder)


def test_an_archive_that_is_still_packed(tmp_path: Path) -> None:
    (tmp_path / "tiny-imagenet-200.zip").touch()
    with pytest.raises(DataError, match=r"tiny-imagenet-200\.zip is packed; unpack it in"):
        load_dataset(TINY, tmp_path)


def test_training_images_alone_are_not_enough(cifar: Path) -> None:
    (cifar / "cifar10" / "test.parquet").unlink()
    with pytest.raises(DataError, match="no test images"):
        load_dataset(CIFAR, cifar)


def test_fewer_images_than_the_spec_requests(cifar: Path) -> None:
    with pytest.raises(DataError, match=r"45,000 \+ 5,000 images are requested; .* has 60"):
        load_dataset(CIFAR | {"train": 45000, "valid": 5000}, cifar)


def test_a_folder_without_it_says_what_it_looked_for_and_found(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    with pytest.raises(DataError) as raised:
        load_dataset(CIFAR, tmp_path)
    for part in ("does not contain cifar10", "cifar-10-python.tar.gz", "train*.parquet", "holiday"):
        assert part in str(raised.value)


def test_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"data_dir: the folder .*no does not exist"):
        load_dataset(CIFAR, tmp_path / "no")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"data_dir: the folder .*file is a file; give the folder"):
        load_dataset(CIFAR, tmp_path / "file")
    monkeypatch.setenv(DATA_ENV, str(tmp_path / "no"))
    with pytest.raises(DataError, match=r"EAHAS_DATA: the folder .*no does not exist"):
        load_dataset(CIFAR)


def test_another_data_set_under_the_name(cifar: Path, tiny_folder: Path) -> None:
    with pytest.raises(DataError, match="10 of the 200 classes of tinyimagenet occur"):
        load_dataset(TINY, cifar / "cifar10")


def test_an_archive_without_one_batch(archive: Path) -> None:
    (archive / "cifar-10-batches-py" / "data_batch_3").unlink()
    with pytest.raises(DataError, match="is incomplete: data_batch_3 missing"):
        load_dataset(CIFAR, archive)


class Boom:
    def __reduce__(self) -> tuple:
        return (print, ("a pickle ran",))


def test_a_batch_can_hold_arrays_and_nothing_else(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from .conftest import batch_file

    batch_file(archive / "cifar-10-batches-py" / "data_batch_1", [0, 1], filenames=Boom())
    with pytest.raises(DataError, match=r"data_batch_1 is not a batch of CIFAR-10 \(.*print"):
        load_dataset(CIFAR, archive)
    assert "a pickle ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80\x02}q\x00."])
def test_a_batch_that_is_none(archive: Path, content: bytes) -> None:
    (archive / "cifar-10-batches-py" / "data_batch_1").write_bytes(content)
    with pytest.raises(DataError, match="data_batch_1 is not a batch of CIFAR-10"):
        load_dataset(CIFAR, archive)


def test_a_tiny_imagenet_that_is_half_unpacked(tiny_folder: Path) -> None:
    root = tiny_folder / "tiny-imagenet-200"
    (root / "val" / "images" / "val_7.JPEG").unlink()
    with pytest.raises(DataError, match=r"is incomplete: .*val_7\.JPEG"):
        load_dataset(TINY, tiny_folder)
    (root / "val" / "val_annotations.txt").unlink()
    with pytest.raises(DataError, match=r"is incomplete: .*val_annotations\.txt is missing"):
        load_dataset(TINY, tiny_folder)


def test_a_class_without_images(tiny_folder: Path) -> None:
    for path in (tiny_folder / "tiny-imagenet-200" / "train" / "n00000003").rglob("*.JPEG"):
        path.unlink()
    with pytest.raises(DataError, match="199 of the 200 classes of tinyimagenet occur"):
        load_dataset(TINY, tiny_folder)


def test_without_a_network_the_download_fails_clearly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pooch
    import requests

    def offline(*_: object, **__: object) -> None:
        raise requests.ConnectionError("HTTPSConnectionPool(Caused by NameResolutionError())")

    monkeypatch.setattr(pooch, "os_cache", lambda _: tmp_path)
    monkeypatch.setattr(requests, "get", offline)
    with pytest.raises(DataError) as raised:
        load_dataset(CIFAR)
    message = str(raised.value)
    assert "cifar10 could not be downloaded from https://www.cs.toronto.edu" in message
    assert "(no connection)" in message
    assert "Caused by" not in message
    assert "--data-dir or the environment variable EAHAS_DATA" in message


def test_a_download_is_read_from_the_cache(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier download left there; another file under its name is refused."""
    import pooch

    from regnet_hpo.data import locate

    packed = tmp_path / "cache" / "cifar10" / "cifar-10-python.tar.gz"
    packed.parent.mkdir(parents=True)
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(archive / "cifar-10-batches-py", "cifar-10-batches-py")
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    source = locate.SOURCES["cifar10"]
    pinned = source._replace(
        archive=source.archive._replace(sha256=digest),
        layouts=(
            source.layouts[1]._replace(read=lambda *given: read_archive(*given, sha256=digest)),
        ),
    )
    monkeypatch.setitem(locate.SOURCES, "cifar10", pinned)
    monkeypatch.setattr(pooch, "os_cache", lambda _: tmp_path / "cache")
    assert tells_the_label(load_dataset(CIFAR))

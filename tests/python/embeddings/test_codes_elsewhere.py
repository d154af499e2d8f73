"""Codes that are not next to their file, or do not exist; Python, the command line and SQL find them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from system import emm1_cli, read_only, small_disk

import emm1
from emm1.errors import EmbeddingsWarning

NEAREST = "SELECT list(id ORDER BY rank) FROM nearest('image', embedding('image', 3), k := 5)"
FILE = "SELECT embedding_file('image')"


@pytest.fixture
def own_store(store_path: Path, tmp_path: Path) -> Path:
    """A copy of the store that a test may change."""
    return Path(shutil.copy(store_path, tmp_path / "emm1.duckdb"))


@pytest.fixture
def vectors(tree: Path, tmp_path: Path) -> Path:
    """A copy of an embedding file, without codes from other tests next to it."""
    (tmp_path / "files").mkdir()
    return Path(shutil.copy(tree / "embeddings/image.npy", tmp_path / "files"))


def add(store: Path, file: Path, *options: object) -> str:
    done = emm1_cli("embeddings", "add", store, "image", file, "--dataset", "100m", "--modality", "image", *options)
    assert done.returncode == 0, done.stderr
    return done.stderr


def damage(codes: Path) -> None:
    content = bytearray(codes.read_bytes())
    content[len(content) // 2] ^= 1
    codes.write_bytes(content)


def test_codes_in_another_place(own_store: Path, vectors: Path, tmp_path: Path) -> None:
    codes = tmp_path / "fast" / "image.codes"
    codes.parent.mkdir()
    assert not add(own_store, vectors, "--codes", codes)
    assert codes.is_file()
    assert not Path(f"{vectors}.codes").exists()
    expected = emm1.Embeddings(vectors, codes=False).search(np.load(vectors)[3], 5).ids.tolist()
    with emm1.open(own_store, read_only=True) as store:
        assert store.embeddings("image").codes_path == codes
        assert store.sql(FILE).fetchall() == [(f"{vectors}?codes={codes}",)]
        assert store.sql(NEAREST).fetchall() == [(expected,)]
        assert store.nearest("image", np.load(vectors)[3], 5).select("id").fetchall() == [(id_,) for id_ in expected]
    found = emm1_cli("search", own_store, "image", "--id", 3, "-k", 5)
    assert found.returncode == 0, found.stderr

    verified = emm1_cli("embeddings", "verify", own_store)
    assert (verified.returncode, f"codes sound in {codes}" in verified.stdout.replace("\n", "")) == (0, True), verified
    damage(codes)
    verified = emm1_cli("embeddings", "verify", own_store)
    assert (verified.returncode, f"{codes}: is damaged" in verified.stderr.replace("\n", "")) == (1, True), verified
    codes.unlink()
    verified = emm1_cli("embeddings", "verify", own_store)
    assert f"no usable codes in {codes}" in verified.stdout.replace("\n", "")
    with emm1.open(own_store, read_only=True) as store:  # everything still works without codes
        assert store.sql(NEAREST).fetchall() == [(expected,)]

    removed = emm1_cli("embeddings", "remove", own_store, "image")
    assert f"its codes {codes} neither" in removed.stdout.replace("\n", "")


def test_no_codes(own_store: Path, vectors: Path) -> None:
    default = emm1.Embeddings(vectors).build_codes()
    assert not add(own_store, vectors, "--no-codes")
    with emm1.open(own_store, read_only=True) as store:
        assert store.embeddings("image").codes_path is None
        assert store.sql(FILE).fetchall() == [(f"{vectors}?codes=",)]
        assert store.sql(NEAREST).fetchall()[0][0][0] == 3
    verified = emm1_cli("embeddings", "verify", own_store)
    assert "no codes, as registered" in verified.stdout.replace("\n", " ")
    assert default.exists()
    both = emm1_cli(
        "embeddings", "add", own_store, "b", vectors, "--dataset", "100m", "--modality", "image", "--no-codes",
        "--codes", default,
    )  # fmt: skip
    assert (both.returncode, "exclude each other" in both.stderr) == (2, True)


def test_a_folder_that_cannot_be_written(own_store: Path, vectors: Path, tmp_path: Path) -> None:
    codes = tmp_path / "image.codes"
    with read_only(vectors.parent):
        file = vectors
        assert "name another place for codes" in add(own_store, file).replace("\n", " ")
        with emm1.open(own_store) as store:
            assert store.embeddings("image").codes_path is None
            store.add_embeddings("image", file, dataset="100m", modality="image", codes=codes, replace=True)
            assert store.embeddings("image").codes_path == codes
            assert store.sql(NEAREST).fetchall()[0][0][0] == 3


def test_a_file_in_memory_is_registered_without_codes(own_store: Path, vectors: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "20m") as disk:
        file = Path(shutil.copy(vectors, disk))
        assert "is on tmpfs" in add(own_store, file)
        assert [path.name for path in disk.iterdir()] == ["image.npy"]
        with emm1.open(own_store) as store:
            assert store.sql(NEAREST).fetchall()[0][0][0] == 3
            with pytest.raises(emm1.EmbeddingError, match="is on tmpfs"):
                store.add_embeddings(
                    "image", file, dataset="100m", modality="image", codes=tmp_path / "x.codes", replace=True
                )


def test_a_place_that_cannot_be_written(own_store: Path, vectors: Path, tmp_path: Path) -> None:
    with emm1.open(own_store) as store:
        with pytest.raises(emm1.EmbeddingError, match="cannot be written"):
            store.add_embeddings("image", vectors, dataset="100m", modality="image", codes=tmp_path / "none/x.codes")
        assert store.sql("FROM embeddings").fetchall() == []


def test_codes_under_the_folder_of_the_store_move_with_it(own_store: Path, vectors: Path, tmp_path: Path) -> None:
    folder = own_store.parent
    file, codes = folder / "moving.npy", folder / "moving.codes"
    file.write_bytes(vectors.read_bytes())
    with emm1.open(own_store) as store:
        store.add_embeddings("image", file, dataset="100m", modality="image", codes=codes)
        assert store.sql("SELECT path, codes_path FROM embeddings").fetchall() == [("moving.npy", "moving.codes")]
    other = tmp_path / "other"
    other.mkdir()
    for each in (own_store, file, codes):
        each.rename(other / each.name)
    with emm1.open(other / own_store.name, read_only=True) as store:
        with pytest.warns(
            EmbeddingsWarning, match=r"moving\.npy was copied, moved or written .* its rows are the same"
        ):
            assert store.embeddings("image").codes_path == other / "moving.codes"
        assert store.sql(FILE).fetchall() == [(f"{other}/moving.npy?codes={other}/moving.codes",)]

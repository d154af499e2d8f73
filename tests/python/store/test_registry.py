"""The registry of a store is a mapping of names."""

import shutil
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
import pytest
from system import emm1_cli

import emm1
from emm1 import errors
from emm1.dataset import Split


@pytest.fixture
def own_store(store_path: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(store_path, tmp_path / "emm1.duckdb"))


def ids_of(store: emm1.Store, count: int) -> list[int]:
    ids = store.sql("SELECT encord_text_id FROM e_mm1_100m.text ORDER BY ALL").limit(count).fetchall()
    return [number for (number,) in ids]


def test_a_mapping(own_store: Path, tree: Path) -> None:
    with emm1.open(own_store) as store:
        registry = store.registry
        assert (len(registry), list(registry), registry.get("text"), None in registry) == (0, [], None, False)
        for name in ("text", "image"):
            assert registry.add(name, tree / f"embeddings/{name}.npy", dataset="100m", modality=name).notes == ()
        assert (list(registry), [each.modality for each in registry.values()]) == (["image", "text"], ["image", "text"])
        assert registry is store.registry
        with pytest.raises(KeyError, match="no embeddings are called 'x': registered are image, text"):
            registry["x"]
        assert registry["text"].codes is None
        assert registry["text"].codes_path == tree / "embeddings/text.npy.codes"
        assert registry.verify("text")[1] is True
        assert registry.remove("text").path == tree / "embeddings/text.npy"
        with pytest.raises(errors.UnknownNameError):
            registry.remove("text")
        assert "text" not in registry


def test_models(own_store: Path, tree: Path) -> None:
    files = {name: tree / f"embeddings/{name}.npy" for name in ("text", "image")}
    with emm1.open(own_store) as store:
        registry = store.registry
        assert registry.models == {}
        with pytest.raises(errors.UnknownNameError, match="of a model 'x': no embeddings were registered with a model"):
            registry.models["x"]
        registry.add("text", files["text"], dataset="100m", modality="text", model="new")
        store.add_embeddings("image", files["image"], dataset="100m", modality="image", model="new")
        store.add_embeddings("text of old", files["text"], dataset="100m", modality="text", model="old")
        store.add_embeddings("no model", files["text"], dataset="100m", modality="text")
        new: dict[tuple[Split, str], str] = {("100m", "text"): "text", ("100m", "image"): "image"}
        assert registry.models == {"new": new, "old": {("100m", "text"): "text of old"}}
        assert {name: each.model for name, each in registry.items()} == {
            "text": "new",
            "image": "new",
            "text of old": "old",
            "no model": None,
        }
        with pytest.raises(errors.UnknownNameError, match="of a model 'x': registered are embeddings of new, old"):
            registry.models["x"]


def test_a_model_has_one_embedding_of_an_item(own_store: Path, tree: Path) -> None:
    file = tree / "embeddings/text.npy"
    with emm1.open(own_store) as store:
        store.add_embeddings("a", file, dataset="100m", modality="text", model="new")
        with pytest.raises(
            emm1.StoreError, match="model 'new' has embeddings of text items of 100m already, 'a': remove"
        ):
            store.add_embeddings("b", file, dataset="100m", modality="text", model="new")
        store.add_embeddings("b", file, dataset="100m", modality="text", model="old")
        with pytest.raises(emm1.StoreError, match="'a': remove those first, or name another model"):
            store.add_embeddings("b", file, dataset="100m", modality="text", model="new", replace=True)
        store.add_embeddings("a", file, dataset="100m", modality="text", model="new", metric="dot", replace=True)
        store.registry.remove("a")
        store.add_embeddings("b", file, dataset="100m", modality="text", model="new", replace=True)
        assert store.registry.models == {"new": {("100m", "text"): "b"}}
        for name in ("two\nlines", " ", 5):  # which evaluate would refuse
            with pytest.raises(errors.EmbeddingError, match="a name that is one line of text"):
                store.add_embeddings("c", file, dataset="100m", modality="text", model=name)  # type: ignore[arg-type]
        with pytest.raises(errors.EmbeddingError, match="a model needs a name"):
            store.add_embeddings("c", file, dataset="100m", modality="text", model="")
    for option, status in ((["--model", "new"], 1), (["--model", "third"], 0)):
        command = ["embeddings", "add", own_store, "c", file, "--dataset", "100m", "--modality", "text", *option]
        assert emm1_cli(*command).returncode == status
    listed = emm1_cli("embeddings", "list", own_store, "--format", "csv").stdout.splitlines()
    assert [line.split(",")[:4] for line in listed] == [
        ["name", "dataset", "modality", "model"],
        ["b", "100m", "text", "new"],
        ["c", "100m", "text", "third"],
    ]


def test_where_files_lie_is_as_it_was_registered(own_store: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(4, dtype="float32"))
    places: dict[str, Path | Literal[False] | None]
    places = {"a": None, "b": False, "c": tmp_path / "c.codes", "d": tmp_path / "x.npy.codes"}
    with emm1.open(own_store) as store:
        np.save(tmp_path / "other.npy", ids_of(store, 4))
        for name, codes in places.items():
            place = tmp_path / "other.npy"
            store.add_embeddings(name, tmp_path / "x.npy", dataset="100m", modality="text", ids=place, codes=codes)
        found = {name: (each.codes, each.codes_path) for name, each in store.registry.items()}
        beside = tmp_path / "x.npy.codes"
        assert found == {
            "a": (None, beside),
            "b": (False, None),
            "c": (tmp_path / "c.codes", tmp_path / "c.codes"),
            "d": (None, beside),
        }
        assert {each.ids_path for each in store.registry.values()} == {tmp_path / "other.npy"}
        as_sql_has_it = store.sql("SELECT embedding_file('c')").fetchall()[0][0]
        assert as_sql_has_it == f"{tmp_path}/x.npy?ids={tmp_path}/other.npy?codes={tmp_path}/c.codes"


def test_a_store_for_reading(own_store: Path, tree: Path) -> None:
    file = tree / "embeddings/text.npy"
    with emm1.open(own_store) as store:
        store.add_embeddings("text", file, dataset="100m", modality="text")
    with emm1.open(own_store, read_only=True) as store:
        with pytest.raises(emm1.StoreError, match="open for reading only") as raised:
            store.registry.add("other", file, dataset="100m", modality="text")
        assert isinstance(raised.value.__cause__, duckdb.Error)
        with pytest.raises(emm1.StoreError, match="open for reading only"):
            store.registry.remove("text")
        assert list(store.registry) == ["text"]


def test_ids_of_a_folder_with_a_dot(own_store: Path, tmp_path: Path) -> None:
    """They are written where they are looked for; `shards.ids.npy` would be those of another folder."""
    folder = tmp_path / "shards.v1"
    folder.mkdir()
    np.save(folder / "1.npy", np.eye(3, dtype="float32"))
    with emm1.open(own_store) as store:
        store.add_embeddings("x", folder, dataset="100m", modality="text", ids=(ids := ids_of(store, 3)[::-1]))
    assert (tmp_path / "shards.v1.ids.npy").exists()
    assert emm1.Embeddings(folder).ids.tolist() == ids

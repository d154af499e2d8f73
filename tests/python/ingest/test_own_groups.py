"""Stores whose groups come from a folder of one's own: built, brought up to date, upgraded; and what the store says of them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from store_content import content
from system import emm1_cli

import emm1
from emm1.evaluation.groups.neighbours import make
from emm1.ingest import readers
from emm1.ingest.readers.contract import NewStore, ReadResult
from emm1.ingest.readers.groups import read_groups
from emm1.ingest.run import build_store
from emm1.ingest.sources import Source

NAME = "e-mm1_100m/nn_{}/data_groups.csv"
COLUMNS = [f"encord_{modality}_id" for modality in ("text", "video", "audio", "image", "points")] + ["nn_index"]


@pytest.fixture(scope="module")
def own(tree: Path, store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Groups of three ranks, by points and images; the images of the captions' second half have vectors only."""
    folder = tmp_path_factory.mktemp("own")
    files = {modality: tree / f"embeddings/{modality}.npy" for modality in ("text", "image", "points")}
    with emm1.open(store_path, read_only=True) as store:
        make(store, folder / "groups", files, 3)
    return folder / "groups"


def groups_in(store: Path) -> pl.DataFrame:
    with emm1.open(store, read_only=True) as opened:
        return pl.DataFrame(opened.sql("FROM e_mm1_100m.groups ORDER BY nn_index, encord_text_id").to_arrow_table())


def read(folder: Path, *ranks: int) -> pl.DataFrame:
    types = dict.fromkeys(COLUMNS, pl.Int32) | {"nn_index": pl.Int16}
    return pl.concat(pl.read_csv(folder / f"nn_{rank}/data_groups.csv", schema=types) for rank in ranks)


def test_the_groups_are_those_of_the_folder(
    tree: Path, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_store: NewStore, sources: Sequence[Source]) -> list[ReadResult]:
        raise AssertionError(f"{sources[0].path} was not read natively")

    monkeypatch.setitem(readers.READERS, "groups", (read_groups, never))
    with emm1.build(tree, tmp_path / "emm1.duckdb", groups=own) as store:
        rows = store.sql("SELECT source, path, published, note FROM provenance WHERE source LIKE '%data_groups.csv'")
        found = rows.order("source").fetchall()
        assert store.groups(nn_index=2, modalities=["audio"]).select("audio_file_path").distinct().fetchall() == [
            (None,)
        ]
        assert store.sql("SELECT count(*) > 0 FROM e_mm1_100m.audio").fetchall() == [(True,)]
    note = f"made by emm1 groups make: text={tree}/embeddings/text.npy, "
    note += ", ".join(f"{modality}={tree}/embeddings/{modality}.npy (cosine)" for modality in ("image", "points"))
    path = "{}/nn_{}/data_groups.csv"
    assert found == [(NAME.format(rank), path.format(own, rank), "unknown", note) for rank in (1, 2, 3)]
    groups = groups_in(tmp_path / "emm1.duckdb")
    assert groups.columns == COLUMNS
    assert groups.equals(read(own, 1, 2, 3))
    assert build_store(tree, tmp_path / "other.duckdb", groups=own, splits=["100m"]).missing == []
    assert groups["encord_audio_id"].null_count() == groups["encord_video_id"].null_count() == len(groups)


def test_an_update_with_the_same_groups_has_nothing_to_do(tree: Path, own: Path, tmp_path: Path) -> None:
    updated, fresh = tmp_path / "updated.duckdb", tmp_path / "fresh.duckdb"
    build_store(tree, updated, groups=own)
    assert build_store(tree, updated, groups=own).up_to_date
    before = content(updated)
    report = build_store(tree, updated, groups=own, splits=["100m"])
    assert report.read == []
    assert {NAME.format(rank) for rank in (1, 2, 3)} <= {*report.kept}
    build_store(tree, fresh, groups=own, splits=["100m"])
    assert content(updated) == content(fresh)
    assert content(updated)["e_mm1_100m.groups"] == before["e_mm1_100m.groups"]


def test_there_and_back(tree: Path, own: Path, store_path: Path, tmp_path: Path) -> None:
    """From the published groups to one's own, to others, and back: each equals a fresh build; a note says what was lost."""
    store, fresh = tmp_path / "store.duckdb", tmp_path / "fresh.duckdb"
    shutil.copy(store_path, store)
    other = Path(shutil.copytree(own, tmp_path / "other"))
    (other / "groups.json").unlink()
    first = other / "nn_1/data_groups.csv"
    frame = read(other, 1)
    frame.with_columns(frame["encord_image_id"].reverse()).write_csv(first)
    for groups, files, notes in (
        (own, [1, 2, 3], 0),
        (other, [1], 1),
        (own, [1], 0),
        (None, range(1, 17), 1),
    ):
        report = build_store(tree, store, groups=groups)
        assert report.read == [NAME.format(rank) for rank in files]
        told = [note for note in report.notes if note.startswith("the groups were made by emm1 groups make: text=")]
        assert len(told) == notes
        build_store(tree, fresh, groups=groups, force=True)
        assert content(store) == content(fresh)
    assert content(store) == content(store_path)
    assert told[0].endswith(
        f"now they are those in {tree}/e-mm1_100m: name the folder of the others as groups to keep those"
    )


def test_ranks_are_those_of_the_folder(tree: Path, own: Path, tmp_path: Path) -> None:
    store = tmp_path / "emm1.duckdb"
    report = build_store(tree, store, groups=own, ranks=[2, 3])
    assert groups_in(store)["nn_index"].unique().sort().to_list() == [2, 3]
    assert not [name for name in report.missing if "nn_" in name]
    with pytest.raises(emm1.FileNotFoundError, match=rf"{own} has no nn_4/data_groups.csv, but the ranks 4, 5 were"):
        build_store(tree, store, groups=own, ranks=[3, 4, 5])


def test_an_upgrade_keeps_them(tree: Path, own: Path, tmp_path: Path) -> None:
    store = tmp_path / "emm1.duckdb"
    emm1.build(tree, store, groups=own).close()
    before = content(store)
    assert emm1_cli("upgrade", store).returncode == 0
    assert content(store) == before


def test_wrong_folders(tree: Path, own: Path, tmp_path: Path) -> None:
    store = tmp_path / "emm1.duckdb"
    (tmp_path / "file").write_text("mine")
    (tmp_path / "nothing").mkdir()
    for name, what in (
        ("absent", "is no folder"),
        ("file", "is no folder"),
        ("nothing", "has no nn_1/data_groups.csv"),
    ):
        with pytest.raises(
            emm1.FileNotFoundError, match=f"{name} {what}: name the folder that `emm1 groups make` wrote"
        ):
            emm1.build(tree, store, groups=tmp_path / name)
    with pytest.raises(emm1.SourceError, match="of the split 100m, which was not asked for"):
        emm1.build(tree, store, groups=own, splits=["1m"])
    pointers = Path(shutil.copytree(own, tmp_path / "pointers"))
    (pointers / "nn_2/data_groups.csv").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(emm1.SourceError, match=r'--include=".*nn_2/data_groups.csv"'):
        emm1.build(tree, store, groups=pointers)
    damaged = Path(shutil.copytree(own, tmp_path / "damaged"))
    with (damaged / "nn_3/data_groups.csv").open("a", encoding="utf-8") as file:
        file.write("8134021,,,x,,3\n")
    with pytest.raises(
        emm1.SourceError, match=r"damaged/nn_3/data_groups.csv, line \d+ \(row .*encord_image_id: 'x' is not"
    ):
        emm1.build(tree, store, groups=damaged)
    assert not store.exists()


def test_a_record_of_something_else_says_nothing(tree: Path, own: Path, tmp_path: Path) -> None:
    groups = Path(shutil.copytree(own, tmp_path / "groups"))
    for text in ("{", "[]", '{"embeddings": 7}', '{"embeddings": {"text": {}}}', "null"):
        (groups / "groups.json").write_text(text)
        with emm1.build(tree, tmp_path / "emm1.duckdb", groups=groups) as store:
            assert store.sql(
                "SELECT DISTINCT note FROM provenance WHERE source LIKE '%data_groups.csv'"
            ).fetchall() == [(None,)]


def test_on_the_command_line(tree: Path, own: Path, tmp_path: Path) -> None:
    store = tmp_path / "emm1.duckdb"
    built = emm1_cli("build", tree, store, "--groups", own)
    assert built.returncode == 0, built.stderr
    again = emm1_cli("build", tree, store, "--groups", own)
    assert "is up to date" in again.stdout
    back = emm1_cli("build", tree, store)
    assert "note: the groups were made by emm1 groups make: text=" in back.stdout
    wrong = emm1_cli("build", tree, store, "--groups", tmp_path / "none")
    assert (wrong.returncode, wrong.stderr) == (
        1,
        f"emm1: {tmp_path}/none is no folder: name the folder that `emm1 groups make` wrote\n",
    )

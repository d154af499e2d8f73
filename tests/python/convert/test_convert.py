"""emm1 embeddings import: every format against the array from which it was written; keys, damage, hostile files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ml_dtypes
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyarrow import feather
from torch_save import Tensor
from torch_save import save as torch_save
from typer.testing import CliRunner

import emm1
from emm1.cli import app
from emm1.convert.formats import open_file
from emm1.convert.input_file import BLOCK

ROWS, DIMS = BLOCK + 700, 5

Write = Callable[[Path, NDArray[Any], NDArray[np.int64], pytest.MonkeyPatch], Path]


def table(rows: NDArray[Any], ids: NDArray[np.int64], *, fixed: bool = True) -> pa.Table:
    values = pa.array(rows.ravel())
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    lists = (
        pa.FixedSizeListArray.from_arrays(values, rows.shape[1]) if fixed else pa.ListArray.from_arrays(offsets, values)
    )
    return pa.table({"caption": ["x"] * len(rows), "vector": lists, "id": ids.astype(np.uint32)})


def parquet(folder: Path, rows: NDArray[Any], ids: NDArray[np.int64], _: pytest.MonkeyPatch) -> Path:
    pq.write_table(table(rows, ids), folder / "a.parquet", row_group_size=999)
    return folder / "a.parquet"


def parquet_folder(folder: Path, rows: NDArray[Any], ids: NDArray[np.int64], _: pytest.MonkeyPatch) -> Path:
    (folder / "parts").mkdir()
    for i, part in enumerate(np.array_split(np.arange(len(rows)), 3)):
        pq.write_table(table(rows[part], ids[part], fixed=False), folder / f"parts/{i}.parquet")
    return folder / "parts"


def polars_ipc(folder: Path, rows: NDArray[Any], ids: NDArray[np.int64], _: pytest.MonkeyPatch) -> Path:
    pl.DataFrame({"id": ids, "vector": rows}).write_ipc(folder / "a.arrow")
    return folder / "a.arrow"


def feather_lz4(folder: Path, rows: NDArray[Any], ids: NDArray[np.int64], _: pytest.MonkeyPatch) -> Path:
    feather.write_feather(table(rows, ids), folder / "a.feather", chunksize=1000)
    return folder / "a.feather"


def arrow_stream(folder: Path, rows: NDArray[Any], ids: NDArray[np.int64], _: pytest.MonkeyPatch) -> Path:
    written = table(rows, ids, fixed=False)
    with pa.ipc.new_stream(folder / "a.arrow", written.schema) as stream:
        stream.write_table(written, max_chunksize=777)
    return folder / "a.arrow"


def lance_dataset(folder: Path, rows: NDArray[Any], ids: NDArray[np.int64], _: pytest.MonkeyPatch) -> Path:
    lance = pytest.importorskip("lance")
    lance.write_dataset(table(rows, ids), folder / "a.lance", max_rows_per_file=1500)
    return folder / "a.lance"


def npz(folder: Path, rows: NDArray[Any], ids: NDArray[np.int64], _: pytest.MonkeyPatch) -> Path:
    np.savez(folder / "a.npz", vector=rows, id=ids)
    return folder / "a.npz"


def npz_compressed(folder: Path, rows: NDArray[Any], ids: NDArray[np.int64], _: pytest.MonkeyPatch) -> Path:
    big = rows.astype(rows.dtype.newbyteorder(">"))
    np.savez_compressed(folder / "a.npz", vector=big, id=ids.astype(">u2"), why=np.array([None]))
    return folder / "a.npz"


def pt(folder: Path, rows: NDArray[Any], ids: NDArray[np.int64], patch: pytest.MonkeyPatch) -> Path:
    torch_save(patch, {"vector": Tensor(rows), "id": Tensor(ids), "epoch": 3}, folder / "a.pt")
    return folder / "a.pt"


def pt_slice(folder: Path, rows: NDArray[Any], ids: NDArray[np.int64], patch: pytest.MonkeyPatch) -> Path:
    whole = np.concatenate([rows[:3], rows])
    value = {"vector": Tensor(whole[3:], parameter=True), "id": ids.tolist(), "args": Path("x")}
    torch_save(patch, value, folder / "a.pth", protocol=4)
    return folder / "a.pth"


FORMATS: list[Write] = [
    *(parquet, parquet_folder, polars_ipc, feather_lz4, arrow_stream, lance_dataset),
    *(npz, npz_compressed, pt, pt_slice),
]
FILES: list[Write] = [parquet, feather_lz4, arrow_stream, npz, npz_compressed, pt]  # those that are damaged below
TYPES = [("float32", "float32"), ("float16", "float16"), ("int8", "int8"), ("float64", "float32"), ("uint8", "float16")]


def vectors(dtype: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    random = np.random.default_rng(5)
    rows = random.normal(size=(ROWS, DIMS)) * 30
    return (np.abs(rows) if dtype == "uint8" else rows).astype(dtype), random.permutation(ROWS)


@pytest.mark.parametrize(("dtype", "written"), TYPES)
@pytest.mark.parametrize("write", FORMATS)
def test_every_format_gives_back_the_array(
    tmp_path: Path,
    write: Write,
    dtype: str,
    written: str,
    monkeypatch: pytest.MonkeyPatch,
    recwarn: pytest.WarningsRecorder,
) -> None:
    rows, ids = vectors(dtype)
    source = write(tmp_path, rows, ids, monkeypatch)
    e = emm1.import_embeddings(source, tmp_path / "b.npy", key="id")
    assert e.ids_path == tmp_path / "b.ids.npy"
    stored = np.load(tmp_path / "b.npy")
    assert stored.dtype == np.dtype(written)
    assert (stored == rows.astype(written)).all()
    assert (np.load(tmp_path / "b.ids.npy") == ids).all()
    assert [str(warning.message).split()[0] for warning in recwarn] == ([] if dtype == written else [dtype])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, "b.npy", "b.ids.npy"])


@pytest.mark.parametrize("write", FORMATS)
def test_reading_can_begin_at_any_row(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an import does that goes on where another was interrupted."""
    rows, ids = vectors("float32")
    opened = open_file(write(tmp_path, rows, ids, monkeypatch))
    column = opened.vector_column("vector")
    for begin in (0, 1, 998, 999, 1000, 1600, BLOCK - 1, BLOCK, BLOCK + 1, ROWS - 1, ROWS):
        blocks = list(opened.blocks(column, begin))
        assert max(map(len, blocks), default=0) <= BLOCK
        assert np.array_equal(np.concatenate([rows[:0], *blocks]), rows[begin:]), begin


@pytest.mark.filterwarnings("ignore:bfloat16 was widened")
def test_bfloat16_tensors_are_widened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(1).normal(size=(6, 3)).astype(ml_dtypes.bfloat16)
    torch_save(monkeypatch, Tensor(rows), tmp_path / "a.pt")
    e = emm1.import_embeddings(tmp_path / "a.pt", tmp_path / "b.npy")
    assert e.ids_path is None
    assert e.vectors(range(6)).tobytes() == rows.astype(np.float32).tobytes()


def image_files(store: emm1.Store) -> tuple[list[int], list[str]]:
    rows = store.sql("SELECT encord_image_id, file_name FROM e_mm1_100m.image ORDER BY hash(file_name)").fetchall()
    return [row[0] for row in rows], [row[1] for row in rows]


def named_parquet(folder: Path, rows: NDArray[Any], names: list[str], _: pytest.MonkeyPatch) -> Path:
    frame = pl.DataFrame({"v": rows, "name": pl.Series(names, dtype=pl.Categorical)})
    frame.write_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def named_npz(folder: Path, rows: NDArray[Any], names: list[str], _: pytest.MonkeyPatch) -> Path:
    np.savez(folder / "a.npz", v=rows, name=np.array(names))
    return folder / "a.npz"


def named_npz_bytes(folder: Path, rows: NDArray[Any], names: list[str], _: pytest.MonkeyPatch) -> Path:
    np.savez(folder / "a.npz", v=rows, name=np.array([name.encode() for name in names]))
    return folder / "a.npz"


def named_pt(folder: Path, rows: NDArray[Any], names: list[str], patch: pytest.MonkeyPatch) -> Path:
    torch_save(patch, {"v": Tensor(rows), "name": names}, folder / "a.pt")
    return folder / "a.pt"


@pytest.mark.parametrize("write", [named_parquet, named_npz, named_npz_bytes, named_pt])
def test_file_names_become_ids(
    tmp_path: Path,
    store_path: Path,
    write: Callable[[Path, NDArray[Any], list[str], pytest.MonkeyPatch], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with emm1.open(store_path, read_only=True) as store:
        ids, names = image_files(store)
        rows = np.random.default_rng(0).normal(size=(len(ids), 4)).astype(np.float32)
        source = write(tmp_path, rows, names, monkeypatch)
        options: dict[str, Any] = {"key": "name", "dataset": "100m", "modality": "image"}
        e = emm1.import_embeddings(source, tmp_path / "b.npy", store=store, **options)
        assert e.ids.tolist() == ids
        assert (e.vectors(ids) == rows).all()
        assert store.sql("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'emm1_keys'").fetchall() == [(0,)]
    with pytest.raises(emm1.EmbeddingError, match=r"'name' holds text.*name a store, a dataset and a modality"):
        emm1.import_embeddings(source, tmp_path / "c.npy", key="name")


def test_keys_that_no_item_has_are_counted(tmp_path: Path, store_path: Path) -> None:
    with emm1.open(store_path, read_only=True) as store:
        ids, names = image_files(store)
    names[3], names[8] = "none.jpg", "neither.jpg"
    rows = np.arange(len(ids) * 2, dtype=np.float32).reshape(-1, 2)
    pl.DataFrame({"v": rows, "file": names}).write_parquet(tmp_path / "a.parquet")
    with pytest.warns(UserWarning, match=r"^2 of .* file_name of e_mm1_100m.image \(the first is 'none.jpg', row 3\)"):
        e = emm1.import_embeddings(
            tmp_path / "a.parquet", tmp_path / "b.npy", key="file", store=store_path, dataset="100m", modality="image"
        )
    kept = [i for i in range(len(ids)) if i not in {3, 8}]
    assert e.ids.tolist() == [ids[i] for i in kept]
    assert (np.load(tmp_path / "b.npy") == rows[kept]).all()


def test_youtube_ids_name_clips_where_they_name_one(tmp_path: Path, own_tree: Path) -> None:
    csv = own_tree / "e-mm1_100m/infos/audio.csv"
    clips = pl.read_csv(csv, infer_schema=False)
    keys = clips["youtube_id"].to_list()
    keys[7] = keys[5]
    clips.with_columns(pl.Series("youtube_id", keys)).write_csv(csv)
    ids = clips["encord_audio_id"].cast(pl.Int64).to_list()
    store = tmp_path / "emm1.duckdb"
    emm1.build(own_tree, store, splits=["100m"], ranks=[1]).close()
    options: dict[str, Any] = {"key": "clip", "store": store, "dataset": "100m", "modality": "audio"}

    def source(keys: list[str]) -> Path:
        rows = np.ones((len(keys), 2), np.float32)
        pl.DataFrame({"clip": keys, "v": rows}).write_ipc(tmp_path / "a.feather")
        return tmp_path / "a.feather"

    e = emm1.import_embeddings(source([keys[3], keys[0], keys[4]]), tmp_path / "b.npy", **options)
    assert e.ids.tolist() == [ids[3], ids[0], ids[4]]
    span = f"from {min(ids[5], ids[7])} to {max(ids[5], ids[7])}"
    with pytest.raises(
        emm1.EmbeddingError, match=rf"in row 1, youtube_id '{keys[5]}' belongs to 2 items, with ids {span}"
    ):
        emm1.import_embeddings(source([keys[0], keys[5]]), tmp_path / "c.npy", **options)
    with pytest.raises(emm1.EmbeddingError, match=rf"rows 0 and 2 have the same key in 'clip', for the id {ids[1]}:"):
        emm1.import_embeddings(source([keys[1], keys[2], keys[1]]), tmp_path / "c.npy", **options)
    with pytest.raises(emm1.EmbeddingError, match=r"no key in 'clip' is a file_name or youtube_id of .*'nothing'"):
        emm1.import_embeddings(source(["nothing"]), tmp_path / "c.npy", **options)
    with pytest.raises(emm1.EmbeddingError, match=r"e_mm1_100m.text has neither file_name nor youtube_id"):
        emm1.import_embeddings(source(["a"]), tmp_path / "c.npy", **{**options, "modality": "text"})
    with pytest.raises(emm1.EmbeddingError, match="unknown modality 'smell'"):
        emm1.import_embeddings(source(["a"]), tmp_path / "c.npy", **{**options, "modality": "smell"})
    with pytest.raises(emm1.EmbeddingError, match="name all four"):
        emm1.import_embeddings(source(["a"]), tmp_path / "c.npy", **{**options, "dataset": None})


def spoiled(change: Callable[[list[Any]], object]) -> pa.Table:
    rows: list[Any] = [[float(i), 1.0] for i in range(ROWS)]
    change(rows)
    return pa.table({"v": pa.array(rows, pa.list_(pa.float64())), "id": list(range(ROWS)), "f": [0.5] * ROWS})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows.__setitem__(BLOCK + 5, None), f"row {BLOCK + 5} of 'v' is null"),
        (lambda rows: rows.__setitem__(BLOCK + 5, [1.0, None]), f"row {BLOCK + 5} of 'v' has a component that is null"),
        (lambda rows: rows.__setitem__(BLOCK + 5, [1.0]), f"row {BLOCK + 5} of 'v' has 1 components"),
        (lambda rows: rows.__setitem__(BLOCK + 5, [1.0, np.nan]), f"row {BLOCK + 5} of 'v' holds NaN or an infinity"),
        (lambda rows: rows.__setitem__(7, [1e300, 0.0]), "row 7 of 'v' holds a component too large for float32"),
        (lambda rows: rows.__setitem__(slice(None), [[]] * ROWS), "no components"),
    ],
)
def test_wrong_rows_are_named_and_nothing_is_left(
    tmp_path: Path, change: Callable[[list[Any]], object], words: str
) -> None:
    pq.write_table(spoiled(change), tmp_path / "a.parquet")
    with pytest.raises(emm1.EmbeddingError, match=words):
        emm1.import_embeddings(tmp_path / "a.parquet", tmp_path / "b.npy", key="id")
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_wrong_requests_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, ids = vectors("float32")
    source = parquet(tmp_path, rows, ids, monkeypatch)

    def refused(words: str, path: Path = source, target: str = "b.npy", **options: Any) -> None:
        with pytest.raises(emm1.Error, match=words):
            emm1.import_embeddings(path, tmp_path / target, **options)

    refused("has no column 'x': it has caption, vector, id", key="x")
    refused("has no column 'x'", vector="x")
    refused("column 'id' holds uint32, expected vectors", vector="id")
    refused("column 'vector' holds .*, expected keys", key="vector")
    refused("must end with .npy", target="b.bin")
    refused("must end with .npy", target="b.ids.npy")
    refused("folder .* does not exist", target="none/b.npy")
    refused("does not exist", path=tmp_path / "none.parquet")
    (tmp_path / "empty").mkdir()
    refused("without Parquet or Arrow files", path=tmp_path / "empty")
    np.savez(tmp_path / "two.npz", a=rows, b=rows, flat=ids)
    refused(r"several columns of vectors: name one of them \(a, b\)", path=tmp_path / "two.npz")
    np.savez(tmp_path / "short.npz", a=rows[:-1], flat=ids)
    refused("4,796 keys for the 4,795 rows of 'a'", path=tmp_path / "short.npz", key="flat")
    np.savez(tmp_path / "objects.npz", a=np.array([[1.0, None]]), b=np.asfortranarray(rows))
    refused("'b' is stored in Fortran order", path=tmp_path / "objects.npz")
    np.savez(tmp_path / "objects.npz", a=np.array([[1.0, None]]))
    refused(r"holds no column of vectors: a \(object of shape \(1, 2\)\)", path=tmp_path / "objects.npz")
    twins = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    feather.write_feather(twins, tmp_path / "twins.arrow")
    refused("several columns of the same name: a, a", path=tmp_path / "twins.arrow")
    np.save(tmp_path / "c.npy", rows)
    refused("needs no import", path=tmp_path / "c.npy")
    refused("c.npy exists: remove it first", target="c.npy")
    np.save(tmp_path / "d.ids.npy", ids)
    refused("d.ids.npy exists: remove it first", target="d.npy")
    (tmp_path / "a.csv").write_text("a,b")
    refused("cannot be imported: .parquet, ", path=tmp_path / "a.csv")
    source.write_text("version https://git-lfs.github.com/spec/v1\n")
    refused("git lfs pull")
    assert not (tmp_path / "b.npy").exists()


def test_lance_without_its_package_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.lance").mkdir()
    monkeypatch.setitem(sys.modules, "lance", None)
    with pytest.raises(emm1.EmbeddingError, match=r"pip install 'emm1\[lance\]'"):
        emm1.import_embeddings(tmp_path / "a.lance", tmp_path / "b.npy")


@pytest.mark.parametrize("write", FILES)
def test_files_cut_short_are_refused(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, ids = vectors("float32")
    source = write(tmp_path, rows[:50], ids[:50], monkeypatch)
    whole = source.read_bytes()
    # The last bytes of an Arrow stream or file only mark its end.
    for length in (*range(0, len(whole) - 64, max(len(whole) // 40, 1)), len(whole) - 400):
        source.write_bytes(whole[:length])
        with pytest.raises(emm1.EmbeddingError, match=source.name):
            emm1.import_embeddings(source, tmp_path / "b.npy", key="id")
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def written_by(write: Write) -> tuple[str, bytes]:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        rows, ids = vectors("float32")
        path = write(Path(folder), rows[:6], ids[:6], patch)
        return path.name, path.read_bytes()


@pytest.mark.parametrize("write", FILES)
def test_mutated_files_give_vectors_or_an_error(write: Write) -> None:
    name, whole = written_by(write)

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), min_size=1, max_size=4))
    def mutate(changes: list[tuple[int, int]]) -> None:
        changed = bytearray(whole)
        for at, byte in changes:
            changed[at] = byte
        with TemporaryDirectory() as folder:
            source = Path(folder) / name
            source.write_bytes(changed)
            try:
                assert emm1.import_embeddings(source, Path(folder) / "b.npy", key="id").dim
            except emm1.EmbeddingError as error:
                assert name in str(error)  # noqa: PT017 - most changes are refused, some are harmless

    mutate()


def test_the_command_says_what_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, ids = vectors("float64")
    source = parquet(tmp_path, rows, ids, monkeypatch)
    done = CliRunner().invoke(
        app, ["embeddings", "import", str(source), str(tmp_path / "b.npy"), "--key", "id", "--vector", "vector"]
    )
    assert done.exit_code == 0, done.output
    assert "b.npy: 4,796 × 5 float32, ids in b.ids.npy" in done.stdout.replace("\n", "")
    assert "float64 was rounded to float32" in done.stderr

"""Everything essential once, in the installed emm1, with any versions of its dependencies."""

import json
import lzma
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import published
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from making import EMBEDDINGS
from polars.testing import assert_frame_equal
from store_content import rows_of
from system import emm1_cli

import emm1
import emm1.torch
from emm1.store.database import SCHEMA_VERSION

TESTS = Path(__file__).parents[1]
MODALITIES = ["image", "audio", "video", "points"]


def run(*arguments: object) -> str:
    done = emm1_cli(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def nearest(tree: Path, name: str, query: np.ndarray[Any, Any], k: int) -> list[int]:
    """The nearest items by NumPy alone."""
    vectors = np.load(tree / "embeddings" / f"{name}.npy").astype(np.float64)
    ids = np.load(tree / "embeddings" / f"{name}.ids.npy")
    scores = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    return [int(i) for i in ids[np.argsort(-scores, kind="stable")[:k]]]


def vector(tree: Path, name: str, item: int) -> np.ndarray[Any, Any]:
    ids = np.load(tree / "embeddings" / f"{name}.ids.npy")
    found: np.ndarray[Any, Any] = np.load(tree / "embeddings" / f"{name}.npy")[ids.tolist().index(item)]
    return found.astype(np.float64)


def assert_same(ours: pl.DataFrame, theirs: pl.DataFrame) -> None:
    """Compare frames as multisets; the script has 64-bit integers, and text instead of ENUMs."""
    texts = [name for name, kind in ours.schema.items() if kind in (pl.Categorical, pl.Enum)]
    ours = ours.with_columns(pl.col(texts).cast(pl.String)).select(theirs.columns)
    assert_frame_equal(ours.sort(pl.all()), theirs.sort(pl.all()), check_dtypes=False)


# Stores.


def test_a_build_gives_the_same_rows_with_every_duckdb(folder: Path, tmp_path: Path) -> None:
    run("build", folder / "sample", tmp_path / "new.duckdb")
    assert rows_of(tmp_path / "new.duckdb") == rows_of(folder / "emm1.duckdb")


def test_an_update_reads_what_changed(own: Path) -> None:
    store, captions = own / "emm1.duckdb", own / "sample/e-mm1_1m/infos/text.csv"
    assert "read: none" in run("build", own / "sample", store)  # only the folder of the media has changed
    assert "is up to date" in run("build", own / "sample", store)
    with captions.open("a", encoding="utf-8") as file:
        file.write("9999999,ANOTHER,MIT,the last caption\n")
    assert re.search(r"kept: \d+ files; read: \S*e-mm1_1m/infos/text.csv", run("build", own / "sample", store))
    updated = rows_of(store)
    last = updated["e_mm1_1m.text"][-1]
    assert last == (9_999_999, "ANOTHER", "MIT", "the last caption")
    run("build", own / "sample", store, "--force")
    assert rows_of(store) == updated
    assert nearest_by_name(store, "text", 7) == nearest(own / "sample", "text", vector(own / "sample", "text", 7), 3)


def nearest_by_name(store: Path, name: str, item: int) -> list[int]:
    with emm1.open(store, read_only=True) as opened:
        found = opened.sql(f"SELECT id FROM nearest('{name}', embedding('{name}', {item}), k := 3) ORDER BY rank")
        return [i for (i,) in found.fetchall()]


def test_an_upgrade_keeps_rows_and_embeddings(own: Path) -> None:
    store = own / "emm1.duckdb"
    expected = rows_of(store)
    with duckdb.connect(str(store)) as connection:
        connection.execute(f"UPDATE emm1_store SET schema_version = {SCHEMA_VERSION - 1}")
    with pytest.raises(emm1.StoreError, match="emm1 upgrade"):
        emm1.open(store)
    run("upgrade", store)
    assert rows_of(store) == expected
    assert nearest_by_name(store, "image", 3) == nearest(own / "sample", "image", vector(own / "sample", "image", 3), 3)


@pytest.mark.parametrize("schema", range(1, SCHEMA_VERSION))
def test_stores_of_every_older_schema_version(schema: int, tmp_path: Path) -> None:
    """Stores as built by the emm1 of their time; see tests/data/make.sh."""
    store, tree = tmp_path / "emm1.duckdb", tmp_path / "sample"
    store.write_bytes(lzma.decompress((TESTS / "data" / f"schema-{schema}" / "emm1.duckdb.xz").read_bytes()))
    with tarfile.open(TESTS / "data" / "tree.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    done = emm1_cli("info", store)
    assert (done.returncode, "older emm1" in done.stderr, f"emm1 upgrade {store}" in done.stderr) == (1, True, True)
    run("upgrade", store)
    run("build", tree, tmp_path / "new.duckdb")
    assert rows_of(store) == rows_of(tmp_path / "new.duckdb")
    for name in ("text", "image"):
        query = vector(tree, name, int(np.load(tree / "embeddings" / f"{name}.ids.npy")[0]))
        with emm1.open(store, read_only=True) as opened:
            found = opened.nearest(name, query.astype(np.float32), k=3, metric="cosine").select("id").fetchall()
        assert [i for (i,) in found] == nearest(tree, name, query, 3)


def test_info_and_check(store_path: Path) -> None:
    printed = run("info", store_path)
    assert "eshot_points" in printed
    assert "e_mm1_100m.groups" in printed
    assert f"duckdb {duckdb.__version__}" in printed
    assert "source files are the published ones" in run("check", store_path)


# The published examples.


def test_first_example(tree: Path, store_path: Path) -> None:
    theirs = published.groups(tree, "/data", 2, MODALITIES)
    with emm1.open(store_path, read_only=True, root="/data") as store:
        assert_same(store.groups(2).pl(), theirs)
        assert_same(store.groups_frame(2), theirs)
        assert_same(store.groups(2, captions=[3, 1]).pl(), theirs.filter(pl.col("encord_text_id").is_in([1, 3])))


def test_second_example(tree: Path, store_path: Path) -> None:
    with emm1.open(store_path, read_only=True, root="/data") as store:
        found = store.triplets(["points", "audio", "image"]).pl()
        frame = store.triplets_frame(["points", "audio", "image"])
    assert len(found)
    theirs = published.triplets(tree, "/data", ["points", "audio", "image"])
    assert_same(found, theirs)
    assert_same(frame, theirs)


def test_third_example(tree: Path, store_path: Path, tmp_path: Path) -> None:
    script = subprocess.run(
        [sys.executable, TESTS / "oracle" / "eshot_script.py", tree], capture_output=True, check=True
    ).stdout.decode()
    output = tmp_path / "report"
    printed = run("eshot", store_path, "--audio", "eshot_audio", "--points", "eshot_points", "--output", output)
    assert [line.strip() for line in script.strip().splitlines()][-1] in printed
    assert {path.suffix for path in output.iterdir()} >= {".html", ".csv", ".json"}
    assert "<svg" in (output / "report.html").read_text(encoding="utf-8")
    with emm1.open(store_path, read_only=True) as store:
        overall = store.eshot("eshot_audio", "eshot_points").overall.select("direction", "samples", "top1_correct")
        found = store.sql("""
            SELECT direction, count(*), count(*) FILTER (predicted[1] = category)
            FROM eshot_zero_shot('eshot_audio', 'eshot_points') GROUP BY ALL ORDER BY ALL
        """).fetchall()
    assert found == sorted(overall.rows())


# Evaluation: each command runs with these versions, and gives what it must.


@pytest.fixture
def with_model(own: Path) -> Path:
    for modality in ("text", "audio", "image"):
        file = own / f"sample/embeddings/1m/{modality}.npy"
        run(
            "embeddings",
            "add",
            own / "emm1.duckdb",
            f"{modality}_1m",
            file,
            "--dataset",
            "1m",
            "--modality",
            modality,
            "--model",
            "m",
        )
    return own


def test_models(with_model: Path) -> None:
    store = with_model / "emm1.duckdb"
    run("evaluate", store, "--model", "m", "--resamples", "20", "--output", with_model / "models")
    rows = pl.read_parquet(with_model / "models/evaluation.parquet")
    assert set(rows["evaluation"]) == {"retrieval", "ratings", "caption ratings"}
    own = json.loads(
        run("retrieval", store, "text_1m", "audio_1m", "--resamples", "0", "--by", "source_dataset", "--format", "json")
    )
    assert {row["metric"] for row in own} >= {"hit@10", "MRR", "median_rank"}
    found = rows.filter(evaluation="retrieval", query="text", base="audio", metric="hit@10")
    assert found["value"].item() > 0.5
    ratings = json.loads(
        run("ratings", store, "--embeddings", "image=image_1m,audio=audio_1m", "--resamples", "20", "--format", "json")
    )
    assert [row["somers_d"] > 0.5 for row in ratings] == [True, True]
    with emm1.open(store, read_only=True) as opened:
        first, second = (opened.retrieval("text_1m", base, resamples=20) for base in ("audio_1m", "audio_1m"))
        assert first.compare(second).to_frame()["difference"].drop_nulls().unique().to_list() == [0]


def test_zero_shot(with_model: Path) -> None:
    store = with_model / "emm1.duckdb"
    labels = [
        f"SELECT eshot_id AS id, category AS label FROM eshot.categories WHERE modality = '{modality}'"
        for modality in ("audio", "points")
    ]
    arguments = ("eshot_audio", "eshot_points", "--labels", labels[0], "--class-labels", labels[1])
    run("zero-shot", store, *arguments, "--output", with_model / "zero-shot")
    with emm1.open(store, read_only=True) as opened:
        expected = opened.eshot("eshot_audio", "eshot_points").overall["top1_correct"][0]
        report = opened.zero_shot("eshot_audio", "eshot_points", labels[0], class_labels=labels[1])
    assert report.overall["top1_correct"].item() == expected


def test_groups_and_splits(with_model: Path) -> None:
    store, sample = with_model / "emm1.duckdb", with_model / "sample/embeddings"
    files = f"text={sample / 'text.npy'},image={sample / 'image.npy'}"
    verified = json.loads(run("groups", "verify", store, "--embeddings", files, "--captions", "50", "--format", "json"))
    assert {row["exact"] for row in verified} == {50}
    run("groups", "score", store, "--embeddings", files, "--nn-index", "1", "--output", with_model / "scores.parquet")
    assert pl.read_parquet(with_model / "scores.parquet").columns == ["encord_text_id", "nn_index", "text_image"]
    run("groups", "make", store, with_model / "groups", "--embeddings", files, "--k", "2")
    run("build", with_model / "sample", with_model / "other.duckdb", "--groups", with_model / "groups")
    run("split", store, "--test", "5", "--validation", "5")
    with emm1.open(store, read_only=True) as opened:
        assert set(opened.sql("SELECT split FROM splits").pl()["split"]) == {"train", "validation", "test", "purged"}


# Embeddings and search.


def test_what_is_curated_is_exported_and_trained_with(own: Path, tmp_path: Path) -> None:
    path = own / "emm1.duckdb"
    run("licenses", path)
    run("leakage", path)
    run("media", "check", path, "--root", tmp_path, "--split", "eshot", "--failed", tmp_path / "failed")
    assert "noncommercial" in run("flags", "list", path)
    run("export", path, "groups", "--to", "parquet", "--output", tmp_path / "kept", "--exclude", "noncommercial")
    run("export", path, "e_mm1_1m.triplets", "--to", "hub", "--output", tmp_path / "hub")
    with emm1.open(path, read_only=True) as store:
        every = rows_in(store.sql("FROM e_mm1_1m.triplets"))
        assert rows_in(store.sql(f"FROM '{tmp_path}/hub/data/*.parquet'")) == every
        kept = rows_in(store.sql(f"FROM '{tmp_path}/kept/data/*.parquet'"))
        assert 0 < kept < rows_in(store.sql("FROM e_mm1_100m.groups"))
    assert len(emm1.torch.GroupDataset(path, exclude=["noncommercial"])) == kept


def rows_in(relation: duckdb.DuckDBPyRelation) -> int:
    ((count,),) = relation.count("*").fetchall()
    return int(count)


def test_embeddings(own: Path) -> None:
    store = own / "emm1.duckdb"
    assert all(name in run("embeddings", "list", store) for name in EMBEDDINGS)
    assert run("embeddings", "verify", store).count("every vector finite") == len(EMBEDDINGS)
    run("embeddings", "remove", store, "image")
    file = own / "sample/embeddings/image.npy"
    run("embeddings", "add", store, "again", file, "--dataset", "100m", "--modality", "image", "--metric", "l2")
    assert "again" in run("embeddings", "list", store)


def test_search(tree: Path, store_path: Path) -> None:
    expected = nearest(tree, "image", vector(tree, "image", 7), 5)
    printed = run("search", store_path, "image", "--id", 7, "-k", 5)
    assert [int(line.split()[1]) for line in printed.splitlines() if re.match(r"\s*\d", line)] == expected
    with emm1.open(store_path, read_only=True) as store:
        query = store.embeddings("image").vectors([7])[0]
        assert [i for (i,) in store.nearest("image", query, k=5).select("id").fetchall()] == expected
        few = store.nearest("image", query, k=5, where="encord_image_id < 20").select("id").fetchall()
        everything = nearest(tree, "image", vector(tree, "image", 7), 10**6)
        assert [i for (i,) in few] == [i for i in everything if i < 20][:5]


def test_nearest_in_lateral_and_knn(tree: Path, store_path: Path, tmp_path: Path) -> None:
    ids = np.load(tree / "embeddings/text.ids.npy")[:20].tolist()
    expected = [(i, n) for i in ids for n in nearest(tree, "image", vector(tree, "text", i), 2)]
    with emm1.open(store_path, read_only=True) as store:
        found = store.sql(f"""
            SELECT t.encord_text_id, n.id
            FROM e_mm1_100m.text t, LATERAL (FROM nearest('image', embedding('text', t.encord_text_id), k := 2)) n
            WHERE t.encord_text_id IN ({", ".join(map(str, ids))}) ORDER BY t.encord_text_id, n.rank
        """).fetchall()
        assert sorted(found) == sorted(expected)
        whole = store.sql("SELECT query_id, id FROM knn('text', 'image', k := 2)").fetchall()
        some = np.load(tree / "embeddings/image.ids.npy")[:2].tolist()
        among = store.sql(f"SELECT id FROM nearest_among('image', embedding('text', {ids[0]}), {some * 2}, k := 9)")
        assert sorted(among.fetchall()) == [(i,) for i in some]
    run("knn", store_path, "text", "image", "-k", 2, "--output", tmp_path / "knn.parquet")
    table = pl.read_parquet(tmp_path / "knn.parquet")
    assert sorted(table.select("query_id", "id").rows()) == sorted(whole)
    assert {*expected} <= {*whole}
    ids_only, _ = emm1.Embeddings(tree / "embeddings/image.npy").search(vector(tree, "text", ids[0]), k=2)
    assert ids_only.tolist() == [n for i, n in expected if i == ids[0]]


def test_sql_in_every_format(store_path: Path, tmp_path: Path) -> None:
    query = "SELECT modality, count(*) AS items FROM assets WHERE dataset = 'eshot' GROUP BY ALL ORDER BY ALL"
    rows = [tuple(row) for row in json.loads(run("sql", store_path, query, "--format", "json"), object_hook=values)]
    assert [name for name, _ in rows] == ["audio", "points"]
    lines = run("sql", store_path, query, "--format", "jsonl").splitlines()
    assert [tuple(json.loads(line, object_hook=values)) for line in lines] == rows
    text = run("sql", store_path, query, "--format", "csv")
    assert text.splitlines() == ["modality,items", *(f"{name},{items}" for name, items in rows)]
    assert all(str(items) in run("sql", store_path, query) for _, items in rows)
    run("sql", store_path, query, "--format", "parquet", "--output", tmp_path / "rows.parquet")
    assert pl.read_parquet(tmp_path / "rows.parquet").with_columns(pl.col("modality").cast(pl.String)).rows() == rows
    run("sql", store_path, query, "--output", tmp_path / "rows.arrow")
    assert pl.read_ipc(tmp_path / "rows.arrow").with_columns(pl.col("modality").cast(pl.String)).rows() == rows
    pivot = "PIVOT eshot_categories ON modality USING count(*) GROUP BY class_index"
    assert run("sql", store_path, pivot, "--format", "csv").startswith("class_index,audio,points\n")
    done = emm1_cli("sql", store_path, "DELETE FROM provenance")
    assert (done.returncode, "add --write" in done.stderr) == (1, True)


def test_every_command_in_every_format(store_path: Path, tree: Path) -> None:
    eshot = [f"--{name}={tree}/embeddings/eshot_{name}.npy" for name in ("audio", "points")]
    for command in (
        ["info", store_path],
        ["check", store_path],
        ["embeddings", "list", store_path],
        ["search", store_path, "image", "--id", 7],
        ["eshot", store_path, *eshot],
    ):
        rows = json.loads(run(*command, "--format", "json"))
        assert rows
        lines = run(*command, "--format", "jsonl").splitlines()
        assert [json.loads(line).keys() for line in lines] == [row.keys() for row in rows]
        assert run(*command, "--format", "csv").splitlines()[0] == ",".join(rows[0])
    done = emm1_cli("sql", store_path, "FROM assets WHERE source_dataset = 'coco'")
    assert done.stderr == "emm1: no rows: 'coco' is not a source_dataset, but 'COCO' is\n"


def values(found: dict[str, Any]) -> list[Any]:
    return [*found.values()]


# Other files, other connections.


@pytest.mark.parametrize("form", ["parquet", "feather"])
@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_import(form: str, kind: str, tmp_path: Path) -> None:
    rows = np.random.default_rng(3).normal(size=(50, 6)).astype(kind)
    ids = np.arange(50) * 3
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 6)
    table = pa.table({"id": ids, "vector": vectors})
    source = tmp_path / f"a.{form}"
    if form == "parquet":
        pq.write_table(table, source)
    else:
        pyarrow.feather.write_feather(table, source, compression="uncompressed")
    run("embeddings", "import", source, tmp_path / "a.npy", "--key", "id")
    taken = np.load(tmp_path / "a.npy")
    assert (taken.dtype, taken.tolist()) == (rows.dtype, rows.tolist())
    assert np.load(tmp_path / "a.ids.npy").tolist() == ids.tolist()


def test_functions_in_python_where_the_extension_may_not_be_loaded(tree: Path) -> None:
    file = str(tree / "embeddings/image.npy")
    query = vector(tree, "image", 7)
    ask = "SELECT list_transform(emm1_topk(?, ?::FLOAT[], 5, 'cosine'), lambda hit: hit.id)"
    with duckdb.connect() as plain, duckdb.connect(config={"allow_unsigned_extensions": True}) as unsigned:
        with pytest.warns(UserWarning, match="functions run in Python"):
            emm1.load_extension(plain)
        emm1.load_extension(unsigned)
        for connection in (plain, unsigned):
            (found,) = connection.execute(ask, [file, query.tolist()]).fetchall()[0]
            assert found == nearest(tree, "image", query, 5)


def test_a_prepared_query_reads_the_files_as_they_are(tmp_path: Path) -> None:
    """Older versions of DuckDB bind a table function only once, when it is prepared."""
    file, new = tmp_path / "x.npy", tmp_path / "new.npy"
    np.save(file, np.eye(5, dtype=np.float32))
    np.save(new, np.eye(7, dtype=np.float32))
    with duckdb.connect(config={"allow_unsigned_extensions": True}) as connection:
        emm1.load_extension(connection)
        connection.execute(f"PREPARE scan AS SELECT count(*), max(len(vector)) FROM emm1_scan('{file}')")
        connection.execute(f"PREPARE knn AS SELECT count(*), max(id) FROM emm1_knn('{file}', '{file}', k := 6)")
        for rows in (5, 7):
            assert connection.execute("EXECUTE scan").fetchall() == [(rows, rows)]
            assert connection.execute("EXECUTE knn").fetchall() == [(rows * min(6, rows), rows - 1)]
            if new.exists():
                new.replace(file)


def test_the_commands_are_installed(tmp_path: Path) -> None:
    command = shutil.which("emm1", path=str(Path(sys.executable).parent))
    assert command
    subprocess.run([command, "sample", tmp_path / "sample", "--scale", "0.0001"], check=True, capture_output=True)
    assert (tmp_path / "sample/embeddings/text.npy").exists()
    for page in (["--help"], ["build", "--help"], ["embeddings", "add", "--help"]):
        assert "Usage" in run(*page)
    loading = subprocess.run([command, "extension"], check=True, capture_output=True, text=True).stdout
    assert "LOAD '" in loading

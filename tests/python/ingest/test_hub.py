"""The Parquet edition of the Hub gives the same store as the CSV files, as far as it goes; what is wrong with it is named."""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import published
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from store_content import content, rows_of
from trees import copied

import emm1
from emm1.cli.store import info
from emm1.dataset import FILE_MODALITIES
from emm1.ingest.run import build_store
from emm1.store.integrity import orphans

ONE = "E-MM1-1M/data"
HUNDRED = "E-MM1-100M/data"
TABLES = [f"e_mm1_{split}.{modality}" for split in ("100m", "1m") for modality in (*FILE_MODALITIES, "text")]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample of the fixture `tree` as the Hub has it."""
    root = tmp_path_factory.mktemp("hub") / "sample"
    emm1.write_sample(root, scale=0.0002, embeddings=16, seed=4, edition="hub")
    return root


@pytest.fixture(scope="module")
def hub_store(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hub_store") / "emm1.duckdb"
    emm1.build(hub, path).close()
    return path


@pytest.fixture
def own(hub: Path, tmp_path: Path) -> Path:
    """A copy of the files, of three ranks and without EShot, that a test may change."""
    return smaller(copied(hub, tmp_path / "own"))


def smaller(root: Path) -> Path:
    for rank in range(4, 17):
        (root / HUNDRED / f"nn_{rank:02}.parquet").unlink()
    shutil.rmtree(root / "eshot")
    return root


@pytest.fixture(scope="module")
def small_store(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a copy that nothing changed."""
    folder = tmp_path_factory.mktemp("small")
    emm1.build(smaller(copied(hub, folder / "own")), folder / "emm1.duckdb").close()
    return folder / "emm1.duckdb"


def edit(path: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Path:
    change(pl.read_parquet(path)).write_parquet(path)
    return path


def with_value(path: Path, column: str, row: int, value: Any) -> Path:
    """Change one value; rows are counted from 1, as in messages."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        values = [*frame[column].to_list()]
        values[row - 1] = value
        return frame.with_columns(pl.Series(column, values, strict=False))

    return edit(path, change)


def same_rows(frames: tuple[pl.DataFrame, pl.DataFrame]) -> bool:
    ours, theirs = frames
    return Counter(ours.select(theirs.columns).rows()) == Counter(theirs.rows())


@pytest.mark.parametrize("modalities", [["points", "audio"], ["image", "audio", "points"], ["video", "audio"]])
def test_the_second_example(modalities: list[str], tree: Path, hub_store: Path, store_path: Path) -> None:
    with emm1.open(hub_store, read_only=True, root="/data") as ours, emm1.open(store_path, root="/data") as theirs:
        assert same_rows((ours.triplets(modalities).pl(), theirs.triplets(modalities).pl()))
        if modalities != ["video", "audio"]:  # a pair without rows, at which the script fails
            assert same_rows((ours.triplets(modalities).pl(), published.triplets(tree, "/data", modalities)))


@pytest.mark.parametrize("rank", [1, 16])
def test_the_first_example(rank: int, tree: Path, hub_store: Path) -> None:
    with emm1.open(hub_store, read_only=True, root="/data") as store:
        ours = store.groups(rank, list(FILE_MODALITIES)).pl()
    assert same_rows((ours, published.groups(tree, "/data", rank, list(FILE_MODALITIES))))


def test_the_tables_are_those_of_the_csv_files(hub_store: Path, store_path: Path) -> None:
    """Of the items that groups and triplets name; the Hub has a file_id for every file, and no sources of E-MM1:1M's captions."""
    ours, theirs = rows_of(hub_store), rows_of(store_path)
    more = {("e_mm1_1m", "audio", "file_id", "VARCHAR")}
    assert {*ours["types"]} - more == {*theirs["types"]}
    for table in ("e_mm1_100m.groups", "e_mm1_1m.annotation_mapping", "eshot.categories", "eshot.audio"):
        assert ours[table] == theirs[table]
    assert Counter(ours["e_mm1_1m.triplets"]) == Counter(theirs["e_mm1_1m.triplets"])
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{hub_store}' AS ours (READ_ONLY); ATTACH '{store_path}' AS theirs (READ_ONLY)")
        for table in TABLES:
            lacking = {"e_mm1_1m.text": "source_dataset, dataset_license", "e_mm1_1m.video": "file_id"}.get(table)
            columns = f"* EXCLUDE ({lacking})" if lacking else "*"
            if table == "e_mm1_1m.audio":
                columns = "* EXCLUDE (file_id)"
            key = f"encord_{table.partition('.')[2]}_id"
            query = f"SELECT {columns} FROM ours.{table}"
            rows = connection.execute(f"{query} ORDER BY {key}").fetchall()
            # In the order of the ids, each once.
            assert connection.execute(query).fetchall() == rows
            columns = columns if table != "e_mm1_1m.audio" else "*"
            found = f"SELECT {columns} FROM theirs.{table} SEMI JOIN ours.{table} USING ({key}) ORDER BY {key}"
            assert rows == connection.execute(found).fetchall()
    with emm1.open(hub_store, read_only=True) as store:
        assert not any(result.missing for result in orphans(store.connection))


def test_provenance_says_what_the_edition_lacks(hub: Path, hub_store: Path) -> None:
    with emm1.open(hub_store, read_only=True) as store:
        rows = store.sql(
            "SELECT source, path, rows, published, note FROM provenance WHERE source LIKE 'E-MM1%'"
        ).fetchall()
    files = sorted(hub.rglob("*.parquet"))
    assert sorted(path for _, path, *_ in rows) == sorted(map(str, files))
    assert {source for source, *_ in rows} == {str(file.relative_to(hub)) for file in files}
    for source, path, count, state, note in rows:
        assert (count, state) == (pl.read_parquet(path).height, "unknown")
        assert ("no sources of captions" in note) == source.startswith("E-MM1-1M")
        assert "Parquet edition" in note


def test_info_says_it_once(hub_store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info(hub_store)
    assert capsys.readouterr().out.count("no sources of captions") == 1


def in_cache(hub: Path, cache: Path, name: str) -> Path:
    """A dataset as the Hub's cache has it: a snapshot of links to blobs; returns its folder."""
    folder = cache / f"datasets--encord-team--{name}"
    for path in (hub / name / "data").iterdir():
        blob = folder / "blobs" / f"{name}-{path.stem}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, blob)
        link = folder / "snapshots" / "0a1b" / "data" / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0a1b")
    (folder / "snapshots" / "9999").mkdir()
    return folder


@pytest.mark.parametrize(
    "layout", ["data", "parent", "beside", "snapshot", "cached dataset", "cache", "home of the cache"]
)
def test_where_the_files_may_be(layout: str, hub: Path, hub_store: Path, tmp_path: Path) -> None:
    if layout in ("data", "parent", "beside"):
        shutil.copytree(hub / "E-MM1-1M", tmp_path / "E-MM1-1M")
        if layout == "beside":
            shutil.move(tmp_path / ONE, tmp_path / "flat")
        root = {"data": tmp_path / ONE, "parent": tmp_path, "beside": tmp_path / "flat"}[layout]
    else:
        dataset = in_cache(hub, tmp_path / "home" / "hub", "E-MM1-1M")
        root = {
            "snapshot": dataset / "snapshots" / "0a1b",
            "cached dataset": dataset,
            "cache": tmp_path / "home" / "hub",
            "home of the cache": tmp_path / "home",
        }[layout]
    store = tmp_path / "emm1.duckdb"
    report = build_store(root, store)
    assert sorted(report.read) == sorted(str(path.relative_to(hub)) for path in hub.glob(f"{ONE}/*"))
    found, whole = rows_of(store), rows_of(hub_store)
    assert all(found[table] == whole[table] for table in found if table.startswith("e_mm1_1m"))


def test_a_single_file_of_any_name(hub: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "part-0 [1]*.parquet"
    shutil.copy(hub / HUNDRED / "nn_03.parquet", file)
    with emm1.build(file, tmp_path / "emm1.duckdb") as store:
        assert store.sql("SELECT DISTINCT nn_index FROM e_mm1_100m.groups").fetchall() == [(3,)]
        assert store.sql("SELECT media_root()").fetchall() == [(str(file.parent),)]


def test_ranks_and_splits(hub: Path, hub_store: Path, tmp_path: Path) -> None:
    store = tmp_path / "emm1.duckdb"
    report = build_store(hub, store, ranks=[2, 3], splits=["100m"])
    assert report.read == [f"{HUNDRED}/nn_02.parquet", f"{HUNDRED}/nn_03.parquet"]
    assert report.missing == []
    groups = [row for row in rows_of(hub_store)["e_mm1_100m.groups"] if row[-1] in (2, 3)]
    assert rows_of(store)["e_mm1_100m.groups"] == groups
    (hub / HUNDRED / "nn_02.parquet").rename(hub / "away")
    try:
        with pytest.raises(emm1.FileNotFoundError, match="the ranks 2 were asked for"):
            build_store(hub, store, ranks=[1, 2])
    finally:
        (hub / "away").rename(hub / HUNDRED / "nn_02.parquet")


def test_groups_of_several_ranks_in_one_file(hub: Path, hub_store: Path, tmp_path: Path) -> None:
    pl.concat(map(pl.read_parquet, sorted((hub / HUNDRED).iterdir()))).write_parquet(tmp_path / "all.parquet")
    build_store(tmp_path, tmp_path / "emm1.duckdb", ranks=[4, 9])
    groups = [row for row in rows_of(hub_store)["e_mm1_100m.groups"] if row[-1] in (4, 9)]
    assert rows_of(tmp_path / "emm1.duckdb")["e_mm1_100m.groups"] == groups


def test_groups_of_ones_own(hub: Path, tree: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups"
    shutil.copytree(tree / "e-mm1_100m/nn_5", groups / "nn_5")
    report = build_store(hub, tmp_path / "emm1.duckdb", groups=groups)
    assert report.rows["e_mm1_100m.groups"] == pl.read_csv(groups / "nn_5/data_groups.csv").height
    assert report.rows["e_mm1_100m.image"] > 0


# What people may do to the files without changing what they hold.
REWRITES: dict[str, Callable[[pa.Table], pa.Table]] = {
    "dictionaries": lambda t: pa.table({c: a.dictionary_encode() if text(a) else a for c, a in columns(t)}),
    "large strings": lambda t: pa.table({c: a.cast(pa.large_string()) if text(a) else a for c, a in columns(t)}),
    "small integers": lambda t: pa.table(
        {c: a.cast(pa.int32()) if pa.types.is_integer(a.type) else a for c, a in columns(t)}
    ),
    "floats, as pandas makes of integers": lambda t: pa.table(
        {c: a.cast(pa.float64()) if pa.types.is_integer(a.type) else a for c, a in columns(t)}
    ),
    "another order of columns": lambda t: t.select(t.column_names[::-1]),
}


def columns(table: pa.Table) -> list[tuple[str, pa.ChunkedArray]]:
    return list(zip(table.column_names, table.columns, strict=True))


def text(array: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_string(array.type) or pa.types.is_large_string(array.type))


@pytest.mark.parametrize("case", REWRITES)
def test_other_types_of_the_same_values(case: str, own: Path, small_store: Path, tmp_path: Path) -> None:
    for path in own.rglob("*.parquet"):
        pq.write_table(REWRITES[case](pq.read_table(path)), path, row_group_size=100)
    build_store(own, tmp_path / "emm1.duckdb")
    assert rows_of(tmp_path / "emm1.duckdb") == rows_of(small_store)


def without_item(frame: pl.DataFrame, modality: str, lost: int) -> pl.DataFrame:
    """Rows of an item keep its id and lose the rest."""
    for side in ("paired", "annotated"):
        gone = (pl.col(f"{side}_modality") == modality) & (pl.col(f"encord_{side}_id") == lost)
        said = [name for name in frame.columns if name.startswith(f"{side}_") and name != f"{side}_modality"]
        frame = frame.with_columns(pl.when(~gone).then(pl.col(name)).alias(name) for name in said)
    return frame


def test_nulls_and_rows_that_say_nothing(own: Path, tmp_path: Path) -> None:
    """An id with nothing else is an id without an item, as in a join; NULL in a column that may be is NULL."""
    lost = pl.read_parquet(own / ONE / "image_to_points.parquet")["encord_annotated_id"][0]
    for path in (own / ONE).iterdir():
        edit(path, lambda f: without_item(f, "points", lost))
    with_value(own / HUNDRED / "nn_01.parquet", "encord_points_id", 1, None)
    store = tmp_path / "emm1.duckdb"
    report = build_store(own, store)
    assert {str(o.reference): o.missing for o in report.orphans if o.missing}.keys() == {
        "e_mm1_1m.triplets.encord_annotated_id (points)"
    }
    with emm1.open(store) as opened:
        assert opened.sql(f"SELECT * FROM e_mm1_1m.points WHERE encord_points_id = {lost}").fetchall() == []
        assert opened.sql("SELECT count(*) FROM e_mm1_100m.groups WHERE encord_points_id IS NULL").fetchall() == [(1,)]


def test_a_file_of_no_rows(own: Path, tmp_path: Path) -> None:
    edit(own / ONE / "video_to_points.parquet", lambda f: f.clear())
    edit(own / HUNDRED / "nn_03.parquet", lambda f: f.clear())
    report = build_store(own, tmp_path / "emm1.duckdb")
    assert report.rows["e_mm1_1m.video"] == 0
    assert report.rows["e_mm1_100m.groups"] == 2 * pl.read_parquet(own / HUNDRED / "nn_01.parquet").height


def test_without_columns_of_points(own: Path, tmp_path: Path) -> None:
    """Whether E-MM1:100M has them on the Hub is not known."""
    for path in (own / HUNDRED).iterdir():
        edit(path, lambda f: f.select(n for n in f.columns if "points" not in n))
    report = build_store(own, tmp_path / "emm1.duckdb", splits=["100m"])
    assert (report.rows["e_mm1_100m.points"], report.rows["e_mm1_100m.image"] > 0) == (0, True)
    assert "no columns of points" in "".join(report.notes)
    with emm1.open(tmp_path / "emm1.duckdb") as store:
        assert store.sql("SELECT DISTINCT encord_points_id FROM e_mm1_100m.groups").fetchall() == [(None,)]


def test_unknown_columns_are_kept(own: Path, tmp_path: Path) -> None:
    for path in (own / ONE).iterdir():
        edit(path, lambda f: f.with_columns(paired_hue=pl.lit(7), batch=pl.lit("x")))
    for path in (own / HUNDRED).iterdir():
        edit(path, lambda f: f.with_columns(hue_image=pl.lit("red"), batch=pl.lit("y")))
    with emm1.build(own, tmp_path / "emm1.duckdb") as store:
        assert store.sql("SELECT DISTINCT hue FROM e_mm1_1m.audio WHERE hue IS NOT NULL").fetchall() == [("7",)]
        assert store.sql("SELECT DISTINCT hue FROM e_mm1_100m.image").fetchall() == [("red",)]
        assert store.sql("SELECT DISTINCT batch FROM e_mm1_1m.triplets").fetchall() == [("x",)]
        assert store.sql("SELECT DISTINCT batch FROM e_mm1_100m.groups").fetchall() == [("y",)]
    before = content(tmp_path / "emm1.duckdb")
    assert build_store(own, tmp_path / "emm1.duckdb", media_root=own / ONE).read == []
    build_store(own, tmp_path / "fresh.duckdb", media_root=own / ONE)
    after = content(tmp_path / "emm1.duckdb")
    assert after == content(tmp_path / "fresh.duckdb")
    assert after["e_mm1_1m.triplets"] == before["e_mm1_1m.triplets"]


def test_differences_are_counted_and_the_first_counts(own: Path, tmp_path: Path) -> None:
    path = own / ONE / "audio_to_image.parquet"
    first = pl.read_parquet(path)
    row = first.group_by("encord_text_id").len().filter(pl.col("len") > 1)["encord_text_id"][0]
    at = [i + 1 for i, value in enumerate(first["encord_text_id"]) if value == row]
    with_value(path, "caption", at[1], "another caption")
    other = own / HUNDRED / "nn_02.parquet"
    edit(other, lambda f: f.with_columns(source_dataset_image=pl.lit(None, pl.String)))
    build = build_store(own, tmp_path / "emm1.duckdb")
    said = "\n".join(build.notes)
    caption = first["caption"][at[0] - 1]
    assert f"1 text items differ in caption between rows, and the first counts: text {row} is " in said
    assert f"({path}, row {at[0]}) and 'another caption' ({path}, row {at[1]})" in said
    images = pl.read_parquet(own / HUNDRED / "nn_01.parquet")
    shared = {*images["encord_image_id"]} & {*pl.read_parquet(other)["encord_image_id"]}
    assert "image items differ in source_dataset between rows" in said
    with emm1.open(tmp_path / "emm1.duckdb") as store:
        assert store.sql(f"SELECT caption FROM e_mm1_1m.text WHERE encord_text_id = {row}").fetchall() == [(caption,)]
        kept = store.sql("SELECT encord_image_id FROM e_mm1_100m.image WHERE source_dataset IS NOT NULL").fetchall()
        assert shared <= {id_ for (id_,) in kept}
        notes = store.sql("SELECT DISTINCT note FROM provenance WHERE source LIKE 'E-MM1-1M%'").fetchall()
        assert "another caption" in notes[0][0]


def test_two_paths_of_one_item(own: Path, tmp_path: Path) -> None:
    path = own / HUNDRED / "nn_02.parquet"
    frame = pl.read_parquet(path)
    image, name = frame.row(4, named=True)["encord_image_id"], frame.row(4, named=True)["file_name_image"]
    with_value(path, "file_name_image", 5, "other.jpg")
    with pytest.raises(emm1.SourceError) as caught:
        build_store(own, tmp_path / "emm1.duckdb")
    message = str(caught.value)
    assert message.startswith(f"image {image} has two file paths, ")
    assert (name in message, "/other.jpg'" in message, f"{path}, row 5" in message) == (True, True, True)
    assert message.count(".parquet, row ") == 2
    assert [left.name for left in tmp_path.iterdir()] == ["own"]


def test_audio_in_another_folder(own: Path, tmp_path: Path) -> None:
    for path in (own / ONE).glob("audio_*"):
        edit(path, lambda f: f.with_columns(pl.col("paired_file_path").str.replace("/audio/", "/video/")))
    for path in (own / ONE).glob("*_audio.parquet"):
        edit(path, lambda f: f.with_columns(pl.col("annotated_file_path").str.replace("/audio/", "/video/")))
    report = build_store(own, tmp_path / "emm1.duckdb")
    assert "audio items have video/ where the store's have audio/, such as '" in "".join(report.notes)


# The file, the column, the value of row 3, and what the message says.
VALUES: list[tuple[str, str, Any, str]] = [
    (f"{ONE}/audio_to_image.parquet", "encord_text_id", 2**31, "'2147483648' is out of range for INTEGER"),
    (f"{ONE}/audio_to_image.parquet", "encord_paired_id", 1.5, "'1.5' is not an integer"),
    (f"{ONE}/audio_to_image.parquet", "annotation", None, "no value, and one is needed"),
    (f"{ONE}/audio_to_image.parquet", "annotation", 2**15, "'32768' is out of range for SMALLINT"),
    (
        f"{ONE}/audio_to_image.parquet",
        "annotated_modality",
        "smell",
        "'smell' is not a modality (audio, image, points, video)",
    ),
    (f"{ONE}/audio_to_image.parquet", "paired_modality", None, "no value, and one is needed"),
    (f"{ONE}/audio_to_image.parquet", "paired_file_path", "x.mp4", "'x.mp4' is not save_folder/modality/file_name"),
    (f"{HUNDRED}/nn_01.parquet", "encord_text_id", None, "no value, and one is needed"),
    (f"{HUNDRED}/nn_01.parquet", "nn_index", None, "no value, and one is needed"),
    (f"{HUNDRED}/nn_01.parquet", "nn_index", 17, "'17' is not a rank: 1 (nearest) to 16"),
    (f"{HUNDRED}/nn_01.parquet", "encord_points_id", -(2**31) - 1, "'-2147483649' is out of range for INTEGER"),
]


@pytest.mark.parametrize(("name", "column", "value", "says"), VALUES)
def test_wrong_values(name: str, column: str, value: Any, says: str, own: Path, tmp_path: Path) -> None:
    path = with_value(own / name, column, 3, value)
    refused(own, tmp_path, f"{path}, row 3, column {column}: {says}")


def refused(root: Path, tmp_path: Path, *says: str) -> None:
    """The build fails with a message that has these texts, and leaves nothing behind."""
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(emm1.Error) as caught:
        build_store(root, tmp_path / "emm1.duckdb")
    assert isinstance(caught.value, emm1.SourceError | emm1.FileNotFoundError)
    message = str(caught.value)
    assert all(text in message for text in says), message
    assert len(message) < 1200
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "column", "wrong", "says"),
    [
        ("nn_01", "encord_text_id", pl.lit("1"), "the type is VARCHAR, and must be one of numbers"),
        ("nn_01", "caption", pl.lit(b"\xff"), "the type is BLOB, and must be one of text"),
        ("audio_to_image", "annotated_modality", pl.lit(1), "and must be one of text"),
        ("audio_to_image", "paired_start_time", pl.lit("noon"), "the type is VARCHAR, and must be one of numbers"),
        ("audio_to_image", "encord_paired_id", pl.lit([1]), "must be one of numbers"),
    ],
)
def test_wrong_types(name: str, column: str, wrong: pl.Expr, says: str, own: Path, tmp_path: Path) -> None:
    (path,) = own.rglob(f"{name}.parquet")
    edit(path, lambda f: f.with_columns(wrong.alias(column)))
    refused(own, tmp_path, f"{path}, column {column}: ", says)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("audio_to_image", ["encord_text_id"]),
        ("audio_to_image", ["paired_file_path", "caption"]),
        ("audio_to_image", ["annotated_modality"]),
        ("nn_01", ["encord_image_id", "encord_audio_id"]),
        ("nn_01", ["encord_text_id", "encord_image_id", "encord_audio_id", "encord_video_id", "encord_points_id"]),
        ("nn_01", ["nn_index"]),
        ("nn_01", ["save_folder_video"]),
    ],
)
def test_missing_columns(name: str, columns: list[str], own: Path, tmp_path: Path) -> None:
    (path,) = own.rglob(f"{name}.parquet")
    edit(path, lambda f: f.drop(columns))
    found = list(pl.read_parquet_schema(path))
    refused(
        own,
        tmp_path,
        f"{path} has no column ",
        *(repr(column) for column in columns if column != "encord_points_id"),
        f"(found: '{found[0]}, {found[1]}",
    )


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "broken link":
        path.unlink()
        path.symlink_to(path.with_name("not there"))
        return
    path.write_bytes(
        {
            "empty": b"",
            "cut in half": data[: len(data) // 2],
            "without its end": data[:-1],
            "an error page": b"<html>404</html>",
            "a pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        }[how]
    )


@pytest.mark.parametrize("name", ["nn_02", "audio_to_image"])
@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("empty", "is empty: download it again"),
        ("cut in half", "is damaged or no complete Parquet file"),
        ("without its end", "is damaged or no complete Parquet file"),
        ("an error page", "is damaged or no complete Parquet file"),
        ("a pointer", "is a Git LFS pointer"),
        ("broken link", "is a link to a file that is not there"),
    ],
)
def test_damaged_files(how: str, says: str, name: str, own: Path, tmp_path: Path) -> None:
    (path,) = own.rglob(f"{name}.parquet")
    damage(path, how)
    refused(own, tmp_path, f"{path} {says}")


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.7])
def test_overwritten_bytes(at: float, own: Path, tmp_path: Path) -> None:
    """Whatever is read of them, the file is named."""
    path = own / ONE / "image_to_points.parquet"
    data = path.read_bytes()
    begin = int(len(data) * at)
    path.write_bytes(data[:begin] + b"\xff" * 60 + data[begin + 60 :])
    refused(own, tmp_path, str(path))


def test_text_that_is_not_utf8(own: Path, tmp_path: Path) -> None:
    path = own / ONE / "audio_to_image.parquet"
    table = pq.read_table(path)
    at = table.column_names.index("caption")
    broken = (
        pa.array([b"caf\xe9"] * table.num_rows).cast(pa.string(), safe=False) if False else _not_utf8(table.num_rows)
    )
    pq.write_table(table.set_column(at, "caption", broken), path)
    refused(own, tmp_path, f"{path} is damaged or no complete Parquet file")


def _not_utf8(rows: int) -> pa.Array:
    data = pa.array([b"caf\xe9"] * rows, pa.binary())
    return pa.Array.from_buffers(pa.string(), rows, data.buffers())


def test_two_groups_of_one_caption_and_rank(own: Path, tmp_path: Path) -> None:
    path = own / HUNDRED / "nn_03.parquet"
    captions = pl.read_parquet(path)["encord_text_id"]
    with_value(path, "encord_text_id", 9, captions[0])
    with_value(path, "caption", 9, pl.read_parquet(path)["caption"][0])
    refused(own, tmp_path, f"the caption {captions[0]} has two groups of rank 3: {path}, row 1, and {path}, row 9")


def test_a_rank_in_two_files(own: Path, tmp_path: Path) -> None:
    path = own / HUNDRED / "nn_03.parquet"
    shutil.copy(path, path.with_name("nn_3.parquet"))
    refused(own, tmp_path, "has two groups of rank 3: ", f"{path}, row 1", "nn_3.parquet, row 1")


def test_labels(own: Path, tmp_path: Path) -> None:
    path = own / ONE / "audio_to_image.parquet"
    frame = pl.read_parquet(path)
    at = frame["annotation"].to_list().index(1) + 1
    with_value(path, "annotation_str", at, "Splendid Match")
    refused(own, tmp_path, "the annotation 1 is called ", "'Splendid Match'", f"{path}, row {at}", "'Good Match' (")
    frame.with_columns(
        annotation=pl.when(pl.int_range(pl.len()) == 1).then(9).otherwise("annotation"),
        annotation_str=pl.when(pl.int_range(pl.len()) != 1).then("annotation_str"),
    ).write_parquet(path)
    refused(own, tmp_path, f"{path}, row 2, column annotation: the code has no label")
    for each in (own / ONE).iterdir():
        edit(each, lambda f: f.drop("annotation_str"))
    report = build_store(own, tmp_path / "emm1.duckdb")
    assert report.rows["e_mm1_1m.annotation_mapping"] == 0


def test_other_parquet_files(own: Path, small_store: Path, tmp_path: Path) -> None:
    pl.DataFrame({"id": [1], "vector": [[0.5]]}).write_parquet(own / ONE / "vectors.parquet")
    build_store(own, tmp_path / "emm1.duckdb")
    assert rows_of(tmp_path / "emm1.duckdb") == rows_of(small_store)
    only = tmp_path / "only"
    only.mkdir()
    shutil.copy(own / ONE / "vectors.parquet", only)
    refused(only, tmp_path, "no Parquet files of the Hub", "vectors.parquet has the columns 'id, vector'")


def test_files_that_are_elsewhere(tmp_path: Path) -> None:
    for root in ("hf://datasets/encord-team/E-MM1-1M", "https://example.org/data/nn_01.parquet"):
        refused(Path(root), tmp_path, "is not on this machine", "hf download encord-team/E-MM1-1M --repo-type dataset")
    refused(tmp_path / "nn_01.parquet", tmp_path, "does not exist")


def test_two_snapshots(hub: Path, tmp_path: Path) -> None:
    dataset = in_cache(hub, tmp_path, "E-MM1-1M")
    shutil.copytree(dataset / "snapshots/0a1b", dataset / "snapshots/2c3d", dirs_exist_ok=True)
    (dataset / "refs/main").unlink()
    refused(tmp_path, tmp_path, f"{dataset} has 3 snapshots: name one")
    shutil.copytree(hub / "E-MM1-1M", tmp_path / "both" / "one")
    shutil.copytree(hub / "E-MM1-1M", tmp_path / "both" / "two")
    refused(
        tmp_path / "both", tmp_path, "are both E-MM1-1M/data/audio_to_image.parquet: name the folder of one of them"
    )

"""The Parquet edition of the Hub gives the same store as the CSV files, as far as it goes."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import published
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_files import HUNDRED, ONE, edit, in_cache, smaller, with_value
from store_content import content, rows_of
from trees import copied

import emm1
from emm1.cli.store import info
from emm1.dataset import FILE_MODALITIES
from emm1.ingest.run import build_store
from emm1.store.integrity import orphans

TABLES = [f"e_mm1_{split}.{modality}" for split in ("100m", "1m") for modality in (*FILE_MODALITIES, "text")]


@pytest.fixture(scope="module")
def hub_store(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hub_store") / "emm1.duckdb"
    emm1.build(hub, path).close()
    return path


@pytest.fixture(scope="module")
def small_store(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a copy that nothing changed."""
    folder = tmp_path_factory.mktemp("small")
    emm1.build(smaller(copied(hub, folder / "own")), folder / "emm1.duckdb").close()
    return folder / "emm1.duckdb"


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
def test_other_types_of_the_same_values(case: str, own_hub: Path, small_store: Path, tmp_path: Path) -> None:
    for path in own_hub.rglob("*.parquet"):
        pq.write_table(REWRITES[case](pq.read_table(path)), path, row_group_size=100)
    build_store(own_hub, tmp_path / "emm1.duckdb")
    assert rows_of(tmp_path / "emm1.duckdb") == rows_of(small_store)


def without_item(frame: pl.DataFrame, modality: str, lost: int) -> pl.DataFrame:
    """Rows of an item keep its id and lose the rest."""
    for side in ("paired", "annotated"):
        gone = (pl.col(f"{side}_modality") == modality) & (pl.col(f"encord_{side}_id") == lost)
        said = [name for name in frame.columns if name.startswith(f"{side}_") and name != f"{side}_modality"]
        frame = frame.with_columns(pl.when(~gone).then(pl.col(name)).alias(name) for name in said)
    return frame


def test_nulls_and_rows_that_say_nothing(own_hub: Path, tmp_path: Path) -> None:
    """An id with nothing else is an id without an item, as in a join; NULL in a column that may be is NULL."""
    lost = pl.read_parquet(own_hub / ONE / "image_to_points.parquet")["encord_annotated_id"][0]
    for path in (own_hub / ONE).iterdir():
        edit(path, lambda f: without_item(f, "points", lost))
    with_value(own_hub / HUNDRED / "nn_01.parquet", "encord_points_id", 1, None)
    store = tmp_path / "emm1.duckdb"
    report = build_store(own_hub, store)
    assert {str(o.reference): o.missing for o in report.orphans if o.missing}.keys() == {
        "e_mm1_1m.triplets.encord_annotated_id (points)"
    }
    with emm1.open(store) as opened:
        assert opened.sql(f"SELECT * FROM e_mm1_1m.points WHERE encord_points_id = {lost}").fetchall() == []
        assert opened.sql("SELECT count(*) FROM e_mm1_100m.groups WHERE encord_points_id IS NULL").fetchall() == [(1,)]


def test_a_file_of_no_rows(own_hub: Path, tmp_path: Path) -> None:
    edit(own_hub / ONE / "video_to_points.parquet", lambda f: f.clear())
    edit(own_hub / HUNDRED / "nn_03.parquet", lambda f: f.clear())
    report = build_store(own_hub, tmp_path / "emm1.duckdb")
    assert report.rows["e_mm1_1m.video"] == 0
    assert report.rows["e_mm1_100m.groups"] == 2 * pl.read_parquet(own_hub / HUNDRED / "nn_01.parquet").height


def test_without_columns_of_points(own_hub: Path, tmp_path: Path) -> None:
    """Whether E-MM1:100M has them on the Hub is not known."""
    for path in (own_hub / HUNDRED).iterdir():
        edit(path, lambda f: f.select(n for n in f.columns if "points" not in n))
    report = build_store(own_hub, tmp_path / "emm1.duckdb", splits=["100m"])
    assert (report.rows["e_mm1_100m.points"], report.rows["e_mm1_100m.image"] > 0) == (0, True)
    assert "no columns of points" in "".join(report.notes)
    with emm1.open(tmp_path / "emm1.duckdb") as store:
        assert store.sql("SELECT DISTINCT encord_points_id FROM e_mm1_100m.groups").fetchall() == [(None,)]


def test_unknown_columns_are_kept(own_hub: Path, tmp_path: Path) -> None:
    for path in (own_hub / ONE).iterdir():
        edit(path, lambda f: f.with_columns(paired_hue=pl.lit(7), batch=pl.lit("x")))
    for path in (own_hub / HUNDRED).iterdir():
        edit(path, lambda f: f.with_columns(hue_image=pl.lit("red"), batch=pl.lit("y")))
    with emm1.build(own_hub, tmp_path / "emm1.duckdb") as store:
        assert store.sql("SELECT DISTINCT hue FROM e_mm1_1m.audio WHERE hue IS NOT NULL").fetchall() == [("7",)]
        assert store.sql("SELECT DISTINCT hue FROM e_mm1_100m.image").fetchall() == [("red",)]
        assert store.sql("SELECT DISTINCT batch FROM e_mm1_1m.triplets").fetchall() == [("x",)]
        assert store.sql("SELECT DISTINCT batch FROM e_mm1_100m.groups").fetchall() == [("y",)]
    before = content(tmp_path / "emm1.duckdb")
    assert build_store(own_hub, tmp_path / "emm1.duckdb", media_root=own_hub / ONE).read == []
    build_store(own_hub, tmp_path / "fresh.duckdb", media_root=own_hub / ONE)
    after = content(tmp_path / "emm1.duckdb")
    assert after == content(tmp_path / "fresh.duckdb")
    assert after["e_mm1_1m.triplets"] == before["e_mm1_1m.triplets"]


def test_differences_are_counted_and_the_first_counts(own_hub: Path, tmp_path: Path) -> None:
    path = own_hub / ONE / "audio_to_image.parquet"
    first = pl.read_parquet(path)
    row = first.group_by("encord_text_id").len().filter(pl.col("len") > 1)["encord_text_id"][0]
    at = [i + 1 for i, value in enumerate(first["encord_text_id"]) if value == row]
    with_value(path, "caption", at[1], "another caption")
    other = own_hub / HUNDRED / "nn_02.parquet"
    edit(other, lambda f: f.with_columns(source_dataset_image=pl.lit(None, pl.String)))
    build = build_store(own_hub, tmp_path / "emm1.duckdb")
    said = "\n".join(build.notes)
    caption = first["caption"][at[0] - 1]
    assert f"1 text items differ in caption between rows, and the first counts: text {row} is " in said
    assert f"({path}, row {at[0]}) and 'another caption' ({path}, row {at[1]})" in said
    images = pl.read_parquet(own_hub / HUNDRED / "nn_01.parquet")
    shared = {*images["encord_image_id"]} & {*pl.read_parquet(other)["encord_image_id"]}
    assert "image items differ in source_dataset between rows" in said
    with emm1.open(tmp_path / "emm1.duckdb") as store:
        assert store.sql(f"SELECT caption FROM e_mm1_1m.text WHERE encord_text_id = {row}").fetchall() == [(caption,)]
        kept = store.sql("SELECT encord_image_id FROM e_mm1_100m.image WHERE source_dataset IS NOT NULL").fetchall()
        assert shared <= {id_ for (id_,) in kept}
        notes = store.sql("SELECT DISTINCT note FROM provenance WHERE source LIKE 'E-MM1-1M%'").fetchall()
        assert "another caption" in notes[0][0]


def test_audio_in_another_folder(own_hub: Path, tmp_path: Path) -> None:
    for path in (own_hub / ONE).glob("audio_*"):
        edit(path, lambda f: f.with_columns(pl.col("paired_file_path").str.replace("/audio/", "/video/")))
    for path in (own_hub / ONE).glob("*_audio.parquet"):
        edit(path, lambda f: f.with_columns(pl.col("annotated_file_path").str.replace("/audio/", "/video/")))
    report = build_store(own_hub, tmp_path / "emm1.duckdb")
    assert "audio items have video/ where the store's have audio/, such as '" in "".join(report.notes)


def test_a_split_of_which_there_is_nothing_is_named_once(hub: Path, tmp_path: Path) -> None:
    report = build_store(hub / "E-MM1-1M", tmp_path / "emm1.duckdb")
    assert report.missing == ["e-mm1_100m", "eshot"]

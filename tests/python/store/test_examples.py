"""The published scripts, run on the same files, are the oracle for the answers of a store."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import published
import pytest
from polars.testing import assert_frame_equal

import emm1
from emm1.dataset import GROUP_COLUMNS

MODALITIES = ["image", "audio", "video", "points"]
HOSTILE = [
    'She said "stop", then left',
    "Two lines:\nthe second",
    "NA",
    "null",
    "",
    "  spaces  ",
    "一只猫, L'eau; ﬂ 🎸",
    '"',
    "12345",
    "a\r\nb",
]


def hostile_captions(tree: Path) -> None:
    for split in ("e-mm1_100m", "e-mm1_1m"):
        path = tree / split / "infos" / "text.csv"
        table = pl.read_csv(path, infer_schema=False)
        captions = pl.Series("caption", [HOSTILE[i % len(HOSTILE)] for i in range(table.height)])
        table.with_columns(captions).write_csv(path)


def null_captions(tree: Path) -> None:
    path = tree / "e-mm1_100m" / "infos" / "text.csv"
    table = pl.read_csv(path, infer_schema=False)
    table.with_columns(pl.lit(None, pl.String).alias("caption")).write_csv(path)


def reordered_and_extra_columns(tree: Path) -> None:
    for path in tree.glob("e-mm1_*/infos/*.csv"):
        table = pl.read_csv(path, infer_schema=False)
        table.select(reversed(table.columns)).with_columns(pl.lit("x, y").alias("Odd column")).write_csv(path)
    path = tree / "e-mm1_100m" / "nn_3" / "data_groups.csv"
    table = pl.read_csv(path)
    table.select(reversed(table.columns)).write_csv(path)


def windows_files(tree: Path) -> None:
    for path in tree.rglob("*.csv"):
        if b'"' not in path.read_bytes():
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))


def orphans(tree: Path) -> None:
    for path in tree.glob("e-mm1_*/infos/*.csv"):
        table = pl.read_csv(path, infer_schema=False)
        table[::3].write_csv(path)


def as_it_is(_tree: Path) -> None:
    pass


@pytest.fixture(
    params=[as_it_is, hostile_captions, null_captions, reordered_and_extra_columns, windows_files, orphans],
    ids=lambda change: change.__name__,
)
def changed(request: pytest.FixtureRequest, own_tree: Path, tmp_path: Path) -> tuple[Path, emm1.Store]:
    change: Callable[[Path], None] = request.param
    change(own_tree)
    emm1.build(own_tree, tmp_path / "emm1.duckdb").close()
    return own_tree, emm1.open(tmp_path / "emm1.duckdb", root="/data/x/")


def rows(result: duckdb.DuckDBPyRelation | pl.DataFrame) -> pl.DataFrame:
    """A result with the types of the script: 64-bit integers, and text instead of ENUMs."""
    table: pl.DataFrame = result if isinstance(result, pl.DataFrame) else result.pl()
    return table.with_columns(
        *(pl.col(c).cast(pl.Int64) for c, t in table.schema.items() if t.is_integer()),
        *(pl.col(c).cast(pl.String) for c, t in table.schema.items() if t in (pl.Categorical, pl.Enum)),
    )


def assert_same(ours: pl.DataFrame, theirs: pl.DataFrame) -> None:
    assert ours.columns == theirs.columns
    assert_frame_equal(ours.sort(pl.all()), theirs.sort(pl.all()), check_dtypes=False)


def test_groups_equal_the_first_script(changed: tuple[Path, emm1.Store]) -> None:
    tree, store = changed
    for rank, modalities in ((1, MODALITIES), (3, ["points", "audio"]), (16, [])):
        theirs = published.groups(tree, "/data/x", rank, modalities)
        # The published file may have its columns in another order; the store has a fixed one.
        first = list(GROUP_COLUMNS)
        theirs = theirs.select(*first, *(c for c in theirs.columns if c not in first))
        assert_same(rows(store.groups(nn_index=rank, modalities=modalities)), theirs)
        assert_same(store.groups_frame(nn_index=rank, modalities=modalities), theirs)


def test_groups_of_several_ranks(changed: tuple[Path, emm1.Store]) -> None:
    tree, store = changed
    first = list(GROUP_COLUMNS)
    parts = [published.groups(tree, "/data/x", rank, ["image"]) for rank in range(2, 5)]
    theirs = pl.concat([part.select(*first, "image_file_path", "caption") for part in parts])
    assert_same(rows(store.groups(nn_index=range(2, 5), modalities=["image"])), theirs)
    assert_same(rows(store.groups(range(2, 5), ["image"], captions=[2, 0, 2, 10**12])), some_captions(theirs, [0, 2]))
    assert_same(rows(store.groups(3, ["image"], captions=3)), some_captions(theirs, [3]).filter(nn_index=3))
    assert store.groups(captions=[]).fetchall() == store.groups(nn_index=[], captions=[0]).fetchall() == []
    assert store.groups(nn_index=[]).fetchall() == []
    assert store.groups().shape[0] == store.sql("SELECT count(*) FROM e_mm1_100m.groups").fetchall()[0][0]


def some_captions(table: pl.DataFrame, ids: list[int]) -> pl.DataFrame:
    return table.filter(pl.col("encord_text_id").is_in(ids))


@pytest.mark.parametrize("ids", [[7, 7, 9], [0, 2_000_000_000], [-5, 8], []])
def test_groups_of_odd_ids(tree: Path, tmp_path: Path, ids: list[int]) -> None:
    store = emm1.build(tree, tmp_path / "emm1.duckdb", splits=["100m"], ranks=[1])
    store.connection.execute("DELETE FROM e_mm1_100m.image; UPDATE e_mm1_100m.groups SET encord_image_id = NULL")
    for number, i in enumerate(ids):
        values = [i, f"{number}.jpg"]
        store.connection.execute("INSERT INTO e_mm1_100m.image (encord_image_id, file_name) VALUES (?, ?)", values)
    store.connection.execute("UPDATE e_mm1_100m.image SET save_folder = 'shared'")
    for row, i in enumerate((7, 0, 2_000_000_000, -5, 8, -2_147_483_648)):
        store.connection.execute("UPDATE e_mm1_100m.groups SET encord_image_id = ? WHERE rowid = ?", [i, row])
    groups = store.groups(1, ["image"])
    assert type(groups) is duckdb.DuckDBPyRelation
    assert_frame_equal(store.groups_frame(1, ["image"]), groups.pl(), check_row_order=False)


@pytest.mark.parametrize("ids", [[7, 7, 9], [0, 2_000_000_000], [-5, 8], []])
@pytest.mark.parametrize("table", ["text", "audio", "points"])
def test_triplets_of_odd_ids(tree: Path, tmp_path: Path, table: str, ids: list[int]) -> None:
    """Ids that repeat give a row for each of their items; ids that are far apart are looked up too."""
    store = emm1.build(tree, tmp_path / "emm1.duckdb", splits=["1m"])
    run = store.connection.execute
    role, item, column = {
        "text": ("text", "caption", "caption"),
        "audio": ("paired", "file_name", "paired_modality_file_path"),
        "points": ("annotated", "file_name", "annotated_modality_file_path"),
    }[table]
    run(f"DELETE FROM e_mm1_1m.{table}; UPDATE e_mm1_1m.triplets SET encord_{role}_id = NULL")
    for number, i in enumerate(ids):
        run(f"INSERT INTO e_mm1_1m.{table} (encord_{table}_id, {item}) VALUES (?, ?)", [i, f"{number}.jpg"])
    if table != "text":
        run(f"UPDATE e_mm1_1m.{table} SET save_folder = 'shared'")
    asked = (7, 0, 2_000_000_000, -5, 8, -2_147_483_648)
    run(
        "UPDATE e_mm1_1m.triplets SET paired_modality = 'audio', annotated_modality = 'points' WHERE rowid < ?",
        [len(asked)],
    )
    for row, i in enumerate(asked):
        run(f"UPDATE e_mm1_1m.triplets SET encord_{role}_id = ? WHERE rowid = ?", [i, row])
    frame = store.triplets_frame(["audio", "points"])
    assert_frame_equal(frame, store.triplets(["audio", "points"]).pl(), check_row_order=False)
    assert frame[column].count() == sum(ids.count(i) for i in asked)


@pytest.mark.parametrize(
    "modalities", [["points", "audio"], ["audio", "image", "points", "video"], ["image", "audio", "video"]]
)
def test_triplets_equal_the_second_script(changed: tuple[Path, emm1.Store], modalities: list[str]) -> None:
    tree, store = changed
    theirs = published.triplets(tree, "/data/x", modalities)
    assert_same(rows(store.triplets(modalities)), theirs)
    frame = store.triplets_frame(modalities)
    assert frame.schema == store.triplets(modalities).pl().schema
    assert_same(rows(frame), theirs)
    listed = ", ".join(f"'{m}'" for m in modalities)
    assert_same(rows(store.sql(f"FROM triplets_between([{listed}])")), theirs)


def test_no_modalities_are_no_triplets(changed: tuple[Path, emm1.Store]) -> None:
    _, store = changed
    frame = store.triplets_frame([])
    assert frame.height == 0
    assert frame.schema == store.triplets([]).pl().schema


def test_views_agree_with_the_methods(changed: tuple[Path, emm1.Store]) -> None:
    _, store = changed
    columns = ", ".join([*GROUP_COLUMNS, *(f"{m}_file_path" for m in MODALITIES), "caption"])
    assert_same(
        rows(store.sql(f'SELECT {columns} FROM "groups" WHERE nn_index = 2')),
        rows(store.groups(nn_index=2, modalities=MODALITIES)),
    )
    nine = store.triplets(MODALITIES).columns
    assert_same(rows(store.sql(f"SELECT {', '.join(nine)} FROM triplets")), rows(store.triplets(MODALITIES)))


def test_pairs_without_rows_give_none(store_path: Path) -> None:
    with emm1.open(store_path, read_only=True) as store:
        found = store.triplets(["audio", "video"])
        assert found.fetchall() == []
        assert found.columns == store.triplets(["audio", "points"]).columns
        frame = store.triplets_frame(["audio", "video"])
        assert (frame.height, frame.schema) == (0, found.pl().schema)


def test_wrong_requests(store_path: Path) -> None:
    with emm1.open(store_path, read_only=True) as store:
        for modalities, rank in (
            (["images"], 1),
            (["image"], 17),
            (["image"], 0),
            ("audio", 1),
            (["audio", "audio"], 1),
        ):
            with pytest.raises(emm1.StoreError):
                store.groups(nn_index=rank, modalities=modalities)
            with pytest.raises(emm1.StoreError):
                store.groups_frame(nn_index=rank, modalities=modalities)
        with pytest.raises(emm1.EmbeddingError, match="captions must be a list of integers"):
            store.groups(captions=["a cat"])
        with pytest.raises(emm1.StoreError):
            store.triplets(["text", "audio"])
        with pytest.raises(emm1.StoreError):
            store.triplets_frame(["text", "audio"])
        with pytest.raises(duckdb.Error, match="unknown modality 'sound'"):
            store.sql("FROM triplets_between(['sound'])").fetchall()


def test_media_root(store_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def root(folder: str | None = None) -> str:
        with emm1.open(store_path, read_only=True, root=folder) as store:
            value: str = store.cursor().sql("SELECT media_root()").fetchall()[0][0]
            return value

    monkeypatch.delenv("ROOT_DATA_PATH", raising=False)
    assert root() == str(tree)
    monkeypatch.setenv("ROOT_DATA_PATH", "/environment/")
    assert root() == "/environment"
    assert root("/argument") == "/argument"
    with emm1.open(store_path, read_only=True) as store:
        store.sql("SET VARIABLE emm1_root = '/variable'")
        store.sql("SET VARIABLE emm1_audio_folder = 'video'")
        paths = (
            store.cursor().sql("SELECT file_path FROM assets WHERE modality = 'audio' AND dataset = '1m'").fetchall()
        )
        assert all(path.startswith("/variable/") and "/video/" in path for (path,) in paths)


def test_views_work_under_attach(store_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{store_path}' AS other (READ_ONLY)")
        views = connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE database_name = 'other' AND NOT internal"
        )
        for (view,) in views.fetchall():
            assert connection.execute(f'SELECT count(*) FROM other."{view}"').fetchall()[0][0] > 0, view
        connection.execute("USE other")
        assert connection.execute("FROM triplets_between(['points', 'audio'])").fetchall()


def test_everything_has_a_comment_and_types_are_as_promised(store_path: Path) -> None:
    with emm1.open(store_path, read_only=True) as store:
        silent = store.sql("""
            SELECT table_name FROM duckdb_tables() WHERE comment IS NULL
            UNION ALL SELECT view_name FROM duckdb_views() WHERE comment IS NULL AND NOT internal
            UNION ALL SELECT table_name || '.' || column_name FROM duckdb_columns() WHERE comment IS NULL AND NOT internal
            UNION ALL SELECT function_name FROM duckdb_functions()
                WHERE comment IS NULL AND NOT internal AND database_name = current_database()
        """).fetchall()
        assert silent == []
        types = store.sql("""
            SELECT DISTINCT CASE WHEN column_name LIKE '%\\_id' ESCAPE '\\' AND column_name NOT IN ('file_id', 'youtube_id')
                THEN 'id' ELSE column_name END AS c, data_type FROM duckdb_columns() WHERE schema_name <> 'main'
                AND (c IN ('id', 'nn_index', 'annotation', 'youtube_id', 'file_id', 'caption')) ORDER BY ALL
        """).fetchall()
        assert types == [
            ("annotation", "SMALLINT"),
            ("caption", "VARCHAR"),
            ("file_id", "VARCHAR"),
            ("id", "INTEGER"),
            ("nn_index", "SMALLINT"),
            ("youtube_id", "VARCHAR"),
        ]
        for concept in ("source_dataset", "dataset_license", "save_folder", "annotation_label", "modality"):
            found = store.sql(f"SELECT labels FROM duckdb_types() WHERE type_name = '{concept}'").fetchall()
            assert len(found) == 1
            assert found[0][0] == sorted(found[0][0])
            kinds = store.sql(f"""
                SELECT DISTINCT data_type FROM duckdb_columns() WHERE column_name = '{concept}' AND schema_name <> 'main'
            """).fetchall()
            assert len(kinds) <= 1, concept


def test_same_files(tree: Path, store_path: Path) -> None:
    with emm1.open(store_path, read_only=True) as store:
        ours = store.sql("SELECT modality::VARCHAR, id_100m, id_1m FROM same_files").fetchall()
    theirs = []
    for modality in MODALITIES:
        key = f"encord_{modality}_id"
        both = [published.read(tree / s / "infos" / f"{modality}.csv") for s in ("e-mm1_100m", "e-mm1_1m")]
        both = [table.filter(pl.col("save_folder") == "shared").select(key, "file_name") for table in both]
        theirs += [
            (modality, a, b) for a, b in both[0].join(both[1], on="file_name").select(key, f"{key}_right").rows()
        ]
    assert sorted(ours) == sorted(theirs)
    assert ours


def test_sql_sees_the_callers_variables(store_path: Path) -> None:
    wanted = pl.DataFrame({"n": [1, 2]})
    with emm1.open(store_path, read_only=True) as store:
        assert store.sql("SELECT sum(n) FROM wanted").fetchall() == [(wanted["n"].sum(),)]
        assert store.sql("SELECT $a + 1", params={"a": 1}).fetchall() == [(2,)]

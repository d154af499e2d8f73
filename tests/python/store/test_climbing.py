"""File names that lead out of their folder: build and check report them, and nothing makes a path from them."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import duckdb
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from system import emm1_cli

import emm1
from emm1.ingest.run import build_store
from emm1.store.database import SCHEMA_VERSION

HOSTILE = ["../../etc/passwd", "/etc/passwd", "a/../../b", "..\\b", "C:\\b", "nul\0.jpg", "..", "."]


def spoil(tree: Path, name: str, column: str, values: list[str]) -> None:
    """Change the values of a column in the first rows of a file."""
    path = tree / name
    frame = pl.read_csv(path, infer_schema=False)
    frame.with_columns(pl.Series(column, [*values, *frame[column][len(values) :]])).write_csv(path)


def leads_out(name: str) -> bool:
    """Whether a name leads out of its folder, by pathlib's rules for POSIX and Windows."""
    paths = (PurePosixPath(name), PureWindowsPath(name))
    outside = any(path.anchor or ".." in path.parts for path in paths)
    return outside or bool(re.match(r"[a-zA-Z]:", name)) or "\0" in name or name in ("", ".")


@pytest.fixture(scope="module")
def climbs(store_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with emm1.open(store_path, read_only=True) as store:
        yield store.connection


@given(st.one_of(st.text("./\\aC:\0\n", max_size=8), st.text(max_size=5)))
@example("a..b/..c")
def test_climbs_is_what_pathlib_says(climbs: duckdb.DuckDBPyConnection, name: str) -> None:
    name = name.encode("utf-8", "replace").decode()
    assert climbs.execute("SELECT climbs(?)", [name]).fetchall() == [(leads_out(name),)]


def paths(store: emm1.Store) -> dict[str, set[str | None]]:
    """The paths from every view, macro and method that returns paths."""
    modality = "image"
    queries = {
        "groups": f'SELECT {modality}_file_path FROM "groups"',
        "groups_of": f"SELECT {modality}_file_path FROM groups_of(range(100000))",
        "assets": "SELECT file_path FROM assets",
        "triplets": "SELECT unnest([paired_modality_file_path, annotated_modality_file_path]) FROM triplets",
        "triplets_between": "SELECT paired_modality_file_path FROM triplets_between(['image', 'points', 'audio', 'video'])",
        "eshot_categories": "SELECT file_path FROM eshot_categories",
        "media_path": "SELECT media_path(save_folder, 'image', file_name) FROM e_mm1_100m.image",
    }
    found = {name: {path for (path,) in store.sql(query).fetchall()} for name, query in queries.items()}
    relation = store.groups(modalities=[modality])
    found["Store.groups"] = {row[6] for row in relation.fetchall()}
    frame = store.triplets_frame()
    found["Store.triplets_frame"] = {*frame["paired_modality_file_path"], *frame["annotated_modality_file_path"]}
    found["frame"] = set(store.groups_frame(modalities=[modality])[f"{modality}_file_path"])
    return found


def test_such_names_have_no_path(own_tree: Path, tmp_path: Path) -> None:
    for name in ("e-mm1_100m/infos/image.csv", "e-mm1_1m/infos/points.csv", "eshot/eshot_audio_info.csv"):
        spoil(own_tree, name, "file_name", HOSTILE)
    spoil(own_tree, "e-mm1_100m/infos/video.csv", "save_folder", ["../outside"])
    store = tmp_path / "emm1.duckdb"
    report = build_store(own_tree, store)
    warned = "\n".join(report.warnings)
    assert "8 of the file names in e_mm1_100m.image lead out of their folder" in warned
    assert "(id, save_folder and file_name of the first: 0: 'shared' '../../etc/passwd'" in re.sub(
        "'e-mm1_.*?'", "'shared'", warned
    )
    assert "1 of the file names in e_mm1_100m.video" in warned
    assert warned.count("lead out") == 4

    def hold(path: Path) -> None:
        with emm1.open(path, read_only=True) as opened:
            for name, found in paths(opened).items():
                assert not any(leads_out(path.removeprefix(str(own_tree) + "/")) for path in found if path), name
            (rows,) = opened.sql(
                "SELECT file_name, save_folder FROM e_mm1_100m.image WHERE encord_image_id = 0"
            ).fetchall()
            assert rows[0] == HOSTILE[0]  # as published
            (count,) = opened.sql(
                "SELECT count(*) FROM assets WHERE file_path IS NULL AND modality <> 'text'"
            ).fetchall()[0]
            assert count == 25

    hold(store)
    checked = emm1_cli("check", store)
    assert checked.returncode == 0
    assert "8 of the file names in e_mm1_1m.points" in checked.stderr.replace("\n", " ")
    # The same after an update, and after an upgrade.
    build_store(own_tree, store, ranks=[1, 2])
    hold(store)
    with duckdb.connect(str(store)) as connection:
        connection.execute(f"UPDATE emm1_store SET schema_version = {SCHEMA_VERSION - 1}")
    upgraded = emm1_cli("upgrade", store)
    assert "8 of the file names in eshot.audio" in upgraded.stdout.replace("\n", " ")
    hold(store)


def test_where_no_name_does_no_name_is_looked_at(store_path: Path) -> None:
    with emm1.open(store_path, read_only=True) as store:
        for query in ('FROM "groups"', "FROM assets", "FROM triplets", "FROM groups_of([1])"):
            ((_, plan),) = store.sql(f"EXPLAIN {query}").fetchall()
            assert "regexp" not in plan
        assert emm1_cli("check", store_path).stderr == ""

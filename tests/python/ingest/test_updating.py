"""An updated store equals a newly built one, whatever has changed."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from store_content import content
from trees import copied

import emm1
from emm1.ingest.report import BuildReport
from emm1.ingest.run import build_store

GROUPS = "e-mm1_100m/nn_{}/data_groups.csv"


def edit(name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Callable[[Path], object]:
    def apply(tree: Path) -> None:
        path = tree / name
        change(pl.read_csv(path, infer_schema=False)).write_csv(path)

    return apply


def remove(*names: str) -> Callable[[Path], object]:
    def apply(tree: Path) -> None:
        for name in names:
            path = tree / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    return apply


def first_value(column: str, value: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        values = frame[column].to_list()
        return frame.with_columns(pl.Series(column, [value, *values[1:]]))

    return change


def swap_digits(tree: Path) -> None:
    """Change the content, but not the size and time of the file."""
    path = tree / GROUPS.format(2)
    stat = path.stat()
    header, first, second, rest = path.read_bytes().split(b"\n", 3)
    fields, others = first.split(b","), second.split(b",")
    fields[1], others[1] = others[1], fields[1]
    path.write_bytes(b"\n".join([header, b",".join(fields), b",".join(others), rest]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size


def rename_category(tree: Path) -> None:
    for name in ("category_to_audio_ids.json", "category_to_point_ids.json"):
        path = tree / "eshot" / name
        listed = json.loads(path.read_text())
        first = min(listed)
        path.write_text(json.dumps({f"{k} {k}" if k == first else k: v for k, v in listed.items()}))


IMAGE = "e-mm1_100m/infos/image.csv"
# The change, and the published files that are read because of it.
CHANGES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "a licence never seen": (edit(IMAGE, first_value("dataset_license", "A licence")), [IMAGE]),
    "a licence no more": (edit(IMAGE, lambda f: f.with_columns(pl.lit("MIT").alias("dataset_license"))), [IMAGE]),
    "an unknown column": (edit(IMAGE, lambda f: f.with_columns(pl.lit("x").alias("Some note"))), [IMAGE]),
    "fewer captions": (edit("e-mm1_100m/infos/text.csv", lambda f: f.head(9)), ["e-mm1_100m/infos/text.csv"]),
    "a rank's rows": (swap_digits, [GROUPS.format(2)]),
    "a rank less": (remove("e-mm1_100m/nn_1"), []),
    "a column of one rank": (
        edit(GROUPS.format(3), lambda f: f.with_columns(pl.lit("x").alias("extra"))),
        [GROUPS.format(3)],
    ),
    "a split less": (remove("e-mm1_1m"), []),
    "EShot less": (remove("eshot"), []),
    "an info file less": (remove("e-mm1_1m/infos/video.csv"), []),
    "labels": (
        edit("e-mm1_1m/annotation_mapping.csv", lambda f: f.with_columns(pl.last().str.to_uppercase())),
        ["e-mm1_1m/annotation_mapping.csv"],
    ),
    "triplets": (edit("e-mm1_1m/triplets.csv", lambda f: f.reverse()), ["e-mm1_1m/triplets.csv"]),
    "EShot's rows": (
        edit("eshot/eshot_points_info.csv", lambda f: f.reverse()),
        ["eshot/eshot_points_info.csv", "eshot/category_to_audio_ids.json", "eshot/category_to_point_ids.json"],
    ),
    "EShot's categories": (
        rename_category,
        ["eshot/category_to_audio_ids.json", "eshot/category_to_point_ids.json"],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_an_update_equals_a_fresh_build(case: str, tree: Path, store_path: Path, tmp_path: Path) -> None:
    change, read = CHANGES[case]
    own = copied(tree, tmp_path / "tree")
    change(own)
    updated, fresh, back = (tmp_path / f"{name}.duckdb" for name in ("updated", "fresh", "back"))
    shutil.copy(store_path, updated)
    report = build_store(own, updated)
    build_store(own, fresh)
    assert report.read == read
    assert not report.up_to_date
    assert content(updated) == content(fresh)
    # And back: removed files are added, changed files are changed again.
    shutil.copy(updated, back)
    assert set(build_store(tree, back).read) == {*report.dropped, *read}
    build_store(tree, fresh, force=True)
    assert content(back) == content(fresh)


def test_ranks_name_the_set_that_the_store_ends_with(tree: Path, tmp_path: Path) -> None:
    updated, fresh = tmp_path / "updated.duckdb", tmp_path / "fresh.duckdb"
    build_store(tree, updated, ranks=[2, 3, 5])
    for ranks in ([1, 2, 4, 5], [5], [1, 2, 3, 4, 5, 6]):
        before = ranks_in(updated)
        report = build_store(tree, updated, ranks=ranks)
        build_store(tree, fresh, ranks=ranks, force=True)
        assert report.read == [GROUPS.format(rank) for rank in ranks if rank not in before]
        assert report.dropped == [GROUPS.format(rank) for rank in before if rank not in ranks]
        assert content(updated) == content(fresh)


def ranks_in(store: Path) -> list[int]:
    with emm1.open(store, read_only=True) as opened:
        query = "SELECT DISTINCT nn_index FROM e_mm1_100m.groups ORDER BY ALL"
        return [rank for (rank,) in opened.sql(query).fetchall()]


def test_splits_and_media_root_and_switched_columns(tree: Path, tmp_path: Path) -> None:
    updated, fresh = tmp_path / "updated.duckdb", tmp_path / "fresh.duckdb"
    steps: list[tuple[dict[str, Any], int]] = [
        ({"splits": ["eshot"]}, 4),
        ({"splits": ["1m", "eshot"]}, 7),
        ({"splits": ["1m"], "switch_triplet_columns": True}, 1),
        ({"splits": ["1m"], "switch_triplet_columns": True, "media_root": tmp_path}, 0),
        ({"splits": ["1m"]}, 1),
    ]
    for options, count in steps:
        report = build_store(tree, updated, **options)
        build_store(tree, fresh, **options, force=True)
        assert len(report.read) == count
        assert not report.up_to_date
        assert content(updated) == content(fresh)


def test_an_up_to_date_store_is_left_alone(tree: Path, store_path: Path, tmp_path: Path) -> None:
    store = tmp_path / "emm1.duckdb"
    shutil.copy(store_path, store)
    before = store.stat()
    report: BuildReport = build_store(tree, store)
    assert (report.up_to_date, report.read, report.dropped) == (True, [], [])
    after = store.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert [path.name for path in tmp_path.iterdir()] == ["emm1.duckdb"]


def test_a_moved_tree_is_known_by_its_content(tree: Path, store_path: Path, tmp_path: Path) -> None:
    store, fresh = tmp_path / "emm1.duckdb", tmp_path / "fresh.duckdb"
    shutil.copy(store_path, store)
    moved = copied(tree, tmp_path / "moved")
    assert build_store(moved, store).read == []
    build_store(moved, fresh)
    assert content(store) == content(fresh)


def test_a_label_that_triplets_need_cannot_go(own_tree: Path, tmp_path: Path) -> None:
    store = tmp_path / "emm1.duckdb"
    build_store(own_tree, store)
    before = store.read_bytes()
    (own_tree / "e-mm1_1m/annotation_mapping.csv").write_text("1,Good Match\n")
    with pytest.raises(emm1.SourceError, match=r"triplets\.csv.*annotation_mapping\.csv"):
        build_store(own_tree, store)
    assert store.read_bytes() == before


def test_embeddings_stay_and_the_file_does_not_grow(tree: Path, tmp_path: Path) -> None:
    store = tmp_path / "emm1.duckdb"
    with emm1.build(tree, store) as opened:
        opened.add_embeddings("text", tree / "embeddings/text.npy", dataset="100m", modality="text")
        registered = opened.sql("SELECT * EXCLUDE (store_id) FROM embeddings").fetchall()
    size = store.stat().st_size
    for ranks in ([1, 2], None, [1, 2], None):
        build_store(tree, store, ranks=ranks)
    assert store.stat().st_size <= size * 1.05
    with emm1.open(store) as opened:
        assert opened.sql("SELECT * EXCLUDE (store_id) FROM embeddings").fetchall() == registered
        assert opened.sql("SELECT id FROM nearest('text', embedding('text', 7), k := 1)").fetchall() == [(7,)]

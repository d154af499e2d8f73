"""Everything that can be wrong with published files: one message with the place and the remedy, exit 1, no traceback."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest
from system import emm1_cli, small_disk

import emm1
from emm1.ingest.run import build_store

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
IMAGE = "e-mm1_100m/infos/image.csv"
GROUPS = "e-mm1_100m/nn_2/data_groups.csv"
TRIPLETS = "e-mm1_1m/triplets.csv"
AUDIO_JSON = "eshot/category_to_audio_ids.json"


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")


def set_line(number: int, text: bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        content = lines(path)
        content[number - 1] = text
        path.write_bytes(b"\n".join(content))

    return change


def set_field(number: int, column: str, value: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        table = pl.read_csv(path, infer_schema=False)
        at = number - 2
        values = table[column].to_list()
        values[at] = value
        table.with_columns(pl.Series(column, values)).write_csv(path)

    return change


def rename_column(old: str, new: str) -> Callable[[Path], None]:
    return lambda path: pl.read_csv(path, infer_schema=False).rename({old: new}).write_csv(path)


def edit_json(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        listed = json.loads(path.read_text())
        change(listed)
        path.write_text(json.dumps(listed))

    return edit


CASES: dict[str, tuple[str, Callable[[Path], object], list[str]]] = {
    "pointer": (IMAGE, lambda p: p.write_text(POINTER), ['git lfs pull --include="', f"{IMAGE}", "build without them"]),
    "empty file": (IMAGE, lambda p: p.write_bytes(b""), ["is empty"]),
    "empty header": (IMAGE, lambda p: p.write_bytes(b"\n1,2\n"), ["line 1", "header"]),
    "missing column": (TRIPLETS, lambda p: p.write_text("encord_text_id\n1\n"), ["has no column"]),
    "renamed column": (
        IMAGE,
        rename_column("encord_image_id", "encord_img_id"),
        ["encord_image_id", "'encord_img_id'"],
    ),
    "column twice": (IMAGE, rename_column("file_id", "File_Name"), ["twice"]),
    "fraction": (
        IMAGE,
        set_field(5, "encord_image_id", "1.5"),
        ["line 5", "encord_image_id", "'1.5' is not an integer"],
    ),
    "fraction in groups": (GROUPS, set_field(7, "encord_audio_id", "2.0"), ["line 7", "encord_audio_id", "'2.0'"]),
    "hexadecimal": (IMAGE, set_field(5, "encord_image_id", "0x10"), ["line 5", "'0x10' is not an integer"]),
    "text": (GROUPS, set_field(9, "encord_video_id", "many"), ["line 9", "encord_video_id", "'many'"]),
    "too large": (IMAGE, set_field(5, "encord_image_id", "3000000000"), ["line 5", "out of range"]),
    "no id": (IMAGE, set_line(4, b",COCO,MIT,x,y.jpg,shared"), ["line 4", "encord_image_id", "no value"]),
    "no number": ("e-mm1_1m/infos/audio.csv", set_field(3, "start_time", "soon"), ["line 3", "start_time", "'soon'"]),
    "too few fields": (IMAGE, set_line(6, b"5,COCO"), ["line 6", "too few"]),
    "too many fields": (GROUPS, set_line(6, b"5,1,1,1,1,2,9,9"), ["line 6", "too many"]),
    "unclosed quote": (IMAGE, set_line(6, b'5,"COCO,MIT,a,b,shared'), ["line 6", "never closed"]),
    "not UTF-8": (IMAGE, set_line(6, b"5,COCO\xff,MIT,a,b,shared"), ["line 6", "UTF-8"]),
    "duplicate id": (IMAGE, set_field(8, "encord_image_id", "0"), ["line 8", "0 appears twice, first in line 2"]),
    "duplicate caption": (GROUPS, lambda p: p.write_bytes(p.read_bytes() + lines(p)[1] + b"\n"), ["appears twice"]),
    "wrong rank": (GROUPS, set_field(3, "nn_index", "3"), ["line 3", "nn_index", "rank of its folder, 2"]),
    "unknown modality": (TRIPLETS, set_field(4, "paired_modality", "sound"), ["line 4", "'sound'", "audio, image"]),
    "unknown annotation": (TRIPLETS, set_field(4, "annotation", "7"), ["line 4", "'7'", "annotation_mapping.csv"]),
    "broken mapping": ("e-mm1_1m/annotation_mapping.csv", lambda p: p.write_text("1,a\nx,b\n"), ["line 2", "'x'"]),
    "broken JSON": (AUDIO_JSON, lambda p: p.write_text('{"a": [1,}'), ["line 1", "not JSON"]),
    "JSON list": (AUDIO_JSON, lambda p: p.write_text("[1]"), ["map each category"]),
    "JSON key twice": (AUDIO_JSON, lambda p: p.write_text('{"a": [1], "a": [2]}'), ["'a' appears twice"]),
    "unknown EShot id": (AUDIO_JSON, edit_json(lambda d: d.update(zoo=[987654])), ["'zoo'", "987654"]),
    "EShot fraction": (AUDIO_JSON, edit_json(lambda d: d.update(zoo=[1.5])), ["'zoo'", "1.5 is not an id"]),
}


@pytest.mark.parametrize("case", CASES)
def test_wrong_file(case: str, own_tree: Path, tmp_path: Path) -> None:
    name, spoil, expected = CASES[case]
    spoil(own_tree / name)
    store = tmp_path / "emm1.duckdb"
    done = emm1_cli("build", own_tree, store)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("emm1: ")
    assert "Traceback" not in done.stderr
    for text in [Path(name).name, *expected]:
        assert text in done.stderr
    assert not list(tmp_path.glob("emm1.duckdb*"))


def test_every_pointer_is_listed_with_the_path_of_this_clone(own_tree: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / ".git").mkdir(parents=True)
    own_tree.rename(clone / "datasets")
    for name in (IMAGE, GROUPS):
        (clone / "datasets" / name).write_text(POINTER)
    done = emm1_cli("build", clone, tmp_path / "emm1.duckdb")
    assert done.returncode == 1
    assert f'git lfs pull --include="datasets/{IMAGE},datasets/{GROUPS}"' in done.stderr


def test_what_was_not_fetched_can_be_left_out(own_tree: Path, tmp_path: Path) -> None:
    for rank in range(2, 17):
        (own_tree / f"e-mm1_100m/nn_{rank}/data_groups.csv").write_text(POINTER)
    done = emm1_cli("build", own_tree, tmp_path / "emm1.duckdb")
    options = done.stderr.partition("build without them: ")[2].split()
    assert options == ["--splits", "100m,1m,eshot", "--ranks", "1"]
    assert emm1_cli("build", own_tree, tmp_path / "emm1.duckdb", *options).returncode == 0


def test_absent_parts_are_named_and_their_tables_empty(own_tree: Path, tmp_path: Path) -> None:
    (own_tree / GROUPS).unlink()
    (own_tree / "eshot").rename(tmp_path / "elsewhere")
    done = emm1_cli("build", own_tree, tmp_path / "emm1.duckdb")
    assert done.returncode == 0, done.stderr
    assert f"not there: {GROUPS}, eshot\n" in done.stdout
    with emm1.open(tmp_path / "emm1.duckdb") as store:
        assert store.sql("SELECT count(*) FROM eshot_categories").fetchall() == [(0,)]
        assert store.groups(nn_index=2).fetchall() == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["--ranks", "3"], ""), (["--splits", "eshot"], ""), (["--ranks", "17"], "17"), (["--splits", "2m"], "2m")],
)
def test_parts_asked_for(own_tree: Path, tmp_path: Path, arguments: list[str], text: str) -> None:
    done = emm1_cli("build", own_tree, tmp_path / "emm1.duckdb", *arguments)
    assert done.returncode == (1 if text else 0)
    assert text in done.stderr


def test_ids_without_a_row_are_counted_not_refused(own_tree: Path, tmp_path: Path) -> None:
    path = own_tree / IMAGE
    table = pl.read_csv(path, infer_schema=False)
    table.filter(pl.col("encord_image_id").cast(pl.Int64) % 3 > 0).write_csv(path)
    done = emm1_cli("build", own_tree, tmp_path / "emm1.duckdb")
    assert done.returncode == 0
    groups = pl.concat(pl.read_csv(own_tree / f"e-mm1_100m/nn_{rank}/data_groups.csv") for rank in range(1, 17))
    missing = groups.filter(pl.col("encord_image_id") % 3 == 0).height
    assert f"{missing:,} of {groups.height:,} ids in e_mm1_100m.groups.encord_image_id" in done.stdout
    checked = emm1_cli("check", tmp_path / "emm1.duckdb")
    assert checked.returncode == 1
    assert f"e_mm1_100m.groups.encord_image_id\t{groups.height}\t{missing}\n" in checked.stdout


def test_integer_point_keys(own_tree: Path, tmp_path: Path) -> None:
    info = pl.read_csv(own_tree / "eshot/eshot_points_info.csv", infer_schema=False)
    ids = dict(zip(info["file_id"], info["eshot_point_id"].cast(pl.Int64), strict=True))
    with emm1.build(own_tree, tmp_path / "by_file.duckdb") as store:
        by_file = store.sql("FROM eshot.categories").fetchall()
    path = own_tree / "eshot/category_to_point_ids.json"
    listed = json.loads(path.read_text())
    path.write_text(json.dumps({name: [ids[key] for key in keys] for name, keys in listed.items()}))
    rename_column("eshot_point_id", "eshot_points_id")(own_tree / "eshot/eshot_points_info.csv")
    with emm1.build(own_tree, tmp_path / "by_id.duckdb") as store:
        assert store.sql("FROM eshot.categories").fetchall() == by_file


def test_switched_triplet_columns(own_tree: Path, tmp_path: Path) -> None:
    with emm1.build(own_tree, tmp_path / "a.duckdb") as store:
        columns = "annotated_modality, paired_modality, encord_annotated_id, encord_paired_id"
        expected = store.sql(f"SELECT {columns} FROM e_mm1_1m.triplets").fetchall()
    with emm1.build(own_tree, tmp_path / "b.duckdb", switch_triplet_columns=True) as store:
        columns = "paired_modality, annotated_modality, encord_paired_id, encord_annotated_id"
        assert store.sql(f"SELECT {columns} FROM e_mm1_1m.triplets").fetchall() == expected
        note = store.sql("SELECT note FROM provenance WHERE source = 'e-mm1_1m/triplets.csv'").fetchall()
        assert "switched" in note[0][0]


def test_targets_that_are_refused(own_tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.duckdb"
    with duckdb.connect(str(other)) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS a")
    text = tmp_path / "notes.txt"
    text.write_text("notes")
    for target, message in (
        (other, "not an emm1 store"),
        (text, "not an emm1 store"),
        (tmp_path, "not an emm1 store"),
        (tmp_path / "no" / "emm1.duckdb", "does not exist"),
        (tmp_path / "EShot.duckdb", "cannot be called EShot.duckdb"),
    ):
        before = target.read_bytes() if target.is_file() else b""
        done = emm1_cli("build", own_tree, target, "--force")
        assert (done.returncode, message in done.stderr) == (1, True), done.stderr
        assert before == (target.read_bytes() if target.is_file() else b"")
    assert emm1_cli("build", tmp_path / "nowhere", tmp_path / "x.duckdb").returncode == 1


def test_a_store_open_elsewhere_is_not_replaced(own_tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "emm1.duckdb"
    with emm1.build(own_tree, path) as store:
        done = emm1_cli("build", own_tree, path, "--force")
        assert done.returncode == 1
        assert f"PID {os.getpid()}" in done.stderr
        with pytest.raises(emm1.StoreError, match="open in this process"):
            emm1.build(own_tree, path, force=True)
        assert store.sql("SELECT count(*) > 0 FROM e_mm1_100m.groups").fetchall() == [(True,)]
    assert emm1_cli("build", own_tree, path, "--force").returncode == 0


def test_a_full_disk(own_tree: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        done = emm1_cli("build", own_tree, disk / "emm1.duckdb")
        assert done.returncode == 1
        assert "no space left" in done.stderr
        assert not list(disk.iterdir())


@pytest.mark.parametrize(
    ("form", "todo"),
    [
        ("audio.csv.bz2", "decompress it"),
        ("audio.csv.xz", "decompress it"),
        ("audio.parquet", "write it as CSV"),
        ("audio.csv.parquet", "write it as CSV"),
    ],
)
def test_a_source_in_another_form_is_mentioned(form: str, todo: str, own_tree: Path, tmp_path: Path) -> None:
    path = own_tree / "e-mm1_100m/infos/audio.csv"
    packed = path.rename(path.with_name(form))
    report = build_store(own_tree, tmp_path / "emm1.duckdb")
    assert report.missing == ["e-mm1_100m/infos/audio.csv"]
    (warning,) = report.warnings
    assert (str(packed) in warning, todo in warning) == (True, True)
    groups = own_tree / "e-mm1_100m/nn_3/data_groups.csv"
    groups.rename(groups.with_name("data_groups.csv.bz2"))
    with pytest.raises(emm1.FileNotFoundError, match=r"the ranks 3 were asked for; .*audio.*is not there, but"):
        build_store(own_tree, tmp_path / "emm1.duckdb", ranks=[1, 3])

"""What is wrong with Parquet files of the Hub is named, with the file, row and column, and nothing is left behind."""

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_files import HUNDRED, ONE, edit, in_cache, with_value

import emm1
from emm1.ingest.run import build_store


def test_two_paths_of_one_item(own_hub: Path, tmp_path: Path) -> None:
    path = own_hub / HUNDRED / "nn_02.parquet"
    frame = pl.read_parquet(path)
    image, name = frame.row(4, named=True)["encord_image_id"], frame.row(4, named=True)["file_name_image"]
    with_value(path, "file_name_image", 5, "other.jpg")
    with pytest.raises(emm1.SourceError) as caught:
        build_store(own_hub, tmp_path / "emm1.duckdb")
    message = str(caught.value)
    assert message.startswith(f"image {image} has two file paths, ")
    assert (name in message, "/other.jpg'" in message, f"{path}, row 5" in message) == (True, True, True)
    assert message.count(".parquet, row ") == 2
    assert [left.name for left in tmp_path.iterdir()] == ["own"]


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
def test_wrong_values(name: str, column: str, value: Any, says: str, own_hub: Path, tmp_path: Path) -> None:
    path = with_value(own_hub / name, column, 3, value)
    refused(own_hub, tmp_path, f"{path}, row 3, column {column}: {says}")


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
def test_wrong_types(name: str, column: str, wrong: pl.Expr, says: str, own_hub: Path, tmp_path: Path) -> None:
    (path,) = own_hub.rglob(f"{name}.parquet")
    edit(path, lambda f: f.with_columns(wrong.alias(column)))
    refused(own_hub, tmp_path, f"{path}, column {column}: ", says)


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
def test_missing_columns(name: str, columns: list[str], own_hub: Path, tmp_path: Path) -> None:
    (path,) = own_hub.rglob(f"{name}.parquet")
    edit(path, lambda f: f.drop(columns))
    found = list(pl.read_parquet_schema(path))
    refused(
        own_hub,
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
def test_damaged_files(how: str, says: str, name: str, own_hub: Path, tmp_path: Path) -> None:
    (path,) = own_hub.rglob(f"{name}.parquet")
    damage(path, how)
    refused(own_hub, tmp_path, f"{path} {says}")


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.7])
def test_overwritten_bytes(at: float, own_hub: Path, tmp_path: Path) -> None:
    """Whatever is read of them, the file is named."""
    path = own_hub / ONE / "image_to_points.parquet"
    data = path.read_bytes()
    begin = int(len(data) * at)
    path.write_bytes(data[:begin] + b"\xff" * 60 + data[begin + 60 :])
    refused(own_hub, tmp_path, str(path))


def test_text_that_is_not_utf8(own_hub: Path, tmp_path: Path) -> None:
    path = own_hub / ONE / "audio_to_image.parquet"
    table = pq.read_table(path)
    at = table.column_names.index("caption")
    broken = (
        pa.array([b"caf\xe9"] * table.num_rows).cast(pa.string(), safe=False) if False else _not_utf8(table.num_rows)
    )
    pq.write_table(table.set_column(at, "caption", broken), path)
    refused(own_hub, tmp_path, f"{path} is damaged or no complete Parquet file")


def _not_utf8(rows: int) -> pa.Array:
    data = pa.array([b"caf\xe9"] * rows, pa.binary())
    return pa.Array.from_buffers(pa.string(), rows, data.buffers())


def test_two_groups_of_one_caption_and_rank(own_hub: Path, tmp_path: Path) -> None:
    path = own_hub / HUNDRED / "nn_03.parquet"
    captions = pl.read_parquet(path)["encord_text_id"]
    with_value(path, "encord_text_id", 9, captions[0])
    with_value(path, "caption", 9, pl.read_parquet(path)["caption"][0])
    refused(own_hub, tmp_path, f"the caption {captions[0]} has two groups of rank 3: {path}, row 1, and {path}, row 9")


def test_a_rank_in_two_files(own_hub: Path, tmp_path: Path) -> None:
    path = own_hub / HUNDRED / "nn_03.parquet"
    shutil.copy(path, path.with_name("nn_3.parquet"))
    refused(own_hub, tmp_path, "has two groups of rank 3: ", f"{path}, row 1", "nn_3.parquet, row 1")


def test_labels(own_hub: Path, tmp_path: Path) -> None:
    path = own_hub / ONE / "audio_to_image.parquet"
    frame = pl.read_parquet(path)
    at = frame["annotation"].to_list().index(1) + 1
    with_value(path, "annotation_str", at, "Splendid Match")
    refused(own_hub, tmp_path, "the annotation 1 is called ", "'Splendid Match'", f"{path}, row {at}", "'Good Match' (")
    frame.with_columns(
        annotation=pl.when(pl.int_range(pl.len()) == 1).then(9).otherwise("annotation"),
        annotation_str=pl.when(pl.int_range(pl.len()) != 1).then("annotation_str"),
    ).write_parquet(path)
    refused(own_hub, tmp_path, f"{path}, row 2, column annotation: the code has no label")
    for each in (own_hub / ONE).iterdir():
        edit(each, lambda f: f.drop("annotation_str"))
    report = build_store(own_hub, tmp_path / "emm1.duckdb")
    assert report.rows["e_mm1_1m.annotation_mapping"] == 0


def test_other_parquet_files(own_hub: Path, tmp_path: Path) -> None:
    build_store(own_hub, tmp_path / "before.duckdb")
    pl.DataFrame({"id": [1], "vector": [[0.5]]}).write_parquet(own_hub / ONE / "vectors.parquet")
    assert build_store(own_hub, tmp_path / "before.duckdb").up_to_date
    only = tmp_path / "only"
    only.mkdir()
    shutil.copy(own_hub / ONE / "vectors.parquet", only)
    refused(only, tmp_path, "no Parquet files of the Hub", "vectors.parquet has the columns 'id, vector'")


def test_files_that_are_elsewhere(tmp_path: Path) -> None:
    for root in ("hf://datasets/encord-team/E-MM1-1M", "https://example.org/data/nn_01.parquet"):
        refused(Path(root), tmp_path, "is not on this machine", "hf download encord-team/E-MM1-1M --repo-type dataset")
    refused(tmp_path / "nn_01.parquet", tmp_path, "does not exist")


def test_an_unknown_column_may_be_called_anything(own_hub: Path, tmp_path: Path) -> None:
    for path in own_hub.rglob("*.parquet"):
        edit(path, lambda f: f.with_columns(encord_hash=pl.lit("ab"), encord_other_id=pl.lit("cd")))
    with emm1.build(own_hub, tmp_path / "emm1.duckdb") as store:
        found = store.sql("SELECT DISTINCT encord_hash, encord_other_id FROM e_mm1_100m.groups").fetchall()
    assert found == [("ab", "cd")]


def test_two_snapshots(hub: Path, tmp_path: Path) -> None:
    dataset = in_cache(hub, tmp_path, "E-MM1-1M")
    shutil.copytree(dataset / "snapshots/0a1b", dataset / "snapshots/2c3d", dirs_exist_ok=True)
    (dataset / "refs/main").unlink()
    refused(tmp_path, tmp_path, f"{dataset} has 3 snapshots: name one")
    dataset.rename(tmp_path / "datasets--of--others")
    refused(tmp_path, tmp_path, "no Parquet files of the Hub")
    shutil.copytree(hub / "E-MM1-1M", tmp_path / "both" / "one")
    shutil.copytree(hub / "E-MM1-1M", tmp_path / "both" / "two")
    refused(
        tmp_path / "both", tmp_path, "are both E-MM1-1M/data/audio_to_image.parquet: name the folder of one of them"
    )


def test_one_file_under_two_names(own_hub: Path, tmp_path: Path) -> None:
    folder = own_hub / ONE
    shutil.copy(folder / "audio_to_image.parquet", folder / "copy.parquet")
    refused(
        own_hub,
        tmp_path,
        f"{folder / 'audio_to_image.parquet'} and {folder / 'copy.parquet'} have the same content: move one of them away",
    )


def test_a_snapshot_that_is_not_there(hub: Path, tmp_path: Path) -> None:
    dataset = in_cache(hub, tmp_path, "E-MM1-1M")
    (dataset / "refs/main").write_text("ffff")
    refused(tmp_path, tmp_path, f"{dataset / 'refs/main'} names the snapshot 'ffff', which is not there")


def test_ranks_that_a_single_file_lacks(hub: Path, tmp_path: Path) -> None:
    file = hub / HUNDRED / "nn_01.parquet"
    with pytest.raises(FileNotFoundError) as caught:
        build_store(file, tmp_path / "emm1.duckdb", ranks=[3])
    assert f"{file} has no such groups, but the ranks 3 were asked for" in str(caught.value)

"""Compressed source files are read as what they hold; those that are cut short or damaged are refused by name."""

import gzip
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from store_content import content
from trees import copied

import emm1
from emm1.ingest.run import build_store
from emm1.ingest.sources import find_sources


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


COMPRESS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstd}


def compressed(tree: Path, suffix: str) -> Path:
    """Compress every CSV and JSON file of a tree."""
    for path in [*tree.rglob("*.csv"), *tree.rglob("*.json")]:
        replace(path, suffix, path.read_bytes())
    return tree


def replace(path: Path, suffix: str, data: bytes) -> Path:
    packed = path.with_name(path.name + suffix)
    packed.write_bytes(COMPRESS[suffix](data))
    path.unlink(missing_ok=True)
    return packed


def without_paths(store: Path) -> dict[str, object]:
    """The content of a store, but for the paths of its source files."""
    found = content(store)
    return {**found, "provenance": [(source, *rest) for source, _path, *rest in found["provenance"]]}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_the_store_is_the_same(suffix: str, tree: Path, store_path: Path, tmp_path: Path) -> None:
    own = compressed(copied(tree, tmp_path / "own"), suffix)
    store = tmp_path / "emm1.duckdb"
    report = build_store(own, store, media_root=tree)
    assert (report.missing, report.warnings) == ([], [])
    assert without_paths(store) == without_paths(store_path)
    assert build_store(own, store, media_root=tree).up_to_date
    # What a file holds is what counts, not how it is stored.
    assert build_store(tree, store).up_to_date


@pytest.mark.parametrize("suffix", COMPRESS)
def test_unusual_files_and_several_streams(suffix: str, own_tree: Path, tmp_path: Path) -> None:
    """An empty line leaves a file to DuckDB's reader; compressed files may consist of several streams."""
    plain, packed = tmp_path / "plain.duckdb", tmp_path / "packed.duckdb"
    path = own_tree / "e-mm1_1m/infos/audio.csv"
    header, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(header + b"\n\n" + rest)
    build_store(own_tree, plain, splits=["1m"])
    for name in ("e-mm1_1m/infos/audio.csv", "e-mm1_1m/infos/image.csv", "e-mm1_1m/triplets.csv"):
        data = (own_tree / name).read_bytes()
        file = replace(own_tree / name, suffix, data)
        half = len(data) // 2
        file.write_bytes(COMPRESS[suffix](data[:half]) + COMPRESS[suffix](data[half:]))
    build_store(own_tree, packed, splits=["1m"])
    assert without_paths(packed) == without_paths(plain)


@pytest.mark.parametrize(
    "name",
    [
        "e-mm1_1m/triplets.csv",
        "e-mm1_1m/infos/audio.csv",
        "e-mm1_100m/nn_1/data_groups.csv",
        "e-mm1_1m/annotation_mapping.csv",
        "eshot/category_to_audio_ids.json",
    ],
)
@pytest.mark.parametrize(
    ("damage", "suffix"),
    [
        *product(["cut in half", "cut at the end", "not compressed"], COMPRESS),
        ("other bytes", ".gz"),
    ],  # gzip has a checksum
)
def test_damaged_files_are_named(damage: str, name: str, suffix: str, own_tree: Path, tmp_path: Path) -> None:
    data = (own_tree / name).read_bytes()
    packed = replace(own_tree / name, suffix, data)
    whole = packed.read_bytes()
    packed.write_bytes(
        {
            "cut in half": whole[: len(whole) // 2],
            "cut at the end": whole[:-3],
            "not compressed": data,
            "other bytes": whole[: len(whole) // 2] + bytes(5) + whole[len(whole) // 2 + 5 :],
        }[damage]
    )
    store = tmp_path / "emm1.duckdb"
    with pytest.raises(emm1.SourceError, match=name) as caught:
        build_store(own_tree, store)
    if damage != "other bytes":  # the bytes may be valid, and the text they give is not
        assert "is not whole" in str(caught.value)
        assert "download it again" in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tree"]


def test_a_wrong_value_has_its_line(own_tree: Path, tmp_path: Path) -> None:
    path = own_tree / "e-mm1_1m/infos/audio.csv"
    header, _first, rest = path.read_bytes().split(b"\n", 2)
    replace(path, ".gz", header + b"\n1.5,AudioSet,MIT,abc,0,10,abc.mp4,shared\n" + rest)
    with pytest.raises(emm1.SourceError, match=r"audio\.csv\.gz, line 2 \(row 1\), column encord_audio_id: '1\.5'"):
        build_store(own_tree, tmp_path / "emm1.duckdb")


def test_a_plain_file_is_preferred(own_tree: Path) -> None:
    path = own_tree / "e-mm1_1m/infos/audio.csv"
    path.with_name("audio.csv.gz").write_bytes(b"not read")
    assert path in {source.path for source in find_sources(own_tree, None, None).sources}


def test_groups_of_ones_own(tree: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups"
    shutil.copytree(tree / "e-mm1_100m/nn_1", groups / "nn_1")
    replace(groups / "nn_1/data_groups.csv", ".zst", (groups / "nn_1/data_groups.csv").read_bytes())
    report = build_store(tree, tmp_path / "emm1.duckdb", groups=groups)
    assert report.rows["e_mm1_100m.groups"] == pl.read_csv(tree / "e-mm1_100m/nn_1/data_groups.csv").height


@pytest.mark.parametrize("header", ["annotation,annotation_string", "annotation,annotation_str", "code,label", None])
def test_labels_under_any_header(header: str | None, own_tree: Path, tmp_path: Path) -> None:
    path = own_tree / "e-mm1_1m/annotation_mapping.csv"
    rows = "1,Good Match\n2,Partial Match\n3,Bad Match\n"
    path.write_text(f"{header}\n{rows}" if header else rows)
    with emm1.build(own_tree, tmp_path / "emm1.duckdb", splits=["1m"]) as store:
        labels = store.sql("FROM e_mm1_1m.annotation_mapping").fetchall()
    assert labels == [(1, "Good Match"), (2, "Partial Match"), (3, "Bad Match")]

"""Exports read back by the libraries that they are for, and compared with the rows of the query and with the files."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from clients import NotAvailableError, python

import emm1
from emm1.media.points import read_points

READERS = python("Readers of exports", "readers", "use_exports.py", sources=("jsonpath-rw",))
SAMPLES = "SELECT encord_text_id, nn_index, caption, image_file_path, audio_file_path FROM groups WHERE nn_index <= 2"
CLOUDS = "SELECT id, modality, source_dataset, file_path FROM assets WHERE dataset = '100m' AND modality = 'points'"
TABLES = """
    SELECT *, [nn_index, 7] AS list, [1.5, 2]::FLOAT[2] AS two, [caption] AS texts, encord_image_id > 9 AS large, 0.5::DOUBLE AS half,
        TIMESTAMP '2024-05-06 07:08:09' AS moment, {'rank': nn_index} AS struct
    FROM groups WHERE nn_index <= 2 ORDER BY encord_text_id, nn_index
"""
HUB = "SELECT * FROM triplets ORDER BY ALL"
TABULAR = {"tables", "hub"}
ALL = {"samples", "clouds", *TABULAR}
READ = {
    *(("webdataset", export) for export in ALL - TABULAR),
    *((reader, export) for reader in ("datasets", "datasets, streaming", "mlcroissant") for export in ALL),
}

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Rows]]:
    """A folder of exports, and the rows of each as the store has them."""
    folder = tmp_path_factory.mktemp("exports")
    emm1.write_sample(folder / "sample", scale=0.0002, embeddings=0, media=True)
    with emm1.build(folder / "sample", folder / "emm1.duckdb") as store:
        store.export(SAMPLES, "webdataset", folder / "samples", shard_size=10)
        store.export(CLOUDS, "webdataset", folder / "clouds", shard_size=20)
        store.export(TABLES, "parquet", folder / "tables", shard_size=1000)
        store.export(HUB, "hub", folder / "hub")
        rows = {
            name: store.sql(query).to_arrow_table().to_pylist()
            for name, query in (("samples", SAMPLES), ("clouds", CLOUDS), ("tables", TABLES))
        }
    # That these are what the store has is tested elsewhere, by a build that reads them.
    rows["hub"] = [
        row for path in sorted((folder / "hub" / "data").iterdir()) for row in pq.read_table(path).to_pylist()
    ]
    return folder, rows


@pytest.fixture(scope="module")
def found(exported: tuple[Path, dict[str, Rows]]) -> dict[tuple[str, str], dict[str, Any]]:
    """What each reader printed about each export."""
    try:
        READERS.install()
    except NotAvailableError as error:
        pytest.skip(f"{READERS.label}: not run: {error}")
    done = READERS.run(*READERS.program, where=exported[0], check=False)
    assert done.returncode == 0, done.stderr
    *printed, last = (json.loads(line) for line in done.stdout.splitlines())
    assert last == {"torch": False}
    assert {(each["reader"], each["export"]) for each in printed} == READ
    return {(each["reader"], each["export"]): each for each in printed}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def of_array(array: Any) -> list[Any]:
    return [digest(np.ascontiguousarray(array).tobytes()), [*array.shape], "float32"]


def expected_samples(rows: Rows) -> dict[str, dict[str, Any]]:
    """The members of the complete rows, by the text of their JSON without paths."""
    samples = {}
    for row in rows:
        paths = {
            name.removesuffix("_file_path"): Path(row[name] or "none") for name in row if name.endswith("file_path")
        }
        if all(path.is_file() for path in paths.values()):
            if "modality" in row:
                cloud = read_points(row["file_path"]).array
                members: dict[str, Any] = {
                    "points.xyz.npy": of_array(cloud[:, :3]),
                    "points.rgb.npy": of_array(cloud[:, 3:]),
                }
            else:
                members = {f"{name}{path.suffix}": digest(path.read_bytes()) for name, path in paths.items()}
            samples[identity(row)] = members
    return samples


def identity(row: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in row.items() if not name.endswith("file_path")}, sort_keys=True)


@pytest.mark.parametrize("export", sorted(ALL - TABULAR))
@pytest.mark.parametrize("reader", ["webdataset", "datasets", "datasets, streaming"])
def test_samples(
    reader: str,
    export: str,
    exported: tuple[Path, dict[str, Rows]],
    found: dict[tuple[str, str], dict[str, Any]],
) -> None:
    folder, rows = exported
    expected = expected_samples(rows[export])
    read = found[reader, export]["rows"]
    assert [row["__key__"] for row in read] == [f"{number:09}" for number in range(len(expected))]
    assert len(expected) > 50
    for row in read:
        members = {name: value for name, value in row.items() if name != "json" and not name.startswith("__")}
        assert members == expected.pop(identity(row["json"]))
        for name, path in row["json"].items():
            if name.endswith("file_path"):
                assert (folder / "sample" / path).is_file()


@pytest.mark.parametrize("export", sorted(TABULAR))
@pytest.mark.parametrize("reader", ["datasets", "datasets, streaming", "mlcroissant"])
def test_tables(
    reader: str,
    export: str,
    exported: tuple[Path, dict[str, Rows]],
    found: dict[tuple[str, str], dict[str, Any]],
) -> None:
    _, rows = exported
    read = [{name.removeprefix("rows/"): value for name, value in row.items()} for row in found[reader, export]["rows"]]
    assert len(read) > 300
    expected = [json.loads(json.dumps(row, default=str)) for row in rows[export]]
    if reader == "mlcroissant" and export == "tables":
        assert [row.pop("struct") for row in expected]  # Croissant's readers know no structs, so it is no field
    assert read == expected


def test_features(found: dict[tuple[str, str], dict[str, Any]]) -> None:
    tables, hub = (found["datasets", export]["features"] for export in ("tables", "hub"))
    assert tables["nn_index"] == "Value('int16')"
    assert tables["caption"] == tables["image_file_path"] == "Value('string')"
    assert hub["annotation"] == hub["encord_paired_id"] == "Value('int64')"
    assert hub["caption"] == "Value('large_string')"
    samples, clouds = (found["datasets", export]["features"] for export in ("samples", "clouds"))
    assert samples["image.jpg"].startswith("Image")
    assert samples["audio.mp4"].startswith("Video")  # by its suffix; README.md cannot say otherwise
    assert clouds["points.xyz.npy"] == "List(List(Value('float32')))"


@pytest.mark.parametrize("export", sorted(ALL))
def test_croissant(export: str, exported: tuple[Path, dict[str, Rows]], found: dict[tuple[str, str], Any]) -> None:
    assert found["mlcroissant", export]["errors"] == []
    described = json.loads((exported[0] / export / "croissant.json").read_text(encoding="utf-8"))
    assert bool(described.get("recordSet")) == (export in TABULAR)

"""Retrieval in shards gives the report of one process."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest
from system import emm1_cli

import emm1


@pytest.fixture
def store(tmp_path: Path) -> Path:
    emm1.write_sample(tmp_path / "sample", embeddings=16)
    path = tmp_path / "emm1.duckdb"
    with emm1.build(tmp_path / "sample", path, splits=["1m"]) as made:
        for modality in ("text", "image"):
            made.registry.add(
                modality, tmp_path / f"sample/embeddings/1m/{modality}.npy", dataset="1m", modality=modality
            )
    return path


def test_the_report_of_one_process(store: Path, tmp_path: Path) -> None:
    asked = ["retrieval", store, "text", "image", "--resamples", 50, "--k", "1,3"]
    whole = emm1_cli(*asked, "--output", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    for shard in ("3/3", "1/3"):
        done = emm1_cli(*asked, "--output", tmp_path / "shared", "--shard", shard)
        assert done.stdout == f"{tmp_path / 'shared.parts'}: shard {shard} is done\n", done.stderr
    lacking = emm1_cli(*asked, "--output", tmp_path / "shared", "--merge")
    assert lacking.returncode == 1
    assert "lacks 1 of 3 parts: 000001.parquet; run shard 2/3 again" in lacking.stderr
    other = emm1_cli(*asked, "--metric", "dot", "--output", tmp_path / "shared", "--shard", "2/3")
    assert "holds parts of a run with other files or settings" in other.stderr
    assert emm1_cli(*asked, "--output", tmp_path / "shared", "--shard", "2/3").returncode == 0
    merged = emm1_cli(*asked, "--output", tmp_path / "shared", "--merge")
    assert merged.stdout == whole.stdout, merged.stderr
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "shared").iterdir())
    tables = [name for name in names if name.endswith(".parquet")]
    assert tables
    assert filecmp.cmpfiles(tmp_path / "whole", tmp_path / "shared", tables, shallow=False)[0] == tables
    assert not (tmp_path / "shared.parts").exists()


def test_shards_need_to_know_where_to(store: Path) -> None:
    for wrong in (["--shard", "1/2"], ["--merge"]):
        refused = emm1_cli("retrieval", store, "text", "image", *wrong)
        assert refused.returncode == 2
        assert "says where the report of all parts goes" in refused.stderr
    both = emm1_cli("retrieval", store, "text", "image", "--output", "r", "--shard", "1/2", "--merge")
    assert both.returncode == 2
    assert "give it without --shard" in both.stderr

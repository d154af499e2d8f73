"""A media root that is not there is a warning: the media may come later, but a typing error should not go unnoticed."""

from pathlib import Path

import pytest
from system import emm1_cli

import emm1


def test_a_media_root_that_is_not_there(tree: Path, tmp_path: Path) -> None:
    store, gone = tmp_path / "emm1.duckdb", tmp_path / "gone"
    with pytest.warns(UserWarning, match=f"the media root {gone} is not a folder") as warned:
        emm1.build(tree, store, splits=["eshot"], media_root=gone).close()
    assert len(warned) == 1
    with emm1.open(store, read_only=True) as opened:
        paths = opened.sql("SELECT count(*) FROM assets WHERE NOT starts_with(file_path, $1)", params=[f"{gone}/"])
        assert paths.fetchall() == [(0,)]
    for splits in ("eshot", "1m"):  # the store is up to date, or not
        done = emm1_cli("build", tree, store, "--splits", splits, "--media-root", gone)
        assert done.returncode == 0
        assert (
            done.stderr == f"emm1: warning: the media root {gone} is not a folder: the store's file paths lead there\n"
        )


def test_a_media_root_that_is_there(tree: Path, tmp_path: Path) -> None:
    done = emm1_cli("build", tree, tmp_path / "emm1.duckdb", "--splits", "eshot", "--media-root", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")

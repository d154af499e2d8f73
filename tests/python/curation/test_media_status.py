"""Checks of media files: the table that they write, what is looked at again, and the lists of what failed."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from system import command, emm1_cli

import emm1
from emm1.curation.failed_media import write_failed

TABLE = "SELECT dataset, modality::VARCHAR, id, status FROM media_status ORDER BY ALL"


@pytest.fixture
def store(illustrated: Path, tmp_path: Path) -> Path:
    """A store with its media beside it, hard links to those of the session."""
    shutil.copytree(
        illustrated.parent / "sample",
        tmp_path / "sample",
        copy_function=os.link,
        ignore=shutil.ignore_patterns("embeddings"),
    )
    return Path(shutil.copy(illustrated, tmp_path / "emm1.duckdb"))


def rows(path: Path, query: str = TABLE) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_what_is_on_the_disk_is_ok_and_the_rest_is_missing(store: Path, tmp_path: Path) -> None:
    root = tmp_path / "sample"
    with emm1.open(store) as opened:
        files = opened.sql(
            "SELECT dataset, modality::VARCHAR, id, save_folder || '/' || modality || '/' || file_name FROM assets "
            "WHERE file_name IS NOT NULL ORDER BY ALL"
        ).fetchall()
        expected = [(d, m, i, "ok" if (root / path).exists() else "missing") for d, m, i, path in files]
        first = opened.check_media(root)
        assert rows_of(opened) == expected
        assert {status for *_, status in expected} == {"ok", "missing"}
        assert (first.examined, first.flagged, first.items) == (len(files), 0, len(files))
        assert opened.check_media(root).examined == 0

        # A file that is damaged, one that goes, and one that comes, in a folder that other documents name.
        there = [path for *_, path in files if (root / path).exists()]
        damaged = next(path for path in there if path.startswith("e-mm1_1m_only/image"))
        replace(root / damaged, b"<html>")
        gone = next(path for path in there if "eshot/points" in path)
        (root / gone).unlink()
        moved = next(path for path in there if "/audio/" in path and path.startswith("e-mm1_1m_only"))
        other = root / moved.replace("/audio/", "/video/")
        other.parent.mkdir(exist_ok=True)
        (root / moved).rename(other)
        again = opened.check_media(root)
        assert again.flagged == 1
        statuses = {path: status for (*_, path), (*_, status) in zip(files, rows_of(opened), strict=True)}
        assert (statuses[damaged], statuses[gone], statuses[moved]) == ("html", "missing", "ok")
        assert again.examined == sum(path in {damaged, gone, moved} for *_, path in files)
        flags = opened.sql("SELECT flag, source FROM flags").fetchall()
        assert flags == [("broken", "media check")]


def rows_of(store: emm1.Store) -> list[tuple[object, ...]]:
    return store.sql(TABLE).fetchall()


def replace(path: Path, content: bytes) -> None:
    """Write a file anew, since the old one may have other names."""
    path.unlink()
    path.write_bytes(content)


def test_a_killed_check_goes_on_to_the_same_table(store: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(store, tmp_path / "whole.duckdb"))
    arguments = ("--root", tmp_path / "sample", "--threads", "1")
    process = subprocess.Popen(command("media", "check", store, *arguments), stdout=subprocess.DEVNULL)
    time.sleep(1.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = emm1_cli("media", "check", store, *arguments)
    assert done.returncode == 0, done.stderr
    whole = emm1_cli("media", "check", other, *arguments)
    assert done.stdout == whole.stdout
    assert rows(store) == rows(other)


def test_only_the_failed_ones_are_written_as_they_are_published(store: Path, tmp_path: Path) -> None:
    failed = tmp_path / "failed"
    command = ("media", "check", store, "--root", tmp_path / "sample", "--failed", failed, "--format", "csv")
    done = emm1_cli(*command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("dataset,modality,status,items\n")
    wanted = len(rows(store, "SELECT 1 FROM media_status WHERE status <> 'ok'"))
    assert f"{wanted:,} rows of items whose files failed" in done.stderr
    written = sorted(path.relative_to(failed).as_posix() for path in failed.rglob("*.csv"))
    for name in written:
        published = tmp_path / "sample" / name
        columns = published.read_text("utf-8").partition("\n")[0]
        assert (failed / name).read_text("utf-8").partition("\n")[0] == columns
        query = f"""
            SELECT (SELECT count(*) FROM (FROM '{failed / name}' EXCEPT FROM '{published}')),
                (SELECT count(*) FROM '{failed / name}')
        """
        ((strange, count),) = duckdb.execute(query).fetchall()
        assert strange == 0
        wanted -= count
    assert wanted == 0
    lines = (failed / "yt-dlp.sh").read_text("utf-8").splitlines()
    assert subprocess.run(["sh", "-n", failed / "yt-dlp.sh"], check=False).returncode == 0
    clips = "SELECT count(*) FROM media_status WHERE status <> 'ok' AND modality IN ('audio', 'video')"
    assert len(lines) - 1 <= rows(store, clips)[0][0]  # type: ignore[operator]
    assert len(lines) > 1
    addresses = pq.read_table(failed / "img2dataset.parquet")
    assert addresses.column_names == ["url", "path"]
    assert all(url.startswith("http") for url in addresses["url"].to_pylist())
    # What an earlier run wrote of items that are well now is not left.
    with duckdb.connect(str(store)) as connection:
        connection.execute("UPDATE media_status SET status = 'ok'")
    with emm1.open(store, read_only=True) as opened:
        assert write_failed(opened, failed) == 0
    assert list(failed.rglob("*.csv")) == []


def test_what_is_refused(store: Path, tmp_path: Path) -> None:
    with emm1.open(store, read_only=True) as opened, pytest.raises(emm1.StoreError, match="open it for writing"):
        opened.check_media(tmp_path)
    for arguments, words in (
        (("--root", tmp_path / "no"), "there is no folder"),
        (("--modality", "text"), "files have image, audio, video, points"),
        (("--split", "2m"), "unknown split '2m'"),
    ):
        done = emm1_cli("media", "check", store, *arguments)
        assert (done.returncode, words in done.stderr) == (1, True), done.stderr

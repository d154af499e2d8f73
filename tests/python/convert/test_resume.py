"""An import that was interrupted goes on where it was, and gives the bytes of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from system import read_only, small_disk

import emm1
from emm1.convert import write
from emm1.convert.input_file import BLOCK
from emm1.convert.run import Imported, convert

ROWS, DIMS = 5 * BLOCK + 77, 6
Make = Callable[[Path, NDArray[Any]], list[Path]]


class StopError(Exception):
    """Raised by a callback."""


@pytest.fixture(autouse=True)
def recorded_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "RECORDED", 2 * BLOCK * DIMS)


def rows_of() -> NDArray[np.float32]:
    rows = np.random.default_rng(6).normal(size=(ROWS, DIMS)).astype(np.float32)
    rows[BLOCK + 3] = 0
    return rows


def lists(folder: Path, rows: NDArray[Any]) -> list[Path]:
    pq.write_table(pa.table({"k": np.arange(ROWS), "v": list(rows)}), folder / "a.parquet", row_group_size=3000)
    return [folder / "a.parquet"]


def wide(folder: Path, rows: NDArray[Any]) -> list[Path]:
    table = pa.table({"k": np.arange(ROWS), **{f"e{j}": rows[:, j] for j in range(DIMS)}})
    pq.write_table(table, folder / "a.parquet", row_group_size=3000)
    return [folder / "a.parquet"]


def several(folder: Path, rows: NDArray[Any]) -> list[Path]:
    files = []
    for i, part in enumerate(np.array_split(np.arange(ROWS), 3)):
        files.append(folder / f"{i}.arrows")
        table = pa.table({"k": part, "v": list(rows[part])})
        with pa.ipc.new_stream(files[-1], table.schema) as stream:
            stream.write_table(table, max_chunksize=1000)
    return files


def compressed(folder: Path, rows: NDArray[Any]) -> list[Path]:
    np.savez_compressed(folder / "a.npz", v=rows.astype(">f4"), k=np.arange(ROWS))
    return [folder / "a.npz"]


def run(sources: list[Path], target: Path, **options: Any) -> Imported:
    nothing: dict[str, Any] = {"key": "k", "vector": None, "store": None, "dataset": None, "modality": None}
    return convert(sources, target, **(nothing | options))


def stopping(at: int) -> Callable[[str, int, int], None]:
    def progress(what: str, done: int, _total: int) -> None:
        if what == "converting" and done >= at:
            raise StopError

    return progress


def content(target: Path) -> tuple[bytes, bytes]:
    return target.read_bytes(), target.with_suffix(".ids.npy").read_bytes()


@pytest.mark.parametrize("make", [lists, wide, several, compressed])
@pytest.mark.parametrize("normalize", [False, True])
def test_it_goes_on_and_gives_the_same_bytes(tmp_path: Path, make: Make, normalize: bool) -> None:
    sources = make(tmp_path, rows_of())
    whole = run(sources, tmp_path / "whole.npy", normalize=normalize)
    for at in (2 * BLOCK, 4 * BLOCK):
        with pytest.raises(StopError):
            run(sources, tmp_path / "b.npy", normalize=normalize, progress=stopping(at))
        assert (tmp_path / "b.npy.parts").is_dir()
        assert not (tmp_path / "b.npy").exists()
    steps: list[int] = []

    def progress(what: str, done: int, total: int) -> None:
        if what == "converting":
            assert done <= total
            steps.append(done)

    done = run(sources, tmp_path / "b.npy", normalize=normalize, progress=progress)
    assert steps[0] > 2 * BLOCK  # what was written is not written again
    assert steps[-1] == ROWS
    assert content(tmp_path / "b.npy") == content(tmp_path / "whole.npy")
    assert done == whole  # also what is said of the rows that the first runs wrote
    assert not (tmp_path / "b.npy.parts").exists()


def test_another_run_does_not_go_on_with_it(tmp_path: Path) -> None:
    sources = lists(tmp_path, rows_of())
    with pytest.raises(StopError):
        run(sources, tmp_path / "b.npy", progress=stopping(4 * BLOCK))
    other: list[dict[str, Any]] = [{"normalize": True}, {"key": None}]
    for options in other:
        with pytest.raises(
            emm1.EmbeddingError, match=r"b\.npy\.parts holds parts of a run with other files or settings"
        ):
            run(sources, tmp_path / "b.npy", **options)
    rows = rows_of()
    rows[0] = 5
    lists(tmp_path, rows)
    with pytest.raises(emm1.EmbeddingError, match="remove the folder to start again"):
        run(sources, tmp_path / "b.npy")


def test_a_wrong_row_leaves_nothing_to_go_on_with(tmp_path: Path) -> None:
    rows = rows_of()
    rows[-1] = np.nan
    with pytest.raises(emm1.EmbeddingError, match=f"row {ROWS - 1} of 'v' holds NaN"):
        run(lists(tmp_path, rows), tmp_path / "b.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    sources = lists(tmp_path, rows_of())
    with pytest.raises(StopError):
        run(sources, tmp_path / "b.npy", progress=stopping(4 * BLOCK))
    record = tmp_path / "b.npy.parts" / write.RECORD
    for text in ("", "{", "[]", '{"read": 5}', record.read_text().replace('"size"', '"sizes"')):
        record.write_text(text)
        with pytest.raises(emm1.EmbeddingError, match=r"record\.json is damaged: remove the folder"):
            run(sources, tmp_path / "b.npy")
        assert record.exists()
    vectors = tmp_path / "b.npy.parts" / write.VECTORS
    vectors.unlink()
    with pytest.raises(emm1.EmbeddingError, match="damaged"):
        run(sources, tmp_path / "b.npy")


KILLED = """
import sys, os, signal
from pathlib import Path
from emm1.convert import write
from emm1.convert.run import Imported, convert
write.RECORDED = int(sys.argv[1])
def progress(what, done, total):
    if what == "converting" and done >= 4 * 4096:
        os.kill(os.getpid(), signal.SIGKILL)
convert(sys.argv[2], sys.argv[3], key="k", vector=None, store=None, dataset=None, modality=None, progress=progress)
"""


@pytest.mark.parametrize("recorded", [write.RECORDED, 2 * BLOCK * DIMS])
def test_a_killed_run_is_continued(tmp_path: Path, recorded: int) -> None:
    """One that had recorded something goes on there, any other begins again."""
    (source,) = lists(tmp_path, rows_of())
    run([source], tmp_path / "whole.npy")
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(recorded), str(source), str(tmp_path / "b.npy")]
    killed = subprocess.run(command, check=False)
    assert killed.returncode == -signal.SIGKILL
    run([source], tmp_path / "b.npy")
    assert content(tmp_path / "b.npy") == content(tmp_path / "whole.npy")
    assert not (tmp_path / "b.npy.parts").exists()


def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_room(tmp_path: Path) -> None:
    (source,) = lists(tmp_path, rows_of())
    run([source], tmp_path / "whole.npy")
    with small_disk(tmp_path / "disk", "1m") as disk:
        (disk / "ballast").write_bytes(bytes(700_000))
        with pytest.raises(emm1.errors.WriteError, match=r"b\.npy cannot be written: No space left on device"):
            run([source], disk / "b.npy")
        assert not (disk / "b.npy").exists()
        assert not (disk / "b.ids.npy").exists()
        (disk / "ballast").unlink()
        run([source], disk / "b.npy")
        assert content(disk / "b.npy") == content(tmp_path / "whole.npy")


def test_a_read_only_folder_is_said(tmp_path: Path) -> None:
    (source,) = lists(tmp_path, rows_of())
    (tmp_path / "folder").mkdir()
    with (
        read_only(tmp_path / "folder") as folder,
        pytest.raises(emm1.errors.WriteError, match=r"folder/b\.npy cannot be written: Read-only file system"),
    ):
        run([source], folder / "b.npy")


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    (source,) = lists(tmp_path, rows_of())
    tried: list[str] = []

    def progress(what: str, _done: int, _total: int) -> None:
        if what == "converting" and not tried:
            code = f"import emm1; emm1.import_embeddings({str(source)!r}, {str(tmp_path / 'b.npy')!r}, key='k')"
            other = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ}
            )
            tried.append(other.stderr)

    run([source], tmp_path / "b.npy", progress=progress)
    assert "is being made by another process" in tried[0]

"""What takes long says how far it is: in callbacks that rise to a constant total, and as bars that Ctrl-C ends."""

from __future__ import annotations

import itertools
import os
import pty
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from system import command

import emm1
from emm1.convert.run import convert
from emm1.store.check import check_store

Call = tuple[str, int, int]
Work = Callable[[emm1.Store, Path, Callable[[str, int, int], object]], object]
ROWS = 30_000


class StopError(Exception):
    """Raised by a callback."""


@pytest.fixture
def store(store_path: Path, tmp_path: Path) -> emm1.Store:
    return emm1.open(shutil.copy(store_path, tmp_path / "emm1.duckdb"))


def adding(options: dict[str, object]) -> Work:
    def add(store: emm1.Store, folder: Path, progress: Callable[[str, int, int], object]) -> None:
        np.save(folder / "x.npy", np.random.default_rng(1).normal(size=(ROWS, 64)).astype(np.float32))
        ids = np.arange(ROWS)[::-1]
        store.registry.add(
            "x",
            folder / "x.npy",
            dataset="100m",
            modality="image",
            ids=ids,
            progress=lambda done, total: progress("reading", done, total),
            **options,  # type: ignore[arg-type]
        )

    return add


def verifying(options: dict[str, object]) -> Work:
    def verify(store: emm1.Store, folder: Path, progress: Callable[[str, int, int], object]) -> None:
        adding(options)(store, folder, lambda _what, _done, _total: None)
        store.registry.verify("x", progress=lambda done, total: progress("verifying", done, total))

    return verify


def check(store: emm1.Store, folder: Path, progress: Callable[[str, int, int], object]) -> None:
    items = store.sql(
        "SELECT save_folder, modality, file_name FROM assets WHERE save_folder IS NOT NULL AND modality <> 'text'"
    )
    for save_folder, modality, name in items.fetchall():
        file = folder / "media" / save_folder / modality / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (folder / "media" / "other.txt").touch()
    media = check_store(store.connection, folder / "media", progress).media
    assert media is not None
    assert set(media["reason"]) == {"found"}


def importing(name: str, key: str | None) -> Work:
    def run(_store: emm1.Store, folder: Path, progress: Callable[[str, int, int], object]) -> None:
        rows = np.random.default_rng(1).normal(size=(ROWS, 16)).astype(np.float32)
        vectors = pa.FixedSizeListArray.from_arrays(rows.ravel(), 16)
        table = pa.table({"item": np.arange(ROWS), "vector": vectors})
        match name:
            case "x.parquet":
                pq.write_table(table, folder / name)
            case "x.arrow":
                with pa.ipc.new_file(folder / name, table.schema) as file:
                    file.write_table(table, max_chunksize=1000)
            case "x.arrows":
                with pa.ipc.new_stream(folder / name, table.schema) as file:
                    file.write_table(table, max_chunksize=1000)
            case "folder":
                (folder / name).mkdir()
                pq.write_table(table.slice(0, 10_000), folder / name / "1.parquet")
                pq.write_table(table.slice(10_000), folder / name / "2.parquet")
            case "x.npz":
                np.savez(folder / name, vector=rows, item=np.arange(ROWS))
            case _:
                np.save(folder / name, rows.astype(np.float64))
        convert(
            *(folder / name, folder / "new.npy"),
            key=key,
            vector=None,
            store=None,
            dataset=None,
            modality=None,
            progress=progress,
        )

    return run


WORK: dict[str, Work] = {
    "add": adding({}),
    "add without codes": adding({"codes": False}),
    "verify": verifying({}),
    "verify without codes": verifying({"codes": False}),
    "check": check,
    **{
        f"import {name} {key or ''}": importing(name, key)
        for name in ("x.parquet", "x.arrow", "x.arrows", "folder", "x.npz", "y.npy")
        for key in (None, "item")
        if name != "y.npy" or key is None
    },
}


@pytest.mark.parametrize("name", WORK)
def test_done_rises_to_a_constant_total(name: str, store: emm1.Store, tmp_path: Path) -> None:
    calls: list[Call] = []
    WORK[name](store, tmp_path, lambda *call: calls.append(call))
    steps = [list(step) for _, step in itertools.groupby(calls, key=lambda call: call[0])]
    assert steps
    for step in steps:
        done = [call[1] for call in step]
        (total,) = {call[2] for call in step}
        assert done == sorted(done)
        assert done[0] >= 0
        if total:  # otherwise unknown: an Arrow stream does not say how many rows it has
            assert done[-1] <= total
            assert done[-1] == total or step is not steps[-1]
        else:
            assert (name, step[0][0]) in {("import x.arrows ", "converting"), ("import x.arrows item", "reading keys")}
    if name != "check":
        assert calls[-1][1] == ROWS


@pytest.mark.parametrize("name", WORK)
def test_what_a_callback_raises_ends_the_work(name: str, store: emm1.Store, tmp_path: Path) -> None:
    """As a signal handler does: nothing half-done is left."""

    def stop(_what: str, _done: int, _total: int) -> None:
        raise StopError

    with pytest.raises(StopError):
        WORK[name](store, tmp_path, stop)
    if name.startswith("add"):
        assert "x" not in store.registry
    if not name.startswith("verify"):
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(("x.npy.", "x.ids", "new"))]


def printed_until(descriptor: int, text: str) -> str:
    """What a terminal shows, until it shows a text or is closed."""
    read = b""
    while text not in read.decode(errors="replace"):
        try:
            more = os.read(descriptor, 1 << 16)
        except OSError:  # Linux's signal that the other end of a terminal is closed
            break
        if not more:
            break
        read += more
    return read.decode(errors="replace")


@pytest.fixture
def endless(tmp_path: Path) -> dict[str, tuple[list[object], str]]:
    """Commands that would take hours, because their files are large and full of holes; and what their bars say."""
    store = tmp_path / "emm1.duckdb"
    emm1.write_sample(tmp_path / "sample", scale=0.0002, embeddings=0)
    emm1.build(tmp_path / "sample", store, splits=["eshot"]).close()
    for name, dtype in (("x", "int8"), ("y", "float64")):
        shape = (2**22, 2**16)
        array = np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", np.dtype(dtype), shape)
        del array
    items = ("--dataset", "100m", "--modality", "image")
    with emm1.open(store) as opened:
        opened.connection.execute(
            "INSERT INTO embeddings BY NAME SELECT 'x' AS name, '100m' AS dataset, 'image' AS modality, 'dot' AS metric, "
            "'x.npy' AS path, '' AS codes_path, $rows AS rows, $dims AS dims, 'int8' AS dtype, 0 AS bytes, "
            "now() AS added_at, '' AS emm1_version",
            {"rows": 2**22, "dims": 2**16},
        )
    return {
        "add": (["embeddings", "add", store, "z", tmp_path / "x.npy", *items, "--no-codes"], "reading x.npy"),
        "verify": (["embeddings", "verify", store], "verifying x"),
        "import": (["embeddings", "import", tmp_path / "y.npy", tmp_path / "new.npy"], "converting"),
    }


@pytest.mark.parametrize("name", ["add", "verify", "import"])
def test_ctrl_c_ends_it_and_its_bar(name: str, endless: dict[str, tuple[list[object], str]], tmp_path: Path) -> None:
    arguments, says = endless[name]
    reading, writing = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        command(*arguments), stdin=subprocess.DEVNULL, stdout=writing, stderr=writing, env=environment
    )
    os.close(writing)
    assert says in printed_until(reading, says)
    process.send_signal(signal.SIGINT)
    rest = printed_until(reading, "no such text")
    os.close(reading)
    assert process.wait() == 130
    assert "emm1: interrupted" in rest
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("new")]


def test_the_bars_of_check(store: emm1.Store, tmp_path: Path) -> None:
    check(store, tmp_path, lambda _what, _done, _total: None)
    store.close()
    reading, writing = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        command("check", store.path, "--media-root", tmp_path / "media"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=writing,
        env=environment,
    )
    os.close(writing)
    printed = printed_until(reading, "no such text")
    os.close(reading)
    assert process.wait() == 0
    assert "looking for files" in printed

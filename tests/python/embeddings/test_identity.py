"""Codes of another file, damaged codes, files rewritten while they are open, and files of another shape."""

import os
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from system import emm1_cli, small_disk

import emm1
from emm1.embeddings.searching import _WARNED
from emm1.errors import EmbeddingsWarning

ROWS, DIMS = 2_000, 48
Vectors = NDArray[np.float32]


def vectors(seed: int = 0, rows: int = ROWS, dims: int = DIMS) -> Vectors:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(20, dims))
    return (centres[random.integers(0, 20, rows)] + random.normal(0, 0.3, (rows, dims))).astype(np.float32)


def nearest(x: Vectors, query: Vectors, k: int = 5) -> list[int]:
    """The nearest rows by NumPy, with f64 sums; no two of these scores are so close that rounding matters."""
    wide, q = x.astype(np.float64), query.astype(np.float64)
    scores = wide @ q / (np.linalg.norm(wide, axis=1) * np.linalg.norm(q))
    return [int(row) for row in np.argsort(-scores, kind="stable")[:k]]


def answers_like_numpy(e: emm1.Embeddings, x: Vectors) -> bool:
    """Whether single queries and a batch give the same answers as NumPy."""
    queries = vectors(99)[:12]
    expected = [nearest(x, query) for query in queries]
    one_by_one = [e.search(query, 5).ids.tolist() for query in queries]
    return one_by_one == expected and e.search(queries, 5).ids.tolist() == expected


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An embedding file with codes, on a disk."""
    path = tmp_path / "x.npy"
    np.save(path, vectors())
    e = emm1.Embeddings(path)
    if e.why_no_codes:
        pytest.skip(f"needs a disk: {e.why_no_codes}")
    e.build_codes()
    return path


def opened(path: Path) -> tuple[emm1.Embeddings, list[str]]:
    """The embeddings, and the warnings when they are opened as if for the first time."""
    _WARNED.clear()
    with warnings.catch_warnings(record=True) as messages:
        warnings.simplefilter("always", EmbeddingsWarning)
        e = emm1.Embeddings(path)
    return e, [str(each.message) for each in messages]


def replace(path: Path, x: Vectors) -> None:
    """Replace the file with one of the same size and time, as `cp -p`, tar and build tools do."""
    time = path.stat().st_mtime_ns
    other = path.with_suffix(".new.npy")
    np.save(other, x)
    os.utime(other, ns=(time, time))
    other.replace(path)
    assert path.stat().st_mtime_ns == time


def test_a_file_replaced_by_one_of_the_same_size_and_time(path: Path) -> None:
    for changed_rows in (range(ROWS), [1_234]):
        x = vectors()
        x[changed_rows] = vectors(1)[changed_rows]
        replace(path, x)
        e, messages = opened(path)
        assert answers_like_numpy(e, x)
        assert (e.codes_path, e.verify()) == (None, False)
        assert ["an earlier state of this one" in text for text in messages] == [True]


def test_a_file_replaced_while_it_is_open_with_its_codes(path: Path) -> None:
    before, _ = opened(path)
    x = vectors(1)
    replace(path, x)
    after, _ = opened(path)
    assert answers_like_numpy(after, x)
    assert answers_like_numpy(before, vectors())  # an open file stays the one that was opened
    assert before.verify()


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize("row", [0, 777, ROWS - 1])
def test_rows_written_through_a_live_map(path: Path, row: int, flush: bool) -> None:
    live = np.load(path, mmap_mode="r+")
    x = vectors()
    query = vectors(99)[0]
    # Pages that are dirty when the codes are built, and are written again afterwards.
    live[row] = x[row] = vectors(2)[row]
    open_before, _ = opened(path)
    emm1.Embeddings(path, codes=False).build_codes()
    open_after, messages = opened(path)
    assert (open_after.verify(), messages) == (True, [])
    live[row] = x[row] = query
    if flush:
        live.flush()
    for e in (opened(path)[0], open_after, open_before):
        assert e.search(query, 1).ids.tolist() == [row]
        assert answers_like_numpy(e, x)
    assert not opened(path)[0].verify()
    with pytest.raises(emm1.EmbeddingError, match=r"x\.npy\.codes: is not that of .* any more: row \d+ or one soon"):
        open_after.verify()


def test_codes_made_while_somebody_writes(path: Path) -> None:
    """Codes are refused, or notice every later write, though a write to a dirty page does not change the file's time."""
    live = np.load(path, mmap_mode="r+")
    x, query = vectors(), vectors(99)[0]
    e = emm1.Embeddings(path, codes=False)
    Path(f"{path}.codes").unlink()
    enough = threading.Event()

    def write() -> None:
        while not enough.is_set():
            live[7, 0] += np.float32(1)
            time.sleep(0.0005)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with suppress(emm1.EmbeddingError):
            e.build_codes()
    finally:
        enough.set()
        writer.join()
    live[7] = x[7] = query
    assert e.search(query, 1).ids.tolist() == [7]
    assert answers_like_numpy(opened(path)[0], x)


def test_files_moved_copied_and_restored_keep_their_codes(path: Path, tmp_path: Path) -> None:
    ways: list[Callable[[Path, Path], object]] = [shutil.move, shutil.copy, shutil.copy2]
    for number, put in enumerate(ways):
        there = tmp_path / str(number)
        there.mkdir()
        put(path, there / path.name)
        shutil.copy2(f"{path}.codes", there)
        e, messages = opened(there / path.name)
        assert (e.codes_path is not None, ["its rows are the same" in text for text in messages]) == (True, [True])
        assert answers_like_numpy(e, vectors())
        code = (
            "import sys, warnings, emm1; warnings.simplefilter('error'); print(emm1.Embeddings(sys.argv[1]).verify())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, there / path.name], capture_output=True, text=True, check=False
        )
        assert done.stdout.strip() == "True", done.stderr  # the identity was kept: no warning
        path = there / path.name


def test_the_command_line_says_it_in_a_note(store_path: Path, tmp_path: Path) -> None:
    own = Path(shutil.copy(store_path, tmp_path / "emm1.duckdb"))
    small = tmp_path / "small.npy"
    np.save(small, vectors()[:50])
    with emm1.open(own) as store, pytest.warns(EmbeddingsWarning, match="50 rows and no ids"):
        store.add_embeddings("image", small, dataset="100m", modality="image")
    small.chmod(0o600)
    first, second = (emm1_cli("search", own, "image", "--id", 3) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout == second.stdout
    assert first.stderr.startswith("emm1: note: ")
    assert "its rows are the same" in first.stderr.replace("\n", " ")
    assert not second.stderr


def test_one_shard_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    x = vectors()
    for name, rows in (("a.npy", x[:700]), ("b.npy", x[700:])):
        np.save(folder / name, rows)
    emm1.Embeddings(folder).build_codes()
    e, messages = opened(folder)
    assert (e.verify(), messages) == (True, [])
    x[700:] = vectors(1)[700:]
    replace(folder / "b.npy", x[700:])
    e, _ = opened(folder)
    assert (answers_like_numpy(e, x), e.verify()) == (True, False)


def test_codes_are_neither_made_nor_used_in_memory(path: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "20m") as disk:
        there = Path(shutil.copy2(path, disk))
        shutil.copy2(f"{path}.codes", disk)
        e, messages = opened(there)
        assert (e.codes_path, ["is on tmpfs" in text for text in messages]) == (None, [True])
        with pytest.raises(
            emm1.EmbeddingError, match="is on tmpfs, where a write through a memory map leaves no trace"
        ):
            e.build_codes()
        live = np.load(there, mmap_mode="r+")
        x = vectors()
        live[5] = x[5] = vectors(99)[0]
        assert answers_like_numpy(e, x)
        del live


def test_damaged_codes_are_said_once_and_change_no_answer(path: Path) -> None:
    codes = Path(f"{path}.codes")
    whole = codes.read_bytes()
    random = np.random.default_rng(5)
    for at in random.integers(0, len(whole), 60):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(random.integers(0, 8))
        codes.write_bytes(damaged)
        e, messages = opened(path)
        with warnings.catch_warnings(record=True) as later:
            warnings.simplefilter("always", EmbeddingsWarning)
            assert answers_like_numpy(e, vectors()), at
        texts = messages + [str(each.message) for each in later]
        assert len(texts) <= 2, texts  # that the file was rewritten, and that the codes are damaged
        assert sum("is damaged" in text for text in texts) <= 1, texts


def test_a_file_rewritten_in_place_in_another_shape(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    for other in (
        vectors()[:, :24],
        vectors()[:-1],
        vectors().astype(np.float16),
        vectors().view(np.int8),
        vectors()[:900],
    ):
        np.save(path, vectors())
        e = emm1.Embeddings(path, codes=False)
        np.save(path, other)
        for call in (e.search, e.vectors, e.centroid):
            with pytest.raises(
                emm1.EmbeddingError, match=r"x\.npy: was (overwritten with another shape|cut short) since it was opened"
            ):
                call(vectors()[0] if call == e.search else [3])
        assert len(emm1.Embeddings(path, codes=False)) == len(other)


def test_a_header_rewritten_at_the_same_size(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, vectors())
    e = emm1.Embeddings(path, codes=False)
    np.save(path, vectors().reshape(ROWS // 2, DIMS * 2))
    with pytest.raises(emm1.EmbeddingError, match="overwritten with another shape since it was opened: open it again"):
        e.search(vectors()[0])


def test_more_rows_than_32_bits_count(tmp_path: Path) -> None:
    path = tmp_path / "many.npy"
    header = f"{{'descr': '|i1', 'fortran_order': False, 'shape': ({2**32 + 10}, 1), }}"
    with path.open("wb") as file:
        file.write(b"\x93NUMPY\x01\x00\x76\x00" + f"{header:<117}\n".encode())
        file.truncate(128 + 2**32 + 10)  # a sparse file: the disk stores one page
    with pytest.raises(emm1.EmbeddingError, match=r"many\.npy: has 4294967306 rows, more than the 4294967295"):
        emm1.Embeddings(path)
    np.save(tmp_path / "x.npy", np.eye(8, dtype=np.float32))
    e = emm1.Embeddings(tmp_path / "x.npy")
    assert e.search(np.ones(8), among=[2**32 + 5, 5 - 2**32, 6]).ids.tolist() == [6]
    for call in (e.vectors, lambda ids: e.score(ids, np.ones(8)), e.centroid):
        with pytest.raises(emm1.EmbeddingError, match=f"no vector has the id {2**32 + 5}"):
            call([2**32 + 5])


@pytest.mark.parametrize("name", ["x.npy", "x.ids.npy", "x.npy.codes"])
def test_pipes_and_devices_do_not_hang(name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(3, dtype=np.float32))
    pipe, device = tmp_path / "pipe.npy", tmp_path / "zero.npy"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    for odd in (pipe, device):
        how = {"x.npy": f"'{odd}'", "x.ids.npy": f"'x.npy', ids='{odd}'", "x.npy.codes": f"'x.npy', codes='{odd}'"}[
            name
        ]
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", f"import emm1; emm1.Embeddings({how})"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=tmp_path,
        )
        assert (done.returncode, "is not a regular file" in done.stderr) == (1, True), done.stderr


def test_two_builds_at_once_and_a_leftover(path: Path) -> None:
    Path(f"{path}.codes.{os.getpid()}.building").write_text("left behind")
    code = """
import sys, threading, emm1
files = [emm1.Embeddings(sys.argv[1], codes=False) for _ in range(6)]
threads = [threading.Thread(target=file.build_codes) for file in files]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(all(file.verify() for file in files))
"""
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "x.npy",
        "x.npy.codes",
        f"x.npy.codes.{os.getpid()}.building",
    ]


@pytest.mark.parametrize("other", [vectors(3)[:1_999], vectors(3, dims=24), vectors(3).astype(np.float16)])
def test_a_registered_file_replaced_by_one_of_another_shape(
    other: Vectors, store_path: Path, tmp_path: Path, path: Path
) -> None:
    own = Path(shutil.copy(store_path, tmp_path / "emm1.duckdb"))
    ids = tmp_path / "ids.npy"
    np.save(ids, np.arange(ROWS))
    with emm1.open(own) as store, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few of its ids are in the store
        store.add_embeddings("image", path, ids=ids, dataset="100m", modality="image")
    np.save(ids, np.arange(len(other)))
    np.save(path, other)
    message = (
        f"holds {' × '.join(map(str, (*other.shape, other.dtype)))}, but 2000 × 48 × float32 were registered as 'image'"
    )
    query = other[0].astype(np.float32)
    with emm1.open(own, read_only=True) as store, warnings.catch_warnings():
        warnings.simplefilter("ignore", EmbeddingsWarning)
        for call in (
            lambda: store.nearest("image", query),
            lambda: store.embeddings("image"),
            lambda: store.sql("FROM nearest('image', $q)", params={"q": query.tolist()}).fetchall(),
            lambda: store.sql("SELECT embedding('image', 3)").fetchall(),
        ):
            with pytest.raises(Exception, match=message):
                call()
    for command in (("search", own, "image", "--id", 3), ("embeddings", "verify", own)):
        done = emm1_cli(*command)
        assert (done.returncode, message in done.stderr.replace("\n", "")) == (1, True), done.stderr
        assert "Traceback" not in done.stderr

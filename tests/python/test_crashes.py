"""What must not crash the process: closed connections, no memory, no threads. Each test runs in a separate process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

EXTENSION, PYTHON = "True", "False"


def in_process(script: str, *arguments: object) -> str:
    """The output of a script in a separate process, which must exit with status 0."""
    command = [sys.executable, "-W", "ignore", "-c", PREAMBLE + textwrap.dedent(script), *map(str, arguments)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert run.returncode == 0, f"exit {run.returncode}\n{run.stdout}\n{run.stderr}"
    return run.stdout


PREAMBLE = """
import gc, os, resource, signal, sys
from pathlib import Path
import duckdb, numpy as np, emm1
folder, *arguments = sys.argv[1:]
folder = Path(folder)

def ask(connection):
    # Freed memory is used again before and after the query.
    for _ in range(2):
        gc.collect()
        _junk = [bytearray(200) for _ in range(10_000)]
        sql = "SELECT emm1_topk($file, [0, 2, 1], 1, 'dot')[1].id FROM range(3000)"
        assert set(connection.execute(sql, {"file": str(folder / "x.npy")}).fetchall()) == {(1,)}

def refused(connection, sql, **parameters):
    try:
        found = connection.execute(sql, parameters).fetchall()
    except duckdb.Error as error:
        return str(error)
    raise AssertionError(found)
"""

CLOSING = {
    "the first of two": """
        first, second = (duckdb.connect(str(folder / "x.duckdb"), config=config) for _ in range(2))
        for connection in (first, second):
            emm1.load_extension(connection)
            ask(connection)
        first.close()
        del first
        ask(second)
        third = duckdb.connect(str(folder / "x.duckdb"), config=config)
        second.close()
        del second
        ask(third)
    """,
    "a cursor that loaded": """
        connection = duckdb.connect(str(folder / "x.duckdb"), config=config)
        for _ in range(3):
            cursor = connection.cursor()
            emm1.load_extension(cursor)
            ask(cursor)
            cursor.close()
            del cursor
        ask(connection)
    """,
    "cursors": """
        connection = duckdb.connect(config=config)
        emm1.load_extension(connection)
        for _ in range(3):
            with connection.cursor() as cursor:
                ask(cursor)
        ask(connection)
    """,
    "one that was never closed": """
        def load():
            connection = duckdb.connect(str(folder / "x.duckdb"), config=config)
            emm1.load_extension(connection)
            return connection.cursor()
        for _ in range(3):
            cursor = load()
            ask(cursor)
            del cursor
    """,
}


@pytest.mark.parametrize("closing", CLOSING)
@pytest.mark.parametrize("way", [EXTENSION, PYTHON])
def test_functions_outlive_connections(tmp_path: Path, closing: str, way: str) -> None:
    np.save(tmp_path / "x.npy", np.eye(3, dtype=np.float32))
    config = f"config = {{'allow_unsigned_extensions': {way}}}\n"
    in_process(config + textwrap.dedent(CLOSING[closing]), tmp_path)


def test_functions_in_python_do_not_keep_the_database_open(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(3, dtype=np.float32))
    in_process(
        """
        import subprocess
        connection = duckdb.connect(str(folder / "x.duckdb"))
        emm1.load_extension(connection)
        ask(connection)
        connection.close()
        other = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('CREATE TABLE t (i INTEGER)')"
        subprocess.run([sys.executable, "-c", other, str(folder / "x.duckdb")], check=True)
        """,
        tmp_path,
    )


def test_functions_in_python_heed_what_is_set_while_a_connection_that_loaded_them_is_open(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(3, dtype=np.float32))
    in_process(
        """
        first, second = (duckdb.connect(str(folder / "x.duckdb")) for _ in range(2))
        emm1.load_extension(first)
        emm1.load_extension(second)
        first.close()
        ask(second)
        second.execute("SET enable_external_access = false")
        for connection in (second, second.cursor()):
            text = refused(connection, "SELECT emm1_ids($f)", f=str(folder / "x.npy"))
            assert "emm1 reads no embedding files here" in text, text
        """,
        tmp_path,
    )


@pytest.mark.parametrize("way", [EXTENSION, PYTHON])
def test_rows_that_ask_the_same_share_the_answer(tmp_path: Path, way: str) -> None:
    """One copy for each of 2,048 rows would take 4 GB."""
    np.save(tmp_path / "x.npy", np.arange(1 << 18, dtype=np.int8)[:, np.newaxis])
    in_process(
        f"""
        connection = duckdb.connect(config={{'allow_unsigned_extensions': {way}, 'threads': 1}})
        emm1.load_extension(connection)
        resource.setrlimit(resource.RLIMIT_AS, (6 << 29, 6 << 29))
        for call in ("emm1_ids($f)", "emm1_topk($f, [1], 262144, 'l2')", "emm1_within($f, [1], 1e9, 'l2')"):
            sql = f"SELECT count(*), sum(len(list)) FROM (SELECT {{call}} AS list FROM range(2048))"
            (found,) = connection.execute(sql, {{"f": str(folder / "x.npy")}}).fetchall()
            assert found == (2048, 2048 << 18), (call, found)
        """,
        tmp_path,
    )


@pytest.mark.parametrize("way", [EXTENSION, PYTHON])
def test_answers_beyond_the_memory_limit_are_refused(tmp_path: Path, way: str) -> None:
    np.save(tmp_path / "x.npy", np.arange(1 << 20, dtype=np.int8)[:, np.newaxis])
    np.save(tmp_path / "wide.npy", np.zeros((4000, 2048), np.int8))
    in_process(
        f"""
        connection = duckdb.connect(config={{'allow_unsigned_extensions': {way}, 'memory_limit': '6MiB', 'threads': 1}})
        emm1.load_extension(connection)
        parameters = {{"f": str(folder / "x.npy"), "w": str(folder / "wide.npy")}}
        for call in ("emm1_ids($f)", "emm1_topk($f, [1], 1000000, 'l2')", "emm1_within($f, [1], 1e9, 'l2')",
                     "emm1_vector($w, i)", "emm1_centroid_of($w, [i])"):
            given = {{name: value for name, value in parameters.items() if "$" + name in call}}
            text = refused(connection, f"SELECT max(len({{call}})) FROM range(2000) t(i)", **given)
            name = call.split("(")[0]
            assert f"the answers of {{name}} to these rows take" in text, text
            assert "with memory_limit at 6.3 MB" in text, text
            if "$w" in call:
                connection.execute(f"SELECT max(len({{call}})) FROM range(100) t(i)", given).fetchall()
        """,
        tmp_path,
    )


def test_what_duckdb_throws_for_want_of_memory_is_an_error(tmp_path: Path) -> None:
    """Ids are written directly into DuckDB's vector: DuckDB runs out of memory and throws through emm1."""
    np.save(tmp_path / "x.npy", np.zeros((1 << 25, 1), np.int8))
    np.save(tmp_path / "y.npy", np.zeros((2048, 1 << 13), np.int8))
    printed = in_process(
        """
        connection = duckdb.connect(config={'allow_unsigned_extensions': True, 'threads': 1})
        emm1.load_extension(connection)
        x, y = str(folder / "x.npy"), str(folder / "y.npy")
        for file in (x, y):
            connection.execute("SELECT emm1_file($f)", {"f": file}).fetchall()
        calls = [
            ("SELECT len(emm1_ids($f)) FROM range(3)", x), ("SELECT max(len(emm1_vector($f, i))) FROM range(2048) t(i)", y),
            ("SELECT max(len(vector)) FROM emm1_scan($f)", y), ("SELECT len(emm1_centroid_of($f, [i])) FROM range(2048) t(i)", y),
            ("SELECT len(emm1_topk($f, [1], 10000000, 'l2'))", x),
        ]
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        for room in (1 << 25, 3 << 25, 1 << 27, 3 << 26, 1 << 28, 3 << 27):
            resource.setrlimit(resource.RLIMIT_AS, (used + room, resource.RLIM_INFINITY))
            for sql, file in calls:
                try:
                    connection.execute(sql, {"f": file}).fetchall()
                    print("answered")
                except (duckdb.Error, MemoryError) as error:
                    print(error)
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for sql, file in calls:
            connection.execute(sql, {"f": file}).fetchall()
        """,
        tmp_path,
    )
    assert "answered" in printed
    assert "failed to allocate" in printed.lower()  # DuckDB's words
    assert "the answer does not fit in memory" in printed  # emm1's


def test_without_threads_the_caller_does_the_work(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(60_000, 64)).astype(np.float32))
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if os.access(folder, os.W_OK) and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o711)  # another user reads pytest's folder
    printed = in_process(
        """
        import threading
        e = emm1.Embeddings(folder / "x.npy", codes=False)
        q = e.vectors(range(30))
        def answers():
            return [x for threads in (1, 8, 2**70) for x in (
                e.search(q, threads=threads).ids, e.search(q[0], threads=threads).ids,
                emm1.score_pairs(e, e.ids, e, e.ids[::-1], threads=threads))]
        connection = duckdb.connect(config={"allow_unsigned_extensions": True, "threads": 1})
        emm1.load_extension(connection)
        before = answers()
        if os.getuid() == 0:
            os.setuid(65534)  # the limit does not apply to root
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        try:
            threading.Thread(target=print).start()
        except RuntimeError:
            after = answers()
            assert all((a == b).all() for a, b in zip(before, after, strict=True))
            e.build_codes(folder / "x.codes", threads=8)
            assert e.verify()
            assert sorted(x.name for x in folder.iterdir()) == ["x.codes", "x.npy"]
            print("worked")
        else:
            print("threads start all the same")
        """,
        tmp_path,
    )
    if printed != "worked\n":
        pytest.skip("this system does not refuse threads")


def test_threads_are_no_more_than_pieces_of_work(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((200_000, 64), np.float32))
    in_process(
        """
        import threading
        e = emm1.Embeddings(folder / "x.npy")
        tasks = Path("/proc/self/task")
        if tasks.exists():
            most, done = 0, threading.Event()
            def watch():
                global most
                while not done.is_set():
                    most = max(most, len(list(tasks.iterdir())))
            watching = threading.Thread(target=watch)
            watching.start()
            e.build_codes(threads=1_000_000_000)
            e.search(np.zeros((40, 64)), 3, "dot", threads=1_000_000_000)
            emm1.score_pairs(e, e.ids, e, e.ids, threads=1_000_000_000)
            done.set()
            watching.join()
            assert most <= 210, most  # 200,000 pairs are 196 pieces of work
        """,
        tmp_path,
    )


@pytest.mark.parametrize("way", [EXTENSION, PYTHON])
def test_files_are_let_go(tmp_path: Path, way: str) -> None:
    """Files are closed when they are gone or replaced while another is used, and with the last (known) connection."""
    if not Path("/proc/self/maps").exists():
        pytest.skip("maps are shown by Linux")
    in_process(
        f"""
        import time
        def mapped(name):
            return f"{{folder / name}}" in Path("/proc/self/maps").read_text()
        for name in "abcx":
            np.save(folder / f"{{name}}.npy", np.eye(3, dtype="float32"))
        connections = [duckdb.connect(str(folder / "x.duckdb"), config={{"allow_unsigned_extensions": {way}}}) for _ in range(2)]
        for connection in connections:
            emm1.load_extension(connection)
            connection.execute("SELECT emm1_ids(unnest($all))", {{"all": [f"{{folder / name}}.npy" for name in "abcx"]}}).fetchall()
        (folder / "a.npy").unlink()
        np.save(folder / "new.npy", np.zeros((9, 3), dtype="float32"))
        inode = (folder / "b.npy").stat().st_ino
        (folder / "new.npy").replace(folder / "b.npy")
        assert mapped("a.npy") and mapped("c.npy")
        give_up = time.monotonic() + 60
        while (mapped("a.npy") or f" {{inode}} " in Path("/proc/self/maps").read_text()) and time.monotonic() < give_up:
            ask(connections[0])
        assert not mapped("a.npy") and not mapped("b.npy") and mapped("c.npy")
        connections.pop().close()
        ask(connections[0])
        while connections:
            connections.pop().close()
        connection = None
        gc.collect()
        assert not mapped("c.npy")
        """,
        tmp_path,
    )

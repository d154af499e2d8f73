"""A build that is killed, repeated or interrupted leaves the old store intact, and the next build works."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
from system import command

import emm1


def start(tree: Path, store: Path, errors: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command("build", tree, store, "--force"), stdout=subprocess.DEVNULL, stderr=errors)


def count(store: Path) -> int:
    with emm1.open(store, read_only=True) as opened:
        number: int = opened.sql("SELECT count(*) FROM e_mm1_100m.groups").fetchall()[0][0]
        return number


def test_killed_builds(tree: Path, tmp_path: Path) -> None:
    store = tmp_path / "emm1.duckdb"
    emm1.build(tree, store).close()
    rows, before = count(store), store.read_bytes()
    dice = random.Random(7)  # noqa: S311
    killed = 0
    for _ in range(8):
        process = start(tree, store)
        time.sleep(dice.uniform(0.3, 2.5))
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        assert count(store) == rows
        if (tmp_path / "emm1.duckdb.building/new/emm1.duckdb").exists():  # otherwise it may be in place already
            assert store.read_bytes() == before
        before = store.read_bytes()
    assert killed
    emm1.build(tree, store, force=True).close()
    assert count(store) == rows
    assert [path.name for path in tmp_path.iterdir()] == ["emm1.duckdb"]


def test_interrupt_exits_130(tree: Path, tmp_path: Path) -> None:
    process = start(tree, tmp_path / "emm1.duckdb", subprocess.PIPE)
    while not (tmp_path / "emm1.duckdb.building").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, b"Traceback" in errors) == (130, False), errors
    assert not list(tmp_path.iterdir())


def test_registered_embeddings_survive_and_a_log_left_behind_is_emptied(tree: Path, tmp_path: Path) -> None:
    store = tmp_path / "emm1.duckdb"
    with emm1.build(tree, store) as opened:
        file = tree / "embeddings" / "text.npy"
        opened.add_embeddings("captions", file, dataset="100m", modality="text")
        rows = opened.sql("SELECT * EXCLUDE (store_id) FROM embeddings").fetchall()
    # A killed writer leaves its log next to the store.
    code = (
        "import os, sys, duckdb; c = duckdb.connect(sys.argv[1]);"
        "c.execute(\"SET checkpoint_threshold = '1GB'\");"
        "c.execute(\"UPDATE embeddings SET metric = 'dot'\"); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(store)], check=False)
    assert Path(f"{store}.wal").exists()
    with emm1.build(tree, store, force=True) as opened:
        kept = opened.sql("SELECT * EXCLUDE (store_id) FROM embeddings").fetchall()
    assert [tuple("dot" if v == "cosine" else v for v in row) for row in rows] == kept


def test_stores_open_in_the_oldest_duckdb_that_is_promised(store_path: Path) -> None:
    with duckdb.connect(str(store_path), read_only=True) as connection:
        tags = connection.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall()
    assert tags[0][0]["storage_version"].startswith("v1.2.0")

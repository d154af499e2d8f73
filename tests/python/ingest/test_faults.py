"""Faults during a build: nothing is lost, one clear message, and the next build works."""

import os
import random
import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import kills
import pytest
from store_content import content
from system import command, emm1_cli, small_disk

import emm1
from emm1.ingest.run import build_store


@pytest.fixture
def store(store_path: Path, tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return Path(shutil.copy(store_path, tmp_path / "store" / "emm1.duckdb"))


def refused(done: subprocess.CompletedProcess[str], *texts: str) -> None:
    assert done.returncode == 1, done
    assert done.stderr.startswith("emm1: ")
    assert "Traceback" not in done.stderr
    for text in texts:
        assert text in done.stderr


def test_updates_that_are_killed(tree: Path, tmp_path: Path) -> None:
    counts = kills.campaign(tree, tmp_path, 5, seed=3)
    assert counts["killed"] == 5


@pytest.mark.parametrize("limit", [100_000, 4_000_000])
def test_files_that_may_not_grow(limit: int, tree: Path, store: Path) -> None:
    before = store.read_bytes()

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    # When the limit is reached, the system also sends a signal, which Python ignores.
    arguments = command("build", tree, store, "--ranks", "1-15")
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, preexec_fn=limited)
    refused(done, "cannot build", "File too large")
    assert store.read_bytes() == before
    assert emm1_cli("build", tree, store, "--ranks", "1-15").returncode == 0
    assert [path.name for path in store.parent.iterdir()] == [store.name]


def test_an_update_on_a_full_disk(tree: Path, store_path: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", f"{store_path.stat().st_size + 2_000_000}") as disk:
        store = Path(shutil.copy(store_path, disk / "emm1.duckdb"))
        before = store.read_bytes()
        refused(emm1_cli("build", tree, store, "--ranks", "1-15"), "no space left", "untouched")
        assert store.read_bytes() == before
        assert [path.name for path in disk.iterdir()] == [store.name]
        subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
        assert emm1_cli("build", tree, store, "--ranks", "1-15").returncode == 0


def test_read_only_media(tree: Path, store_path: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "100m") as disk:
        store = Path(shutil.copy(store_path, disk / "emm1.duckdb"))
        shutil.copytree(tree, disk / "tree")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        before = store.read_bytes()
        refused(emm1_cli("build", tree, store, "--ranks", "1"), "cannot write")
        refused(emm1_cli("build", tree, store.with_name("new.duckdb")), "cannot write")
        with emm1.open(store, read_only=True) as opened:
            assert opened.groups(nn_index=1).shape[0]
        assert store.read_bytes() == before
        # A tree on a read-only disk can still be built from.
        assert emm1_cli("build", disk / "tree", tmp_path / "emm1.duckdb", "--splits", "eshot").returncode == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tree: Path, store: Path) -> None:
    store.parent.chmod(0o500)
    try:
        refused(emm1_cli("build", tree, store, "--force"), "no permission to write")
    finally:
        store.parent.chmod(0o700)


def rewrite(path: Path, how: str) -> None:
    whole = path.read_bytes()
    if how == "appended":
        with path.open("ab") as file:
            file.write(whole[-1:])
    elif how == "shortened":
        os.truncate(path, len(whole) // 2)
    elif how == "replaced":
        replacement = path.with_suffix(".new")
        replacement.write_bytes(whole)
        replacement.replace(path)
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["appended", "shortened", "replaced", "removed"])
@pytest.mark.parametrize("name", ["e-mm1_100m/nn_16/data_groups.csv", "e-mm1_100m/infos/text.csv"])
def test_a_source_that_changes_during_the_build(name: str, how: str, own_tree: Path, store: Path) -> None:
    """The file changes while the first one is being read; it may be a file to read or one whose rows are copied."""
    before = store.read_bytes()
    changed: list[str] = []

    def progress(what: str, _done: int, _total: int) -> None:
        if not changed:
            changed.append(what)
            rewrite(own_tree / name, how)

    with pytest.raises(emm1.Error) as raised:
        build_store(own_tree, store, ranks=range(1, 17), media_root=store.parent, progress=progress)
    assert Path(name).name in str(raised.value)
    assert "changed while it was read" in str(raised.value) or "is gone" in str(raised.value)
    assert store.read_bytes() == before
    assert [path.name for path in store.parent.iterdir()] == [store.name]


def test_two_builds_of_one_store_at_once(tree: Path, store: Path) -> None:
    arguments = command("build", tree, store, "--force")
    both = [subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    messages = [process.communicate()[1] for process in both]
    codes = [process.returncode for process in both]
    assert 0 in codes
    for code, message in zip(codes, messages, strict=True):
        if code:
            assert "another build of" in message or "open in another process" in message
    fresh = store.with_name("fresh.duckdb")
    build_store(tree, fresh)
    assert content(store) == content(fresh)
    assert {path.name for path in store.parent.iterdir()} == {store.name, fresh.name}


def test_readers_during_a_rebuild_see_one_whole_store(tree: Path, store: Path) -> None:
    rows: set[int] = set()
    ended = threading.Event()
    failures: list[BaseException] = []
    query = "SELECT count(*) FROM e_mm1_100m.groups"

    def read() -> None:
        # A new process each time, like real readers: it opens the store, queries it, and closes it.
        code = f"import emm1, sys; print(emm1.open(sys.argv[1], read_only=True).sql('{query}').fetchall()[0][0])"
        try:
            while not ended.is_set():
                done = subprocess.run(
                    [sys.executable, "-c", code, str(store)], capture_output=True, text=True, check=True
                )
                rows.add(int(done.stdout))
        except BaseException as error:  # noqa: BLE001 - checked by the main thread
            failures.append(error)

    with emm1.open(store, read_only=True) as opened:
        (whole,) = opened.sql(query).fetchall()[0]
    reader = threading.Thread(target=read)
    reader.start()
    # One reader keeps the store open from before to after.
    code = f"import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print(1, flush=True); input(); print(c.execute('{query}').fetchall()[0][0])"
    long = subprocess.Popen(
        [sys.executable, "-c", code, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert long.stdout
    assert long.stdout.readline() == "1\n"
    dice = random.Random(1)  # noqa: S311
    seen = {whole}
    for ranks in ("1-8", "1-4", "1-16"):
        time.sleep(dice.uniform(0, 0.3))
        done = emm1_cli("build", tree, store, "--ranks", ranks)
        assert done.returncode == 0, done.stderr
        seen.add(whole // 16 * int(ranks.partition("-")[2]))
    ended.set()
    reader.join()
    assert not failures
    assert rows <= seen
    assert long.communicate("\n")[0] == f"{whole}\n"

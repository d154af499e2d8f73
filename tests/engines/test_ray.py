"""Ray on a real cluster: several nodes on this machine, started as docs/guide/clusters.md says, some of which are killed.

Ray is installed in its own folder in ``.clients``, like the clients, and skipped by name where it cannot be had.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from clients import TOP, Client, NotAvailableError, python

import emm1

DOCUMENT = TOP / "docs/guide/clusters.md"
RECIPE = re.compile(r"^```(?:bash|py)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
# Everything else that emm1 needs is in the environment of the tests.
ABOVE = "import site, sys, sysconfig; open(sysconfig.get_path('purelib') + '/tests.pth', 'w').write(f'import site; site.addsitedir({sys.argv[1]!r})')"
RAY = python("Ray", "ray", "", source="../engines/ray")
RAY = replace(RAY, fetch=(*RAY.fetch, ("env/bin/python", "-c", ABOVE, sysconfig.get_path("purelib"))))
SMALL = ["--block", "--object-store-memory", "80000000"]
TASK = "ray::_write"
PARTS = 12
DEADLINE = 120.0  # seconds that nothing here takes


@dataclass
class Cluster:
    """A head without CPUs, to which nodes of one CPU are added: each is a session of processes, as if it were a machine."""

    client: Client
    address: str
    temporary: str
    started: int = 0

    def start(self, line: str, *options: str, before: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        """Start Ray on one more machine, so to speak."""
        command = [*before, *line.replace("HEAD:6379", self.address).split(), *SMALL, *options]
        log = Path(self.temporary, f"{self.started}.log")
        self.started += 1
        with log.open("wb") as output:
            node = subprocess.Popen(
                command,
                env=environment(self.client),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        while b"runtime started" not in log.read_bytes():
            assert node.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.1)
        return node

    def run(self, *arguments: str, where: Path) -> subprocess.Popen[str]:
        """Begin a command of emm1 with Ray as its engine."""
        ray = ("--engine", "ray", "--address", self.address)
        return subprocess.Popen(
            [f"{self.client.folder}/env/bin/python", "-m", "emm1", *arguments, *ray],
            cwd=where,
            env=environment(self.client),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def environment(client: Client) -> dict[str, str]:
    path = f"{client.folder}/env/bin{os.pathsep}{os.environ['PATH']}"
    others = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**others, "PATH": path, "RAY_USAGE_STATS_ENABLED": "0"}


def kill(node: subprocess.Popen[bytes]) -> None:
    """Kill all processes of a node at once."""
    for process, session, _ in processes():
        if session == node.pid:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    node.wait()


def stop(node: subprocess.Popen[bytes]) -> None:
    """End a node in such a way that the cluster knows it."""
    node.terminate()
    with suppress(subprocess.TimeoutExpired):
        node.wait(20)
    kill(node)


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def processes() -> list[tuple[int, int, str]]:
    """Every process: its number, its session, which a node is, and its name."""
    shown = subprocess.run(["ps", "-eo", "pid=,sess=,args="], capture_output=True, text=True, check=True).stdout
    return [
        (int(process), int(session), name)
        for process, session, name in (line.split(None, 2) for line in shown.splitlines())
    ]


def tasks(node: subprocess.Popen[bytes]) -> list[int]:
    """The processes of a node that write a part."""
    return [process for process, session, name in processes() if session == node.pid and name.startswith(TASK)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def recipe() -> list[str]:
    return RECIPE.findall(DOCUMENT.read_text(encoding="utf-8").partition("\n## Ray\n")[2].partition("\n## ")[0])


@pytest.fixture(scope="module")
def ray() -> Client:
    try:
        RAY.install()
    except NotAvailableError as error:
        pytest.skip(f"Ray: not run: {error}")
    return RAY


@pytest.fixture(scope="module")
def cluster(ray: Client, recipe: list[str]) -> Iterator[Cluster]:
    temporary = tempfile.mkdtemp(prefix="emm1-", dir="/tmp")
    port = free_port()
    cluster = Cluster(ray, f"127.0.0.1:{port}", temporary)
    line = recipe[0].replace("6379", str(port))
    head = cluster.start(line, "--num-cpus=0", "--include-dashboard=false", f"--temp-dir={temporary}")
    try:
        yield cluster
    finally:
        stop(head)
        shutil.rmtree(temporary, ignore_errors=True)


@pytest.fixture
def node(cluster: Cluster, recipe: list[str]) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Adds nodes for one test."""
    added: list[subprocess.Popen[bytes]] = []

    def add(*before: str) -> subprocess.Popen[bytes]:
        added.append(cluster.start(recipe[1], "--num-cpus=1", before=before))
        return added[-1]

    yield add
    for each in added:
        stop(each)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, two files of vectors, and what is nearest as this process finds it."""
    folder = tmp_path_factory.mktemp("ray")
    random = np.random.default_rng(0)
    for name, rows in (("q.npy", PARTS * 4000), ("b.npy", 40_000)):
        np.save(folder / name, random.normal(size=(rows, 64)).astype(np.float32))
    emm1.write_sample(folder / "sample")
    with emm1.build(folder / "sample", folder / "emm1.duckdb") as store:
        for name in ("text", "image"):
            for file in (folder / "sample/embeddings").glob(f"{name}.*"):
                shutil.copy(file, folder)
            store.add_embeddings(name, folder / f"{name}.npy", dataset="100m", modality=name)
    emm1.knn_to_parquet(folder / "q.npy", folder / "b.npy", folder / "here.parquet", k=10)
    return folder


KNN = ("knn", "emm1.duckdb", "./q.npy", "./b.npy", "-k", "10", "--metric", "cosine", "--output")


def finish(command: subprocess.Popen[str], status: int = 0) -> tuple[str, str]:
    """What a command printed: to standard output, and to standard error."""
    with command:
        printed, errors = command.communicate(timeout=DEADLINE)
    assert command.returncode == status, errors
    return printed, errors


def same(folder: Path, output: str) -> bool:
    return (folder / output).read_bytes() == (folder / "here.parquet").read_bytes()


def test_a_cluster_without_cpus(cluster: Cluster, folder: Path) -> None:
    _, errors = finish(cluster.run(*KNN, "none.parquet", where=folder), 1)
    assert errors == "emm1: no node of the Ray cluster can do this work: none has CPUs\n"


def test_the_recipe(
    cluster: Cluster, node: Callable[..., subprocess.Popen[bytes]], recipe: list[str], folder: Path
) -> None:
    node()
    program, *arguments = recipe[2].replace("HEAD:6379", cluster.address).split()
    command = [f"{cluster.client.folder}/env/bin/python", "-m", program, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment(cluster.client), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    emm1.knn_to_parquet(folder / "text.npy", folder / "image.npy", folder / "local.parquet", k=16)
    assert (folder / "neighbours.parquet").read_bytes() == (folder / "local.parquet").read_bytes()
    assert done.stdout.splitlines() == [done.stdout.strip()]  # nothing of Ray's
    assert done.stderr == ""

    # The same in Python, but that the files lie in the folder of the command.
    code = recipe[3].replace("HEAD:6379", cluster.address).replace("neighbours", "again")
    command = [f"{cluster.client.folder}/env/bin/python", "-c", f"import emm1\n{code}"]
    subprocess.run(command, cwd=folder, env=environment(cluster.client), check=True)
    assert (folder / "again.parquet").read_bytes() == (folder / "local.parquet").read_bytes()


def test_a_killed_process_and_a_killed_node(
    cluster: Cluster, node: Callable[..., subprocess.Popen[bytes]], folder: Path
) -> None:
    first, second = node(), node()
    command = cluster.run(*KNN, "killed.parquet", where=folder)
    until(lambda: tasks(first))
    for task in tasks(first):
        os.kill(task, signal.SIGKILL)
    until(lambda: tasks(second))
    kill(second)
    printed, errors = finish(command)
    assert printed == f"killed.parquet: {PARTS * 4000 * 10:,} rows\n"
    [line] = errors.splitlines()
    assert line.startswith("emm1: warning: ")
    assert line.endswith("does no parts: it is gone")
    assert same(folder, "killed.parquet")
    assert not (folder / "killed.parquet.parts").exists()


def test_the_only_node_is_lost_and_another_one_goes_on(
    cluster: Cluster, node: Callable[..., subprocess.Popen[bytes]], folder: Path
) -> None:
    only = node()
    parts = folder / "lost.parquet.parts"
    command = cluster.run(*KNN, "lost.parquet", where=folder)
    until(lambda: any(parts.glob("*.parquet")) and tasks(only))
    kill(only)
    _, errors = finish(command, 1)
    *_, line = errors.splitlines()
    assert line.startswith("emm1: no node of the Ray cluster can do this work: ")
    assert line.endswith(": it is gone")
    assert any(parts.glob("*.parquet"))
    assert not any(parts.glob("*.probe"))
    node()
    finish(cluster.run(*KNN, "lost.parquet", where=folder))
    assert same(folder, "lost.parquet")


def test_ctrl_c_cancels_and_the_same_command_goes_on(
    cluster: Cluster, node: Callable[..., subprocess.Popen[bytes]], folder: Path
) -> None:
    only = node()
    parts = folder / "interrupted.parquet.parts"
    command = cluster.run(*KNN, "interrupted.parquet", where=folder)
    until(lambda: any(parts.glob("*.parquet")) and tasks(only))
    command.send_signal(signal.SIGINT)
    printed, errors = finish(command, 130)
    assert (printed, errors) == ("", "emm1: interrupted\n")
    until(lambda: not tasks(only))
    assert any(parts.glob("*.parquet"))
    assert len([*parts.glob("*.parquet")]) < PARTS
    finish(cluster.run(*KNN, "interrupted.parquet", where=folder))
    assert same(folder, "interrupted.parquet")


def test_a_node_with_another_file_does_no_parts(
    cluster: Cluster, node: Callable[..., subprocess.Popen[bytes]], folder: Path
) -> None:
    mount = ("unshare", "--mount", "--propagation", "private")
    if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a node with other files needs permission to mount")
    vectors = np.load(folder / "b.npy")
    vectors[-1, -1] += 1
    np.save(folder / "other.npy", vectors)
    inside = f'mount --bind "{folder}/other.npy" "{folder}/b.npy" && exec "$@"'
    node(*mount, "sh", "-c", inside, "sh")
    _, errors = finish(cluster.run(*KNN, "differs.parquet", where=folder), 1)
    reason = f"{folder}/b.npy is not the file that the work began with: it has other bytes or ids. Give each machine the same file"
    warning, line = errors.splitlines()
    assert warning.endswith(f" does no parts: {reason}")
    assert line.startswith("emm1: no node of the Ray cluster can do this work: ")
    assert line.endswith(reason)
    node()
    _, errors = finish(cluster.run(*KNN, "differs.parquet", where=folder))
    [warning] = errors.splitlines()
    assert warning.endswith(f" does no parts: {reason}")
    assert same(folder, "differs.parquet")


def test_a_node_that_does_not_see_the_output(
    cluster: Cluster, node: Callable[..., subprocess.Popen[bytes]], folder: Path
) -> None:
    mount = ("unshare", "--mount", "--propagation", "private")
    if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a node with other folders needs permission to mount")
    (folder / "own").mkdir()
    node(*mount, "sh", "-c", f'mount -t tmpfs none "{folder}/own" && exec "$@"', "sh")
    _, errors = finish(cluster.run(*KNN, "own/unseen.parquet", where=folder), 1)
    assert errors.splitlines()[-1].endswith("own/unseen.parquet.parts: name an output that all nodes share")


def test_the_error_of_a_part_is_the_error_of_the_command(
    cluster: Cluster, node: Callable[..., subprocess.Popen[bytes]], folder: Path
) -> None:
    vectors = np.load(folder / "q.npy", mmap_mode="r")[:9000].copy()
    vectors[8000, 3] = np.nan
    np.save(folder / "wrong.npy", vectors)
    with pytest.raises(emm1.EmbeddingError) as local:
        emm1.knn_to_parquet(folder / "wrong.npy", folder / "b.npy", folder / "never.parquet")
    node()
    arguments = ("knn", "emm1.duckdb", "./wrong.npy", "./b.npy", "--metric", "cosine", "--output", "wrong.parquet")
    _, errors = finish(cluster.run(*arguments, where=folder), 1)
    assert errors.splitlines() == [f"emm1: {local.value}"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:PORT", "no Ray cluster at 127.0.0.1:PORT (Connection refused): "),
        ("nowhere.invalid:6379", "no Ray cluster at nowhere.invalid:6379 ("),
        ("nowhere", "the Ray cluster at nowhere cannot be used: Invalid address format: nowhere"),
    ],
)
def test_a_wrong_address(ray: Client, folder: Path, address: str, said: str) -> None:
    port = str(free_port())
    cluster = Cluster(ray, address.replace("PORT", port), "")
    printed, errors = finish(cluster.run(*KNN, "nowhere.parquet", where=folder), 1)
    assert printed == ""
    [line] = errors.splitlines()
    assert line.startswith(f"emm1: {said.replace('PORT', port)}")


def test_the_address_of_something_else(ray: Client, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cluster = Cluster(ray, f"127.0.0.1:{silent.getsockname()[1]}", "")
        _, errors = finish(cluster.run(*KNN, "nowhere.parquet", where=folder), 1)
    assert errors.splitlines()[-1].startswith(f"emm1: the Ray cluster at {cluster.address} cannot be used: ")
    assert "Traceback" not in errors

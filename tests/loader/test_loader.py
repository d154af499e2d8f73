"""Rows through torch's DataLoader: the same batches with any number of workers, and nothing lost when it is killed."""

import json
import os
import signal
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import emm1
from emm1.torch import QueryDataset, RowStream

torch = pytest.importorskip("torch")
DataLoader = torch.utils.data.DataLoader
QUERY = "SELECT encord_text_id AS id, nn_index AS rank FROM e_mm1_100m.groups WHERE encord_text_id < 100"
BATCH = 16
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker:UserWarning")  # on two cores

# Trains on batches until it is killed, and says after each step where it is; workers are far ahead of it by then.
TRAINING = """
import json, sys, time
from torch.utils.data import DataLoader
from emm1.torch import RowStream

if __name__ == "__main__":
    store, query, workers, start = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    stream = RowStream(store, query, seed=5, batch_size=16)
    if method := sys.argv[5:]:
        import torch.multiprocessing
        torch.multiprocessing.set_start_method(method[0])
    if start != "-":
        stream.load_state_dict(json.loads(start))
    loader = DataLoader(stream, batch_size=16, num_workers=workers, persistent_workers=workers > 0, prefetch_factor=4 if workers else None)
    for epoch in range(stream.state_dict(0)["epoch"], 2):
        stream.set_epoch(epoch)
        for step, batch in enumerate(loader, 1):
            rows = list(zip(batch["id"].tolist(), batch["rank"].tolist()))
            state = stream.state_dict(num_samples=16 * (step - 1) + len(rows))
            print(json.dumps({"rows": rows, "state": state}), flush=True)
            time.sleep(0.002)
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loader")
    emm1.write_sample(folder / "sample", embeddings=0)
    emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["100m"]).close()
    return folder / "emm1.duckdb"


def batches(loader: Any) -> list[list[int]]:
    return [batch["id"].tolist() for batch in loader]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_number_of_workers_changes_nothing(path: Path, workers: int) -> None:
    stream = RowStream(path, QUERY, rank=1, world_size=2, batch_size=BATCH)
    alone = batches(DataLoader(stream, batch_size=BATCH))
    loader = DataLoader(stream, batch_size=BATCH, num_workers=workers, persistent_workers=True)
    assert batches(loader) == alone
    stream.set_epoch(1)
    other = batches(loader)
    assert other == batches(DataLoader(stream, batch_size=BATCH)) != alone
    assert len(list(chain(*alone))) == len(stream)


def test_workers_read_ahead(path: Path) -> None:
    stream = RowStream(path, QUERY, batch_size=BATCH)
    next(iter(DataLoader(stream, batch_size=BATCH, num_workers=2)))
    with pytest.raises(emm1.Error, match="workers read ahead"):
        stream.state_dict()
    assert stream.state_dict(num_samples=BATCH)["samples"] == BATCH


def test_rows_by_number(path: Path) -> None:
    data = QueryDataset(path, QUERY)
    loader = DataLoader(data, batch_size=BATCH, num_workers=2)
    assert list(chain(*batches(loader))) == [data[i]["id"] for i in range(len(data))]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_killed_training_goes_on(path: Path, tmp_path: Path, method: str) -> None:
    """Killed twice, and gone on with other workers: together the steps are those of a training that was never killed."""
    script = tmp_path / "training.py"
    script.write_text(TRAINING)
    whole = steps(script, path, 0, "-")
    first = steps(script, path, 2, "-", method, kill_after=9)
    second = steps(script, path, 3, first[-1]["state"], method, kill_after=40)
    third = steps(script, path, 1, second[-1]["state"], method)
    assert [step["rows"] for step in (*first, *second, *third)] == [step["rows"] for step in whole]
    rows = list(chain(*(step["rows"] for step in whole)))
    assert len(rows) == 2 * len(set(map(tuple, rows)))


def steps(
    script: Path, store: Path, workers: int, state: object, *method: str, kill_after: int | None = None
) -> list[dict[str, Any]]:
    """The steps of a training, which is killed after some of them."""
    start = state if isinstance(state, str) else json.dumps(state)
    command = [sys.executable, str(script), str(store), QUERY, str(workers), start, *method]
    seen = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            seen.append(json.loads(line))
            if len(seen) == kill_after:
                os.killpg(process.pid, signal.SIGKILL)
                break
    assert process.returncode == (0 if kill_after is None else -signal.SIGKILL)
    return seen

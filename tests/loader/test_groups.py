"""Groups through torch's DataLoader: tensors of embeddings without a copy, batches without repeated items, missing media counted."""

import warnings
from pathlib import Path

import numpy as np
import pytest

import emm1
from emm1.torch import GroupDataset, UniqueBatchSampler, collate

torch = pytest.importorskip("torch")
DataLoader = torch.utils.data.DataLoader


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("groups")
    emm1.write_sample(folder / "sample", embeddings=16, scale=0.0002)
    with emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["100m"]) as store:
        store.add_embeddings("text", folder / "sample/embeddings/text.npy", dataset="100m", modality="text")
    return folder / "emm1.duckdb"


def size_of(path: str) -> int:
    return Path(path).stat().st_size


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_batches_of_workers(path: Path, method: str) -> None:
    groups = GroupDataset(path, nn_index="one_per_epoch", embeddings={"text": "text"})
    sampler = UniqueBatchSampler(groups, 16)
    loader = DataLoader(
        groups,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=2,
        persistent_workers=True,
        multiprocessing_context=method,
    )
    seen = []
    for epoch in range(3):
        sampler.set_epoch(epoch)  # the workers live on, and hear of it
        for batch in loader:
            ids = batch["encord_text_id"]
            assert ids.dtype == torch.int64
            assert batch["text_embedding"].shape == (len(ids), 16)
            assert len(ids.unique()) == len(ids)
            seen += [(epoch, *each) for each in zip(ids.tolist(), batch["nn_index"].tolist(), strict=True)]
    assert len(seen) == 3 * len(groups) == len(set(seen))
    assert len({each[1:] for each in seen}) == len(seen)  # another rank each epoch


def test_tensors_are_rows_of_a_private_map(path: Path) -> None:
    groups = GroupDataset(path, modalities=[], embeddings={"text": "text"})
    file = path.parent / "sample/embeddings/text.npy"
    before = file.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row, again = groups[0], groups[0]
    vector = row["text_embedding"]
    assert vector.dtype == torch.float32
    assert vector.data_ptr() == again["text_embedding"].data_ptr()
    with emm1.open(path, read_only=True) as store:
        (place,) = np.flatnonzero(store.embeddings("text").ids == row["encord_text_id"])
        assert np.array_equal(vector.numpy(), store.embeddings("text")[int(place)])
    vector.zero_()
    assert file.read_bytes() == before


def test_missing_media(path: Path, tmp_path: Path) -> None:
    groups = GroupDataset(path, modalities=["image"], nn_index=1, root=tmp_path, transform={"image": size_of})
    first = Path(groups[0]["image_file_path"])
    first.parent.mkdir(parents=True)
    first.write_bytes(bytes(3))
    batches = list(DataLoader(groups, batch_size=8, collate_fn=collate, num_workers=2))
    kept = sum(len(batch.get("image", ())) for batch in batches)
    assert kept + sum(batch["missing"] for batch in batches) == len(groups)
    assert batches[0]["image"].tolist()[0] == 3

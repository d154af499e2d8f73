"""A store with embeddings and a few media, and a server of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest
from exploring import Explored, exploring

import emm1
from emm1.sample.media import MADE, Shown


@pytest.fixture(scope="session")
def explored(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explored]:
    folder = tmp_path_factory.mktemp("explore")
    path, root = folder / "emm1.duckdb", folder / "media"
    root.mkdir()
    with emm1.build(tree, path, media_root=root) as store:
        for name in ("text", "image"):
            store.add_embeddings(name, tree / f"embeddings/{name}.npy", dataset="100m", modality=name)
        put_media(store.sql("FROM assets WHERE file_path IS NOT NULL AND id < 3"))
        pairs = folder / "pairs.csv"
        pairs.write_text(
            "query_id,id\n" + "".join(f"{text},{row}\n" for row, text in enumerate(store.embeddings("text").ids[:90]))
        )
        report = store.retrieval("text", "image", pairs=pairs, resamples=0).save(folder / "report")
    with exploring(path, "--report", report) as server:
        yield Explored(path, root, server, report)


def put_media(assets: duckdb.DuckDBPyRelation) -> None:
    """Put a file where each item has one: a point cloud, or what a sample has."""
    for number, (modality, path) in enumerate(assets.select("modality", "file_path").order("ALL").fetchall()):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if modality == "points":
            np.save(path, np.linspace(0, 1, 600, dtype=np.float32).reshape(100, 6))
        else:
            Path(path).write_bytes(MADE[modality](Shown(f"{modality} {number}", "a test", number, 0.5, 0)))

"""Makes a sample and its store with the installed emm1 and DuckDB: ``python making.py FOLDER``."""

import sys
from pathlib import Path

import emm1
from emm1.dataset import Split

EMBEDDINGS: dict[str, Split] = {"text": "100m", "image": "100m", "eshot_audio": "eshot", "eshot_points": "eshot"}


def make(folder: Path) -> None:
    """Write ``sample`` and ``emm1.duckdb`` into a folder; embeddings are registered under their file names."""
    folder.mkdir(parents=True)
    emm1.write_sample(folder / "sample", scale=0.0002, embeddings=16, seed=4)
    with emm1.build(folder / "sample", folder / "emm1.duckdb") as store:
        for name, dataset in EMBEDDINGS.items():
            file = folder / "sample" / "embeddings" / f"{name}.npy"
            store.add_embeddings(name, file, dataset=dataset, modality=name.removeprefix("eshot_"))


if __name__ == "__main__":
    make(Path(sys.argv[1]))

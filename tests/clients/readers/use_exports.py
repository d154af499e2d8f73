"""Exports by their readers, webdataset, datasets and mlcroissant: prints what each of them finds, a JSON object for each.

Files and arrays are printed as SHA-256 of their bytes, of arrays with shape and type.
"""

import hashlib
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

import datasets
import mlcroissant
import numpy as np
import webdataset


def plain(value: Any) -> Any:
    """A value for JSON."""
    match value:
        case np.ndarray():
            return [hashlib.sha256(value.tobytes()).hexdigest(), [*value.shape], str(value.dtype)]
        case {"bytes": bytes() as content}:
            return hashlib.sha256(content).hexdigest()
        case bytes():
            return hashlib.sha256(value).hexdigest()
        case datetime():
            return str(value)
        case dict():
            return {name: plain(each) for name, each in value.items()}
    return value


def decoded(value: Any) -> Any:
    """A value of mlcroissant, which has texts as bytes."""
    if isinstance(value, list):
        return [*map(decoded, value)]
    return value.decode() if isinstance(value, bytes) else value


def show(reader: str, export: str, rows: Any, **more: Any) -> None:
    print(json.dumps({"reader": reader, "export": export, "rows": [*map(plain, rows)], **more}))


for export in ("samples", "clouds"):
    tars = [str(path) for path in sorted(Path(export, "data").iterdir())]
    show("webdataset", export, webdataset.WebDataset(tars, shardshuffle=False).decode())

for export in ("samples", "clouds", "tables", "hub"):
    # Frames of videos would need torchcodec, and torch with it.
    rows = datasets.load_dataset(export, cache_dir="cache")["train"]
    features = {name: str(feature) for name, feature in rows.features.items()}
    clouds = [name for name in rows.features if name.endswith(".npy")]
    found = [
        row | {name: np.array(row[name], np.float32) for name in clouds}
        for row in rows.with_format("arrow")[:].to_pylist()
    ]
    show("datasets", export, found, features=features)
    streamed = datasets.load_dataset(export, streaming=True)["train"].decode(False)
    streamed_rows = (row | {name: np.array(row[name], np.float32) for name in clouds} for row in streamed)
    show("datasets, streaming", export, streamed_rows)

for export in ("samples", "clouds", "tables", "hub"):
    described = mlcroissant.Dataset(jsonld=f"{export}/croissant.json")
    records = described.records("rows") if described.metadata.record_sets else ()
    texts = [{name: decoded(value) for name, value in row.items()} for row in records]
    show("mlcroissant", export, texts, errors=[*described.metadata.issues.errors])

print(json.dumps({"torch": "torch" in sys.modules}))

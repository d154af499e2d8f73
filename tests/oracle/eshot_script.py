"""The third example of the dataset's README, unchanged except for the paths of its inputs.

    python eshot_script.py ROOT

ROOT/eshot holds the CSV and JSON files; ROOT/embeddings/eshot_{audio,points}.npy replace YOUR_MODEL.
The point keys of the JSON file may be file_ids, which are translated to ids.
"""

# The published program's own style is kept:
# ruff: noqa: ANN201, B905, D200, D212, D415, PTH123, RET504, T201, UP015

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl

ROOT_DATA_PATH = sys.argv[1]


def make_class_embedding(x: np.ndarray):
    """
    Accepts as input NxD array where N is number of items in class and D is dimension of embeddings
    """
    x = x.mean(axis=0)
    x = x / np.linalg.norm(x)
    return x


audio_info = pl.read_csv(Path(ROOT_DATA_PATH) / "eshot" / "eshot_audio_info.csv")
points_info = pl.read_csv(Path(ROOT_DATA_PATH) / "eshot" / "eshot_points_info.csv")

with open(Path(ROOT_DATA_PATH) / "eshot" / "category_to_point_ids.json", "r") as f:
    category_to_point_ids = json.load(f)

with open(Path(ROOT_DATA_PATH) / "eshot" / "category_to_audio_ids.json", "r") as f:
    category_to_audio_ids = json.load(f)

file_id_to_point_id = dict(zip(points_info["file_id"], points_info["eshot_point_id"]))
category_to_point_ids = {
    category: [file_id_to_point_id.get(point_id, point_id) for point_id in point_ids]
    for category, point_ids in category_to_point_ids.items()
}

audio_id_to_index = {audio_id: idx for idx, audio_id in enumerate(audio_info["eshot_audio_id"])}

point_id_to_index = {point_id: idx for idx, point_id in enumerate(points_info["eshot_point_id"])}

audio_embeddings = np.load(Path(ROOT_DATA_PATH) / "embeddings" / "eshot_audio.npy")
points_embeddings = np.load(Path(ROOT_DATA_PATH) / "embeddings" / "eshot_points.npy")

audio_class_vectors = {}
category_to_audio_embeddings = {}
category_to_point_embeddings = {}
points_class_vectors = {}

for category, audio_ids in category_to_audio_ids.items():
    audio_cat_idxs = [audio_id_to_index[audio_id] for audio_id in audio_ids]

    audio_cat_embs = audio_embeddings[audio_cat_idxs]
    category_to_audio_embeddings[category] = audio_cat_embs

    audio_cat_vector = make_class_embedding(audio_cat_embs)

    audio_class_vectors[category] = audio_cat_vector


for category, point_ids in category_to_point_ids.items():
    point_cat_idxs = [point_id_to_index[point_id] for point_id in point_ids]

    point_cat_embs = points_embeddings[point_cat_idxs]
    category_to_point_embeddings[category] = point_cat_embs

    point_cat_vector = make_class_embedding(point_cat_embs)

    points_class_vectors[category] = point_cat_vector


sorted_categories = sorted(category_to_audio_ids.keys())

audio_class_embs = np.stack([audio_class_vectors[cat] for cat in sorted_categories])
point_class_embs = np.stack([points_class_vectors[cat] for cat in sorted_categories])

# audio to points
for i, category in enumerate(sorted_categories):
    print(f"\n{'=' * 60}")
    print(f"Category: {category}")
    print(f"{'=' * 60}")
    audio_embs = category_to_audio_embeddings[category]
    audio_embs = audio_embs / np.linalg.norm(audio_embs, axis=1, keepdims=True)
    sim_mat = audio_embs @ point_class_embs.T
    classifications = np.argsort(sim_mat, axis=1)[:, ::-1]

    print("\n[Audio → Points Classification]")
    for k in [1, 5]:
        top_k_predictions = classifications[:, :k]
        correct = np.any(top_k_predictions == i, axis=1)
        accuracy = np.mean(correct)
        print(f"  Top-{k} Accuracy: {accuracy:.4f} ({int(correct.sum())}/{len(correct)} correct)")

    point_embs = category_to_point_embeddings[category]
    point_embs = point_embs / np.linalg.norm(point_embs, axis=1, keepdims=True)
    sim_mat = point_embs @ audio_class_embs.T

    classifications = np.argsort(sim_mat, axis=1)[:, ::-1]

    print("\n[Points → Audio Classification]")
    for k in [1, 5]:
        top_k_predictions = classifications[:, :k]
        correct = np.any(top_k_predictions == i, axis=1)
        accuracy = np.mean(correct)
        print(f"  Top-{k} Accuracy: {accuracy:.4f} ({int(correct.sum())}/{len(correct)} correct)")

"""How long agreement with people takes for a million triplets: ``python -m benchmarks.ratings WORK``.

A store with a million random triplets over as many items as E-MM1:1M has, and random vectors. Beside the whole report, its parts
next to their rivals on the same rows: similarities and NumPy, the measures and scikit-learn, Somers' D and scipy on few rows, whose
time is quadratic. Times are processor seconds of the process, since other work on the machine lengthens the others.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.stats import somersd
from sklearn.metrics import average_precision_score, roc_auc_score

import emm1
from benchmarks.record import Row, measured
from benchmarks.report import finish
from emm1.evaluation.ratings.agreement import COMPARED, Ranked
from emm1.evaluation.ratings.judgements import Judgements
from emm1.evaluation.ratings.measures import Measured
from emm1.evaluation.ratings.report import RatingsReport

ROWS = 1_000_000
ITEMS = {"image": 118_000, "video": 72_000, "audio": 121_000, "points": 177_000}
PAIRS = {
    ("audio", "image"): 0.2,
    ("audio", "points"): 0.15,
    ("image", "audio"): 0.1,
    ("image", "points"): 0.3,
    ("video", "points"): 0.25,
}
DIMS = (256, 1024)
FEW = 4000
RESAMPLES = 20
BLOCK = 8192
T = TypeVar("T")


def main(work: Path) -> None:
    store = made(work)
    rows = []
    for dims in DIMS:
        files = vectors(work, dims)
        store.ratings(files, resamples=0)  # reads the files once
        seconds, report = timed(partial(store.ratings, files, resamples=0))
        framed, _ = timed(report.to_frame)
        rows.append(Row(f"whole report, {dims} dims", "emm1", {"seconds": seconds + framed}))
        judged = report.judgements()
        parts = {"emm1": partial(scored, files), "NumPy": partial(numpy_scored, files)}
        rows += against(f"similarities, {dims} dims", parts, judged)
    rows += against("measures", {"emm1": measures, "scikit-learn": scikit_learn}, judged)
    few = judged[0].where(np.arange(len(judged[0].rows)) < FEW)
    rows += against(f"Somers' D of {FEW:,} rows", {"emm1": somers_d, "scipy": scipy_somers_d}, [few])
    rows.append(Row(f"intervals, {RESAMPLES} resamples", "emm1", {"seconds": intervals(report)}))
    finish(measured("ratings", rows, triplets=ROWS), work, documented=True)


def made(work: Path) -> emm1.Store:
    path = work / "emm1.duckdb"
    if not path.exists():
        emm1.write_sample(work / "tree", scale=0.0001, embeddings=16)
        rng = np.random.default_rng(0)
        code = rng.choice(len(PAIRS), ROWS, p=[*PAIRS.values()])
        names = np.array([*PAIRS])[code]
        counts = np.array([[ITEMS[each] for each in pair] for pair in PAIRS])[code]
        items = (rng.random((ROWS, 2)) * counts).astype(np.int64)
        triplets = {
            "encord_text_id": rng.integers(0, 312_000, ROWS),
            "paired_modality": names[:, 0],
            "annotated_modality": names[:, 1],
            "encord_paired_id": items[:, 0],
            "encord_annotated_id": items[:, 1],
            "annotation": rng.choice([1, 2, 3], ROWS, p=[0.45, 0.2, 0.35]),
        }
        pl.DataFrame(triplets).write_csv(work / "tree/e-mm1_1m/triplets.csv")
        emm1.build(work / "tree", path, splits=["1m"]).close()
    return emm1.open(path, read_only=True)


def vectors(work: Path, dims: int) -> dict[str, Path]:
    files = {modality: work / f"{modality}_{dims}.npy" for modality in ITEMS}
    rng = np.random.default_rng(dims)
    for modality, file in files.items():
        if not file.exists():
            np.save(file, rng.standard_normal((ITEMS[modality], dims), dtype=np.float32))
            np.save(file.with_suffix(".ids.npy"), np.arange(ITEMS[modality]))
    return files


def timed(job: Callable[[], T]) -> tuple[float, T]:
    started = time.process_time()
    found = job()
    return time.process_time() - started, found


def against(
    task: str, contenders: Mapping[str, Callable[[Judgements], ArrayLike]], judged: list[Judgements]
) -> Iterator[Row]:
    """The times of emm1 and its rival, which find the same."""
    expected: list[NDArray[np.float64]] = []
    for name, contender in contenders.items():
        seconds, found = timed(partial(all_of, contender, judged))
        for one, another in zip(found, expected or found, strict=True):
            np.testing.assert_allclose(one, another, atol=1e-4)
        expected = found
        yield Row(task, name, {"seconds": seconds})


def all_of(contender: Callable[[Judgements], ArrayLike], judged: list[Judgements]) -> list[NDArray[np.float64]]:
    return [np.asarray(contender(each), np.float64) for each in judged]


def scored(files: dict[str, Path], judged: Judgements) -> ArrayLike:
    a, b = (emm1.Embeddings(files[each]) for each in (judged.paired_modality, judged.annotated_modality))
    return emm1.score_pairs(a, judged.rows["encord_paired_id"], b, judged.rows["encord_annotated_id"])


def numpy_scored(files: dict[str, Path], judged: Judgements) -> ArrayLike:
    x, y = (np.load(files[each], mmap_mode="r") for each in (judged.paired_modality, judged.annotated_modality))
    places = judged.rows.select("encord_paired_id", "encord_annotated_id").to_numpy()
    found = np.empty(len(places), np.float32)
    for begin in range(0, len(places), BLOCK):
        a, b = x[places[begin : begin + BLOCK, 0]], y[places[begin : begin + BLOCK, 1]]
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        found[begin : begin + BLOCK] = np.einsum("ij,ij->i", a, b) / norms
    return found


def measures(judged: Judgements) -> ArrayLike:
    """All of them, of which scikit-learn has these."""
    found = Measured(judged).values()
    return [found[name] for name in (*COMPARED, "ap_good")]


def scikit_learn(judged: Judgements) -> ArrayLike:
    rating, similarity = judged.annotation - 1, judged.similarity
    of = {name: np.isin(rating, pair) for name, pair in COMPARED.items()}
    aucs = [roc_auc_score(rating[of[name]] == pair[0], similarity[of[name]]) for name, pair in COMPARED.items()]
    return [*aucs, average_precision_score(rating == 0, similarity)]


def somers_d(judged: Judgements) -> ArrayLike:
    ranked = Ranked.of(judged.similarity, judged.annotation)
    return [ranked.compare(ranked.counts()).somers_d]


def scipy_somers_d(judged: Judgements) -> ArrayLike:
    return [somersd(3 - judged.annotation, judged.similarity).statistic]


def intervals(report: RatingsReport) -> float:
    return timed(lambda: [Measured(each).bounds(RESAMPLES) for each in report.judgements()])[0]


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""How a zero-shot classification comes about: classes and samples matched, compared, and accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.errors import EmbeddingError
from emm1.evaluation.report.provenance import Provenance
from emm1.evaluation.zero_shot.classify import NO_VECTOR, Outcome, Way, check_way, class_vectors, compare
from emm1.evaluation.zero_shot.items import Items
from emm1.evaluation.zero_shot.labels import named
from emm1.evaluation.zero_shot.leave_out import compare_without_self
from emm1.evaluation.zero_shot.report import ZeroShotReport

LEAST_CLASSES = 2
COVERAGE: dict[str, Any] = {"what": pl.String, "count": pl.Int64, "named": pl.List(pl.String)}


def evaluate(
    samples: Items, classes: Items | Mapping[str, NDArray[np.float32]], way: Way, *, own: bool = False
) -> ZeroShotReport:
    """Classify samples by the class whose vector is the most similar.

    Args:
        samples: the samples with their labels.
        classes: what class vectors are made from: items with labels, or the vectors of each class, (n, dim).
        way: as in `class_vectors`.
        own: whether `classes` are items of the same ids as the samples; then each sample is left out of the means.

    Raises:
        EmbeddingError: dimensions differ, there are fewer than two classes, or no sample has one.
    """
    check_way(way)
    given = (
        {name: classes.vectors[rows] for name, rows in classes.rows.items()} if isinstance(classes, Items) else classes
    )
    names = tuple(sorted(given))
    _check(samples, given)
    kept, sample, label = _pairs(samples, names)
    if not len(kept):
        raise EmbeddingError(
            f"none of {len(samples.ids) + len(samples.unlabelled):,} samples has a label that is one of the {len(names)} classes: "
            f"labels such as {_some(named(samples.labels))}, classes such as {_some(names)}"
        )
    if own and isinstance(classes, Items):
        chosen = Items(samples.ids[kept], samples.vectors[kept], samples.labels)
        similarity = compare_without_self(chosen, classes, list(names), way)
    else:
        vectors = class_vectors((given[name] for name in names), way)
        # Samples of one first class are multiplied at once, as EShot's script does it.
        first = label[np.searchsorted(sample, np.arange(len(kept)))]
        blocks = np.split(kept, np.flatnonzero(np.diff(first)) + 1)
        similarity = compare((samples.vectors[block] for block in blocks), vectors)
    outcome = Outcome(samples.ids[kept], sample, label, similarity)
    provenance = Provenance.now(samples=samples.source, classes=classes.source if isinstance(classes, Items) else None)
    coverage = _coverage(samples, classes, names, outcome, own=own)
    return ZeroShotReport(names, way, own, coverage, provenance, outcome)


def _check(samples: Items, classes: Mapping[str, NDArray[np.float32]]) -> None:
    if len(classes) < LEAST_CLASSES:
        has = f"only one class, {next(iter(classes))!r}" if classes else "no class with a vector"
        raise EmbeddingError(f"there is {has}: give at least two classes to tell apart")
    dims = {vectors.shape[1] for vectors in classes.values()}
    if dims != {samples.vectors.shape[1]}:
        found = " and ".join(f"{dim:,}" for dim in sorted(dims))
        raise EmbeddingError(
            f"samples have {samples.vectors.shape[1]:,} dimensions and classes {found}: embed both with one model"
        )


def _pairs(samples: Items, names: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The rows of samples that have a class, ordered by their first; and of each pair, the position therein and the class."""
    index = {name: place for place, name in enumerate(names)}
    of_row = [[index[name] for name in samples.labels.get(item, ()) if name in index] for item in samples.ids.tolist()]
    kept = sorted((row for row, labels in enumerate(of_row) if labels), key=lambda row: of_row[row][0])
    sizes = [len(of_row[row]) for row in kept]
    label = np.array([one for row in kept for one in of_row[row]], np.int64)
    return np.array(kept, np.int64), np.repeat(np.arange(len(kept)), sizes), label


def _coverage(
    samples: Items,
    classes: Items | Mapping[str, NDArray[np.float32]],
    names: Sequence[str],
    outcome: Outcome,
    *,
    own: bool,
) -> pl.DataFrame:
    """What was left out, and what counts in a special way."""
    sampled = set(outcome.label.tolist())
    alone = outcome.sample[outcome.similarity[outcome.sample, outcome.label] == NO_VECTOR]
    unlabelled, without_vector = _unmatched(samples)
    classified = set(outcome.ids.tolist())
    found: dict[str, Iterable[Any]] = {
        "samples_without_label": unlabelled,
        "labels_without_vector": without_vector,
        "labels_without_class": sorted(named(samples.labels) - set(names)),
        "samples_without_class": [
            item for item in samples.ids.tolist() if item in samples.labels and item not in classified
        ],
        "samples_alone_in_class": outcome.ids[np.unique(alone)].tolist(),
        "classes_without_sample": [name for place, name in enumerate(names) if place not in sampled],
    }
    if isinstance(classes, Items) and not (own and classes.labels is samples.labels):
        unlabelled, without_vector = _unmatched(classes)
        found |= {"class_items_without_label": unlabelled, "class_labels_without_vector": without_vector}
    rows = [(what, len(each), [str(one) for one in each]) for what, each in ((k, list(v)) for k, v in found.items())]
    return pl.DataFrame(rows, COVERAGE, orient="row")


def _unmatched(items: Items) -> tuple[list[int], list[int]]:
    """The ids that have a vector and no label, and those that have a label and no vector."""
    ids = items.ids.tolist()
    unlabelled = [item for item in ids if item not in items.labels] + items.unlabelled.tolist()
    return unlabelled, sorted(items.labels.keys() - set(ids))


def _some(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names)[:3])

"""From which similarity on rows are Good: a threshold chosen on one half of the captions and tested on the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from emm1.evaluation.ratings.judgements import Judgements
from emm1.evaluation.statistics.intervals import wilson

PRECISION = 0.9
SCHEMA = {
    "paired_modality": pl.String,
    "annotated_modality": pl.String,
    "threshold": pl.Float64,
    **dict.fromkeys(("fit_pairs", "fit_above"), pl.Int64),
    **dict.fromkeys(("fit_precision", "fit_precision_low"), pl.Float64),
    **dict.fromkeys(("test_pairs", "test_above"), pl.Int64),
    **{f"test_{name}{end}": pl.Float64 for name in ("precision", "recall") for end in ("", "_low", "_high")},
    "test_prevalence": pl.Float64,
}


def smallest_threshold(similarity: ArrayLike, good: ArrayLike, precision: float = PRECISION) -> float | None:
    """The smallest similarity from which on the precision of Good is surely high enough.

    Every distinct similarity is looked at, from the highest down: its precision is the share of Good rows among those that are at
    least as similar, and its lower bound that of the 95 % Wilson interval. The smallest of many thresholds that pass one test
    passes it partly by luck, so its precision on these rows is too high: only other rows say what it is.

    Args:
        similarity: the similarities, (n,).
        good: whether each row is rated Good, (n,).
        precision: what the lower bound must reach, 0 to 1.

    Returns:
        The threshold, which is one of the similarities; None if the bound is lower everywhere.

    >>> smallest_threshold(np.repeat([0.9, 0.5, 0.1], 50), np.repeat([1, 1, 0], 50))
    0.5
    >>> smallest_threshold([0.9, 0.5], [1, 1]) is None
    True
    """
    values, run = np.unique(np.asarray(similarity), return_inverse=True)
    rows, found = (
        np.bincount(run, weights, len(values))[::-1].cumsum()[::-1] for weights in (None, np.asarray(good, np.float64))
    )
    passing = np.flatnonzero(wilson(found, rows)[0] >= precision)
    return float(values[passing[0]]) if len(passing) else None


def threshold_row(judgements: Judgements, fit: NDArray[np.bool_], precision: float) -> dict[str, Any]:
    """The row of `RatingsReport.thresholds`.

    Args:
        judgements: the rows of an ordered pair of modalities.
        fit: whether a row is in the half that the threshold is chosen on, (n,).
        precision: as in `smallest_threshold`.

    >>> rows = pl.DataFrame({"annotation": np.tile([1, 3], 100)})
    >>> judged = Judgements("paired", "audio", "image", rows, np.tile([0.8, 0.2], 100).astype(np.float32), {})
    >>> row = threshold_row(judged, np.arange(200) < 100, 0.9)
    >>> row["fit_above"], row["test_above"], row["test_precision"], row["test_recall"]
    (50, 50, 1.0, 1.0)
    """
    good, similarity = judgements.annotation == 1, judgements.similarity
    threshold = smallest_threshold(similarity[fit], good[fit], precision)
    row: dict[str, Any] = {
        "paired_modality": judgements.paired_modality,
        "annotated_modality": judgements.annotated_modality,
        "threshold": threshold,
        "fit_pairs": int(fit.sum()),
        "test_pairs": int((~fit).sum()),
        "test_prevalence": float(good[~fit].mean()) if not fit.all() else None,
    }
    if threshold is not None:
        above = similarity >= threshold
        chosen = _share(good & above & fit, above & fit)
        row |= {"fit_above": int((above & fit).sum()), "fit_precision": chosen[0], "fit_precision_low": chosen[1]}
        row["test_above"] = int((above & ~fit).sum())
        row |= _named("test_precision", _share(good & above & ~fit, above & ~fit))
        row |= _named("test_recall", _share(good & above & ~fit, good & ~fit))
    return row


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> tuple[float | None, float | None, float | None]:
    """What share of some rows are others, and the bounds of its 95 % interval; None if there are no rows."""
    k, n = int(part.sum()), int(whole.sum())
    if not n:
        return None, None, None
    low, high = wilson(k, n)
    return k / n, float(low), float(high)


def _named(name: str, values: tuple[float | None, float | None, float | None]) -> dict[str, float | None]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))

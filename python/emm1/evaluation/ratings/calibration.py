"""The probability that a row is Good, given its similarity: fitted on one half of the captions and tested on the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from emm1.errors import EmbeddingError
from emm1.evaluation.ratings.halves import fitted_on
from emm1.evaluation.ratings.judgements import Judgements
from emm1.evaluation.statistics.intervals import wilson

BINS = 10
_PAIR = {"paired_modality": pl.String, "annotated_modality": pl.String}
_SCORES = _PAIR | {
    **dict.fromkeys(("fit_pairs", "test_pairs"), pl.Int64),
    **dict.fromkeys(("prevalence", "brier", "brier_prevalence", "log_loss", "log_loss_prevalence"), pl.Float64),
}
_RELIABILITY = _PAIR | {
    **dict.fromkeys(("above", "up_to"), pl.Float64),
    "pairs": pl.Int64,
    **dict.fromkeys(("predicted", "observed", "observed_low", "observed_high"), pl.Float64),
}
_CURVE = _PAIR | dict.fromkeys(("similarity", "probability"), pl.Float64)


@dataclass(frozen=True)
class Curve:
    """A probability that does not fall with similarity: linear between its points, constant beyond them.

    Attributes:
        similarity: of the points, ascending, (points,).
        probability: of the points, never 0 or 1, (points,).
    """

    similarity: NDArray[np.float64]
    probability: NDArray[np.float64]

    @classmethod
    def fitted(cls, similarity: ArrayLike, good: ArrayLike) -> Self:
        """Isotonic regression: of all curves that do not fall, the one with the least squared error.

        Adjacent similarities whose shares of Good fall are pooled until none do. M. Ayer, H. D. Brunk, G. M. Ewing, W. T. Reid and
        E. Silverman, "An empirical distribution function for sampling with incomplete information", Annals of Mathematical
        Statistics 26, 1955, 641–647. One Good row is added at the lowest similarity and another row at the highest, so that
        no finite number of rows makes anything certain, and the log loss is finite.

        Args:
            similarity: the similarities, at least one, (n,).
            good: whether each row is rated Good, (n,).

        >>> Curve.fitted([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1]).probability.tolist()
        [0.5, 0.5]
        >>> Curve.fitted(np.repeat([0.2, 0.6], 3), [0, 0, 0, 1, 1, 1])([0.2, 0.5, 0.7]).tolist()
        [0.25, 0.625, 0.75]
        """
        values, run = np.unique(np.asarray(similarity, np.float64), return_inverse=True)
        rows, found = np.bincount(run), np.bincount(run, np.asarray(good, np.float64)).astype(np.int64)
        found[0] += 1
        rows[0] += 1
        rows[-1] += 1
        # The blocks so far: first run, rows, Good rows. Shares are compared as integers, exactly.
        blocks: list[tuple[int, int, int]] = []
        for first, (n, k) in enumerate(zip(rows.tolist(), found.tolist(), strict=True)):
            block = (first, n, k)
            while blocks and blocks[-1][2] * block[1] >= block[2] * blocks[-1][1]:
                before = blocks.pop()
                block = (before[0], before[1] + block[1], before[2] + block[2])
            blocks.append(block)
        firsts, sizes, goods = np.array(blocks).T
        lasts = np.append(firsts[1:], len(values)) - 1
        ends = np.unique(np.concatenate([firsts, lasts]))
        return cls(values[ends], (goods / sizes)[np.searchsorted(firsts, ends, side="right") - 1])

    def __call__(self, similarity: ArrayLike) -> NDArray[np.float64]:
        """The probability at any similarities, of the same shape."""
        return np.asarray(np.interp(np.asarray(similarity, np.float64), self.similarity, self.probability))


@dataclass(frozen=True)
class Calibration:
    """Calibrated probabilities that a row is Good, by ordered pair of modalities.

    Attributes:
        scores: how good the probabilities are on the captions that they were not fitted on: Brier score (mean squared error) and
            log loss (natural logarithm), each beside that of always saying how frequent Good is among the fitted rows
            (prevalence). Lower is better. One row for each ordered pair; NULL where a half has no rows.
        reliability: the same rows in bins of the probability, above one bound and up to the other: how many, the mean
            probability (predicted), the share that is Good (observed) and its 95 % Wilson interval. Bins without rows are left out.
        curve: the points between which the probability is linear, to be used elsewhere.

    >>> rows = pl.DataFrame({"encord_text_id": range(1000), "annotation": [1 if row % 3 else 3 for row in range(1000)]})
    >>> similarity = np.where(rows["annotation"] == 1, 0.8, 0.2).astype(np.float32)
    >>> found = Calibration.of([Judgements("paired", "audio", "image", rows, similarity, {})])
    >>> found.probability("audio", "image", [0.2, 0.5, 0.8]).round(1).tolist()
    [0.0, 0.5, 1.0]
    """

    scores: pl.DataFrame
    reliability: pl.DataFrame
    curve: pl.DataFrame
    _curves: Mapping[tuple[str, str], Curve] = field(repr=False)

    @classmethod
    def of(cls, judged: list[Judgements]) -> Self:
        """Fit and test a curve for each ordered pair of modalities."""
        scores, reliability, curves = [], [], {}
        for each in judged:
            pair = {"paired_modality": each.paired_modality, "annotated_modality": each.annotated_modality}
            fit, good = fitted_on(each.captions), each.annotation == 1
            row: dict[str, Any] = pair | {"fit_pairs": int(fit.sum()), "test_pairs": int((~fit).sum())}
            if fit.any():
                curve = Curve.fitted(each.similarity[fit], good[fit])
                curves[each.paired_modality, each.annotated_modality] = curve
                row["prevalence"] = float((good[fit].sum() + 1) / (fit.sum() + 2))
                if not fit.all():
                    probability = curve(each.similarity[~fit])
                    row |= losses(probability, good[~fit])
                    constant = losses(np.full(len(probability), row["prevalence"]), good[~fit])
                    row |= {f"{name}_prevalence": value for name, value in constant.items()}
                    reliability += [pair | found for found in reliability_of(probability, good[~fit])]
            scores.append(row)
        points = [
            {**dict(zip(_PAIR, pair, strict=True)), "similarity": x, "probability": p}
            for pair, curve in curves.items()
            for x, p in zip(curve.similarity.tolist(), curve.probability.tolist(), strict=True)
        ]
        return cls(
            pl.DataFrame(scores, schema=_SCORES),
            pl.DataFrame(reliability, schema=_RELIABILITY),
            pl.DataFrame(points, schema=_CURVE),
            curves,
        )

    def probability(self, paired_modality: str, annotated_modality: str, similarity: ArrayLike) -> NDArray[np.float64]:
        """The probability that people rate rows Good.

        Args:
            paired_modality: the modality of the item that the caption belongs to.
            annotated_modality: the modality of the other item.
            similarity: similarities (cosine) of the same model, of any shape.

        Raises:
            EmbeddingError: this ordered pair of modalities was not fitted.
        """
        curve = self._curves.get((paired_modality, annotated_modality))
        if curve is None:
            known = ", ".join(" → ".join(pair) for pair in self._curves)
            raise EmbeddingError(f"no probabilities of {paired_modality} → {annotated_modality}: {known}")
        return curve(similarity)


def losses(probability: ArrayLike, good: ArrayLike) -> dict[str, float]:
    """The Brier score and the log loss of probabilities, none of which is 0 or 1.

    G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78, 1950, 1–3.

    >>> losses([0.5, 0.75], [0, 1])
    {'brier': 0.15625, 'log_loss': 0.4904146265058631}
    """
    p, y = np.asarray(probability, np.float64), np.asarray(good, bool)
    return {
        "brier": float(np.square(p - y).mean()),
        "log_loss": float(-np.log(np.where(y, p, 1 - p)).mean()),
    }


def reliability_of(probability: ArrayLike, good: ArrayLike) -> list[dict[str, float]]:
    """The rows of `Calibration.reliability`.

    >>> [(bin["up_to"], bin["pairs"], bin["observed"]) for bin in reliability_of([0.1, 0.05, 0.95], [0, 0, 1])]
    [(0.1, 2, 0.0), (1.0, 1, 1.0)]
    """
    p, y = np.asarray(probability, np.float64), np.asarray(good, np.float64)
    edges = np.arange(BINS + 1) / BINS
    place = np.searchsorted(edges[1:-1], p)
    rows, found, total = (np.bincount(place, weights, BINS) for weights in (None, y, p))
    filled = rows > 0
    low, high = wilson(found[filled], rows[filled])
    names = ("above", "up_to", "pairs", "predicted", "observed", "observed_low", "observed_high")
    rows, found, total = rows[filled], found[filled], total[filled]
    columns = (edges[:-1][filled], edges[1:][filled], rows, total / rows, found / rows, low, high)
    return [dict(zip(names, row, strict=True)) for row in zip(*(each.tolist() for each in columns), strict=True)]

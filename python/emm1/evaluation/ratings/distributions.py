"""How similar rows of each rating are: histograms of the similarities of an ordered pair of modalities."""

from __future__ import annotations

import numpy as np
import polars as pl

from emm1.evaluation.ratings.judgements import Judgements

BINS = 40
RATINGS = {1: "Good", 2: "Partial", 3: "Bad"}
SCHEMA = {
    "paired_modality": pl.String,
    "annotated_modality": pl.String,
    "annotation": pl.Int64,
    "above": pl.Float64,
    "up_to": pl.Float64,
    "pairs": pl.Int64,
}


def histograms(judged: list[Judgements]) -> pl.DataFrame:
    """The rows of `RatingsReport.distributions`: for each rating, bins of equal width from the lowest to the highest similarity.

    >>> rows = pl.DataFrame({"annotation": [1, 1, 3]})
    >>> found = histograms([Judgements("paired", "audio", "image", rows, np.array([0.5, 1, 0], np.float32), {})])
    >>> found.filter(found["pairs"] > 0).select("annotation", "up_to", "pairs").rows()
    [(1, 0.5, 1), (1, 1.0, 1), (3, 0.025, 1)]
    """
    rows = []
    for each in judged:
        edges = np.histogram_bin_edges(each.similarity.astype(np.float64), BINS)
        # Bins include their upper edge; the first one also its lower edge.
        place = np.searchsorted(edges[1:-1], each.similarity.astype(np.float64))
        for annotation in RATINGS:
            counts = np.bincount(place[each.annotation == annotation], minlength=BINS)
            rows += [
                {
                    "paired_modality": each.paired_modality,
                    "annotated_modality": each.annotated_modality,
                    "annotation": annotation,
                    "above": above,
                    "up_to": up_to,
                    "pairs": pairs,
                }
                for above, up_to, pairs in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
            ]
    return pl.DataFrame(rows, schema=SCHEMA)

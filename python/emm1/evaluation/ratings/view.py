"""What the page on agreement with people shows, as plain values and the shapes of its charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from emm1.evaluation.ratings.agreement import COMPARED
from emm1.evaluation.ratings.distributions import RATINGS
from emm1.evaluation.ratings.text import PAIR, TITLES, pair
from emm1.evaluation.report.estimates import Estimate

if TYPE_CHECKING:
    from emm1.evaluation.ratings.report import RatingsReport

AUCS = {
    "auc_mean": "Mean",
    **{name: name.removeprefix("auc_").replace("_", " over ").capitalize() for name in COMPARED},
}
SCALE = 100.0  # charts are drawn from 0 to this


@dataclass(frozen=True)
class Histogram:
    """The similarities of the rows of one rating; `path` is an SVG path, as high as the highest bin of all ratings."""

    rating: str
    pairs: int
    path: str


@dataclass(frozen=True)
class PairView:
    """One ordered pair of modalities."""

    title: str
    row: Mapping[str, Any]
    aucs: Mapping[str, Estimate | None]
    threshold: Mapping[str, Any]
    precision: Estimate | None
    recall: Estimate | None
    score: Mapping[str, Any]
    bins: Sequence[Mapping[str, Any]]
    histograms: Sequence[Histogram]
    lowest: float
    highest: float

    def place(self, similarity: float) -> float:
        """Where a similarity is between the lowest (0) and the highest (`SCALE`)."""
        return SCALE * (similarity - self.lowest) / (self.highest - self.lowest)


@dataclass(frozen=True)
class RatingsView:
    """One of the two similarities."""

    against: str
    title: str
    pairs: list[PairView]
    disagreements: list[dict[str, Any]]


def ratings_view(report: RatingsReport, against: str, disagreements: int) -> RatingsView:
    """Everything about one similarity.

    Args:
        report: the report.
        against: ``paired`` or ``caption``.
        disagreements: how many to show.
    """
    calibration = report.calibration(against)
    frames = (report.frame(against), report.thresholds(against=against), calibration.scores)
    bins, distributions = (
        frame.partition_by(PAIR, as_dict=True) for frame in (calibration.reliability, report.distributions(against))
    )
    pairs = []
    for row, threshold, score in zip(*(frame.to_dicts() for frame in frames), strict=True):
        key = (row["paired_modality"], row["annotated_modality"])
        counts = distributions[key]
        pairs.append(
            PairView(
                title=pair(row),
                row=row,
                aucs={title: optional(row, name) for name, title in AUCS.items()},
                threshold=threshold,
                precision=optional(threshold, "test_precision"),
                recall=optional(threshold, "test_recall"),
                score=score,
                bins=bins[key].to_dicts() if key in bins else [],
                histograms=histograms_of(counts),
                lowest=counts["above"][0],
                highest=counts["up_to"][-1],
            )
        )
    return RatingsView(against, TITLES[against], pairs, report.disagreements(disagreements, against).to_dicts())


def optional(row: Mapping[str, Any], name: str) -> Estimate | None:
    """A column with its interval, which is a point where there is none; None if the value is not defined.

    >>> optional({"ap": 0.5, "ap_low": None, "ap_high": None}, "ap")
    Estimate(value=0.5, low=0.5, high=0.5)
    """
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return None if value is None else Estimate(value, value if low is None else low, value if high is None else high)


def histograms_of(counts: pl.DataFrame) -> list[Histogram]:
    """The histograms of the ratings: shares of the rows of each rating, all to one scale, with 0 at the bottom.

    Args:
        counts: the rows of `RatingsReport.distributions` of one ordered pair.

    >>> counts = pl.DataFrame({"annotation": [1, 1, 2, 2, 3, 3], "pairs": [0, 2, 1, 1, 0, 0]})
    >>> [(each.rating, each.pairs, each.path) for each in histograms_of(counts)]
    [('Good', 2, 'M50 100v-100h50v100z'), ('Partial', 2, 'M0 100v-50h50v50zM50 100v-50h50v50z'), ('Bad', 0, '')]
    """
    pairs = {rating: counts.filter(annotation=rating)["pairs"].to_list() for rating in RATINGS}
    shares = {rating: [count / max(1, sum(own)) for count in own] for rating, own in pairs.items()}
    highest = max(max(own) for own in shares.values()) or 1
    return [
        Histogram(RATINGS[rating], sum(pairs[rating]), bars([share / highest for share in own]))
        for rating, own in shares.items()
    ]


def bars(heights: Sequence[float]) -> str:
    """Bars side by side as an SVG path, `SCALE` wide and high.

    >>> bars([0.5, 0, 1])
    'M0 100v-50h33.33v50zM66.67 100v-100h33.33v100z'
    """
    width = SCALE / len(heights)
    return "".join(
        f"M{place * width:.4g} {SCALE:g}v-{height * SCALE:.4g}h{width:.4g}v{height * SCALE:.4g}z"
        for place, height in enumerate(heights)
        if height
    )

"""How often 95 % intervals hold the truth: data sets drawn from distributions whose true values are known.

    PYTHONPATH=tests/campaigns python tests/campaigns/intervals.py [NAME ...] --sets 2000 --seed 1

Prints a row for each interval of `STUDIES`: the share of the data sets whose interval holds the truth, how often the truth lies
below and above it, and the mean width. Exit status 1 if a share is lower than the study allows by more than chance explains.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.evaluation.ratings.judgements import Judgements
from emm1.evaluation.ratings.measures import Measured
from emm1.evaluation.statistics import bootstrap, intervals, significance

Chance = np.random.Generator
Bounds = tuple[float, float]
# The true value and the interval of each measure of a data set.
Found = Mapping[str, tuple[float, Bounds]]
RESAMPLES = 300  # of the two-way bootstrap; the others draw 10,000 at once
CHANCE = 4  # standard errors of a share that are put down to chance


@dataclass(frozen=True)
class Study:
    """An interval under one distribution.

    Attributes:
        name: the interval.
        setting: the distribution, in words.
        draw: draws a data set, and gives true values and intervals.
        least: the share of data sets that must hold the truth, by measure; 0.93 unless given.
    """

    name: str
    setting: str
    draw: Callable[[Chance], Found]
    least: Mapping[str, float] = field(default_factory=dict)


def wilson(chance: float, samples: int) -> Callable[[Chance], Found]:
    """An accuracy over samples that are equally hard."""

    def draw(rng: Chance) -> Found:
        low, high = intervals.wilson(rng.binomial(samples, chance), samples)
        return {"accuracy": (chance, (float(low), float(high)))}

    return draw


def wilson_of_classes(classes: int, samples: int) -> Callable[[Chance], Found]:
    """An accuracy over samples of classes that are not equally hard, each with as many samples."""

    def draw(rng: Chance) -> Found:
        accuracies = rng.beta(2, 1.5, classes)
        correct = rng.binomial(samples, accuracies).sum()
        low, high = intervals.wilson(correct, classes * samples)
        return {"accuracy": (float(accuracies.mean()), (float(low), float(high)))}

    return draw


def mean_over_classes(classes: int, samples: int, a: float = 2, b: float = 1.5) -> Callable[[Chance], Found]:
    """The mean of the accuracies of classes, which are beta distributed."""

    def draw(rng: Chance) -> Found:
        accuracies = rng.beta(a, b, classes)
        correct = rng.binomial(samples, accuracies)
        return {"mean": (float(accuracies.mean()), intervals.mean_over_classes(correct, [samples] * classes))}

    return draw


def difference(classes: int, samples: int, gain: float) -> Callable[[Chance], Found]:
    """Two models on the same samples; the second is right on a share of what the first gets wrong, and the reverse."""

    def draw(rng: Chance) -> Found:
        accuracies = rng.beta(2, 1.5, classes)
        sizes = rng.integers(max(2, samples // 2), 2 * samples, classes)
        lost, won = 0.1 * accuracies, (0.1 + gain) * (1 - accuracies)
        drawn = rng.multinomial(sizes, np.stack([won, lost, 1 - won - lost], axis=1))
        over_samples, over_classes = significance.difference_intervals(drawn[:, 0], drawn[:, 1], sizes)
        truth = won - lost
        return {
            "over samples": (float(np.average(truth, weights=sizes)), over_samples),
            "over classes": (float(truth.mean()), over_classes),
        }

    return draw


def judgements(rng: Chance, captions: int, items: int, rows: int, shared: float) -> Judgements:
    """Rows whose similarity and rating depend on their caption and item (by `shared`) and on chance."""
    text, item = rng.integers(captions, size=rows), rng.integers(items, size=rows)

    def effect() -> NDArray[np.float64]:
        of_both: NDArray[np.float64] = rng.normal(size=captions)[text] + rng.normal(size=items)[item]
        return shared * of_both + rng.normal(size=rows)

    truth = effect()
    similarity = truth + effect()
    cut = math.sqrt(2 * shared**2 + 1) / 2
    rating = np.where(truth > cut, 1, np.where(truth > -cut, 2, 3))
    ids = {"encord_text_id": text, "encord_paired_id": text, "encord_annotated_id": item}
    return Judgements(
        "paired", "audio", "image", pl.DataFrame(ids | {"annotation": rating}), similarity.astype("f4"), {}
    )


def ratings(captions: int, items: int, rows: int, shared: float = 1) -> Callable[[Chance], Found]:
    """Agreement with ratings, where rows share captions and items; the truth is that of a million rows."""
    measures = ("somers_d", "auc_mean", "ap_good", "prevalence")
    truth: dict[str, float] = {}

    def draw(rng: Chance) -> Found:
        if not truth:
            truth.update(Measured(judgements(np.random.default_rng(0), 10**6, 10**6, 10**6, shared)).values())
        bounds = Measured(judgements(rng, captions, items, rows, shared)).bounds(RESAMPLES)
        return {name: (truth[name], bounds[name]) for name in measures}

    return draw


def retrieved(rng: Chance, clusters: int, most: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The rank of the right answer of each query, and its item: captions of one item are easy or hard together."""
    cluster = np.repeat(np.arange(clusters), rng.integers(1, most + 1, clusters))
    effort = rng.normal(size=clusters)[cluster] + rng.normal(size=len(cluster))
    return np.ceil(np.exp(1.5 * effort + 1)), cluster


def clusters(count: int, most: int) -> Callable[[Chance], Found]:
    """Measures of retrieval by clusters of queries, from 1 to `most` in each; the truth is that of a million clusters."""
    truth: dict[str, float] = {}

    def values(rank: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"hit@1": (rank <= 1).astype(float), "hit@10": (rank <= 10).astype(float), "MRR": 1 / rank}

    def draw(rng: Chance) -> Found:
        if not truth:
            rank, _ = retrieved(np.random.default_rng(0), 10**6, most)
            truth.update(
                {name: float(each.mean()) for name, each in values(rank).items()}
                | {"median rank": float(np.median(rank))}
            )
        rank, cluster = retrieved(rng, count, most)
        measures = values(rank)
        drawn = bootstrap.resampled_means(np.stack([*measures.values()], axis=1), cluster, 1000)
        low, high = bootstrap.percentiles(drawn)
        found = {name: (float(low[i]), float(high[i])) for i, name in enumerate(measures)}
        bounds = bootstrap.percentiles(bootstrap.resampled_medians(rank, cluster, 1000))
        found["median rank"] = float(bounds[0]), float(bounds[1])
        return {name: (truth[name], bounds) for name, bounds in found.items()}

    return draw


STUDIES = [
    Study("wilson", "15 samples, accuracy 0.5", wilson(0.5, 15)),
    Study("wilson", "15 samples, accuracy 0.9", wilson(0.9, 15)),
    Study("wilson", "100 samples, accuracy 0.95", wilson(0.95, 100)),
    Study("wilson", "1,680 samples, accuracy 0.62", wilson(0.62, 1680)),
    Study("wilson", "112 classes of 15, not equally hard", wilson_of_classes(112, 15)),
    Study("mean_over_classes", "112 classes of 15", mean_over_classes(112, 15)),
    Study("mean_over_classes", "10 classes of 5", mean_over_classes(10, 5), {"mean": 0.86}),
    Study("mean_over_classes", "5 classes of 3", mean_over_classes(5, 3), {"mean": 0.7}),
    Study(
        "mean_over_classes", "20 classes of 10, accuracies near 0.97", mean_over_classes(20, 10, 30, 1), {"mean": 0.8}
    ),
    Study("difference_intervals", "112 classes of about 18", difference(112, 15, 0.05)),
    Study(
        "difference_intervals",
        "10 classes of about 18",
        difference(10, 15, 0.05),
        {"over classes": 0.9, "over samples": 0.9},
    ),
    Study(
        "difference_intervals",
        "5 classes of about 6",
        difference(5, 5, 0.3),
        {"over classes": 0.7, "over samples": 0.7},
    ),
    Study("ratings", "40 captions, 40 items, 600 rows", ratings(40, 40, 600)),
    Study("ratings", "40 captions, 40 items, 600 rows that hardly depend on them", ratings(40, 40, 600, 0.1)),
    Study(
        "ratings",
        "10 captions, 10 items, 80 rows",
        ratings(10, 10, 80),
        dict.fromkeys(("somers_d", "auc_mean", "ap_good", "prevalence"), 0.8),
    ),
    Study("ratings", "400 captions, 400 items, 500 rows", ratings(400, 400, 500)),
    Study("clusters", "300 clusters of 1 to 9 queries", clusters(300, 9)),
    Study(
        "clusters", "30 clusters of 1 to 9 queries", clusters(30, 9), dict.fromkeys(("hit@1", "hit@10", "MRR"), 0.88)
    ),
    Study(
        "clusters",
        "10 clusters of 1 to 9 queries",
        clusters(10, 9),
        dict.fromkeys(("hit@1", "hit@10", "MRR", "median rank"), 0.78),
    ),
    Study("clusters", "300 clusters of 1 query", clusters(300, 1)),
]


def run(study: Study, sets: int, seed: int) -> bool:
    """Run a study and print its rows; whether each measure is held as often as it must be."""
    rng = np.random.default_rng(seed)
    held: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    started = time.perf_counter()
    for _ in range(sets):
        for name, (truth, (low, high)) in study.draw(rng).items():
            held[name].append((truth < low, truth > high, high - low))
    good = True
    for name, rows in held.items():
        below, above, width = np.mean(np.array(rows), axis=0)
        share, least = 1 - below - above, study.least.get(name, 0.93)
        enough = share >= least - CHANCE * math.sqrt(least * (1 - least) / sets)
        good &= bool(enough)
        numbers = f"{share:.3f} | {below:.3f} | {above:.3f} | {width:.3f}"
        print(f"| {study.name} | {study.setting} | {name} | {numbers} |{'' if enough else ' too rarely'}", flush=True)
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)
    return good


def main() -> None:
    """Run the studies that are named, or all."""
    names = sorted({study.name for study in STUDIES})
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"intervals to study: {', '.join(names)}")
    parser.add_argument("--sets", type=int, default=2000, help="data sets of each study")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names):
        parser.error(f"no interval {', '.join(sorted(unknown))}: {', '.join(names)}")
    chosen = [study for study in STUDIES if study.name in (arguments.names or names)]
    print(
        "| interval | data | measure | holds the truth | truth below | truth above | mean width |\n|---|---|---|---|---|---|---|"
    )
    held = [run(study, arguments.sets, arguments.seed) for study in chosen]
    sys.exit(not all(held))


if __name__ == "__main__":
    main()

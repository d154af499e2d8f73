"""Several models' EShot reports, side by side, over the samples that all models have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.checks import shown
from emm1.errors import EmbeddingError
from emm1.evaluation.eshot import comparison_text
from emm1.evaluation.eshot.classify import DIRECTIONS, EShotReport, Samples, evaluate
from emm1.evaluation.statistics import significance
from emm1.evaluation.statistics.intervals import LEVEL
from emm1.evaluation.zero_shot.tables import TOP

METRICS = tuple(f"top{k}_{kind}" for kind in ("accuracy", "category_mean") for k in TOP)
KEYS = {"model": pl.String, "direction": pl.String, "metric": pl.String}
TABLE = KEYS | {
    "samples": pl.Int64,
    "categories": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "baseline": pl.String,
    "difference": pl.Float64,
    "difference_low": pl.Float64,
    "difference_high": pl.Float64,
    "only_model": pl.Int64,
    "only_baseline": pl.Int64,
    "p": pl.Float64,
}
PER_CLASS = KEYS | {
    "category": pl.String,
    "samples": pl.Int64,
    "correct": pl.Int64,
    "baseline_correct": pl.Int64,
    "difference": pl.Float64,
    "only_model": pl.Int64,
    "only_baseline": pl.Int64,
    "p": pl.Float64,
    "p_holm": pl.Float64,
    "differs": pl.Boolean,
}


@dataclass(frozen=True)
class EShotComparison:
    """Several models on EShot; `str(comparison)` is each model's report as text, then the table side by side.

    The table and the tests are over the samples that all models have, in both modalities: every model is evaluated again on
    these, so that all classify the same samples among the same classes, with class vectors of the same samples.

    Attributes:
        reports: by model, in the order given, its report on all samples that it has itself.
        common: by model, its report on the samples that all models have.
        baseline: the model that the others are compared with.
    """

    reports: Mapping[str, EShotReport]
    common: Mapping[str, EShotReport] = field(repr=False)
    baseline: str

    def __str__(self) -> str:
        return "\n".join(line for part in (comparison_text.reports(self), comparison_text.table(self)) for line in part)

    @property
    def coverage(self) -> pl.DataFrame:
        """One row per modality: modality, listed, with_vector (in every model) and without_vector (in at least one)."""
        return self.common[self.baseline].coverage.drop("unlisted")

    @property
    def others(self) -> list[str]:
        """The models other than the baseline."""
        return [name for name in self.reports if name != self.baseline]

    def to_frame(self) -> pl.DataFrame:
        """The table: one row for each direction, metric and model.

        Returns:
            The columns model, direction, metric (top1_accuracy, top5_accuracy, top1_category_mean and top5_category_mean),
            samples, categories, value, and low and high, the 95 % interval of the value as in `EShotReport.overall`. Then, in
            the rows of models other than the baseline: baseline, its name; difference, this value minus the baseline's;
            difference_low and difference_high, its 95 % paired bootstrap interval, stratified by category. In those of the
            accuracies also only_model and only_baseline, the samples that only one of the two gets right, and p, of McNemar's
            exact test, which is about samples and so says nothing of means over categories. It is not corrected for the number
            of rows.

        >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
        >>> compare({"old": (x, x), "new": (x, x)}).to_frame().filter(model="new").select("value", "difference", "p").row(0)
        (1.0, 0.0, 1.0)
        """
        return self._table

    @cached_property
    def _table(self) -> pl.DataFrame:
        rows = []
        for direction in DIRECTIONS:
            overall = {name: _row_of(report.overall, direction) for name, report in self.common.items()}
            for metric in METRICS:
                for name, row in overall.items():
                    value = {"value": row[metric], "low": row[f"{metric}_low"], "high": row[f"{metric}_high"]}
                    size = {"samples": row["samples"], "categories": len(self.common[name].classes)}
                    key = {"model": name, "direction": direction, "metric": metric}
                    rows.append(key | size | value | self._difference(name, direction, metric))
        return pl.DataFrame(rows, schema=TABLE)

    @cached_property
    def per_class(self) -> pl.DataFrame:
        """The differences by category: one row for each other model, direction, accuracy and category.

        The columns are model, direction, metric (top1_accuracy or top5_accuracy), category, samples, correct and
        baseline_correct, difference (of the two accuracies), only_model and only_baseline (samples that only one of the two gets
        right), p (of McNemar's exact test), p_holm (corrected by Holm's method for the number of all rows of this model), and
        differs: whether p_holm is at most 0.05. If a model is as good as the baseline in every category, the probability that any
        row of it says that it differs is at most 5 %.

        >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
        >>> compare({"old": (x, x), "new": (x, x)}).per_class["differs"].to_list()
        [False, False, False, False, False, False, False, False]
        """
        by_model = (self._per_class_of(name) for name in self.others)
        return pl.concat([pl.DataFrame(schema=PER_CLASS), *by_model])

    def save(self, folder: str | Path) -> Path:
        """Write the comparison, and each model's report in a folder of its own.

        Writes comparison.txt, comparison.html (one file that needs no network), comparison.json, comparison.csv (the table) and
        per_class.csv; and for each model a folder of its name with the files of `EShotReport.save`. Characters that do not
        belong in a file name are replaced by "_".

        Args:
            folder: the folder to write to; created if missing. Existing files of these names are replaced.

        Returns:
            The folder.

        >>> import tempfile
        >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
        >>> folder = compare({"old": (x, x), "new": (x, x)}).save(tempfile.mkdtemp())
        >>> sorted(path.name for path in folder.iterdir() if path.is_dir())
        ['new', 'old']
        """
        from emm1.evaluation.eshot import comparison_page  # noqa: PLC0415 - jinja2 is only needed for files

        return comparison_page.save(self, Path(folder))

    def _difference(self, name: str, direction: str, metric: str) -> dict[str, Any]:
        """What the table says about a model's difference from the baseline."""
        if name == self.baseline:
            return {}
        over_samples = metric.endswith("_accuracy")
        accuracy = metric.replace("category_mean", "accuracy")
        classes = self.per_class.filter(model=name, direction=direction, metric=accuracy)
        first, second, samples = classes.select("only_model", "only_baseline", "samples").to_numpy().T
        interval = significance.difference_intervals(first, second, samples)[0 if over_samples else 1]
        found = {"baseline": self.baseline, "difference_low": interval[0], "difference_high": interval[1]}
        if not over_samples:
            return found | {"difference": float(((first - second) / samples).mean())}
        wins, losses = int(first.sum()), int(second.sum())
        p = significance.mcnemar(wins, losses)
        difference = (wins - losses) / int(samples.sum())
        return found | {"difference": difference, "only_model": wins, "only_baseline": losses, "p": p}

    def _per_class_of(self, name: str) -> pl.DataFrame:
        parts = []
        for direction in DIRECTIONS:
            model, baseline = (self.common[each].outcomes(direction) for each in (name, self.baseline))
            for k in TOP:
                pairs = model.select("category", model=f"top{k}_correct", baseline=baseline[f"top{k}_correct"])
                counted = _paired_counts(pairs)
                keys = {"model": name, "direction": direction, "metric": f"top{k}_accuracy"}
                parts.append(counted.select(*(pl.lit(value).alias(key) for key, value in keys.items()), pl.all()))
        rows = pl.concat(parts)
        counts = rows.select("only_model", "only_baseline").iter_rows()
        p = pl.Series("p", [significance.mcnemar(*pair) for pair in counts], pl.Float64)
        corrected = pl.Series("p_holm", significance.holm(p))
        return rows.with_columns(p, corrected, differs=corrected <= 1 - LEVEL)


def compare(models: Mapping[str, tuple[Samples, Samples]], baseline: str | None = None) -> EShotComparison:
    """Evaluate several models, and compare them with one of them.

    Args:
        models: by name, each model's audio and points samples, which list the same categories.
        baseline: the model that the others are compared with; the first unless given.

    Raises:
        EmbeddingError: no models, a name that is no text, no such baseline, models that list other categories, no samples that all
            models have, or what `evaluate` refuses; then the message names the model.

    >>> x = Samples(np.arange(4), np.eye(2, dtype=np.float32)[[0, 1, 0, 1]], {"bell": [0, 2], "dog": [1, 3]})
    >>> y = Samples(np.arange(4), np.eye(2, dtype=np.float32)[[0, 1, 1, 1]], {"bell": [0, 2], "dog": [1, 3]})
    >>> comparison = compare({"old": (y, x), "new": (x, x)})
    >>> comparison.to_frame().filter(model="new", metric="top1_accuracy")["difference"].to_list()
    [0.25, 0.0]
    """
    check_names(list(models), baseline)
    first = next(iter(models))
    for name, pair in models.items():
        if any(own.categories != other.categories for own, other in zip(pair, models[first], strict=True)):
            raise EmbeddingError(f"the models {first!r} and {name!r} list other categories: compare them in one store")
    reports = {name: _evaluated(name, *pair) for name, pair in models.items()}
    audio, points = (reduce(np.intersect1d, (pair[side].ids for pair in models.values())) for side in (0, 1))
    common = {name: (_restricted(pair[0], audio), _restricted(pair[1], points)) for name, pair in models.items()}
    if not _has_a_class(*common[first]):
        having = "; ".join(_having(name, *pair) for name, pair in models.items())
        raise EmbeddingError(
            f"no EShot category has samples in both modalities that all {len(models)} models have ({having}): "
            "there is nothing to compare"
        )
    compared = {name: _evaluated(name, *pair) for name, pair in common.items()}
    return EShotComparison(reports, compared, first if baseline is None else baseline)


def check_names(names: Sequence[object], baseline: object = None) -> None:
    """Refuse names of models that could not be printed in a table, and a baseline that is none of them.

    Raises:
        EmbeddingError: there are no names, one is not text or empty, or there is no such baseline.

    >>> check_names(["old", "new"], "new")
    """
    if not names:
        raise EmbeddingError("no models: give at least one, as in models={'new': (audio, points)}")
    for name in names:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise EmbeddingError(f"the name of a model must be one line of text, not {shown(name)}")
    if baseline is not None and baseline not in names:
        known = ", ".join(str(name) for name in names)
        raise EmbeddingError(f"no model {shown(baseline)} to compare with: the models are {known}")


def _evaluated(name: str, audio: Samples, points: Samples) -> EShotReport:
    try:
        return evaluate(audio, points)
    except EmbeddingError as error:
        raise EmbeddingError(f"model {name!r}: {error}") from error


def _restricted(samples: Samples, ids: NDArray[np.int64]) -> Samples:
    """The samples that have one of these ids."""
    kept = np.isin(samples.ids, ids)
    return Samples(samples.ids[kept], samples.vectors[kept], samples.categories, samples.source, samples.excluded)


def _has_a_class(audio: Samples, points: Samples) -> bool:
    return any(audio.rows(category) and points.rows(category) for category in audio.categories)


def _having(name: str, audio: Samples, points: Samples) -> str:
    """How many samples are left of a model."""
    return f"{name}: {audio.coverage['with_vector']} audio and {points.coverage['with_vector']} points samples"


def _paired_counts(pairs: pl.DataFrame) -> pl.DataFrame:
    """By category, how many samples two models classify correctly, both and only one; in the order of the categories."""
    model, baseline = pl.col("model"), pl.col("baseline")
    return (
        pairs.group_by("category", maintain_order=True)
        .agg(
            samples=pl.len(),
            correct=model.sum(),
            baseline_correct=baseline.sum(),
            only_model=(model & ~baseline).sum(),
            only_baseline=(baseline & ~model).sum(),
        )
        .cast({pl.UInt32: pl.Int64})
        .with_columns(difference=(pl.col("only_model") - pl.col("only_baseline")) / pl.col("samples"))
        .select("category", "samples", "correct", "baseline_correct", "difference", "only_model", "only_baseline")
    )


def _row_of(overall: pl.DataFrame, direction: str) -> dict[str, Any]:
    return overall.row(by_predicate=pl.col("direction") == direction, named=True)

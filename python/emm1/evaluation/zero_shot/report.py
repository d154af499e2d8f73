"""The result of a zero-shot classification."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from emm1.evaluation.report.provenance import Provenance
from emm1.evaluation.zero_shot import precision, tables, text, view
from emm1.evaluation.zero_shot.classify import Outcome, Way
from emm1.evaluation.zero_shot.view import Results


@dataclass(frozen=True)
class ZeroShotReport:
    """The result of `emm1.zero_shot`; `str(report)` is its text.

    Attributes:
        classes: the names of the classes, in code-point order; a class index is a position in this list.
        way: what class vectors were made from: ``means`` of raw vectors or ``prompts``.
        own: whether class vectors are means of the samples themselves, each sample without itself: nearest class mean.
        coverage: what was left out or counts in a special way: one row for each reason, with what, count and named, the ids or
            names concerned. A reason that concerns nothing has the count 0.
        provenance: when and by which version of emm1, and which files; None for vectors that were given as arrays.
    """

    classes: tuple[str, ...]
    way: Way
    own: bool
    coverage: pl.DataFrame
    provenance: Provenance
    _outcome: Outcome = field(repr=False)

    def __str__(self) -> str:
        return "\n".join(text.lines(self))

    @property
    def method(self) -> str:
        """How samples are classified, in words."""
        vectors = "mean of unit vectors, normalised" if self.way == "prompts" else "mean of raw vectors, normalised"
        return f"nearest class mean, leaving the sample out ({vectors})" if self.own else f"zero-shot ({vectors})"

    @property
    def samples(self) -> int:
        """The number of samples that were classified."""
        return len(self._outcome.ids)

    @property
    def several(self) -> bool:
        """Whether any sample has several classes."""
        return len(self._outcome.label) > self.samples

    def to_frame(self) -> pl.DataFrame:
        """The report as a frame: one row per class.

        Returns:
            The columns class, class_index, samples, top1_correct, top5_correct (samples of the class that have it among their most
            similar one or five), top1_accuracy and top5_accuracy, their 95 % Wilson intervals (top1_accuracy_low and so on), and
            average_precision: how well the similarity to the class finds its samples, as scikit-learn defines it. NULL
            where a class has no samples.

        >>> import emm1
        >>> x = [[1, 0], [0.8, 0.6], [0, 1]]
        >>> report = emm1.zero_shot(([1, 2, 3], x), {1: "bell", 2: "dog", 3: "dog"}, {"bell": [1, 0], "dog": [0, 1]})
        >>> report.to_frame().select("class", "samples", "top1_accuracy", "average_precision").rows()
        [('bell', 1, 1.0, 1.0), ('dog', 2, 0.5, 1.0)]
        """
        return self._classes

    @cached_property
    def _classes(self) -> pl.DataFrame:
        found = tables.per_class(self._outcome, self.classes)
        return found.with_columns(average_precision=pl.Series(precision.by_class(self._outcome)).fill_nan(None))

    @cached_property
    def overall(self) -> pl.DataFrame:
        """One row with the numbers over all samples, and their means over classes.

        The columns are samples, top1_correct, top5_correct, top1_accuracy and top5_accuracy (micro: the share of samples with any of
        their classes among the most similar one or five), top1_class_mean and top5_class_mean (macro: the mean over classes that have
        samples), the bounds of the 95 % interval of each of the last four (Wilson's of accuracies, a bootstrap stratified by class of
        means), and the mean average precision: map_macro, the mean of the classes' average precisions, and map_micro, that of all
        pairs of sample and class at once.

        >>> import emm1
        >>> x = [[1, 0], [0.8, 0.6], [0, 1]]
        >>> report = emm1.zero_shot(([1, 2, 3], x), {1: "bell", 2: "dog", 3: "dog"}, {"bell": [1, 0], "dog": [0, 1]})
        >>> report.overall.select("samples", "top1_correct", "top1_class_mean", "map_macro").row(0)
        (3, 2, 0.75, 1.0)
        """
        frame = self.to_frame()
        row = tables.overall(self._outcome, frame)
        found = {"map_macro": frame["average_precision"].mean(), "map_micro": precision.micro(self._outcome)}
        return pl.DataFrame([row | found])

    def confusion(self) -> pl.DataFrame:
        """The confusion matrix: how often samples of each class have each class as the most similar one.

        A sample with several classes counts once for each of them, so counts off the diagonal may be right as well.

        Returns:
            One row per class: its name in the first column, "class", then a count per predicted class. (If a class itself is called
            "class", the first column is "class_".)
        """
        return tables.confusion(self._outcome, self.classes)

    def predictions(self, k: int | None = 5) -> pl.DataFrame:
        """Every sample with the k most similar classes.

        Args:
            k: how many; None for all.

        Returns:
            The columns id, labels (its classes) and predicted (lists of classes, best first), ordered by the sample's first
            class and then as in its file.

        >>> import emm1
        >>> x = [[1, 0], [0.8, 0.6], [0, 1]]
        >>> report = emm1.zero_shot(([1, 2, 3], x), {1: "bell", 2: "dog", 3: "dog"}, {"bell": [1, 0], "dog": [0, 1]})
        >>> report.predictions(1).row(1)
        (2, ['dog'], ['bell'])
        """
        outcome = self._outcome
        ends = np.searchsorted(outcome.sample, np.arange(self.samples + 1))
        names = np.array(self.classes, dtype=object)[outcome.label].tolist()
        labels = [names[start:end] for start, end in pairwise(ends)]
        columns = {"id": outcome.ids, "labels": pl.Series(labels, dtype=pl.List(pl.String))}
        return pl.DataFrame(columns | {"predicted": tables.predictions(outcome, self.classes, k)})

    def mistakes(self) -> pl.DataFrame:
        """The classes that were taken for others, the most frequent pair first.

        Returns:
            The columns class, predicted, count and samples (of the class). A sample whose most similar class is any of its own
            is no mistake.
        """
        rows = [(found.category, found.predicted, found.count, found.samples) for found in self.results.mistakes]
        schema = {"class": pl.String, "predicted": pl.String, "count": pl.Int64, "samples": pl.Int64}
        return pl.DataFrame(rows, schema, orient="row")

    @cached_property
    def results(self) -> Results:
        """The numbers as plain values, as pages and texts show them."""
        rows = self.to_frame().to_dicts()
        mistakes = view.mistakes(tables.mistakes(self._outcome, len(rows)), rows)
        accuracies = view.accuracies(self.overall.row(0, named=True), len(rows), several=self.several)
        return Results(self.samples, accuracies, view.categories(rows, mistakes), mistakes)

    def save(self, folder: str | Path) -> Path:
        """Write the report as text, as a page, CSV, JSON and Parquet.

        Writes report.txt, report.html (one file that needs no network), report.json, classes.csv, confusion.csv and
        predictions.parquet (the five most similar classes of every sample).

        Args:
            folder: the folder to write to; created if missing. Existing files of these names are replaced.

        Returns:
            The folder.
        """
        from emm1.evaluation.zero_shot import page  # noqa: PLC0415 - jinja2 is only needed for files

        return page.save(self, Path(folder))

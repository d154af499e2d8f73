"""Agreement with people: how well a model's similarities order the rated triplets of E-MM1:1M."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from emm1.arguments import at_least_one
from emm1.checks import PathLike
from emm1.errors import EmbeddingError
from emm1.evaluation.opening import open_model
from emm1.evaluation.ratings import text
from emm1.evaluation.ratings.agreement import Ranked, disagreement
from emm1.evaluation.ratings.calibration import Calibration
from emm1.evaluation.ratings.distributions import histograms
from emm1.evaluation.ratings.halves import fitted_on
from emm1.evaluation.ratings.judgements import Judgements, coverage, judge, triplets_of, without
from emm1.evaluation.ratings.measures import MEASURES, Measured
from emm1.evaluation.ratings.slices import items_of, no_such_column, slices_of
from emm1.evaluation.ratings.threshold import PRECISION, SCHEMA, threshold_row
from emm1.evaluation.report.provenance import Provenance, Source
from emm1.store.excluded import excluded
from emm1.store.store import Store

_NUMBERS = (*MEASURES, "ceiling", *(f"{name}_{end}" for name in MEASURES for end in ("low", "high")))
_SCHEMA = {
    "paired_modality": pl.String,
    "annotated_modality": pl.String,
    "pairs": pl.Int64,
    "queries": pl.Int64,
    **dict.fromkeys(_NUMBERS[: len(MEASURES) + 1], pl.Float64),
    "ceiling_pairs": pl.Int64,
    **dict.fromkeys(_NUMBERS[len(MEASURES) + 1 :], pl.Float64),
}


@dataclass(frozen=True)
class RatingsReport:
    """The result of `rate`: `str(report)` is its text.

    Items without a rating are not judged, not wrong: only rated rows count. Every rated row counts, repeats too. Ordered pairs of
    modalities are never pooled: similarities of different pairs are on different scales.

    The methods that look up items (`by`, `disagreements`, `save`) need the store to be open.

    Attributes:
        provenance: which files were compared, by modality, when, and by which version of emm1.

    >>> import emm1
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample")
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["1m"])
    >>> files = {modality: folder / f"sample/embeddings/1m/{modality}.npy" for modality in ("image", "audio")}
    >>> report = store.ratings(files, resamples=0)
    >>> report.to_frame().select("paired_modality", "annotated_modality", "pairs").rows()
    [('audio', 'image', 182), ('image', 'audio', 102)]
    >>> report.coverage().filter(missing="points").height, report.by("caption_words")["pairs"].sum()
    (3, 284)
    >>> report.thresholds()["threshold"].round(3).to_list(), report.calibration().scores["brier"].round(3).to_list()
    ([0.387, None], [0.021, 0.002])
    >>> report.disagreements(1)["annotation_label"].item(), report.distributions()["pairs"].sum()
    ('Partial Match', 284)
    >>> (report.save(folder / "report") / "ratings.html").exists()
    True
    """

    _store: Store = field(repr=False)
    _triplets: pl.DataFrame = field(repr=False)
    _model: Mapping[str, object] = field(repr=False)
    _paired: list[Judgements] = field(repr=False)
    _caption: list[Judgements] = field(repr=False)
    _resamples: int = field(repr=False)
    provenance: Provenance = field(repr=False)

    def __str__(self) -> str:
        sections = (
            text.agreement(
                self.frame(against),
                self.thresholds(against=against),
                self.calibration(against).scores,
                self.coverage(against),
                against,
            )
            for against in text.TITLES
        )
        return "\n".join(
            line for lines in (*sections, text.protocol(self.resamples, self.provenance.excluded)) for line in lines
        )

    def to_frame(self) -> pl.DataFrame:
        """How well the similarity of paired and annotated item agrees with the ratings.

        Returns:
            One row for each ordered pair of modalities that has rows and both embeddings, in alphabetical order:

            * paired_modality, annotated_modality; pairs: the rows that count; queries: their captions with a paired item.
            * somers_d: Somers' D of similarity given rating, −1 to 1, chance 0.
            * auc_good_bad, auc_good_partial, auc_partial_bad: the chance that of two rows with these ratings the better one is
              more similar, ties counting half; auc_mean: their mean. They do not depend on how frequent the ratings are.
            * ap_good: average precision of finding the Good rows, as in scikit-learn; prevalence: the share of Good rows, its
              value by chance.
            * within_query: Somers' D over the pairs of rows with the same caption and paired item.
            * ceiling: the highest Somers' D that any model can reach, as rows about the same two items have differing ratings;
              ceiling_pairs: the pairs of rows about the same two items, on which it rests.
            * each but the ceiling again with _low and _high: the bounds of its 95 % interval (`Measured.bounds`).

            NULL where a value is not defined, because a rating has no row, and for intervals without resamples.
        """
        return self._pairs

    def text(self) -> pl.DataFrame:
        """The columns of `to_frame` for the similarity of caption and annotated item: raters saw both.

        Raises:
            EmbeddingError: there are no embeddings of captions.
        """
        if "text" not in self._model:
            raise EmbeddingError("captions have no embeddings: give them as text=NAME")
        return self._by_caption

    def coverage(self, against: str = "paired") -> pl.DataFrame:
        """How many rated rows count, and why the others do not.

        Args:
            against: ``paired`` for the rows of `to_frame`, ``caption`` for those of `text`.

        Returns:
            One row for each ordered pair of modalities in the store: rows, scored, without_vector, without_rating (which are not
            scored), and missing: the modalities without embeddings, or NULL.
        """
        return coverage(self._triplets, self.judgements(against), self._model, against)

    def by(self, column: str, against: str = "paired") -> pl.DataFrame:
        """The columns of `to_frame` for each value of a column, which comes first.

        Args:
            column: a column of the info tables with a prefix that says whose it is: ``caption_``, ``paired_`` or ``annotated_``,
                as in annotated_source_dataset; or caption_words, the number of words in the caption.
            against: ``paired`` or ``caption``, as in `coverage`.

        Returns:
            The rows of the ordered pairs whose info table has the column; a warning names the others.

        Raises:
            EmbeddingError: no info table has such a column; the message lists those that they have.
        """
        frames, without = [_frame([], 0).insert_column(0, pl.Series(column, [], pl.String))], []
        judged = self.judgements(against)
        for judgements in judged:
            values = slices_of(self._store, judgements, column)
            if values is None:
                without.append(judgements)
                continue
            for value in values.unique().sort(nulls_last=True):
                chosen = judgements.where(values.eq_missing(value).to_numpy())
                frames.append(_frame([chosen], self._resamples).insert_column(0, pl.Series(column, [value], pl.String)))
        if without and len(without) == len(judged):
            raise no_such_column(self._store, judged, column)
        if without:
            named = ", ".join(f"{each.paired_modality} → {each.annotated_modality}" for each in without)
            warnings.warn(f"{column}: {named} have no rows, as their info table has no such column", stacklevel=2)
        return pl.concat(frames)

    def thresholds(self, precision: float = PRECISION, against: str = "paired") -> pl.DataFrame:
        """From which similarity on rows are Good, for each ordered pair of modalities.

        The threshold is the smallest one for which the lower bound of the precision of Good reaches `precision` on one half of the
        captions, and NULL if there is none. It is the luckiest of as many thresholds as there are similarities, so its
        precision there is too high: `test_precision` and `test_recall` are those on the other half, which had no part in the choice.

        Args:
            precision: what the lower bound of the 95 % Wilson interval must reach, between 0 and 1.
            against: ``paired`` or ``caption``, as in `coverage`.

        Returns:
            paired_modality, annotated_modality; threshold: a row is taken to be Good if its similarity is at least this. fit_pairs
            and test_pairs: the rows of each half; fit_above and test_above: those at least as similar as the threshold.
            fit_precision with fit_precision_low, on which the choice rests. test_precision and test_recall (the share of the Good rows
            that are found), each with _low and _high, 95 % Wilson; test_prevalence: the precision of taking every row.

        Raises:
            EmbeddingError: `precision` is not between 0 and 1.
        """
        if not 0 < precision < 1:
            raise EmbeddingError(f"precision is {precision}: it is between 0 and 1, such as {PRECISION}")
        rows = [threshold_row(each, fitted_on(each.captions), precision) for each in self.judgements(against)]
        return pl.DataFrame(rows, schema=SCHEMA)

    def calibration(self, against: str = "paired") -> Calibration:
        """The probability that a row is Good, given its similarity, for each ordered pair of modalities.

        It is fitted by isotonic regression on one half of the captions and tested on the other.

        Args:
            against: ``paired`` or ``caption``, as in `coverage`.
        """
        self.judgements(against)
        return self._paired_calibration if against == "paired" else self._caption_calibration

    def distributions(self, against: str = "paired") -> pl.DataFrame:
        """How similar rows of each rating are.

        Args:
            against: ``paired`` or ``caption``, as in `coverage`.

        Returns:
            For each ordered pair of modalities and annotation, 40 bins of equal width, from the lowest to the highest similarity
            of the pair: above (the first one at least), up_to, and pairs, the number of rows.
        """
        return histograms(self.judgements(against))

    def disagreements(self, n: int = 100, against: str = "paired") -> pl.DataFrame:
        """The rows in which model and people disagree most, to be looked at and rated again.

        Args:
            n: how many; fewer if there are not as many.
            against: ``paired`` or ``caption``, as in `coverage`.

        Returns:
            disagreement is the share of the rows of this ordered pair with another rating that the similarity puts on the wrong
            side of this row, 0 to 1, the highest first; equal ones are in the order of the published file. Then the published
            columns, annotation_label, similarity, caption, paired_modality_file_path and annotated_modality_file_path.
        """
        wanted = at_least_one(n, "n")
        rows = [
            each.rows.with_columns(
                similarity=each.similarity, disagreement=disagreement(Ranked.of(each.similarity, each.annotation))
            )
            .sort("disagreement", "triplet", descending=[True, False])
            .head(wanted)
            for each in self.judgements(against)
        ]
        if not rows:
            raise EmbeddingError("no ordered pair of modalities has both rated rows and embeddings")
        chosen = pl.concat(rows).sort("disagreement", "triplet", descending=[True, False]).head(wanted)
        return items_of(self._store, chosen)

    def save(self, folder: str | Path) -> Path:
        """Write the report as files, which are replaced if they exist.

        Writes ratings.html, ratings.txt, ratings.json, ratings.csv (`to_frame`) and captions.csv (`text`, if captions have
        embeddings). With a column `against`, which is ``paired`` or ``caption``: coverage.csv, thresholds.csv, calibration.csv with
        reliability.csv and curve.csv (`Calibration`), distributions.csv, and disagreements.csv (the first 100 of each).

        Args:
            folder: the folder to write to; created if missing.

        Returns:
            The folder.

        Raises:
            emm1.errors.Error: the folder is a file, or cannot be written.
        """
        from emm1.evaluation.ratings import page  # noqa: PLC0415 - only needed for files

        return page.save(self, Path(folder))

    def judgements(self, against: str = "paired") -> list[Judgements]:
        """The rated rows with their similarities, for each ordered pair of modalities.

        Args:
            against: ``paired`` or ``caption``, as in `coverage`.
        """
        if against not in {"paired", "caption"}:
            raise EmbeddingError(f"against is {against!r}: it is 'paired' or 'caption'")
        return self._paired if against == "paired" else self._caption

    @property
    def resamples(self) -> int:
        """The number of resamples of the intervals; 0 if there are none."""
        return self._resamples

    def has(self, against: str) -> bool:
        """Whether any ordered pair of modalities has both embeddings for a similarity.

        Args:
            against: ``paired`` or ``caption``, as in `coverage`.
        """
        return bool(self.judgements(against))

    def frame(self, against: str) -> pl.DataFrame:
        """The columns of `to_frame` for either similarity, without rows where there are no embeddings.

        Args:
            against: ``paired`` or ``caption``, as in `coverage`.
        """
        self.judgements(against)
        return self._pairs if against == "paired" else self._by_caption

    @property
    def judged_captions(self) -> bool:
        """Whether captions have embeddings, so that `text` has rows."""
        return "text" in self._model

    @cached_property
    def _pairs(self) -> pl.DataFrame:
        return _frame(self._paired, self._resamples)

    @cached_property
    def _by_caption(self) -> pl.DataFrame:
        return _frame(self._caption, self._resamples)

    @cached_property
    def _paired_calibration(self) -> Calibration:
        return Calibration.of(self._paired)

    @cached_property
    def _caption_calibration(self) -> Calibration:
        return Calibration.of(self._caption)


def rate(
    store: Store,
    embeddings: Mapping[str, PathLike],
    resamples: int,
    exclude: Sequence[str] = (),
    available: bool = False,
) -> RatingsReport:
    """Compare the similarities of a model, by cosine, with the ratings of people.

    Args:
        store: the store with the rated triplets.
        embeddings: a registered name or a file for each modality, as in ``{"image": "image_1m", "audio": "audio_1m"}``; ``text``
            are the captions.
        resamples: resamples for the intervals; 0 for none.
        exclude: flags: triplets with an item that has one do not count.
        available: likewise those with an item whose media file is not known to be well.

    Raises:
        emm1.errors.Error: no triplets, an unknown modality or name, embeddings of another split or modality.
    """
    model = open_model(store, "1m", embeddings, "the rated triplets")
    with store.cursor() as connection:
        out = excluded(connection, exclude, available)
    triplets, left_out = without(out, triplets_of(store))
    count = 0 if resamples == 0 else at_least_one(resamples, "resamples")
    judged = {against: judge(triplets, model, against) for against in ("paired", "caption")}
    if not any(judged.values()):
        needed = ", ".join(sorted({" and ".join(pair) for pair in triplets.select(text.PAIR).unique().iter_rows()}))
        raise EmbeddingError(
            f"the embeddings ({', '.join(model)}) cover no ordered pair of modalities that was rated: {needed} were"
        )
    sources = {modality: Source.of(store, embeddings[modality], opened) for modality, opened in model.items()}
    provenance = replace(Provenance.now(**sources), excluded=left_out)
    return RatingsReport(store, triplets, model, judged["paired"], judged["caption"], count, provenance)


def _frame(judged: list[Judgements], resamples: int) -> pl.DataFrame:
    return pl.DataFrame([Measured(each).row(resamples) for each in judged], schema=_SCHEMA)

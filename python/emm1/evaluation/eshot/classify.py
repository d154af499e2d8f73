"""The EShot evaluation: zero-shot classification between audio and point clouds, as its script defines it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.errors import EmbeddingError
from emm1.evaluation.eshot import text
from emm1.evaluation.eshot.text import NOUN
from emm1.evaluation.report.provenance import LeftOut, Provenance, Source
from emm1.evaluation.zero_shot import tables
from emm1.evaluation.zero_shot.classify import Outcome, class_vectors, compare
from emm1.evaluation.zero_shot.items import check_items

Direction = Literal["audio_to_points", "points_to_audio"]
DIRECTIONS: tuple[Direction, ...] = ("audio_to_points", "points_to_audio")


@dataclass(frozen=True)
class Samples:
    """The samples of one modality.

    Attributes:
        ids: eshot ids of the rows of `vectors`, int64, (n,), without repeats.
        vectors: float32, (n, dim), finite, not necessarily of unit length.
        categories: eshot ids by category, in the order of the published JSON file. Samples without a vector
            may be listed, and vectors that no category lists are ignored.
        source: the file of the vectors; None if they come from elsewhere.
        excluded: what counted as not there: it is neither listed nor has it a vector.

    Raises:
        EmbeddingError: shapes do not match, an id appears twice, or a vector is not finite.

    >>> Samples(np.array([7]), np.float32([[3, 4]]), {"bell": [7, 8]}).coverage
    {'listed': 2, 'with_vector': 1, 'without_vector': 1, 'unlisted': 0}
    """

    ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    categories: Mapping[str, Sequence[int]]
    source: Source | None = None
    excluded: LeftOut = field(default_factory=LeftOut)

    def __post_init__(self) -> None:
        check_items(self.ids, self.vectors, "EShot id")

    @cached_property
    def _row_of(self) -> dict[int, int]:
        return {int(eshot_id): row for row, eshot_id in enumerate(self.ids)}

    def rows(self, category: str) -> list[int]:
        """The rows of `vectors` that belong to a category, in the order of its list; none if it has no list."""
        listed = self.categories.get(category, ())
        return [self._row_of[int(eshot_id)] for eshot_id in listed if int(eshot_id) in self._row_of]

    @property
    def coverage(self) -> dict[str, int]:
        """How many samples the categories list, how many of them have a vector, and how many vectors no category lists."""
        listed = [int(eshot_id) for eshot_ids in self.categories.values() for eshot_id in eshot_ids]
        with_vector = sum(eshot_id in self._row_of for eshot_id in listed)
        return {
            "listed": len(listed),
            "with_vector": with_vector,
            "without_vector": len(listed) - with_vector,
            "unlisted": len(self._row_of.keys() - set(listed)),
        }


@dataclass(frozen=True)
class EShotReport:
    """The result of `evaluate`; `str(report)` is the published script's text, followed by the overall numbers.

    The first part of the text is exactly what the script prints; the sections "Overall", with 95 % intervals, and
    "Coverage" follow in the same style. The text does not end with a line break, because print() adds one.

    Attributes:
        classes: the evaluated categories, in code-point order; a class index is a position in this list.
        skipped: the categories without any vector in one of the modalities, in code-point order.
        coverage: one row per modality: modality, listed, with_vector, without_vector, unlisted.
        provenance: which files were compared, when, and by which version of emm1.
    """

    classes: tuple[str, ...]
    skipped: tuple[str, ...]
    coverage: pl.DataFrame
    provenance: Provenance
    _outcomes: Mapping[Direction, Outcome] = field(repr=False)

    def __str__(self) -> str:
        parts = (
            text.categories(self.to_frame()),
            text.overall(self.overall, len(self.classes)),
            text.coverage(self.coverage, len(self.classes), self.skipped, self.provenance.excluded),
        )
        return "\n".join(line for part in parts for line in part)

    def to_frame(self) -> pl.DataFrame:
        """The report as a frame: one row per category and direction, in the order of the text.

        Returns:
            The columns category, class_index, direction, samples, top1_correct, top5_correct, top1_accuracy and
            top5_accuracy; the counts are integers, the accuracies are fractions of `samples`. Then the 95 % Wilson
            interval of each accuracy: top1_accuracy_low, top1_accuracy_high, top5_accuracy_low and top5_accuracy_high.

        >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
        >>> evaluate(x, x).to_frame()["top1_accuracy"].to_list()
        [1.0, 1.0, 1.0, 1.0]
        """
        frames = [
            tables.per_class(outcome, self.classes, NOUN).insert_column(2, pl.lit(direction).alias("direction"))
            for direction, outcome in self._outcomes.items()
        ]
        return pl.concat(frames).sort("class_index", "direction")

    @cached_property
    def overall(self) -> pl.DataFrame:
        """One row per direction: samples, correct samples, their fraction, and the mean accuracy over categories.

        The columns are direction, samples, top1_correct, top5_correct, top1_accuracy, top5_accuracy,
        top1_category_mean and top5_category_mean; then the lower and the upper bound of the 95 % interval of each of the
        last four, as in top1_accuracy_low and top1_accuracy_high. It is a Wilson score interval for accuracies, and a
        bootstrap stratified by category for means over categories.

        >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
        >>> evaluate(x, x).overall.select("direction", "samples", "top1_category_mean").rows()
        [('audio_to_points', 2, 1.0), ('points_to_audio', 2, 1.0)]
        """
        frame = self.to_frame()
        rows = [
            {"direction": direction} | tables.overall(outcome, frame.filter(direction=direction), NOUN)
            for direction, outcome in self._outcomes.items()
        ]
        return pl.DataFrame(rows)

    def confusion(self, direction: Direction) -> pl.DataFrame:
        """The confusion matrix: how often samples of each category are classified as each category.

        Args:
            direction: "audio_to_points" or "points_to_audio".

        Returns:
            One row per category: its name in the first column, "category", then a count per predicted
            category. (If a category itself is called "category", the first column is "category_".)

        Raises:
            EmbeddingError: there is no such direction.

        >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
        >>> evaluate(x, x).confusion("audio_to_points").rows()
        [('bell', 1, 0), ('dog', 0, 1)]
        """
        return tables.confusion(self._outcome(direction), self.classes, NOUN)

    def predictions(self, direction: Direction) -> pl.DataFrame:
        """Every sample with all categories, from the most to the least similar.

        Args:
            direction: "audio_to_points" or "points_to_audio".

        Returns:
            The columns eshot_id, category (the true one) and predicted (list of categories, best first),
            ordered by category and then as in its list.

        Raises:
            EmbeddingError: there is no such direction.

        >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
        >>> evaluate(x, x).predictions("points_to_audio").row(1)
        (1, 'dog', ['dog', 'bell'])
        """
        outcome = self._outcome(direction)
        category = pl.Series("category", self.classes)[outcome.label]
        predicted = tables.predictions(outcome, self.classes)
        return pl.DataFrame({"eshot_id": outcome.ids, "category": category, "predicted": predicted})

    def outcomes(self, direction: Direction) -> pl.DataFrame:
        """Whether each sample is classified correctly.

        Args:
            direction: "audio_to_points" or "points_to_audio".

        Returns:
            The columns eshot_id, category, top1_correct and top5_correct, in the order of `predictions`.

        Raises:
            EmbeddingError: there is no such direction.

        >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
        >>> evaluate(x, x).outcomes("points_to_audio").row(1)
        (1, 'dog', True, True)
        """
        outcome = self._outcome(direction)
        category = pl.Series("category", self.classes)[outcome.label]
        correct = {f"top{k}_correct": outcome.hits(k) for k in tables.TOP}
        return pl.DataFrame({"eshot_id": outcome.ids, "category": category} | correct)

    def save(self, folder: str | Path) -> Path:
        """Write the report as text, as a page with charts, CSV, JSON and Parquet.

        Writes report.txt, report.html (one file that needs no network), report.json, categories.csv,
        confusion_audio_to_points.csv, confusion_points_to_audio.csv and predictions.parquet (direction, eshot_id, category, and
        predicted: the five most similar categories of every sample).

        Args:
            folder: the folder to write to; created if missing. Existing files of these names are replaced.

        Returns:
            The folder.

        >>> import tempfile
        >>> x = Samples(np.arange(2), np.eye(2, dtype=np.float32), {"bell": [0], "dog": [1]})
        >>> sorted(path.name for path in evaluate(x, x).save(tempfile.mkdtemp()).iterdir())[-3:]
        ['report.html', 'report.json', 'report.txt']
        """
        from emm1.evaluation.eshot import page  # noqa: PLC0415 - jinja2 is only needed for files

        return page.save(self, Path(folder))

    def _outcome(self, direction: Direction) -> Outcome:
        if direction not in self._outcomes:
            raise EmbeddingError(f"no direction {direction!r}: it is 'audio_to_points' or 'points_to_audio'")
        return self._outcomes[direction]


def evaluate(audio: Samples, points: Samples) -> EShotReport:
    """Classify each modality's samples by the class vectors of the other, as the published script does.

    A class vector is the mean of its category's raw vectors, scaled to unit length. Every step is the same
    float32 operation in the same order as in the script, so on the same machine the numbers agree to the
    last bit. The result is also defined in cases in which the script's is not:

    * Equal similarities: the script's argsort leaves their order undefined. Here the class that is later in
      code-point order comes first, as in the script if its sort happens to be stable.
    * A zero vector, or a class whose mean is zero, gives NaN in the script. Here its similarity is 0.
    * A sample without a vector is skipped and counted; a category without vectors in either modality is skipped
      and named. The script fails on both.

    Args:
        audio: the audio samples.
        points: the point cloud samples, with vectors of the same dimension.

    Raises:
        EmbeddingError: dimensions differ, or no category has vectors in both modalities.

    >>> audio = Samples(np.arange(2), np.float32([[1, 0], [0, 1]]), {"bell": [0], "dog": [1]})
    >>> points = Samples(np.arange(2), np.float32([[2, 1], [1, 2]]), {"bell": [0], "dog": [1]})
    >>> evaluate(audio, points).overall["top1_accuracy"].to_list()
    [1.0, 1.0]
    """
    if audio.vectors.shape[1] != points.vectors.shape[1]:
        dims = f"{audio.vectors.shape[1]} and {points.vectors.shape[1]}"
        raise EmbeddingError(f"audio and points vectors have {dims} dimensions: embed both with one model")
    names = sorted({*audio.categories, *points.categories})
    classes = tuple(name for name in names if audio.rows(name) and points.rows(name))
    if not classes:
        raise EmbeddingError(
            f"none of {len(names)} EShot categories has vectors in both modalities: "
            f"audio has {audio.coverage['with_vector']} of {audio.coverage['listed']} samples, "
            f"points {points.coverage['with_vector']} of {points.coverage['listed']}; are these EShot's ids?"
        )
    outcomes: dict[Direction, Outcome] = {
        "audio_to_points": _classify(audio, _class_vectors(points, classes), classes),
        "points_to_audio": _classify(points, _class_vectors(audio, classes), classes),
    }
    coverage = pl.DataFrame(
        [{"modality": "audio"} | audio.coverage, {"modality": "points"} | points.coverage],
    )
    skipped = tuple(name for name in names if name not in set(classes))
    provenance = replace(
        Provenance.now(audio=audio.source, points=points.source), excluded=audio.excluded.and_of(points.excluded)
    )
    return EShotReport(classes, skipped, coverage, provenance, outcomes)


def _class_vectors(samples: Samples, classes: Iterable[str]) -> NDArray[np.float32]:
    """The mean of each class, scaled to unit length, (classes, dim): the script's make_class_embedding."""
    return class_vectors((samples.vectors[samples.rows(name)] for name in classes), "means")


def _classify(samples: Samples, vectors: NDArray[np.float32], classes: Sequence[str]) -> Outcome:
    """Compare every sample with all classes, one category at a time, as the script's products do."""
    rows = [samples.rows(name) for name in classes]
    label = np.repeat(np.arange(len(classes)), [len(own) for own in rows])
    similarity = compare((samples.vectors[own] for own in rows), vectors)
    return Outcome(samples.ids[np.concatenate(rows)], np.arange(len(label)), label, similarity)

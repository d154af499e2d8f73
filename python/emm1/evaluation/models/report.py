"""Everything that the embeddings of models allow to be evaluated, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.arguments import at_least_one
from emm1.dataset import Split
from emm1.evaluation.models import parts, text
from emm1.evaluation.models.parts import Part, Progress, Saved
from emm1.evaluation.models.plan import Files, models_of
from emm1.evaluation.models.rows import ROWS
from emm1.evaluation.report.provenance import LeftOut
from emm1.evaluation.retrieval.run import Options
from emm1.store.excluded import Excluded, excluded
from emm1.store.store import Store


@dataclass(frozen=True)
class ModelsReport:
    """The result of `evaluate`; `str(report)` is a table for each evaluation.

    Attributes:
        store: the store.
        models: by name, the registered embeddings by split and modality.
        baseline: the model that the others are compared with; None for no comparison.
        evaluated_at: the time, UTC.
        emm1: the version of emm1.
        resamples: resamples of the bootstrap intervals; 0 for none.
        excluded: what counted as not there, and how many items of the models' embeddings did.
    """

    store: Path
    models: Mapping[str, Files]
    baseline: str | None
    evaluated_at: datetime
    emm1: str
    resamples: int
    _parts: Sequence[Part] = field(repr=False)
    excluded: LeftOut = field(default_factory=LeftOut)

    def __str__(self) -> str:
        return "\n".join(text.lines(self))

    @property
    def others(self) -> list[str]:
        """The models that are compared with the baseline."""
        return [] if self.baseline is None else [name for name in self.models if name != self.baseline]

    @property
    def left_out(self) -> list[str]:
        """What could not be evaluated, and why."""
        return [reason for part in self._parts for reason in part.left_out]

    def to_frame(self) -> pl.DataFrame:
        """Every number, one row for each evaluation, direction, metric and model.

        Returns:
            * model; evaluation: retrieval, ratings (of paired and annotated item), caption ratings (of caption and annotated
              item), or eshot; query and base, the modalities: what asks and what is searched, the paired and the annotated
              modality, or the classified one and that of the class vectors; metric, as the evaluation's own report calls it.
            * value, and low and high, the 95 % interval, NULL where there is none.
            * samples: queries, rated rows or samples that count; gallery: rows that are searched, or categories; coverage: the
              share of all queries, rated rows or samples that counts.
            * baseline, difference (this value minus the baseline's), difference_low, difference_high and p; NULL for the
              baseline itself, and where it cannot be evaluated.
            * protocol: how the number was made, in words.
        """
        return self._rows

    @cached_property
    def _rows(self) -> pl.DataFrame:
        return pl.concat([pl.DataFrame(schema=ROWS), *(part.rows for part in self._parts)])

    def save(self, folder: str | Path) -> Path:
        """Write the evaluation as files, which are replaced if they exist.

        Writes evaluation.parquet and evaluation.csv (`to_frame`), evaluation.txt, evaluation.md and evaluation.tex (the table of a paper),
        evaluation.html (one file that needs no network) and evaluation.json; and in folders of their own the reports of which it
        consists.

        Args:
            folder: the folder to write to; created if missing.

        Returns:
            The folder.

        Raises:
            emm1.errors.Error: the folder is a file, or cannot be written.
        """
        from emm1.evaluation.models import files  # noqa: PLC0415 - only needed for files

        return files.save(self, Path(folder))

    @property
    def saved(self) -> dict[str, Saved]:
        """The reports of which this one consists, by their folders in that of this one."""
        return {folder: saved for part in self._parts for folder, saved in part.saved.items()}


def evaluate(
    store: Store,
    models: Sequence[str],
    baseline: str | None,
    resamples: int,
    progress: Progress,
    exclude: Sequence[str] = (),
    available: bool = False,
) -> ModelsReport:
    """Evaluate models by all of their registered embeddings.

    Models are compared on what all of them have: queries and galleries, rated rows, and samples.

    Args:
        store: the store, in which the embeddings are registered with the names of their models.
        models: the names of the models.
        baseline: the model that the others are compared with; it need not be among `models`. The first of several models
            unless given.
        resamples: resamples for the bootstrap intervals of retrieval and ratings; 0 for none.
        progress: called from time to time with what is evaluated, how much is done, and of how much.
        exclude: flags of items that count as not there.
        available: whether items also do whose media file is not known to be well.

    Raises:
        emm1.errors.Error: an unknown model, or embeddings that do not fit the store or each other.
    """
    count = 0 if resamples == 0 else at_least_one(resamples, "resamples")
    files = models_of(store, models, baseline)
    if baseline is None and len(files) > 1:
        baseline = next(iter(files))
    options = Options(resamples=count, exclude=exclude, available=available)
    with store.cursor() as connection:
        out = excluded(connection, exclude, available)
    found = [
        *parts.retrieval(store, files, baseline, options, progress),
        parts.ratings(store, files, baseline, options),
        parts.eshot(store, files, baseline, out),
    ]
    now = datetime.now(UTC).replace(microsecond=0)
    return ModelsReport(store.path, files, baseline, now, version("emm1"), count, found, _left_out(store, files, out))


def _left_out(store: Store, models: Mapping[str, Files], out: Excluded) -> LeftOut:
    """How many items of the embeddings of any model are excluded."""
    ids: dict[tuple[Split, str], list[NDArray[np.int64]]] = {}
    for kind, name in ((kind, name) for files in models.values() for kind, name in files.items() if out):
        ids.setdefault(kind, []).append(store.embeddings(name).ids)
    return LeftOut.of(out, {" ".join(kind): (*kind, np.concatenate(each)) for kind, each in sorted(ids.items())})

"""How well the nearest neighbours that a model gives agree with the published groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from emm1.arguments import at_least_one
from emm1.checks import PathLike
from emm1.dataset import ranks_of
from emm1.embeddings.knn import BATCH, PART
from emm1.embeddings.pairs import score_pairs
from emm1.evaluation.groups.comparison import OUTCOMES, Counts, Found, Published
from emm1.evaluation.groups.stored import RANK, TEXT, captions_of, groups_of, ranks_in
from emm1.evaluation.groups.vectors import Vectors, captions_and_items, open_vectors
from emm1.evaluation.statistics.intervals import wilson
from emm1.store.store import Store

COMPARED = OUTCOMES[:4]
# Captions that are compared unless a number is given: the 95 % interval of a share of them is at most 2 points wide.
CAPTIONS = 10_000


@dataclass(frozen=True)
class GroupsAgreement:
    """The result of `verify`: `str(agreement)` is its text.

    Attributes:
        protocol: what was compared, in words.
    """

    protocol: str
    _ranks: list[int] = field(repr=False)
    _counts: Mapping[str, Counts] = field(repr=False)

    def __str__(self) -> str:
        shown = self.to_frame().select("modality", "nn_index", "agreement", "recall", *OUTCOMES)
        rows = [shown.columns, *([_shown(value) for value in row] for row in shown.iter_rows())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.rjust, row, widths)) for row in rows)
        return "\n".join([self.protocol, "", *lines])

    def to_frame(self) -> pl.DataFrame:
        """The agreement by modality and rank.

        Returns:
            One row for each modality and rank, with the columns

            * modality, nn_index; groups: how many groups were looked at;
            * exact, tied, moved, different, without_vector, null: how many of their items have each outcome
              (`emm1.evaluation.groups.comparison.outcomes_of`); they add up to `groups`;
            * agreement: exact of those that are compared, which are exact, tied, moved or different; with
              agreement_low and agreement_high, the 95 % interval of the share among all captions (Wilson's);
            * recall: of the published items of this rank and better ones that have vectors, how many are among as
              many nearest ones of the model.
        """
        return pl.concat(self._of(modality, counts) for modality, counts in self._counts.items())

    def _of(self, modality: str, counts: Counts) -> pl.DataFrame:
        at = np.array(self._ranks) - 1
        outcomes = {name: counts.outcomes[name][at] for name in OUTCOMES}
        compared = sum(outcomes[name] for name in COMPARED)
        low, high = wilson(outcomes["exact"], np.maximum(compared, 1))
        shares = {
            "agreement": outcomes["exact"] / np.maximum(compared, 1),
            "agreement_low": low,
            "agreement_high": high,
            "recall": counts.found[at] / np.maximum(counts.wanted[at], 1),
        }
        return pl.DataFrame(
            {
                "modality": [modality] * len(at),
                "nn_index": self._ranks,
                "groups": sum(outcomes.values()),
                **outcomes,
                **shares,
            }
        ).with_columns(pl.when(pl.Series(compared > 0)).then(pl.col(list(shares))))


def _shown(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value)


def verify(
    store: Store,
    embeddings: Mapping[str, PathLike],
    nn_index: int | Iterable[int] | None = None,
    *,
    captions: int | None = CAPTIONS,
    seed: int = 0,
    threads: int | None = None,
    progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> GroupsAgreement:
    """Compare the groups of a store with the nearest items that a model gives, exactly, for a sample of the captions.

    Args:
        store: the store.
        embeddings: a registered name or a file for each modality, ``text`` and at least one other. Items are compared by
            the metric that their embeddings are registered with, those of a file by cosine.
        nn_index: the rank, or ranks, from 1 to 16; None for all that the store has.
        captions: how many captions to look at, drawn at random; None for all.
        seed: another seed draws other captions.
        threads: threads to use; all cores by default.
        progress: called from time to time with the number of searches done, and of all.

    Raises:
        emm1.errors.StoreError: there are no groups, or none of a rank.
        emm1.errors.EmbeddingError: an unknown modality or name, embeddings of another split or modality, or no text.

    >>> import emm1
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample", scale=0.0001, embeddings=16)
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["100m"])
    >>> files = {modality: folder / f"sample/embeddings/{modality}.npy" for modality in ("text", "image")}
    >>> verify(store, files, nn_index=[1, 16], captions=100).to_frame().select("nn_index", "exact", "recall").rows()
    [(1, 100, 1.0), (16, 100, 1.0)]
    """
    ranks = ranks_in(store, ranks_of(nn_index))
    to_rank = [rank for rank in ranks_in(store, None) if rank <= ranks[-1]]
    text, items = captions_and_items(open_vectors(store, embeddings))
    counts = {modality: Counts(ranks[-1]) for modality in items}
    with store.cursor() as connection:
        every = captions_of(connection, ranks)
        chosen = _sample(every, captions, seed)
        searches = count(0, BATCH)
        for part in _pieces(chosen, BATCH * PART):
            groups = groups_of(connection, part, to_rank, some=len(chosen) < len(every))
            for modality, vectors in items.items():
                ids, listed, given = _by_rank(groups, f"encord_{modality}_id", part, ranks[-1])
                for rows in _pieces(np.arange(len(part)), BATCH):
                    progress(min(next(searches), len(chosen) * len(items)), len(chosen) * len(items))
                    published = _scored(ids[rows], listed[rows], given[rows], part[rows], text, vectors)
                    found = _nearest(part[rows], text, vectors, ranks[-1], threads)
                    counts[modality].add(published, found)
    return GroupsAgreement(_protocol(chosen, every, seed, text, items), ranks, counts)


def _sample(captions: NDArray[np.int64], most: int | None, seed: int) -> NDArray[np.int64]:
    """Some captions, drawn at random, in their order."""
    if most is None or at_least_one(most, "captions") >= len(captions):
        return captions
    places = np.random.default_rng(seed).choice(len(captions), most, replace=False)
    return captions[np.sort(places)]


def _pieces(array: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return np.split(array, range(size, len(array), size))


def _by_rank(
    groups: pa.Table, column: str, captions: NDArray[np.int64], ranks: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """The ids in a column of groups, which groups there are, and which of them have an id: (captions, ranks) each."""
    # Captions between these may have groups of other ranks only, and are not among those that were asked for.
    groups = groups.filter(pa.array(np.isin(groups[TEXT].to_numpy(), captions)))
    at = np.searchsorted(captions, groups[TEXT].to_numpy()), groups[RANK].to_numpy() - 1
    ids = np.zeros((len(captions), ranks), np.int64)
    listed, given = np.zeros((2, *ids.shape), bool)
    ids[at] = groups[column].fill_null(0).to_numpy()
    listed[at] = True
    given[at] = groups[column].is_valid().to_numpy()
    return ids, listed, given


def _scored(
    ids: NDArray[np.int64],
    listed: NDArray[np.bool_],
    given: NDArray[np.bool_],
    captions: NDArray[np.int64],
    text: Vectors,
    items: Vectors,
) -> Published:
    """The published neighbours of captions, with their scores."""
    comparable = given & items.has(ids) & text.has(captions)[:, np.newaxis]
    scores = np.full(ids.shape, np.nan, np.float32)
    queries = np.broadcast_to(captions[:, np.newaxis], ids.shape)[comparable]
    scores[comparable] = score_pairs(text.embeddings, queries, items.embeddings, ids[comparable], items.metric)
    return Published(ids, listed, given, comparable, scores)


def _nearest(captions: NDArray[np.int64], text: Vectors, items: Vectors, ranks: int, threads: int | None) -> Found:
    """The nearest items of captions; none for a caption without a vector."""
    ids = np.zeros((len(captions), ranks), np.int64)
    scores = np.full(ids.shape, np.nan, np.float32)
    known = text.has(captions)
    hits = items.embeddings.search(text.embeddings.vectors(captions[known]), ranks, items.metric, threads=threads)
    ids[known, : hits.ids.shape[1]], scores[known, : hits.ids.shape[1]] = hits
    return Found(ids, scores)


def _protocol(
    chosen: NDArray[np.int64], every: NDArray[np.int64], seed: int, text: Vectors, items: Mapping[str, Vectors]
) -> str:
    drawn = f"{len(chosen):,} of {len(every):,} captions, seed {seed}"
    looked_at = drawn if len(chosen) < len(every) else f"all {len(every):,} captions"
    lacking = len(chosen) - int(np.count_nonzero(text.has(chosen)))
    without = f", {lacking:,} of them without a vector" if lacking else ""
    named = ", ".join(f"{modality}={vectors.source} ({vectors.metric})" for modality, vectors in items.items())
    return f"{looked_at}{without}; text={text.source}, {named}"

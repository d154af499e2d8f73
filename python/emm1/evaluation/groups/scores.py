"""How similar the items of each group are: a column for each two modalities, to choose training data by."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emm1.checks import PathLike
from emm1.dataset import MODALITIES, ranks_of
from emm1.embeddings.file import Embeddings
from emm1.embeddings.identity import version_of
from emm1.embeddings.pairs import score_pairs
from emm1.evaluation.groups.stored import RANK, TEXT, captions_of, count_of, groups_of, ranks_in, version_of_groups
from emm1.evaluation.groups.vectors import Vectors, open_vectors
from emm1.parts import join, parts_of, write_part
from emm1.store.excluded import NOT_AVAILABLE, Excluded, excluded
from emm1.store.store import Store

# Captions per part: an interrupted run repeats at most one part.
PART = 1 << 14


def score(
    store: Store,
    embeddings: Mapping[str, PathLike],
    output: str | os.PathLike[str],
    nn_index: int | Iterable[int] | None = None,
    *,
    exclude: Sequence[str] = (),
    available: bool = False,
    threads: int | None = None,
    progress: Callable[[int, int], object] = lambda _done, _all: None,
    note: Callable[[str], object] = lambda _line: None,
) -> int:
    """Write the cosine of every two items of each group to a Parquet file, in the order of captions and ranks.

    The file has the columns encord_text_id, nn_index and one for each two modalities, such as ``text_image`` or
    ``image_audio``, float32: the scores of `emm1.score_pairs`. They are NULL if the group names no item, or if one of the two
    has no vector. Finished parts are kept in ``OUTPUT.parts`` until all are done, so an interrupted run continues where it
    stopped. Memory use does not depend on the number of groups.

    Args:
        store: the store.
        embeddings: a registered name or a file for each modality, at least two; ``text`` are the captions.
        output: the file to write; it must not exist.
        nn_index: the rank, or ranks, from 1 to 16; None for all that the store has.
        exclude: flags: groups with an item that has one are left out.
        available: likewise those with an item whose media file is not known to be well.
        threads: threads to use; all cores by default.
        progress: called from time to time with the number of captions done, and of all.
        note: called with a line that says what was left out, if anything was to be. The file keeps the same under ``excluded``, in
            JSON, in the metadata of its schema.

    Returns:
        The number of rows written, one for each group.

    Raises:
        emm1.errors.StoreError: there are no groups, or none of a rank.
        emm1.errors.EmbeddingError: an unknown modality or name, embeddings of another split or modality; the output exists,
            cannot be written, or has parts from another run.

    >>> import emm1, polars as pl
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample", scale=0.0001, embeddings=16)
    >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["100m"])
    >>> files = {modality: folder / f"sample/embeddings/{modality}.npy" for modality in ("text", "image", "audio")}
    >>> score(store, files, folder / "scores.parquet", nn_index=[1, 2])
    1340
    >>> pl.read_parquet(folder / "scores.parquet").columns
    ['encord_text_id', 'nn_index', 'text_image', 'text_audio', 'image_audio']
    """
    ranks = ranks_in(store, ranks_of(nn_index))
    model = open_vectors(store, embeddings)
    pairs = list(combinations(model, 2))
    schema = pa.schema(
        [(TEXT, pa.int32()), (RANK, pa.int16()), *((f"{one}_{other}", pa.float32()) for one, other in pairs)]
    )
    with store.cursor() as connection:
        out = excluded(connection, exclude, available)
    versions = {modality: version_of(vectors.embeddings) for modality, vectors in model.items()}
    run = {
        "scores": versions,
        "groups": version_of_groups(store),
        "ranks": ranks,
        "captions per part": PART,
        **out.identity,
    }

    def part(captions: NDArray[np.int64]) -> Iterator[pa.Table]:
        groups = _without(out, groups_of(connection, captions, ranks))
        items = {modality: _items(groups, modality, vectors) for modality, vectors in model.items()}
        columns = [_scores(items[one], items[other], threads) for one, other in pairs]
        yield pa.table([groups[TEXT], groups[RANK], *columns], schema=schema)

    with store.cursor() as connection, parts_of(Path(output), run) as folder:
        captions = captions_of(connection, ranks)
        parts = []
        for number, begin in enumerate(range(0, len(captions), PART)):
            progress(begin, len(captions))
            parts.append(write_part(folder, number, schema, part(captions[begin : begin + PART])))
        progress(len(captions), len(captions))
        if out:
            written = sum(pq.read_metadata(part).num_rows for part in parts)
            gone = count_of(connection, ranks) - written
            excluded_groups = {"flags": [*out.flags], "available": out.available, "groups": gone}
            schema = schema.with_metadata({"excluded": json.dumps(excluded_groups)})
            reasons = [*out.flags, *([NOT_AVAILABLE] if out.available else [])]
            note(f"Excluded: {', '.join(reasons)} ({gone:,} of {gone + written:,} groups)")
        return join(parts, Path(output), schema)


def _without(out: Excluded, groups: pa.Table) -> pa.Table:
    """The groups that name no excluded item."""
    if not out:
        return groups
    gone = np.zeros(len(groups), np.bool_)
    for modality in MODALITIES:
        column = groups[f"encord_{modality}_id"]
        ids = column.fill_null(0).to_numpy().astype(np.int64)
        gone |= column.is_valid().to_numpy() & out.has("100m", modality, ids)
    return groups.filter(pa.array(~gone))


class _Items(NamedTuple):
    """The items of one modality in some groups, (groups,): their ids, and which of them have a vector."""

    ids: NDArray[np.int64]
    known: NDArray[np.bool_]
    embeddings: Embeddings


def _items(groups: pa.Table, modality: str, vectors: Vectors) -> _Items:
    column = groups[f"encord_{modality}_id"]
    ids = column.fill_null(0).to_numpy()
    return _Items(ids, column.is_valid().to_numpy() & vectors.has(ids), vectors.embeddings)


def _scores(one: _Items, other: _Items, threads: int | None) -> pa.Array:
    """The cosines of two modalities' items in each group."""
    known = one.known & other.known
    places = np.flatnonzero(known)
    places = places[np.argsort(one.ids[places])]  # one of the two files is read in order, which halves the time
    scores = np.zeros(len(known), np.float32)
    scores[places] = score_pairs(one.embeddings, one.ids[places], other.embeddings, other.ids[places], threads=threads)
    return pa.array(scores, mask=~known)

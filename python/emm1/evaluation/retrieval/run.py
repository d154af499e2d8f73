"""Runs retrieval: on registered embeddings of a store, or on files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral  # NumPy's integers are registered
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from emm1.arguments import as_among, at_least_one, metric_name
from emm1.checks import PathLike, listed, shown
from emm1.embeddings.file import METRICS, Embeddings, Metric, as_embeddings
from emm1.errors import EmbeddingError
from emm1.evaluation.report.provenance import LeftOut
from emm1.evaluation.retrieval.excluding import without
from emm1.evaluation.retrieval.known import KINDS, SAME_ID, known_pairs, same_id
from emm1.evaluation.retrieval.pairs import Pairs, pairs_of
from emm1.evaluation.retrieval.report import RetrievalReport
from emm1.evaluation.retrieval.shards import merged, rank_shard
from emm1.evaluation.retrieval.summary import chosen
from emm1.evaluation.retrieval.task import Progress, Rules, Side, Task, carry_out
from emm1.store.excluded import excluded
from emm1.store.nearest import items_where
from emm1.store.registered import Registered, check_same_items, is_file
from emm1.tables import READERS, is_table
from emm1.work import Engine, Shard

if TYPE_CHECKING:
    from emm1.store.store import Store

MISSING = ("exclude", "fail")
OWN_ID = "with the query's own id"


@dataclass(frozen=True)
class Options:
    """What callers may choose; `Store.retrieval` says what it means."""

    k: Sequence[int] | int = (1, 5, 10)
    metrics: Sequence[str] | str | None = None
    metric: Metric | None = None
    missing: str = "exclude"
    exclude_self: bool = False
    resamples: int = 1000
    sample: int | None = None
    exclude: Sequence[str] = ()
    available: bool = False


def retrieve(
    store: Store,
    queries: PathLike,
    base: PathLike,
    pairs: Any,
    where: str | None,
    options: Options,
    progress: Progress = lambda _done, _all: None,
    parts: PathLike | None = None,
) -> RetrievalReport:
    """Retrieval from queries to a gallery, which are registered names or files; from parts of shards, if there are any."""
    task, metrics = task_of(store, queries, base, pairs, where, options)
    found = carry_out(task, progress) if parts is None else merged(task, Path(parts))
    return RetrievalReport(task, found, metrics)


def retrieve_shard(
    store: Store,
    queries: PathLike,
    base: PathLike,
    pairs: Any,
    where: str | None,
    options: Options,
    parts: PathLike,
    shard: tuple[int, int],
    progress: Progress = lambda _done, _all: None,
    engine: Engine | None = None,
) -> None:
    """Rank the right answers of one of several equal shares of the queries: `Store.retrieval` takes the folder of all parts.

    Args:
        store: the store.
        queries: as for `Store.retrieval`, like all that is not named here.
        base: as above.
        pairs: as above.
        where: as above.
        options: as above.
        parts: the folder into which all shards write their parts.
        shard: which share of the queries this is, from 1, and how many shares there are.
        progress: called from time to time with the number of right answers that are ranked, and of all in this shard.
        engine: what does the parts; this process by default.

    Raises:
        emm1.errors.EmbeddingError: as for `Store.retrieval`; or no such shard, or the folder has parts of other work.
    """
    task, _ = task_of(store, queries, base, pairs, where, options)
    rank_shard(task, Path(parts), Shard(*shard), progress, engine)


def task_of(
    store: Store, queries: PathLike, base: PathLike, pairs: Any, where: str | None, options: Options
) -> tuple[Task, list[str]]:
    """What is asked, and the measures to show.

    Raises:
        emm1.errors.Error: what `Store.retrieval` refuses before the work.
    """
    entries = [None if is_file(source) else store.registry[os.fspath(source)] for source in (queries, base)]
    asking, gallery = (_side(store, source, entry) for source, entry in zip((queries, base), entries, strict=True))
    rules, metrics = _rules(options, entries[1].metric if entries[1] else "cosine", where)
    if rules.exclude_self:
        check_same_items(*entries)
    with store.cursor() as connection:
        among = None if where is None else items_where(connection, _registered(entries[1], gallery), where)
        out = excluded(connection, options.exclude, options.available)
        known = _pairs(
            pairs,
            asking,
            entries,
            rules.exclude_self,
            lambda kind: known_pairs(connection, kind, entries[0], entries[1], out),
        )
    left_out = LeftOut()
    if out:
        known, among, left_out = without(out, known, asking, gallery, among)
    task = Task(asking, gallery, known.sample(options.sample), rules, among, store, left_out)
    return task, metrics


def retrieval(
    queries: Embeddings | PathLike,
    base: Embeddings | PathLike,
    pairs: Any,
    k: Sequence[int] | int = (1, 5, 10),
    among: ArrayLike | None = None,
    *,
    metrics: Sequence[str] | str | None = None,
    metric: Metric = "cosine",
    missing: str = "exclude",
    exclude_self: bool = False,
    resamples: int = 1000,
    sample: int | None = None,
    progress: Progress = lambda _done, _all: None,
) -> RetrievalReport:
    """How high the right answers of queries rank among the vectors of another file, or of the same; no store is needed.

    Args:
        queries: the vectors of the queries, or the path of their file.
        base: the gallery, or the path of its file.
        pairs: the right answers: a frame or a file with the columns query_id, id and optionally grade (1 if not given, 0 is not
            right); or ``same-id``.
        k: the cut-offs of the measures that have one.
        among: ids that the gallery is restricted to, or a boolean mask over the rows of `base`.
        metrics: the measures that the text shows, such as ``recall@5`` or ``recall``; ``all`` for all; by default six.
        metric: ``cosine``, ``dot`` or ``l2``.
        missing: ``exclude`` leaves out and counts queries without a vector, and counts right answers without one as not found;
            ``fail`` makes both an error.
        exclude_self: leave out the row of the gallery that has the query's own id.
        resamples: resamples for the 95 % intervals; 0 for none.
        sample: how many of the queries to ask, drawn at random; None for all.
        progress: called from time to time with the number of right answers that are ranked, and of all.

    Raises:
        emm1.errors.EmbeddingError: pairs that are not as described, vectors of different dimensions, no query that counts, or NaN or an
            infinity in a vector.

    >>> import numpy as np, emm1
    >>> folder = getfixture("tmp_path")
    >>> np.save(folder / "x.npy", np.eye(4, dtype="float32"))
    >>> report = emm1.retrieval(folder / "x.npy", folder / "x.npy", {"query_id": [0, 1], "id": [0, 2]}, k=[1])
    >>> report.to_frame().select("metric", "value", "worst", "best").row(0)
    ('hit@1', 0.5, 0.5, 0.5)
    >>> report.per_query["rank"].to_list()
    [1.0, 3.0]
    """
    asking, gallery = (_side_of(as_embeddings(source)) for source in (queries, base))
    rules, names = _rules(Options(k, metrics, metric, missing, exclude_self, resamples), metric, None)
    rows = gallery.embeddings
    ids = None if among is None else np.unique(as_among(among, len(rows), lambda: rows.ids))
    known = _pairs(pairs, asking, [None, None], rules.exclude_self, _needs_a_store)
    task = Task(asking, gallery, known.sample(sample), rules, ids)
    return RetrievalReport(task, carry_out(task, progress), names)


def _rules(options: Options, metric: Metric, where: str | None) -> tuple[Rules, list[str]]:
    given: list[Any] = [options.k] if isinstance(options.k, Integral) else listed(options.k, "k")
    ks = sorted({at_least_one(k, "k") for k in given})
    if not ks:
        raise EmbeddingError("k names no cut-offs: give at least one, such as [1, 5, 10]")
    if options.missing not in MISSING:
        raise EmbeddingError(f"missing is {options.missing!r}: it is {' or '.join(map(repr, MISSING))}")
    score = options.metric or metric
    if metric_name(score) not in METRICS:
        raise EmbeddingError(f"unknown metric {score!r}: {', '.join(METRICS)}")
    resamples = 0 if options.resamples == 0 else at_least_one(options.resamples, "resamples")
    rules = Rules(tuple(ks), score, options.missing, bool(options.exclude_self), resamples, where)
    return rules, chosen(options.metrics, ks)


def _side(store: Store, source: PathLike, entry: Registered | None) -> Side:
    if entry is None:
        return _side_of(store.embeddings(source))
    return Side(store.embeddings(source), entry.name, entry)


def _side_of(embeddings: Embeddings) -> Side:
    return Side(embeddings, embeddings.path.name)


def _registered(entry: Registered | None, side: Side) -> Registered:
    if entry is None:
        raise EmbeddingError(
            f"a condition needs the info rows of the gallery, which are not known of the file {side.name}: register it, or restrict "
            "the gallery in Python with emm1.retrieval(…, among=ids)"
        )
    return entry


def _pairs(
    source: Any, queries: Side, entries: Sequence[Registered | None], exclude_self: bool, known: Callable[[str], Pairs]
) -> Pairs:
    if is_table(source) or not isinstance(source, str):
        pairs = pairs_of(source)
        return _without_own(pairs) if exclude_self else pairs
    if source == SAME_ID:
        if exclude_self:
            raise EmbeddingError(
                f"with the pairs {SAME_ID} each query must find the row with its own id, which exclude_self leaves out"
            )
        return same_id(queries.embeddings, *entries)
    if source not in KINDS:
        raise EmbeddingError(
            f"unknown pairs {shown(source)}: {', '.join([*KINDS, SAME_ID])}, or a file that ends in {', '.join(READERS)}"
        )
    return known(source)


def _without_own(pairs: Pairs) -> Pairs:
    """Pairs without those of a query and its own id, whose row is not in its gallery; they are counted."""
    own = pairs.frame["query_id"] == pairs.frame["id"]
    if not own.any():
        return pairs
    return replace(pairs, frame=pairs.frame.filter(~own), left_out={**pairs.left_out, OWN_ID: int(own.sum())})


def _needs_a_store(kind: str) -> Pairs:
    raise EmbeddingError(
        f"the pairs {kind} are in a store: use Store.retrieval, or give a file or a frame of pairs, or {SAME_ID!r}"
    )

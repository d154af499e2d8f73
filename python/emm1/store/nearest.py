"""`Store.nearest`: which items are searched, which are left out, and the answer as a relation."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant
from numpy.typing import ArrayLike, NDArray

from emm1.arguments import as_ids, as_vectors, at_least_one
from emm1.checks import check_text, listed, shown
from emm1.embeddings.file import Embeddings, Metric
from emm1.embeddings.hits import Hits
from emm1.embeddings.others import search_others
from emm1.encoders import Encoder, encoder_named
from emm1.encoders.named import encoded
from emm1.errors import EmbeddingError, StoreError
from emm1.store.connections import sql_seeing
from emm1.store.registered import Registered


def queries_of(
    embeddings: Embeddings,
    queries: ArrayLike | None,
    ids: ArrayLike | None,
    text: str | Sequence[str] | None,
    encoder: Encoder | str | None,
) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    """The vectors to search by, (dim,) or (queries, dim), and the ids of the items that they are, if these were given.

    Raises:
        emm1.errors.EmbeddingError: none of queries, ids and text was given, or several, or an id that the file does not have;
            text without an encoder, or one that gives other vectors.
    """
    if [queries is None, ids is None, text is None].count(False) != 1:
        raise EmbeddingError(
            "give the vectors to search by, or the ids of items, or a text: one of queries, ids and text"
        )
    if (text is None) != (encoder is None):
        raise EmbeddingError("a text is searched by an encoder, and nothing else is: give text and encoder, or neither")
    if text is not None:
        vectors = _encoded(embeddings, [text] if isinstance(text, str) else listed(text, "text"), encoder)  # type: ignore[arg-type]  # checked above
        return (vectors[0] if isinstance(text, str) else vectors), None
    if ids is None:
        return as_vectors(queries), None  # type: ignore[arg-type]  # one of them is given
    own = as_ids(ids, "ids")
    vectors = embeddings.vectors(own)
    return (vectors if np.ndim(ids) else vectors[0]), own


def _encoded(embeddings: Embeddings, texts: list[str], encoder: Encoder | str) -> NDArray[np.float32]:
    if not texts or not all(isinstance(text, str) for text in texts):
        raise EmbeddingError(f"text must be a text or a list of at least one, not {shown(texts)}")
    for text in texts:
        check_text(text)
    chosen = encoder_named(encoder) if isinstance(encoder, str) else encoder
    if chosen.dims != embeddings.dim:
        raise EmbeddingError(
            f"the encoder gives {chosen.dims:,} components, but the vectors of {embeddings.path} have {embeddings.dim:,}: "
            "search with the encoder that made them"
        )
    return encoded(chosen, "text", texts)


def items_where(connection: duckdb.DuckDBPyConnection, entry: Registered, condition: str) -> NDArray[np.int64]:
    """The ids of the items that satisfy a condition on their info rows.

    Raises:
        emm1.errors.StoreError: the condition is not SQL, or names a column that there is not.
    """
    try:
        items = connection.table(entry.table).filter(condition).select(entry.key)
        return np.asarray(items.fetchnumpy()[entry.key], np.int64)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"the condition {condition!r} does not fit {entry.table}: {reason}") from error


def hits_of(
    embeddings: Embeddings,
    queries: NDArray[np.float32],
    own: NDArray[np.int64] | None,
    k: int,
    metric: Metric,
    among: NDArray[np.int64] | None,
    *,
    exclude_self: bool,
) -> list[Hits]:
    """The hits of each query."""
    rows = np.atleast_2d(queries)
    k = at_least_one(k, "k")
    if exclude_self:
        hits = search_others(embeddings, rows, k, metric, among, own)
    else:
        hits = embeddings.search(rows, k, metric, among)
    found = [~np.isnan(scores) for scores in hits.scores]  # the rest fills the rows of queries with fewer hits
    return [Hits(ids[has], scores[has]) for has, ids, scores in zip(found, hits.ids, hits.scores, strict=True)]


def relation_of(
    connection: duckdb.DuckDBPyConnection, hits: Sequence[Hits], *, single: bool, entry: Registered | None
) -> duckdb.DuckDBPyRelation:
    """The hits as a relation, in order: query_index unless there is a single query, rank, id, score.

    Args:
        connection: the connection that the relation is to run on.
        hits: the hits of each query.
        single: whether one query was asked, which needs no index.
        entry: the embeddings, to add what the items are; None to add nothing.
    """
    lengths = [len(found) for found in hits]
    columns = {
        "query_index": np.repeat(np.arange(len(hits)), lengths),
        "rank": np.concatenate([np.arange(1, length + 1) for length in lengths] or [np.empty(0, np.int64)]),
        "id": np.concatenate([found.ids for found in hits] or [np.empty(0, np.int64)]),
        "score": np.concatenate([found.scores for found in hits] or [np.empty(0, np.float32)]),
    }
    order = ["rank"] if single else ["query_index", "rank"]
    names = [*order, "id", "score"]
    relation = _from_arrays(connection, {name: columns[name] for name in names})
    if entry is not None:
        items, added = items_of(connection, entry)
        joined = relation.set_alias("h").join(items.set_alias("i"), "h.id = i.item", how="left")
        relation = joined.select(*(Column("h", name) for name in names), *(Column("i", name) for name in added))
    return relation.order(", ".join(order))


def _from_arrays(
    connection: duckdb.DuckDBPyConnection, columns: dict[str, NDArray[np.generic]]
) -> duckdb.DuckDBPyRelation:
    """Arrays as a relation; without Arrow, whose import takes longer than a search, where DuckDB can read them itself."""
    try:
        return sql_seeing(connection, "FROM _emm1_hits", None, ({"_emm1_hits": columns}, {}))
    except duckdb.CatalogException:  # it looks for no variables: enable_external_access is false
        import pyarrow as pa

        return connection.from_arrow(pa.table(columns))


def items_of(connection: duckdb.DuckDBPyConnection, entry: Registered) -> tuple[duckdb.DuckDBPyRelation, list[str]]:
    """What the items of some embeddings are, by their id, `item`; and the names of the other columns."""
    if entry.modality == "text":
        items, added = connection.table(entry.table), ["source_dataset", "dataset_license", "caption"]
        return items.select(Column(entry.key).alias("item"), *added), added
    assets, added = connection.view("assets"), ["source_dataset", "dataset_license", "file_path"]
    same = (Column("dataset") == Constant(entry.dataset)) & (Column("modality") == Constant(entry.modality))
    return assets.filter(same).select(Column("id").alias("item"), *added), added

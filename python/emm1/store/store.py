"""An open store: the published examples as methods, SQL, and exact search in registered embeddings."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import duckdb
from numpy.typing import ArrayLike

from emm1 import _native
from emm1.arguments import as_ids
from emm1.checks import PathLike
from emm1.dataset import FILE_MODALITIES, Split, check_modalities, ranks_of
from emm1.embeddings.file import Embeddings, Metric
from emm1.encoders import Encoder
from emm1.errors import EmbeddingsWarning, FileNotFoundError
from emm1.lazy import LazyModule
from emm1.store.captions import Captions
from emm1.store.connections import Connections, sql_seeing
from emm1.store.curations import Curations
from emm1.store.encoding import Encoding
from emm1.store.evaluations import Evaluations
from emm1.store.exports import Exports
from emm1.store.findings import Findings
from emm1.store.nearest import hits_of, items_where, queries_of, relation_of
from emm1.store.registered import Registered, is_file
from emm1.store.registry import Registry

if TYPE_CHECKING:
    import polars as pl
else:
    pl = LazyModule("polars")


class Store(Evaluations, Curations, Findings, Exports, Encoding, Captions):
    """An emm1 store: one DuckDB file, open.

    `open` and `build` return it; as a context manager it closes its connection. Every method may be called from any
    thread. In threads other than the one that opened the store, each call has its own connection, so temporary tables,
    variables and transactions of `sql` last only for that call (use a `cursor` to keep them).

    >>> import emm1
    >>> folder = getfixture("tmp_path")
    >>> emm1.write_sample(folder / "sample")
    >>> with emm1.build(folder / "sample", folder / "emm1.duckdb") as store:
    ...     store.sql("SELECT count(*) FROM e_mm1_100m.groups").fetchall()
    [(107296,)]
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, root: str | None) -> None:
        self.path = path
        self._connections = Connections(connection, root, path)
        self._registry = Registry(path, self._connections)
        self._embeddings: dict[
            tuple[Path, Path | None, Path | None], tuple[tuple[_native.Version, object], Embeddings]
        ] = {}

    def __enter__(self) -> Self:
        """The store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def close(self) -> None:
        """Close the connection; the store can be opened again."""
        self._connections.close()

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The DuckDB connection; only the thread that opened the store may use it (see `cursor`)."""
        return self._connections.own

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A new connection for any one thread, with the current media root and audio folder.

        The current values are those that `sql` has set in the thread that opened the store. Values that were set through
        `connection` count from the next call of `cursor` in that thread when all results of `connection` are fetched.

        >>> import emm1, threading
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["eshot"])
        >>> _ = store.sql("SET VARIABLE emm1_root = '/data'")
        >>> def ask():
        ...     with store.cursor() as cursor:
        ...         print(cursor.execute("SELECT media_root()").fetchall())
        >>> thread = threading.Thread(target=ask)
        >>> thread.start(), thread.join()
        [('/data',)]
        (None, None)
        """
        return self._connections.new()

    @property
    def registry(self) -> Registry:
        """The registered embeddings, by name."""
        return self._registry

    def sql(self, query: str, *, params: Any = None) -> duckdb.DuckDBPyRelation:
        """Run SQL; names that are not tables are looked up in the caller's variables, as in `duckdb.sql`.

        >>> import polars as pl, emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["eshot"])
        >>> wanted = pl.DataFrame({"category": ["bell"]})
        >>> store.sql("SELECT DISTINCT category FROM eshot_categories JOIN wanted USING (category)").fetchall()
        [('bell',)]
        """
        caller = sys._getframe(1)  # noqa: SLF001 - the documented way to see the caller
        result = sql_seeing(self._connections.for_call(), query, params, (caller.f_locals, caller.f_globals))
        if "variable" in query.casefold():  # SET VARIABLE, RESET VARIABLE
            self._connections.note_variables()
        return result

    def groups(
        self,
        nn_index: int | Iterable[int] | None = None,
        modalities: Sequence[str] = FILE_MODALITIES,
        *,
        captions: ArrayLike | None = None,
    ) -> duckdb.DuckDBPyRelation:
        """The groups of nearest neighbours with file paths and captions: the first published script.

        Args:
            nn_index: the rank, or ranks, from 1 (nearest) to 16; None for all.
            modalities: the modalities to give file paths for, in this order.
            captions: ids of the captions whose groups are wanted; None for all. Repeats count once; unknown ids are ignored.

        Returns:
            The six published columns, ``{modality}_file_path`` for each modality, and ``caption``. If you want all rows
            as a frame, `groups_frame` takes half the time.

        Raises:
            emm1.errors.StoreError: an unknown modality, or a rank that is not from 1 to 16.
            emm1.errors.EmbeddingError: `captions` are not integers.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> store.groups(nn_index=1, modalities=["image"]).columns[-2:]
        ['image_file_path', 'caption']
        >>> store.groups(nn_index=[1, 2], captions=[7]).select("encord_text_id", "nn_index").order("ALL").fetchall()
        [(7, 1), (7, 2)]
        """
        from emm1.store.groups import groups_of, groups_relation

        check_modalities(modalities)
        ranks = ranks_of(nn_index)
        if captions is None:
            return groups_relation(self._connections.for_call(), modalities, ranks)
        return groups_of(self._connections.for_call(), as_ids(captions, "captions").tolist(), modalities, ranks)

    def groups_frame(
        self, nn_index: int | Iterable[int] | None = None, modalities: Sequence[str] = FILE_MODALITIES
    ) -> pl.DataFrame:
        """The rows of `groups` as a Polars frame, in half the time of the query: rows share paths and captions.

        Args:
            nn_index: the rank, or ranks, from 1 (nearest) to 16; None for all.
            modalities: the modalities to give file paths for, in this order.

        Returns:
            The columns and rows of `groups`, in no particular order. The method
            ``to_arrow(compat_level=polars.CompatLevel.newest())`` makes it an Arrow table without a copy.

        Raises:
            emm1.errors.StoreError: an unknown modality, or a rank that is not from 1 to 16.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", ranks=[1])
        >>> store.groups_frame(nn_index=1, modalities=["image"]).columns == store.groups(1, ["image"]).columns
        True
        """
        from emm1.store.groups import groups_frame

        check_modalities(modalities)
        return groups_frame(self._connections.for_call(), modalities, ranks_of(nn_index))

    def triplets(self, modalities: Sequence[str] = FILE_MODALITIES) -> duckdb.DuckDBPyRelation:
        """The rated triplets between modalities, in either direction: the second published script.

        Returns:
            The six published columns, ``paired_modality_file_path``, ``annotated_modality_file_path``, ``caption``;
            duplicates stay. No rows if no pair of these modalities was rated. If you want the rows as a frame,
            `triplets_frame` takes half the time.

        Raises:
            emm1.errors.StoreError: an unknown modality.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["1m"])
        >>> store.triplets(modalities=["audio", "video"]).fetchall()
        []
        """
        check_modalities(modalities)
        # Literals let DuckDB drop the tables of the other modalities before it plans the query.
        return self._connections.for_call().table_function("triplets_between", [list(modalities)])

    def triplets_frame(self, modalities: Sequence[str] = FILE_MODALITIES) -> pl.DataFrame:
        """The rows of `triplets` as a Polars frame, in half the time of the query: rows share paths and captions.

        Returns:
            The columns and rows of `triplets`, in no particular order.

        Raises:
            emm1.errors.StoreError: an unknown modality.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample", embeddings=0)
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb", splits=["1m"])
        >>> store.triplets_frame(["audio", "points"]).shape == store.triplets(["audio", "points"]).pl().shape
        True
        """
        from emm1.store.triplets import triplets_frame

        check_modalities(modalities)
        frame = triplets_frame(self._connections.for_call(), modalities)
        return self.triplets(modalities).pl() if frame is None else frame

    def add_embeddings(
        self,
        name: str,
        file: PathLike,
        *,
        dataset: Split,
        modality: str,
        ids: PathLike | ArrayLike | None = None,
        codes: PathLike | Literal[False] | None = None,
        metric: Metric = "cosine",
        model: str | None = None,
        replace: bool = False,
    ) -> None:
        """Check an embedding file against the store, write its codes if it has none, and register it under a name.

        `Registry.add` does the same and returns what was found out: where the ids come from, and how many items have a
        vector. What you should know of it is an `emm1.errors.EmbeddingsWarning` here: ids that are not in the store, row
        numbers that count as ids while only some items have a row, zero vectors, vectors that are not of norm 1 although
        the metric is ``dot``, codes that could not be made.

        Args:
            name: the name to register.
            file: the file or folder, rows × dims: anything that `Embeddings` opens. If it is in the store's folder, its
                path is kept relative to it, so that both can be moved.
            dataset: the split that the rows belong to: ``100m``, ``1m`` or ``eshot``.
            modality: the modality that the rows belong to.
            ids: the file of the row ids, or the ids themselves, which are then written to ``NAME.ids.npy`` next to the
                file (different ids are never overwritten); by default that file, or else the row numbers (for EShot, the
                order of the info CSV).
            codes: the codes file, written if it does not exist; by default ``NAME.npy.codes`` next to the file. False
                for none.
            metric: the default metric of searches.
            model: the model that made the vectors: `Registry.models` says which embeddings are of one model.
            replace: replace embeddings that are already registered under this name.

        Raises:
            emm1.errors.EmbeddingError: the file or its ids do not fit the store, or a row holds NaN or an infinity.
            emm1.errors.StoreError: the name is taken, the model has other embeddings of these items, or the store is read-only.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> text = folder / "sample/embeddings/text.npy"
        >>> store.add_embeddings("text", text, dataset="100m", modality="text")
        >>> store.add_embeddings("text", text, dataset="100m", modality="text")
        Traceback (most recent call last):
        emm1.errors.StoreError: the name 'text' is taken: remove it first, or register this one in its place: replace=True
        """
        found = self.registry.add(
            name,
            file,
            dataset=dataset,
            modality=modality,
            ids=ids,
            codes=codes,
            metric=metric,
            model=model,
            replace=replace,
        )
        for note in found.notes:
            warnings.warn(f"{name}: {note}", EmbeddingsWarning, stacklevel=2)

    def embeddings(self, source: PathLike) -> Embeddings:
        """The embeddings of a registered name, or of a file (with a path separator or a known suffix).

        Raises:
            emm1.errors.EmbeddingError: there is no such name; the message lists the registered ones.
        """
        if is_file(source):
            return Embeddings(source)
        return self._open(self.registry[os.fspath(source)])

    def metric(self, source: PathLike) -> Metric:
        """The metric that the embeddings are registered with; cosine for a file."""
        if is_file(source):
            return "cosine"
        return self.registry[os.fspath(source)].metric

    def _open(self, entry: Registered) -> Embeddings:
        file = _native.file_of(entry.path)
        if not file.exists():
            raise FileNotFoundError(f"{entry.path}, the file of {entry.name!r}, is not there any more")
        key = (entry.path, entry.ids_path, entry.codes_path)
        version = (_native.Version(*key), entry.found and entry.found.shape)
        seen, embeddings = self._embeddings.get(key, (None, None))
        if embeddings is None or seen != version:
            embeddings = entry.open()
            self._embeddings[key] = version, embeddings
        return embeddings

    def nearest(
        self,
        name: str,
        queries: ArrayLike | None = None,
        k: int = 10,
        *,
        ids: ArrayLike | None = None,
        text: str | Sequence[str] | None = None,
        encoder: Encoder | str | None = None,
        where: str | None = None,
        metric: Metric | None = None,
        exclude_self: bool = False,
        with_items: bool = False,
    ) -> duckdb.DuckDBPyRelation:
        """The k nearest items of registered embeddings, exactly.

        Args:
            name: the name of the embeddings.
            queries: a vector, (dim,), or several, (queries, dim).
            k: how many for each query; all items if there are fewer.
            ids: in place of `queries`, the id of an item of these embeddings to search by, or several.
            text: in place of `queries`, a text to search by, or several, which `encoder` encodes.
            encoder: the encoder that made these embeddings, or shares its space with the one that did; or its name (`Store.embed`).
            where: an SQL condition on the info rows; only items that satisfy it are searched.
            metric: by default the registered one.
            exclude_self: leave out the item that is the query; k others are found. By `ids`, that is the item of the
                query's id, and items that are equal to it are found. By `queries`, whose ids are not known, it is every item
                whose vector has exactly the query's components.
            with_items: add what the items are: source_dataset, dataset_license, and caption or file_path.

        Returns:
            The columns rank (from 1), id and score, best first. For several queries, query_index (from 0) comes first, and
            the rows are in its order. An item without an info row has NULL in the columns of `with_items`.

        Raises:
            emm1.errors.EmbeddingError: an unknown name or id, a query that does not fit, k < 1.
            emm1.errors.StoreError: the condition is not SQL.

        >>> import emm1
        >>> folder = getfixture("tmp_path")
        >>> emm1.write_sample(folder / "sample")
        >>> store = emm1.build(folder / "sample", folder / "emm1.duckdb")
        >>> store.add_embeddings("text", folder / "sample/embeddings/text.npy", dataset="100m", modality="text")
        >>> query = store.embeddings("text").vectors([0])[0]
        >>> store.nearest("text", query, k=1).fetchall()
        [(1, 0, 1.0)]
        >>> store.nearest("text", ids=[9, 0], k=1, with_items=True).select("query_index", "id", "source_dataset").fetchall()
        [(0, 9, 'COCO'), (1, 0, 'Valor')]
        """
        connection = self._connections.for_call()
        entry = self.registry[name]
        embeddings = self._open(entry)
        vectors, own = queries_of(embeddings, queries, ids, text, encoder)
        among = None if where is None else items_where(connection, entry, where)
        hits = hits_of(embeddings, vectors, own, k, metric or entry.metric, among, exclude_self=exclude_self)
        return relation_of(connection, hits, single=vectors.ndim == 1, entry=entry if with_items else None)

"""The embedding files a store knows by name: what their rows are, and where they lie."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal, get_args
from uuid import uuid4

import duckdb
import numpy as np
from numpy.typing import NDArray

from emm1.arguments import check_text
from emm1.dataset import KEYS, SCHEMAS, Split, check_items
from emm1.embeddings.file import METRICS, Embeddings, Metric, file_of
from emm1.errors import EmbeddingError, EmbeddingsWarning, StoreError, unknown_embeddings


@dataclass(frozen=True)
class Registered:
    """An embedding file and what its rows are.

    Attributes:
        name: what the store calls it.
        dataset: ``100m``, ``1m`` or ``eshot``.
        modality: of the items its rows are.
        metric: the metric used by default.
        path: the file.
        ids_path: the file of ids, or for shards the folder of them; None where the row number is the id.
        codes: the file of codes; None where it lies beside the file, False where there is to be none.
        shape: rows, dims and type that it was registered with; None before it is.
    """

    name: str
    dataset: Split
    modality: str
    metric: Metric
    path: Path
    ids_path: Path | None
    codes: Path | Literal[False] | None = None
    shape: tuple[int, int, str] | None = None

    def open(self) -> Embeddings:
        """The embeddings, as they are now.

        Raises:
            EmbeddingError: they are not of the shape that was registered.
        """
        embeddings = Embeddings(self.path, ids=self.ids_path, codes=self.codes)
        now = (len(embeddings), embeddings.dim, str(embeddings.dtype))
        if self.shape not in (None, now):
            raise EmbeddingError(
                f"{self.path} holds {' × '.join(map(str, now))}, but {' × '.join(map(str, self.shape or ()))} were "
                f"registered as '{self.name}': register it again with `emm1 embeddings add --replace`"
            )
        return embeddings

    @property
    def codes_path(self) -> Path | None:
        """Where codes are, or would be; None where there are to be none."""
        return (self.codes or None) if self.codes is not None else Path(f"{self.path}.codes")

    @property
    def table(self) -> str:
        """The table whose rows are the items."""
        return f"{SCHEMAS[self.dataset]}.{self.modality}"

    @property
    def key(self) -> str:
        """Its id column."""
        return KEYS[self.dataset, self.modality]


def add(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    entry: Registered,
    *,
    ids: NDArray[np.int64] | None = None,
    replace: bool = False,
    progress: Callable[[int, int], object] = lambda _rows, _all: None,
) -> list[str]:
    """Check an embedding file against the store, write its codes where it has none, and register it.

    Args:
        connection: the store's, open for writing.
        folder: the store's folder: paths under it are kept relative to it.
        entry: the file and what it is.
        ids: the ids of its rows, written beside the file: searches in SQL find them there.
        replace: put it in place of one of the same name.
        progress: called with the number of rows coded and that of all, from time to time.

    Returns:
        What the user should know about it.

    Raises:
        EmbeddingError: the file or its ids do not fit the store.
        StoreError: the name is taken, or the store is open for reading only.
    """
    _check_entry(entry)
    taken = entry.name in names(connection)
    if taken and not replace:
        raise StoreError(
            f"the name {entry.name!r} is taken: remove it first, or register this one in its place (replace)"
        )
    if ids is not None:
        with beside(entry, ids) as ids_path:
            registered = dataclasses.replace(entry, ids_path=ids_path)
            return add(connection, folder, registered, replace=replace, progress=progress)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmbeddingsWarning)  # codes that are not used are made anew
        embeddings = entry.open()
    notes, written = _check_ids(connection, folder, entry, embeddings)
    if embeddings.codes_path is None and entry.codes is not False:
        notes += _build_codes(embeddings, entry, progress)
    connection.begin()
    try:
        connection.execute("DELETE FROM embeddings WHERE name = ?", [entry.name])
        connection.execute(
            "INSERT INTO embeddings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                entry.name,
                entry.dataset,
                entry.modality,
                entry.metric,
                _stored(entry.path, folder),
                _stored(written or embeddings.ids_path, folder),
                "" if entry.codes is False else _stored(entry.codes, folder),
                len(embeddings),
                embeddings.dim,
                str(embeddings.dtype),
                sum(file.stat().st_size for file in embeddings.files),
                datetime.now(UTC).replace(tzinfo=None),
                version("emm1"),
            ],
        )
        connection.commit()
    except duckdb.Error as error:
        connection.rollback()
        if "read-only" in str(error):
            raise StoreError("the store is open for reading only: open it for writing to register embeddings") from None
        raise
    return notes


@contextmanager
def beside(entry: Registered, ids: NDArray[np.int64]) -> Iterator[Path]:
    """The file ``NAME.ids.npy`` beside an embedding file, written with these ids; removed again where that fails.

    Raises:
        EmbeddingError: these are not the ids of its rows, a file of other ids is there, or it cannot be written.
    """
    Embeddings(entry.path, ids=ids, codes=False)
    place = file_of(entry.path).with_suffix(".ids.npy")
    if os.path.lexists(place):
        if not np.array_equal(Embeddings(entry.path, ids=place, codes=False).ids, ids):
            raise EmbeddingError(f"{place} holds other ids: remove it first, or name a file of ids in another place")
        yield place
        return
    writing = place.with_name(f"{place.name}.{uuid4().hex}")
    try:
        try:
            with writing.open("xb") as file:
                np.save(file, ids)
            os.link(writing, place)  # which never replaces a file
        finally:
            writing.unlink(missing_ok=True)
    except OSError as error:
        raise EmbeddingError(
            f"the ids cannot be written to {place} ({error.strerror or error}): write them to a file in another place, "
            "and name that"
        ) from None
    try:
        yield place
    except BaseException:
        place.unlink(missing_ok=True)
        raise


def remove(connection: duckdb.DuckDBPyConnection, folder: Path, name: str) -> Registered:
    """Forget a registered file; the file itself, its ids and its codes stay.

    Returns:
        What was registered.

    Raises:
        EmbeddingError: no such name; lists the known ones.
    """
    entry = find(connection, folder, name)
    connection.execute("DELETE FROM embeddings WHERE name = ?", [name])
    return entry


def names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The registered names, sorted."""
    return [name for (name,) in connection.execute("SELECT name FROM embeddings ORDER BY name").fetchall()]


def find(connection: duckdb.DuckDBPyConnection, folder: Path, name: str) -> Registered:
    """What is registered under a name.

    Raises:
        EmbeddingError: no such name; lists the known ones.
    """
    if not isinstance(name, str):  # DuckDB would cast every name to the type of this one
        raise unknown_embeddings(name, names(connection))
    found = connection.execute(
        "SELECT dataset, modality, metric, path, ids_path, codes_path, rows, dims, dtype FROM embeddings WHERE name = ?",
        [name],
    ).fetchall()
    if not found:
        raise unknown_embeddings(name, names(connection))
    dataset, modality, metric, path, ids, codes, rows, dims, dtype = found[0]
    ids_path, codes_path = (folder / place if place else None for place in (ids, codes))
    known: Path | Literal[False] | None = False if codes == "" else codes_path
    return Registered(name, dataset, modality, metric, folder / path, ids_path, known, (rows, dims, dtype))


def _check_entry(entry: Registered) -> None:
    check_items(entry.dataset, entry.modality)
    if entry.metric not in METRICS:
        raise EmbeddingError(f"unknown metric {entry.metric!r}: {', '.join(get_args(Metric))}")
    for text in (entry.name, entry.path, entry.ids_path, entry.codes_path):
        check_text(text)
    for path in (entry.path, entry.ids_path, entry.codes_path):
        mark = next((mark for mark in ("?ids=", "?codes=") if mark in str(path)), None)
        if mark:
            raise EmbeddingError(
                f"{path}: {mark!r} in a path means in SQL that another follows: name the ids and the codes on their own, or "
                "rename the file"
            )
    if not entry.name:
        raise EmbeddingError("embeddings need a name that is not empty")


def _check_ids(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    entry: Registered,
    embeddings: Embeddings,
) -> tuple[list[str], Path | None]:
    """Whether the rows are items of the store; for EShot in the order of the CSV, the file of ids written for it."""
    items = item_ids(connection, entry)
    if embeddings.ids_path is None and entry.dataset == "eshot":
        if len(items) != len(embeddings):
            raise EmbeddingError(
                f"{entry.path} has {len(embeddings):,} rows and no ids, but {entry.table} has {len(items):,}: "
                "give one vector for each row of the info CSV, in its order, or name the file of ids"
            )
        if np.array_equal(items, np.arange(len(items))):
            return [], None
        written = folder / f"{entry.name}.eshot-{entry.modality}.ids.npy"
        try:
            np.save(written, items)
        except OSError as error:
            raise EmbeddingError(f"the ids of {entry.path} cannot be written to {written}: {error.strerror}") from None
        return [f"wrote the ids of its rows to {written}"], written
    known = np.isin(embeddings.ids, items)
    if known.all() or not len(items):
        note = f"{entry.table} is empty in this store, so the ids were not checked"
        return ([] if len(items) else [note]), None
    first = int(np.argmin(known))
    missing = int(np.count_nonzero(~known))
    if embeddings.ids_path is None:
        raise EmbeddingError(
            f"{entry.path} has no ids, so row {first} would be the item {first}, which {entry.table} does not have "
            f"({missing:,} such rows): name the file of ids"
        )
    return [
        f"{missing:,} of its {len(known):,} ids are not in {entry.table} (the first is {embeddings.ids[first]})"
    ], None


def _build_codes(embeddings: Embeddings, entry: Registered, progress: Callable[[int, int], object]) -> list[str]:
    """Codes where they belong; beside a file in a place that cannot be written none, and a note what to do."""
    if embeddings.why_no_codes and not entry.codes:
        return [f"no codes were made, so searches will be slower: {embeddings.why_no_codes}"]
    try:
        embeddings.build_codes(entry.codes or None, progress=lambda rows: progress(rows, len(embeddings)))
    except EmbeddingError as error:
        if entry.codes or "cannot be written" not in str(error):
            raise
        return [f"no codes were made, so searches will be slower: {error} (name another place for codes)"]
    return []


def verify(connection: duckdb.DuckDBPyConnection, folder: Path, name: str) -> tuple[Embeddings, str]:
    """Check a registered file: that it is as registered, that every vector is finite, and that its codes are sound.

    Returns:
        The embeddings, and what is to be said of their codes.

    Raises:
        EmbeddingError: it is not; says what to do.
    """
    entry = find(connection, folder, name)
    embeddings = entry.open()
    Embeddings(entry.path, ids=entry.ids_path, codes=False).search(np.zeros(embeddings.dim), k=1, metric="dot")
    if entry.codes is False:
        return embeddings, "no codes, as registered"
    place = f" in {entry.codes}" if entry.codes else ""
    if embeddings.verify():
        return embeddings, f"codes sound{place}"
    return embeddings, f"no codes of it{place} (`emm1 embeddings add --replace` makes them)"


def item_ids(connection: duckdb.DuckDBPyConnection, entry: Registered) -> NDArray[np.int64]:
    """The ids of all items of an entry's split and modality, in the order of the published file."""
    column = connection.table(entry.table).order("rowid").select(entry.key).to_arrow_table().column(0)
    ids: NDArray[np.int64] = column.to_numpy().astype(np.int64)
    return ids


def _stored(path: Path | None, folder: Path) -> str | None:
    """A path as the store keeps it: relative where the file lies under the store's folder, so both can move."""
    if path is None:
        return None
    path = path.resolve()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)

"""The rows of a query, kept on the disk once, and mapped by every process that wants them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from emm1.checks import PathLike
from emm1.errors import Error, StoreError, WriteError
from emm1.store.batches import batches
from emm1.store.connections import SET
from emm1.store.database import log_of
from emm1.store.excluded import excluded
from emm1.store.kept import kept
from emm1.store.opening import open as open_store
from emm1.store.query import check_query
from emm1.store.store import Store
from emm1.system import locked
from emm1.torch.columns import ColumnWriter, kept_as, mapped_column

# Rows that DuckDB gives at a time, and seconds between looks whether another process has finished.
BATCH, WAIT = 1 << 17, 0.2


class Rows:
    """The rows of a query by their numbers. It can be pickled: the copy maps the same files.

    Args:
        folder: of `rows_of`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        described = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
        schema = pa.ipc.read_schema(pa.py_buffer((folder / "schema").read_bytes()))
        self._rows = int(described["rows"])
        columns = [mapped_column(folder / str(i), field.type, self._rows) for i, field in enumerate(schema)]
        # A dictionary has a name once; of columns with one name, the later ones get a number, as in DuckDB's frames.
        self._batch = pa.RecordBatch.from_arrays(columns, names=described["names"])

    def __len__(self) -> int:
        """How many rows there are."""
        return self._rows

    def __reduce__(self) -> tuple[type[Rows], tuple[Path]]:
        """What a copy is made of."""
        return Rows, (self.folder,)

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(self._batch.schema.names)

    def column(self, name: str) -> pa.Array:
        """All values of a column, mapped."""
        return self._batch.column(name)

    def whole_numbers(self, name: str) -> NDArray[np.int64]:
        """A column of whole numbers, int64; NULL is the lowest one."""
        filled = self._batch.column(name).cast(pa.int64()).fill_null(np.iinfo(np.int64).min)
        values: NDArray[np.int64] = filled.to_numpy(zero_copy_only=False)
        return values

    def take(self, numbers: ArrayLike) -> list[dict[str, Any]]:
        """The rows with some numbers, as dictionaries, in this order."""
        if not self.names:
            return [{} for _ in np.asarray(numbers)]
        taken: list[dict[str, Any]] = self._batch.take(pa.array(np.asarray(numbers, np.int64))).to_pylist()
        return taken


def rows_of(
    store: Store | PathLike,
    sql: str,
    cache: PathLike | None,
    parameters: Mapping[str, Any] | None = None,
    *,
    files: Sequence[Path] = (),
    root: PathLike | None = None,
    exclude: Sequence[str] = (),
    available: bool = False,
) -> Rows:
    """The rows of a query, which are kept in a folder, in a fixed order: by all columns, unless the query orders them.

    Args:
        store: an open store, or its path.
        sql: one query.
        cache: the folder of such folders; by default ``STORE.rows``, beside the store.
        parameters: those of the query, by their names.
        files: files that the query reads beside the store.
        root: folder of the media; by default the store's.
        exclude: flags; rows that name an item with one of them are left out.
        available: leave out rows that name an item whose media file is not known to be well.

    Raises:
        emm1.errors.StoreError: the query is none, or fails; or no item has such a flag.
        emm1.errors.WriteError: the rows cannot be written.
        emm1.errors.Error: a value is of a type that cannot be kept.
    """
    if not isinstance(store, Store):
        with open_store(store, read_only=True) as opened:
            return rows_of(opened, sql, cache, parameters, files=files, root=root, exclude=exclude, available=available)
    with store.cursor() as connection:
        if root is not None:
            connection.execute(SET["emm1_root"], [os.path.abspath(root)])
        ordered = check_query(connection, sql)
        asked = sql + json.dumps(parameters) if parameters else sql
        gone = excluded(connection, exclude, available)
        asked += json.dumps(gone.identity) if gone else ""
        query = hashlib.sha256(asked.encode()).hexdigest()[:16]
        identity = json.dumps(_identity(connection, store.path.resolve(), files))
        base = Path(cache) if cache is not None else store.path.with_name(f"{store.path.name}.rows")
        folder = base / f"{query}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
        try:
            _keep(partial(kept, connection, sql, gone, parameters), folder, ordered=ordered)
        except OSError as error:
            if isinstance(error, Error):
                raise
            raise WriteError(
                f"{base} cannot hold the rows of the query ({error.strerror or error}): name another folder as cache"
            ) from error
        except duckdb.Error as error:
            raise StoreError(f"the query cannot be run: {error}") from error
    return Rows(folder)


def _identity(connection: duckdb.DuckDBPyConnection, path: Path, others: Sequence[Path]) -> list[object]:
    """What rows depend on beside the query: the store, with what is written but not yet in its file, and where media are."""
    files = [file.stat() for file in (path, log_of(path), *others) if file.exists()]
    (settings,) = connection.execute("SELECT media_root(), media_folder('audio'), version()").fetchall()
    return [str(path), *((found.st_size, found.st_mtime_ns) for found in files), *settings]


def _keep(read: Callable[[], duckdb.DuckDBPyRelation], folder: Path, *, ordered: bool) -> None:
    """Write the rows, unless they are there; of several processes one does, and the others wait."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = folder.with_name(f"{folder.name}.writing")
    while not folder.exists():
        try:
            release = locked(work)
        except BlockingIOError:
            time.sleep(WAIT)
            continue
        try:
            if not folder.exists():
                relation = read()
                # So that the numbers of the rows mean the same whenever the query is run.
                _write(relation if ordered else relation.order("ALL"), work / "rows")
                (work / "rows").replace(folder)
                _remove_outdated(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
            release()


def _write(relation: duckdb.DuckDBPyRelation, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    names = [f"{name}_{i}" if name in relation.columns[:i] else name for i, name in enumerate(relation.columns)]
    reader = batches(relation, BATCH)
    for field in reader.schema:
        try:
            kept_as(field.type)
        except Error as error:
            raise Error(f"column {field.name!r}: {error}") from None
    writers = [ColumnWriter(folder / str(i), field.type) for i, field in enumerate(reader.schema)]
    rows = 0
    for batch in reader:
        rows += batch.num_rows
        for writer, column in zip(writers, batch.columns, strict=True):
            writer.append(column)
    for writer in writers:
        writer.finish()
    (folder / "schema").write_bytes(reader.schema.serialize())
    (folder / "rows.json").write_text(json.dumps({"rows": rows, "names": names}), encoding="utf-8")


def _remove_outdated(folder: Path) -> None:
    """Remove what the same query gave when the store was another; who has it mapped keeps it."""
    query = folder.name.partition("-")[0]
    for other in folder.parent.glob(f"{query}-*"):
        if other != folder and other.suffix != ".writing":
            with suppress(OSError):
                shutil.rmtree(other)

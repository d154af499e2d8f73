"""The conversion: choose the columns, map keys to ids, stream the vectors to a temporary file, rename it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from emm1 import _native
from emm1.checks import PathLike, check_regular, is_pointer
from emm1.convert.arrays import Npy, Npz
from emm1.convert.input_file import InputFile
from emm1.convert.keys import Items, RowIds, ids_of
from emm1.convert.tables import Arrow, Folder, Lance, Parquet, Table
from emm1.convert.torch_file import TorchFile
from emm1.dataset import Split
from emm1.embeddings.file import Embeddings
from emm1.errors import EmbeddingError, FileNotFoundError
from emm1.staging import staging
from emm1.store.database import open_store
from emm1.store.store import Store

Progress = Callable[[str, int, int], object]
FORMATS: dict[str, type[InputFile]] = {
    ".parquet": Parquet,
    ".pq": Parquet,
    ".arrow": Arrow,
    ".arrows": Arrow,
    ".ipc": Arrow,
    ".feather": Arrow,
    ".lance": Lance,
    ".npy": Npy,
    ".npz": Npz,
    ".pt": TorchFile,
    ".pth": TorchFile,
}
# Types that are written as another type, which holds every value exactly, except those of float64.
WRITTEN: dict[np.dtype[Any], tuple[np.dtype[Any], str]] = {
    np.dtype(np.float64): (np.dtype("<f4"), "float64 was rounded to float32"),
    np.dtype(ml_dtypes.bfloat16): (np.dtype("<f4"), "bfloat16 was widened to float32"),
    np.dtype(np.uint8): (np.dtype("<f2"), "uint8 was widened to float16"),
}


def import_embeddings(
    source: PathLike,
    target: PathLike,
    *,
    key: str | None = None,
    vector: str | None = None,
    store: Store | PathLike | None = None,
    dataset: Split | None = None,
    modality: str | None = None,
) -> Embeddings:
    """Convert a file that cannot be searched directly to ``.npy``, with the ids of its rows next to it.

    Rows are read and written in blocks, to a temporary file that is renamed when it is complete. float64 is rounded to
    float32, bfloat16 is widened to float32 and uint8 to float16; other types are kept.

    Args:
        source: ``.parquet``, ``.arrow``, ``.feather`` (or a folder of one of these, read in the order of the names),
            ``.lance``, ``.npz``, ``.pt``, or a ``.npy`` of float64, of uint8, big-endian or in Fortran order. Nothing in a
            ``.npz`` or ``.pt`` file is ever executed.
        target: the ``.npy`` file to write; it must not exist.
        key: the column of the row ids, which are written to ``TARGET.ids.npy``; or the column of file names or youtube
            ids, which are looked up with `store`, `dataset` and `modality`. Without it, the row numbers are the ids.
        vector: the column of the vectors; by default the only one that holds vectors.
        store: an open store, or the path of one, in whose info table the keys are looked up.
        dataset: the split of the items: ``100m``, ``1m`` or ``eshot``.
        modality: the modality of the items.

    Returns:
        The new file, open.

    Raises:
        emm1.errors.FileNotFoundError: there is no such file.
        emm1.errors.EmbeddingError: the file is damaged or of a kind that cannot be converted, a column does not exist,
            a vector holds NaN or has another length, a key names several items or appears twice.

    >>> import emm1, polars as pl
    >>> folder = getfixture("tmp_path")
    >>> frame = pl.DataFrame({"item": [30, 10], "v": [[1.0, 0.0], [0.0, 1.0]]})
    >>> frame.cast({"v": pl.Array(pl.Float32, 2)}).write_parquet(folder / "image.parquet")
    >>> emm1.import_embeddings(folder / "image.parquet", folder / "image.npy", key="item").ids.tolist()
    [30, 10]
    """
    for note in convert(
        Path(source), Path(target), key=key, vector=vector, store=store, dataset=dataset, modality=modality
    ):
        warnings.warn(note, stacklevel=2)
    return Embeddings(target)


def convert(
    source: Path,
    target: Path,
    *,
    key: str | None,
    vector: str | None,
    store: Store | PathLike | None,
    dataset: Split | None,
    modality: str | None,
    progress: Progress = lambda _what, _done, _total: None,
) -> list[str]:
    """Do the work of `import_embeddings`.

    `progress` is called with what is being done, how many rows of it are done, and how many there are: 0 if that is unknown,
    because an Arrow stream without a key does not say.

    Returns:
        Notes for the user.
    """
    ids_target = _check_target(target)
    opened = open_file(source)
    column = opened.vector_column(vector)
    key = key or opened.default_key
    rows = opened.rows(column)
    with _items(store, dataset, modality, key) as items:
        row_ids = None if key is None else ids_of(opened, key, items, _of(rows, partial(progress, "reading keys")))
    rows = rows if row_ids is None else len(row_ids.known)
    with staging(target) as folder:
        vectors, ids = folder / "vectors.npy", folder / "ids.npy"
        try:
            with vectors.open("wb") as file:
                notes = _write(file, opened, column, row_ids, _of(rows, partial(progress, "converting")))
            if row_ids is not None:
                np.save(ids, row_ids.ids[row_ids.known])
                ids.rename(ids_target)
            vectors.rename(target)
        except OSError as error:
            raise EmbeddingError(f"cannot write {target}: {error.strerror or error}") from error
    return [*(row_ids.notes if row_ids else []), *notes]


def open_file(path: Path) -> InputFile:
    """Open a file by its suffix, or a folder by the suffix of the files in it.

    Raises:
        FileNotFoundError: there is no such file.
        EmbeddingError: it is of a kind that cannot be converted.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    check_regular(path)
    suffix = path.suffix.lower()
    if path.is_dir() and suffix != ".lance":
        return _open_folder(path)
    if _native.is_file(path.name) and (suffix != ".npy" or _can_be_searched(path)):
        raise EmbeddingError(f"{path} needs no import: it can be searched as it is")
    if suffix not in FORMATS:
        raise EmbeddingError(f"{path} cannot be imported: {', '.join(FORMATS)} can")
    if path.is_file() and is_pointer(path):
        raise EmbeddingError(f"{path} is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`")
    return FORMATS[suffix](path)


def _can_be_searched(path: Path) -> bool:
    try:
        Embeddings(path, codes=False)
    except EmbeddingError:
        return False
    return True


def _open_folder(path: Path) -> InputFile:
    files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    for format_of_all in (Parquet, Arrow):
        tables = [open_file(file) for file in files if FORMATS.get(file.suffix.lower()) is format_of_all]
        if tables:
            return Folder(path, [table for table in tables if isinstance(table, Table)])
    raise EmbeddingError(f"{path} is a folder without Parquet or Arrow files")


def _check_target(target: Path) -> Path:
    """Refuse a target before any work is done; returns the path of its ids."""
    if target.suffix != ".npy" or target.name.endswith(".ids.npy"):
        raise EmbeddingError(f"{target} must end with .npy (and not with .ids.npy, which is where the ids go)")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {target}: the folder {target.parent} does not exist")
    ids = target.with_suffix(".ids.npy")
    for path in (target, ids):
        if os.path.lexists(path):
            raise EmbeddingError(f"{path} exists: remove it first, or name another file")
    return ids


@contextmanager
def _items(
    store: Store | PathLike | None, dataset: Split | None, modality: str | None, key: str | None
) -> Iterator[Items | None]:
    """The items that keys may name; None if no store was given."""
    if store is None and dataset is None and modality is None:
        yield None
        return
    if store is None or dataset is None or modality is None or key is None:
        raise EmbeddingError(
            "looking up keys takes a key, a store, a dataset and a modality: name all four, or only a key"
        )
    if isinstance(store, Store):
        with store.cursor() as connection:
            yield Items(connection, dataset, modality)
    else:
        with open_store(Path(store), read_only=True) as connection:
            yield Items(connection, dataset, modality)


def _of(total: int | None, progress: Callable[[int, int], object]) -> Callable[[int], object]:
    """Report progress as rows of a total; that is 0 if it is unknown."""
    return lambda done: progress(done if total is None else min(done, total), total or 0)


def _write(
    file: IO[bytes], opened: InputFile, column: str, row_ids: RowIds | None, progress: Callable[[int], object]
) -> list[str]:
    """Stream the vectors; the header is overwritten once the number of rows is known."""
    row = written = 0
    notes: list[str] = []
    header: dict[str, Any] = {}
    for block in opened.blocks(column):
        native = block.dtype.newbyteorder("=")
        dtype, note = WRITTEN.get(native, (native.newbyteorder("<"), ""))
        if not block.shape[1]:
            raise EmbeddingError(f"{opened.path}: the vectors of {column!r} have no components")
        if not header:
            header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (0, block.shape[1])}
            npy.write_array_header_1_0(file, header)
            notes = [note] if note else []
        rows = _rounded(opened, column, block, dtype, row)
        if row_ids is not None:
            rows = rows[row_ids.known[row : row + len(rows)]]
        file.write(np.ascontiguousarray(rows).data)
        row, written = row + len(block), written + len(rows)
        progress(row)
    if not written:
        raise EmbeddingError(f"{opened.path}: column {column!r} has no vectors")
    if row_ids is not None and row != len(row_ids.known):
        raise EmbeddingError(f"{opened.path}: {len(row_ids.known):,} keys for the {row:,} rows of {column!r}")
    file.seek(0)
    npy.write_array_header_1_0(file, {**header, "shape": (written, header["shape"][1])})
    return notes


def _rounded(opened: InputFile, column: str, block: NDArray[Any], dtype: np.dtype[Any], first: int) -> NDArray[Any]:
    """A block in the type in which it is written; all values must be finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        rows = block.astype(dtype, copy=False)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        at = int(np.argmin(finite))
        what = "a component too large for float32" if np.isfinite(block[at]).all() else "NaN or an infinity"
        raise EmbeddingError(f"{opened.path}: row {first + at} of {column!r} holds {what}: remove or fix it")
    return rows

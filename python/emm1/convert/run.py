"""The conversion: choose the columns, map keys to ids, stream the vectors to an unfinished file, rename it."""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from emm1.checks import PathLike
from emm1.convert.formats import open_files
from emm1.convert.input_file import InputFile
from emm1.convert.keys import Items, RowIds, ids_of
from emm1.convert.write import RECORD, VectorWriter, Written, facts_of, notes_of
from emm1.dataset import Split
from emm1.embeddings.file import Embeddings
from emm1.errors import EmbeddingError, FileNotFoundError, WriteError
from emm1.npy import write_npy
from emm1.parts import parts_of
from emm1.store.database import open_store
from emm1.store.store import Store

Progress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Imported:
    """What an import has done.

    Attributes:
        notes: what the user should know.
        facts: what was found: kinds of keys, coverage, norms, conversions that lose nothing.
    """

    notes: list[str]
    facts: list[str]


def import_embeddings(
    source: PathLike | Sequence[PathLike],
    target: PathLike,
    *,
    key: str | None = None,
    vector: str | None = None,
    store: Store | PathLike | None = None,
    dataset: Split | None = None,
    modality: str | None = None,
    normalize: bool = False,
) -> Embeddings:
    """Convert files that cannot be searched directly to one ``.npy``, with the ids of its rows next to it.

    Rows are read and written in blocks, to an unfinished file that is renamed when it is complete. An import of gigabytes
    that was interrupted goes on where it was when it is started again, and gives the same file. float64 is rounded to
    float32, bfloat16 is widened to float32 and uint8 to float16; other types are kept, big-endian ones become little-endian.

    Args:
        source: ``.parquet``, ``.arrow``, ``.feather`` (or a folder of one of these, read in the order of the names),
            ``.lance``, ``.npz``, ``.pt``, or a ``.npy`` of float64, of uint8, big-endian or in Fortran order. Nothing in a
            ``.npz`` or ``.pt`` file is ever executed. A list of files is read in its order as one; then, and to normalize,
            also files that can be searched as they are.
        target: the ``.npy`` file to write; it must not exist.
        key: the column of the row ids, which are written to ``TARGET.ids.npy``; or a column of text that names items, which
            are looked up with `store`, `dataset` and `modality`: ids, file names, stems or paths of files, file_ids, YouTube
            ids, or YouTube ids with their start (``ID_120``). The way in which most keys name items is taken. Two columns,
            ``youtube_id,start_time``, are such a key too. Without a key, the row numbers are the ids.
        vector: the column of the vectors; by default the only one that holds vectors, or else the columns with numbered
            names (``ebind_0000``, ``ebind_0001``, … are called ``ebind``), in the order of the numbers. A field of a struct
            is called ``struct.field``.
        store: an open store, or the path of one, in whose info table the keys are looked up. Rows of other items are left
            out; items without a vector are normal.
        dataset: the split of the items: ``100m``, ``1m`` or ``eshot``.
        modality: the modality of the items.
        normalize: whether each vector is divided by its norm, in float64; zero vectors stay.

    Returns:
        The new file, open.

    Raises:
        emm1.errors.FileNotFoundError: there is no such file.
        emm1.errors.EmbeddingError: a file is damaged or of a kind that cannot be converted, a column does not exist,
            a vector holds NaN or has another length, a key names several items or appears twice.
        emm1.errors.WriteError: the target cannot be written.

    >>> import emm1, polars as pl
    >>> folder = getfixture("tmp_path")
    >>> frame = pl.DataFrame({"item": [30, 10], "v": [[1.0, 0.0], [0.0, 1.0]]})
    >>> frame.cast({"v": pl.Array(pl.Float32, 2)}).write_parquet(folder / "image.parquet")
    >>> emm1.import_embeddings(folder / "image.parquet", folder / "image.npy", key="item").ids.tolist()
    [30, 10]
    >>> wide = pl.DataFrame({"item": [7], "e_1": [4.0], "e_0": [3.0]}).cast({"e_0": pl.Float32, "e_1": pl.Float32})
    >>> wide.write_parquet(folder / "wide.parquet")
    >>> emm1.import_embeddings(folder / "wide.parquet", folder / "unit.npy", key="item", normalize=True)[0].tolist()
    [0.6000000238418579, 0.800000011920929]
    """
    done = convert(
        source,
        target,
        key=key,
        vector=vector,
        store=store,
        dataset=dataset,
        modality=modality,
        normalize=normalize,
    )
    for note in done.notes:
        warnings.warn(note, stacklevel=2)
    return Embeddings(target)


def convert(
    source: PathLike | Sequence[PathLike],
    target: PathLike,
    *,
    key: str | None,
    vector: str | None,
    store: Store | PathLike | None,
    dataset: Split | None,
    modality: str | None,
    normalize: bool = False,
    progress: Progress = lambda _what, _done, _total: None,
) -> Imported:
    """Do the work of `import_embeddings`.

    `progress` is called with what is being done, how many rows of it are done, and how many there are: 0 if that is unknown,
    because an Arrow stream without a key does not say.
    """
    sources = [Path(source)] if isinstance(source, str | os.PathLike) else [Path(path) for path in source]
    target = Path(target)
    ids_target = check_target(target)
    opened = open_files(sources, searchable=normalize)
    column = opened.vector_column(vector)
    key = key or opened.default_key
    rows = opened.rows(column)
    with _items(store, dataset, modality, key) as items:
        row_ids = None if key is None else ids_of(opened, key, items, _of(rows, partial(progress, "reading keys")))
    rows = rows if row_ids is None else len(row_ids.known)
    writer = VectorWriter(opened, column, None if row_ids is None else row_ids.known, normalize=normalize)
    with parts_of(target, _run(opened, column, row_ids, normalize=normalize)) as folder, _kept_if_recorded(folder):
        vectors = writer.write(folder, _of(rows, partial(progress, "converting")))
        if row_ids is not None:
            write_npy(folder / "ids.npy", row_ids.ids[row_ids.known])
            (folder / "ids.npy").rename(ids_target)
        vectors.rename(target)
    return _found(opened, writer.done, row_ids, normalize=normalize)


def _run(opened: InputFile, column: str, row_ids: RowIds | None, *, normalize: bool) -> dict[str, object]:
    """What the written bytes depend on: an interrupted run is only continued by the same."""
    files = [inner for path in opened.files() for inner in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    stats = [(str(path.absolute()), stat.st_size, stat.st_mtime_ns) for path in files for stat in [path.stat()]]
    digest = hashlib.sha256()
    if row_ids is not None:
        digest.update(row_ids.ids.tobytes())
        digest.update(row_ids.known.tobytes())
    return {
        "files": [list(stat) for stat in stats],
        "vectors": column,
        "ids": row_ids and digest.hexdigest(),
        "normalize": normalize,
    }


@contextmanager
def _kept_if_recorded(folder: Path) -> Iterator[None]:
    """Leave the folder of an interrupted run where another can go on from it, and nothing of a wrong source."""
    try:
        yield
    except BaseException as error:
        wrong_source = isinstance(error, EmbeddingError) and not isinstance(error, WriteError)
        if wrong_source or not (folder / RECORD).exists():
            shutil.rmtree(folder)
        raise


def _found(opened: InputFile, done: Written, row_ids: RowIds | None, *, normalize: bool) -> Imported:
    notes = notes_of(opened, done, normalize=normalize)
    facts = facts_of(opened, done, normalize=normalize)
    return Imported(notes, facts) if row_ids is None else Imported([*row_ids.notes, *notes], [*row_ids.facts, *facts])


def check_target(target: Path) -> Path:
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

"""What an embedding file is found to be when it is registered: whose vectors its rows are, and how long they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from emm1.arguments import thread_count
from emm1.embeddings.file import Embeddings
from emm1.errors import EmbeddingError, WriteError
from emm1.store.ids_files import in_info_order
from emm1.store.registered import Registered, item_ids

Progress = Callable[[int, int], object]
IdSource = Literal["given", "beside", "row numbers", "info order"]
# Norms that differ from 1 by more than this are not those of unit vectors, whatever type they were rounded to.
FAR_FROM_1 = 0.01


@dataclass(frozen=True)
class Registration:
    """What `Registry.add` found out about an embedding file.

    Attributes:
        rows: how many vectors the file holds.
        dims: how many components each has.
        dtype: their type.
        items_of: the kind of items that the rows are, for example ``image items of 100m``.
        id_source: where the ids come from: ``given``, from the file ``beside`` the vectors, ``row numbers``, or the
            ``info order`` (for EShot: the order of the info CSV).
        ids_path: the file of ids; None where the row numbers are the ids.
        covered: how many items of the store have a vector, which is also how many rows are items of the store: no id
            occurs twice.
        items: how many such items the store has.
        norms: the smallest, the median and the largest norm of the rows that are not zero; None if all are.
        zero_rows: how many rows are zero vectors.
        notes: what the user should know.
    """

    rows: int
    dims: int
    dtype: str
    items_of: str
    id_source: IdSource
    ids_path: Path | None
    covered: int
    items: int
    norms: tuple[float, float, float] | None = None
    zero_rows: int = 0
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """For people."""
        return "; ".join(self.facts)

    @property
    def facts(self) -> tuple[str, str, str]:
        """The shape, the source of the ids and the coverage, in words."""
        coverage = f"{self.covered:,} of {self.items:,} {self.items_of} have a vector"
        return (
            f"{self.rows:,} × {self.dims:,} {self.dtype}",
            self._ids(),
            coverage if self.items else f"the store has no {self.items_of}",
        )

    def _ids(self) -> str:
        place = self.ids_path
        file = place and (f"{place.name}/*.ids.npy" if place.is_dir() else place.name)
        match self.id_source:
            case "given":
                return f"ids as given, in {file}"
            case "beside":
                return f"ids from {file}"
            case "row numbers":
                return "the row numbers are the ids"
        return "ids in the order of the info CSV"


def identify(
    connection: duckdb.DuckDBPyConnection, folder: Path, entry: Registered, embeddings: Embeddings
) -> Registration:
    """Find out which items of the store the rows are.

    Args:
        connection: a connection to the store.
        folder: the folder of the store, for the file of the ids of EShot's items.
        entry: what is to be registered.
        embeddings: its file, open.

    Raises:
        EmbeddingError: the file has no ids, and its row numbers are not those of items.
    """
    items = item_ids(connection, entry.dataset, entry.modality)
    source: IdSource = "row numbers" if embeddings.ids_path is None else "given" if entry.ids_path else "beside"
    found = Registration(
        rows=len(embeddings),
        dims=embeddings.dim,
        dtype=str(embeddings.dtype),
        items_of=f"{entry.modality} items of {entry.dataset}",
        id_source=source,
        ids_path=embeddings.ids_path,
        covered=0,
        items=len(items),
    )
    if source == "row numbers" and entry.dataset == "eshot":
        return _in_info_order(found, folder, entry, items)
    return _by_ids(found, entry, embeddings.ids, items)


def _in_info_order(found: Registration, folder: Path, entry: Registered, items: NDArray[np.int64]) -> Registration:
    """Row i is the i-th row of the info CSV, as in the published script."""
    if found.items != found.rows:
        raise EmbeddingError(
            f"{entry.path} has {found.rows:,} rows and no ids, but {entry.table} has {found.items:,}: "
            "give one vector for each row of the info CSV, in its order, or name the file of ids"
        )
    found = replace(found, id_source="info order", covered=found.rows)
    if np.array_equal(items, np.arange(len(items))):
        return found
    place = in_info_order(entry, items, folder)
    return replace(found, ids_path=place, notes=(f"wrote the ids of its rows to {place}",))


def _by_ids(found: Registration, entry: Registered, ids: NDArray[np.int64], items: NDArray[np.int64]) -> Registration:
    """Every row is the item that has its id."""
    if not found.items:
        return replace(found, notes=(f"{entry.table} is empty in this store, so the ids were not checked",))
    known = np.isin(ids, items)
    found = replace(found, covered=int(np.count_nonzero(known)))
    missing = found.rows - found.covered
    if not missing:
        return found if found.id_source != "row numbers" else replace(found, notes=_of_row_numbers(found))
    first = int(np.argmin(known))
    if found.id_source == "row numbers":
        raise EmbeddingError(
            f"{entry.path} has no ids, so row {first} would be the item {first}, which {entry.table} does not have "
            f"({missing:,} such rows): name the file of ids"
        )
    if found.covered:
        note = f"{missing:,} of its {found.rows:,} ids are not in {entry.table} (the first is {ids[first]})"
    else:
        note = f"none of its ids is in {entry.table} (the first is {ids[0]}): are they of another split or modality?"
    return replace(found, notes=(note,))


def _of_row_numbers(found: Registration) -> tuple[str, ...]:
    """A file with a row for only some items is more likely to lack its ids than to hold the first ids in order."""
    if found.rows == found.items:
        return ()
    note = (
        f"it has {found.rows:,} rows and no ids, but there are {found.items:,} {found.items_of}: row 0 is taken as the item "
        "with id 0, row 1 as that with id 1, and so on. If that is wrong, name the file of ids"
    )
    return (note,)


def build_codes(found: Registration, embeddings: Embeddings, entry: Registered, progress: Progress) -> Registration:
    """Build the codes of a file that has none; a note says so if the place beside the file cannot be written."""
    if embeddings.codes_path is not None or entry.codes is False:
        return found
    slower = "no codes were made, so searches will be slower"
    if embeddings.why_no_codes and not entry.codes:
        return replace(found, notes=(*found.notes, f"{slower}: {embeddings.why_no_codes}"))
    try:
        embeddings.build_codes(entry.codes or None, progress=lambda rows: progress(rows, found.rows))
    except WriteError as error:
        if entry.codes:
            raise
        return replace(found, notes=(*found.notes, f"{slower}: {error} (name another place for codes)"))
    return found


def measure(found: Registration, embeddings: Embeddings, entry: Registered, progress: Progress) -> Registration:
    """Find out how long the vectors are; without codes, which hold their norms, every row is read for that.

    Raises:
        EmbeddingError: a row holds NaN or an infinity.
    """
    coded = embeddings.codes_path is not None
    norms = norms_of(embeddings, lambda rows: None if coded else progress(rows, found.rows))
    zero = norms == 0
    found = replace(found, zero_rows=int(np.count_nonzero(zero)))
    notes = list(found.notes)
    if found.zero_rows:
        first = int(np.argmax(zero))
        notes.append(
            f"zero vectors: {found.zero_rows:,} of {found.rows:,} rows (the first is row {first}, id "
            f"{embeddings.ids[first]}); their cosine and dot product with everything are 0"
        )
        norms = norms[~zero]
    if len(norms):
        smallest, median, largest = (float(statistic(norms)) for statistic in (np.min, np.median, np.max))
        found = replace(found, norms=(smallest, median, largest))
        if entry.metric == "dot" and max(1 - smallest, largest - 1) > FAR_FROM_1:
            if largest - smallest > FAR_FROM_1 * median:
                lengths, effect = (
                    f"from {smallest:.4g} to {largest:.4g} (median {median:.4g})",
                    "longer vectors score higher",
                )
            else:
                lengths, effect = f"{median:.4g}", "scores are multiples of cosines"
            notes.append(f"the norms of its vectors are {lengths}, not 1, and the metric is dot: {effect}")
    return replace(found, notes=tuple(notes))


def norms_of(embeddings: Embeddings, progress: Callable[[int], object]) -> NDArray[np.float32]:
    """The norm of every row, float32, (rows,); without codes every row is read.

    Raises:
        EmbeddingError: a row that is read holds NaN or an infinity.
    """
    return embeddings._file.norms(thread_count(None), progress)  # noqa: SLF001

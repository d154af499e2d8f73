"""The items of rows: what is asked of each modality, and the columns that it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet

from emm1.arguments import at_least_one
from emm1.checks import PathLike, shown
from emm1.dataset import MODALITIES, Split
from emm1.errors import Error, FileNotFoundError, StoreError
from emm1.store.store import Store
from emm1.torch.items.by_id import ById, sql
from emm1.torch.items.missing import Missing
from emm1.torch.items.vectors import Vectors
from emm1.torch.rows import rows_of

Transform = Mapping[str, Callable[[str], Any]]
# The columns of a file of negatives that are read.
NEGATIVES = ("query_id", "negative_id", "rank")


@dataclass(frozen=True)
class Asked:
    """What a caller wants to know of items beside their ids.

    Attributes:
        paths: the paths of their files.
        root: folder of the media, which asks for paths; None for the store's.
        transform: by modality, what makes the value of an item of its path, or of its caption.
        embeddings: by modality, names in the store.
        negatives: by modality, Parquet files of hard negatives.
        num_negatives: how many of them at most; None for all.
    """

    paths: bool = False
    root: PathLike | None = None
    transform: Transform = field(default_factory=dict)
    embeddings: Mapping[str, str] = field(default_factory=dict)
    negatives: Mapping[str, PathLike] = field(default_factory=dict)
    num_negatives: int | None = None


class Items:
    """The items of a dataset: a column of ids becomes columns of what was asked.

    Args:
        store: an open store.
        dataset: whose items they are.
        modalities: of the files that the rows name; captions are always there.
        asked: what is wanted.
        cache: as in `rows_of`.
    """

    def __init__(
        self, store: Store, dataset: Split, modalities: list[str], asked: Asked, cache: PathLike | None
    ) -> None:
        for name, given in (
            ("transform", asked.transform),
            ("embeddings", asked.embeddings),
            ("negatives", asked.negatives),
        ):
            _check_modalities(given, modalities, name)
        self.modalities, self._transform = modalities, dict(asked.transform)
        self._paths_shown = asked.paths or asked.root is not None
        self._captions = ById(rows_of(store, sql("captions"), cache, {"dataset": dataset}))
        files = [each for each in modalities if self._paths_shown or each in asked.transform]
        self._paths = {
            each: ById(rows_of(store, sql("paths"), cache, {"dataset": dataset, "modality": each}, root=asked.root))
            for each in files
        }
        self._vectors = {each: _vectors(store, dataset, each, name) for each, name in asked.embeddings.items()}
        most = None if asked.num_negatives is None else at_least_one(asked.num_negatives, "num_negatives")
        self._negatives = {
            each: ById(rows_of(store, sql("negatives"), cache, {"file": str(file), "most": most}, files=[file]))
            for each, file in ((each, _negatives(given)) for each, given in asked.negatives.items())
        }

    def columns(self, role: str, modality: str, ids: pa.Array) -> dict[str, list[Any]]:
        """The columns of some items of one modality; `role` is what their names begin with."""
        given: dict[str, list[Any]] = {}
        source = None
        if modality == "text":
            given["caption"] = source = self._captions(ids)
        elif modality in self._paths:
            source = self._paths[modality](ids)
            if self._paths_shown:
                given[path_column(role)] = source
        if modality in self._transform and source is not None:
            given[role] = [self._made(modality, each) for each in source]
        if modality in self._vectors:
            given[f"{role}_embedding"] = self._vectors[modality](ids)
        if modality in self._negatives:
            given[f"{role}_negatives"] = [each or [] for each in self._negatives[modality](ids)]
        return given

    def _made(self, modality: str, source: str | None) -> Any:
        """What the caller makes of a path or a caption."""
        if source is None:
            return Missing(f"no {'caption' if modality == 'text' else 'file'} is named")
        try:
            return self._transform[modality](source)
        except OSError as error:
            return Missing(str(error) or f"{source} cannot be read")


def path_column(role: str) -> str:
    """The published name of the column of paths of a role.

    >>> path_column("image"), path_column("paired")
    ('image_file_path', 'paired_modality_file_path')
    """
    return f"{role}_modality_file_path" if role in {"paired", "annotated"} else f"{role}_file_path"


def _check_modalities(given: Any, modalities: list[str], name: str) -> None:
    if not isinstance(given, Mapping):
        raise Error(f"{name} must be a mapping from a modality, such as {{'image': …}}, not {shown(given)}")
    known = [each for each in MODALITIES if each == "text" or each in modalities]
    for each in given:
        if each not in known:
            raise Error(f"{name} names {shown(each)}, which the rows do not have: {', '.join(known)}")


def _vectors(store: Store, dataset: Split, modality: str, name: str) -> Vectors:
    entry = store.registry[name]
    if (entry.dataset, entry.modality) != (dataset, modality):
        raise StoreError(f"{name} has vectors of {entry.dataset} {entry.modality}, not of {dataset} {modality}")
    return Vectors(entry.open(), name)


def _negatives(given: PathLike) -> Path:
    """A file of negatives, after a look at its columns."""
    file = Path(given).absolute()
    if not file.exists():
        raise FileNotFoundError(f"{file} does not exist")
    try:
        columns = pyarrow.parquet.read_schema(file).names
    except (OSError, pa.ArrowException) as error:
        raise Error(f"{file} is not a Parquet file of negatives: {error}") from error
    if absent := [name for name in NEGATIVES if name not in columns]:
        raise Error(f"{file} has no column {absent[0]}: negatives have {', '.join(NEGATIVES)}")
    return file


def check_part(connection: duckdb.DuckDBPyConnection, dataset: Split, part: str | None) -> None:
    """Refuse a part of the split that there is not.

    Raises:
        StoreError: names those that there are.
    """
    parts = [row[0] for row in connection.execute(sql("parts"), {"dataset": dataset}).fetchall()]
    if part is not None and part not in parts:
        there = f"{', '.join(parts)} are there" if parts else f"{dataset} is not split: make a split first"
        raise StoreError(f"no item of {dataset} is in the part {shown(part)}: {there}")

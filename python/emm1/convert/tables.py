"""Parquet, Arrow IPC (Feather) and Lance: columns are read in batches."""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import dataset

from emm1.convert.input_file import BLOCK, InputFile, reading
from emm1.errors import EmbeddingError

COMPONENTS = (pa.float16(), pa.float32(), pa.float64(), pa.int8(), pa.uint8())
ARROW_MAGIC = b"ARROW1"  # the first bytes of a file; a stream has no magic


class Table(InputFile):
    """A table of Arrow columns."""

    @abstractmethod
    def schema(self) -> pa.Schema:
        """The columns and their types."""

    @abstractmethod
    def count(self) -> int | None:
        """The number of rows; None if only reading them tells."""

    @abstractmethod
    def batches(self, column: str) -> Iterator[pa.RecordBatch]:
        """The batches of one column, in order."""

    def columns(self) -> dict[str, str]:
        """The type of every column, by name."""
        return {name: str(kind) for name, kind in self.fields().items()}

    def vector_columns(self) -> list[str]:
        """The columns that are lists of numbers."""
        return [name for name, kind in self.fields().items() if _component(kind) in COMPONENTS]

    def fields(self) -> dict[str, pa.DataType]:
        """The type of each column by name.

        Raises:
            EmbeddingError: two columns have the same name, or the file is damaged.
        """
        with reading(self.path):
            fields = [(field.name, field.type) for field in self.schema()]
        by_name = dict(fields)
        if len(by_name) < len(fields):
            raise EmbeddingError(f"{self.path} has several columns of the same name: {', '.join(n for n, _ in fields)}")
        return by_name

    def rows(self, _column: str) -> int | None:
        """The number of rows; None if only reading them tells."""
        with reading(self.path):
            return self.count()

    def blocks(self, column: str) -> Iterator[NDArray[Any]]:
        """The vectors of a column; all must have the same length."""
        dims, row = None, 0
        for array in self._arrays(column):
            for begin in range(0, len(array), BLOCK):
                lists = array.slice(begin, BLOCK)
                block = self._matrix(column, lists, row, dims)
                dims = block.shape[1]
                yield block
                row += len(block)

    def _matrix(self, column: str, lists: pa.Array, first: int, dims: int | None) -> NDArray[Any]:
        self._refuse_nulls(column, lists, first)
        lengths = pc.list_value_length(lists)
        expected = lengths[0].as_py() if dims is None else dims
        odd = pc.index(pc.not_equal(lengths, expected), value=True).as_py()
        if odd >= 0:
            raise EmbeddingError(
                f"{self.path}: row {first + odd} of {column!r} has {lengths[odd]} components, "
                f"the rows before it {expected}"
            )
        values = lists.flatten()
        if values.null_count:
            row = pc.index(values.is_null(), value=True).as_py() // max(expected, 1)
            raise EmbeddingError(f"{self.path}: row {first + row} of {column!r} has a component that is null")
        matrix: NDArray[Any] = values.to_numpy(zero_copy_only=False).reshape(len(lists), expected)
        return matrix

    def keys(self, column: str) -> Iterator[pa.Array]:
        """The keys of the rows, as int64 or large_string."""
        row = 0
        for array in self._arrays(column):
            kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
            if pa.types.is_integer(kind):
                keys = array.cast(kind).cast(pa.int64())
            elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
                keys = array.cast(pa.large_string())
            else:
                raise self.wrong_key(column)
            self._refuse_nulls(column, keys, row)
            yield keys
            row += len(keys)

    def _arrays(self, column: str) -> Iterator[pa.Array]:
        with reading(self.path):
            for batch in self.batches(column):
                array = batch.column(column)
                array.validate(full=True)  # otherwise Arrow trusts the file's offsets, wherever they point
                yield array.storage if isinstance(array, pa.ExtensionArray) else array

    def _refuse_nulls(self, column: str, array: pa.Array, first: int) -> None:
        if array.null_count:
            row = first + pc.index(array.is_null(), value=True).as_py()
            raise EmbeddingError(f"{self.path}: row {row} of {column!r} is null")


class Parquet(Table):
    """A Parquet file."""

    def schema(self) -> pa.Schema:
        """The columns and their types."""
        return pq.read_schema(self.path)

    def count(self) -> int:
        """The number of rows."""
        rows: int = pq.read_metadata(self.path).num_rows
        return rows

    def batches(self, column: str) -> Iterator[pa.RecordBatch]:
        """The batches of the column, read by pages: a row group may be larger than memory."""
        with pq.ParquetFile(self.path, buffer_size=1 << 20, pre_buffer=False) as file:
            yield from file.iter_batches(BLOCK, columns=[column])


class Arrow(Table):
    """An Arrow IPC file (Feather) or stream, memory-mapped."""

    def schema(self) -> pa.Schema:
        """The columns and their types."""
        with pa.memory_map(str(self.path)) as file:
            return (pa.ipc.open_file if self._is_file() else pa.ipc.open_stream)(file).schema

    def count(self) -> int | None:
        """The number of rows of a file; a stream does not say."""
        return dataset.dataset(str(self.path), format="ipc").count_rows() if self._is_file() else None

    def batches(self, column: str) -> Iterator[pa.RecordBatch]:
        """The batches of the column, as they were written."""
        options = pa.ipc.IpcReadOptions(included_fields=[self.schema().get_field_index(column)])
        with pa.memory_map(str(self.path)) as file:
            if self._is_file():
                reader = pa.ipc.open_file(file, options=options)
                yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
            else:
                yield from pa.ipc.open_stream(file, options=options)

    def _is_file(self) -> bool:
        with self.path.open("rb") as file:
            return file.read(len(ARROW_MAGIC)) == ARROW_MAGIC


class Lance(Table):
    """A Lance dataset; its package is an extra."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            lance = importlib.import_module("lance")
        except ImportError as error:
            raise EmbeddingError(
                f"{path} is a Lance dataset, which needs the package pylance: pip install 'emm1[lance]'"
            ) from error
        with reading(path):
            self._dataset = lance.dataset(str(path))

    def schema(self) -> pa.Schema:
        """The columns and their types."""
        return self._dataset.schema

    def count(self) -> int:
        """The number of rows of the newest version."""
        rows: int = self._dataset.count_rows()
        return rows

    def batches(self, column: str) -> Iterator[pa.RecordBatch]:
        """The rows of the newest version, in order; read in pieces, because a scan reads ahead without limit."""
        for begin in range(0, self.count(), BLOCK):
            yield from self._dataset.to_batches(columns=[column], limit=BLOCK, offset=begin, scan_in_order=True)


class Folder(Table):
    """A folder of Parquet or Arrow files, read in the order of their names as one table."""

    def __init__(self, path: Path, files: list[Table]) -> None:
        super().__init__(path)
        self._files = files

    def schema(self) -> pa.Schema:
        """The columns of the first file, which all files must have."""
        return self._files[0].schema()

    def count(self) -> int | None:
        """The number of rows of all files; None if one of them does not say."""
        counts = [file.rows("") for file in self._files]
        return None if None in counts else sum(filter(None, counts))

    def batches(self, column: str) -> Iterator[pa.RecordBatch]:
        """The batches of all files, in order."""
        expected = self.fields()[column]
        for file in self._files:
            file.check_column(column)
            kind = file.fields()[column]
            if kind != expected:
                raise EmbeddingError(
                    f"{file.path}: column {column!r} is {kind}, but {expected} in {self._files[0].path}"
                )
            yield from file.batches(column)


def _component(kind: pa.DataType) -> pa.DataType | None:
    """The component type of a list type; None for other types."""
    storage = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return storage.value_type if any(is_list(storage) for is_list in lists) else None

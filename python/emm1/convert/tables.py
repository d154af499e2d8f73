"""Parquet, Arrow IPC (Feather) and Lance: columns are read in batches, fields of structs as columns of their own."""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import dataset

from emm1.convert.input_file import BLOCK, InputFile, after, key_numbers, reading
from emm1.convert.wide import COMPONENTS, Wide, component, leaf, leaves, wide_vectors
from emm1.errors import EmbeddingError

ARROW_MAGIC = b"ARROW1"  # the first bytes of a file; a stream has no magic
BUFFERS = 1 << 26  # bytes of a Parquet file's column chunks that are buffered, of all columns together


class Table(InputFile):
    """A table of Arrow columns.

    Vectors are a column of lists, or *wide*: a column for each component, such as ``ebind_0000`` to ``ebind_1023``. The
    fields of a struct are columns whose names begin with that of the struct and a dot.
    """

    @abstractmethod
    def schema(self) -> pa.Schema:
        """The columns and their types."""

    @abstractmethod
    def count(self) -> int | None:
        """The number of rows; None if only reading them tells."""

    @abstractmethod
    def batches(self, columns: Sequence[str], begin: int) -> Iterator[pa.RecordBatch]:
        """The batches of some columns (fields of structs: at least these), in order, from a row on."""

    def columns(self) -> dict[str, str]:
        """The type of every column by name; wide vectors by the beginning of their columns' names."""
        wide = {name: column.described() for name, column in self.wide.items()}
        inside = {name for column in self.wide.values() for name in column.names}
        return {name: str(kind) for name, kind in self.fields.items() if name not in inside} | wide

    def check_column(self, name: str) -> None:
        """Refuse a column that does not exist."""
        if name not in self.fields:
            super().check_column(name)

    def vector_columns(self) -> list[str]:
        """The columns that are lists of numbers; if there are none, the wide vectors."""
        return [name for name, kind in self.fields.items() if component(kind) in COMPONENTS] or list(self.wide)

    def vector_column(self, wanted: str | None) -> str:
        """The column of vectors; wide ones are also named without the separator at the end (``ebind``), or by their struct."""
        if wanted is not None and wanted not in self.fields:
            called = [name for name, column in self.wide.items() if column.is_called(wanted)]
            inside = [name for name in self.wide if name.startswith(f"{wanted}.")]
            if called or len(inside) == 1:
                return (called or inside)[0]
        return super().vector_column(wanted)

    @cached_property
    def fields(self) -> dict[str, pa.DataType]:
        """The type of each column by name.

        Raises:
            EmbeddingError: two columns have the same name, or the file is damaged.
        """
        with reading(self.path):
            fields = list(leaves(self.schema()))
        by_name = dict(fields)
        if len(by_name) < len(fields):
            raise EmbeddingError(f"{self.path} has several columns of the same name: {', '.join(n for n, _ in fields)}")
        return by_name

    @cached_property
    def wide(self) -> dict[str, Wide]:
        """The vectors that have a column for each component."""
        return wide_vectors(self.fields)

    def rows(self, _column: str) -> int | None:
        """The number of rows; None if only reading them tells."""
        with reading(self.path):
            return self.count()

    def blocks(self, column: str, begin: int = 0) -> Iterator[NDArray[Any]]:
        """The vectors of a column; all must have the same length."""
        if column in self.wide:
            yield from self._wide_blocks(self.wide[column], begin)
            return
        dims, row = None, begin
        for (array,) in self._arrays([column], begin):
            for first in range(0, len(array), BLOCK):
                lists = array.slice(first, BLOCK)
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

    def _wide_blocks(self, wide: Wide, begin: int) -> Iterator[NDArray[Any]]:
        """Wide vectors, their components in the order of the numbers, whatever the order of the columns."""
        names, dtype = wide.components(self.path)
        row = begin
        for arrays in self._arrays(names, begin):
            for first in range(0, len(arrays[0]), BLOCK):
                block = np.empty((min(BLOCK, len(arrays[0]) - first), len(names)), dtype)
                for number, (name, array) in enumerate(zip(names, arrays, strict=True)):
                    components = array.slice(first, BLOCK)
                    self._refuse_nulls(name, components, row)
                    block[:, number] = components.to_numpy(zero_copy_only=False)
                yield block
                row += len(block)

    def keys(self, column: str) -> Iterator[pa.Array]:
        """The keys of the rows, as int64 or large_string."""
        row = 0
        for (array,) in self._arrays([column]):
            kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
            self._refuse_nulls(column, array, row)
            if pa.types.is_integer(kind) or pa.types.is_floating(kind):
                numbers = array.cast(kind).to_numpy(zero_copy_only=False)
                keys = key_numbers(self.path, column, numbers, row)
            elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
                keys = array.cast(pa.large_string())
                self._refuse_nulls(column, keys, row)  # a dictionary may hold them too
            else:
                raise self.wrong_key(column)
            yield keys
            row += len(keys)

    def _arrays(self, columns: Sequence[str], begin: int = 0) -> Iterator[list[pa.Array]]:
        with reading(self.path):
            for batch in self.batches(columns, begin):
                found = []
                for column in columns:
                    array = leaf(batch, column)
                    array.validate(full=True)  # otherwise Arrow trusts the file's offsets, wherever they point
                    found.append(array.storage if isinstance(array, pa.ExtensionArray) else array)
                yield found

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

    def batches(self, columns: Sequence[str], begin: int) -> Iterator[pa.RecordBatch]:
        """The batches of the columns, read by pages: a row group may be larger than memory."""
        buffer = min(max(BUFFERS // len(columns), 1 << 13), 1 << 20)
        with pq.ParquetFile(self.path, buffer_size=buffer, pre_buffer=False) as file:
            groups = list(range(file.num_row_groups))
            while groups and begin >= file.metadata.row_group(groups[0]).num_rows:
                begin -= file.metadata.row_group(groups.pop(0)).num_rows
            yield from after(file.iter_batches(BLOCK, row_groups=groups, columns=list(columns)), begin)


class Arrow(Table):
    """An Arrow IPC file (Feather) or stream, memory-mapped."""

    def schema(self) -> pa.Schema:
        """The columns and their types."""
        with pa.memory_map(str(self.path)) as file:
            return (pa.ipc.open_file if self._is_file() else pa.ipc.open_stream)(file).schema

    def count(self) -> int | None:
        """The number of rows of a file; a stream does not say."""
        return dataset.dataset(str(self.path), format="ipc").count_rows() if self._is_file() else None

    def batches(self, columns: Sequence[str], begin: int) -> Iterator[pa.RecordBatch]:
        """The batches of the columns, as they were written."""
        schema = self.schema()
        wanted = sorted({schema.get_field_index(outermost(schema, column)) for column in columns})
        options = pa.ipc.IpcReadOptions(included_fields=wanted)
        with pa.memory_map(str(self.path)) as file:
            if self._is_file():
                reader = pa.ipc.open_file(file, options=options)
                yield from after((reader.get_batch(i) for i in range(reader.num_record_batches)), begin)
            else:
                yield from after(pa.ipc.open_stream(file, options=options), begin)

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

    def batches(self, columns: Sequence[str], begin: int) -> Iterator[pa.RecordBatch]:
        """The rows of the newest version, in order; read in pieces, because a scan reads ahead without limit."""
        schema = self.schema()
        wanted = list(dict.fromkeys(outermost(schema, column) for column in columns))
        for first in range(begin, self.count(), BLOCK):
            yield from self._dataset.to_batches(columns=wanted, limit=BLOCK, offset=first, scan_in_order=True)


def outermost(schema: pa.Schema, column: str) -> str:
    """The column of a schema that a column is, or that it is a field of."""
    while schema.get_field_index(column) < 0:
        column = column.rpartition(".")[0]
    return column

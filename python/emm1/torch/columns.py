"""Arrow columns of any length on disk, each in one piece that is mapped: any row is reached at once, and memory holds what is read.

A file of Arrow's own has a piece for each batch that was written, and to take rows from thousands of pieces is a hundred times slower.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.errors import Error

# Rows whose flags are packed into bits at a time; a multiple of 8.
PACKED = 1 << 20


class ColumnWriter:
    """Writes a column, batch by batch, into files whose names begin alike.

    Args:
        path: where the names begin, for example ``FOLDER/0`` for ``FOLDER/0.values``.
        kind: the type of the column.

    Raises:
        Error: columns of this type cannot be kept.
    """

    def __init__(self, path: Path, kind: pa.DataType) -> None:
        self._path, self._kind = path, kept_as(kind)
        self._rows, self._nulls = 0, 0
        self._end = 0  # of the variable-length values so far
        self._files = {name: _opened(path, name) for name in ("valid", *_buffers(self._kind))}
        self._children = [ColumnWriter(_child(path, i), each) for i, each in enumerate(_children(self._kind))]
        self._dictionary: pa.Array | None = None

    def append(self, given: pa.Array) -> None:
        """Write the rows of an array."""
        array = _plain(given, self._kind)
        self._files["valid"].write(np.asarray(array.is_valid()).astype(np.uint8).data)
        self._nulls += array.null_count
        self._rows += len(array)
        kind = self._kind
        if pa.types.is_dictionary(kind):
            if self._dictionary is None:
                self._dictionary = array.dictionary
            elif not self._dictionary.equals(array.dictionary):
                raise Error("the values of an ENUM changed while its rows were read")
            array = array.indices
        if pa.types.is_boolean(kind):
            self._files["flags"].write(np.asarray(array.fill_null(False)).astype(np.uint8).data)
        elif "offsets" in self._files:
            self._append_long(array)
        elif "values" in self._files:
            width = array.type.bit_width // 8
            self._files["values"].write(array.buffers()[1][: len(array) * width])
        elif pa.types.is_fixed_size_list(kind):
            self._children[0].append(array.values[: len(array) * kind.list_size])
        else:
            for child, values in zip(self._children, [array.field(i) for i in range(kind.num_fields)], strict=True):
                child.append(values)

    def _append_long(self, array: pa.Array) -> None:
        """Write values of different lengths: where each ends, and what they hold."""
        offsets = np.frombuffer(array.buffers()[1], np.int64, len(array) + 1)
        self._files["offsets"].write((offsets[1:] - offsets[0] + self._end).data)
        self._end += int(offsets[-1] - offsets[0])
        if self._children:
            self._children[0].append(array.values[int(offsets[0]) : int(offsets[-1])])
        elif (data := array.buffers()[2]) is not None:
            self._files["bytes"].write(data[int(offsets[0]) : int(offsets[-1])])

    def finish(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        for name in {"valid", "flags"} & self._files.keys():
            _pack(self._path.with_name(f"{self._path.name}.{name}"))
        if not self._nulls:
            self._path.with_name(f"{self._path.name}.valid").unlink()
        if pa.types.is_dictionary(self._kind):
            values = pa.array([], self._kind.value_type) if self._dictionary is None else self._dictionary
            table = pa.table({"values": values})
            with pa.ipc.new_file(self._path.with_name(f"{self._path.name}.dictionary"), table.schema) as file:
                file.write_table(table)
        for child in self._children:
            child.finish()


def mapped_column(path: Path, kind: pa.DataType, rows: int) -> pa.Array:
    """A column that `ColumnWriter` wrote, mapped.

    Args:
        path: where the names of its files begin.
        kind: the type that the writer was given.
        rows: how many rows it has.
    """
    kept = kept_as(kind)
    valid = path.with_name(f"{path.name}.valid")
    buffers = [_mapped(valid) if valid.exists() else None]
    buffers += [_mapped(path.with_name(f"{path.name}.{name}")) for name in _buffers(kept)]
    if pa.types.is_dictionary(kept):
        with pa.memory_map(str(path.with_name(f"{path.name}.dictionary"))) as source:
            values = pa.ipc.open_file(source).read_all()["values"].combine_chunks()
        indices = pa.Array.from_buffers(kept.index_type, rows, buffers)
        return pa.DictionaryArray.from_arrays(indices, values, safe=False)
    inner = [
        mapped_column(_child(path, i), each, _inner_rows(kept, rows, buffers)) for i, each in enumerate(_children(kept))
    ]
    return pa.Array.from_buffers(kept, rows, buffers, children=inner or None)


def kept_as(kind: pa.DataType) -> pa.DataType:
    """The type in which a column is kept: texts and lists with offsets of 64 bits, so that they may be of any length.

    >>> kept_as(pa.list_(pa.string()))
    LargeListType(large_list<item: large_string>)
    """
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return kept_as(kind.storage_type)
    if types.is_null(kind):
        return pa.bool_()
    if types.is_string(kind) or types.is_large_string(kind):
        return pa.large_string()
    if types.is_binary(kind) or types.is_large_binary(kind):
        return pa.large_binary()
    if types.is_list(kind) or types.is_large_list(kind):
        return pa.large_list(_field(kind.value_field))
    if types.is_fixed_size_list(kind):
        return pa.list_(_field(kind.value_field), kind.list_size)
    if types.is_struct(kind):
        return pa.struct([_field(kind.field(i)) for i in range(kind.num_fields)])
    if types.is_dictionary(kind) or types.is_boolean(kind) or (types.is_primitive(kind) or types.is_decimal(kind)):
        return kind
    raise Error(f"rows with a value of type {kind} cannot be kept: cast it to VARCHAR, or select its parts")


def _field(field: pa.Field) -> pa.Field:
    return pa.field(field.name, kept_as(field.type))


def _plain(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """An array of the kept type whose buffers begin with its first row."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if array.type != kind:
        array = array.cast(kind)
    return pa.concat_arrays([array, array.slice(0, 0)]) if array.offset else array


def _buffers(kind: pa.DataType) -> tuple[str, ...]:
    """The names of the buffers of a type after the one of what is valid, in Arrow's order."""
    types = pa.types
    if types.is_boolean(kind):
        return ("flags",)
    if types.is_large_string(kind) or types.is_large_binary(kind):
        return ("offsets", "bytes")
    if types.is_large_list(kind):
        return ("offsets",)
    return () if types.is_nested(kind) and not types.is_dictionary(kind) else ("values",)


def _children(kind: pa.DataType) -> list[pa.DataType]:
    if not pa.types.is_nested(kind) or pa.types.is_dictionary(kind):
        return []
    return [kind.field(i).type for i in range(kind.num_fields)]


def _inner_rows(kind: pa.DataType, rows: int, buffers: list[Any]) -> int:
    if pa.types.is_large_list(kind):
        return int(np.frombuffer(buffers[1], np.int64, rows + 1)[-1])
    return rows * kind.list_size if pa.types.is_fixed_size_list(kind) else rows


def _child(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _opened(path: Path, name: str) -> Any:
    file = path.with_name(f"{path.name}.{name}").open("wb")
    if name == "offsets":
        file.write(bytes(8))
    return file


def _mapped(path: Path) -> pa.Buffer:
    if not path.stat().st_size:
        return pa.py_buffer(b"")
    with pa.memory_map(str(path)) as source:
        return source.read_buffer()


def _pack(path: Path) -> None:
    """Pack a file of bytes that are 0 or 1 into bits, from the lowest on, as Arrow has them."""
    packed = path.with_name(f"{path.name}.packed")
    read: Callable[[int], bytes]
    with path.open("rb") as source, packed.open("wb") as target:
        read = source.read
        while flags := read(PACKED):
            bits: NDArray[np.uint8] = np.packbits(np.frombuffer(flags, np.uint8), bitorder="little")
            target.write(bits.data)
    packed.replace(path)

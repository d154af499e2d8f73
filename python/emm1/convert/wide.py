"""Vectors that have a column for each component (``ebind_0000``, ``ebind_0001``, …), and fields of structs as columns."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emm1.errors import EmbeddingError

COMPONENTS = (pa.float16(), pa.float32(), pa.float64(), pa.int8(), pa.uint8())
NUMBERED = re.compile(r"(.*?)([0-9]{1,9})", re.DOTALL)
FEWEST = 2  # columns that are taken for the components of a vector


@dataclass(frozen=True)
class Wide:
    """The columns of wide vectors.

    Attributes:
        prefix: what their names begin with.
        names: the names by number; those that have the same number are in `twins` except for the first.
        kinds: the type of each by name.
        twins: pairs of columns that have the same number.
    """

    prefix: str
    names: tuple[str, ...]
    kinds: Mapping[str, pa.DataType]
    twins: tuple[tuple[str, str], ...] = ()

    def described(self) -> str:
        """The number of columns and their types, for messages."""
        kinds = " and ".join(sorted({str(kind) for kind in self.kinds.values()}))
        return f"{len(self.names):,} columns of {kinds}"

    def is_called(self, name: str) -> bool:
        """Whether a name is the prefix, with or without a separator and an asterisk at the end."""
        return name.rstrip("*").rstrip("_-. ") == self.prefix.rstrip("_-. ") and name != ""

    def components(self, path: Path) -> tuple[list[str], np.dtype[Any]]:
        """The columns in the order of their numbers, and the type that holds all their values.

        Raises:
            EmbeddingError: a number is missing or occurs twice, or a column holds something else; names the column.
        """
        if self.twins:
            first, second = self.twins[0]
            raise EmbeddingError(f"{path}: columns {first!r} and {second!r} would be the same component: rename one")
        for name in self.names:
            if self.kinds[name] not in COMPONENTS:
                raise EmbeddingError(
                    f"{path}: column {name!r} holds {self.kinds[name]}, but it is one of the {len(self.names):,} columns "
                    f"{self.prefix}*: components are float16, float32, float64, int8 or uint8"
                )
        numbers = [_number(name) for name in self.names]
        for expected, (number, name) in enumerate(zip(numbers, self.names, strict=True), min(numbers[0], 1)):
            if number != expected:
                raise EmbeddingError(
                    f"{path}: of the columns {self.prefix}*, number {expected} is missing (the next is {name!r}): the "
                    "numbers must go on from 0 or 1 without a gap"
                )
        dtype = np.result_type(*{self.kinds[name].to_pandas_dtype() for name in self.names})
        if pa.from_numpy_dtype(dtype) not in COMPONENTS:
            raise EmbeddingError(f"{path}: the columns {self.prefix}* mix types: {self.described()}")
        return list(self.names), dtype


def wide_vectors(fields: Mapping[str, pa.DataType]) -> dict[str, Wide]:
    """The wide vectors among columns, by prefix and asterisk.

    >>> columns = {"id": pa.int64(), "v_1": pa.float32(), "v_0": pa.float32(), "x1": pa.int64(), "x2": pa.int64()}
    >>> {name: wide.names for name, wide in wide_vectors(columns).items()}
    {'v_*': ('v_0', 'v_1')}
    """
    by_prefix: dict[str, list[str]] = {}
    for name in fields:
        if found := NUMBERED.fullmatch(name):
            by_prefix.setdefault(found[1], []).append(name)
    wide = {}
    for prefix, names in by_prefix.items():
        if sum(fields[name] in COMPONENTS for name in names) < FEWEST:
            continue
        ordered = sorted(names, key=_number)
        pairs = itertools.pairwise(ordered)
        twins = tuple((first, second) for first, second in pairs if _number(first) == _number(second))
        wide[f"{prefix}*"] = Wide(prefix, tuple(ordered), {name: fields[name] for name in names}, twins)
    return wide


def _number(name: str) -> int:
    found = NUMBERED.fullmatch(name)
    return int(found[2]) if found else -1


def leaves(fields: pa.Schema | pa.StructType, outside: str = "") -> Iterator[tuple[str, pa.DataType]]:
    """The name and type of each column; of a struct those of its fields.

    >>> dict(leaves(pa.schema({"a": pa.int8(), "s": pa.struct({"x": pa.int8()})})))
    {'a': DataType(int8), 's.x': DataType(int8)}
    """
    for field in fields:
        name = outside + field.name
        if pa.types.is_struct(field.type) and field.type.num_fields:
            yield from leaves(field.type, f"{name}.")
        else:
            yield name, field.type


def leaf(batch: pa.RecordBatch, name: str) -> pa.Array:
    """A column of a batch, or a field of a struct; it is null where the struct is."""
    outer = name
    rest: list[str] = []
    while batch.schema.get_field_index(outer) < 0:
        outer, dot, inner = outer.rpartition(".")
        if not dot:
            raise KeyError(name)
        rest.insert(0, inner)
    column = batch.column(outer)
    while rest:
        # Names of fields may hold dots themselves.
        count = next(n for n in range(1, len(rest) + 1) if column.type.get_field_index(".".join(rest[:n])) >= 0)
        column = pc.struct_field(column, ".".join(rest[:count]))
        rest = rest[count:]
    return column


def component(kind: pa.DataType) -> pa.DataType | None:
    """The component type of a list type; None for other types."""
    storage = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return storage.value_type if any(is_list(storage) for is_list in lists) else None

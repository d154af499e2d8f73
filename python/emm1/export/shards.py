"""Rows in numbered files of so many rows each, in one folder or in a folder for each value of a column."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from emm1.checks import shown
from emm1.errors import StoreError
from emm1.export.formats import Sink, open_sink

# Rows that are written together: a row group of DuckDB's size.
GROUP = 122_880
# Rows that wait in memory for that, in all folders together.
WAITING = 8 * GROUP
# Folders: each has a file open.
MOST = 256
# What Hive's layout calls the folder of NULL.
NULL = "__HIVE_DEFAULT_PARTITION__"
BY = (pa.types.is_integer, pa.types.is_string, pa.types.is_boolean, pa.types.is_date)


@dataclass(frozen=True)
class File:
    """A finished file.

    Attributes:
        path: where it is in the export.
        rows: how many rows it has.
        bytes: its size.
        sha256: its checksum.
    """

    path: str
    rows: int
    bytes: int
    sha256: str

    @classmethod
    def of(cls, folder: Path, path: Path, rows: int) -> File:
        """What there is to say of a file in the folder of an export."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(path.relative_to(folder).as_posix(), rows, path.stat().st_size, digest)

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return asdict(self)


class Shards:
    """The files of one folder.

    Args:
        root: the folder of the export.
        folder: the folder of these files.
        to: their format.
        schema: their columns.
        name: the name of the first file; by default they are all numbered.
        size: rows of a file; the last one may have fewer.
    """

    def __init__(
        self, root: Path, folder: Path, to: str, schema: pa.Schema, size: int, name: str | None = None
    ) -> None:
        self._root, self._folder, self._to, self._schema, self._size = root, folder, to, schema, size
        self._name = name
        self._waiting: list[pa.Table] = []
        self.waiting = 0
        self._open: tuple[Sink, Any, Path] | None = None
        self._written = 0
        self.files: list[File] = []

    def append(self, rows: pa.Table) -> None:
        """Add rows."""
        while rows.num_rows:
            room = min(GROUP, self._size - self._written) - self.waiting
            self._waiting.append(rows.slice(0, room))
            self.waiting += min(room, rows.num_rows)
            rows = rows.slice(room)
            if self.waiting == min(GROUP, self._size - self._written):
                self.flush()

    def flush(self) -> None:
        """Write the rows that wait."""
        if self._open is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            number = f"-{len(self.files):05}" if self.files or self._name is None else ""
            path = self._folder / f"{self._name or 'part'}{number}.{self._to}"
            self._open = *open_sink(self._to, path, self._schema), path
        if self._waiting:
            self._open[0].write(pa.concat_tables(self._waiting).combine_chunks())
        self._written += self.waiting
        self._waiting, self.waiting = [], 0
        if self._written == self._size:
            self.close()

    def finish(self) -> None:
        """Write what is left; a file without rows if there never were any."""
        if self.waiting or (self._open is None and not self.files):
            self.flush()
        if self._open is not None:
            self.close()

    def close(self) -> None:
        """Finish the file that is open."""
        if self._open is None:
            return
        sink, file, path = self._open
        self._open = None
        try:
            sink.close()
        finally:
            file.close()
        self.files.append(File.of(self._root, path, self._written))
        self._written = 0

    def abandon(self) -> None:
        """Let go of the file that is open; its folder is about to be removed."""
        if self._open is not None:
            self._open[1].close()


class Tables:
    """Rows in the folder ``data`` of an export.

    Args:
        root: the folder of the export.
        to: the format.
        schema: the columns.
        size: rows of a file.
        partition_by: a column by whose values the rows are parted, which the files then do not have.
        folders: whether its values are those of folders, as Hive has them: ``COLUMN=VALUE``; otherwise they are names of files.
    """

    def __init__(
        self, root: Path, to: str, schema: pa.Schema, size: int, partition_by: str | None, *, folders: bool = True
    ) -> None:
        self._root, self._to, self._schema, self._size, self._by = root, to, schema, size, partition_by
        self._folders = folders
        self._shards: dict[str | None, Shards] = {}

    def append(self, rows: pa.Table) -> None:
        """Add rows."""
        for name, part in self._parts(rows):
            if name not in self._shards:
                if len(self._shards) == MOST:
                    raise StoreError(
                        f"column {self._by!r} has more than {MOST} different values, each of which would be a folder: "
                        "partition by another one"
                    )
                data = self._root / "data"
                folder = data / name if name is not None and self._folders else data
                stem = None if self._folders else name
                self._shards[name] = Shards(self._root, folder, self._to, part.schema, self._size, stem)
            self._shards[name].append(part)
        while sum(shards.waiting for shards in self._shards.values()) > WAITING:
            max(self._shards.values(), key=lambda shards: shards.waiting).flush()

    def finish(self) -> list[File]:
        """Finish all files."""
        if not self._shards:
            schema = self._schema
            if self._by is not None and not self._folders:
                schema = schema.remove(schema.get_field_index(self._by))
            self._shards[None] = Shards(self._root, self._root / "data", self._to, schema, self._size)
        for shards in self._shards.values():
            shards.finish()
        return [file for name in sorted(self._shards, key=str) for file in self._shards[name].files]

    def abandon(self) -> None:
        """Let go of the files that are open; their folder is about to be removed."""
        for shards in self._shards.values():
            shards.abandon()

    def _parts(self, rows: pa.Table) -> Iterator[tuple[str | None, pa.Table]]:
        if self._by is None:
            yield None, rows
            return
        place = rows.schema.get_field_index(self._by)
        values = rows.column(place).cast(pa.string()).combine_chunks().dictionary_encode(null_encoding="encode")
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        rest = rows.remove_column(place)
        for code, value in enumerate(values.dictionary.to_pylist()):
            yield _folder(self._by, value) if self._folders else value, rest.filter(pc.equal(values.indices, code))


def _folder(column: str, value: str | None) -> str:
    if value == NULL:
        raise StoreError(
            f"a value of {column!r} is {NULL}, which is the name for NULL in the layout of folders: replace it"
        )
    name = f"{column}={NULL if value is None else quote(value, safe=' ')}"
    if len(name) > 255:  # noqa: PLR2004 - bytes of a name in most file systems
        raise StoreError(f"a value of {column!r} is too long for the name of a folder: {shown(value)}")
    return name


def check_partition(schema: pa.Schema, column: str) -> str:
    """The name of the column to partition by, as the rows have it.

    Raises:
        emm1.errors.StoreError: there is none, it is the only one, or its values make no names of folders.
    """
    name: str | None = {name.casefold(): name for name in schema.names}.get(column.casefold())
    if name is None:
        raise StoreError(f"the rows have no column {column!r} to partition by: {', '.join(schema.names)}")
    kind = schema.field(name).type
    if not any(is_one(kind) for is_one in BY):
        raise StoreError(f"column {name!r} is of the type {kind}: partition by whole numbers, texts, dates or booleans")
    if quote(name, safe=" ") != name:
        raise StoreError(
            f"column {name!r} makes no name of a folder that all readers know: call it differently with AS"
        )
    if len(schema) == 1:
        raise StoreError(f"column {name!r} is the only one: nothing would be left in the files")
    return name

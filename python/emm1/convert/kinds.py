"""What a text key may be: an id, a file's name, path or stem, a YouTube id with or without its start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import duckdb
from sqlglot import exp


@dataclass(frozen=True)
class Kind:
    """One way to read a key.

    Attributes:
        name: what the keys are then, for messages.
        columns: the columns of the info table that the key of an item is made of.
        of_item: the macro that makes it.
        of_key: the macro that makes what it is compared with of a given key.
    """

    name: str
    columns: tuple[str, ...]
    of_item: str = "emm1_text"
    of_key: str = "emm1_text"

    def item(self) -> exp.Func:
        """The key of an item."""
        return exp.func(self.of_item, *(exp.column(name) for name in self.columns))

    def given(self, key: exp.Expression) -> exp.Func:
        """What the key of an item is compared with."""
        return exp.func(self.of_key, key)


def kinds_of(id_column: str, columns: Sequence[str]) -> list[Kind]:
    """The ways to read a key, the plainest first.

    Args:
        id_column: the column of ids of the info table.
        columns: all its columns.

    >>> [kind.name for kind in kinds_of("encord_text_id", ["encord_text_id", "caption"])]
    ['encord_text_id']
    """
    kinds = [
        Kind(id_column, (id_column,), "emm1_id"),
        Kind("file_name", ("file_name",)),
        Kind("youtube_id", ("youtube_id",)),
        Kind("youtube_id with its start_time", ("youtube_id", "start_time"), "emm1_clip"),
        Kind("path", ("save_folder", "file_name"), "emm1_own_place", "emm1_place"),
        Kind("file_name in another folder", ("file_name",), "emm1_text", "emm1_last"),
        Kind("file_name without its suffix", ("file_name",), "emm1_stem", "emm1_last"),
        Kind("file_name with another suffix", ("file_name",), "emm1_stem", "emm1_last_stem"),
        Kind("file_id", ("file_id",)),
    ]
    return [kind for kind in kinds if set(kind.columns) <= set(columns)]


def make_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the macros that kinds name, as temporary ones of a connection."""
    connection.execute((files("emm1") / "sql" / "convert" / "keys.sql").read_text(encoding="utf-8"))

"""The index of captions: makes it, and tells whether it belongs to the captions of a store."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

import duckdb

from emm1.store.memory import limited
from emm1.store.transactions import all_or_nothing

# Its tables, as sql/schema/6_captions.sql makes them.
TABLES = ("caption_index", "caption_words", "caption_postings")


def make_index(
    connection: duckdb.DuckDBPyConnection, memory_limit: str, progress: Callable[[str, int, int], object]
) -> int:
    """Make the index, in place of one that is there; `emm1.Store.index_captions` says what the arguments mean.

    It happens in one transaction, so the index is either the old one or complete.

    Returns:
        How many captions have a word.
    """
    changed = "the index of captions was changed by another connection meanwhile: index them again"
    with (
        limited(connection, memory_limit),
        all_or_nothing(connection, purpose="index its captions", changed=changed),
    ):
        connection.execute(sql("captions/drop"))  # first, so that a store for reading is refused at once
        connection.execute(sql("schema/6_captions"))
        for what, name in (("words", "words"), ("places of words", "postings")):
            progress(what, 0, 0)
            connection.execute(sql(f"captions/{name}"))
        progress("numbers of captions", 0, 0)
        connection.execute(sql("captions/finish"), {"fingerprint": fingerprint(connection)})
        ((captions,),) = connection.execute("SELECT captions FROM caption_index").fetchall()
    return int(captions)


def is_indexed(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a store has an index."""
    return bool(connection.table("caption_index").limit(1).fetchall())


def fingerprint(connection: duckdb.DuckDBPyConnection) -> str:
    """What an index records of the captions that it was made from."""
    ((found,),) = connection.execute(sql("captions/fingerprint")).fetchall()
    return str(found)


def unknown_words(connection: duckdb.DuckDBPyConnection, words: str) -> list[str]:
    """The words that no caption has: with one of them, nothing is found."""
    return [word for (word,) in connection.execute(sql("captions/unknown"), {"words": words}).fetchall()]


def sql(name: str) -> str:
    """A file of statements."""
    return (files("emm1") / "sql" / f"{name}.sql").read_text(encoding="utf-8")

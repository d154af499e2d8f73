"""A folder that an export becomes: written beside its place, and moved there when all is done."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from emm1.errors import Error, StoreError
from emm1.parts import parts_of
from emm1.store.refusals import Refusal, refusal_of


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """A folder that becomes the output; nothing of it stays if anything goes wrong.

    Raises:
        emm1.errors.EmbeddingError: the output exists and is not an empty folder, or another process is writing it.
        emm1.errors.WriteError: it cannot be written.
    """
    # A run that was killed left nothing that another one could use.
    with parts_of(output, {"export": "tables"}, folder=True) as parts:
        folder = parts / "export"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
            move(folder, output)
        except BaseException:
            shutil.rmtree(parts, ignore_errors=True)
            raise


def move(folder: Path, output: Path) -> None:
    """Move a finished export into its place, where at most an empty folder is."""
    if output.exists():
        output.rmdir()
    folder.replace(output)


@contextmanager
def explained() -> Iterator[None]:
    """A context in which errors of DuckDB and Arrow are errors about the query."""
    try:
        yield
    except (Error, OSError):
        raise
    except (duckdb.Error, pa.ArrowException) as error:
        refusal, _ = refusal_of(error) if isinstance(error, duckdb.Error) else (None, "")
        if refusal is Refusal.NO_MEMORY:
            raise StoreError("DuckDB has too little memory for the query: raise its memory_limit") from error
        raise StoreError(f"the query cannot be run: {error}") from error

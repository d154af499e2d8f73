"""The folder that a report is written to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emm1.errors import Error


@contextmanager
def written(folder: Path) -> Iterator[None]:
    """Make a folder for a report, whose files are written in the block.

    Raises:
        Error: the folder is a file, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except FileExistsError as error:
        raise Error(f"{folder} is a file: name a folder for the report") from error
    except OSError as error:
        raise Error(f"the report cannot be written to {folder}: {error.strerror or error}") from error

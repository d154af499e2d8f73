"""The errors emm1 raises: each says what is wrong, where, and what to do about it."""

import builtins
from collections.abc import Iterable


class Error(Exception):
    """Base of every error that emm1 raises; its text names the file, row or column it is about.

    >>> import emm1
    >>> try:
    ...     emm1.Embeddings("no/such/file.npy")
    ... except emm1.Error as error:
    ...     print(type(error).__name__)
    FileNotFoundError
    """


class FileNotFoundError(Error, builtins.FileNotFoundError):  # noqa: A001 - the name users catch
    """A file or folder that was named does not exist."""


class SourceError(Error, ValueError):
    """A published file cannot be read as what it should be: says file, row and column."""


class StoreError(Error):
    """A store cannot be opened, written or replaced."""


class EmbeddingError(Error, ValueError):
    """An embedding file, its ids, a query or a request about them is wrong."""


class EmbeddingsWarning(UserWarning):
    """The answer is right but takes longer than necessary: says which codes file is not used, and why."""


def unknown_embeddings(name: str | None, known: Iterable[str]) -> EmbeddingError:
    """The error for a name that no embeddings are registered under."""
    listed = ", ".join(sorted(known))
    shown = "NULL" if name is None else name
    return EmbeddingError(
        f"no embeddings are called '{shown}': {f'registered are {listed}' if listed else 'none is registered'} "
        "(add some with `emm1 embeddings add`)"
    )

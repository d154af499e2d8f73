"""The errors that emm1 raises: the message says what is wrong, where, and what to do; the class is the kind of error."""

import builtins


class Error(Exception):
    """Base of every error that emm1 raises; its text names the file, row or column it is about.

    Attributes:
        reason: the text without the arguments.
        arguments: arguments with which the call would succeed, shown at the end of the text. The command line shows
            the options of the same names instead.

    >>> import emm1
    >>> try:
    ...     emm1.Embeddings("no/such/file.npy")
    ... except emm1.Error as error:
    ...     print(type(error).__name__, "from", type(error.__cause__).__module__, type(error.__cause__).__name__)
    FileNotFoundError from builtins FileNotFoundError
    >>> print(emm1.Error("the file is there. Write over it", force=True))
    the file is there. Write over it: force=True
    """

    def __init__(self, reason: str = "", **arguments: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.arguments = arguments

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.reason}: {arguments}" if arguments else self.reason


class FileNotFoundError(Error, builtins.FileNotFoundError):  # noqa: A001 - the name users catch
    """A file or folder does not exist."""


class SourceError(Error, ValueError):
    """A published file is not as expected: the message names the file, row and column."""


class StoreError(Error):
    """A store cannot be opened, written or replaced."""


class EmbeddingError(Error, ValueError):
    """An embedding file, its ids, a query or a request about them is wrong."""


class UnknownNameError(EmbeddingError, KeyError):
    """No embeddings are registered under this name; the message lists the registered names."""


class IndexError(EmbeddingError, builtins.IndexError):  # noqa: A001 - the name users catch
    """An embedding file has no such row or component."""


class WriteError(EmbeddingError):
    """A file that belongs to embeddings (ids, codes) cannot be written."""


class CodesError(EmbeddingError):
    """A file of codes is damaged, or no longer belongs to its embedding file: it must be built again."""


class MemoryError(EmbeddingError, builtins.MemoryError):  # noqa: A001 - the name users catch
    """There is not enough memory for an answer: ask for less at a time."""


class EmbeddingsWarning(UserWarning):
    """Something to know about embeddings: codes that are not used, so that answers take longer, or rows that do not fit."""


class CodesWarning(EmbeddingsWarning):
    """A file of codes is not used until it is built again, by `emm1.Embeddings.build_codes` or by registering it again."""

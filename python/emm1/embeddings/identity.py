"""Whether embedding files are still the same: on this machine by their times, and on any by what they hold."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from emm1.embeddings.file import Embeddings
from emm1.errors import EmbeddingError
from emm1.hashing import digest_of


def version_of(embeddings: Embeddings) -> str:
    """A digest that changes when the files of the vectors, or the ids of the rows, change.

    >>> import numpy as np, emm1
    >>> path = getfixture("tmp_path") / "x.npy"
    >>> np.save(path, np.eye(3, dtype="float32"))
    >>> version_of(emm1.Embeddings(path)) == version_of(emm1.Embeddings(path, ids=[2, 1, 0]))
    False
    """
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in embeddings.files]
    return hashlib.sha256(repr(stats).encode() + embeddings.ids.tobytes()).hexdigest()


def contents_of(embeddings: Embeddings) -> dict[str, object]:
    """What the rows are, by size and checksum: the same wherever the files lie, whatever their names and times.

    Every byte is read, once in a process for as long as a file does not change.

    >>> import hashlib, numpy as np, emm1
    >>> path = getfixture("tmp_path") / "x.npy"
    >>> np.save(path, np.eye(3, dtype="float32"))
    >>> found = contents_of(emm1.Embeddings(path))
    >>> found["bytes"], found["rows"], found["sha256"] == [hashlib.sha256(path.read_bytes()).hexdigest()]
    ([164], 3, True)
    """
    tensor = embeddings.path.name.partition("#")[2]  # of a file with several
    return {
        "bytes": [file.stat().st_size for file in embeddings.files],
        "sha256": [_checksum(file) for file in embeddings.files],
        "ids_sha256": digest_of(embeddings.ids),
        "rows": len(embeddings),
        "dims": embeddings.dim,
        **({"tensor": tensor} if tensor else {}),
    }


def check_contents(embeddings: Embeddings, stated: object) -> None:
    """Refuse files that are not those that some work is about.

    Args:
        embeddings: the vectors.
        stated: what `contents_of` gave of them when the work began, perhaps on another machine.

    Raises:
        EmbeddingError: the rows are others.
    """
    if contents_of(embeddings) != stated:
        raise EmbeddingError(
            f"{embeddings.path} is not the file that the work began with: it has other bytes or ids. Give each machine the same file"
        )


def _checksum(file: Path) -> str:
    found = file.stat()
    return _checksum_of(file, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@lru_cache(maxsize=1024)
def _checksum_of(file: Path, *_state: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

"""Which files can be converted: by suffix, and folders by the suffix of the files in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emm1 import _native
from emm1.checks import check_regular, is_pointer
from emm1.convert.arrays import Npy, Npz
from emm1.convert.input_file import InputFile
from emm1.convert.searchable import Searchable
from emm1.convert.several import Several
from emm1.convert.tables import Arrow, Lance, Parquet
from emm1.convert.torch_file import TorchFile
from emm1.embeddings.file import Embeddings
from emm1.errors import EmbeddingError, FileNotFoundError

FORMATS: dict[str, type[InputFile]] = {
    ".parquet": Parquet,
    ".pq": Parquet,
    ".arrow": Arrow,
    ".arrows": Arrow,
    ".ipc": Arrow,
    ".feather": Arrow,
    ".lance": Lance,
    ".npy": Npy,
    ".npz": Npz,
    ".pt": TorchFile,
    ".pth": TorchFile,
}


def open_files(paths: Sequence[Path], *, searchable: bool) -> InputFile:
    """Open files that are read one after the other.

    Args:
        paths: at least one.
        searchable: whether a single file that can be searched as it is may be read too.

    Raises:
        FileNotFoundError: there is no such file.
        EmbeddingError: one is named twice, or is of a kind that cannot be converted.
    """
    if not paths:
        raise EmbeddingError("no file to import is named")
    named = [path.absolute() for path in paths]
    for path in paths:
        if named.count(path.absolute()) > 1:
            raise EmbeddingError(f"{path} is named twice")
    if len(paths) == 1:
        return open_file(paths[0], searchable=searchable)
    return Several(Path(f"{paths[0]} and {len(paths) - 1} more"), [open_file(path, searchable=True) for path in paths])


def open_file(path: Path, *, searchable: bool = False) -> InputFile:
    """Open a file by its suffix, or a folder by the suffix of the files in it.

    Raises:
        FileNotFoundError: there is no such file.
        EmbeddingError: it is of a kind that cannot be converted.
    """
    if not path.exists() and not Path(str(path).partition("#")[0]).exists():
        raise FileNotFoundError(f"{path} does not exist")
    check_regular(path)
    suffix = path.suffix.lower()
    if path.is_dir() and suffix != ".lance":
        return _open_folder(path, searchable=searchable)
    if _native.is_file(path.name) and (suffix != ".npy" or can_be_searched(path)):
        if searchable:
            return Searchable(path)
        raise EmbeddingError(f"{path} needs no import: it can be searched as it is")
    if suffix not in FORMATS:
        raise EmbeddingError(f"{path} cannot be imported: {', '.join(FORMATS)} can")
    if path.is_file() and is_pointer(path):
        raise EmbeddingError(f"{path} is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`")
    return FORMATS[suffix](path)


def can_be_searched(path: Path) -> bool:
    """Whether a file or a folder of shards can be searched as it is."""
    try:
        Embeddings(path, codes=False)
    except EmbeddingError:
        return False
    return True


def _open_folder(path: Path, *, searchable: bool) -> InputFile:
    files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    for format_of_all in (Parquet, Arrow):
        parts = [open_file(file) for file in files if FORMATS.get(file.suffix.lower()) is format_of_all]
        if parts:
            return Several(path, parts)
    arrays = [file for file in files if file.suffix.lower() == ".npy" and not file.name.endswith(".ids.npy")]
    if arrays and can_be_searched(path):
        if searchable:
            return Searchable(path)
        raise EmbeddingError(f"{path} needs no import: it can be searched as it is")
    if arrays:
        return Several(path, [open_file(file, searchable=True) for file in arrays])
    raise EmbeddingError(f"{path} is a folder without Parquet or Arrow files, and without .npy files")

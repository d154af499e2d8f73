"""Converts point clouds to arrays of (points, 6), a file or a folder of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from emm1.checks import PathLike
from emm1.errors import Error, FileNotFoundError, SourceError, WriteError
from emm1.media.points import normalized, read_points
from emm1.npy import write_npy

SHOWN = 5  # files that are named where many are alike


@dataclass
class Converted:
    """What was converted.

    Attributes:
        written: how many files were written.
        present: how many were there already.
        failed: why files could not be read; the messages name them.
        sizes: how many clouds have how many points, of those that were written.
        notes: how many clouds were changed in which way.
    """

    written: int = 0
    present: int = 0
    failed: list[str] = field(default_factory=list)
    sizes: Counter[int] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def facts(self) -> list[str]:
        """What to know, in words."""
        facts = [f"{count:,} clouds: {note}" for note, count in sorted(self.notes.items())]
        if len(self.sizes) > 1:
            facts.append(
                f"the clouds have {min(self.sizes):,} to {max(self.sizes):,} points: EBind stacks the clouds of a batch, which "
                "must then have equal numbers"
            )
        if self.failed:
            more = f"\nand {len(self.failed) - SHOWN:,} more" if len(self.failed) > SHOWN else ""
            facts.append(f"{len(self.failed):,} files were left out:\n" + "\n".join(self.failed[:SHOWN]) + more)
        return facts


def convert_points(
    source: PathLike,
    target: PathLike,
    *,
    normalize: bool = False,
    progress: Callable[[str, int, int], object] = lambda _what, _done, _total: None,
) -> Converted:
    """Write point clouds as arrays of (points, 6) of float32, which EBind's package reads.

    Args:
        source: a ``.npy`` file, or a folder whose ``.npy`` files are converted, also those in folders within it.
        target: the file to write, or the folder; what is there already stays, so that an interrupted call can be repeated.
        normalize: whether each cloud is moved to its mean and scaled into the unit sphere, as Uni3D's training code does
            and EBind's package does not.
        progress: called with what is being done, how many files of it are done, and how many there are.

    Returns:
        What was done. A file of a folder that cannot be read is left out and counted.

    Raises:
        emm1.errors.FileNotFoundError: there is no such file or folder.
        emm1.errors.SourceError: the file is no point cloud; or none in the folder is, or the target lies in the source.
        emm1.errors.WriteError: a file cannot be written, or the target of a single file exists.

    >>> import numpy as np
    >>> folder = getfixture("tmp_path")
    >>> np.save(folder / "a.npy", {"xyz": np.zeros((2, 3)), "rgb": np.ones((2, 3))})
    >>> convert_points(folder / "a.npy", folder / "b.npy").written
    1
    >>> np.load(folder / "b.npy").shape
    (2, 6)
    """
    source, target = Path(source), Path(target)
    if not source.exists():
        raise FileNotFoundError(f"{source} does not exist")
    done = Converted()
    if source.is_dir():
        _convert_folder(source, target, done, normalize=normalize, progress=progress)
        return done
    if target.is_dir():
        target /= source.name
    if os.path.lexists(target):
        raise WriteError(f"{target} exists: remove it first, or name another file")
    _convert(source, target, done, normalize=normalize)
    return done


def _convert_folder(
    source: Path, target: Path, done: Converted, *, normalize: bool, progress: Callable[[str, int, int], object]
) -> None:
    if target.exists() and not target.is_dir():
        raise WriteError(f"{target} is a file, but {source} is a folder: name a folder")
    if target.resolve().is_relative_to(source.resolve()):
        raise SourceError(f"{target} lies in {source}: name a folder outside of it")
    files = sorted(path for path in source.rglob("*.npy") if not path.is_dir())
    if not files:
        raise SourceError(f"{source} holds no .npy files")
    for number, file in enumerate(files, 1):
        place = target / file.relative_to(source)
        if place.exists():
            done.present += 1
        else:
            try:
                _convert(file, place, done, normalize=normalize)
            except WriteError:
                raise
            except Error as error:
                done.failed.append(str(error))
        progress("converting", number, len(files))
    if not done.written and not done.present:
        raise SourceError(f"none of the {len(files):,} files can be converted: {done.failed[0]}")


def _convert(source: Path, target: Path, done: Converted, *, normalize: bool) -> None:
    """Convert a file; the new one is renamed into place when it is complete."""
    cloud = read_points(source)
    unfinished = target.with_name(f"{target.name}.writing")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_npy(unfinished, normalized(cloud.array) if normalize else cloud.array)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"{target} cannot be written: {error.strerror or error}") from error
    done.written += 1
    done.sizes[len(cloud.array)] += 1
    done.notes.update(cloud.notes)

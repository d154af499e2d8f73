"""What is inside the media folder: files to which no path leads out."""

from __future__ import annotations

from pathlib import Path


class OutsideError(Exception):
    """A path, or a link in it, leads out of the media folder."""


def inside(path: str, root: str | Path) -> Path:
    """The file to which a path leads, with all links followed.

    Args:
        path: the path.
        root: the media folder, with all links followed.

    Raises:
        FileNotFoundError: nothing is there; also for links in a circle and names with NUL.
        PermissionError: a folder on the way may not be read.
        OutsideError: it is not inside the folder.

    >>> folder = getfixture("tmp_path").resolve()
    >>> _ = (folder / "a.png").write_bytes(b"x")
    >>> inside(f"{folder}/../{folder.name}/a.png", folder).name
    'a.png'
    >>> inside(f"{folder}/a.png", folder / "inner")
    Traceback (most recent call last):
    ...
    emm1.media.inside.OutsideError
    """
    try:
        real = Path(path).resolve(strict=True)
    except PermissionError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle are a RuntimeError, NUL is a ValueError
        raise FileNotFoundError(path) from error
    if not real.is_relative_to(root):
        raise OutsideError
    return real

"""Says what a media file is, by its first bytes."""

from __future__ import annotations

from pathlib import Path

from emm1.checks import PathLike, check_regular, is_pointer
from emm1.errors import FileNotFoundError, SourceError

NAMED = 20  # entries of a dictionary
FIRST = 512  # bytes that are looked at
# Where the bytes are that every file of a kind has, and whether it holds an image, audio, a video, a clip of either, or neither.
KINDS: list[tuple[int, bytes, str, str]] = [
    (0, b"\xff\xd8\xff", "image", "a JPEG image"),
    (0, b"\x89PNG\r\n\x1a\n", "image", "a PNG image"),
    (0, b"GIF8", "image", "a GIF image"),
    (8, b"WEBP", "image", "a WebP image"),
    (8, b"AVI ", "video", "an AVI video"),
    (8, b"WAVE", "audio", "a WAV audio file"),
    (4, b"ftypavif", "image", "an AVIF image"),
    (4, b"ftypheic", "image", "a HEIC image"),
    (4, b"ftyp", "clip", "an MP4 file (video or audio)"),
    (0, b"\x1aE\xdf\xa3", "clip", "a Matroska or WebM video"),
    (0, b"fLaC", "audio", "a FLAC audio file"),
    (0, b"OggS", "audio", "an Ogg audio file"),
    (0, b"ID3", "audio", "an MP3 audio file"),
    (0, b"\xff\xfb", "audio", "an MP3 audio file"),
    (0, b"PK\x03\x04", "other", "a zip file"),
    (0, b"\x1f\x8b", "other", "a file compressed by gzip"),
    (0, b"\x28\xb5\x2f\xfd", "other", "a file compressed by Zstandard"),
    (0, b"PAR1", "other", "a Parquet file"),
    (0, b"ply\n", "other", "a PLY point cloud or mesh, which emm1 does not read"),
    (0, b"%PDF", "other", "a PDF document"),
]


def describe(path: PathLike) -> list[str]:
    """What a file is, in lines of text; of a point cloud also how many points it has and where they are.

    Raises:
        emm1.errors.FileNotFoundError: there is no such file.
        emm1.errors.SourceError: it is a folder or no regular file.

    >>> import numpy as np
    >>> path = getfixture("tmp_path") / "chair.npy"
    >>> np.save(path, np.tile([0, 0, 0.5, 1, 1, 1], (10, 1)).astype("float32"))
    >>> describe(path)[:2]
    ['a point cloud: an array of float32, 10 points', 'xyz from (0, 0, 0.5) to (0, 0, 0.5), rgb from 1 to 1']
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    check_regular(path, SourceError)
    if path.is_dir():
        raise SourceError(f"{path} is a folder: name a file")
    try:
        with path.open("rb") as file:
            first = file.read(FIRST)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error
    family, what = kind_of(path, first)
    return _of_points(path) if family == "points" else [what]


def kind_of(path: Path, first: bytes) -> tuple[str, str]:
    """The kind of a file by its first bytes, and what that is in words.

    The kinds are image, audio, video, clip (audio or video), points, empty, html, zeros and other.
    """
    if not first:
        return "empty", "an empty file: it was not downloaded whole"
    if is_pointer(path):
        return "other", "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"
    if first.startswith(b"\x93NUMPY"):
        return "points", "a .npy file"
    for at, magic, family, kind in KINDS:
        if first[at : at + len(magic)] == magic:
            return family, kind
    if first.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "html", "an HTML page, such as servers send in place of a file that they do not have"
    if not first.strip(b"\0"):
        return "zeros", "nothing but zeros at its beginning: a download that was not completed"
    return "other", "of no kind that emm1 knows"


def _of_points(path: Path) -> list[str]:
    from emm1.media.points import AXES, read_points  # noqa: PLC0415 - needs NumPy

    try:
        cloud = read_points(path)
    except SourceError as error:
        return [f"a .npy file, but no point cloud that can be used: {error}"]
    xyz, rgb = cloud.array[:, :AXES], cloud.array[:, AXES:]
    low, high = (", ".join(f"{value:.4g}" for value in side(axis=0)) for side in (xyz.min, xyz.max))
    lines = [
        f"a point cloud: {cloud.form}, {len(xyz):,} points",
        f"xyz from ({low}) to ({high}), rgb from {rgb.min():.4g} to {rgb.max():.4g}",
    ]
    if cloud.others:
        more = f" and {len(cloud.others) - NAMED:,} more" if len(cloud.others) > NAMED else ""
        lines.append(f"beside them: {', '.join(f'{name:.40}' for name in cloud.others[:NAMED])}{more}")
    lines += [f"when it is read: {note}" for note in cloud.notes]
    if cloud.ready:
        return [*lines, "EBind reads it as it is"]
    return [*lines, "EBind reads it after `emm1 media convert-points`"]

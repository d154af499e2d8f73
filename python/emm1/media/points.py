"""Point clouds: OpenShape's pickled dictionaries and plain arrays, as (points, 6) of float32."""

from __future__ import annotations

import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from emm1.checks import PathLike, check_regular, is_pointer
from emm1.errors import FileNotFoundError, SourceError
from emm1.media.pickled import Array, Dtype, NumpyProgram

LONG = 10**20  # of a key, a number that is not written out
LARGEST = 1 << 28  # bytes of a file: OpenShape's have less than a hundredth of that
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
# Colours of clouds that have none: what OpenShape and Uni3D take then.
GREY = 0.4
NEAR = 1e-3  # that much beyond 0 or 1 is rounding
BRIGHTEST = 255
AXES, COMPONENTS = 3, 6


@dataclass(frozen=True, eq=False)
class PointCloud:
    """A point cloud.

    Attributes:
        array: float32, (points, 6): x, y, z, and red, green and blue from 0 to 1.
        form: what the file is.
        ready: whether a model that takes (points, 6) reads the file as it is.
        notes: what was done to the values.
        others: other entries of the file, which are not part of the cloud.
    """

    array: NDArray[np.float32]
    form: str
    ready: bool
    notes: tuple[str, ...]
    others: tuple[str, ...] = ()


def read_points(path: PathLike) -> PointCloud:
    """Read a point cloud; nothing in the file is executed.

    Args:
        path: a ``.npy`` file: a pickled dictionary with xyz and rgb, as OpenShape has them, or a plain array of shape
            (points, 6), or (points, 3) without colours. Colours from 0 to 255 are divided by 255; where there are none, they
            are 0.4, as in OpenShape's own code. float64 is rounded to float32. Coordinates are not changed.

    Raises:
        emm1.errors.FileNotFoundError: there is no such file.
        emm1.errors.SourceError: it is damaged or no point cloud; says what is wrong, and at which point.

    >>> import numpy as np
    >>> path = getfixture("tmp_path") / "chair.npy"
    >>> np.save(path, {"xyz": np.zeros((2, 3)), "rgb": np.full((2, 3), 255, "uint8")})
    >>> cloud = read_points(path)
    >>> cloud.array.tolist()
    [[0.0, 0.0, 0.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]]
    >>> cloud.form, cloud.notes
    ('a pickled dictionary', ('colours from 0 to 255 were divided by 255',))
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    check_regular(path, SourceError)
    try:
        return _read(path)
    except SourceError:
        raise
    except (EOFError, KeyError, MemoryError, OSError, SyntaxError, TypeError, ValueError, tokenize.TokenError) as error:
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise SourceError(f"{path} cannot be read as a point cloud: {reason}") from error


def normalized(cloud: NDArray[np.float32]) -> NDArray[np.float32]:
    """A cloud whose points have their mean at the origin and the farthest at distance 1, in float64, rounded once.

    >>> normalized(np.array([[1, 0, 0, 1, 1, 1], [5, 0, 0, 1, 1, 1]], "float32"))[:, 0].tolist()
    [-1.0, 1.0]
    """
    xyz = cloud[:, :AXES].astype(np.float64)
    xyz -= xyz.mean(axis=0)
    farthest = np.linalg.norm(xyz, axis=1).max()
    moved = cloud.copy()
    moved[:, :AXES] = xyz / farthest if farthest > 0 else 0
    return moved


def _read(path: Path) -> PointCloud:
    if path.is_dir():
        raise ValueError("it is a folder")
    if is_pointer(path):
        raise ValueError("it is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it has {path.stat().st_size:,} bytes, and no point cloud has more than {LARGEST:,}")
    with path.open("rb") as file:
        if file.read(len(npy.MAGIC_PREFIX)) != npy.MAGIC_PREFIX:
            raise ValueError("it is no .npy file")
        file.seek(0)
        read = HEADERS.get(npy.read_magic(file))
        if read is None:
            raise ValueError("it has an unknown version of the .npy format")
        shape, fortran, dtype = read(file)
        return _of_dictionary(file, shape) if dtype.hasobject else _of_array(file, shape, dtype, fortran=fortran)


def _of_array(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], *, fortran: bool) -> PointCloud:
    data = Array(shape, Dtype(dtype.str[1:], dtype.str[0]), fortran, file.read()).numbers()
    if data.ndim != 2 or data.shape[1] not in {AXES, COMPONENTS}:  # noqa: PLR2004 - points and their components
        raise ValueError(f"it holds an array of shape {shape}, expected (points, 6) or (points, 3)")
    rgb = data[:, AXES:] if data.shape[1] == COMPONENTS else None
    cloud, notes = _joined(data[:, :AXES], rgb)
    # Whatever the type is: models convert it, as they do everything that torch reads.
    ready = rgb is not None and not any("colours" in note for note in notes) and dtype.byteorder != ">"
    return PointCloud(cloud, f"an array of {dtype}", ready, tuple(notes))


def _named(key: str | int) -> str:
    """The key of an entry on a line; a number that is too long to be written stays unwritten."""
    if isinstance(key, str):
        return key if key.isprintable() else repr(key)
    return str(key) if abs(key) < LONG else "a long number"


def _of_dictionary(file: IO[bytes], shape: tuple[int, ...]) -> PointCloud:
    value = NumpyProgram(file.read()).run()
    entries = value.data[0] if isinstance(value, Array) and isinstance(value.data, list) and value.data else value
    if shape or not isinstance(entries, dict):
        raise ValueError(f"it holds objects of shape {shape}, expected one dictionary with xyz and rgb")
    if "xyz" not in entries:
        listing = ", ".join(sorted(map(_named, entries))) or "nothing"
        raise ValueError(f"its dictionary has no 'xyz': it has {listing:.200}")
    cloud, notes = _joined(_entry(entries, "xyz"), _entry(entries, "rgb") if "rgb" in entries else None)
    others = tuple(_named(key) for key in entries if key not in {"xyz", "rgb"})
    return PointCloud(cloud, "a pickled dictionary", ready=False, notes=tuple(notes), others=others)


def _entry(entries: dict[str, Any], name: str) -> NDArray[Any]:
    value = entries[name]
    if not isinstance(value, Array):
        raise TypeError(f"its {name!r} is no array but {type(value).__name__}")
    try:
        numbers = value.numbers()
    except (TypeError, ValueError) as error:
        raise ValueError(f"its {name!r} is {error}") from error
    if numbers.ndim != 2 or numbers.shape[1] != AXES:  # noqa: PLR2004 - points and their components
        raise ValueError(f"its {name!r} has the shape {numbers.shape}, expected (points, 3)")
    return numbers


def _joined(xyz: NDArray[Any], rgb: NDArray[Any] | None) -> tuple[NDArray[np.float32], list[str]]:
    """Coordinates and colours, side by side."""
    if not len(xyz):
        raise ValueError("it has no points")
    if rgb is not None and len(rgb) != len(xyz):
        raise ValueError(f"it has {len(xyz):,} points, but {len(rgb):,} colours")
    cloud = np.empty((len(xyz), COMPONENTS), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        cloud[:, :AXES] = xyz
    _refuse_infinite(cloud[:, :AXES], "coordinate")
    if rgb is None:
        cloud[:, AXES:] = GREY
        return cloud, [f"it has no colours, which were set to {GREY}"]
    cloud[:, AXES:], notes = _colours(rgb)
    return cloud, notes


def _colours(rgb: NDArray[Any]) -> tuple[NDArray[np.float64], list[str]]:
    """Colours from 0 to 1, whatever they are from."""
    colours = rgb.astype(np.float64)
    _refuse_infinite(colours, "colour")
    whole = rgb.dtype.kind in "iu"
    top = BRIGHTEST if whole or colours.max() > 1 + NEAR else 1
    wrong = (colours < -NEAR) | (colours > top + NEAR)
    if wrong.any():
        point = int(np.argmax(wrong.any(axis=1)))
        raise ValueError(
            f"point {point} has the colour {colours[point].tolist()}: expected 0 to 1, or 0 to {BRIGHTEST}"
        )
    notes = [f"colours from 0 to {BRIGHTEST} were divided by {BRIGHTEST}"] if top == BRIGHTEST else []
    return np.clip(colours / top, 0, 1), notes


def _refuse_infinite(numbers: NDArray[Any], what: str) -> None:
    finite = np.isfinite(numbers).all(axis=1)
    if not finite.all():
        raise ValueError(f"point {int(np.argmin(finite))} has a {what} that is NaN, infinite or too large for float32")

"""NumPy's arrays in a pickle, read without running it: what ``numpy.save`` writes for a dictionary."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emm1.pickles import Program

CODE = re.compile(r"[fiu][1248]")
LARGEST = 1 << 62
MOST_DIMENSIONS = 32
# Modules that the functions were in, in NumPy 1 and 2.
MODULES = ("numpy.core.", "numpy._core.")


@dataclass(eq=False)
class Dtype:
    """The type of an array's numbers.

    Attributes:
        code: NumPy's code without the byte order, such as ``f4``.
        order: the byte order: ``<``, ``>``, or ``|`` where there is none.
    """

    code: str
    order: str = "|"


@dataclass(eq=False)
class Array:
    """An array, whose attributes follow after it in the pickle.

    Attributes:
        shape: its sizes.
        dtype: the type of its numbers.
        fortran: whether it is stored in Fortran order.
        data: its bytes, or a list of objects.
    """

    shape: tuple[int, ...] = ()
    dtype: Dtype = field(default_factory=lambda: Dtype("V"))
    fortran: bool = False
    data: Any = None

    def numbers(self) -> NDArray[Any]:
        """The array.

        Raises:
            TypeError: it has no bytes.
            ValueError: it holds no numbers, or not as many bytes as it should.
        """
        if CODE.fullmatch(self.dtype.code) is None:
            raise ValueError(f"an array of {self.dtype.code!r:.20}, not of numbers")
        if len(self.shape) > MOST_DIMENSIONS or not all(type(n) is int and 0 <= n < LARGEST for n in self.shape):
            raise ValueError("an array of a shape that no array has")
        dtype = np.dtype(f"{'=' if self.dtype.order == '|' else self.dtype.order}{self.dtype.code}")
        if not isinstance(self.data, bytes | bytearray):
            raise TypeError(f"an array of {self.dtype.code} without its numbers")
        if math.prod(self.shape) * dtype.itemsize != len(self.data):
            raise ValueError(f"an array of shape {self.shape} of {dtype} with {len(self.data):,} bytes")
        return np.frombuffer(self.data, dtype).reshape(self.shape, order="F" if self.fortran else "C")


class NumpyProgram(Program):
    """The pickle of a ``.npy`` file of objects.

    >>> import numpy as np, pickle
    >>> cloud = np.array({"xyz": np.ones((2, 3))}, dtype=object)
    >>> found = NumpyProgram(pickle.dumps(cloud)).run()
    >>> found.data[0]["xyz"].numbers().tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    WRITER = "numpy.save"
    _encoded = 0  # bytes that calls gave so far

    def called(self, name: str, arguments: Any) -> Any:
        """An array, a type, or bytes as Python 2's protocol writes them; an `Opaque` for any other call."""
        for module in MODULES:
            if name == f"{module}multiarray _reconstruct":
                return Array()
            if name == f"{module}numeric _frombuffer":
                data, dtype, shape, order = arguments
                return Array(tuple(shape), dtype, order == "F", data)
        if name == "numpy dtype":
            if not isinstance(arguments[0], str):
                raise TypeError("a type without a name")
            return Dtype(arguments[0])
        if name == "_codecs encode" and arguments[1] == "latin1":
            self._encoded += len(arguments[0])
            if self._encoded > len(self._pickle):
                raise ValueError("its pickle writes the same bytes again and again, which numpy.save does not")
            return arguments[0].encode("latin1")
        return super().called(name, arguments)

    def built(self, target: Any, state: Any) -> None:
        """Give an array or a type its attributes."""
        if isinstance(target, Array):
            _version, shape, dtype, fortran, data = state
            if not isinstance(dtype, Dtype):
                raise TypeError("an array without a type")
            target.shape, target.dtype, target.fortran, target.data = tuple(shape), dtype, bool(fortran), data
        elif isinstance(target, Dtype):
            if not isinstance(state[1], str) or state[1] not in {"<", ">", "=", "|"}:
                raise TypeError("a type without a byte order")
            target.order = state[1]

"""Writes what torch.save writes, without torch: the same zip members, the same pickle instructions."""

from __future__ import annotations

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

CLASSES = {
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "int32": "IntStorage",
    "int64": "LongStorage",
    "complex64": "ComplexFloatStorage",
}


def _module(name: str, **functions: Any) -> ModuleType:
    module = ModuleType(name)
    for key, function in functions.items():
        function.__module__, function.__qualname__ = name, key
        setattr(module, key, function)
    return module


def _rebuild_tensor_v2(*arguments: object) -> None: ...


def _rebuild_parameter(*arguments: object) -> None: ...


@dataclass(frozen=True, eq=False)
class Storage:
    """The numbers under one or more tensors."""

    numbers: NDArray[Any]


class Tensor:
    """A tensor as torch pickles it: a view of a storage.

    Args:
        array: its numbers; a view is written as one of the whole array it is of.
        parameter: whether it is a torch.nn.Parameter.
    """

    def __init__(self, array: NDArray[Any], *, parameter: bool = False) -> None:
        base = array.base if isinstance(array.base, np.ndarray) else array
        size = array.itemsize
        self.storage = Storage(base)
        self.offset = (array.ctypes.data - base.ctypes.data) // size
        self.shape, self.stride = array.shape, tuple(step // size for step in array.strides)
        self.parameter = parameter

    def __reduce__(self) -> tuple[Any, ...]:
        plain: tuple[Any, ...] = (
            _rebuild_tensor_v2,
            (self.storage, self.offset, self.shape, self.stride, False, OrderedDict()),
        )
        if not self.parameter:
            return plain
        whole = Tensor.__new__(Tensor)
        whole.__dict__.update(self.__dict__, parameter=False)
        return (_rebuild_parameter, (whole, True, OrderedDict()))


def save(monkeypatch: pytest.MonkeyPatch, value: object, path: Path, *, protocol: int = 2) -> None:
    """Write a ``.pt`` file."""
    storages = {name: type(name, (), {"__module__": "torch"}) for name in CLASSES.values()}
    torch = ModuleType("torch")
    for name, kind in storages.items():
        setattr(torch, name, kind)
    functions = {"_rebuild_tensor_v2": _rebuild_tensor_v2, "_rebuild_parameter": _rebuild_parameter}
    written: list[Storage] = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, held: object) -> object:
            if not isinstance(held, Storage):
                return None
            if held not in written:
                written.append(held)
            kind = storages[CLASSES[held.numbers.dtype.name]]
            return ("storage", kind, str(written.index(held)), "cpu", held.numbers.size)

    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "torch", torch)
        patched.setitem(sys.modules, "torch._utils", _module("torch._utils", **functions))
        buffer = io.BytesIO()
        Pickler(buffer, protocol=protocol).dump(value)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{path.stem}/data.pkl", buffer.getvalue())
        archive.writestr(f"{path.stem}/byteorder", "little")
        for i, storage in enumerate(written):
            archive.writestr(f"{path.stem}/data/{i}", np.asarray(storage.numbers).tobytes())
        archive.writestr(f"{path.stem}/version", "3\n")

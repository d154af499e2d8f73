"""Pickles, read without running them.

A pickle is a program that may call anything. Here its instructions are read one by one, and only those that build plain
values are interpreted. A call becomes what `Program.called` makes of it, which is an `Opaque` that names the function unless a
subclass knows better. Nothing is imported and nothing is called.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LONGEST = 1000
"""Characters of the longest name of a class."""


@dataclass(frozen=True, eq=False)
class Opaque:
    """A value that is not interpreted: an object of some class, or the class itself.

    Attributes:
        name: module and name of the class.
    """

    name: str

    def __str__(self) -> str:
        return self.name


class Program:
    """The instructions of a pickle, interpreted as data.

    Args:
        pickle: protocol 2 to 5.

    >>> import os, pickle
    >>> Program(pickle.dumps({"a": [1, 2.5], "run": os.getcwd})).run()["a"]
    [1, 2.5]
    """

    WRITER = "what emm1 reads"  # in messages: who never writes other instructions

    def __init__(self, pickle: bytes) -> None:
        self._pickle = pickle
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []  # the stacks below each MARK
        self._memo: dict[int, Any] = {}

    def called(self, name: str, arguments: Any) -> Any:  # noqa: ARG002 - for subclasses
        """The result of a call of this function."""
        return Opaque(name)

    def persistent(self, reference: Any) -> Any:
        """A value that is stored outside of the pickle."""
        raise ValueError(
            f"its pickle refers to a {type(reference).__name__} outside of it, which {self.WRITER} does not"
        )

    def built(self, target: Any, state: Any) -> None:
        """Give an object its attributes; the values that are kept have none."""

    def run(self) -> Any:
        """The value that the pickle describes.

        Raises:
            ValueError: it is damaged, or does something that its writer never does.
        """
        try:
            for opcode, argument, _ in pickletools.genops(self._pickle):
                if opcode.name == "STOP":
                    return self._stack.pop()
                self._step(opcode.name, argument)
        except (IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"its pickle is damaged ({error!r:.200})") from error
        raise ValueError("its pickle ends before it is done")

    def _step(self, name: str, argument: Any) -> None:  # noqa: C901, PLR0912 - one case per instruction
        stack = self._stack
        match name:
            case "PROTO" | "FRAME":
                pass
            case "BINUNICODE" | "SHORT_BINUNICODE" | "BINUNICODE8" | "BINBYTES" | "SHORT_BINBYTES" | "BINBYTES8":
                stack.append(argument)
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "LONG4" | "BINFLOAT" | "BYTEARRAY8":
                stack.append(argument)
            case "NONE" | "NEWTRUE" | "NEWFALSE" | "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                stack.append(CONSTANTS[name]())
            case "GLOBAL":
                stack.append(Opaque(argument))
            case "STACK_GLOBAL":
                stack.append(Opaque(self._name(stack.pop(-2), stack.pop())))
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "MARK":
                self._marks.append(stack)
                self._stack = []
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "TUPLE":
                items = self._to_mark()
                self._stack.append(tuple(items))
            case "APPEND" | "APPENDS":
                items = self._to_mark() if name == "APPENDS" else [stack.pop()]
                if isinstance(self._stack[-1], list):
                    self._stack[-1].extend(items)
            case "SETITEM" | "SETITEMS":
                items = self._to_mark() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
                self._set(self._stack[-1], items)
            case "REDUCE" | "NEWOBJ":
                function, arguments = stack.pop(-2), stack.pop()
                stack.append(self.called(function.name, arguments))
            case "BUILD":
                state = stack.pop()
                self.built(stack[-1], state)
            case "BINPERSID":
                stack.append(self.persistent(stack.pop()))
            case _:
                raise ValueError(f"its pickle uses {name}, which {self.WRITER} does not")

    def _name(self, module: object, attribute: object) -> str:
        """Module and name of a class. Names of names of names could be as long as memory is."""
        if not (isinstance(module, str) and isinstance(attribute, str) and len(module) + len(attribute) <= LONGEST):
            raise ValueError(f"its pickle calls what has no name, which {self.WRITER} does not")
        return f"{module} {attribute}"

    def _to_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marks.pop()
        return items

    @staticmethod
    def _set(target: object, items: list[Any]) -> None:
        if isinstance(target, dict):
            # Other keys name nothing, and hashing a deeply nested key of a hostile file could exhaust the C stack.
            pairs = zip(items[::2], items[1::2], strict=True)
            target.update({key: value for key, value in pairs if isinstance(key, str | int)})


CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}

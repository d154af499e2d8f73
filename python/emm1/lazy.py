"""Modules that are slow to import, for annotations: `typing.get_type_hints` imports them, `import emm1` does not."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class LazyModule(ModuleType):
    """A module that is imported when one of its names is used.

    >>> LazyModule("fractions").Fraction(1, 2)
    Fraction(1, 2)
    """

    def __getattr__(self, name: str) -> object:
        """A name of the module; names that tools look for in every object do not import it."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(import_module(self.__name__), name)

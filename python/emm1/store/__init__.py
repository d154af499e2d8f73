"""A store is one DuckDB file: open, query, search by registered name, check."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emm1.store.store import Store

__all__ = ["Store"]

if not TYPE_CHECKING:  # a type checker would conclude that the module has every name

    def __getattr__(name: str) -> object:
        if name != "Store":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module("emm1.store.store").Store  # needs NumPy, which is slow to import

"""A store is one DuckDB file: open, query, search by registered name, check."""

from emm1.store.store import Store

__all__ = ["Store"]

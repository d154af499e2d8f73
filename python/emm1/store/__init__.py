"""One DuckDB file: opened, asked, searched by registered names, and checked."""

from emm1.store.store import Store

__all__ = ["Store"]

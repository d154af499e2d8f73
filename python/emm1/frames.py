"""Results as frames of Polars, pandas and Arrow, under the names that DuckDB's relations have for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from emm1.lazy import LazyModule

if TYPE_CHECKING:
    import polars  # noqa: ICN001 - its usual alias is the name of a method
    import pyarrow as pa
else:
    polars, pa = LazyModule("polars"), LazyModule("pyarrow")


class Frames:
    """A result that can be had as a frame; `_columns` gives its columns, by name and in order."""

    def _columns(self) -> dict[str, NDArray[Any]]:
        raise NotImplementedError

    def pl(self) -> polars.DataFrame:
        """A Polars frame, one row for each hit."""
        return polars.DataFrame(self._columns())

    def to_frame(self) -> polars.DataFrame:
        """The same as `pl`."""
        return self.pl()

    def arrow(self) -> pa.Table:
        """An Arrow table, one row for each hit."""
        return pa.table(self._columns())

    def df(self) -> Any:
        """A pandas frame, one row for each hit; needs pandas."""
        import pandas as pd

        return pd.DataFrame(self._columns())

"""Items that count as not there: those with a flag, and those whose media file is not known to be well."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, TypeVar

import duckdb
import numpy as np
from numpy.typing import NDArray

from emm1.checks import listed, shown
from emm1.errors import EmbeddingError, StoreError

NOT_AVAILABLE = "not available"
# Flags of emm1's own commands, which may have found nothing.
OWN = ("duplicate", "leak", "broken", "noncommercial", "unreviewed-license")
Ids = NDArray[np.int64]
Kind = tuple[str, str]
Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Excluded:
    """Items that count as not there. If nothing is excluded it is false.

    Captions have no media file, so they are always available.

    Attributes:
        flags: the flags that exclude an item.
        available: whether an item is excluded unless its media file was checked and found well.
    """

    flags: tuple[str, ...] = ()
    available: bool = False
    _flagged: Mapping[Kind, Mapping[str, Ids]] = field(default_factory=dict, repr=False)
    _well: Mapping[Kind, Mapping[str, Ids]] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.flags) or self.available

    @property
    def identity(self) -> dict[str, str]:
        """What tells exclusions apart, so that an interrupted run is not resumed with another one: nothing if nothing is excluded."""
        if not self:
            return {}
        digest = hashlib.sha256()
        for by_kind in (self._flagged, self._well):
            for kind in sorted(by_kind):
                for flag, ids in sorted(by_kind[kind].items()):
                    digest.update(f"{kind} {flag} {len(ids)}".encode() + ids.tobytes())
        return {"excluded": f"{', '.join(self.flags)} {self.available} {digest.hexdigest()}"}

    def needs_checked(self, modality: str) -> bool:
        """Whether an item of a modality is excluded unless its media file is well."""
        return self.available and modality != "text"

    def flagged(self, dataset: str, modality: str) -> Ids:
        """The ids with one of the flags, ascending."""
        return np.unique(np.concatenate([np.empty(0, np.int64), *self._flagged.get((dataset, modality), {}).values()]))

    def well(self, dataset: str, modality: str) -> Ids:
        """The ids whose media file is well, ascending."""
        return self._well.get((dataset, modality), {}).get("ok", np.empty(0, np.int64))

    def has(self, dataset: str, modality: str, ids: Ids) -> NDArray[np.bool_]:
        """Which of some items are excluded, (n,).

        >>> flagged = {("1m", "image"): {"leak": np.array([3, 7])}}
        >>> Excluded(("leak",), _flagged=flagged).has("1m", "image", np.array([7, 8])).tolist()
        [True, False]
        """
        out: NDArray[np.bool_] = np.isin(ids, self.flagged(dataset, modality))
        if self.needs_checked(modality):
            out |= ~np.isin(ids, self.well(dataset, modality))
        return out

    def count(self, dataset: str, modality: str, ids: Ids) -> dict[str, int]:
        """How many of some items each flag excludes; an item with two flags counts for both.

        >>> flagged = {("1m", "image"): {"leak": np.array([3, 7])}}
        >>> Excluded(("leak", "broken"), _flagged=flagged).count("1m", "image", np.array([7, 7, 8]))
        {'leak': 1, 'broken': 0}
        """
        distinct, by_flag = np.unique(ids), self._flagged.get((dataset, modality), {})
        found = {flag: int(np.isin(distinct, by_flag.get(flag, ())).sum()) for flag in self.flags}
        if self.available:
            well = np.isin(distinct, self.well(dataset, modality)).sum()
            found[NOT_AVAILABLE] = len(distinct) - int(well) if self.needs_checked(modality) else 0
        return found


def excluded(connection: duckdb.DuckDBPyConnection, exclude: Iterable[str] = (), available: bool = False) -> Excluded:
    """What counts as not there in a store.

    Args:
        connection: a connection to the store.
        exclude: flags, such as ``duplicate``: items with one of them are excluded.
        available: exclude also the items whose media file was not checked, or was not found well each time.

    Raises:
        emm1.errors.StoreError: no item has such a flag, and no command of emm1 writes it; the message names the flags that there are.
            Or no media file was checked.
    """
    wanted: list[Any] = list(dict.fromkeys(listed(exclude, "exclude")))
    if wanted:
        known = sorted({row[0] for row in flags(connection).fetchall()})
        for flag in wanted:
            if flag not in known and flag not in OWN:
                there = f"the flags are {', '.join(known)}" if known else "no item has any"
                raise StoreError(f"no item has the flag {shown(flag)}: {there}")
    flagged = _by_kind(connection, "flagged", {"flags": wanted}) if wanted else {}
    well = _by_kind(connection, "available", {}) if available else {}
    if available and not well:
        raise StoreError("no media file is known to be well: check the media first, which fills the table media_status")
    return Excluded(tuple(wanted), bool(available), flagged, well)


def flags(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """The flags of a store: flag, source, dataset, modality, and how many items have it."""
    return connection.sql(_sql("flags"))


def _by_kind(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, Any]
) -> dict[Kind, dict[str, Ids]]:
    table = connection.sql(_sql(query), params=parameters).to_arrow_table()
    found: dict[Kind, dict[str, Ids]] = {}
    # The rows are sorted, so that those of one kind and flag are together.
    columns = [table.column(place).combine_chunks().dictionary_encode() for place in range(3)]
    codes = [column.indices.to_numpy() for column in columns]
    ids = table.column(3).to_numpy()
    changes = np.any([np.diff(code) != 0 for code in codes], axis=0)
    if not len(ids):
        return found
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    for start, part in zip(starts, np.split(ids, starts[1:]), strict=True):
        dataset, modality, flag = (column[int(start)].as_py() for column in columns)
        found.setdefault((dataset, modality), {})[flag] = part
    return found


def need_items(entry: Entry | None, name: str) -> Entry:
    """What embeddings are of, which must be known if items are excluded.

    Raises:
        EmbeddingError: `entry` is None: the embeddings are a file.
    """
    if entry is None:
        raise EmbeddingError(
            f"which items are excluded depends on what the vectors are of, which is not known of the file {name}: register it"
        )
    return entry


def _sql(name: str) -> str:
    return (files("emm1") / "sql" / "excluded" / f"{name}.sql").read_text(encoding="utf-8")

"""Labels by id, from a mapping or from a frame with the columns id and label."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from emm1.checks import shown
from emm1.errors import EmbeddingError
from emm1.evaluation.zero_shot.items import Labels

COLUMNS = ("id", "label")
# An id of 64 bits, as it is printed.
NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")
EXPECTED = "a mapping of ids to labels, a frame with the columns id and label, or a list"


def as_labels(labels: Any, what: str = "labels") -> dict[int, tuple[str, ...]]:
    """The names of each id's classes, in code-point order and without repeats.

    Args:
        labels: a mapping of ids to a label or to several; or a list of them, for the ids from 0; or a frame of any library with the
            columns id and label, in which an id with several labels has several rows, or a list. A label is text or an
            integer; an id whose label is null has none.
        what: what the labels are called in messages.

    Raises:
        EmbeddingError: anything else.

    >>> as_labels({7: "bell", 8: ["dog", "bell"], 9: None})
    {7: ('bell',), 8: ('bell', 'dog')}
    """
    found: dict[int, set[str]] = {}
    for item, label in _pairs(labels, what):
        found.setdefault(item, set()).add(label)
    if not found:
        raise EmbeddingError(f"{what} are empty: no id has a label")
    return {item: tuple(sorted(names)) for item, names in found.items()}


def _pairs(labels: Any, what: str) -> Iterable[tuple[int, str]]:
    """An id and the name of one of its classes."""
    if isinstance(labels, list | np.ndarray):
        labels = dict(enumerate(labels))
    if not isinstance(labels, Mapping):
        return _of_frame(_frame(labels, what), what)
    return ((_id(item, what), _name(label, what)) for item, several in labels.items() for label in _several(several))


def _several(labels: Any) -> Iterable[Any]:
    if isinstance(labels, list | tuple | set | frozenset | np.ndarray):
        return np.atleast_1d(labels) if isinstance(labels, np.ndarray) else labels
    return () if labels is None else (labels,)


def _id(item: Any, what: str) -> int:
    if isinstance(item, bool) or not isinstance(item, int | np.integer):
        raise EmbeddingError(f"{what} have the id {shown(item)}: ids are integers")
    return int(item)


def _name(label: Any, what: str) -> str:
    if isinstance(label, bool) or not isinstance(label, str | int | np.integer):
        raise EmbeddingError(f"{what} have the label {shown(label)}: labels are text or integers")
    return str(label)


def _frame(labels: Any, what: str) -> pl.DataFrame:
    if isinstance(labels, pl.DataFrame):
        return labels
    try:
        if isinstance(labels, pl.LazyFrame):
            return labels.collect()
        if isinstance(labels, duckdb.DuckDBPyRelation):
            return pl.DataFrame(labels.to_arrow_table())
        if hasattr(labels, "__arrow_c_stream__"):
            return pl.DataFrame(labels)
    except Exception as error:
        raise EmbeddingError(f"{what} cannot be read as {EXPECTED}: {error}") from error
    raise EmbeddingError(f"{what} must be {EXPECTED}, not {shown(labels)}")


def _of_frame(frame: pl.DataFrame, what: str) -> Iterable[tuple[int, str]]:
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        has = ", ".join(frame.columns) or "none"
        raise EmbeddingError(
            f"{what} have no column {' and no '.join(missing)}: expected id and label; they have {has}"
        )
    frame = frame.select(COLUMNS)
    if isinstance(frame["label"].dtype, pl.List | pl.Array):
        frame = frame.explode("label")
    ids, names = frame["id"], frame["label"]
    if not (ids.dtype.is_integer() or ids.dtype == pl.Null):
        raise EmbeddingError(f"{what} have ids of the type {ids.dtype}: ids are integers")
    if not (names.dtype.is_integer() or isinstance(names.dtype, pl.String | pl.Categorical | pl.Enum | pl.Null)):
        raise EmbeddingError(f"{what} have labels of the type {names.dtype}: labels are text or integers")
    if ids.null_count():
        raise EmbeddingError(f"{what} have no id in row {ids.is_null().arg_max()}")
    labelled = names.is_not_null()
    return zip(ids.filter(labelled).to_list(), names.filter(labelled).cast(pl.String).to_list(), strict=True)


def named(labels: Labels) -> set[str]:
    """The names of all classes that any id has."""
    return {name for names in labels.values() for name in names}


def each_its_own(ids: NDArray[np.int64], labels: Labels) -> dict[int, tuple[str, ...]] | None:
    """Items as classes, each of its own, named by its id; None if a label of the samples is no id of them.

    >>> each_its_own(np.array([0, 1, 2]), {7: ("0",), 8: ("2", "0")})
    {0: ('0',), 1: ('1',), 2: ('2',)}
    >>> each_its_own(np.array([0, 1, 2]), {7: ("bell",)}) is None
    True
    """
    names = named(labels)
    if not all(NUMBER.fullmatch(name) for name in names) or not np.isin([int(name) for name in names], ids).all():
        return None
    return {item: (str(item),) for item in ids.tolist()}

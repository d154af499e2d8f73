"""Rows as a batch of columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emm1.torch.items.missing import Missing
from emm1.torch.tensors import as_tensor, is_array, stacked

MISSING = "missing"


def collate(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rows as a batch: one dictionary of columns, for the ``collate_fn`` of torch's ``DataLoader``.

    Rows with a `Missing` are left out; how many is in ``missing``. Whole numbers become a tensor of int64, other numbers of float64,
    truth values of bool; arrays and tensors of one shape and type are stacked. All else is a list: texts, lists, arrays of
    different shapes, and columns with None. Without torch the tensors are NumPy's arrays. A batch of which nothing is left has ``missing``
    alone.

    >>> import emm1.torch
    >>> rows = [{"id": 7, "caption": "a dog"}, {"id": emm1.torch.Missing("no vector"), "caption": "a cat"}]
    >>> batch = emm1.torch.collate(rows)
    >>> batch["id"].tolist(), batch["caption"], batch["missing"]
    ([7], ['a dog'], 1)
    """
    kept = [row for row in rows if not any(isinstance(value, Missing) for value in row.values())]
    names = kept[0] if kept else ()
    return {**{name: _column([row[name] for row in kept]) for name in names}, MISSING: len(rows) - len(kept)}


def _column(values: list[Any]) -> Any:
    kinds = {type(value) for value in values}
    if kinds == {int}:
        return as_tensor(np.array(values, np.int64))
    if kinds == {bool}:
        return as_tensor(np.array(values, np.bool_))
    if kinds <= {int, float}:
        return as_tensor(np.array(values, np.float64))
    if len(kinds) == 1 and is_array(values[0]) and len({(tuple(each.shape), each.dtype) for each in values}) == 1:
        return stacked(values)
    return values

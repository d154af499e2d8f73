"""Zero-shot classification in a store: registered names or files, and labels from a file or from SQL."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from emm1.checks import PathLike
from emm1.embeddings.file import Embeddings
from emm1.errors import EmbeddingError
from emm1.evaluation.report.provenance import LeftOut, Source
from emm1.evaluation.zero_shot.call import same_file
from emm1.evaluation.zero_shot.classify import Way
from emm1.evaluation.zero_shot.evaluate import evaluate
from emm1.evaluation.zero_shot.items import Items, Labels
from emm1.evaluation.zero_shot.labels import as_labels, each_its_own
from emm1.evaluation.zero_shot.report import ZeroShotReport
from emm1.store.excluded import Excluded, excluded, need_items
from emm1.store.registered import is_file
from emm1.store.store import Store
from emm1.tables import READERS, integers, is_table, read

# How a statement that gives rows begins; anything else is the name of a file.
STATEMENTS = {"from", "pivot", "select", "summarize", "table", "unpivot", "values", "with"}
Opened = tuple[Embeddings, Source, tuple[str, str] | None]


def zero_shot_of(
    store: Store,
    samples: PathLike,
    classes: PathLike,
    labels: Any,
    class_labels: Any,
    class_vectors: Way | None,
    exclude: Sequence[str] = (),
    available: bool = False,
) -> ZeroShotReport:
    """Classify samples of a store.

    Raises:
        emm1.errors.Error: what `Store.zero_shot` refuses.
    """
    first, second = _open(store, samples), _open(store, classes)
    same_items = _same_items(first, second)
    own_labels = _labels(store, labels, "labels")
    other_labels = own_labels if class_labels is None else _labels(store, class_labels, "class_labels")
    if class_labels is None and not same_items:
        found = each_its_own(second[0].ids, own_labels)
        if found is None:
            raise EmbeddingError(
                f"which classes do the rows of {os.fspath(classes)} belong to? Give a file or SQL with the columns id and label, or "
                "label the samples by ids of these rows",
                class_labels="classes.csv",
            )
        other_labels = found
    with store.cursor() as connection:
        out = excluded(connection, exclude, available)
    left_out = _left_out(out, {"samples": first, "classes": second})
    own = _items(first, own_labels, out)
    texts = second[2] is not None and second[2][1] == "text"
    way = class_vectors or ("prompts" if texts and not same_items else "means")
    report = evaluate(own, _items(second, other_labels, out), way, own=same_items)
    return replace(report, provenance=replace(report.provenance, excluded=left_out))


def _open(store: Store, source: PathLike) -> Opened:
    """Embeddings, where they come from, and the split and modality that they are registered with."""
    embeddings = store.embeddings(source)
    found = Source.of(store, source, embeddings)
    if is_file(source):
        return embeddings, found, None
    entry = store.registry[os.fspath(source)]
    return embeddings, found, (entry.dataset, entry.modality)


def _same_items(first: Opened, second: Opened) -> bool:
    """Whether the ids of both name the same items: one file, or two that are registered for one split and modality."""
    if first[2] is not None and second[2] is not None:
        return first[2] == second[2]
    return same_file(first[0], second[0])


def _items(opened: Opened, labels: Labels, out: Excluded) -> Items:
    embeddings, source, of = opened
    if not out or of is None:
        return Items.of(embeddings, labels, source)
    labelled = np.fromiter(labels, np.int64, len(labels))
    gone = set(labelled[out.has(*of, labelled)].tolist())
    items = Items.of(embeddings, {item: names for item, names in labels.items() if item not in gone}, source)
    return replace(items, unlabelled=items.unlabelled[~out.has(*of, items.unlabelled)])


def _left_out(out: Excluded, opened: Mapping[str, Opened]) -> LeftOut:
    """How many items are excluded of those that have a vector.

    Raises:
        EmbeddingError: it is not known of which items the vectors are.
    """
    if not out:
        return LeftOut()
    return LeftOut.of(
        out,
        {what: (*need_items(of, embeddings.path.name), embeddings.ids) for what, (embeddings, _, of) in opened.items()},
    )


def _labels(store: Store, given: Any, what: str) -> dict[int, tuple[str, ...]]:
    """The labels of a file, of SQL, or of what `as_labels` takes."""
    if isinstance(given, str) and _is_sql(given):
        return as_labels(_rows(store, given, f"the SQL of {what}"), f"the rows of {what}")
    if isinstance(given, str | os.PathLike):
        if not is_table(given):
            raise EmbeddingError(f"{given} is neither SQL nor a file of labels: expected {', '.join(READERS)}")
        rows = read(Path(given), "labels")
        if rows.schema.get("id") == pl.String:
            rows = rows.with_columns(integers(rows["id"], str(given)))
        return as_labels(rows, f"the labels in {os.fspath(given)}")
    return as_labels(given, what)


def _is_sql(text: str) -> bool:
    words = text.lstrip("( \n\t").split(maxsplit=1)
    return bool(words) and words[0].casefold() in STATEMENTS


def _rows(store: Store, query: str, what: str) -> pl.DataFrame:
    """The rows of one statement."""
    with store.cursor() as connection:
        try:
            statements = connection.extract_statements(query)
            if len(statements) > 1:
                raise EmbeddingError(
                    f"{what} has {len(statements)} statements: give one, with the columns id and label"
                )
            relation = connection.sql(query)
            if relation is None:
                raise EmbeddingError(f"{what} gives no rows: expected the columns id and label")
            return pl.DataFrame(relation.to_arrow_table())
        except duckdb.Error as error:
            raise EmbeddingError(f"{what} cannot be read: {str(error).splitlines()[0]}") from error

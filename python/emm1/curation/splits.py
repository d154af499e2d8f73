"""Splits a store into training, validation and test so that nothing of the others leaks into training."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emm1.checks import shown
from emm1.curation.choice import LABELS, Largest, by_caption, by_component
from emm1.curation.components import components_of
from emm1.curation.purge import Purge, purge
from emm1.curation.split_report import SplitReport
from emm1.curation.universe import SOURCES, Source, Told, Universe, sql
from emm1.dataset import MODALITIES_OF
from emm1.errors import StoreError
from emm1.store.transactions import all_or_nothing

if TYPE_CHECKING:
    from emm1.store.store import Store

By = Literal["caption", "connected"]


def split_store(
    store: Store,
    test: int,
    validation: int,
    by: By = "caption",
    seed: int = 0,
    *,
    progress: Callable[[str, int, int], object] = lambda _what, _done, _total: None,
) -> SplitReport:
    """Split a store; `emm1.Store.split` says what the arguments mean.

    It happens in one transaction, so the table is either the old one or complete.
    """
    test, validation, seed = _whole(test, "test"), _whole(validation, "validation"), _whole(seed, "seed")
    if by not in get_args(By):
        raise StoreError(f"unknown way to split {shown(by)}: {', '.join(get_args(By))}")
    if not test + validation:
        raise StoreError("test and validation are both 0: say how many texts at least one of them is to have")
    changed = "the table of splits was changed by another connection meanwhile: split again"
    with store.cursor() as connection, all_or_nothing(connection, purpose="split it", changed=changed):
        replaced = connection.table("splits").shape[0]
        connection.execute("DELETE FROM splits")  # first, so that a store for reading is refused at once
        universe = Universe(connection, seed, _telling(progress, "captions and files"))
        counted = _counted(universe, test, validation)
        chosen, largest = _chosen(universe, counted, test, validation, by, _telling(progress, "components"))
        found = purge(universe, chosen, _telling(progress, "what is left for training"))
        rows = _write(connection, universe, found)
    return SplitReport(
        rows,
        by=by,
        seed=seed,
        dataset=counted.dataset,
        texts=int(np.count_nonzero(universe.used[counted.name])),
        test=test,
        validation=validation,
        shared=sum(found.shared.values()),
        largest=largest,
        replaced=replaced,
    )


def _telling(progress: Callable[[str, int, int], object], what: str) -> Told:
    return lambda done, total: progress(what, done, total)


def _whole(value: int, name: str) -> int:
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if number < 0:
        raise StoreError(f"{name} must be a whole number of at least 0, not {shown(value)}")
    return number


def _counted(universe: Universe, test: int, validation: int) -> Source:
    """The source whose texts are counted: the groups, or the triplets where there are no groups.

    Raises:
        StoreError: there are neither, or too few texts.
    """
    for source in SOURCES:
        texts = int(np.count_nonzero(universe.used[source.name]))
        if texts:
            if test + validation >= texts:
                raise StoreError(
                    f"the {source.name} of {source.dataset} have {texts:,} different texts, of which {test:,} for test and "
                    f"{validation:,} for validation leave none for training: ask for fewer"
                )
            return source
    raise StoreError("the store has neither groups nor triplets with captions: there is nothing to split")


def _chosen(
    universe: Universe, counted: Source, test: int, validation: int, by: By, told: Told
) -> tuple[NDArray[np.uint8], Largest | None]:
    """The label of each text, also of captions without one, before anything is purged."""
    used = universe.used[counted.name]
    if by == "connected":
        return by_component(components_of(universe, told), used, test, validation)
    others = np.logical_or.reduce([universe.used[source.name] for source in SOURCES])
    labels = by_caption(used, others, test, validation)
    return np.append(labels, np.zeros(universe.texts - universe.known, np.uint8)), None


def _write(
    connection: duckdb.DuckDBPyConnection, universe: Universe, found: Purge
) -> list[tuple[str, str, int, int, int, int]]:
    """Write the labels of all captions and items to the table.

    Returns:
        For each dataset, and for captions, rows of its source and items of each modality, how many have each label.
    """
    rows: list[tuple[str, str, int, int, int, int]] = []
    for dataset, modalities in MODALITIES_OF.items():
        for modality in modalities:
            numbering, labels = (
                universe.numbering(dataset, modality),
                found.texts if modality == "text" else found.files,
            )
            codes = labels[numbering.numbers]
            table = pa.table({"id": numbering.ids.astype(np.int32), "code": codes})
            connection.register("emm1_labelled", table)
            connection.execute(sql("write_splits"), {"dataset": dataset, "modality": modality})
            connection.unregister("emm1_labelled")
            if len(codes):
                rows.append((dataset, modality, *np.bincount(codes, minlength=len(LABELS)).tolist()))
    there = [source for source in SOURCES if universe.rows[source.name]]
    return rows + [(source.dataset, source.name, *found.rows[source.name].tolist()) for source in there]

"""Captions found by their words: by the index if the store has one, otherwise by reading some of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from time import perf_counter
from typing import Any

import duckdb
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant
from duckdb import FunctionExpression as Function

from emm1.dataset import MODALITIES_OF, SCHEMAS, SPLITS, Split
from emm1.explore.items import Item, items, sql
from emm1.explore.likeness import Narrowed
from emm1.store.caption_index import is_indexed, unknown_words

# Of each split, without an index: reading them takes a fraction of a second.
READ = 1_000_000
ALL = 2**62


@dataclass(frozen=True)
class Sought:
    """What is looked for in captions.

    Attributes:
        words: words and phrases, as `Store.match_captions` takes them.
        dataset: the split of the captions; None for both.
        narrowed: which captions.
        after: the rank after which captions are wanted.
        limit: at most so many.
    """

    words: str
    dataset: Split | None = None
    narrowed: Narrowed = field(default_factory=Narrowed)
    after: int = 0
    limit: int = 20


@dataclass(frozen=True)
class Hit:
    """A caption that has the words.

    Attributes:
        rank: its place among those that were looked for, from 1.
        item: the caption.
        score: by BM25 among all captions of the store; None without an index.
        pieces: the caption in pieces, and whether each is one of the words.
    """

    rank: int
    item: Item
    score: float | None
    pieces: list[tuple[str, bool]]


@dataclass(frozen=True)
class Matched:
    """The captions that have the words, best first; without an index, in the order of their ids.

    Attributes:
        hits: the captions.
        more: whether others follow.
        indexed: whether the store has an index.
        unknown: the words that no caption has, as far as the index knows.
        seconds: how long the search took, without looking up what the captions are.
    """

    hits: list[Hit]
    more: bool
    indexed: bool
    unknown: list[str]
    seconds: float


def match(connection: duckdb.DuckDBPyConnection, sought: Sought) -> Matched:
    """The captions that have some words."""
    indexed = is_indexed(connection)
    start = perf_counter()
    found = _by_index(connection, sought) if indexed else _by_reading(connection, sought)
    seconds = perf_counter() - start
    shown = found[: sought.limit]
    captions = _captions(connection, shown)
    pieces = _marked(connection, [captions[dataset, number] for dataset, number, _ in shown], sought.words)
    hits = [
        Hit(rank, captions[dataset, number], score, pieces[rank - sought.after - 1])
        for rank, (dataset, number, score) in enumerate(shown, sought.after + 1)
    ]
    unknown = unknown_words(connection, sought.words) if indexed else []
    return Matched(hits, len(found) > sought.limit, indexed, unknown, seconds)


def _by_index(connection: duckdb.DuckDBPyConnection, sought: Sought) -> list[tuple[Split, int, float]]:
    """Dataset, id and score of the best captions from a rank on, and of one more. Narrowing leaves scores as they are."""
    wanted = sought.after + sought.limit + 1
    narrow = sought.dataset is not None or sought.narrowed != Narrowed()
    found = connection.table_function("match_captions", [sought.words, ALL if narrow else wanted])
    rows = _narrowed(connection, found, sought).order("rank").limit(sought.limit + 1, offset=sought.after)
    return rows.select("dataset", "id", "score").fetchall()


def _by_reading(connection: duckdb.DuckDBPyConnection, sought: Sought) -> list[tuple[Split, int, None]]:
    """Dataset and id of the first captions that have the words, among the first `READ` of each split, and of one more."""
    ((words, phrases),) = connection.execute(sql("phrases"), {"words": sought.words}).fetchall()
    if not words:
        return []
    found: list[tuple[Split, int, None]] = []
    wanted = sought.after + sought.limit + 1
    for dataset in SPLITS:
        if "text" in MODALITIES_OF[dataset] and sought.dataset in {None, dataset}:
            rows = connection.table(f"{SCHEMAS[dataset]}.text").limit(READ).filter(_has(words, phrases or []))
            named = rows.select(Constant(dataset).alias("dataset"), Column("encord_text_id").alias("id"))
            chosen = _narrowed(connection, named, sought).order("id").limit(wanted - len(found))
            found += [(dataset, number, None) for _, number in chosen.fetchall()]
    return found[sought.after :]


def _has(words: list[str], phrases: list[str]) -> duckdb.Expression:
    """Whether a caption has all words and phrases. The longest word is looked for in plain ASCII first, which is fast."""
    caption = Column("caption")
    folded = Function("folded_words", caption)
    has_accents = Function("strlen", caption) != Function("length", caption)
    condition = has_accents | Function("contains", Function("lower", caption), Constant(max(words, key=len)))
    condition &= Function("list_has_all", folded, Constant(words))
    spaced = Function("concat", Constant(" "), Function("array_to_string", folded, Constant(" ")), Constant(" "))
    for phrase in phrases:
        condition &= Function("contains", spaced, Constant(phrase))
    return condition


def _narrowed(
    connection: duckdb.DuckDBPyConnection, rows: duckdb.DuckDBPyRelation, sought: Sought
) -> duckdb.DuckDBPyRelation:
    """Those of rows with a dataset and an id that are wanted."""
    if sought.dataset is not None:
        rows = rows.filter(Column("dataset") == Constant(sought.dataset))
    narrowed = sought.narrowed
    wanted = Column("modality") == Constant("text")
    from_source = wanted
    for column in ("source_dataset", "dataset_license"):
        value = getattr(narrowed, column)
        if value is not None:
            from_source &= Column(column) == Constant(value)
    if (narrowed.source_dataset, narrowed.dataset_license) != (None, None):
        rows = _semi_join(rows, connection.view("assets").filter(from_source))
    narrowed.check(connection)
    if narrowed.split is not None:
        rows = _semi_join(
            rows, connection.table("splits").filter(wanted & (Column("split") == Constant(narrowed.split)))
        )
    return rows


def _semi_join(rows: duckdb.DuckDBPyRelation, wanted: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    same = "m.dataset = w.dataset AND m.id = w.id"
    return rows.set_alias("m").join(wanted.select("dataset", "id").set_alias("w"), same, how="semi")


def _captions(
    connection: duckdb.DuckDBPyConnection, found: list[tuple[Split, int, Any]]
) -> dict[tuple[Split, int], Item]:
    known: dict[tuple[Split, int], Item] = {}
    for dataset in {dataset for dataset, *_ in found}:
        ids = (number for of, number, _ in found if of == dataset)
        known |= {(dataset, number): item for number, item in items(connection, dataset, "text", ids).items()}
    return known


def _marked(connection: duckdb.DuckDBPyConnection, captions: list[Item], words: str) -> list[list[tuple[str, bool]]]:
    """Each caption in pieces, and whether each is one of the words; neighbours of one kind are one piece."""
    texts = [caption.columns["caption"] for caption in captions]
    parts: list[list[tuple[str, bool]]] = [[] for _ in texts]
    for at, piece, matches in connection.execute(sql("marked"), {"words": words, "captions": texts}).fetchall():
        parts[at].append((piece, matches))
    return [
        [("".join(piece for piece, _ in run), matches) for matches, run in groupby(pieces, key=lambda part: part[1])]
        for pieces in parts
    ]

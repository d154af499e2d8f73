"""Read the Hub's Parquet files of a split: they fill the tables that no CSV file fills, and are compared with the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import duckdb
from sqlglot import exp

from emm1.dataset import KEYS, MODALITIES, SCHEMAS, Split
from emm1.errors import SourceError
from emm1.ingest.fingerprint import fingerprint
from emm1.ingest.hub.columns import HubFile
from emm1.ingest.hub.crosscheck import differing_groups, differing_items, differing_triplets
from emm1.ingest.hub.defects import refuse_defects
from emm1.ingest.hub.files import DATASETS, damage_named
from emm1.ingest.hub.found import FoundItems, found_items
from emm1.ingest.hub.labels import fill_labels, refuse_unlabelled
from emm1.ingest.hub.queries import in_order, place, placed, quoted, read_parquet, rows_of
from emm1.ingest.readers.contract import NewStore, ReadResult
from emm1.ingest.schema import add_columns, declared_columns
from emm1.ingest.sources import Source
from emm1.store.integrity import duplicates

# What the edition lacks.
LACKS: dict[Split, str] = {
    "1m": "Parquet edition: no items but those of its triplets, and no sources of captions",
    "100m": "Parquet edition: no items and captions but those of its groups",
}


@dataclass
class _Read:
    """What is known after reading: notes about the files, and how they differ from the tables that CSV files filled.

    Attributes:
        filled: whether a table was filled.
        compared: whether a table was compared.
    """

    filled: bool = False
    compared: bool = False
    notes: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def note(self, split: Split) -> str:
        """All of it, in words."""
        compared = f"compared with the CSV files: {'; '.join(self.differences) or 'no difference'}"
        return "; ".join(
            [*([LACKS[split]] if self.filled else []), *self.notes, *([compared] if self.compared else [])]
        )


def read_hub(new_store: NewStore, sources: Sequence[Source]) -> list[ReadResult]:
    """Read all files of a split.

    Raises:
        SourceError: a file is damaged or holds a value that the tables cannot, an item has two file paths, or a caption has
            two groups of a rank; the message names file and row.
    """
    contents = [fingerprint(source, new_store.begin(source)) for source in sources]
    files = in_order(source.hub for source in sources if source.hub is not None)
    split, beside = sources[0].split, sources[0].beside
    done = _Read()
    with damage_named([file.path for file in files], new_store.connection):
        counts = {file.path: _checked(new_store, file) for file in files}
        for modality in MODALITIES:
            new_store.step(f"{DATASETS[split]}: {modality}")
            known = declared_columns(new_store.connection)[SCHEMAS[split], modality]
            with found_items(new_store.connection, files, modality, known) as found:
                _take_items(new_store, split, modality, found, beside, done)
        new_store.step(f"{DATASETS[split]}: {'triplets' if split == '1m' else 'groups'}")
        if split == "1m":
            _take_triplets(new_store, files, beside, done)
        else:
            _take_groups(new_store, files, beside, done)
    note = done.note(split)
    return [ReadResult(counts[source.path], content, [note]) for source, content in zip(sources, contents, strict=True)]


def _checked(new_store: NewStore, file: HubFile) -> int:
    """The number of rows of a file without defects."""
    refuse_defects(new_store.connection, file)
    query = read_parquet(file.path).select(exp.Count(this=exp.Star()), append=False)
    ((rows,),) = new_store.connection.execute(query.sql("duckdb")).fetchall()
    return int(rows)


def _take_items(
    new_store: NewStore, split: Split, modality: str, found: FoundItems | None, beside: Sequence[Source], done: _Read
) -> None:
    """Fill the table of a modality, or compare it if a CSV file filled it."""
    if found is None:
        done.notes.append(f"no columns of {modality}")
        return
    done.notes += found.notes
    if any(source.table == modality for source in beside):
        done.compared = True
        done.differences += differing_items(new_store.connection, split, found)
        return
    done.filled = True
    _add_unknown(new_store.connection, split, modality, found.columns)
    each = exp.select(exp.column("id").as_(KEYS[split, modality]), *map(_column, found.columns))
    each = each.from_(found.query.subquery("found")).order_by("id")
    new_store.connection.execute(
        exp.Insert(this=exp.table_(modality, db=SCHEMAS[split]), expression=each, by_name=True).sql("duckdb")
    )


def _take_triplets(new_store: NewStore, files: Sequence[HubFile], beside: Sequence[Source], done: _Read) -> None:
    connection, tables = new_store.connection, {source.table for source in beside}
    if "annotation_mapping" not in tables:
        fill_labels(connection, files)
    if "triplets" in tables:
        done.compared = True
        done.differences += differing_triplets(connection, files)
        return
    done.filled = True
    for file in files:
        _insert_rows(connection, file, "triplets", rows_of(file))
    refuse_unlabelled(connection, files)


def _take_groups(new_store: NewStore, files: Sequence[HubFile], beside: Sequence[Source], done: _Read) -> None:
    connection = new_store.connection
    of_csv = {source.rank for source in beside}
    ranks = sorted({rank for file in files for rank in file.ranks})
    compared = [rank for rank in ranks if rank in of_csv]
    filled = [rank for rank in ranks if rank not in of_csv]
    done.compared |= bool(compared)
    done.filled |= bool(filled)
    for rank in compared:
        done.differences += differing_groups(connection, [file for file in files if rank in file.ranks], rank)
    for file in files:
        if wanted := [rank for rank in file.ranks if rank in filled]:
            _insert_rows(connection, file, "groups", rows_of(file, wanted))
    for rank in filled:
        if duplicates(connection, "e_mm1_100m.groups", "encord_text_id", rank):
            _refuse_twins(connection, files, rank)


def _insert_rows(connection: duckdb.DuckDBPyConnection, file: HubFile, table: str, rows: exp.Query) -> None:
    _add_unknown(connection, file.split, table, file.rows)
    into = exp.table_(table, db=SCHEMAS[file.split])
    connection.execute(exp.Insert(this=into, expression=rows, by_name=True).sql("duckdb"))


def _add_unknown(connection: duckdb.DuckDBPyConnection, split: Split, table: str, names: Iterable[str]) -> None:
    known = declared_columns(connection)[SCHEMAS[split], table]
    add_columns(connection, SCHEMAS[split], table, (name for name in names if name not in known))


def _refuse_twins(connection: duckdb.DuckDBPyConnection, files: Sequence[HubFile], rank: int) -> None:
    """Name two rows of one caption and rank."""
    caption, nn_index = exp.column("encord_text_id"), exp.column("nn_index").eq(rank)
    twin = exp.select(caption).from_("e_mm1_100m.groups").where(nn_index).group_by(caption)
    ((twice,),) = connection.execute(twin.having(exp.Count(this=exp.Star()) > 1).limit(1).sql("duckdb")).fetchall()
    rows = exp.select("place").from_(placed(files, ["encord_text_id", "nn_index"]).subquery("each"))
    rows = rows.where(nn_index, caption.eq(twice)).order_by("place").limit(2)
    first, second = (place(files, number) for (number,) in connection.execute(rows.sql("duckdb")).fetchall())
    raise SourceError(f"the caption {twice} has two groups of rank {rank}: {first}, and {second}")


def _column(name: str) -> exp.Column:
    return exp.column(quoted(name))

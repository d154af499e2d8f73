"""Load one CSV file into its table: header matched by name, values checked, unknown columns kept."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from sqlglot import exp, parse_one

from emm1.arguments import shown
from emm1.dataset import FILE_MODALITIES, KEYS
from emm1.errors import SourceError
from emm1.ingest.diagnose import Column, first_defect, syntax_problem
from emm1.ingest.enums import PUBLISHED

if TYPE_CHECKING:
    from emm1.ingest.sources import Source

# Columns that only some published files have; every other column of a table must be in its file.
OPTIONAL = {"youtube_id", "start_time", "end_time", "file_id"}
# Names that a published column has elsewhere in the dataset's own documents.
ALIASES = {"eshot_points_id": "eshot_point_id"}
# NUL, or a byte that is not UTF-8, as surrogateescape has it.
NOT_TEXT = re.compile("[\0\udc80-\udcff]")
TRIPLET_MODALITIES = tuple(sorted(FILE_MODALITIES))
SWITCHED = {
    "paired_modality": "annotated_modality",
    "annotated_modality": "paired_modality",
    "encord_paired_id": "encord_annotated_id",
    "encord_annotated_id": "encord_paired_id",
}

# An empty field is NULL, a quoted empty one '', as Polars reads them; nothing is guessed.
READ_CSV = parse_one(
    """
    SELECT * FROM read_csv($path, columns = $columns, header = true, auto_detect = false, delim = ',',
        quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, strict_mode = true)
    """,
    dialect="duckdb",
)


class Loader:
    """Loads CSV files into the tables of a store that is being built."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, switch_triplet_columns: bool = False) -> None:
        self.connection = connection
        self.switch_triplet_columns = switch_triplet_columns
        self.notes: list[str] = []
        self.declared: dict[tuple[str, str], dict[str, str]] = {}
        for schema, table, column, kind in connection.execute(
            "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE NOT internal AND database_name = current_database()"
        ).fetchall():
            self.declared.setdefault((schema, table), {})[column] = kind

    def load(self, source: Source) -> int:
        """Append the rows of a file to its table.

        Args:
            source: the file.

        Returns:
            The number of rows.

        Raises:
            SourceError: the file is not what it should be: says line, column and remedy.
        """
        table = exp.table_(source.table, db=source.schema)
        names = self._columns(source)
        self.add_columns(source.schema, source.table, names.values())
        query = READ_CSV.copy()
        query.set("expressions", [self._value(source, c, n) for c, n in names.items()])
        insert = exp.Insert(this=table, expression=query, by_name=True)
        try:
            inserted = self.connection.execute(
                insert.sql("duckdb"), {"path": str(source.path), "columns": dict.fromkeys(names, "VARCHAR")}
            ).fetchall()
        except (
            duckdb.InvalidInputException,
            duckdb.ConversionException,
            duckdb.ConstraintException,
        ) as error:
            raise SourceError(self.explain(source) or f"{source.path}: {str(error).splitlines()[0]}") from error
        rows = int(inserted[0][0])
        # DuckDB reads no row, and says nothing, where a quote stands in an unquoted name of the header.
        if not rows and has_rows(source.path):
            raise SourceError(
                self.explain(source)
                or f"{source.path}, line 1: no row could be read: look for stray quotes in the header"
            )
        return rows

    def columns(self, source: Source) -> list[str]:
        """The columns of its table that a file fills, added where they are not known here."""
        names = [*self._columns(source).values()]
        self.add_columns(source.schema, source.table, names)
        return names

    def explain(self, source: Source) -> str | None:
        """What is wrong in a file, in words for people; None where nothing is found."""
        declared = self.declared[source.schema, source.table]
        expected = {c: self._expected(source, n) for c, n in self._columns(source).items() if n in declared}
        return first_defect(source.path, expected)

    def _columns(self, source: Source) -> dict[str, str]:
        """For each column of the file, in order, the name it has in its table.

        Raises:
            SourceError: a column is missing or stands twice.
        """
        header = read_header(source.path)
        names = [ALIASES.get(name, name) for name in header]
        if source.table == "triplets" and self.switch_triplet_columns:
            names = [SWITCHED.get(name, name) for name in names]
        folded = [name.casefold() for name in names]
        twice = next((name for name in names if folded.count(name.casefold()) > 1), None)
        if twice is not None:
            raise SourceError(f"{source.path}: the header names the column {twice!r} twice: remove or rename one")
        declared = self.declared[source.schema, source.table]
        for name in declared:
            if name in names or name in OPTIONAL:
                continue
            alike = {n.casefold(): n for n in header if n not in declared}
            close = difflib.get_close_matches(name, alike, n=1, cutoff=0.5)
            hint = f"; {shown(alike[close[0]])} looks like it: rename it" if close else ""
            found = shown(", ".join(header), 300)
            raise SourceError(f"{source.path}: the header has no column {name!r}{hint} (found: {found})")
        absent = sorted(OPTIONAL & declared.keys() - set(names))
        note = f"{source.name} has no column {', '.join(absent)}: NULL in the store"
        if absent and note not in self.notes:
            self.notes.append(note)
        return dict(zip(header, names, strict=True))

    def add_columns(self, schema: str, table: str, names: Iterable[str]) -> None:
        """Give a table the columns that are not known here."""
        for name in names:
            if name not in self.declared[schema, table]:
                self._add_column(exp.table_(table, db=schema), name)

    def _add_column(self, table: exp.Table, name: str) -> None:
        identifier = exp.to_identifier(name, quoted=True)
        column = exp.ColumnDef(this=identifier, kind=exp.DataType.build("VARCHAR"), exists=True)
        self.connection.execute(exp.Alter(this=table, kind="TABLE", actions=[column]).sql("duckdb"))
        comment = exp.Comment(
            this=exp.column(identifier, table=table.name, db=table.db),
            kind="COLUMN",
            expression=exp.Literal.string(PUBLISHED),
        )
        self.connection.execute(comment.sql("duckdb"))

    def _value(self, source: Source, column: str, name: str) -> exp.Expr:
        """The expression that turns a field of the file into a value of the table."""
        field: exp.Expr = exp.column(exp.to_identifier(column, quoted=True))
        expected = self._expected(source, name)
        if expected.type in ("INTEGER", "SMALLINT"):
            field = exp.func("required_integer_field" if expected.required else "integer_field", field)
        elif expected.type == "DOUBLE":
            field = exp.func("number_field", field)
        if name == "nn_index":
            field = exp.func("rank_field", field, exp.Literal.number(source.rank or 0))
        elif name in ("paired_modality", "annotated_modality"):
            field = exp.func("triplet_modality_field", field)
        return exp.alias_(field, exp.to_identifier(name, quoted=True))

    def _expected(self, source: Source, name: str) -> Column:
        """What the values of a column of a file must be."""
        if name == KEYS.get((source.split, source.table)):
            return Column("INTEGER", required=True, unique=True)
        if name == "nn_index":
            return Column(
                "SMALLINT",
                required=True,
                allowed={str(source.rank)},
                what=f"the rank of its folder, {source.rank}",
            )
        if name in ("paired_modality", "annotated_modality"):
            return Column(
                required=True,
                allowed=TRIPLET_MODALITIES,
                what=f"a modality ({', '.join(TRIPLET_MODALITIES)})",
            )
        if name == "annotation":
            codes = self.connection.execute("SELECT annotation::VARCHAR FROM e_mm1_1m.annotation_mapping").fetchall()
            allowed = {code for (code,) in codes} or None
            return Column("SMALLINT", required=True, allowed=allowed, what="a code of annotation_mapping.csv")
        return Column(_plain(self.declared[source.schema, source.table].get(name)))


def read_header(path: Path) -> list[str]:
    """The first row of a CSV file.

    Raises:
        SourceError: there is none, or it is not text.
    """
    with path.open(encoding="utf-8-sig", newline="", errors="surrogateescape") as file:
        last = ""
        try:
            header = next(csv.reader((last := line for line in file), strict=True), [])
            problem = _header_problem(header, last)
        except csv.Error as error:
            problem = syntax_problem(str(error))
    if NOT_TEXT.search(last):
        problem = "the header is not CSV text in UTF-8: convert the file to it or download it again"
    if problem:
        raise SourceError(f"{path}, line 1: {problem}")
    return header


def has_rows(path: Path) -> bool:
    """Whether a CSV file has a row, empty lines aside, after its header."""
    with path.open(encoding="utf-8-sig", newline="", errors="surrogateescape") as file:
        return sum(1 for row in islice(filter(None, csv.reader(file)), 2)) > 1


def _header_problem(header: list[str], line: str) -> str | None:
    """What is wrong with a header, given the line that it ends in."""
    if not any(header):
        return "the header is empty: the first line must name the columns"
    if line.endswith("\r"):
        return "the lines end in CR alone: convert them to LF"
    for number, name in enumerate(header, 1):
        if not name:
            return f"column {number} of the header has no name: give it one"
        # DuckDB gives no rows, and no error, where a name has line ends of another kind than the file's own.
        if "\n" in name or "\r" in name:
            return f"the column name {shown(name)} has a line break: close its quote, or rename the column"
    return None


def _plain(kind: str | None) -> str:
    """The type of a table's column, but for ENUMs and what is not declared: both are text in a file."""
    return kind if kind in ("INTEGER", "SMALLINT", "DOUBLE") else "VARCHAR"

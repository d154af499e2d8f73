"""The labels of the annotations, which every row of the Hub's files of triplets repeats."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
from sqlglot import exp

from emm1.checks import shown
from emm1.errors import SourceError
from emm1.ingest.hub.columns import LABEL, HubFile
from emm1.ingest.hub.queries import place, placed


def fill_labels(connection: duckdb.DuckDBPyConnection, files: Sequence[HubFile]) -> None:
    """Fill ``e_mm1_1m.annotation_mapping``; it stays empty if no file has labels.

    Raises:
        SourceError: a code has two labels.
    """
    labelled = [file for file in files if file.labelled]
    if not labelled:
        return
    columns = [exp.column(name) for name in ("annotation", LABEL)]
    pairs = exp.select(*columns, exp.Min(this=exp.column("place"))).from_(
        placed(labelled, ["annotation", LABEL]).subquery("each")
    )
    pairs = pairs.where(columns[1].is_(exp.null()).not_()).group_by(*columns).order_by("3")
    labels: dict[int, tuple[str, str]] = {}
    for code, label, number in connection.execute(pairs.sql("duckdb")).fetchall():
        at = place(labelled, number)
        first, before = labels.setdefault(int(code), (label, at))
        if first != label:
            raise SourceError(
                f"the annotation {code} is called {shown(first)} ({before}) and {shown(label)} ({at}): one of the files is "
                "damaged, or they are of different versions"
            )
    rows = [(code, label) for code, (label, _) in sorted(labels.items())]
    if rows:
        connection.executemany("INSERT INTO e_mm1_1m.annotation_mapping VALUES (?, ?)", rows)


def refuse_unlabelled(connection: duckdb.DuckDBPyConnection, files: Sequence[HubFile]) -> None:
    """Refuse triplets with a code that has no label, if there are labels.

    Raises:
        SourceError: there is one.
    """
    labelled = connection.table("e_mm1_1m.annotation_mapping").select("annotation").fetchall()
    codes = connection.table("e_mm1_1m.triplets").select("annotation").distinct().fetchall()
    unknown = sorted({code for (code,) in codes} - {code for (code,) in labelled})
    if not labelled or not unknown:
        return
    rows = exp.select("place").from_(placed(files, ["annotation"]).subquery("each"))
    rows = rows.where(exp.column("annotation").isin(*map(exp.Literal.number, unknown))).order_by("place").limit(1)
    ((number,),) = connection.execute(rows.sql("duckdb")).fetchall()
    raise SourceError(f"{place(files, number)}, column annotation: the code has no label in {LABEL}")

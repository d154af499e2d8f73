"""Runs the SQL tests, ``tests/sql/*.test``, which have the form of DuckDB's sqllogictests.

A file consists of records between blank lines; ``#`` begins a comment. The records are ``load FILE [readonly]``, ``require emm1``,
``statement ok``, ``statement error`` with a part of the message after ``----``, ``query TYPES [rowsort]`` with rows after
``----``, a tab between values, and ``foreach NAME VALUE...`` to ``endloop``. A file that requires emm1 runs twice, with the
functions of the extension and with those in Python; ``onlyif extension`` or ``onlyif fallback`` before a record leaves it
out of the other run.

``${EMM1_SCHEMA}`` is the schema version, ``${EMM1_TREE}`` a sample tree, ``${EMM1_STORE}`` a store built from it, a copy for each file, ``${EMM1_ESHOT}`` one of
the split eshot alone, ``${EMM1_SEARCH}`` one with registered embeddings in ``${EMM1_FILES}``, which holds other files too.
"""

import re
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import duckdb
import numpy as np
import pytest
from safetensors.numpy import save_file
from trees import copied

import emm1
from emm1.errors import EmbeddingsWarning
from emm1.store.database import SCHEMA_VERSION

FOLDER = Path(__file__).parents[2] / "sql"
FILES = sorted(FOLDER.glob("*.test"))
# Every file, and those that require emm1 once for each implementation of its functions.
RUNS = [
    (path, way)
    for path in FILES
    for way in (("extension", "fallback") if "\nrequire emm1\n" in path.read_text() else ("",))
]
Line = tuple[int, str]


@dataclass(frozen=True)
class Record:
    """One statement or query, and its expected result."""

    place: str
    command: list[str]
    sql: str
    expected: list[str] | None
    only: str | None


def unrolled(lines: Iterator[Line]) -> Iterator[Line]:
    """The lines with the body of each loop repeated for its values; inside a loop, the lines up to its end."""
    for number, line in lines:
        if line.startswith("foreach "):
            _, name, *values = line.split()
            body = list(unrolled(lines))
            for value in values:
                yield from ((at, text.replace(f"${{{name}}}", value)) for at, text in body)
        elif line == "endloop":
            return
        else:
            yield number, line


def records(path: Path, variables: dict[str, Path | int]) -> Iterator[Record]:
    text = path.read_text(encoding="utf-8")
    for name, value in variables.items():
        text = text.replace(f"${{{name}}}", str(value))
    numbered = [(at, line) for at, line in enumerate(text.splitlines(), 1) if not line.startswith("#")]
    for blank, block in groupby(unrolled(iter(numbered)), lambda numbered_line: not numbered_line[1].strip()):
        if not blank:
            (first, command), *rest = block
            only = command.removeprefix("onlyif ") if command.startswith("onlyif ") else None
            if only:
                (first, command), *rest = rest
            lines = [line for _, line in rest]
            end = lines.index("----") if "----" in lines else len(lines)
            expected = lines[end + 1 :] if end < len(lines) else None
            yield Record(f"{path.name}:{first}", command.split(), "\n".join(lines[:end]), expected, only)


def shown(value: str | None) -> str:
    if value is None:
        return "NULL"
    return value.replace("\n", "\\n") or "(empty)"


def check(connection: duckdb.DuckDBPyConnection, record: Record) -> None:
    match record.command, record.expected:
        case ["statement", "ok"], None:
            connection.execute(record.sql)
        case ["statement", "error"], [*message]:
            with pytest.raises(duckdb.Error) as raised:
                connection.execute(record.sql).fetchall()
            assert "\n".join(message) in str(raised.value), record.place
        case ["query", types] | ["query", types, "rowsort"], [*rows]:
            relation = connection.sql(record.sql).project("COLUMNS(*)::VARCHAR")
            assert len(relation.columns) == len(types), record.place
            found = ["\t".join(map(shown, row)) for row in relation.fetchall()]
            if "rowsort" in record.command:
                found, rows = sorted(found), sorted(rows)
            assert found == rows, record.place
        case command, _:
            pytest.fail(f"{record.place}: not understood: {' '.join(command)}")


@pytest.fixture(scope="session")
def eshot_path(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("eshot") / "benchmark.duckdb"
    emm1.build(tree, path, splits=["eshot"]).close()
    return path


@pytest.fixture(scope="session")
def search_path(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("search") / "emm1.duckdb"
    emm1.build(tree, path).close()
    files = copied(tree / "embeddings", path.parent / "files")
    write_small_files(files)
    with emm1.open(path) as store:
        for name in ("text", "image"):
            store.add_embeddings(name, files / f"{name}.npy", dataset="100m", modality=name)
        store.add_embeddings("image_l2", files / "image.npy", dataset="100m", modality="image", metric="l2")
        with pytest.warns(EmbeddingsWarning, match="3 rows and no ids"):
            store.add_embeddings("wide", files / "wide.npy", dataset="100m", modality="image")
        for modality in ("audio", "points"):
            name = f"eshot_{modality}"
            store.add_embeddings(name, files / f"{name}.npy", dataset="eshot", modality=modality)
        store.index_captions()
    return path


def write_small_files(folder: Path) -> None:
    """Files so small that all answers can be worked out by hand."""
    square = np.array([[1, 0], [0, 1], [3, 4], [0, 0]], np.float32)
    np.save(folder / "square.npy", square)
    np.save(folder / "square.ids.npy", np.array([10, 20, 30, 40]))
    np.save(folder / "half.npy", square.astype(np.float16))
    np.save(folder / "wide.npy", np.eye(3, dtype=np.float32))
    np.save(folder / "empty.npy", square[:0])
    np.save(folder / "nan.npy", np.array([[1, 1], [1, np.nan]], np.float32))
    np.save(folder / "far.npy", np.array([[-3e38], [1]], np.float32))
    (folder / "notes.txt").write_text("notes")
    (folder / "shards").mkdir()
    np.save(folder / "shards" / "a.npy", square[:1])
    np.save(folder / "shards" / "b.npy", square[1:])
    save_file({"square": square, "other": square[:1]}, folder / "two.safetensors")


@pytest.mark.parametrize(("path", "way"), RUNS, ids=lambda value: getattr(value, "stem", value))
def test_file(
    path: Path, way: str, tree: Path, store_path: Path, eshot_path: Path, search_path: Path, tmp_path: Path
) -> None:
    variables: dict[str, Path | int] = {
        "EMM1_SCHEMA": SCHEMA_VERSION,
        "EMM1_TREE": tree,
        "EMM1_STORE": Path(shutil.copy(store_path, tmp_path)),
        "EMM1_ESHOT": eshot_path,
        "EMM1_SEARCH": search_path,
        "EMM1_FILES": search_path.parent / "files",
    }
    connection = duckdb.connect()
    for record in records(path, variables):
        if record.only not in (None, way):
            continue
        try:
            if record.command[0] == "load":
                connection.close()
                config: dict[str, str | bool | int | float | list[str]] = {
                    "allow_unsigned_extensions": way == "extension"
                }
                connection = duckdb.connect(record.command[1], "readonly" in record.command, config)
            elif record.command == ["require", "emm1"]:
                with warnings.catch_warnings(action="ignore" if way == "fallback" else "error"):
                    emm1.load_extension(connection)
            else:
                check(connection, record)
        except duckdb.Error as error:
            pytest.fail(f"{record.place}: {error}")
    connection.close()


def test_nothing_is_left_out(store_path: Path) -> None:
    """Every table, view, macro and function appears in a statement or query, with its schema if that is not main.

    Every macro also appears in a statement that fails, except those that only join texts; test_function_arguments.py lets
    every function fail.
    """
    everything = [record for path in FILES for record in records(path, {})]
    asked = "\n".join(record.sql for record in everything)
    refused = "\n".join(record.sql for record in everything if record.command == ["statement", "error"])
    with emm1.open(store_path, read_only=True) as store:
        relations = names(
            store,
            """
            SELECT if(schema_name = 'main', '', schema_name || '.') || name FROM (
                SELECT schema_name, table_name AS name FROM duckdb_tables()
                UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal
            )""",
        )
        macros = names(
            store,
            """
            SELECT DISTINCT function_name FROM duckdb_functions()
            WHERE NOT internal AND database_name = current_database()""",
        )
        functions = names(
            store,
            """
            SELECT DISTINCT function_name FROM duckdb_functions() WHERE starts_with(function_name, 'emm1_')""",
        )
    assert all((relations, macros, functions))
    unfailing = {"media_folder", "media_root", "media_path", "media_in", "climbs", "inside"}
    left_out = [name for name in relations | macros | functions if not mentions(asked, name)]
    assert left_out == [], "in no query of tests/sql"
    left_out = [name for name in macros - unfailing if not mentions(refused, name)]
    assert left_out == [], "in no `statement error` of tests/sql"


def names(store: emm1.Store, query: str) -> set[str]:
    return {name for (name,) in store.sql(query).fetchall()}


def mentions(text: str, name: str) -> bool:
    return re.search(rf'(?<![\w."]){re.escape(name)}\b', text) is not None

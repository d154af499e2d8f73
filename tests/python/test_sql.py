"""The SQL tests, ``tests/sql/*.test``, in the form of DuckDB's own sqllogictests.

A file is records between blank lines; ``#`` begins a comment. Understood are ``load FILE [readonly]``, ``statement ok``,
``statement error`` with a part of the message after ``----``, ``query TYPES [rowsort]`` with rows after ``----``, a tab
between values, and ``foreach NAME VALUE...`` to ``endloop``. ``${EMM1_TREE}`` is a sample tree, ``${EMM1_STORE}`` a store
built from it, a copy for each file, ``${EMM1_ESHOT}`` one of the split eshot alone, ``${EMM1_SEARCH}`` one with registered
embeddings (text, image, eshot_audio, eshot_points) in ``${EMM1_FILES}``, and ``${EMM1_EXTENSION}`` the extension.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import duckdb
import pytest

import emm1
from emm1.extension import PATH

FOLDER = Path(__file__).parents[1] / "sql"
FILES = sorted(FOLDER.glob("*.test"))
Line = tuple[int, str]


@dataclass(frozen=True)
class Record:
    """One statement or query, and what it must give."""

    place: str
    command: list[str]
    sql: str
    expected: list[str] | None


def unrolled(lines: Iterator[Line]) -> Iterator[Line]:
    """The lines with every loop's body once for each of its values; inside a loop, those up to its end."""
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


def records(path: Path, variables: dict[str, Path]) -> Iterator[Record]:
    text = path.read_text(encoding="utf-8")
    for name, value in variables.items():
        text = text.replace(f"${{{name}}}", str(value))
    numbered = [(at, line) for at, line in enumerate(text.splitlines(), 1) if not line.startswith("#")]
    for blank, block in groupby(unrolled(iter(numbered)), lambda numbered_line: not numbered_line[1].strip()):
        if not blank:
            (first, command), *rest = block
            lines = [line for _, line in rest]
            end = lines.index("----") if "----" in lines else len(lines)
            expected = lines[end + 1 :] if end < len(lines) else None
            yield Record(f"{path.name}:{first}", command.split(), "\n".join(lines[:end]), expected)


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
def search_path(tree: Path, store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(shutil.copy(store_path, tmp_path_factory.mktemp("search")))
    files = shutil.copytree(tree / "embeddings", path.parent / "files")
    with emm1.open(path) as store:
        for name in ("text", "image"):
            store.add_embeddings(name, files / f"{name}.npy", dataset="100m", modality=name)
        for modality in ("audio", "points"):
            name = f"eshot_{modality}"
            store.add_embeddings(name, files / f"{name}.npy", dataset="eshot", modality=modality)
    return path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file(path: Path, tree: Path, store_path: Path, eshot_path: Path, search_path: Path, tmp_path: Path) -> None:
    variables = {
        "EMM1_TREE": tree,
        "EMM1_STORE": Path(shutil.copy(store_path, tmp_path)),
        "EMM1_ESHOT": eshot_path,
        "EMM1_SEARCH": search_path,
        "EMM1_FILES": search_path.parent / "files",
        "EMM1_EXTENSION": PATH,
    }
    connection = duckdb.connect()
    for record in records(path, variables):
        try:
            if record.command[0] == "load":
                connection.close()
                config: dict[str, str | bool | int | float | list[str]] = {"allow_unsigned_extensions": True}
                connection = duckdb.connect(record.command[1], "readonly" in record.command, config)
            else:
                check(connection, record)
        except duckdb.Error as error:
            pytest.fail(f"{record.place}: {error}")
    connection.close()


def test_nothing_in_the_schema_is_left_out(store_path: Path) -> None:
    """Every table, view and macro is named by a statement or query, those outside main with their schema."""
    asked = "\n".join(record.sql for path in FILES for record in records(path, {}))
    with duckdb.connect(str(store_path), read_only=True) as connection:
        names = connection.execute("""
            SELECT if(schema_name = 'main', '', schema_name || '.') || name FROM (
                SELECT schema_name, table_name AS name FROM duckdb_tables()
                UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal
                UNION ALL SELECT schema_name, function_name FROM duckdb_functions()
                    WHERE NOT internal AND database_name = current_database()
            )
        """).fetchall()
    assert len(names) > 20
    assert [name for (name,) in names if not re.search(rf'(?<![\w."]){re.escape(name)}\b', asked)] == []

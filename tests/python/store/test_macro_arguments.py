"""Every macro with an argument of the wrong type, for each of its parameters: the error names macro, parameter and type."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from docs.generate.__main__ import REFERENCE

import emm1

# Signatures, as the reference lists them and errors write them. The values below are right for a type, or wrong.
LISTED = re.findall(r"^\| `((?!emm1_)\w+\([^`]*\))`", (REFERENCE / "sql.md").read_text(encoding="utf-8"), re.MULTILINE)
# What only joins texts takes any type.
UNTYPED = {"media_folder(media)", "media_path(folder, media, file)", "media_root()"}
MACROS = [*(signature for signature in LISTED if signature not in UNTYPED), "registered(embedding_name VARCHAR)"]
RIGHT = {
    "VARCHAR": "'text'",
    "BIGINT": "7",
    "DOUBLE": "0.5",
    "FLOAT[]": "list_resize([1.0], 8, 0.5)",
    "BIGINT[]": "[1, 2]",
    "VARCHAR[]": "['points', 'audio']",
}
# Of these names only one thing is right.
NAMED = {"audio": "'audio'", "points": "'points'", "words": "'dog'"}
NEVER = ["DATE '2020-01-01'", "{'a': 1}", "MAP {1: 2}", "'x'::BLOB", "INTERVAL 1 DAY", "uuid()"]
NO_NUMBER = ["'7'", "true", "[1]", "'7'::ENUM ('7', '8')", *NEVER]
NO_LIST = ["7", "'7'", "7.5", *NEVER]
NO_NUMBERS = ["[[1]]", "[DATE '2020-01-01']", "[true]", "[{'a': 1}]", *NO_LIST]
WRONG = {
    "VARCHAR": ["7", "7.5", "true", "['text']", "[1]", *NEVER],
    "BIGINT": NO_NUMBER,
    "DOUBLE": NO_NUMBER,
    "FLOAT[]": NO_NUMBERS,
    "BIGINT[]": NO_NUMBERS,
    "VARCHAR[]": NO_LIST,
}
PARAMETER = re.compile(r"(\w+) ([A-Z]+(?:\[\])?)( := \d+)?")


@pytest.fixture(scope="module", params=["extension", "Python"])
def connection(
    request: pytest.FixtureRequest, store_path: Path, tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A store whose functions are the extension's, or those in Python."""
    path = tmp_path_factory.mktemp("arguments") / "emm1.duckdb"
    path.write_bytes(store_path.read_bytes())
    with emm1.open(path) as store:
        store.add_embeddings("text", tree / "embeddings" / "text.npy", dataset="100m", modality="text")
        for kind in ("audio", "points"):
            store.add_embeddings(kind, tree / "embeddings" / f"eshot_{kind}.npy", dataset="eshot", modality=kind)
        store.index_captions()
    allowed = request.param == "extension"
    with (
        duckdb.connect(path, config={"allow_unsigned_extensions": allowed}) as connection,
        warnings.catch_warnings(action="error" if allowed else "ignore"),
    ):
        emm1.load_extension(connection)
        yield connection


def calls(signature: str) -> Iterator[tuple[str, str, str]]:
    """Calls with one wrong argument, the name of its parameter, and the argument."""
    macro = signature.partition("(")[0]
    parameters = PARAMETER.findall(signature.partition("(")[2])
    assert parameters
    for parameter, kind, _ in parameters:
        for wrong in WRONG[kind]:
            given = {name: wrong if name == parameter else right(name, of_kind) for name, of_kind, _ in parameters}
            written = [f"{name} := {given[name]}" if default else given[name] for name, _, default in parameters]
            yield f"{macro}({', '.join(written)})", parameter, wrong


def clause_of(signature: str, connection: duckdb.DuckDBPyConnection) -> str:
    query = "SELECT function_type FROM duckdb_functions() WHERE function_name = ? AND NOT internal"
    ((kind,),) = connection.execute(query, [signature.partition("(")[0]]).fetchall()
    return "FROM" if kind == "table_macro" else "SELECT"


def right(name: str, kind: str) -> str:
    return NAMED.get(name, RIGHT[kind])


def test_all_macros_are_listed(connection: duckdb.DuckDBPyConnection) -> None:
    query = """
        SELECT function_name FROM duckdb_functions()
        WHERE NOT internal AND database_name = current_database() AND NOT starts_with(comment, 'Internal: ')"""
    found = {name for (name,) in connection.execute(query).fetchall()}
    assert found == {signature.partition("(")[0] for signature in LISTED}
    assert {signature for signature in LISTED if not PARAMETER.search(signature)} == UNTYPED, (
        "their errors name no types"
    )


@pytest.mark.parametrize("signature", MACROS)
def test_wrong_types(signature: str, connection: duckdb.DuckDBPyConnection) -> None:
    clause = clause_of(signature, connection)
    for call, parameter, wrong in calls(signature):
        ((given,),) = connection.execute(f"SELECT typeof({wrong})").fetchall()
        with pytest.raises(duckdb.Error) as raised:
            connection.execute(f"{clause} {call}").fetchall()
        (line, *_) = str(raised.value).splitlines()
        assert line == f"Invalid Input Error: {signature}: {parameter} is {given}", call


@pytest.mark.parametrize("signature", MACROS)
def test_right_types(signature: str, connection: duckdb.DuckDBPyConnection) -> None:
    """Otherwise the errors above could be about something else; a column and a parameter have types as well."""
    macro, _, listed = signature.partition("(")
    values = [right(name, kind) for name, kind, _ in PARAMETER.findall(listed)]
    clause = clause_of(signature, connection)
    written = f"{macro}({', '.join(values)})"
    if "FLOAT[]" in signature:  # the query of 8 components is right for none of the files
        with pytest.raises(duckdb.Error, match="the query has 8 components"):
            connection.execute(f"{clause} {written}")
    else:
        assert connection.execute(f"{clause} {written}").fetchall()


@pytest.mark.parametrize("signature", MACROS)
def test_parameters(signature: str, connection: duckdb.DuckDBPyConnection) -> None:
    """An argument can be given by the name that an error shows."""
    macro, _, listed = signature.partition("(")
    query = "SELECT parameters FROM duckdb_functions() WHERE function_name = ? AND NOT internal"
    ((names,),) = connection.execute(query, [macro]).fetchall()
    assert names == [name for name, _, _ in PARAMETER.findall(listed)]


@pytest.mark.parametrize(
    "call",
    [
        "nearest('text')",
        "nearest('text', [1], kk := 3)",
        "nearest('text', [1], 1, 2)",
        "knn('text')",
        "groups_of()",
        "match_captions()",
    ],
)
def test_wrong_numbers_and_names(call: str, connection: duckdb.DuckDBPyConnection) -> None:
    """DuckDB says this itself: it names the macro, and lists its parameters."""
    macro = call.partition("(")[0]
    with pytest.raises(duckdb.BinderException, match=rf'acro\W.*"?{macro}"?\(') as raised:
        connection.execute(f"FROM {call}")
    assert "emm1_" not in str(raised.value)

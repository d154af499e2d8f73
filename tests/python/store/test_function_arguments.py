"""Every function of the extension with every kind of wrong argument, for each of its parameters; and its stand-in in Python.

The functions and their parameters come from the first lines of their modules, so a new one is tested without being listed.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from safetensors.numpy import save_file
from signatures import Signature, signatures

import emm1

NOT_WHOLE = ["7.5", "7.5::DOUBLE", "7.5::DECIMAL(20,1)", "7.5::DECIMAL(38,1)"]
TOO_LARGE = ["9223372036854775808", "-9223372036854775809", "18446744073709551616::UHUGEINT"]
NO_NUMBER = ["'10'", "true", "DATE '2020-01-01'", "[10]"]
# An argument that is right for a parameter, by what the parameter takes. `square.npy` is in the folder of the test.
RIGHT = {
    "file": "'square.npy'",
    "id": "10",
    "ids": "[10, 20]",
    "query": "[1, 1]",
    "k": "1",
    "metric": "'dot'",
    "threshold": "1",
    "name": "'x'",
    "known": "[['x', 'store', 'square.npy', NULL, NULL, 'dot', 'an item', '4', '2', 'float32']]",
}
# Arguments that are wrong, and what the error says of them.
WRONG = {
    "file": [
        ("'nowhere.npy'", "nowhere.npy does not exist"),
        ("'notes.txt'", "notes.txt: cannot be searched as it is: expected a .npy file"),
        ("'square.npy?ids=few.ids.npy'", "ids for the 4 rows of"),
        ("'two.safetensors#circle'", "no tensor is called 'circle': it holds"),
        ("''", "the name of the embedding file is empty"),
    ],
    "id": [
        *((value, "an id must be a whole number that fits BIGINT, not 7.5") for value in NOT_WHOLE),
        *((value, "an id must be a whole number that fits BIGINT, not") for value in TOO_LARGE),
        ("9007199254740994::DOUBLE", "may have been rounded: cast it to BIGINT"),
        ("1e300", "an id is 1e300, and a DOUBLE so large may have been rounded: cast it to BIGINT"),
        *((value, "an id must be a whole number: cast it to BIGINT") for value in NO_NUMBER),
        ("'nan'::DOUBLE", "an id must be a whole number that fits BIGINT, not NaN"),
    ],
    "ids": [
        *((f"[{value}]", "an id must be a whole number that fits BIGINT, not 7.5") for value in NOT_WHOLE),
        *((f"[{value}]", "an id must be a whole number that fits BIGINT, not") for value in TOO_LARGE),
        ("10", "the ids must be a list of whole numbers"),
    ],
    "query": [
        ("[1]", "the query has 1 components, the vectors"),
        ("[1, NULL]", "component 1 of the query is NULL"),
        ("['nan'::DOUBLE, 1]", "component 0 of the query is NaN"),
        ("[1, '-inf'::FLOAT]", "component 1 of the query is -inf"),
        ("[1, 1e300]", "too large for"),
    ],
    "k": [
        *((value, f"k must be at least 1, not {value}") for value in ("0", "-1", "-9223372036854775808")),
        *((value, "k must be a whole number that fits BIGINT, not 7.5") for value in NOT_WHOLE),
    ],
    "metric": [("'far'", "unknown metric 'far': cosine, dot or l2")],
    "threshold": [("'nan'", "the threshold is NaN: name a score")],
    "name": [("'y'", "no embeddings are called 'y': registered are x"), ("NULL", "no embeddings are called 'NULL'")],
    "known": [
        ("NULL", "no embeddings are called 'x': none are registered"),
        ("[['x', 's', 'f']]", "are of different versions of emm1"),
    ],
}
# Whole numbers may be of any numeric type.
WHOLE = {"id": "10::{}", "ids": "[10, 20]::{}[]", "k": "1::{}", "threshold": "1::{}"}
TYPES = [
    *(f"{sign}{size}" for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")),
    *("FLOAT", "DOUBLE", "DECIMAL(4,1)", "DECIMAL(9,0)", "DECIMAL(18,2)", "DECIMAL(38,3)"),
]
each_function = pytest.mark.parametrize("signature", signatures(), ids=lambda signature: signature.name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    square = np.array([[1, 0], [0, 1], [3, 4], [0, 0]], np.float32)
    np.save(tmp_path / "square.npy", square)
    np.save(tmp_path / "square.ids.npy", np.array([10, 20, 30, 40]))
    np.save(tmp_path / "few.ids.npy", np.array([10, 20]))
    (tmp_path / "notes.txt").write_text("notes")
    save_file({"square": square, "other": square[:1]}, tmp_path / "two.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def connected(way: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"allow_unsigned_extensions": way == "extension"})
    with warnings.catch_warnings(action="error" if way == "extension" else "ignore"):
        emm1.load_extension(connection)
    return connection


@pytest.fixture(params=["extension", "fallback"])
def connection(request: pytest.FixtureRequest, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    assert folder.exists()
    with connected(request.param) as opened:
        yield opened


def only_refuses(connection: duckdb.DuckDBPyConnection, signature: Signature) -> bool:
    """Whether a function is a stand-in that says what to use instead; it says so of every call."""
    query = "SELECT function_type FROM duckdb_functions() WHERE function_name = ?"
    kinds = connection.execute(query, [signature.name]).fetchall()
    assert kinds, f"{signature.name} does not exist here"
    if "macro" not in kinds[0][0]:
        return False
    refuses(connection, signature.query(*right(signature)), f"{signature.name} needs the emm1 extension: ")
    return True


def right(signature: Signature) -> list[str]:
    return [RIGHT[kind] for kind in signature.kinds]


def replaced(signature: Signature, place: int, value: str) -> str:
    """A query with another value for one parameter."""
    return signature.query(*(value if number == place else given for number, given in enumerate(right(signature))))


def refuses(connection: duckdb.DuckDBPyConnection, query: str, words: str) -> None:
    with pytest.raises(duckdb.Error) as raised:
        connection.execute(query).fetchall()
    assert words in str(raised.value), query


@each_function
def test_every_parameter_is_known(signature: Signature) -> None:
    for kind in signature.kinds:
        assert kind in RIGHT and kind in WRONG, f"{kind} of {signature.name}: say here what it takes"  # noqa: PT018


@each_function
def test_wrong_arguments(signature: Signature, connection: duckdb.DuckDBPyConnection) -> None:
    if only_refuses(connection, signature):
        return
    for place, kind in enumerate(signature.kinds):
        for value, words in WRONG[kind]:
            refuses(connection, replaced(signature, place, value), words)


@each_function
def test_whole_numbers_of_every_type(signature: Signature, connection: duckdb.DuckDBPyConnection) -> None:
    if only_refuses(connection, signature):
        return
    expected = answer(connection, signature.query(*right(signature)))
    for place, kind in enumerate(signature.kinds):
        for of in TYPES if kind in WHOLE else ():
            query = replaced(signature, place, WHOLE[kind].format(of))
            assert answer(connection, query) == expected, query


def answer(connection: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    found = sorted(connection.execute(query).fetchall())
    assert found != [(None,)], query
    return found


@each_function
def test_null_gives_null(signature: Signature, connection: duckdb.DuckDBPyConnection) -> None:
    """Except for table functions, whose arguments are no rows, and for a name, which is wrong then."""
    if signature.rows or "name" in signature.kinds or only_refuses(connection, signature):
        return
    for place in range(len(signature.kinds)):
        query = replaced(signature, place, "NULL")
        assert connection.execute(query).fetchall() == [(None,)], query


@each_function
def test_no_file_is_read_where_none_may_be(signature: Signature, connection: duckdb.DuckDBPyConnection) -> None:
    words = "emm1 reads no embedding files here: enable_external_access is false"
    connection.execute("SET enable_external_access = false")
    # DuckDB tells an aggregate no settings: it sees those of the last call of another function.
    refuses(connection, "SELECT emm1_ids('square.npy')", words)
    if not only_refuses(connection, signature):
        refuses(connection, signature.query(*right(signature)), words)


def test_every_function_has_a_stand_in() -> None:
    """In `python/emm1/store/fallback.py`, with as many parameters and the same result; or a macro that says what to use instead."""
    query = """
        SELECT function_name, function_type, len(parameters), return_type FROM duckdb_functions()
        WHERE starts_with(function_name, 'emm1_')"""
    with connected("extension") as extension, connected("fallback") as fallback:
        functions = {name: rest for name, *rest in extension.execute(query).fetchall()}
        stand_ins = {name: rest for name, *rest in fallback.execute(query).fetchall()}
    assert functions.keys() - stand_ins.keys() == set(), "have no stand-in"
    for name, (kind, *rest) in functions.items():
        stand_in, *others = stand_ins[name]
        if kind == "scalar":
            assert (stand_in, others) == ("scalar", rest), name
        else:
            assert (stand_in, others[0]) == ({"aggregate": "macro", "table": "table_macro"}[kind], rest[0]), name

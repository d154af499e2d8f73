"""The reference is what the code says; the specification of the store is that of this schema version."""

import re
from pathlib import Path

import duckdb
import numpy as np
import pytest
from docs.generate.__main__ import REFERENCE, pages
from docs.generate.sql import described

import emm1
from emm1.store.database import SCHEMA_VERSION

STORE = REFERENCE.parent / "format/store.md"


def test_the_reference_is_what_the_code_says(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    written = pages(store_path)
    assert {path.name for path in REFERENCE.iterdir()} == written.keys()
    for name, text in written.items():
        assert (REFERENCE / name).read_text(encoding="utf-8") == text, "run `make reference`"


def test_every_public_name_is_in_it() -> None:
    text = (REFERENCE / "python.md").read_text(encoding="utf-8")
    for name in emm1.__all__:
        assert re.search(rf"^### emm1\.(errors\.)?{name}\b", text, re.MULTILINE), name


def test_functions_are_as_their_comments_say(tmp_path: Path) -> None:
    """DuckDB does not know what the parameters of the extension's functions are called, nor what its functions are for."""
    np.save(tmp_path / "x.npy", np.eye(3, dtype="float32"))
    comments = {name: (parameters, result) for name, parameters, result, _ in described()}
    with duckdb.connect(config={"allow_unsigned_extensions": True}) as connection:
        emm1.load_extension(connection)
        query = """
            SELECT function_name, function_type, parameters, return_type FROM duckdb_functions()
            WHERE starts_with(function_name, 'emm1_') ORDER BY 1"""
        found = connection.execute(query).fetchall()
        later = {"emm1_centroid"} if duckdb.__version__ < "2" else set()
        assert {name for name, *_ in found} == comments.keys() - later
        for name, kind, parameters, result in found:
            names, said = comments[name]
            assert len(parameters) == len(re.findall(r"\w+", re.sub(r":= [^,)]*", "", names))), name
            if kind == "table":  # whose columns DuckDB knows only of a call
                files = [str(tmp_path / "x.npy")] * (2 if name == "emm1_knn" else 1)
                called = connection.table_function(name, files)
                columns = ", ".join(f"{column} {of}" for column, of in zip(called.columns, called.types, strict=True))
                assert said == f"TABLE({columns})", name
            else:
                assert said == result.replace('"', ""), name


def test_every_schema_version_is_described() -> None:
    text = STORE.read_text(encoding="utf-8")
    (current,) = re.findall(r"which is schema version (\d+)", text)
    rows = re.findall(r"^\| (\d+) \|", text, re.MULTILINE)
    assert (int(current), [*map(int, rows)]) == (SCHEMA_VERSION, [*range(1, SCHEMA_VERSION + 1)]), STORE

"""The command about the DuckDB extension: where it lies, and what other clients say to load it."""

from __future__ import annotations

from emm1.cli import show
from emm1.extension import PATH, load_statement

CLIENTS = """\
{path}

The extension is not signed by DuckDB's makers, so a database is opened with allow_unsigned_extensions.

DuckDB CLI
  duckdb -unsigned -readonly emm1.duckdb -cmd "{load}"

Python (emm1.open does this by itself)
  connection = duckdb.connect("emm1.duckdb", config={{"allow_unsigned_extensions": True}})
  connection.execute("{load}")

JDBC (DBeaver: the driver property allow_unsigned_extensions, and the second line as a bootstrap query)
  jdbc:duckdb:emm1.duckdb;allow_unsigned_extensions=true
  {load};

Node.js (@duckdb/node-api)
  const instance = await DuckDBInstance.create("emm1.duckdb", {{ allow_unsigned_extensions: "true" }});
  await (await instance.connect()).run("{load}");
"""


def extension() -> None:
    """Show where the DuckDB extension lies, and how other clients load it.

    Example: `emm1 extension`
    """
    show.console().print(CLIENTS.format(path=PATH, load=load_statement()), soft_wrap=True, end="")

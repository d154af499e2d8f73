"""The command `extension`: where the DuckDB extension is, and how other clients load it."""

from __future__ import annotations

from emm1.cli import show
from emm1.store.extension import PATH, load_statement

CLIENTS = """\
{path}

The extension is not signed by DuckDB's developers, so databases must be opened with allow_unsigned_extensions.

DuckDB CLI
  duckdb -unsigned -readonly emm1.duckdb -cmd "{load}"

Python (emm1.open does this by itself)
  connection = duckdb.connect("emm1.duckdb", read_only=True, config={{"allow_unsigned_extensions": True}})
  connection.execute("{load}")

JDBC (DBeaver: duckdb.read_only and allow_unsigned_extensions as driver properties, the second line as a bootstrap query)
  jdbc:duckdb:emm1.duckdb;duckdb.read_only=true;allow_unsigned_extensions=true
  {load};

Node.js (@duckdb/node-api)
  const settings = {{ access_mode: "READ_ONLY", allow_unsigned_extensions: "true" }};
  const connection = await (await DuckDBInstance.create("emm1.duckdb", settings)).connect();
  await connection.run("{load}");
"""


def extension() -> None:
    """Show where the DuckDB extension is, and how other clients load it.

    Example: `emm1 extension`
    """
    show.say(CLIENTS.format(path=PATH, load=load_statement()).rstrip())

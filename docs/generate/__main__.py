"""``python -m docs.generate`` writes every page."""

import tempfile
from pathlib import Path

from docs.generate.cli import cli_page
from docs.generate.python import python_page
from docs.generate.sql import sql_page

import emm1

REFERENCE = Path(__file__).parents[1] / "reference"


def pages(store: Path) -> dict[str, str]:
    """The text of each page, by the name of its file.

    Args:
        store: a store, whatever rows it has.
    """
    return {"cli.md": cli_page(), "python.md": python_page(), "sql.md": sql_page(store)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        tree, path = Path(folder, "sample"), Path(folder, "emm1.duckdb")
        emm1.write_sample(tree, scale=0.0001, embeddings=0)
        emm1.build(tree, path).close()
        for name, text in pages(path).items():
            (REFERENCE / name).write_text(text, encoding="utf-8")

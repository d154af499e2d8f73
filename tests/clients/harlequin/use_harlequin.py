"""A store in Harlequin, whose keys are pressed and whose tables are read: one JSON object for each thing that works."""

import asyncio
import json
from importlib.metadata import version
from pathlib import Path

from harlequin import Harlequin
from harlequin_duckdb import DuckDbAdapter

SCRIPT = Path(__file__).with_name("load_emm1.sql")


async def main() -> None:
    # harlequin --read-only --allow-unsigned-extensions --init-path load_emm1.sql emm1.duckdb
    adapter = DuckDbAdapter(["emm1.duckdb"], read_only=True, allow_unsigned_extensions=True, init_path=SCRIPT)
    app = Harlequin(adapter, connection_hash="emm1")
    async with app.run_test() as pilot:

        async def ask(query: str) -> list[dict[str, object]]:
            app.editor.text = query
            app.editor.focus()
            before = app.results_viewer.get_visible_table()
            await pilot.press("ctrl+j")
            while (table := app.results_viewer.get_visible_table()) is before:
                await pilot.pause(0.05)
            return table.backend.data.to_pylist()

        while app.editor is None or not app.data_catalog.database_tree.root.children:
            await pilot.pause(0.05)
        [row] = await ask("SELECT version() AS duckdb")
        print(json.dumps({"version": version("harlequin"), **row}))

        [database] = app.connection.get_catalog().items
        columns = [
            (schema.label, table.label, column.label)
            for schema in database.fetch_children()
            for table in schema.fetch_children()
            for column in table.fetch_children()
        ]
        print(json.dumps({"columns": columns}))

        for view in ("groups", "group_captions", "triplets", "assets", "same_files", "eshot_categories"):
            print(json.dumps({"view": view, "rows": await ask(f'SELECT * FROM "{view}" LIMIT 200')}))

        found = await ask("SELECT * FROM nearest('image', embedding('text', 7), k := 5)")
        print(json.dumps({"nearest": found}))


asyncio.run(main())

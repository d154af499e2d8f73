// A store in Node.js: prints one JSON object for each step that works.

import { DuckDBInstance, version } from "@duckdb/node-api";

const instance = await DuckDBInstance.create("emm1.duckdb", {
  access_mode: "READ_ONLY",
  allow_unsigned_extensions: "true",
});
const connection = await instance.connect();
const ask = async (query) => (await connection.runAndReadAll(query)).getRowsJson();

console.log(JSON.stringify({ duckdb: version() }));

const columns = await ask("SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal");
console.log(JSON.stringify({ columns }));

for (const [view] of await ask("SELECT view_name FROM duckdb_views() WHERE NOT internal")) {
  console.log(JSON.stringify({ view, rows: await ask(`SELECT * FROM "${view}" LIMIT 200`) }));
}

await connection.run("LOAD './emm1.duckdb_extension'");
const found = await connection.runAndReadAll("SELECT * FROM nearest('image', embedding('text', 7), k := 5)");
console.log(JSON.stringify({ nearest: found.getRowsJson() }));

// A store in duckdb-wasm, in Node.js: prints one JSON object for each step that works.

const fs = require("node:fs");
const path = require("node:path");
const duckdb = require("@duckdb/duckdb-wasm/dist/duckdb-node-blocking.cjs");

async function main() {
  const dist = path.dirname(require.resolve("@duckdb/duckdb-wasm"));
  const bundles = Object.fromEntries(
    ["mvp", "eh"].map((name) => [name, { mainModule: path.join(dist, `duckdb-${name}.wasm`) }]),
  );
  const db = await duckdb.createDuckDB(bundles, new duckdb.VoidLogger(), duckdb.NODE_RUNTIME);
  await db.instantiate(() => {});
  db.open({});
  const connection = db.connect();
  const ask = (query) => connection.query(query).toArray().map((row) => Object.values(row.toJSON()));
  const print = (step) => console.log(JSON.stringify(step, (_, value) => (typeof value === "bigint" ? Number(value) : value)));

  db.registerFileBuffer("emm1.duckdb", new Uint8Array(fs.readFileSync("emm1.duckdb")));
  connection.query("ATTACH 'emm1.duckdb' AS emm1 (READ_ONLY)");
  connection.query("USE emm1");
  const [[version]] = ask("SELECT version()");
  print({ version: duckdb.PACKAGE_VERSION, duckdb: version });

  print({ columns: ask("SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal") });

  for (const [view] of ask("SELECT view_name FROM duckdb_views() WHERE NOT internal")) {
    print({ view, rows: ask(`SELECT * FROM "${view}" LIMIT 200`) });
  }
}

main();

// A store in Go: prints one JSON object for each step that works.
package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"os"

	_ "github.com/duckdb/duckdb-go/v2"
)

func main() {
	log.SetFlags(0)
	store, err := sql.Open("duckdb", "emm1.duckdb?access_mode=READ_ONLY&allow_unsigned_extensions=true")
	check(err)
	defer store.Close()

	show(map[string]any{"duckdb": ask(store, "SELECT version()")[0][0]})

	listed := "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal"
	show(map[string]any{"columns": ask(store, listed)})

	for _, row := range ask(store, "SELECT view_name FROM duckdb_views() WHERE NOT internal") {
		show(map[string]any{"view": row[0], "rows": ask(store, fmt.Sprintf(`SELECT * FROM "%s" LIMIT 200`, row[0]))})
	}

	_, err = store.Exec("LOAD './emm1.duckdb_extension'")
	check(err)
	found := ask(store, "SELECT * FROM nearest('image', embedding('text', ?), k := 5)", 7)
	show(map[string]any{"nearest": found})
}

func ask(store *sql.DB, query string, arguments ...any) [][]any {
	rows, err := store.Query(query, arguments...)
	check(err)
	defer rows.Close()
	names, err := rows.Columns()
	check(err)
	all := [][]any{}
	for rows.Next() {
		row, places := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			places[i] = &row[i]
		}
		check(rows.Scan(places...))
		all = append(all, row)
	}
	check(rows.Err())
	return all
}

func show(what map[string]any) {
	check(json.NewEncoder(os.Stdout).Encode(what))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

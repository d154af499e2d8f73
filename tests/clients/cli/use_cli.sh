# A store in DuckDB's command line: prints one JSON object for each step that works.
set -e

ask() {
    duckdb -init /dev/null -readonly emm1.duckdb -json -c "$1" | tr '\n' ' '
}

printf '{"duckdb": "%s"}\n' "$(duckdb --version | cut -d ' ' -f 1)"
columns="SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal"
printf '{"columns": %s}\n' "$(ask "$columns")"
for view in groups group_captions triplets assets same_files eshot_categories; do
    printf '{"view": "%s", "rows": %s}\n' "$view" "$(ask "FROM \"$view\" LIMIT 200")"
done

found=$(
    duckdb -unsigned -readonly emm1.duckdb -cmd "LOAD './emm1.duckdb_extension'" -json \
        -c "SELECT * FROM nearest('image', embedding('text', 7), k := 5)"
)
printf '{"nearest": %s}\n' "$(echo "$found" | tr '\n' ' ')"

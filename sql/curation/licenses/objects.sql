-- The columns of what the store calls licenses, if anything.

SELECT column_name
FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = 'main' AND lower(table_name) = 'licenses'
ORDER BY column_index

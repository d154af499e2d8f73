-- The columns of emm1's tables in the previous store that the new store lacks and that no published file had, and those
-- whose name emm1 uses only since then ($users).

SELECT p.schema_name, p.table_name, p.column_name
FROM duckdb_columns() p
JOIN duckdb_tables() t
    ON t.database_name = current_database() AND t.schema_name = p.schema_name AND t.table_name = p.table_name
ANTI JOIN duckdb_columns() n
    ON n.database_name = current_database() AND n.schema_name = p.schema_name AND n.table_name = p.table_name
    AND n.column_name = p.column_name
    AND NOT (n.schema_name = 'main' AND list_contains($users::VARCHAR[], n.table_name || '.' || n.column_name))
WHERE p.database_name = $previous AND p.comment IS DISTINCT FROM $published
    AND NOT (p.schema_name = 'main' AND list_contains($users::VARCHAR[], lower(p.table_name))) -- a user's, named as a whole
ORDER BY ALL;

-- The columns of a table of emm1's own: whether the previous store has them too, and whether they must have a value.

SELECT n.column_name, p.column_name IS NOT NULL AS both, NOT n.is_nullable AS needed
FROM duckdb_columns() n
LEFT JOIN duckdb_columns() p
    ON p.database_name = $previous AND p.schema_name = n.schema_name AND p.table_name = n.table_name
    AND p.column_name = n.column_name
WHERE n.database_name = current_database() AND n.schema_name = 'main' AND n.table_name = $table
    AND n.column_name <> 'store_id' -- each store has its own
ORDER BY n.column_index;

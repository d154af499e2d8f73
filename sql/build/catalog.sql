-- Every object in a database except DuckDB's own: its kind, the statement that creates it if DuckDB keeps one, its comment.

SELECT 'SCHEMA' AS kind, NULL AS schema, schema_name AS name, NULL AS sql, NULL AS comment
FROM duckdb_schemas()
WHERE database_name = $database AND NOT internal
UNION ALL
SELECT 'TYPE', schema_name, type_name, NULL, comment
FROM duckdb_types()
WHERE database_name = $database AND NOT internal
UNION ALL
SELECT 'SEQUENCE', schema_name, sequence_name, sql, comment
FROM duckdb_sequences()
WHERE database_name = $database
UNION ALL
SELECT 'TABLE', schema_name, table_name, sql, comment
FROM duckdb_tables()
WHERE database_name = $database AND NOT internal
UNION ALL
SELECT 'VIEW', schema_name, view_name, sql, comment
FROM duckdb_views()
WHERE database_name = $database AND NOT internal
UNION ALL
SELECT DISTINCT CASE function_type WHEN 'macro' THEN 'MACRO' ELSE 'MACRO TABLE' END, schema_name, function_name, NULL, comment
FROM duckdb_functions()
WHERE database_name = $database AND NOT internal AND function_type IN ('macro', 'table_macro')
UNION ALL
SELECT 'INDEX', schema_name, index_name, sql, comment
FROM duckdb_indexes()
WHERE database_name = $database;

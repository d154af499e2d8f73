-- The tables, views and columns of the previous store that have a name which only newer schema versions give to emm1's
-- own ($newer), without emm1's comment: users made them.

WITH newer AS (
    SELECT unnest($newer::VARCHAR[]) AS name
),
emm1s AS (
    SELECT table_name AS name, comment
    FROM duckdb_tables()
    WHERE database_name = current_database() AND schema_name = 'main'
    UNION ALL
    SELECT table_name || '.' || column_name, comment
    FROM duckdb_columns()
    WHERE database_name = current_database() AND schema_name = 'main'
),
previous AS (
    SELECT table_name AS name, comment
    FROM duckdb_tables()
    WHERE database_name = $previous AND schema_name = 'main'
    UNION ALL
    SELECT view_name, comment
    FROM duckdb_views()
    WHERE database_name = $previous AND schema_name = 'main'
    UNION ALL
    SELECT table_name || '.' || column_name, comment
    FROM duckdb_columns()
    WHERE database_name = $previous AND schema_name = 'main'
)
SELECT name
FROM newer
JOIN emm1s USING (name)
JOIN previous ON lower(previous.name) = name
WHERE previous.comment IS DISTINCT FROM emm1s.comment;

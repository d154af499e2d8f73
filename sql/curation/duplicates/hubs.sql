-- The items with many partners, those with the most first.

WITH
sides AS (
    SELECT 'a' AS side, a AS id FROM read_parquet($parts)
    UNION ALL
    SELECT CASE WHEN $same THEN 'a' ELSE 'b' END, b FROM read_parquet($parts)
)
SELECT side, id, count(*) AS partners, count(*) OVER () AS hubs
FROM sides
GROUP BY side, id
HAVING count(*) >= $many
ORDER BY partners DESC, side, id
LIMIT $named

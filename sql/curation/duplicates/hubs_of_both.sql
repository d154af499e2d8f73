-- The same where both sides hold the same items: an item may have a partner twice, once on each side. To count it once takes memory
-- for every pair, which the other query does without.

WITH
sides AS (
    SELECT a AS id, b AS partner FROM read_parquet($parts)
    UNION ALL
    SELECT b, a FROM read_parquet($parts)
)
SELECT 'a' AS side, id, count(DISTINCT partner) AS partners, count(*) OVER () AS hubs
FROM sides
GROUP BY id
HAVING count(DISTINCT partner) >= $many
ORDER BY partners DESC, id
LIMIT $named

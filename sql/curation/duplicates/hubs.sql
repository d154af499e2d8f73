-- The items with many partners, those with the most first. If both sides hold the same items, an item has partners on both.

WITH
partners AS (
    SELECT 'a' AS side, a AS id, b AS partner FROM read_parquet($parts)
    UNION ALL
    SELECT CASE WHEN $same THEN 'a' ELSE 'b' END, b, a FROM read_parquet($parts)
)
SELECT side, id, count(DISTINCT partner) AS partners, count(*) OVER () AS hubs
FROM partners
GROUP BY side, id
HAVING count(*) >= $many AND count(DISTINCT partner) >= $many
ORDER BY partners DESC, side, id
LIMIT $named

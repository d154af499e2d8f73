-- The items with many partners, those with the most first. If both sides hold the same items, an item may have a partner twice,
-- once on each side; otherwise counting needs no memory of the partners.

WITH
partners AS (
    SELECT 'a' AS side, a AS id, b AS partner FROM read_parquet($parts)
    UNION ALL
    SELECT CASE WHEN $same THEN 'a' ELSE 'b' END, b, a FROM read_parquet($parts)
),
counted AS (
    SELECT
        side,
        id,
        CASE WHEN $twice THEN count(DISTINCT partner) FILTER (WHERE $twice) ELSE count(*) END AS partners
    FROM partners
    GROUP BY side, id
)
SELECT side, id, partners, count(*) OVER () AS hubs
FROM counted
WHERE partners >= $many
ORDER BY partners DESC, side, id
LIMIT $named

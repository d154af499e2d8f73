-- The pairs with the item first that comes first in the order of preference, in this order.

SELECT
    CASE $preferred WHEN 'a' THEN a WHEN 'b' THEN b ELSE least(a, b) END AS preferred,
    CASE $preferred WHEN 'a' THEN b WHEN 'b' THEN a ELSE greatest(a, b) END AS rest,
    score
FROM read_parquet($parts)
ORDER BY preferred, rest, score DESC

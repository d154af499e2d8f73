-- The first negatives ($most; NULL: all) of each query in a file ($file), nearest first. A query may have some for each positive.

SELECT query_id::BIGINT AS id, list_slice(list(negative_id::BIGINT ORDER BY best, negative_id), 1, coalesce($most::BIGINT, count(*))) AS value
FROM (SELECT query_id, negative_id, min(rank) AS best FROM read_parquet($file) GROUP BY ALL)
GROUP BY query_id
ORDER BY query_id;

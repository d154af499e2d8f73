-- The queries that are right by the first of two saved reports, and not by the second, as they are copied from the page.

SELECT query_id, a.best_rank, b.best_rank AS baseline_rank
FROM read_parquet($model) AS a
JOIN read_parquet($baseline) AS b USING (query_id)
WHERE a.best_rank = 1 AND b.best_rank IS DISTINCT FROM 1
ORDER BY b.best_rank DESC NULLS LAST, query_id

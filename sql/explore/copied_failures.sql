-- The queries of a saved report whose first hit is not right, as they are copied from the page.

SELECT query_id, best_rank, cluster AS best_right_answer
FROM read_parquet($model)
WHERE best_rank IS DISTINCT FROM 1
ORDER BY best_rank DESC NULLS LAST, query_id

-- The confused categories of a saved report on EShot, as they are copied from the page.

SELECT category, predicted[1] AS predicted, count(*) AS samples, list(eshot_id) AS ids
FROM read_parquet($predictions)
WHERE direction = $direction AND predicted[1] <> category
GROUP BY ALL

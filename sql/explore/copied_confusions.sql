-- The confused classes of a saved report on a zero-shot classification, as they are copied from the page.

SELECT unnest(labels) AS category, predicted[1] AS predicted, count(*) AS samples, list(id) AS ids
FROM read_parquet($predictions)
WHERE NOT list_contains(labels, predicted[1])
GROUP BY ALL

-- The flags that items have: who gave them, of which dataset and modality, and how many items there are.

SELECT flag, source, dataset, modality::VARCHAR AS modality, count(DISTINCT id) AS items
FROM flags
GROUP BY ALL
ORDER BY ALL

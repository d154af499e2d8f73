-- How many files have each status, for those datasets and modalities that were asked for.

SELECT dataset, modality::VARCHAR AS modality, status, count(*) AS items
FROM media_status
WHERE list_contains($datasets, dataset) AND list_contains($modalities, modality::VARCHAR)
GROUP BY ALL
ORDER BY dataset, modality, items DESC, status

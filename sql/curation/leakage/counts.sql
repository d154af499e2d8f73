-- How many pairs and items there are for each pair of sides and modalities, and each kind of overlap.

SELECT side_a, modality_a, side_b, modality_b, kind, count(*) AS pairs,
    count(DISTINCT (dataset_a, id_a)) AS items_a, count(DISTINCT (dataset_b, id_b)) AS items_b
FROM leakage_pairs
GROUP BY ALL
ORDER BY side_a, side_b, modality_a, modality_b, kind

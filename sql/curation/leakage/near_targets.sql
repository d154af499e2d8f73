-- The items of a dataset and modality whose neighbours are looked for.

SELECT DISTINCT id
FROM leakage_sides
WHERE dataset = $dataset AND modality = $modality AND side >= $first
ORDER BY id

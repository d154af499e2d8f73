-- Items that belong together by the triplets, from the modality $queries to $base: a caption and its paired item, and what was
-- rated Good with either.

WITH together AS (
    SELECT 'text' AS one, encord_text_id AS one_id, paired_modality::VARCHAR AS other, encord_paired_id AS other_id
    FROM e_mm1_1m.triplets
    UNION ALL
    SELECT 'text', encord_text_id, annotated_modality::VARCHAR, encord_annotated_id
    FROM e_mm1_1m.triplets
    WHERE annotation = 1
    UNION ALL
    SELECT paired_modality::VARCHAR, encord_paired_id, annotated_modality::VARCHAR, encord_annotated_id
    FROM e_mm1_1m.triplets
    WHERE annotation = 1
)
SELECT DISTINCT
    CASE WHEN one = $queries THEN one_id ELSE other_id END AS query_id,
    CASE WHEN one = $queries THEN other_id ELSE one_id END AS id
FROM together
WHERE ((one = $queries AND other = $base) OR (one = $base AND other = $queries))
    AND one_id IS NOT NULL AND other_id IS NOT NULL
ORDER BY ALL

-- The captions of a dataset ($dataset) by their ids.

SELECT id, value
FROM (
    SELECT '100m' AS dataset, encord_text_id AS id, caption AS value FROM e_mm1_100m.text
    UNION ALL
    SELECT '1m', encord_text_id, caption FROM e_mm1_1m.text
)
WHERE dataset = $dataset
ORDER BY id;

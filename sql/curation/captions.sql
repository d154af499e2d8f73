-- The captions of a dataset with their keys, the first 64 bits of a hash of the seed and the normalised text. Captions with
-- characters beyond ASCII come without a key, as they are: emm1.curation.captions normalises them, by the same rules.

SELECT
    id,
    CASE
        WHEN plain THEN (
            '0x' || left(sha256($seed || ':' || trim(regexp_replace(lower(caption), '[^a-z0-9]+', ' ', 'g'))), 16)
        )::UBIGINT
    END AS key,
    CASE WHEN NOT plain THEN caption END AS other
FROM (
    SELECT '100m' AS dataset, encord_text_id AS id, caption, length(caption) = strlen(caption) AS plain
    FROM e_mm1_100m.text
    UNION ALL
    SELECT '1m', encord_text_id, caption, length(caption) = strlen(caption)
    FROM e_mm1_1m.text
)
WHERE dataset = $dataset;

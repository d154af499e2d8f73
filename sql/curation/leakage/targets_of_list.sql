-- What is looked for: the rows of a list (emm1_listed: row, name, folder, video, clip_start, clip_end, object, source_id, source,
-- dataset, modality, id), and whatever the items that it names are known by.

CREATE TEMP TABLE leakage_targets AS
WITH rows AS (SELECT *, leakage_stem(name) AS stem FROM emm1_listed)
SELECT 5::UTINYINT AS side, NULL::VARCHAR AS dataset, NULL::modality AS modality, NULL::INTEGER AS id, row, kind, key, source,
    clip_start, clip_end
FROM (
    SELECT row, 'file' AS kind, concat_ws('/', place, stem) AS key, NULL AS source, NULL::DOUBLE AS clip_start, NULL::DOUBLE AS clip_end
    FROM rows, (VALUES ('clip'), ('points')) places(place)
    WHERE stem <> ''
    UNION ALL
    SELECT row, 'file', concat_ws('/', 'image', folder, name), NULL, NULL, NULL FROM rows WHERE folder <> '' AND name <> ''
    UNION ALL
    SELECT row, 'name', stem, NULL, NULL, NULL FROM rows WHERE stem <> '' AND folder IS NULL
    UNION ALL
    SELECT row, 'source', leakage_source_id(source_id), source, NULL, NULL FROM rows WHERE source_id <> ''
    UNION ALL
    SELECT row, 'object', lower(object), NULL, NULL, NULL FROM rows WHERE object <> ''
    UNION ALL
    SELECT row, 'youtube', video, NULL, clip_start, leakage_end(clip_start, clip_end) FROM rows WHERE video <> ''
)
UNION ALL
SELECT 5, m.dataset, m.modality, m.id, l.row, kind, key, m.source, m.clip_start, m.clip_end
FROM leakage_marks m
JOIN emm1_listed l ON l.dataset = m.dataset AND l.modality = m.modality::VARCHAR AND l.id = m.id
WHERE kind <> 'name'

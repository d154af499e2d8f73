-- How many groups have each combination of the strictest terms of their items ("emm1_groups": group_captions, or some of them;
-- "emm1_licenses": the rows of the table licenses). AND and OR of SQL are the strictest of three values: a permission is false if
-- any is false, else NULL if any is NULL; an obligation is true if any is true, else NULL if any is NULL. A place without an item
-- (NULL) says nothing; an item without an info row has no terms.

WITH terms AS (
    SELECT modality, source_dataset, dataset_license, commercial_use, redistribution, attribution, share_alike
    FROM emm1_licenses
),
item_terms AS (
    SELECT a.modality, a.id, t.commercial_use, t.redistribution, t.attribution, t.share_alike
    FROM assets a
    JOIN terms t ON t.modality = a.modality::VARCHAR
        AND t.source_dataset IS NOT DISTINCT FROM a.source_dataset::VARCHAR
        AND t.dataset_license IS NOT DISTINCT FROM a.dataset_license::VARCHAR
    WHERE a.dataset = '100m'
)
SELECT
    c.commercial_use
        AND (i.commercial_use OR g.encord_image_id IS NULL)
        AND (v.commercial_use OR g.encord_video_id IS NULL)
        AND (a.commercial_use OR g.encord_audio_id IS NULL)
        AND (p.commercial_use OR g.encord_points_id IS NULL) AS commercial_use,
    c.redistribution
        AND (i.redistribution OR g.encord_image_id IS NULL)
        AND (v.redistribution OR g.encord_video_id IS NULL)
        AND (a.redistribution OR g.encord_audio_id IS NULL)
        AND (p.redistribution OR g.encord_points_id IS NULL) AS redistribution,
    c.attribution
        OR (i.attribution AND g.encord_image_id IS NOT NULL)
        OR (v.attribution AND g.encord_video_id IS NOT NULL)
        OR (a.attribution AND g.encord_audio_id IS NOT NULL)
        OR (p.attribution AND g.encord_points_id IS NOT NULL) AS attribution,
    c.share_alike
        OR (i.share_alike AND g.encord_image_id IS NOT NULL)
        OR (v.share_alike AND g.encord_video_id IS NOT NULL)
        OR (a.share_alike AND g.encord_audio_id IS NOT NULL)
        OR (p.share_alike AND g.encord_points_id IS NOT NULL) AS share_alike,
    count(*) AS "groups"
FROM emm1_groups g
LEFT JOIN item_terms c ON c.modality = 'text' AND c.id = g.encord_text_id
LEFT JOIN item_terms i ON i.modality = 'image' AND i.id = g.encord_image_id
LEFT JOIN item_terms v ON v.modality = 'video' AND v.id = g.encord_video_id
LEFT JOIN item_terms a ON a.modality = 'audio' AND a.id = g.encord_audio_id
LEFT JOIN item_terms p ON p.modality = 'points' AND p.id = g.encord_points_id
GROUP BY ALL
ORDER BY ALL

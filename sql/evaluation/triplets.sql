-- Of some triplets ("emm1_rated"), a caption, or a paired item, and an annotated item with the gain of their rating, 3 - annotation; of
-- several ratings the lower median. Rows with another code have no grade.

SELECT
    CASE $queries::VARCHAR WHEN 'text' THEN encord_text_id ELSE encord_paired_id END AS query_id,
    encord_annotated_id AS id,
    CASE WHEN annotation BETWEEN 1 AND 3 THEN quantile_disc(3 - annotation, 0.5) END AS grade,
    count(*) AS rows
FROM emm1_rated
WHERE annotated_modality::VARCHAR = $base::VARCHAR
    AND ($queries::VARCHAR = 'text' OR paired_modality::VARCHAR = $queries::VARCHAR)
GROUP BY query_id, id, annotation BETWEEN 1 AND 3;

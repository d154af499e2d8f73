-- A caption and the paired item of its triplets, from $queries to $base, of which one is text; rows is how many triplets say so.

SELECT
    CASE $queries::VARCHAR WHEN 'text' THEN encord_text_id ELSE encord_paired_id END AS query_id,
    CASE $base::VARCHAR WHEN 'text' THEN encord_text_id ELSE encord_paired_id END AS id,
    1 AS grade,
    count(*) AS rows
FROM e_mm1_1m.triplets
WHERE paired_modality::VARCHAR IN ($queries::VARCHAR, $base::VARCHAR)
GROUP BY query_id, id;

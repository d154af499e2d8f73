-- A caption and its neighbours of any rank, from $queries to $base, of which one is text.

SELECT
    CASE $queries::VARCHAR WHEN 'text' THEN encord_text_id ELSE item END AS query_id,
    CASE $base::VARCHAR WHEN 'text' THEN encord_text_id ELSE item END AS id,
    1 AS grade,
    count(*) AS rows
FROM (
    SELECT
        encord_text_id,
        CASE CASE $queries::VARCHAR WHEN 'text' THEN $base::VARCHAR ELSE $queries::VARCHAR END
            WHEN 'video' THEN encord_video_id
            WHEN 'audio' THEN encord_audio_id
            WHEN 'image' THEN encord_image_id
            WHEN 'points' THEN encord_points_id
        END AS item
    FROM e_mm1_100m.groups
)
GROUP BY query_id, id;

-- The files of the store, with how long a clip should be, and what was found when it was checked before.

WITH clips AS (
    SELECT '100m' AS dataset, 'audio'::modality AS modality, encord_audio_id AS id, end_time - start_time AS seconds
    FROM e_mm1_100m.audio
    UNION ALL
    SELECT '100m', 'video'::modality, encord_video_id, end_time - start_time FROM e_mm1_100m.video
    UNION ALL
    SELECT '1m', 'audio'::modality, encord_audio_id, end_time - start_time FROM e_mm1_1m.audio
    UNION ALL
    SELECT '1m', 'video'::modality, encord_video_id, end_time - start_time FROM e_mm1_1m.video
    UNION ALL
    SELECT 'eshot', 'audio'::modality, eshot_audio_id, end_time - start_time FROM eshot.audio
)
SELECT
    a.dataset,
    a.modality::VARCHAR AS modality,
    a.id,
    a.save_folder::VARCHAR AS save_folder,
    a.file_name,
    c.seconds,
    s.status,
    epoch(s.checked_at) AS checked
FROM assets a
LEFT JOIN clips c USING (dataset, modality, id)
LEFT JOIN media_status s USING (dataset, modality, id)
WHERE a.file_path IS NOT NULL AND list_contains($datasets, a.dataset) AND list_contains($modalities, a.modality::VARCHAR)
ORDER BY a.dataset, a.modality, a.id

-- The items of a store, what they are called where they come from, and the side that each is on (emm1.curation.leakage.sides has
-- the names). What `splits` has as validation or test is on a side of its own. EShot does not say what its sources are.

CREATE TEMP VIEW leakage_items AS
WITH items AS (
    SELECT '100m' AS dataset, 'audio'::modality AS modality, encord_audio_id AS id, source_dataset, file_name, save_folder,
        youtube_id, start_time, end_time
    FROM e_mm1_100m.audio
    UNION ALL BY NAME
    SELECT '100m' AS dataset, 'video'::modality AS modality, encord_video_id AS id, source_dataset, file_name, save_folder,
        youtube_id, start_time, end_time, file_id
    FROM e_mm1_100m.video
    UNION ALL BY NAME
    SELECT '100m' AS dataset, 'image'::modality AS modality, encord_image_id AS id, source_dataset, file_name, save_folder, file_id
    FROM e_mm1_100m.image
    UNION ALL BY NAME
    SELECT '100m' AS dataset, 'points'::modality AS modality, encord_points_id AS id, source_dataset, file_name, save_folder, file_id
    FROM e_mm1_100m.points
    UNION ALL BY NAME
    SELECT '100m' AS dataset, 'text'::modality AS modality, encord_text_id AS id, source_dataset
    FROM e_mm1_100m.text
    UNION ALL BY NAME
    SELECT '1m' AS dataset, 'audio'::modality AS modality, encord_audio_id AS id, source_dataset, file_name, save_folder,
        youtube_id, start_time, end_time
    FROM e_mm1_1m.audio
    UNION ALL BY NAME
    SELECT '1m' AS dataset, 'video'::modality AS modality, encord_video_id AS id, source_dataset, file_name, save_folder,
        youtube_id, start_time, end_time, file_id
    FROM e_mm1_1m.video
    UNION ALL BY NAME
    SELECT '1m' AS dataset, 'image'::modality AS modality, encord_image_id AS id, source_dataset, file_name, save_folder, file_id
    FROM e_mm1_1m.image
    UNION ALL BY NAME
    SELECT '1m' AS dataset, 'points'::modality AS modality, encord_points_id AS id, source_dataset, file_name, save_folder, file_id
    FROM e_mm1_1m.points
    UNION ALL BY NAME
    SELECT '1m' AS dataset, 'text'::modality AS modality, encord_text_id AS id, source_dataset
    FROM e_mm1_1m.text
    UNION ALL BY NAME
    SELECT 'eshot' AS dataset, 'audio'::modality AS modality, eshot_audio_id AS id, file_name, save_folder,
        youtube_id, start_time, end_time
    FROM eshot.audio
    UNION ALL BY NAME
    SELECT 'eshot' AS dataset, 'points'::modality AS modality, eshot_point_id AS id, file_name, save_folder, file_id
    FROM eshot.points
)
SELECT
    CASE
        WHEN dataset = 'eshot' THEN 4
        WHEN split = 'test' THEN 3
        WHEN split = 'validation' THEN 2
        WHEN dataset = '1m' THEN 1
        ELSE 0
    END::UTINYINT AS side,
    coalesce(split = 'purged', false) AS purged,
    items.*
FROM items
LEFT JOIN (SELECT DISTINCT dataset, modality, id, split FROM splits WHERE split <> 'train') USING (dataset, modality, id);

-- The items with those that a list names (emm1_listed), which are on a side of their own.

CREATE TEMP VIEW leakage_sides AS
SELECT side, dataset, modality, id, NULL::BIGINT AS row FROM leakage_items
UNION ALL
SELECT 5::UTINYINT, dataset, modality::modality, id, row FROM emm1_listed WHERE id IS NOT NULL;

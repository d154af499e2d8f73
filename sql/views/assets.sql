-- Every item of every split, and the files that both splits hold.

CREATE VIEW assets AS
SELECT
    '100m' AS dataset,
    'audio'::modality AS modality,
    encord_audio_id AS id,
    source_dataset,
    dataset_license,
    save_folder,
    file_name,
    media_path(save_folder, 'audio', file_name) AS file_path
FROM e_mm1_100m.audio
UNION ALL
SELECT '100m', 'image'::modality, encord_image_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'image', file_name)
FROM e_mm1_100m.image
UNION ALL
SELECT '100m', 'points'::modality, encord_points_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'points', file_name)
FROM e_mm1_100m.points
UNION ALL
SELECT '100m', 'text'::modality, encord_text_id, source_dataset, dataset_license, NULL, NULL, NULL
FROM e_mm1_100m.text
UNION ALL
SELECT '100m', 'video'::modality, encord_video_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'video', file_name)
FROM e_mm1_100m.video
UNION ALL
SELECT '1m', 'audio'::modality, encord_audio_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'audio', file_name)
FROM e_mm1_1m.audio
UNION ALL
SELECT '1m', 'image'::modality, encord_image_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'image', file_name)
FROM e_mm1_1m.image
UNION ALL
SELECT '1m', 'points'::modality, encord_points_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'points', file_name)
FROM e_mm1_1m.points
UNION ALL
SELECT '1m', 'text'::modality, encord_text_id, source_dataset, dataset_license, NULL, NULL, NULL
FROM e_mm1_1m.text
UNION ALL
SELECT '1m', 'video'::modality, encord_video_id, source_dataset, dataset_license, save_folder, file_name,
    media_path(save_folder, 'video', file_name)
FROM e_mm1_1m.video
UNION ALL
SELECT 'eshot', 'audio'::modality, eshot_audio_id, NULL, NULL, save_folder, file_name,
    media_path(save_folder, 'audio', file_name)
FROM eshot.audio
UNION ALL
SELECT 'eshot', 'points'::modality, eshot_point_id, NULL, NULL, save_folder, file_name,
    media_path(save_folder, 'points', file_name)
FROM eshot.points;
COMMENT ON VIEW assets IS 'One row per item of every split and modality';
COMMENT ON COLUMN assets.dataset IS 'Split: 100m, 1m or eshot';
COMMENT ON COLUMN assets.modality IS 'Modality of the item';
COMMENT ON COLUMN assets.id IS 'Its id, unique within the split and modality only';
COMMENT ON COLUMN assets.source_dataset IS 'Dataset the item comes from; NULL for EShot';
COMMENT ON COLUMN assets.dataset_license IS 'Licence of that dataset; NULL for EShot';
COMMENT ON COLUMN assets.save_folder IS 'Folder under the media root; NULL for captions';
COMMENT ON COLUMN assets.file_name IS 'Name of the file; NULL for captions';
COMMENT ON COLUMN assets.file_path IS 'Path of the file; NULL for captions';

CREATE VIEW same_files AS
SELECT 'audio'::modality AS modality, h.encord_audio_id AS id_100m, o.encord_audio_id AS id_1m
FROM e_mm1_100m.audio h
JOIN e_mm1_1m.audio o ON o.file_name = h.file_name
WHERE h.save_folder = 'shared' AND o.save_folder = 'shared'
UNION ALL
SELECT 'image'::modality, h.encord_image_id, o.encord_image_id
FROM e_mm1_100m.image h
JOIN e_mm1_1m.image o ON o.file_name = h.file_name
WHERE h.save_folder = 'shared' AND o.save_folder = 'shared'
UNION ALL
SELECT 'points'::modality, h.encord_points_id, o.encord_points_id
FROM e_mm1_100m.points h
JOIN e_mm1_1m.points o ON o.file_name = h.file_name
WHERE h.save_folder = 'shared' AND o.save_folder = 'shared'
UNION ALL
SELECT 'video'::modality, h.encord_video_id, o.encord_video_id
FROM e_mm1_100m.video h
JOIN e_mm1_1m.video o ON o.file_name = h.file_name
WHERE h.save_folder = 'shared' AND o.save_folder = 'shared';
COMMENT ON VIEW same_files IS 'The files that both splits hold (save_folder shared, same file_name), under different ids';
COMMENT ON COLUMN same_files.modality IS 'Modality of the file';
COMMENT ON COLUMN same_files.id_100m IS 'Its id in E-MM1:100M';
COMMENT ON COLUMN same_files.id_1m IS 'Its id in E-MM1:1M';

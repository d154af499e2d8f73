-- The views of the store in SQL that Spark and DuckDB both run: what macros do there is written out here.
-- Every path is made in one place, the view assets. Engines drop the branches of its union that a join does not ask for.

CREATE OR REPLACE VIEW assets AS
SELECT
    dataset, modality, id, source_dataset, dataset_license, save_folder, file_name,
    -- As in the store, a name that leads out of its folder, is absolute, holds NUL or names no file has no path.
    -- The first letter is compared, not matched, since patterns and the backslash, chr(92), are written differently elsewhere.
    CASE WHEN save_folder NOT IN ('', '.') AND file_name NOT IN ('', '.')
            AND '/' || replace(save_folder, chr(92), '/') || '/' NOT LIKE '%/../%'
            AND '/' || replace(file_name, chr(92), '/') || '/' NOT LIKE '%/../%'
            AND substring(save_folder, 1, 1) NOT IN ('/', chr(92)) AND substring(file_name, 1, 1) NOT IN ('/', chr(92))
            AND NOT (substring(save_folder, 2, 1) = ':'
                AND (substring(save_folder, 1, 1) BETWEEN 'A' AND 'Z' OR substring(save_folder, 1, 1) BETWEEN 'a' AND 'z'))
            AND NOT (substring(file_name, 2, 1) = ':'
                AND (substring(file_name, 1, 1) BETWEEN 'A' AND 'Z' OR substring(file_name, 1, 1) BETWEEN 'a' AND 'z'))
            AND instr(save_folder, chr(0)) = 0 AND instr(file_name, chr(0)) = 0
        THEN '${emm1.media}/' || save_folder || '/' || CASE modality WHEN 'audio' THEN '${emm1.audio}' ELSE modality END
            || '/' || file_name
    END AS file_path
FROM (
    SELECT '100m' AS dataset, 'audio' AS modality, encord_audio_id AS id, source_dataset, dataset_license, save_folder, file_name
    FROM e_mm1_100m.audio
    UNION ALL
    SELECT '100m', 'image', encord_image_id, source_dataset, dataset_license, save_folder, file_name FROM e_mm1_100m.image
    UNION ALL
    SELECT '100m', 'points', encord_points_id, source_dataset, dataset_license, save_folder, file_name FROM e_mm1_100m.points
    UNION ALL
    SELECT '100m', 'text', encord_text_id, source_dataset, dataset_license, NULL, NULL FROM e_mm1_100m.text
    UNION ALL
    SELECT '100m', 'video', encord_video_id, source_dataset, dataset_license, save_folder, file_name FROM e_mm1_100m.video
    UNION ALL
    SELECT '1m', 'audio', encord_audio_id, source_dataset, dataset_license, save_folder, file_name FROM e_mm1_1m.audio
    UNION ALL
    SELECT '1m', 'image', encord_image_id, source_dataset, dataset_license, save_folder, file_name FROM e_mm1_1m.image
    UNION ALL
    SELECT '1m', 'points', encord_points_id, source_dataset, dataset_license, save_folder, file_name FROM e_mm1_1m.points
    UNION ALL
    SELECT '1m', 'text', encord_text_id, source_dataset, dataset_license, NULL, NULL FROM e_mm1_1m.text
    UNION ALL
    SELECT '1m', 'video', encord_video_id, source_dataset, dataset_license, save_folder, file_name FROM e_mm1_1m.video
    UNION ALL
    SELECT 'eshot', 'audio', eshot_audio_id, NULL, NULL, save_folder, file_name FROM eshot.audio
    UNION ALL
    SELECT 'eshot', 'points', eshot_point_id, NULL, NULL, save_folder, file_name FROM eshot.points
) items;

CREATE OR REPLACE VIEW group_captions AS
SELECT g.*, t.caption
FROM e_mm1_100m.groups g
LEFT JOIN e_mm1_100m.text t ON t.encord_text_id = g.encord_text_id;

CREATE OR REPLACE VIEW groups AS
SELECT
    g.*,
    t.caption,
    i.file_path AS image_file_path,
    a.file_path AS audio_file_path,
    v.file_path AS video_file_path,
    p.file_path AS points_file_path
FROM e_mm1_100m.groups g
LEFT JOIN e_mm1_100m.text t ON t.encord_text_id = g.encord_text_id
LEFT JOIN assets i ON i.dataset = '100m' AND i.modality = 'image' AND i.id = g.encord_image_id
LEFT JOIN assets a ON a.dataset = '100m' AND a.modality = 'audio' AND a.id = g.encord_audio_id
LEFT JOIN assets v ON v.dataset = '100m' AND v.modality = 'video' AND v.id = g.encord_video_id
LEFT JOIN assets p ON p.dataset = '100m' AND p.modality = 'points' AND p.id = g.encord_points_id;

CREATE OR REPLACE VIEW triplets AS
SELECT
    t.*,
    m.annotation_label,
    x.caption,
    f.file_path AS paired_modality_file_path,
    h.file_path AS annotated_modality_file_path
FROM e_mm1_1m.triplets t
LEFT JOIN e_mm1_1m.annotation_mapping m ON m.annotation = t.annotation
LEFT JOIN e_mm1_1m.text x ON x.encord_text_id = t.encord_text_id
LEFT JOIN assets f ON f.dataset = '1m' AND f.modality = t.paired_modality AND f.id = t.encord_paired_id
LEFT JOIN assets h ON h.dataset = '1m' AND h.modality = t.annotated_modality AND h.id = t.encord_annotated_id;

CREATE OR REPLACE VIEW eshot_categories AS
SELECT c.category, c.class_index, c.modality, c.eshot_id, s.file_name, s.file_path
FROM eshot.categories c
LEFT JOIN assets s ON s.dataset = 'eshot' AND s.modality = c.modality AND s.id = c.eshot_id;

CREATE OR REPLACE VIEW same_files AS
SELECT h.modality, h.id AS id_100m, o.id AS id_1m
FROM assets h
JOIN assets o ON o.modality = h.modality AND o.file_name = h.file_name
WHERE h.dataset = '100m' AND o.dataset = '1m' AND h.save_folder = 'shared' AND o.save_folder = 'shared';

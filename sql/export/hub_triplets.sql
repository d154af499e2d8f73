-- Rows of triplets as the Hub has them: everything joined in, both items with a path, and a file_id for every file.

WITH items AS (
    SELECT
        'audio' AS kind, encord_audio_id AS id, source_dataset, dataset_license, regexp_replace(file_name, '\.mp4$', '') AS file_id,
        youtube_id, start_time, end_time, concat_ws('/', save_folder, 'audio', file_name) AS file_path
    FROM e_mm1_1m.audio
    UNION ALL
    SELECT
        'video', encord_video_id, source_dataset, dataset_license, coalesce(file_id, regexp_replace(file_name, '\.mp4$', '')),
        youtube_id, start_time, end_time, concat_ws('/', save_folder, 'video', file_name)
    FROM e_mm1_1m.video
    UNION ALL
    SELECT
        'image', encord_image_id, source_dataset, dataset_license, coalesce(file_id, file_name),
        NULL, NULL, NULL, concat_ws('/', save_folder, 'image', file_name)
    FROM e_mm1_1m.image
    UNION ALL
    SELECT
        'points', encord_points_id, source_dataset, dataset_license, coalesce(file_id, file_name),
        NULL, NULL, NULL, concat_ws('/', save_folder, 'points', file_name)
    FROM e_mm1_1m.points
)
SELECT
    format('{}_to_{}', r.paired_modality, r.annotated_modality) AS emm1_file,
    r.encord_text_id,
    r.annotated_modality,
    r.paired_modality,
    r.encord_annotated_id,
    r.encord_paired_id,
    r.annotation,
    m.annotation_label AS annotation_str,
    p.source_dataset AS paired_source_dataset,
    p.dataset_license AS paired_dataset_license,
    p.file_id AS paired_file_id,
    p.youtube_id AS paired_youtube_id,
    p.start_time AS paired_start_time,
    p.end_time AS paired_end_time,
    p.file_path AS paired_file_path,
    a.source_dataset AS annotated_source_dataset,
    a.dataset_license AS annotated_dataset_license,
    a.file_id AS annotated_file_id,
    a.file_path AS annotated_file_path,
    a.youtube_id AS annotated_youtube_id,
    a.start_time AS annotated_start_time,
    a.end_time AS annotated_end_time,
    x.caption
FROM emm1_rows r
LEFT JOIN e_mm1_1m.annotation_mapping m ON m.annotation = r.annotation
LEFT JOIN e_mm1_1m.text x ON x.encord_text_id = r.encord_text_id
LEFT JOIN items p ON p.kind = r.paired_modality::VARCHAR AND p.id = r.encord_paired_id
LEFT JOIN items a ON a.kind = r.annotated_modality::VARCHAR AND a.id = r.encord_annotated_id

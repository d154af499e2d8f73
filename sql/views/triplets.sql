-- The rated triplets with label, caption and file paths.

CREATE VIEW triplets AS
WITH files AS (
    SELECT 'image'::modality AS kind, encord_image_id AS id, media_path(save_folder, 'image', file_name) AS file_path
    FROM e_mm1_1m.image
    UNION ALL
    SELECT 'audio'::modality, encord_audio_id, media_path(save_folder, 'audio', file_name) FROM e_mm1_1m.audio
    UNION ALL
    SELECT 'video'::modality, encord_video_id, media_path(save_folder, 'video', file_name) FROM e_mm1_1m.video
    UNION ALL
    SELECT 'points'::modality, encord_points_id, media_path(save_folder, 'points', file_name) FROM e_mm1_1m.points
)
SELECT
    t.*,
    m.annotation_label,
    x.caption,
    f.file_path AS paired_modality_file_path,
    h.file_path AS annotated_modality_file_path
FROM e_mm1_1m.triplets t
LEFT JOIN e_mm1_1m.annotation_mapping m ON m.annotation = t.annotation
LEFT JOIN e_mm1_1m.text x ON x.encord_text_id = t.encord_text_id
LEFT JOIN files f ON f.kind = t.paired_modality AND f.id = t.encord_paired_id
LEFT JOIN files h ON h.kind = t.annotated_modality AND h.id = t.encord_annotated_id;
COMMENT ON VIEW triplets IS 'The rated triplets of E-MM1:1M with label, caption and file paths';
COMMENT ON COLUMN triplets.encord_text_id IS 'The caption';
COMMENT ON COLUMN triplets.paired_modality IS 'Modality of the item that the caption belongs to';
COMMENT ON COLUMN triplets.annotated_modality IS 'Modality of the item that was rated';
COMMENT ON COLUMN triplets.encord_paired_id IS 'The item that the caption belongs to';
COMMENT ON COLUMN triplets.encord_annotated_id IS 'The item that was rated';
COMMENT ON COLUMN triplets.annotation IS 'The rating: a code of annotation_mapping';
COMMENT ON COLUMN triplets.annotation_label IS 'Meaning of the rating';
COMMENT ON COLUMN triplets.caption IS 'Text of the caption';
COMMENT ON COLUMN triplets.paired_modality_file_path IS 'Path of the paired file';
COMMENT ON COLUMN triplets.annotated_modality_file_path IS 'Path of the rated file';

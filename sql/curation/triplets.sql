-- The caption and the items of every triplet: a column for each role and modality, of which a row uses two.

SELECT
    encord_text_id,
    CASE paired_modality WHEN 'image' THEN encord_paired_id END AS paired_image_id,
    CASE paired_modality WHEN 'audio' THEN encord_paired_id END AS paired_audio_id,
    CASE paired_modality WHEN 'video' THEN encord_paired_id END AS paired_video_id,
    CASE paired_modality WHEN 'points' THEN encord_paired_id END AS paired_points_id,
    CASE annotated_modality WHEN 'image' THEN encord_annotated_id END AS annotated_image_id,
    CASE annotated_modality WHEN 'audio' THEN encord_annotated_id END AS annotated_audio_id,
    CASE annotated_modality WHEN 'video' THEN encord_annotated_id END AS annotated_video_id,
    CASE annotated_modality WHEN 'points' THEN encord_annotated_id END AS annotated_points_id
FROM e_mm1_1m.triplets;

-- Rows of groups as the Hub has them: everything joined in, what describes an item with the suffix of its modality.

SELECT
    format('nn_{:02d}', r.nn_index) AS emm1_file,
    r.encord_text_id,
    r.encord_video_id,
    r.encord_audio_id,
    r.encord_image_id,
    r.encord_points_id,
    r.nn_index,
    t.caption,
    t.* EXCLUDE (key_text, caption),
    v.* EXCLUDE (key_video),
    a.* EXCLUDE (key_audio),
    i.* EXCLUDE (key_image),
    p.* EXCLUDE (key_points)
FROM emm1_rows r
LEFT JOIN (
    SELECT encord_text_id AS key_text, caption, COLUMNS(* EXCLUDE (encord_text_id, caption)) AS '\0_text'
    FROM e_mm1_100m.text
) t ON t.key_text = r.encord_text_id
LEFT JOIN (
    SELECT encord_video_id AS key_video, COLUMNS(* EXCLUDE (encord_video_id)) AS '\0_video' FROM e_mm1_100m.video
) v ON v.key_video = r.encord_video_id
LEFT JOIN (
    SELECT encord_audio_id AS key_audio, COLUMNS(* EXCLUDE (encord_audio_id)) AS '\0_audio' FROM e_mm1_100m.audio
) a ON a.key_audio = r.encord_audio_id
LEFT JOIN (
    SELECT encord_image_id AS key_image, COLUMNS(* EXCLUDE (encord_image_id)) AS '\0_image' FROM e_mm1_100m.image
) i ON i.key_image = r.encord_image_id
LEFT JOIN (
    SELECT encord_points_id AS key_points, COLUMNS(* EXCLUDE (encord_points_id)) AS '\0_points' FROM e_mm1_100m.points
) p ON p.key_points = r.encord_points_id

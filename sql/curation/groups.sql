-- The caption and the items of every group, as emm1.curation.universe numbers them.

SELECT encord_text_id, encord_image_id, encord_audio_id, encord_video_id, encord_points_id
FROM e_mm1_100m.groups;

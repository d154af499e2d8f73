-- The groups with their captions and file paths. No catalog names: views work under ATTACH with any alias.

CREATE VIEW group_captions AS
SELECT g.*, t.caption
FROM e_mm1_100m.groups g
LEFT JOIN e_mm1_100m.text t ON t.encord_text_id = g.encord_text_id;
COMMENT ON VIEW group_captions IS 'The groups with their captions and without file paths: for counting and joining';
COMMENT ON COLUMN group_captions.encord_text_id IS 'The caption';
COMMENT ON COLUMN group_captions.encord_video_id IS 'Its nn_index-th nearest video item';
COMMENT ON COLUMN group_captions.encord_audio_id IS 'Its nn_index-th nearest audio item';
COMMENT ON COLUMN group_captions.encord_image_id IS 'Its nn_index-th nearest image item';
COMMENT ON COLUMN group_captions.encord_points_id IS 'Its nn_index-th nearest points item';
COMMENT ON COLUMN group_captions.nn_index IS 'Rank of the neighbours in this row, from 1 (nearest) to 16';
COMMENT ON COLUMN group_captions.caption IS 'Text of the caption';

CREATE VIEW "groups" AS
SELECT
    g.*,
    t.caption,
    media_in(s.media_root, i.save_folder, 'image', i.file_name) AS image_file_path,
    media_in(s.media_root, a.save_folder, 'audio', a.file_name) AS audio_file_path,
    media_in(s.media_root, v.save_folder, 'video', v.file_name) AS video_file_path,
    media_in(s.media_root, p.save_folder, 'points', p.file_name) AS points_file_path
FROM e_mm1_100m.groups g
LEFT JOIN e_mm1_100m.text t ON t.encord_text_id = g.encord_text_id
LEFT JOIN e_mm1_100m.image i ON i.encord_image_id = g.encord_image_id
LEFT JOIN e_mm1_100m.audio a ON a.encord_audio_id = g.encord_audio_id
LEFT JOIN e_mm1_100m.video v ON v.encord_video_id = g.encord_video_id
LEFT JOIN e_mm1_100m.points p ON p.encord_points_id = g.encord_points_id
CROSS JOIN main.emm1_store s;
COMMENT ON VIEW "groups" IS 'The groups of every rank with captions and file paths. DuckDB joins all five tables even for columns not asked for: to count or join, use group_captions or e_mm1_100m.groups, for some captions groups_of';
COMMENT ON COLUMN "groups".encord_text_id IS 'The caption';
COMMENT ON COLUMN "groups".encord_video_id IS 'Its nn_index-th nearest video item';
COMMENT ON COLUMN "groups".encord_audio_id IS 'Its nn_index-th nearest audio item';
COMMENT ON COLUMN "groups".encord_image_id IS 'Its nn_index-th nearest image item';
COMMENT ON COLUMN "groups".encord_points_id IS 'Its nn_index-th nearest points item';
COMMENT ON COLUMN "groups".nn_index IS 'Rank of the neighbours in this row, from 1 (nearest) to 16';
COMMENT ON COLUMN "groups".caption IS 'Text of the caption';
COMMENT ON COLUMN "groups".image_file_path IS 'Path of the image file';
COMMENT ON COLUMN "groups".audio_file_path IS 'Path of the audio file';
COMMENT ON COLUMN "groups".video_file_path IS 'Path of the video file';
COMMENT ON COLUMN "groups".points_file_path IS 'Path of the points file';

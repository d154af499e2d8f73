-- The samples of EShot.

CREATE VIEW eshot_categories AS
SELECT c.category, c.class_index, c.modality, c.eshot_id,
    CASE c.modality WHEN 'audio' THEN a.file_name ELSE p.file_name END AS file_name,
    CASE c.modality
        WHEN 'audio' THEN media_path(a.save_folder, 'audio', a.file_name)
        ELSE media_path(p.save_folder, 'points', p.file_name)
    END AS file_path
FROM eshot.categories c
LEFT JOIN eshot.audio a ON c.modality = 'audio' AND a.eshot_audio_id = c.eshot_id
LEFT JOIN eshot.points p ON c.modality = 'points' AND p.eshot_point_id = c.eshot_id;
COMMENT ON VIEW eshot_categories IS 'The samples of EShot by category';
COMMENT ON COLUMN eshot_categories.category IS 'Name of the category';
COMMENT ON COLUMN eshot_categories.class_index IS 'From 0, in code-point order of the audio categories';
COMMENT ON COLUMN eshot_categories.modality IS 'audio or points';
COMMENT ON COLUMN eshot_categories.eshot_id IS 'The sample: eshot_audio_id or eshot_point_id';
COMMENT ON COLUMN eshot_categories.file_name IS 'Name of its file';
COMMENT ON COLUMN eshot_categories.file_path IS 'Path of its file';
